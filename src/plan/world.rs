//! What a decision rests on: what the object wants, what its status remembers, and what Cloudflare was seen to hold.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::desired::Desired;
use crate::clock::Moment;
use crate::cloudflare::Connector;
use crate::dns::Sight;
use crate::identity::{ConnectorId, EmailDomain, RecordId, ZoneId};
use crate::resource::{
    ConditionType, DnsRecord, Enforcement, Progress, Reason, SsoConnectorStatus, Truth,
    find_condition,
};

/// Everything that a decision may rest on.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// What the object asks for.
    pub desired: &'a Desired,
    /// What its status remembers.
    pub record: &'a Record,
    /// What was seen of the outside.
    pub observed: &'a Observed,
    /// What this process remembers of the object.
    pub memory: &'a super::Memory,
    /// What this process remembers of the object's account and domain.
    pub pair: &'a super::PairMemory,
    /// The process's clock.
    pub now: Moment,
    /// The durations in force.
    pub timing: &'a super::Timing,
}

impl World<'_> {
    /// The oldest look that counts if it may be this old, unless a look was requested since.
    pub(super) fn no_older_than(&self, span: Duration) -> Moment {
        let requested = self.memory.requested.as_ref().map(|(_, since)| *since);
        let oldest = self.now.before(span);
        requested.map_or(oldest, |since| oldest.max(since))
    }
}

/// What the status remembers over restarts. Each change of it is stored before the call that it speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The connector that the object is bound to.
    pub connector: Option<ConnectorId>,
    /// When that connector was created, by Cloudflare's clock.
    pub created_on: Option<Timestamp>,
    /// The attempts to create whose outcome is not known, oldest first.
    pub attempts: Vec<Timestamp>,
    /// How far `spec.enabled` was applied.
    pub enforcement: Option<Enforcement>,
    /// How often, and when last, the verification was begun.
    pub begun: Begun,
    /// The value of the reconcile-at annotation that was handled last.
    pub handled_reconcile_at: Option<String>,
    /// The value of the enable-at annotation that was handled last.
    pub handled_enable_at: Option<String>,
    /// Whether the domain was verified before.
    pub standing: Standing,
    /// Where the operator has published the TXT record.
    pub placement: Option<Placement>,
    /// What was said of its publication.
    pub told: Told,
}

/// Where the operator publishes the TXT record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placement {
    /// The zone.
    pub zone: ZoneId,
    /// The record that the operator has created there. Without it a POST may have been made, and what came of it is unknown.
    pub record: Option<RecordId>,
}

/// What the status last said of the domain's verification, as far as it matters later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// It was not verified yet.
    #[default]
    Unproven,
    /// It was verified.
    Verified,
    /// It was verified before, and is no longer.
    Lapsed,
}

/// What the status last said of the publication of the TXT record, as far as it matters later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Told {
    /// Nothing, or that it is not known.
    #[default]
    Nothing,
    /// It was published.
    Published,
    /// It was not, for a reason that may pass.
    Delayed,
    /// It was not, and a person had to help.
    DeadEnd,
}

impl Told {
    fn read(status: &SsoConnectorStatus) -> Self {
        let published = find_condition(&status.conditions, ConditionType::DnsRecordPublished);
        match published {
            Some(said) if said.status == Truth::True.as_str() => Self::Published,
            Some(said) if said.status == Truth::False.as_str() => {
                match Reason::from_word(&said.reason).map(Reason::progress) {
                    Some(Progress::Stalled) => Self::DeadEnd,
                    _ => Self::Delayed,
                }
            }
            Some(_) | None => Self::Nothing,
        }
    }
}

/// What was done to have the domain verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Begun {
    /// How often the verification was begun again after Cloudflare had given up.
    pub restarts: i32,
    /// When it was last begun, by Cloudflare's clock.
    pub last: Option<Timestamp>,
}

impl Placement {
    /// Reads where a status says that the record was published. IDs that cannot stand in a URL count as lost.
    fn read(record: &DnsRecord) -> Option<Self> {
        Some(Self {
            zone: record.zone_id.as_deref()?.parse().ok()?,
            record: record.record_id.as_deref().and_then(|id| id.parse().ok()),
        })
    }
}

impl Record {
    /// Reads what a status remembers. An ID that cannot stand in a URL counts as lost.
    #[must_use]
    pub fn read(status: Option<&SsoConnectorStatus>) -> Self {
        let Some(status) = status else {
            return Self::default();
        };
        let verification = status.verification.clone().unwrap_or_default();
        let standing = match find_condition(&status.conditions, ConditionType::Verified) {
            Some(verified) if verified.status == Truth::True.as_str() => Standing::Verified,
            Some(verified) if verified.reason == Reason::VerificationLapsed.as_str() => {
                Standing::Lapsed
            }
            Some(_) | None => Standing::Unproven,
        };
        Self {
            connector: status
                .connector_id
                .as_deref()
                .and_then(|id| id.parse().ok()),
            created_on: status.created_on,
            attempts: status.pending_create.clone().unwrap_or_default().attempts,
            enforcement: status.enforcement.clone(),
            begun: Begun {
                restarts: verification.restarts.unwrap_or_default(),
                last: verification.last_begun_at,
            },
            handled_reconcile_at: status.last_handled_reconcile_at.clone(),
            handled_enable_at: status.last_handled_enable_at.clone(),
            standing,
            placement: status.dns_record.as_ref().and_then(Placement::read),
            told: Told::read(status),
        }
    }
}

/// What was seen of the outside, as far as it was looked at.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The API token.
    pub credentials: Credentials,
    /// Whether this object may create for its account and domain.
    pub claim: Claim,
    /// The newest list of the account's connectors.
    pub listing: Option<Arc<Snapshot>>,
    /// The API token that publishes the TXT record.
    pub publisher: Publisher,
    /// What DNS shows at the domain.
    pub txt: Txt,
    /// The other objects for the account and domain.
    pub rivals: Vec<Rival>,
    /// What becomes of the namespace.
    pub namespace: Namespace,
    /// What becomes of the definition.
    pub definition: Definition,
    /// Whether the object and its rivals were read from the API server, not from the cache, after everything else was seen.
    pub object_confirmed: bool,
}

impl Observed {
    /// What was found out of the token's access to the account, if the token was looked at.
    #[must_use]
    pub const fn access(&self) -> Option<Access> {
        match (&self.credentials, &self.listing) {
            (Credentials::Unread, _) => None,
            (
                Credentials::Unusable(Unusable {
                    reason: Reason::Unauthorized,
                    ..
                }),
                _,
            ) => Some(Access::Refused),
            // A Secret may come later than the object.
            (Credentials::Unusable(_), _) | (_, None) => Some(Access::Untried),
            (_, Some(_)) => Some(Access::Listed),
        }
    }
}

/// Another object for the same account and domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// What it asks for.
    pub desired: Desired,
    /// What its status remembers.
    pub record: Record,
    /// Whether its token may look at the account.
    pub access: Access,
    /// Its name, if it may be told: objects of other namespaces are nobody's business.
    pub name: Option<String>,
}

/// Whether the token of an object may look at the account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// That has not been tried.
    #[default]
    Untried,
    /// The account was listed with it.
    Listed,
    /// Cloudflare refuses it.
    Refused,
}

/// The state of the API token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// Not looked at.
    #[default]
    Unread,
    /// There is a token, and Cloudflare has not refused it lately.
    Usable,
    /// There is a token with which Cloudflare lets us look, but it has lately refused a change.
    ReadOnly {
        /// What is wrong, for people.
        problem: String,
    },
    /// There is a token that Cloudflare refused when it was last asked, and that may be offered again. Until it is taken,
    /// nothing that was seen before counts.
    Doubtful,
    /// There is a token, and Cloudflare has asked that it rest.
    Paused(Pause),
    /// There is no token, or Cloudflare refused it lately.
    Unusable(Unusable),
}

/// Why no call can be made with a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unusable {
    /// `CredentialsUnavailable` or `Unauthorized`.
    pub reason: Reason,
    /// What is wrong, for people.
    pub problem: String,
    /// What to do about it, if that is not what is wrong already.
    pub remedy: Option<String>,
}

impl Unusable {
    /// There is no token.
    #[must_use]
    pub fn unavailable(problem: String, remedy: String) -> Self {
        Self {
            reason: Reason::CredentialsUnavailable,
            problem,
            remedy: Some(remedy),
        }
    }

    /// Cloudflare refused the token lately.
    #[must_use]
    pub const fn refused(problem: String) -> Self {
        Self {
            reason: Reason::Unauthorized,
            problem,
            remedy: None,
        }
    }
}

/// The state of the API token that publishes the TXT record, which may be the same as the other one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Publisher {
    /// Not looked at.
    #[default]
    Unread,
    /// There is a token, and calls may be made with it.
    Usable,
    /// There is a token, and it is not this object's turn to use it before then.
    Waits(Moment),
    /// There is a token, and Cloudflare has asked that it rest.
    Paused(Pause),
    /// There is no token, or Cloudflare refused it lately for this.
    Unusable(Unusable),
}

/// What DNS shows at the domain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Txt {
    /// Not looked at.
    #[default]
    Unasked,
    /// Nobody looks: the installer does not want it.
    Off,
    /// Nothing is known yet.
    Unknown,
    /// This is what a look-up has shown.
    Seen(Sight),
}

/// A rest that Cloudflare has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pause {
    /// Since when no call has worked.
    pub since: Moment,
    /// Until when none may be made.
    pub until: Moment,
}

/// What becomes of the definition of the resource, `SsoConnector`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Definition {
    /// Not looked at.
    #[default]
    Unread,
    /// It stays, knows every field that the operator knows, and was there when the object was deleted.
    Stands,
    /// It is going away, or is another one than when the object was deleted: the object goes because the definition went,
    /// and nobody has decided anything about its connector.
    GoesAway,
}

/// What becomes of the object's namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Not looked at.
    #[default]
    Unread,
    /// It stays, as far as is known.
    Stays,
    /// It is being deleted, so nothing can be created in it any more.
    Terminating,
}

/// Whether this object is the one that may create a connector for its account and domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Claim {
    /// Not asked for.
    #[default]
    Unasked,
    /// Held by this object since the moment.
    Held(Moment),
    /// Held by another object of this process.
    Elsewhere,
}

/// One answer to the question which connectors an account has.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Snapshot {
    /// When the question was asked.
    pub begun: Moment,
    /// Cloudflare's clock when it answered; without it a list proves nothing.
    pub date: Option<Timestamp>,
    /// The connectors.
    pub connectors: Vec<Connector>,
    /// Why the list may lack connectors, if it may.
    pub gap: Option<&'static str>,
}

impl Snapshot {
    /// The connectors whose domain is `domain`, however Cloudflare spells it.
    pub fn matches<'a>(&'a self, domain: &'a EmailDomain) -> impl Iterator<Item = &'a Connector> {
        self.connectors
            .iter()
            .filter(|connector| domain.is_named(&connector.email_domain))
    }

    /// Cloudflare's time, if the list is complete, so that absence from it means something.
    ///
    /// # Errors
    /// Why absence from this list proves nothing.
    pub fn proof(&self) -> Result<Timestamp, &'static str> {
        match (self.gap, self.date) {
            (Some(gap), _) => Err(gap),
            (None, None) => Err("the answer has no Date header"),
            (None, Some(date)) => Ok(date),
        }
    }
}

/// What was last seen of one connector by its ID: an answer to a GET, or to a change of our own.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Sighting {
    /// The ID that was asked for.
    pub id: ConnectorId,
    /// When the question was asked.
    pub at: Moment,
    /// Cloudflare's clock when it answered.
    pub date: Option<Timestamp>,
    /// The connector, or nothing if Cloudflare says that it does not exist.
    pub connector: Option<Connector>,
}
