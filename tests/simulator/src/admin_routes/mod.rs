//! The admin API for people: the same as [`Admin`], as JSON under `/admin`.

mod dns;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::admin::Admin;
use crate::calls::Calls;
use crate::faults::{Fault, FaultId, FaultReport, Verdict};
use crate::knobs::Knobs;
use crate::state::{Connector, ConnectorChange, ConnectorDraft, TokenRequest};

/// What `GET /admin` answers.
const HELP: &str = "\
GET    /admin/calls                              every call served, oldest first
GET    /admin/connectors                         every connector as it is
POST   /admin/connectors                         make one by hand: {\"account\", \"email_domain\", ...}
GET    /admin/connectors/{id}
PATCH  /admin/connectors/{id}                    {\"enabled\", \"use_fedramp_language\", \"verification_status\"}
DELETE /admin/connectors/{id}
GET    /admin/zones                              every zone
POST   /admin/zones                              add one: {\"account\", \"name\"}
PATCH  /admin/zones/{id}                         {\"status\": \"pending\", \"type\": \"partial\"}
DELETE /admin/zones/{id}                         take one away, with its records
GET    /admin/zones/{id}/records                 every record of a zone as it is
POST   /admin/zones/{id}/records                 make one by hand: {\"type\", \"name\", \"content\", ...}
GET    /admin/records/{id}
PATCH  /admin/records/{id}                       {\"name\", \"content\", \"ttl\", \"comment\"}
DELETE /admin/records/{id}
GET    /admin/txt/{domain}                       the TXT values in zones, and those published here
PUT    /admin/txt/{domain}                       publish the body as a value, for a domain that has no zone
DELETE /admin/txt/{domain}                       remove all values that were published here
GET    /admin/knobs
PATCH  /admin/knobs                              {\"list_lag\": \"5s\", ...}
GET    /admin/faults
POST   /admin/faults                             {\"operation\": \"create\", \"failure\": {\"kind\": \"reset\", \"when\": \"after_commit\"}}
DELETE /admin/faults                             forget all of them
POST   /admin/faults/{id}/release                end one; held calls go on
POST   /admin/faults/{id}/drop                   end one; held calls lose their connection
GET    /admin/accounts
PUT    /admin/accounts/{id}
POST   /admin/accounts/{id}/identity_providers   {\"type\": \"azureAD\"}
POST   /admin/tokens                             {\"label\", \"grants\": {\"<account>\": [\"sso_connector_read\", ...]},
                                                  \"zone_grants\": {\"<zone>\": [\"zone_read\", \"dns_write\", ...]}}
DELETE /admin/tokens/{label}                     revoke
";

pub(crate) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/admin", get(|| async { HELP }))
        .route("/admin/calls", get(calls))
        .route("/admin/connectors", get(connectors).post(create_connector))
        .route(
            "/admin/connectors/{id}",
            get(connector)
                .patch(change_connector)
                .delete(delete_connector),
        )
        .route("/admin/knobs", get(knobs).patch(turn_knobs))
        .route(
            "/admin/faults",
            get(faults).post(push_fault).delete(clear_faults),
        )
        .route("/admin/faults/{id}/release", post(release_fault))
        .route("/admin/faults/{id}/drop", post(drop_fault))
        .route("/admin/accounts", get(accounts))
        .route("/admin/accounts/{id}", put(add_account))
        .route(
            "/admin/accounts/{id}/identity_providers",
            post(create_identity_provider),
        )
        .route("/admin/tokens", post(issue_token))
        .route("/admin/tokens/{label}", delete(revoke_tokens))
        .merge(dns::router())
        .with_state(admin)
}

/// A sentence about what is wrong.
fn problem(status: StatusCode, sentence: impl Into<String>) -> Response {
    (status, Json(json!({"error": sentence.into()}))).into_response()
}

fn found(connector: Option<Connector>) -> Response {
    match connector {
        Some(connector) => Json(connector).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no connector has this ID"),
    }
}

async fn calls(State(admin): State<Admin>) -> Json<Calls> {
    Json(admin.calls())
}

async fn connectors(State(admin): State<Admin>) -> Json<Vec<Connector>> {
    let accounts = admin.accounts();
    Json(
        accounts
            .iter()
            .flat_map(|account| admin.connectors(account))
            .collect(),
    )
}

async fn create_connector(
    State(admin): State<Admin>,
    Json(draft): Json<ConnectorDraft>,
) -> Json<Connector> {
    Json(admin.create_connector(draft))
}

async fn connector(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    found(admin.connector(&id))
}

async fn change_connector(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Json(change): Json<ConnectorChange>,
) -> Response {
    found(admin.change_connector(&id, change).ok())
}

async fn delete_connector(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    found(admin.delete_connector(&id).ok())
}

async fn knobs(State(admin): State<Admin>) -> Json<Knobs> {
    Json(admin.knobs())
}

async fn turn_knobs(State(admin): State<Admin>, Json(changes): Json<Value>) -> Response {
    let mut outcome = Ok(());
    admin.turn_knobs(|knobs| {
        outcome = knobs.merged(&changes).map(|merged| *knobs = merged);
    });
    match outcome {
        Ok(()) => Json(admin.knobs()).into_response(),
        Err(error) => problem(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    }
}

async fn faults(State(admin): State<Admin>) -> Json<Vec<FaultReport>> {
    Json(admin.faults())
}

async fn push_fault(State(admin): State<Admin>, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({"id": admin.push_fault(fault).id()}))
}

async fn clear_faults(State(admin): State<Admin>) -> StatusCode {
    admin.clear_faults();
    StatusCode::NO_CONTENT
}

async fn release_fault(State(admin): State<Admin>, Path(id): Path<FaultId>) -> Response {
    decided(admin.decide(id, Verdict::Continue))
}

async fn drop_fault(State(admin): State<Admin>, Path(id): Path<FaultId>) -> Response {
    decided(admin.decide(id, Verdict::Drop))
}

fn decided(exists: bool) -> Response {
    if exists {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, "no fault has this ID")
    }
}

async fn accounts(State(admin): State<Admin>) -> Json<Vec<String>> {
    Json(admin.accounts())
}

async fn add_account(State(admin): State<Admin>, Path(id): Path<String>) -> StatusCode {
    admin.add_account(&id);
    StatusCode::NO_CONTENT
}

async fn create_identity_provider(
    State(admin): State<Admin>,
    Path(account): Path<String>,
    Json(provider): Json<Map<String, Value>>,
) -> Response {
    match admin.create_identity_provider(&account, provider) {
        Ok(created) => Json(created).into_response(),
        Err(refusal) => {
            let (status, _, message) = refusal.answer(&admin.knobs());
            problem(
                StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
                message,
            )
        }
    }
}

async fn issue_token(State(admin): State<Admin>, Json(request): Json<TokenRequest>) -> Json<Value> {
    let label = request.label.clone();
    Json(json!({"label": label, "token": admin.issue_token(request)}))
}

async fn revoke_tokens(State(admin): State<Admin>, Path(label): Path<String>) -> StatusCode {
    admin.revoke_tokens(&label);
    StatusCode::NO_CONTENT
}
