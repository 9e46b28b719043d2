//! The operations on zones and DNS records, and the answers that they give.

use std::ops::RangeInclusive;

use axum::http::Method;
use serde_json::{Value, json};

use super::Request;
use crate::answer::{Answer, timestamp};
use crate::authentication;
use crate::dns_refusal::DnsRefusal;
use crate::knobs::{Knobs, OmittableField, ZoneListDenied};
use crate::query::{Query, Window};
use crate::route::Operation;
use crate::state::dns::{Match, RecordFilter, RecordRequest, Update};
use crate::state::{DnsRecord, Effect, Permission, Zone, canonical};
use crate::world::World;

type Executed = Result<(Answer, Effect), DnsRefusal>;

const ZONES_PER_PAGE: RangeInclusive<usize> = 5..=50;
const RECORDS_PER_PAGE: RangeInclusive<usize> = 1..=5_000_000;

pub(super) fn execute(world: &mut World, request: &Request<'_>) -> (Answer, Effect) {
    let executed = match request.route.zone.as_deref() {
        None => list_zones(world, request),
        Some(id) => in_zone(world, id, request),
    };
    executed.unwrap_or_else(|refusal| {
        let errors = refusal.errors(&world.knobs);
        let answer = Answer::failure(refusal.status(), &errors, &world.knobs);
        (answer, Effect::Unchanged)
    })
}

fn in_zone(world: &mut World, zone: &str, request: &Request<'_>) -> Executed {
    let Some(zone) = world.model.dns.zone(zone).cloned() else {
        let answer = Answer::unroutable(404, &format!("/zones/{zone}"), &world.knobs);
        return Ok((answer, Effect::Unchanged));
    };
    let id = request.route.record_id.as_deref().unwrap_or_default();
    let now = world.now();
    let knobs = &world.knobs;
    let dns = &mut world.model.dns;
    let (result, effect) = match request.operation {
        Operation::ListRecords => return list_records(world, &zone, &request.query),
        Operation::CreateRecord => {
            let created = dns.create(&zone.id, parse(request)?, now, knobs)?;
            (record(&created, knobs), Effect::Committed)
        }
        Operation::GetRecord => {
            let found = dns.get(&zone.id, id, now, knobs)?;
            (record(found, knobs), Effect::Unchanged)
        }
        Operation::UpdateRecord => {
            let update = match *request.method {
                Method::PUT => Update::Replace,
                _ => Update::Merge,
            };
            let updated = dns.update(&zone.id, id, parse(request)?, update, now, knobs)?;
            (record(&updated, knobs), Effect::Committed)
        }
        Operation::DeleteRecord => {
            dns.delete(&zone.id, id, now)?;
            (json!({"id": id}), Effect::Committed)
        }
        // Nothing else leads here but the path of the zone itself.
        _ => (shown_zone(&zone), Effect::Unchanged),
    };
    Ok((Answer::success(Some(result), knobs), effect))
}

fn list_zones(world: &World, request: &Request<'_>) -> Executed {
    let knobs = &world.knobs;
    let query = &request.query;
    let window = Window::asked(query, &ZONES_PER_PAGE, 20, knobs)?;
    let token = match authentication::authenticate(world, request.credentials) {
        Ok(token) => token,
        Err(answer) => return Ok((answer, Effect::Unchanged)),
    };
    let read = [Permission::ZoneRead];
    let account = query.get("account.id");
    let asked = |zone: &&Zone| {
        let name = query.get("name").map(canonical);
        token.may_in(zone, &read)
            && name.is_none_or(|name| name == zone.name)
            && account.is_none_or(|account| account == zone.account)
            && query
                .get("status")
                .is_none_or(|status| json!(zone.status) == status)
    };
    let zones: Vec<&Zone> = world.model.dns.zones().iter().filter(asked).collect();
    let may_list = match account {
        Some(account) => token.may(account, &read),
        None => token.may_anywhere(&read),
    };
    if zones.is_empty() && !may_list && knobs.zone_list_denied == ZoneListDenied::Forbidden {
        let denied = authentication::zone_list_denied(token, knobs);
        return Ok((denied, Effect::Unchanged));
    }
    Ok(page(window, &zones, |zone| shown_zone(zone), knobs))
}

fn list_records(world: &World, zone: &Zone, query: &Query) -> Executed {
    let knobs = &world.knobs;
    let window = Window::asked(query, &RECORDS_PER_PAGE, 100, knobs)?;
    let owned = |name: &str| query.get(name).map(str::to_owned);
    let filter = RecordFilter {
        record_type: owned("type"),
        name: owned("name.exact").or_else(|| owned("name")),
        content: owned("content.exact").or_else(|| owned("content")),
        comment: owned("comment.exact"),
        matching: match query.get("match") {
            None | Some("all") => Match::All,
            Some("any") => Match::Any,
            Some(_) => return Err(DnsRefusal::ListOptions),
        },
    };
    let records = world.model.dns.list(&zone.id, &filter, world.now(), knobs);
    Ok(page(window, &records, |it| record(it, knobs), knobs))
}

/// One page of a list, with `result_info`.
fn page<T>(
    window: Window,
    all: &[T],
    show: impl Fn(&T) -> Value,
    knobs: &Knobs,
) -> (Answer, Effect) {
    let shown: Vec<Value> = window.on(all).map(show).collect();
    let info = window.info_with_pages(shown.len(), all.len());
    let mut answer = Answer::success(Some(shown.into()), knobs);
    if !knobs.omits(OmittableField::ResultInfo) {
        answer = answer.rewritten("/result_info", info);
    }
    (answer, Effect::Unchanged)
}

fn parse(request: &Request<'_>) -> Result<RecordRequest, DnsRefusal> {
    serde_json::from_slice(request.body).map_err(|_| DnsRefusal::MalformedBody)
}

/// A zone as the API shows it.
fn shown_zone(zone: &Zone) -> Value {
    json!({
        "id": zone.id,
        "name": zone.name,
        "status": zone.status,
        "type": zone.zone_type,
        "account": {"id": zone.account, "name": "Simulated account"},
    })
}

/// A DNS record as the API shows it.
fn record(record: &DnsRecord, knobs: &Knobs) -> Value {
    json!({
        "id": record.id,
        "name": record.name,
        "type": record.record_type,
        "content": record.shown_content(knobs.record_quotes),
        "proxiable": record.record_type.is_proxiable(),
        "proxied": record.proxied,
        "ttl": record.ttl,
        "settings": {},
        "meta": {},
        "comment": record.comment,
        "tags": record.tags,
        "created_on": timestamp(record.created_on, knobs),
        "modified_on": timestamp(record.modified_on, knobs),
    })
}
