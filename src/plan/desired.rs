//! What an object asks for. Parsed once, where it enters, so that every decision rests on names that cannot be wrong and on
//! what an absent field means.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::cloudflare::TimeToLive;
use crate::identity::{AccountId, ConnectorId, EmailDomain, InvalidName, ZoneId};
use crate::resource::{
    AdoptionPolicy, ApiTokenSecretRef, DeletionPolicy, ENABLE_AT, ExternalChangePolicy, FINALIZER,
    ManagementPolicy, RECONCILE_AT, SsoConnector, SsoConnectorSpec, SsoConnectorStatus,
};

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
    /// How the operator publishes the TXT record, unless a person does.
    pub publication: Option<Publication>,
}

/// How the operator publishes the TXT record in Cloudflare DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The zone, if the spec names it.
    pub zone: Option<ZoneId>,
    /// Where the API token for it is. None if there is only the operator's default token, which is not for this.
    pub api_token: Option<ApiTokenSecretRef>,
    /// How long resolvers may keep the record.
    pub ttl: TimeToLive,
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
    /// The time to live of the TXT record cannot be one.
    #[error("spec.dns.cloudflare.ttl: must be 1, or 30 to 86400 seconds")]
    TimeToLive,
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
            publication: publication(spec)?,
        })
    }

    /// Whether a token that was found there and has worked before may clean up after the object while its Secret is
    /// absent: deleting a namespace may remove the Secret first.
    #[must_use]
    pub fn may_clean_up_with(&self, found: &ApiTokenSecretRef) -> bool {
        self.terminating && self.api_token.as_ref() == Some(found)
    }

    /// The same for a token that publishes the TXT record.
    #[must_use]
    pub fn may_unpublish_with(&self, found: &ApiTokenSecretRef) -> bool {
        let named = self.publication.as_ref();
        self.terminating && named.is_some_and(|named| named.api_token.as_ref() == Some(found))
    }

    /// Whether somebody waits for what becomes of the object: it is new, edited, or going away.
    #[must_use]
    pub fn is_awaited(&self, status: Option<&SsoConnectorStatus>) -> bool {
        let observed = status.and_then(|status| status.observed_generation);
        let handled = status.and_then(|status| status.last_handled_reconcile_at.as_ref());
        let asked = self.reconcile_at.is_some() && self.reconcile_at.as_ref() != handled;
        self.terminating || asked || observed != Some(self.generation)
    }

    /// How the operator publishes the TXT record, if it does: what only observes publishes nothing.
    #[must_use]
    pub fn publisher(&self) -> Option<&Publication> {
        let managed = self.management == ManagementPolicy::Manage;
        self.publication.as_ref().filter(|_| managed)
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

/// How the TXT record is published, by what the spec says of it.
fn publication(spec: &SsoConnectorSpec) -> Result<Option<Publication>, Unreadable> {
    let Some(wanted) = spec.dns.as_ref().and_then(|dns| dns.cloudflare.as_ref()) else {
        return Ok(None);
    };
    let zone = wanted.zone_id.as_deref().map(str::parse).transpose();
    let ttl = wanted.ttl.map(i64::from).map(TimeToLive::from_seconds);
    let own_token = wanted.api_token_secret_ref.as_ref();
    Ok(Some(Publication {
        zone: zone.map_err(|cause| Unreadable::Name {
            field: "dns.cloudflare.zoneID",
            cause,
        })?,
        api_token: own_token.or(spec.api_token_secret_ref.as_ref()).cloned(),
        ttl: ttl
            .unwrap_or(Some(TimeToLive::AUTOMATIC))
            .ok_or(Unreadable::TimeToLive)?,
    }))
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Edition {
    /// The generation of the spec.
    pub generation: i64,
    /// The annotation that asks for a look now.
    pub reconcile_at: Option<String>,
}
