//! What knobs on connectors, tokens and answers can be set to.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A behaviour that is either there or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Switch {
    /// The behaviour is there.
    On,
    /// The behaviour is not there.
    Off,
}

impl Switch {
    /// Whether the behaviour is there.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// What a second create for a domain that has a connector in the same account does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum DuplicateCreate {
    /// It is refused with 409.
    Reject409,
    /// It is refused with 400.
    Reject400,
    /// It makes a second connector.
    Allow,
    /// It answers the existing connector and changes nothing.
    ReturnExisting,
}

/// What a delete of an enabled connector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum DeleteEnabled {
    /// It is refused with 409.
    Reject,
    /// It deletes.
    Allow,
}

/// What "begin verification" of a verified connector answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum BeginVerified {
    /// 200, and nothing changes.
    Ok,
    /// 400.
    Error,
}

/// The shape of `result` in the answer to an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum PatchResult {
    /// The connector.
    Object,
    /// An array with the connector as its only element.
    Array,
    /// `null`.
    Null,
}

/// The shape of `result` in the answer to a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum DeleteResult {
    /// `{"id": …}`.
    Object,
    /// `null`.
    Null,
}

/// A field that answers can lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum OmittableField {
    /// `created_on` of a connector.
    CreatedOn,
    /// `updated_on` of a connector.
    UpdatedOn,
    /// `use_fedramp_language` of a connector.
    UseFedrampLanguage,
    /// `result_info` of a list, even if [`Knobs::result_info`](super::Knobs::result_info) is on.
    ResultInfo,
    /// `messages` of the envelope.
    Messages,
}

/// How a list treats the `page` parameter while [`Knobs::page_size`](super::Knobs::page_size) forces paging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum PageParameter {
    /// It selects the page.
    Honoured,
    /// Every page is the first one, as some of Cloudflare's endpoints do.
    Ignored,
}

/// The number of digits after the decimal point of a connector's timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum TimestampFraction {
    /// Whole seconds, without a point.
    None,
    /// Four digits.
    Four,
    /// Six digits.
    Six,
}

impl TryFrom<u8> for TimestampFraction {
    type Error = String;

    fn try_from(digits: u8) -> Result<Self, String> {
        match digits {
            0 => Ok(Self::None),
            4 => Ok(Self::Four),
            6 => Ok(Self::Six),
            other => Err(format!("timestamps have 0, 4 or 6 digits, not {other}")),
        }
    }
}

impl From<TimestampFraction> for u8 {
    fn from(fraction: TimestampFraction) -> Self {
        match fraction {
            TimestampFraction::None => 0,
            TimestampFraction::Four => 4,
            TimestampFraction::Six => 6,
        }
    }
}

impl FromStr for TimestampFraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<u8>()
            .map_err(|error| error.to_string())?
            .try_into()
    }
}

impl fmt::Display for TimestampFraction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        u8::from(*self).fmt(formatter)
    }
}
