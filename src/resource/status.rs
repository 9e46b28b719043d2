//! What the operator writes: what Cloudflare reports, and the few facts it must not forget over a restart.
//!
//! Nothing here changes unless something happened: no time of the last poll, no request ID, no countdown. The same
//! situation gives the same bytes.

#![allow(
    unreachable_pub,
    reason = "the schema derive repeats each type inside a private scope"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The state of a connector as last observed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SsoConnectorStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Synced, Verified, Enabled; until the domain is verified what DNS shows of the TXT record, and where the operator is
    /// to publish it, whether it has; and while they are true Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The connector's ID at Cloudflare.
    #[serde(
        default,
        rename = "connectorID",
        skip_serializing_if = "Option::is_none"
    )]
    pub connector_id: Option<String>,

    /// Whether Cloudflare enforces SSO for the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,

    /// Whether the login page shows the FedRAMP wording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_fedramp_language: Option<bool>,

    /// When Cloudflare created the connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub created_on: Option<Timestamp>,

    /// When the connector last changed at Cloudflare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub updated_on: Option<Timestamp>,

    /// Where the verification of the domain stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationState>,

    /// The record that proves that the domain is yours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_record: Option<DnsRecord>,

    /// Written before each attempt to create a connector, and cleared once its outcome is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_create: Option<CreateAttempts>,

    /// How far the operator has applied spec.enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<Enforcement>,

    /// The value of the annotation cloudflare-sso.dev/reconcile-at that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,

    /// The value of the annotation cloudflare-sso.dev/enable-at that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_enable_at: Option<String>,
}

/// Where the verification of the domain stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct VerificationState {
    /// The whole value of the TXT record, as Cloudflare reports it now. It may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,

    /// As Cloudflare spells it: awaiting, pending, failed, verified, or a word that this version does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,

    /// How often the operator began again after Cloudflare gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<i32>,

    /// When the operator last began the verification, by Cloudflare's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub last_begun_at: Option<Timestamp>,
}

/// A DNS record, ready to be pasted into a zone file.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DnsRecord {
    /// The record's type.
    #[serde(rename = "type")]
    pub record_type: RecordType,
    /// The record's name: the email domain itself.
    pub name: String,
    /// The record's value.
    pub value: String,
    /// The zone of Cloudflare DNS in which the operator creates the record, or has created it.
    #[serde(rename = "zoneID", default, skip_serializing_if = "Option::is_none")]
    pub zone_id: Option<String>,
    /// The ID of the record that the operator has created there. Absent: it has created none that is still there.
    #[serde(rename = "recordID", default, skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
}

/// The type of a DNS record.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// A text record.
    TXT,
}

/// The attempts to create a connector whose outcome is not known yet.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CreateAttempts {
    /// The time of each attempt by Cloudflare's clock, oldest first; the newest 8.
    #[schemars(schema_with = "date_times")]
    pub attempts: Vec<Timestamp>,
}

/// How far the operator has applied one wanted value of `spec.enabled`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// The step that was reached.
    pub state: EnforcementState,

    /// The value of spec.enabled that this speaks of. Absent: spec.enabled was absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,

    /// The UID of the object that this speaks of: a status restored into another object does not count.
    #[serde(rename = "objectUID")]
    pub object_uid: String,

    /// The connector's updatedOn right before the change was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub updated_on: Option<Timestamp>,
}

/// The steps of applying one wanted value.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnforcementState {
    /// May be applied.
    Armed,
    /// The change is being sent.
    Applying,
    /// Was seen at Cloudflare.
    Satisfied,
    /// Somebody changed it by hand; nothing is sent until it is re-armed.
    Held,
}

fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

fn date_times(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "items": { "type": "string", "format": "date-time" },
    })
}
