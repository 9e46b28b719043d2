//! The knobs: what is unknown about Cloudflare, or worth scaling, as settings.
//!
//! One struct serves three borders: tests build it, `PATCH /admin/knobs` merges JSON into it, and the binary has one
//! flag per field. The defaults are our best guess of Cloudflare and are written once, in [`Knobs::default`].

mod choices;
mod dns;

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

pub use choices::{
    BeginVerified, DeleteEnabled, DeleteResult, DuplicateCreate, OmittableField, PageParameter,
    PatchResult, Switch, TimestampFraction,
};
pub use dns::{ApexCname, CommentKept, RecordQuotes, UnseenZone, ZoneListDenied};

use crate::duration;

/// Everything about the simulator that can be set, at its start or while it runs.
///
/// On the command line every knob is a flag of the same name with hyphens. In JSON durations are texts like `"30s"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Knobs")]
pub struct Knobs {
    /// What a second create for one domain in one account does
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().duplicate_create)]
    pub duplicate_create: DuplicateCreate,
    /// What a delete of an enabled connector does
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().delete_enabled)]
    pub delete_enabled: DeleteEnabled,
    /// What beginning the verification of a verified connector answers
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().begin_verified)]
    pub begin_verified: BeginVerified,
    /// HTTP status that refuses enabling an unverified connector
    #[arg(long, value_name = "STATUS", default_value_t = Self::default().enable_unverified_status, value_parser = clap::value_parser!(u16).range(400..600))]
    pub enable_unverified_status: u16,
    /// Envelope code that refuses enabling an unverified connector
    #[arg(long, value_name = "CODE", default_value_t = Self::default().enable_unverified_code)]
    pub enable_unverified_code: i64,
    /// Whether a domain that is enabled in another account cannot be enabled
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Self::default().other_account_enabled)]
    pub other_account_enabled: Switch,
    /// Whether a create needs an identity provider in the account
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Self::default().require_idp)]
    pub require_idp: Switch,
    /// Whether domains under .edu are refused
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Self::default().refuse_edu)]
    pub refuse_edu: Switch,
    /// Whether beginning a verification makes a new code
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Self::default().begin_verification_rotates_code)]
    pub begin_verification_rotates_code: Switch,
    /// The shape of `result` after an update
    #[arg(long, value_enum, value_name = "SHAPE", default_value_t = Self::default().patch_result)]
    pub patch_result: PatchResult,
    /// The shape of `result` after a delete
    #[arg(long, value_enum, value_name = "SHAPE", default_value_t = Self::default().delete_result)]
    pub delete_result: DeleteResult,
    /// Fields that answers lack, separated by commas
    #[arg(long, value_enum, value_name = "FIELDS", value_delimiter = ',')]
    pub omit_fields: Vec<OmittableField>,
    /// Digits after the decimal point of timestamps: 0, 4 or 6
    #[arg(long, value_name = "DIGITS", default_value_t = Self::default().timestamp_fraction)]
    pub timestamp_fraction: TimestampFraction,
    /// How often a pending domain's TXT record is looked up
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    #[serde(with = "duration")]
    pub poll_interval: Duration,
    /// How long a verification stays pending before it has failed
    #[arg(long, value_name = "DURATION", default_value = "48h", value_parser = duration::parse)]
    #[serde(with = "duration")]
    pub verify_timeout: Duration,
    /// Whether lists of connectors carry `result_info`; those of zones and DNS records do
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Self::default().result_info)]
    pub result_info: Switch,
    /// Forces lists into pages of this many items; those of zones and DNS records, into pages of no more
    #[arg(long, value_name = "ITEMS")]
    pub page_size: Option<NonZeroUsize>,
    /// What the `page` parameter does while lists are paged
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().page_parameter)]
    pub page_parameter: PageParameter,
    /// How long the list of connectors lags writes
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = duration::parse)]
    #[serde(with = "duration")]
    pub list_lag: Duration,
    /// How long the reading of one connector lags writes
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = duration::parse)]
    #[serde(with = "duration")]
    pub get_lag: Duration,
    /// Whether the Write permission alone lets read
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Self::default().write_implies_read)]
    pub write_implies_read: Switch,
    /// HTTP status for an unknown, revoked or expired token
    #[arg(long, value_name = "STATUS", default_value_t = Self::default().unknown_token_status, value_parser = clap::value_parser!(u16).range(400..500))]
    pub unknown_token_status: u16,
    /// Calls that one token may make in one rate window
    #[arg(long, value_name = "CALLS", default_value_t = Self::default().rate_limit)]
    pub rate_limit: u32,
    /// The rate window, and how long a token that exceeds the limit is blocked
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    #[serde(with = "duration")]
    pub rate_window: Duration,
    /// Whether answers carry a `Date` header
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Self::default().date_header)]
    pub date_header: Switch,
    /// How many seconds Cloudflare's clock is ahead of this machine's; set it before the first connector
    #[arg(long, value_name = "SECONDS", default_value_t = Self::default().clock_offset_seconds, allow_negative_numbers = true)]
    pub clock_offset_seconds: i32,
    /// How long the reading of DNS records, one or many, lags writes
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = duration::parse)]
    #[serde(with = "duration")]
    pub record_lag: Duration,
    /// How long after a delete of a DNS record the creation of the same is refused
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = duration::parse)]
    #[serde(with = "duration")]
    pub duplicate_after_delete: Duration,
    /// How reads quote the content of TXT records
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().record_quotes)]
    pub record_quotes: RecordQuotes,
    /// What is kept of a DNS record's comment: whole, dropped, or how many characters
    #[arg(long, value_name = "HOW_MUCH", default_value_t = Self::default().comment_kept)]
    pub comment_kept: CommentKept,
    /// The shortest time to live of a DNS record, in seconds; Enterprise zones have 30
    #[arg(long, value_name = "SECONDS", default_value_t = Self::default().minimum_ttl)]
    pub minimum_ttl: u32,
    /// Whether a CNAME at a zone's apex stands beside other records
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().apex_cname)]
    pub apex_cname: ApexCname,
    /// What a list of zones answers to a token that may list no account's zones and reads none of those asked for
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().zone_list_denied)]
    pub zone_list_denied: ZoneListDenied,
    /// How a call on a zone is refused in which the token may do nothing
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = Self::default().unseen_zone)]
    pub unseen_zone: UnseenZone,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            duplicate_create: DuplicateCreate::Reject409,
            delete_enabled: DeleteEnabled::Reject,
            begin_verified: BeginVerified::Ok,
            enable_unverified_status: 400,
            enable_unverified_code: crate::refusal::ENABLE_UNVERIFIED_PLACEHOLDER,
            other_account_enabled: Switch::On,
            require_idp: Switch::On,
            refuse_edu: Switch::On,
            begin_verification_rotates_code: Switch::Off,
            patch_result: PatchResult::Object,
            delete_result: DeleteResult::Object,
            omit_fields: Vec::new(),
            timestamp_fraction: TimestampFraction::Six,
            poll_interval: Duration::from_secs(30),
            verify_timeout: Duration::from_hours(48),
            result_info: Switch::Off,
            page_size: None,
            page_parameter: PageParameter::Honoured,
            list_lag: Duration::ZERO,
            get_lag: Duration::ZERO,
            write_implies_read: Switch::Off,
            unknown_token_status: 401,
            rate_limit: 1200,
            rate_window: Duration::from_mins(5),
            date_header: Switch::On,
            clock_offset_seconds: 0,
            record_lag: Duration::ZERO,
            duplicate_after_delete: Duration::ZERO,
            record_quotes: RecordQuotes::AsSent,
            comment_kept: CommentKept::Whole,
            minimum_ttl: 60,
            apex_cname: ApexCname::Conflicts,
            zone_list_denied: ZoneListDenied::Empty,
            unseen_zone: UnseenZone::Forbidden,
        }
    }
}

impl Knobs {
    /// Whether answers lack `field`.
    #[must_use]
    pub fn omits(&self, field: OmittableField) -> bool {
        self.omit_fields.contains(&field)
    }

    /// These knobs with the fields of the JSON object `changes` in place of their own.
    ///
    /// # Errors
    /// If `changes` is no object, names no knob, or holds a value that the knob cannot take.
    pub fn merged(&self, changes: &serde_json::Value) -> Result<Self, serde_json::Error> {
        use serde::de::Error as _;
        let changes = changes
            .as_object()
            .ok_or_else(|| serde_json::Error::custom("knobs are an object"))?;
        let mut merged = serde_json::to_value(self)?;
        for (name, value) in changes {
            merged[name] = value.clone();
        }
        serde_json::from_value(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        knobs: Knobs,
    }

    #[test]
    fn the_flags_default_to_the_defaults() {
        assert_eq!(
            CommandLine::parse_from(["simulator"]).knobs,
            Knobs::default()
        );
    }

    #[test]
    fn json_changes_only_what_it_names() {
        let merged = Knobs::default()
            .merged(&json!({"list_lag": "2s", "timestamp_fraction": 4, "duplicate_create": "reject400"}))
            .unwrap();
        let expected = Knobs {
            list_lag: Duration::from_secs(2),
            timestamp_fraction: TimestampFraction::Four,
            duplicate_create: DuplicateCreate::Reject400,
            ..Knobs::default()
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn json_that_is_no_knob_is_refused() {
        for changes in [
            json!([]),
            json!({"speed": 1}),
            json!({"list_lag": 5}),
            json!({"timestamp_fraction": 3}),
            json!({"comment_kept": "half"}),
        ] {
            assert!(
                Knobs::default().merged(&changes).is_err(),
                "{changes} was accepted"
            );
        }
    }
}
