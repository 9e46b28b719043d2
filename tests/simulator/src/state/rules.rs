//! What each operation does to the model, and when it is refused; and what people do behind the operator's back.

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::connector::{Connector, StoredConnector, VerificationStatus};
use super::{Effect, Model, canonical, domain};
use crate::knobs::{BeginVerified, DeleteEnabled, DuplicateCreate, Knobs};
use crate::refusal::Refusal;

const CODE_PREFIX: &str = "cloudflare_dashboard_sso=";

/// The body of a create. Fields that Cloudflare does not know are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct CreateRequest {
    #[serde(default)]
    email_domain: String,
    begin_verification: Option<bool>,
    use_fedramp_language: Option<bool>,
    /// Unlisted; the real server tolerates `false`.
    enabled: Option<bool>,
}

/// The body of an update.
#[derive(Debug, Deserialize)]
pub(crate) struct UpdateRequest {
    enabled: Option<bool>,
    use_fedramp_language: Option<bool>,
}

/// A connector to be made by hand. Nothing is checked: it may be what the API would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorDraft {
    /// The account that it belongs to.
    pub account: String,
    /// The domain, kept exactly as written.
    pub email_domain: String,
    /// Whether SSO is enforced.
    #[serde(default)]
    pub enabled: bool,
    /// Whether the login page uses FedRAMP wording.
    #[serde(default)]
    pub use_fedramp_language: bool,
    /// Where the verification is; `pending` starts the clock.
    #[serde(default = "awaiting")]
    pub verification_status: VerificationStatus,
    /// When it claims to have been created; absent means now.
    #[serde(default)]
    pub created_on: Option<Timestamp>,
}

const fn awaiting() -> VerificationStatus {
    VerificationStatus::Awaiting
}

impl ConnectorDraft {
    /// A disabled connector whose verification has not begun.
    #[must_use]
    pub fn new(account: &str, email_domain: &str) -> Self {
        Self {
            account: account.to_owned(),
            email_domain: email_domain.to_owned(),
            enabled: false,
            use_fedramp_language: false,
            verification_status: VerificationStatus::Awaiting,
            created_on: None,
        }
    }
}

/// A change that somebody else makes. Absent fields stay; nothing is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorChange {
    /// Enforces SSO or stops enforcing it.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Chooses the wording of the login page.
    #[serde(default)]
    pub use_fedramp_language: Option<bool>,
    /// Forces the verification; any text is possible, `pending` starts the clock.
    #[serde(default)]
    pub verification_status: Option<VerificationStatus>,
}

impl Model {
    /// The connectors of an account as a lagging list sees them, oldest first.
    pub(crate) fn list(&self, account: &str, now: Timestamp, knobs: &Knobs) -> Vec<&Connector> {
        let seen = self
            .connectors
            .iter()
            .filter_map(|stored| stored.seen(now, knobs.list_lag));
        seen.filter(|connector| connector.account == account)
            .collect()
    }

    /// A connector as a lagging read sees it.
    pub(crate) fn get(
        &self,
        account: &str,
        id: &str,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<&Connector, Refusal> {
        let mut seen = self
            .connectors
            .iter()
            .filter_map(|stored| stored.seen(now, knobs.get_lag));
        seen.find(|connector| connector.account == account && connector.id == id)
            .ok_or(Refusal::UnknownConnector)
    }

    pub(crate) fn create(
        &mut self,
        account: &str,
        request: &CreateRequest,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<(Connector, Effect), Refusal> {
        domain::check(&request.email_domain, knobs)?;
        if request.enabled == Some(true) {
            return Err(Refusal::EnableUnverified);
        }
        let provided = self
            .identity_providers
            .get(account)
            .is_some_and(|all| !all.is_empty());
        if knobs.require_idp.is_on() && !provided {
            return Err(Refusal::NoIdentityProvider);
        }
        let wanted = canonical(&request.email_domain);
        let existing = self
            .live()
            .find(|it| it.account == account && canonical(&it.email_domain) == wanted);
        match (existing, knobs.duplicate_create) {
            (None, _) | (Some(_), DuplicateCreate::Allow) => {}
            (Some(existing), DuplicateCreate::ReturnExisting) => {
                return Ok((existing.clone(), Effect::Unchanged));
            }
            (Some(_), DuplicateCreate::Reject409 | DuplicateCreate::Reject400) => {
                return Err(Refusal::DuplicateCreate);
            }
        }
        let draft = ConnectorDraft {
            use_fedramp_language: request.use_fedramp_language.unwrap_or(false),
            verification_status: if request.begin_verification.unwrap_or(true) {
                VerificationStatus::Pending
            } else {
                VerificationStatus::Awaiting
            },
            ..ConnectorDraft::new(account, &request.email_domain)
        };
        Ok((self.insert(draft, now, knobs), Effect::Committed))
    }

    /// Makes a connector without asking any rule.
    pub(crate) fn insert(
        &mut self,
        draft: ConnectorDraft,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Connector {
        let created_on = draft.created_on.unwrap_or(now);
        let connector = Connector {
            id: self.identifiers.hex(),
            account: draft.account,
            email_domain: draft.email_domain,
            enabled: draft.enabled,
            use_fedramp_language: draft.use_fedramp_language,
            created_on,
            updated_on: created_on,
            verification_code: self.new_code(),
            verification_status: draft.verification_status,
        };
        let mut stored = StoredConnector::new(connector.clone(), now);
        if connector.verification_status == VerificationStatus::Pending {
            stored.start_clock(now, knobs);
        }
        self.connectors.push(stored);
        connector
    }

    fn new_code(&mut self) -> String {
        format!("{CODE_PREFIX}{}", self.identifiers.hex())
    }

    pub(crate) fn update(
        &mut self,
        account: &str,
        id: &str,
        request: &UpdateRequest,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<Connector, Refusal> {
        let connector = self.owned(account, id)?;
        if request.enabled == Some(true) && !connector.enabled {
            self.check_enabling(connector, knobs)?;
        }
        let change = ConnectorChange {
            enabled: request.enabled,
            use_fedramp_language: request.use_fedramp_language,
            verification_status: None,
        };
        self.change(id, change, now, knobs)
            .ok_or(Refusal::UnknownConnector)
    }

    fn check_enabling(&self, connector: &Connector, knobs: &Knobs) -> Result<(), Refusal> {
        if connector.verification_status != VerificationStatus::Verified {
            return Err(Refusal::EnableUnverified);
        }
        let wanted = canonical(&connector.email_domain);
        let elsewhere = self.live().any(|other| {
            other.enabled
                && other.account != connector.account
                && canonical(&other.email_domain) == wanted
        });
        if knobs.other_account_enabled.is_on() && elsewhere {
            return Err(Refusal::EnabledElsewhere);
        }
        Ok(())
    }

    /// Changes a connector without asking any rule; `None` if there is none with this ID.
    pub(crate) fn change(
        &mut self,
        id: &str,
        change: ConnectorChange,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Option<Connector> {
        let stored = self.stored(id)?;
        let status = change.verification_status;
        match &status {
            Some(VerificationStatus::Pending) => stored.start_clock(now, knobs),
            Some(_) => stored.clock = None,
            None => {}
        }
        stored.change(now, |connector| {
            connector.enabled = change.enabled.unwrap_or(connector.enabled);
            connector.use_fedramp_language = change
                .use_fedramp_language
                .unwrap_or(connector.use_fedramp_language);
            if let Some(status) = status {
                connector.verification_status = status;
            }
        });
        stored.latest().cloned()
    }

    pub(crate) fn delete(
        &mut self,
        account: &str,
        id: &str,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<(), Refusal> {
        let connector = self.owned(account, id)?;
        if connector.enabled && knobs.delete_enabled == DeleteEnabled::Reject {
            return Err(Refusal::DeleteEnabled);
        }
        self.remove(id, now)
            .map(drop)
            .ok_or(Refusal::UnknownConnector)
    }

    /// Deletes a connector without asking any rule and returns what it was.
    pub(crate) fn remove(&mut self, id: &str, now: Timestamp) -> Option<Connector> {
        let stored = self.stored(id)?;
        let last = stored.latest().cloned();
        stored.delete(now);
        last
    }

    pub(crate) fn begin_verification(
        &mut self,
        account: &str,
        id: &str,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<Effect, Refusal> {
        let status = self.owned(account, id)?.verification_status.clone();
        match (status, knobs.begin_verified) {
            (VerificationStatus::Verified, BeginVerified::Error) => {
                return Err(Refusal::BeginVerified);
            }
            // What the real API does while pending is unknown; here the running clock is left alone.
            (VerificationStatus::Verified | VerificationStatus::Pending, _) => {
                return Ok(Effect::Unchanged);
            }
            (
                VerificationStatus::Awaiting
                | VerificationStatus::Failed
                | VerificationStatus::Other(_),
                _,
            ) => {}
        }
        let new_code = knobs
            .begin_verification_rotates_code
            .is_on()
            .then(|| self.new_code());
        let stored = self.stored(id).ok_or(Refusal::UnknownConnector)?;
        stored.begin(now, knobs, new_code);
        Ok(Effect::Committed)
    }

    fn owned(&self, account: &str, id: &str) -> Result<&Connector, Refusal> {
        self.connector(id)
            .filter(|connector| connector.account == account)
            .ok_or(Refusal::UnknownConnector)
    }

    fn stored(&mut self, id: &str) -> Option<&mut StoredConnector> {
        self.connectors
            .iter_mut()
            .find(|stored| stored.latest().is_some_and(|connector| connector.id == id))
    }

    pub(crate) fn identity_providers(&self, account: &str) -> &[Map<String, Value>] {
        self.identity_providers
            .get(account)
            .map_or(&[], Vec::as_slice)
    }

    /// Adds an identity provider to an account; only one may be a one-time PIN.
    pub(crate) fn create_identity_provider(
        &mut self,
        account: &str,
        mut provider: Map<String, Value>,
    ) -> Result<Map<String, Value>, Refusal> {
        let kind = provider
            .get("type")
            .and_then(Value::as_str)
            .ok_or(Refusal::MalformedBody)?;
        let one_time_pin = |other: &Map<String, Value>| {
            other.get("type").and_then(Value::as_str) == Some("onetimepin")
        };
        if kind == "onetimepin" && self.identity_providers(account).iter().any(one_time_pin) {
            return Err(Refusal::DuplicateOneTimePin);
        }
        provider.insert("id".to_owned(), Value::String(self.identifiers.hex()));
        provider
            .entry("name")
            .or_insert_with(|| Value::String(String::new()));
        self.identity_providers
            .entry(account.to_owned())
            .or_default()
            .push(provider.clone());
        Ok(provider)
    }
}
