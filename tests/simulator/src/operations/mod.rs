//! Each operation of the API on the model, and the answer that it gives.

mod dns;

use axum::body::Bytes;
use axum::http::Method;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::answer::{self, Answer};
use crate::authentication::Credentials;
use crate::knobs::{DeleteResult, Knobs, OmittableField, PageParameter, PatchResult};
use crate::query::{Query, Window};
use crate::refusal::Refusal;
use crate::route::{Misroute, Operation, Route};
use crate::state::{Connector, CreateRequest, Effect, UpdateRequest};
use crate::world::World;

type Executed = Result<(Answer, Effect), Refusal>;

/// A call that leads to an operation.
#[derive(Debug)]
pub(crate) struct Request<'call> {
    pub(crate) operation: Operation,
    pub(crate) method: &'call Method,
    pub(crate) route: &'call Route,
    pub(crate) query: Query,
    pub(crate) body: &'call Bytes,
    pub(crate) credentials: &'call Credentials,
}

/// Executes an operation for a caller who may do it.
pub(crate) fn execute(world: &mut World, request: &Request<'_>) -> (Answer, Effect) {
    let Request {
        operation,
        method: _,
        route,
        query,
        body,
        credentials,
    } = request;
    let account = route.account.as_deref().unwrap_or_default();
    let id = route.connector_id.as_deref().unwrap_or_default();
    let executed = match operation {
        Operation::List => Ok((list(world, account, query), Effect::Unchanged)),
        Operation::Create => create(world, account, body),
        Operation::Get => get(world, account, id),
        Operation::Update => update(world, account, id, body),
        Operation::Delete => delete(world, account, id),
        Operation::BeginVerification => begin_verification(world, account, id),
        Operation::ListIdentityProviders => {
            let providers = json!(world.model.identity_providers(account));
            Ok((
                Answer::success(Some(providers), &world.knobs),
                Effect::Unchanged,
            ))
        }
        Operation::CreateIdentityProvider => create_identity_provider(world, account, body),
        Operation::ListZones
        | Operation::GetZone
        | Operation::ListRecords
        | Operation::CreateRecord
        | Operation::GetRecord
        | Operation::UpdateRecord
        | Operation::DeleteRecord => return dns::execute(world, request),
        Operation::VerifyUserToken | Operation::VerifyAccountToken | Operation::Unrouted => {
            Ok((verify_token(world, credentials), Effect::Unchanged))
        }
    };
    executed.unwrap_or_else(|refusal| (refused(refusal, &world.knobs), Effect::Unchanged))
}

fn refused(refusal: Refusal, knobs: &Knobs) -> Answer {
    let (status, code, message) = refusal.answer(knobs);
    Answer::error(status, code, message, knobs)
}

fn list(world: &World, account: &str, query: &Query) -> Answer {
    let knobs = &world.knobs;
    let all = world.model.list(account, world.now(), knobs);
    let window = match knobs.page_size {
        Some(size) => Window {
            page: requested_page(query, knobs),
            per_page: size.get(),
        },
        None => Window {
            page: 1,
            per_page: all.len().max(1),
        },
    };
    let shown: Vec<Value> = window
        .on(&all)
        .map(|connector| answer::connector(connector, knobs))
        .collect();
    let info = window.info(shown.len(), all.len());
    let listed = Answer::success(Some(shown.into()), knobs);
    if knobs.result_info.is_on() && !knobs.omits(OmittableField::ResultInfo) {
        listed.rewritten("/result_info", info)
    } else {
        listed
    }
}

fn requested_page(query: &Query, knobs: &Knobs) -> usize {
    let page = match knobs.page_parameter {
        PageParameter::Honoured => query.get("page").and_then(|page| page.parse().ok()),
        PageParameter::Ignored => None,
    };
    page.unwrap_or(1).max(1)
}

fn create(world: &mut World, account: &str, body: &Bytes) -> Executed {
    let request: CreateRequest = parse(body)?;
    let now = world.now();
    let (created, effect) = world.model.create(account, &request, now, &world.knobs)?;
    Ok((one(&created, &world.knobs), effect))
}

fn get(world: &World, account: &str, id: &str) -> Executed {
    let found = world.model.get(account, id, world.now(), &world.knobs)?;
    Ok((one(found, &world.knobs), Effect::Unchanged))
}

fn update(world: &mut World, account: &str, id: &str, body: &Bytes) -> Executed {
    let request: UpdateRequest = parse(body)?;
    let now = world.now();
    let updated = world
        .model
        .update(account, id, &request, now, &world.knobs)?;
    let shown = answer::connector(&updated, &world.knobs);
    let result = match world.knobs.patch_result {
        PatchResult::Object => shown,
        PatchResult::Array => json!([shown]),
        PatchResult::Null => Value::Null,
    };
    Ok((
        Answer::success(Some(result), &world.knobs),
        Effect::Committed,
    ))
}

fn delete(world: &mut World, account: &str, id: &str) -> Executed {
    let now = world.now();
    world.model.delete(account, id, now, &world.knobs)?;
    let result = match world.knobs.delete_result {
        DeleteResult::Object => json!({"id": id}),
        DeleteResult::Null => Value::Null,
    };
    Ok((
        Answer::success(Some(result), &world.knobs),
        Effect::Committed,
    ))
}

fn begin_verification(world: &mut World, account: &str, id: &str) -> Executed {
    let now = world.now();
    let effect = world
        .model
        .begin_verification(account, id, now, &world.knobs)?;
    Ok((Answer::success(None, &world.knobs), effect))
}

fn create_identity_provider(world: &mut World, account: &str, body: &Bytes) -> Executed {
    let provider: Map<String, Value> = parse(body)?;
    let created = world.model.create_identity_provider(account, provider)?;
    Ok((
        Answer::success(Some(created.into()), &world.knobs),
        Effect::Committed,
    ))
}

fn verify_token(world: &World, credentials: &Credentials) -> Answer {
    let knobs = &world.knobs;
    let result = world.model.token(credentials.text()).map(|token| {
        let mut result = json!({
            "id": token.id,
            "status": "active",
            "not_before": answer::timestamp(token.not_before, knobs),
        });
        if let Some(end) = token.expires_on {
            result["expires_on"] = answer::timestamp(end, knobs).into();
        }
        result
    });
    let verified = Answer::success(result, knobs);
    if knobs.omits(OmittableField::Messages) {
        return verified;
    }
    let message = json!([
        {"code": 10_000, "message": "This API Token is valid and active", "type": null},
    ]);
    verified.rewritten("/messages", message)
}

fn one(connector: &Connector, knobs: &Knobs) -> Answer {
    Answer::success(Some(answer::connector(connector, knobs)), knobs)
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::MalformedBody)
}

/// The answer to a call that has no operation.
pub(crate) fn misrouted(misroute: &Misroute, parts: &Parts, knobs: &Knobs) -> Answer {
    let path = parts.uri.path();
    let below = path.strip_prefix(crate::route::PREFIX).unwrap_or(path);
    match misroute {
        Misroute::UnknownPath => Answer::error(404, 7003, "No route for the URI", knobs),
        Misroute::MalformedAccount => Answer::unroutable(404, below, knobs),
        Misroute::MalformedZoneOrRecord => Answer::unroutable(400, below, knobs),
        Misroute::TrailingSlash => Answer::text(404, "text/plain", "404 page not found\n"),
        Misroute::EmptyConnectorId => refused(Refusal::EmptyConnectorId, knobs),
        Misroute::Method => {
            let message = format!(
                "{} method not allowed for the api_token authentication scheme",
                parts.method
            );
            Answer::error(405, 405, &message, knobs)
        }
    }
}
