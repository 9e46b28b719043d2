//! Why a condition is as it is. One enum feeds conditions, Events and metrics.

use std::fmt;

use super::condition::Truth;

/// The reason of a condition, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Not looked at yet.
    Reconciling,
    /// The connector is being created.
    Creating,
    /// SSO is being enabled.
    Enabling,
    /// SSO is being disabled.
    Disabling,
    /// The connector is being deleted.
    Deleting,
    /// Cloudflare has not verified the domain yet.
    AwaitingVerification,
    /// The connector is as the spec says.
    Available,
    /// The last exchange with Cloudflare succeeded.
    ReconcileSucceeded,
    /// Cloudflare has verified the domain.
    Verified,
    /// The verification has not been begun.
    Awaiting,
    /// Cloudflare looks for the TXT record.
    Pending,
    /// Cloudflare gave up looking for the TXT record.
    VerificationFailed,
    /// The domain was verified and is no longer.
    VerificationLapsed,
    /// Cloudflare reports a word that this version does not know.
    UnknownStatus,
    /// SSO is enforced.
    Enabled,
    /// SSO is not enforced.
    Disabled,
    /// Somebody changed by hand whether SSO is enforced.
    HeldByExternalChange,
    /// Somebody deleted the connector.
    DeletedExternally,
    /// There is no usable API token.
    CredentialsUnavailable,
    /// Cloudflare refuses the API token.
    Unauthorized,
    /// Cloudflare asks for fewer calls.
    RateLimited,
    /// Cloudflare cannot be reached or does not answer as it should.
    CloudflareUnavailable,
    /// Cloudflare refuses what the spec asks for.
    Rejected,
    /// The connector at Cloudflare is for another domain.
    ConnectorMismatch,
    /// Another object manages the domain in the account.
    DuplicateDomain,
    /// Several connectors exist for the domain.
    AmbiguousMatch,
    /// The connector does not exist.
    ConnectorNotFound,
    /// A connector exists already, and the spec says not to adopt it.
    AdoptionRefused,
    /// The connector is not as the spec says, and nothing is done about it, as it is only observed.
    DriftObserved,
    /// Somebody changed by hand whether SSO is enforced, or deleted the connector, and the spec is applied again.
    ExternalChangeReverted,
    /// The TXT record can be seen in DNS.
    Found,
    /// There is no TXT record with a verification code in DNS.
    NotFound,
    /// The TXT record in DNS has another verification code.
    OtherValue,
    /// A CNAME stands in DNS where the TXT record has to be.
    CnamePresent,
    /// The domain does not exist in DNS.
    NoSuchDomain,
    /// DNS could not be asked.
    LookupFailed,
    /// The TXT record is in Cloudflare DNS.
    Published,
    /// There is no zone for the domain in Cloudflare DNS that the API token may use.
    ZoneNotFound,
    /// The object is suspended.
    Suspended,
}

/// Which of the two abnormal conditions goes with a reason of `Ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The operator is at work: `Reconciling` is True.
    Reconciling,
    /// Only a person can help: `Stalled` is True.
    Stalled,
    /// Neither: settled, or waiting for something outside.
    Resting,
}

impl Reason {
    /// The word as it stands in conditions, Events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconciling => "Reconciling",
            Self::Creating => "Creating",
            Self::Enabling => "Enabling",
            Self::Disabling => "Disabling",
            Self::Deleting => "Deleting",
            Self::AwaitingVerification => "AwaitingVerification",
            Self::Available => "Available",
            Self::ReconcileSucceeded => "ReconcileSucceeded",
            Self::Verified => "Verified",
            Self::Awaiting => "Awaiting",
            Self::Pending => "Pending",
            Self::VerificationFailed => "VerificationFailed",
            Self::VerificationLapsed => "VerificationLapsed",
            Self::UnknownStatus => "UnknownStatus",
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::HeldByExternalChange => "HeldByExternalChange",
            Self::DeletedExternally => "DeletedExternally",
            Self::CredentialsUnavailable => "CredentialsUnavailable",
            Self::Unauthorized => "Unauthorized",
            Self::RateLimited => "RateLimited",
            Self::CloudflareUnavailable => "CloudflareUnavailable",
            Self::Rejected => "Rejected",
            Self::ConnectorMismatch => "ConnectorMismatch",
            Self::DuplicateDomain => "DuplicateDomain",
            Self::AmbiguousMatch => "AmbiguousMatch",
            Self::ConnectorNotFound => "ConnectorNotFound",
            Self::AdoptionRefused => "AdoptionRefused",
            Self::DriftObserved => "DriftObserved",
            Self::ExternalChangeReverted => "ExternalChangeReverted",
            Self::Found => "Found",
            Self::NotFound => "NotFound",
            Self::OtherValue => "OtherValue",
            Self::CnamePresent => "CNAMEPresent",
            Self::NoSuchDomain => "NoSuchDomain",
            Self::LookupFailed => "LookupFailed",
            Self::Published => "Published",
            Self::ZoneNotFound => "ZoneNotFound",
            Self::Suspended => "Suspended",
        }
    }

    /// Every reason.
    pub const ALL: [Self; 39] = [
        Self::Reconciling,
        Self::Creating,
        Self::Enabling,
        Self::Disabling,
        Self::Deleting,
        Self::AwaitingVerification,
        Self::Available,
        Self::ReconcileSucceeded,
        Self::Verified,
        Self::Awaiting,
        Self::Pending,
        Self::VerificationFailed,
        Self::VerificationLapsed,
        Self::UnknownStatus,
        Self::Enabled,
        Self::Disabled,
        Self::HeldByExternalChange,
        Self::DeletedExternally,
        Self::CredentialsUnavailable,
        Self::Unauthorized,
        Self::RateLimited,
        Self::CloudflareUnavailable,
        Self::Rejected,
        Self::ConnectorMismatch,
        Self::DuplicateDomain,
        Self::AmbiguousMatch,
        Self::ConnectorNotFound,
        Self::AdoptionRefused,
        Self::DriftObserved,
        Self::ExternalChangeReverted,
        Self::Found,
        Self::NotFound,
        Self::OtherValue,
        Self::CnamePresent,
        Self::NoSuchDomain,
        Self::LookupFailed,
        Self::Published,
        Self::ZoneNotFound,
        Self::Suspended,
    ];

    /// The reason that a condition names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// What `Ready` is when this is its reason.
    #[must_use]
    pub const fn readiness(self) -> Truth {
        match self {
            Self::Available => Truth::True,
            Self::Reconciling | Self::Suspended => Truth::Unknown,
            _ => Truth::False,
        }
    }

    /// Whether this, as the reason of `Ready`, is work under way, a dead end, or neither.
    #[must_use]
    pub const fn progress(self) -> Progress {
        match self {
            Self::Reconciling
            | Self::Creating
            | Self::Enabling
            | Self::Disabling
            | Self::Deleting => Progress::Reconciling,
            Self::HeldByExternalChange
            | Self::DeletedExternally
            | Self::CredentialsUnavailable
            | Self::Unauthorized
            | Self::Rejected
            | Self::ConnectorMismatch
            | Self::DuplicateDomain
            | Self::AmbiguousMatch
            | Self::AdoptionRefused
            | Self::ConnectorNotFound
            | Self::ZoneNotFound => Progress::Stalled,
            _ => Progress::Resting,
        }
    }

    /// Whether this is what somebody else did at Cloudflare.
    #[must_use]
    pub const fn is_external_change(self) -> bool {
        matches!(
            self,
            Self::HeldByExternalChange
                | Self::DeletedExternally
                | Self::ConnectorNotFound
                | Self::ExternalChangeReverted
        )
    }

    /// Whether an Event with this reason is a warning.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(self.progress(), Progress::Stalled)
            || matches!(
                self,
                Self::VerificationFailed
                    | Self::VerificationLapsed
                    | Self::RateLimited
                    | Self::CloudflareUnavailable
                    | Self::UnknownStatus
                    | Self::ExternalChangeReverted
            )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
