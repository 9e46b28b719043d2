//! Why the simulated Cloudflare refuses a call on a zone or a record, and what it answers then.
//!
//! Statuses and codes are those that others have seen, except where `// invented` says so.

use std::error::Error;
use std::fmt;

use serde_json::{Value, json};

use crate::knobs::Knobs;

/// Why a call on a zone or a record is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsRefusal {
    /// No zone has this ID (any more).
    UnknownZone,
    /// No record of the zone has this ID (any more).
    UnknownRecord,
    /// The zone has this very record, or had it a moment ago.
    IdenticalRecord,
    /// A CNAME stands at the name.
    CnameTaken,
    /// A CNAME and something else would stand at one name.
    HostTaken,
    /// The time to live is neither 1 nor within the bounds.
    TimeToLive,
    /// The comment has more than 100 characters.
    LongComment,
    /// The record is none that DNS can hold.
    Invalid(Flaw),
    /// The page, its size or a filter cannot be what they are.
    ListOptions,
    /// The body is not the JSON that the operation takes.
    MalformedBody,
}

/// What is wrong with a record that DNS cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its name is no name.
    Name,
    /// Its type is missing or unknown.
    Type,
    /// Its content does not fit its type, or is too long.
    Content,
    /// All TXT records of the name together would be too long.
    CrowdedName,
}

impl DnsRefusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownZone | Self::UnknownRecord => 404,
            Self::IdenticalRecord
            | Self::CnameTaken
            | Self::HostTaken
            | Self::TimeToLive
            | Self::LongComment
            | Self::Invalid(_)
            | Self::ListOptions
            | Self::MalformedBody => 400,
        }
    }

    /// The envelope code and the message.
    #[must_use]
    pub fn code_and_message(self, knobs: &Knobs) -> (i64, String) {
        let (code, message) = match self {
            Self::UnknownZone => (7003, "Could not route to the zone"),
            Self::UnknownRecord => (81_044, "Record does not exist."),
            Self::IdenticalRecord => (81_058, "An identical record already exists."),
            Self::CnameTaken => (81_054, "A CNAME record with that host already exists."),
            Self::HostTaken => (
                81_053,
                "An A, AAAA, or CNAME record with that host already exists.",
            ),
            Self::TimeToLive => {
                let message = format!(
                    "Invalid TTL. Must be between {} and 86400 seconds, or 1 for Automatic.",
                    knobs.minimum_ttl
                );
                return (9021, message);
            }
            Self::LongComment => (
                9313,
                "DNS record comment exceeds the maximum length of 100 characters.",
            ),
            Self::Invalid(_) => (1004, "DNS Validation Error"),
            Self::ListOptions => (1001, "invalid list options"), // invented
            Self::MalformedBody => (990_011, "request body is malformed"), // invented
        };
        (code, message.to_owned())
    }

    /// The `errors` of the envelope.
    pub(crate) fn errors(self, knobs: &Knobs) -> Value {
        let (code, message) = self.code_and_message(knobs);
        match self {
            Self::Invalid(flaw) => {
                let (code_of_flaw, sentence) = flaw.code_and_message();
                let chain = json!([{"code": code_of_flaw, "message": sentence}]);
                json!([{"code": code, "message": message, "error_chain": chain}])
            }
            _ => json!([{"code": code, "message": message}]),
        }
    }
}

impl Flaw {
    /// What `error_chain` says. Every code is an invented placeholder.
    const fn code_and_message(self) -> (i64, &'static str) {
        match self {
            Self::Name => (990_012, "DNS name is invalid."),
            Self::Type => (990_013, "DNS record type is invalid."),
            Self::Content => (990_014, "Content of the DNS record is invalid."),
            Self::CrowdedName => (990_015, "TXT records of this name are too long in sum."),
        }
    }
}

impl fmt::Display for DnsRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, message) = self.code_and_message(&Knobs::default());
        match self {
            Self::Invalid(flaw) => {
                let (_, sentence) = flaw.code_and_message();
                write!(formatter, "{message}: {sentence}")
            }
            _ => formatter.write_str(&message),
        }
    }
}

impl Error for DnsRefusal {}
