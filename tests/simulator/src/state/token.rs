//! API tokens: what they may do, until when, and whether they still work.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Zone;

/// A permission group, granted per account or per zone.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Permission {
    /// "SSO Connector Read".
    SsoConnectorRead,
    /// "SSO Connector Write", which the dashboard calls Edit.
    SsoConnectorWrite,
    /// Reading identity providers.
    IdentityProvidersRead,
    /// Creating identity providers.
    IdentityProvidersWrite,
    /// "Zone Read".
    ZoneRead,
    /// "DNS Read".
    DnsRead,
    /// "DNS Write", which the dashboard calls Edit; it lets read, too.
    DnsWrite,
}

impl Permission {
    /// Every permission about SSO.
    pub const ALL: [Self; 4] = [
        Self::SsoConnectorRead,
        Self::SsoConnectorWrite,
        Self::IdentityProvidersRead,
        Self::IdentityProvidersWrite,
    ];

    /// Every permission about zones and their records.
    pub const DNS: [Self; 3] = [Self::ZoneRead, Self::DnsRead, Self::DnsWrite];
}

/// Whom a token belongs to, which decides where it can be verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenOwner {
    /// A user; `GET /user/tokens/verify` answers.
    User,
    /// The account with this ID; `GET /accounts/{id}/tokens/verify` answers.
    Account(String),
}

/// A token to be issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What the call log calls the token. Issuing a second token under a label leaves the first one valid.
    pub label: String,
    /// Whom it belongs to.
    #[serde(default = "user")]
    pub owner: TokenOwner,
    /// What it may do, by account ID; in an account it may do so in all of the account's zones.
    #[serde(default)]
    pub grants: BTreeMap<String, BTreeSet<Permission>>,
    /// What it may do in single zones, by zone ID.
    #[serde(default)]
    pub zone_grants: BTreeMap<String, BTreeSet<Permission>>,
    /// When it stops working; absent means never.
    #[serde(default)]
    pub expires_on: Option<Timestamp>,
    /// The token itself; absent means a random one.
    #[serde(default)]
    pub text: Option<String>,
}

const fn user() -> TokenOwner {
    TokenOwner::User
}

impl TokenRequest {
    /// A user's token that may do nothing yet.
    #[must_use]
    pub fn new(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            owner: TokenOwner::User,
            grants: BTreeMap::new(),
            zone_grants: BTreeMap::new(),
            expires_on: None,
            text: None,
        }
    }

    /// Grants permissions in one account, on top of those that it has there.
    #[must_use]
    pub fn grant(
        mut self,
        account: &str,
        permissions: impl IntoIterator<Item = Permission>,
    ) -> Self {
        self.grants
            .entry(account.to_owned())
            .or_default()
            .extend(permissions);
        self
    }

    /// Grants permissions in one zone, on top of those that it has there.
    #[must_use]
    pub fn grant_in_zone(
        mut self,
        zone: &str,
        permissions: impl IntoIterator<Item = Permission>,
    ) -> Self {
        self.zone_grants
            .entry(zone.to_owned())
            .or_default()
            .extend(permissions);
        self
    }

    /// Makes it a token of the account, which starts with `cfat_`.
    #[must_use]
    pub fn owned_by_account(mut self, account: &str) -> Self {
        self.owner = TokenOwner::Account(account.to_owned());
        self
    }

    /// Lets it expire, by the simulator's clock.
    #[must_use]
    pub const fn expires_on(mut self, moment: Timestamp) -> Self {
        self.expires_on = Some(moment);
        self
    }

    /// Chooses the token itself.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }
}

/// An issued token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) owner: TokenOwner,
    pub(crate) not_before: Timestamp,
    pub(crate) expires_on: Option<Timestamp>,
    text: String,
    grants: BTreeMap<String, BTreeSet<Permission>>,
    zone_grants: BTreeMap<String, BTreeSet<Permission>>,
    revoked: bool,
}

impl Token {
    pub(super) fn issue(
        request: TokenRequest,
        now: Timestamp,
        id: String,
        random: &str,
    ) -> (Self, String) {
        let prefix = match request.owner {
            TokenOwner::User => "",
            TokenOwner::Account(_) => "cfat_",
        };
        let text = request.text.unwrap_or_else(|| format!("{prefix}{random}"));
        let token = Self {
            id,
            label: request.label,
            owner: request.owner,
            not_before: now,
            expires_on: request.expires_on,
            text: text.clone(),
            grants: request.grants,
            zone_grants: request.zone_grants,
            revoked: false,
        };
        (token, text)
    }

    /// Whether this is the token with that text, working or not.
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(super) fn revoke(&mut self) {
        self.revoked = true;
    }

    pub(crate) fn works(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires_on.is_none_or(|end| now < end)
    }

    /// Whether at least one of the permissions is granted in the account.
    pub(crate) fn may(&self, account: &str, any_of: &[Permission]) -> bool {
        grants_any(&self.grants, account, any_of)
    }

    /// Whether at least one of the permissions is granted in any account.
    pub(crate) fn may_anywhere(&self, any_of: &[Permission]) -> bool {
        self.grants.keys().any(|account| self.may(account, any_of))
    }

    /// Whether at least one of the permissions is granted in the zone or in its account.
    pub(crate) fn may_in(&self, zone: &Zone, any_of: &[Permission]) -> bool {
        self.may(&zone.account, any_of) || grants_any(&self.zone_grants, &zone.id, any_of)
    }
}

fn grants_any(
    grants: &BTreeMap<String, BTreeSet<Permission>>,
    id: &str,
    any_of: &[Permission],
) -> bool {
    grants
        .get(id)
        .is_some_and(|granted| any_of.iter().any(|permission| granted.contains(permission)))
}
