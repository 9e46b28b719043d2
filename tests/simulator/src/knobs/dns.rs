//! What knobs on zones and DNS records can be set to.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How reads quote the content of TXT records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum RecordQuotes {
    /// As the content was sent.
    AsSent,
    /// Each string in quotes.
    Quoted,
    /// Without quotes, all strings joined.
    Bare,
}

/// What is kept of the comment that comes with a DNS record: `whole`, `dropped`, or a number of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CommentKept {
    /// All of it.
    Whole,
    /// Nothing.
    Dropped,
    /// This many characters at most.
    Truncated(usize),
}

impl FromStr for CommentKept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "whole" => Ok(Self::Whole),
            "dropped" => Ok(Self::Dropped),
            number => number.parse().map(Self::Truncated).map_err(|_| {
                format!("{number:?} is neither whole nor dropped nor a number of characters")
            }),
        }
    }
}

impl TryFrom<String> for CommentKept {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for CommentKept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => formatter.write_str("whole"),
            Self::Dropped => formatter.write_str("dropped"),
            Self::Truncated(length) => length.fmt(formatter),
        }
    }
}

impl From<CommentKept> for String {
    fn from(kept: CommentKept) -> Self {
        kept.to_string()
    }
}

/// Whether a CNAME at the apex of a zone stands beside other records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum ApexCname {
    /// It conflicts with them, as elsewhere.
    Conflicts,
    /// It is flattened to addresses, so only addresses are in its way.
    Flattened,
}

/// What a list of zones answers to a token that may list the zones of no account and reads none of those asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum ZoneListDenied {
    /// 200 with an empty list.
    Empty,
    /// 403 with code 0, which names the permission.
    Forbidden,
}

/// How a call on a zone is refused in which the token may do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum UnseenZone {
    /// 403 with code 10000.
    Forbidden,
    /// 403 with code 9109.
    Unauthorized,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_of_a_comment_is_kept_reads_as_it_is_written() {
        for (text, kept) in [
            ("whole", CommentKept::Whole),
            ("dropped", CommentKept::Dropped),
            ("50", CommentKept::Truncated(50)),
        ] {
            assert_eq!(text.parse(), Ok(kept));
            assert_eq!(kept.to_string(), text);
        }
        for text in ["", "half", "-1", "1.5"] {
            assert!(text.parse::<CommentKept>().is_err(), "{text:?}");
        }
    }
}
