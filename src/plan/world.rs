//! What a decision rests on: what the object wants, what its status remembers, and what Cloudflare was seen to hold.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::clock::Moment;
use crate::cloudflare::Connector;
use crate::identity::{AccountId, ConnectorId, EmailDomain, InvalidName};
use crate::resource::{
    AdoptionPolicy, ApiTokenSecretRef, ConditionType, DeletionPolicy, ENABLE_AT, Enforcement,
    ExternalChangePolicy, FINALIZER, ManagementPolicy, RECONCILE_AT, Reason, SsoConnector,
    SsoConnectorStatus, Truth, find_condition,
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

/// What an object asks for, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The object's UID.
    pub uid: String,
    /// When the object was created, by the API server's clock.
    pub created: Option<Timestamp>,
    /// The generation of its spec.
    pub generation: i64,
    /// The account of the connector.
    pub account: AccountId,
    /// The domain of the connector.
    pub domain: EmailDomain,
    /// Whether SSO shall be enforced, if the operator manages that.
    pub enabled: Option<bool>,
    /// Whether the FedRAMP wording shall be shown, if the operator manages that.
    pub use_fedramp_language: Option<bool>,
    /// Whether the operator begins the verification.
    pub begin_verification: bool,
    /// What deleting the object does to the connector.
    pub deletion_policy: DeletionPolicy,
    /// Whether the object is being deleted.
    pub terminating: bool,
    /// Whether the object carries the operator's finalizer.
    pub finalizer: bool,
    /// What happens when somebody else changes whether SSO is enforced.
    pub on_external_change: ExternalChangePolicy,
    /// The connector that the object must be bound to, if the spec names one.
    pub named: Option<ConnectorId>,
    /// What to do about a connector that exists already.
    pub adoption: AdoptionPolicy,
    /// Whether anything is changed at Cloudflare.
    pub management: ManagementPolicy,
    /// Whether the object is left alone for now.
    pub activity: Activity,
    /// The annotation that asks for a look now.
    pub reconcile_at: Option<String>,
    /// The annotation that asks to apply `enabled` again.
    pub enable_at: Option<String>,
    /// Where the API token is.
    pub api_token: Option<ApiTokenSecretRef>,
}

/// A stored object that cannot be read. The schema refuses such objects, so it comes from before the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// An identity in the spec is malformed.
    #[error("spec.{field}: {cause}")]
    Name {
        /// The field of the spec.
        field: &'static str,
        /// What is wrong with it.
        cause: InvalidName,
    },
    /// The API server gave the object no UID.
    #[error("the object has no metadata.uid")]
    NoUid,
}

impl Desired {
    /// Parses what an object asks for.
    ///
    /// # Errors
    /// If an identity in the spec is malformed; names the field.
    pub fn parse(object: &SsoConnector) -> Result<Self, Unreadable> {
        let spec = &object.spec;
        let name = |field| move |cause| Unreadable::Name { field, cause };
        Ok(Self {
            uid: object.uid().ok_or(Unreadable::NoUid)?,
            created: object.creation_timestamp().map(|created| created.0),
            generation: object.metadata.generation.unwrap_or_default(),
            account: spec.account_id.parse().map_err(name("accountID"))?,
            domain: spec.email_domain.parse().map_err(name("emailDomain"))?,
            enabled: spec.enabled,
            use_fedramp_language: spec.use_fedramp_language,
            begin_verification: spec.begin_verification.unwrap_or(true),
            deletion_policy: spec.deletion_policy.unwrap_or_default(),
            terminating: object.metadata.deletion_timestamp.is_some(),
            finalizer: object
                .finalizers()
                .iter()
                .any(|finalizer| finalizer == FINALIZER),
            on_external_change: spec.on_external_change.unwrap_or_default(),
            named: spec
                .connector_id
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(name("connectorID"))?,
            adoption: spec.adoption_policy.unwrap_or_default(),
            management: spec.management_policy.unwrap_or_default(),
            activity: match spec.suspend {
                Some(true) => Activity::Suspended,
                Some(false) | None => Activity::Active,
            },
            reconcile_at: object.annotations().get(RECONCILE_AT).cloned(),
            enable_at: object.annotations().get(ENABLE_AT).cloned(),
            api_token: spec.api_token_secret_ref.clone(),
        })
    }

    /// Whether a token that was found there and has worked before may clean up after the object while its Secret is
    /// absent: deleting a namespace may remove the Secret first.
    #[must_use]
    pub fn may_clean_up_with(&self, found: &ApiTokenSecretRef) -> bool {
        self.terminating && self.api_token.as_ref() == Some(found)
    }

    /// Whether somebody waits for what becomes of the object: it is new, edited, or going away.
    #[must_use]
    pub fn is_awaited(&self, status: Option<&SsoConnectorStatus>) -> bool {
        let observed = status.and_then(|status| status.observed_generation);
        let handled = status.and_then(|status| status.last_handled_reconcile_at.as_ref());
        let asked = self.reconcile_at.is_some() && self.reconcile_at.as_ref() != handled;
        self.terminating || asked || observed != Some(self.generation)
    }

    /// Whether deleting the object deletes the connector.
    #[must_use]
    pub fn deletes(&self) -> bool {
        self.deletion_policy == DeletionPolicy::Delete
            && self.management == ManagementPolicy::Manage
    }

    /// What a person has last asked for.
    #[must_use]
    pub fn edition(&self) -> Edition {
        Edition {
            generation: self.generation,
            reconcile_at: self.reconcile_at.clone(),
        }
    }
}

/// Whether anything at all is done for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It is looked after.
    Active,
    /// It is left alone for now.
    Suspended,
}

/// What a person has last asked for: what has failed for one edition may be tried at once for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edition {
    /// The generation of the spec.
    pub generation: i64,
    /// The annotation that asks for a look now.
    pub reconcile_at: Option<String>,
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

/// What was done to have the domain verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Begun {
    /// How often the verification was begun again after Cloudflare had given up.
    pub restarts: i32,
    /// When it was last begun, by Cloudflare's clock.
    pub last: Option<Timestamp>,
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
            (Credentials::Unusable { .. }, _) => Some(Access::Refused),
            (_, Some(_)) => Some(Access::Listed),
            (_, None) => Some(Access::Untried),
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// That has not been tried.
    #[default]
    Untried,
    /// The account was listed with it.
    Listed,
    /// There is no usable token.
    Refused,
}

/// The state of the API token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    Unusable {
        /// `CredentialsUnavailable` or `Unauthorized`.
        reason: Reason,
        /// What is wrong, for people.
        problem: String,
        /// What to do about it, if that is not what is wrong already.
        remedy: Option<String>,
    },
}

/// A rest that Cloudflare has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Since when no call has worked.
    pub since: Moment,
    /// Until when none may be made.
    pub until: Moment,
}

/// What becomes of the definition of the resource, `SsoConnector`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
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
