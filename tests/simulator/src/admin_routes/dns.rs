//! DNS by hand, as JSON.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::problem;
use crate::admin::Admin;
use crate::dns_refusal::DnsRefusal;
use crate::state::{DnsRecord, RecordChange, RecordDraft, Zone, ZoneStatus, ZoneType};

/// A zone to be added.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneDraft {
    account: String,
    name: String,
}

/// A change of a zone. Absent fields stay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneChange {
    status: Option<ZoneStatus>,
    #[serde(rename = "type")]
    zone_type: Option<ZoneType>,
}

pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/admin/zones", get(zones).post(add_zone))
        .route("/admin/zones/{id}", patch(change_zone).delete(delete_zone))
        .route(
            "/admin/zones/{id}/records",
            get(records).post(create_record),
        )
        .route(
            "/admin/records/{id}",
            get(record).patch(change_record).delete(delete_record),
        )
        .route(
            "/admin/txt/{domain}",
            get(txt).put(publish_txt).delete(remove_txt),
        )
}

fn answer<T: Serialize>(outcome: Result<T, DnsRefusal>) -> Response {
    match outcome {
        Ok(done) => Json(done).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status());
            problem(
                status.unwrap_or(StatusCode::BAD_REQUEST),
                refusal.to_string(),
            )
        }
    }
}

async fn zones(State(admin): State<Admin>) -> Json<Vec<Zone>> {
    Json(admin.zones())
}

async fn add_zone(State(admin): State<Admin>, Json(draft): Json<ZoneDraft>) -> Json<Value> {
    Json(json!({"id": admin.add_zone(&draft.account, &draft.name)}))
}

async fn change_zone(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Json(change): Json<ZoneChange>,
) -> Response {
    answer(admin.change_zone(&id, |zone| {
        zone.status = change.status.unwrap_or(zone.status);
        zone.zone_type = change.zone_type.unwrap_or(zone.zone_type);
    }))
}

async fn delete_zone(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    answer(admin.delete_zone(&id))
}

async fn records(State(admin): State<Admin>, Path(zone): Path<String>) -> Json<Vec<DnsRecord>> {
    Json(admin.records(&zone))
}

async fn create_record(
    State(admin): State<Admin>,
    Path(zone): Path<String>,
    Json(draft): Json<RecordDraft>,
) -> Response {
    answer(admin.create_record(&zone, draft))
}

async fn record(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    answer(admin.record(&id).ok_or(DnsRefusal::UnknownRecord))
}

async fn change_record(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Json(change): Json<RecordChange>,
) -> Response {
    answer(admin.change_record(&id, change))
}

async fn delete_record(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    answer(admin.delete_record(&id))
}

async fn txt(State(admin): State<Admin>, Path(domain): Path<String>) -> Json<Vec<String>> {
    Json(admin.txt(&domain))
}

async fn publish_txt(
    State(admin): State<Admin>,
    Path(domain): Path<String>,
    value: String,
) -> Json<Vec<String>> {
    // People paste records as zone files quote them.
    admin.publish_txt(&domain, value.trim().trim_matches('"'));
    Json(admin.txt(&domain))
}

async fn remove_txt(State(admin): State<Admin>, Path(domain): Path<String>) -> StatusCode {
    admin.remove_txt(&domain);
    StatusCode::NO_CONTENT
}
