//! One connector, its history, and the clock of its verification.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::History;

/// What Cloudflare says about the ownership of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum VerificationStatus {
    /// Not begun.
    Awaiting,
    /// DNS is polled for the record.
    Pending,
    /// The record was not found in time.
    Failed,
    /// Ownership is proven.
    Verified,
    /// A status that no documentation lists, such as `expired`.
    Other(String),
}

impl VerificationStatus {
    /// The status as it stands in JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Awaiting => "awaiting",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Verified => "verified",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for VerificationStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "awaiting" => Self::Awaiting,
            "pending" => Self::Pending,
            "failed" => Self::Failed,
            "verified" => Self::Verified,
            _ => Self::Other(text),
        }
    }
}

impl From<VerificationStatus> for String {
    fn from(status: VerificationStatus) -> Self {
        status.as_str().to_owned()
    }
}

/// A connector as it is stored, whatever the knobs make of it in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Connector {
    /// 32 lower-case hex digits.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// The domain, spelled as it was sent.
    pub email_domain: String,
    /// Whether SSO is enforced for the domain.
    pub enabled: bool,
    /// Whether the login page uses FedRAMP wording.
    pub use_fedramp_language: bool,
    /// When it was created, by the simulator's clock.
    pub created_on: Timestamp,
    /// When it last changed, by the simulator's clock.
    pub updated_on: Timestamp,
    /// The whole value of the TXT record that proves ownership.
    pub verification_code: String,
    /// Where the verification is.
    pub verification_status: VerificationStatus,
}

/// When a pending verification began and when DNS is looked at next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VerificationClock {
    pub(super) begun: Timestamp,
    pub(super) next_poll: Timestamp,
}

/// A connector through time.
#[derive(Debug)]
pub(super) struct StoredConnector {
    history: History<Connector>,
    /// Runs exactly while the latest status is pending.
    pub(super) clock: Option<VerificationClock>,
}

impl StoredConnector {
    pub(super) fn new(connector: Connector, now: Timestamp) -> Self {
        Self {
            history: History::new(connector, now),
            clock: None,
        }
    }

    /// The connector as it is, unless it is deleted.
    pub(super) fn latest(&self) -> Option<&Connector> {
        self.history.latest()
    }

    /// The connector as a read sees it that lags writes by `lag`.
    pub(super) fn seen(&self, now: Timestamp, lag: Duration) -> Option<&Connector> {
        self.history.seen(now, lag)
    }

    /// Stores a changed copy of the latest version; its `updated_on` always grows.
    pub(super) fn change(&mut self, now: Timestamp, edit: impl FnOnce(&mut Connector)) {
        let Some(mut connector) = self.latest().cloned() else {
            return;
        };
        edit(&mut connector);
        connector.updated_on = now.max(connector.updated_on + Duration::from_micros(1));
        self.history.put(connector, now);
    }

    pub(super) fn delete(&mut self, now: Timestamp) {
        self.clock = None;
        self.history.delete(now);
    }
}
