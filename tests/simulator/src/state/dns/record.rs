//! DNS records: their types, and what one is and says.

use std::net::{Ipv4Addr, Ipv6Addr};

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RecordDraft;
use super::content::TxtContent;
use super::name::{canonical, is_record_name};
use crate::knobs::RecordQuotes;

/// A TXT record takes at most this many bytes on the wire.
const TXT_LIMIT: usize = 4096;

/// The types of record that the simulator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name for everything at this one.
    Cname,
    /// A mail server.
    Mx,
    /// A name server.
    Ns,
    /// A text.
    Txt,
}

impl RecordType {
    const ALL: [Self; 6] = [
        Self::A,
        Self::Aaaa,
        Self::Cname,
        Self::Mx,
        Self::Ns,
        Self::Txt,
    ];

    /// The type as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Txt => "TXT",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Whether Cloudflare can stand in front of it.
    pub(crate) const fn is_proxiable(self) -> bool {
        match self {
            Self::A | Self::Aaaa | Self::Cname => true,
            Self::Mx | Self::Ns | Self::Txt => false,
        }
    }

    /// Whether a record of this type can have this content.
    pub(super) fn takes(self, content: &str) -> bool {
        match self {
            Self::A => content.parse::<Ipv4Addr>().is_ok(),
            Self::Aaaa => content.parse::<Ipv6Addr>().is_ok(),
            Self::Cname | Self::Mx | Self::Ns => is_record_name(&canonical(content)),
            Self::Txt => {
                TxtContent::parse(content).is_some_and(|content| content.wire_length() <= TXT_LIMIT)
            }
        }
    }

    /// What a content says, however it is spelled.
    fn meaning(self, content: &str) -> String {
        match self {
            Self::Txt => TxtContent::parse(content)
                .map_or_else(|| content.to_owned(), |content| content.value()),
            Self::A | Self::Aaaa | Self::Cname | Self::Mx | Self::Ns => canonical(content),
        }
    }
}

/// A DNS record as it is stored, whatever the knobs make of it in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsRecord {
    /// 32 lower-case hex digits.
    pub id: String,
    /// The ID of the zone that it belongs to.
    pub zone: String,
    /// Its type.
    #[serde(rename = "type")]
    pub record_type: RecordType,
    /// Its full name, in lower case without a final dot.
    pub name: String,
    /// Its content, spelled as it was sent.
    pub content: String,
    /// Its time to live in seconds; 1 stands for "automatic".
    pub ttl: u32,
    /// Whether Cloudflare stands in front of it.
    pub proxied: bool,
    /// The comment that was kept.
    pub comment: Option<String>,
    /// Its tags, as they were sent.
    pub tags: Vec<String>,
    /// When it was created, by the simulator's clock.
    pub created_on: Timestamp,
    /// When it last changed, by the simulator's clock.
    pub modified_on: Timestamp,
}

impl DnsRecord {
    /// What a resolver reads from a TXT record: its strings unquoted and joined.
    #[must_use]
    pub fn txt_value(&self) -> Option<String> {
        match self.record_type {
            RecordType::Txt => Some(self.record_type.meaning(&self.content)),
            RecordType::A
            | RecordType::Aaaa
            | RecordType::Cname
            | RecordType::Mx
            | RecordType::Ns => None,
        }
    }

    /// The content as the API shows it.
    pub(crate) fn shown_content(&self, quotes: RecordQuotes) -> String {
        let parsed = match self.record_type {
            RecordType::Txt => TxtContent::parse(&self.content),
            _ => None,
        };
        match (parsed, quotes) {
            (Some(content), RecordQuotes::Quoted) => content.quoted(),
            (Some(content), RecordQuotes::Bare) => content.value(),
            (Some(_), RecordQuotes::AsSent) | (None, _) => self.content.clone(),
        }
    }

    /// Whether the two are the same but for what may differ: comment, tags, time to live and spelling.
    pub(super) fn is_identical(&self, draft: &RecordDraft) -> bool {
        let kind = self.record_type;
        kind == draft.record_type
            && self.name == draft.name
            && kind.meaning(&self.content) == kind.meaning(&draft.content)
    }

    /// The bytes that a TXT record takes on the wire.
    pub(super) fn txt_length(&self) -> usize {
        match self.record_type {
            RecordType::Txt => txt_length(&self.content),
            _ => 0,
        }
    }

    pub(super) fn draft(&self) -> RecordDraft {
        RecordDraft {
            record_type: self.record_type,
            name: self.name.clone(),
            content: self.content.clone(),
            ttl: self.ttl,
            proxied: self.proxied,
            comment: self.comment.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// The bytes that the content of a TXT record takes on the wire.
pub(super) fn txt_length(content: &str) -> usize {
    TxtContent::parse(content).map_or(0, |content| content.wire_length())
}
