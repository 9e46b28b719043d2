//! The types of condition that an `SsoConnector` has.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The aspects of an object that a condition speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionType {
    /// The connector exists, is verified and is as the spec says.
    Ready,
    /// The last exchange with Cloudflare succeeded.
    Synced,
    /// Cloudflare has verified the domain.
    Verified,
    /// Cloudflare enforces SSO for the domain.
    Enabled,
    /// The TXT record can be seen in DNS. Advice for people: nothing rests on it. Present only until the domain is verified.
    DnsRecordObserved,
    /// The TXT record is in Cloudflare DNS. Present only where the operator is to publish it.
    DnsRecordPublished,
    /// The operator is working towards the spec. Present only while true.
    Reconciling,
    /// Only a person can help. Present only while true.
    Stalled,
}

impl ConditionType {
    /// The `type` as it stands in the status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Synced => "Synced",
            Self::Verified => "Verified",
            Self::Enabled => "Enabled",
            Self::DnsRecordObserved => "DNSRecordObserved",
            Self::DnsRecordPublished => "DNSRecordPublished",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `status` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// The `status` as it stands in a condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// The condition of the given type, if it is there.
#[must_use]
pub fn find_condition(conditions: &[Condition], wanted: ConditionType) -> Option<&Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == wanted.as_str())
}
