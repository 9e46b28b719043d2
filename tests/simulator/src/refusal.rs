//! Why the simulated Cloudflare refuses a call, and what it answers then.
//!
//! **Every code from 990001 to 990011 is an invented placeholder, and so is its message**: Cloudflare documents no code
//! list for these endpoints. Statuses are observed where `// [O]` says so and made up elsewhere. Clients and tests may
//! rely on the HTTP status, never on these codes.

use std::error::Error;
use std::fmt;

use crate::knobs::{DuplicateCreate, Knobs};

/// Invented placeholder for "the connector is not verified".
pub(crate) const ENABLE_UNVERIFIED_PLACEHOLDER: i64 = 990_006;

/// Why a call on a connector or an identity provider is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No connector of the account has this ID (any more).
    UnknownConnector,
    /// An update or a delete names no connector.
    EmptyConnectorId,
    /// `email_domain` is empty or no domain name.
    InvalidDomain,
    /// The account has no Zero Trust identity provider.
    NoIdentityProvider,
    /// The domain belongs to a public mail provider or a prohibited top-level domain.
    ProhibitedDomain,
    /// Only a verified connector can be enabled.
    EnableUnverified,
    /// The connector is verified already.
    BeginVerified,
    /// Another account has the domain enabled.
    EnabledElsewhere,
    /// The account has a connector for the domain already.
    DuplicateCreate,
    /// An enabled connector cannot be deleted.
    DeleteEnabled,
    /// The body is not the JSON that the operation takes.
    MalformedBody,
    /// The account has a one-time-PIN identity provider already.
    DuplicateOneTimePin,
}

impl Refusal {
    /// The HTTP status, the envelope code and the message.
    #[must_use]
    pub fn answer(self, knobs: &Knobs) -> (u16, i64, &'static str) {
        let duplicate = match knobs.duplicate_create {
            DuplicateCreate::Reject400 => 400,
            DuplicateCreate::Reject409
            | DuplicateCreate::Allow
            | DuplicateCreate::ReturnExisting => 409,
        };
        match self {
            // [O]; invented placeholder codes
            Self::UnknownConnector => (404, 990_001, "SSO connector not found"),
            Self::EmptyConnectorId => (400, 990_002, "SSO connector ID is required"),
            Self::InvalidDomain => (400, 990_003, "email_domain is not a valid domain"),
            // Statuses and codes are invented placeholders.
            Self::NoIdentityProvider => (400, 990_004, "account has no identity provider"),
            Self::ProhibitedDomain => (400, 990_005, "email_domain is not allowed"),
            Self::EnableUnverified => (
                knobs.enable_unverified_status,
                knobs.enable_unverified_code,
                "SSO connector is not verified",
            ),
            Self::BeginVerified => (400, 990_007, "SSO connector is already verified"),
            Self::EnabledElsewhere => (409, 990_008, "domain is enabled in another account"),
            Self::DuplicateCreate => (duplicate, 990_009, "SSO connector already exists"),
            Self::DeleteEnabled => (409, 990_010, "SSO connector is enabled"),
            Self::MalformedBody => (400, 990_011, "request body is malformed"),
            // [O] code; the status is made up.
            Self::DuplicateOneTimePin => {
                (409, 12132, "one-time PIN identity provider already exists")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, _, message) = self.answer(&Knobs::default());
        formatter.write_str(message)
    }
}

impl Error for Refusal {}
