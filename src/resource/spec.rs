//! What a user writes. No field has a schema default: an absent field means what its text says, in code, so that the
//! stored spec stays the very bytes that were applied.

#![allow(
    unreachable_pub,
    reason = "the schema derive repeats each type inside a private scope"
)]
#![allow(clippy::duplicated_attributes, reason = "each printcolumn has its own")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::SsoConnectorStatus;

/// What the connector for one e-mail domain in one Cloudflare account shall be.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "cloudflare-sso.dev",
    version = "v1alpha1",
    kind = "SsoConnector",
    plural = "ssoconnectors",
    singular = "ssoconnector",
    shortname = "sso",
    category = "cloudflare",
    namespaced,
    status = "SsoConnectorStatus",
    derive = "PartialEq",
    doc = "An SsoConnector declares Cloudflare dashboard single sign-on for one e-mail domain in one Cloudflare account.",
    selectable = ".spec.emailDomain",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.emailDomain"),
    printcolumn(
        name = "Verification",
        type_ = "string",
        json_path = ".status.verification.status"
    ),
    printcolumn(name = "Enabled", type_ = "boolean", json_path = ".status.enabled"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Connector",
        type_ = "string",
        json_path = ".status.connectorID",
        priority = 1
    ),
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.accountID",
        priority = 1
    ),
    printcolumn(
        name = "Deletion",
        type_ = "string",
        json_path = ".spec.deletionPolicy",
        priority = 1
    ),
    printcolumn(
        name = "TXT",
        type_ = "string",
        json_path = ".status.dnsRecord.value",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct SsoConnectorSpec {
    /// The Cloudflare account in which the connector lives: 32 lower-case hexadecimal digits. Immutable.
    #[serde(rename = "accountID")]
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[0-9a-f]{32}$')").message("must be the 32 lower-case hexadecimal digits that the Cloudflare dashboard shows as Account ID"),
        validation = Rule::new("self == oldSelf").message("is immutable: to move the domain to another account, delete this object and apply a new one")
    )]
    pub account_id: String,

    /// The part behind the @ of the addresses that shall log in by SSO, as a lower-case DNS name. Immutable.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = Rule::new(DOMAIN).message(Message::Expression(DOMAIN_MISTAKE.into())),
        validation = Rule::new("self == oldSelf").message("is immutable: to use another domain, delete this object and apply a new one")
    )]
    pub email_domain: String,

    /// Whether the login page shows the FedRAMP wording. Absent: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_fedramp_language: Option<bool>,

    /// Whether SSO is enforced for everybody with an address of the domain. `true` waits until the domain is verified
    /// and then enables; `false` disables. Absent: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,

    /// Whether the operator begins the verification of the domain, and begins it again after Cloudflare gave up.
    /// Absent: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_verification: Option<bool>,

    /// What happens when somebody else changes at Cloudflare whether SSO is enforced, or deletes the connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_external_change: Option<ExternalChangePolicy>,

    /// The ID of an existing connector: 32 lower-case hexadecimal digits. The object is bound to that one, and none is
    /// ever created. May be added and removed, not changed. Absent: the connector is found by its domain, or created.
    #[serde(
        rename = "connectorID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[0-9a-f]{32}$')").message("must be the 32 lower-case hexadecimal digits that the Cloudflare API shows as the connector's id"),
        validation = Rule::new("self == oldSelf").message("is immutable while it is there: to bind another connector, delete this object and apply a new one")
    )]
    pub connector_id: Option<String>,

    /// What to do about a connector that exists already for the domain in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,

    /// Whether the operator changes anything at Cloudflare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,

    /// Whether the operator leaves the connector alone for now: no call is made, and the status stays as it is. Deleting
    /// a suspended object leaves the connector as it is. Absent: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// The Secret of this namespace that holds the Cloudflare API token. Absent: the operator's default token, where its
    /// installer grants that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_token_secret_ref: Option<ApiTokenSecretRef>,

    /// What becomes of the connector when this object is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Who publishes the TXT record that proves the domain. Absent: a person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("has(self.cloudflare)").message("must say by whom the TXT record is published: add cloudflare, or remove dns to publish it by hand"))]
    pub dns: Option<Dns>,
}

/// Who publishes the TXT record that proves the domain. Exactly one of the fields is there.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Dns {
    /// The operator publishes it in Cloudflare DNS, which has the domain's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudflare: Option<CloudflareDns>,
}

/// How the TXT record is published in Cloudflare DNS.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CloudflareDns {
    /// The ID of the zone: 32 lower-case hexadecimal digits. Absent: the zone is found by the domain.
    #[serde(rename = "zoneID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{32}$')").message("must be the 32 lower-case hexadecimal digits that the Cloudflare dashboard shows as Zone ID"))]
    pub zone_id: Option<String>,

    /// The Secret of this namespace that holds an API token with the permissions Zone Read and DNS Edit for the zone. Absent:
    /// the one in spec.apiTokenSecretRef; never the operator's default token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_token_secret_ref: Option<ApiTokenSecretRef>,

    /// How long resolvers may keep the record, in seconds: 60 to 86400 (from 30 in Enterprise zones), or 1 for what Cloudflare
    /// finds right. Counts when the record is created. Absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == 1 || (self >= 30 && self <= 86400)").message("must be 1, which leaves it to Cloudflare, or 60 to 86400 seconds (from 30 in Enterprise zones)"))]
    pub ttl: Option<i32>,
}

/// Names one key of one Secret in the object's own namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct ApiTokenSecretRef {
    /// The name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("must be the name of a Secret in this namespace: lower-case letters, digits, and between them hyphens and single dots"))]
    pub name: String,

    /// The key in the Secret. Absent: api-token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$')").message("must be a key of the Secret: letters, digits, hyphens, underscores and dots, but not two dots at the beginning"))]
    pub key: Option<String>,
}

/// What becomes of the connector at Cloudflare when this object is deleted: Retain leaves it as it is, Delete disables
/// and deletes it. May be changed while a deletion is pending. Absent: Retain.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Disable SSO, then delete the connector.
    Delete,
    /// Leave the connector as it is.
    #[default]
    Retain,
}

/// What happens when somebody else changes at Cloudflare whether SSO is enforced, or deletes the connector: Hold leaves it
/// so until asked to apply the spec again, as it may be an emergency; Enforce applies the spec again. Absent: Hold.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalChangePolicy {
    /// Apply the spec again.
    Enforce,
    /// Leave it so.
    #[default]
    Hold,
}

/// What to do about a connector that exists already for the domain in the account: Adopt binds it, Refuse leaves it alone
/// and says so. Absent: Adopt.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdoptionPolicy {
    /// Bind it.
    #[default]
    Adopt,
    /// Leave it alone.
    Refuse,
}

/// Whether the operator changes anything at Cloudflare: Manage makes it as the spec says, Observe only shows it. Absent:
/// Manage.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ManagementPolicy {
    /// Make it as the spec says.
    #[default]
    Manage,
    /// Only show it.
    Observe,
}

/// An e-mail domain as [`EmailDomain`](crate::identity::EmailDomain) reads it. Its length is the schema's affair.
const DOMAIN: &str = "self.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$') \
    && !self.matches('[.][0-9]+$')";

/// What is wrong with a value that is not a [`DOMAIN`]. One rule that picks its message, and not a rule for each mistake:
/// whoever has made one mistake shall read one message. The most telling comes first.
const DOMAIN_MISTAKE: &str = r"self.contains('@') ? 'must be only the part behind the @: write example.com, not user@example.com' :
self.contains('*') ? 'must not be a wildcard: a connector covers exactly one domain, so apply one object for each' :
isIP(self) ? 'must be a domain name, not an IP address' :
self.matches('[^[:ascii:]]') ? 'must be ASCII: write a name in another script as its A-labels, which begin with xn--' :
self.matches('[A-Z]') ? 'must be lower-case: write example.com, not Example.com' :
self.endsWith('.') ? 'must not end with a dot: write example.com, not example.com.' :
self.matches('[.][0-9]+$') ? 'must end in a top-level domain that is not a number' :
'must be a DNS name of two or more labels such as example.com; each label is 1 to 63 letters, digits and inner hyphens'";
