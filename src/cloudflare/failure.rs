//! What went wrong, sorted by what can be done about it.

use std::fmt;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::Method;

/// "No route for the URI": what the path names was not even looked for.
pub(super) const NO_ROUTE_CODES: [i64; 2] = [7000, 7003];
/// Malformed or unknown credentials, missing permission, too many failures. Seen with the statuses 400, 401 and 403.
pub(super) const CREDENTIAL_CODES: [i64; 6] = [6003, 6111, 9103, 9106, 9109, 10000];
/// "Record already exists.", "An identical record already exists."
const DUPLICATE_RECORD_CODES: [i64; 2] = [81057, 81058];

/// An endpoint of the API: six are for connectors, the others for the zones and records of Cloudflare DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// All connectors of an account.
    List,
    /// A new connector.
    Create,
    /// One connector.
    Get,
    /// Enable, disable or configure a connector.
    Update,
    /// Delete a connector.
    Delete,
    /// Let Cloudflare look for the TXT record (again).
    BeginVerification,
    /// The zones of a name.
    ListZones,
    /// One zone.
    GetZone,
    /// The TXT records at a name.
    ListRecords,
    /// A new TXT record.
    CreateRecord,
    /// Delete a record.
    DeleteRecord,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request never reached Cloudflare: its time had passed or the connection was refused.
    NotSent,
    /// Cloudflare, or the way to it, does not work at the moment. The request may have taken effect.
    Unavailable,
    /// Too many requests; wait at least [`Failure::retry_after`].
    RateLimited,
    /// Cloudflare does not accept the token, or not for this.
    Unauthorized,
    /// Cloudflare says that it has no such connector, zone or record.
    Gone,
    /// Cloudflare does not accept the request; the same request will be refused again.
    Rejected,
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Hash)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure it is.
    pub class: Class,
    /// What was called.
    pub endpoint: Endpoint,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The codes in Cloudflare's envelope, in their order. Mostly undocumented: for people and for exact comparisons.
    pub codes: Vec<i64>,
    /// A sentence for people, safe to show, the same whenever the same happens.
    pub message: String,
    /// How long Cloudflare asks us to wait, at most an hour.
    pub retry_after: Option<Duration>,
    /// The time of the answer by Cloudflare's clock, if there was one.
    pub date: Option<Timestamp>,
}

impl Endpoint {
    /// The endpoint's name in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::BeginVerification => "begin_verification",
            Self::ListZones => "list_zones",
            Self::GetZone => "get_zone",
            Self::ListRecords => "list_records",
            Self::CreateRecord => "create_record",
            Self::DeleteRecord => "delete_record",
        }
    }

    /// The HTTP method.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::List | Self::Get | Self::ListZones | Self::GetZone | Self::ListRecords => {
                Method::GET
            }
            Self::Create | Self::BeginVerification | Self::CreateRecord => Method::POST,
            Self::Update => Method::PATCH,
            Self::Delete | Self::DeleteRecord => Method::DELETE,
        }
    }

    /// What the path names beside the account, and what Cloudflare may therefore not have.
    pub(super) const fn subject(self) -> Option<&'static str> {
        match self {
            Self::List | Self::Create | Self::ListZones => None,
            Self::Get | Self::Update | Self::Delete | Self::BeginVerification => Some("connector"),
            Self::GetZone | Self::ListRecords | Self::CreateRecord => Some("zone"),
            Self::DeleteRecord => Some("record"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Failure {
    /// Whether the request surely had no effect: it was never sent, or Cloudflare itself refused it with a 4xx (other
    /// than 408, 409 and 425), or it was one request too many. Everything else is unknown.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        match self.class {
            Class::NotSent => true,
            Class::Unavailable => false,
            Class::RateLimited | Class::Unauthorized | Class::Gone | Class::Rejected => self
                .status
                .is_some_and(|status| (400..500).contains(&status)),
        }
    }

    /// Whether Cloudflare does not let the token do this, and has no other complaint about it: a token for one zone is refused
    /// so when it asks for another.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        let mut codes = self.codes.iter();
        self.class == Class::Unauthorized
            && self.status == Some(403)
            && !codes.any(|code| CREDENTIAL_CODES.contains(code))
    }

    /// Whether Cloudflare knows nothing under the path: it says so of a zone that does not exist, but also of an account that
    /// is malformed, so of a connector it proves nothing.
    #[must_use]
    pub fn has_no_route(&self) -> bool {
        self.codes.iter().any(|code| NO_ROUTE_CODES.contains(code))
    }

    /// Whether Cloudflare refused a record because there is the same already.
    #[must_use]
    pub fn is_duplicate_record(&self) -> bool {
        self.endpoint == Endpoint::CreateRecord
            && self
                .codes
                .iter()
                .any(|code| DUPLICATE_RECORD_CODES.contains(code))
    }

    /// A failure without an answer. `message` must be safe to show.
    pub(super) const fn without_answer(class: Class, endpoint: Endpoint, message: String) -> Self {
        Self {
            class,
            endpoint,
            status: None,
            codes: Vec::new(),
            message,
            retry_after: None,
            date: None,
        }
    }

    /// A list that may lack what it was asked for.
    pub(super) fn incomplete(endpoint: Endpoint, why: &str) -> Self {
        let message = format!("Cloudflare gave no usable answer: {why}");
        Self::without_answer(Class::Unavailable, endpoint, message)
    }

    /// An answer that does not say what this endpoint's answers say.
    pub(super) fn unusable(endpoint: Endpoint, status: u16, why: &str) -> Self {
        Self {
            status: Some(status),
            ..Self::without_answer(
                Class::Unavailable,
                endpoint,
                format!("Cloudflare gave no usable answer (HTTP {status}): {why}"),
            )
        }
    }
}
