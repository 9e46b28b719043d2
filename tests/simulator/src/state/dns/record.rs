//! DNS records: what they are, and what can be asked of one.

use std::net::{Ipv4Addr, Ipv6Addr};

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::TxtContent;
use super::name::{canonical, completed, is_record_name};
use crate::dns_refusal::{DnsRefusal, Flaw};
use crate::knobs::RecordQuotes;

/// A TXT record takes at most this many bytes on the wire.
const TXT_LIMIT: usize = 4096;
/// The time to live that stands for "automatic".
pub(super) const AUTOMATIC: u32 = 1;

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

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Whether Cloudflare can stand in front of it.
    pub(crate) const fn is_proxiable(self) -> bool {
        match self {
            Self::A | Self::Aaaa | Self::Cname => true,
            Self::Mx | Self::Ns | Self::Txt => false,
        }
    }

    fn takes(self, content: &str) -> bool {
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

/// A record to be made. By hand it only has to be well formed: it may be what the API would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordDraft {
    /// Its type.
    #[serde(rename = "type")]
    pub record_type: RecordType,
    /// Its name; one outside the zone gets the zone's name appended.
    pub name: String,
    /// Its content; that of a TXT record may be quoted or not.
    pub content: String,
    /// Its time to live in seconds; 1 stands for "automatic".
    #[serde(default = "automatic")]
    pub ttl: u32,
    /// Whether Cloudflare stands in front of it, where it can.
    #[serde(default)]
    pub proxied: bool,
    /// Its comment.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

const fn automatic() -> u32 {
    AUTOMATIC
}

impl RecordDraft {
    /// A record without a comment that lives as long as Cloudflare likes.
    #[must_use]
    pub fn new(record_type: RecordType, name: &str, content: &str) -> Self {
        Self {
            record_type,
            name: name.to_owned(),
            content: content.to_owned(),
            ttl: AUTOMATIC,
            proxied: false,
            comment: None,
            tags: Vec::new(),
        }
    }

    /// A TXT record.
    #[must_use]
    pub fn txt(name: &str, content: &str) -> Self {
        Self::new(RecordType::Txt, name, content)
    }

    /// The draft with its full name, if name and content can be what they are for.
    pub(super) fn well_formed(mut self, zone: &str) -> Result<Self, DnsRefusal> {
        self.name = completed(zone, &self.name);
        if !is_record_name(&self.name) {
            return Err(DnsRefusal::Invalid(Flaw::Name));
        }
        if !self.record_type.takes(&self.content) {
            return Err(DnsRefusal::Invalid(Flaw::Content));
        }
        self.proxied &= self.record_type.is_proxiable();
        Ok(self)
    }
}

/// A change that somebody else makes. Absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordChange {
    /// Renames it.
    #[serde(default)]
    pub name: Option<String>,
    /// Replaces its content.
    #[serde(default)]
    pub content: Option<String>,
    /// Replaces its time to live, in seconds.
    #[serde(default)]
    pub ttl: Option<u32>,
    /// Replaces its comment; an empty one takes it away.
    #[serde(default)]
    pub comment: Option<String>,
}

/// The body of a create or an update. Fields that the simulator does not know are ignored.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RecordRequest {
    #[serde(rename = "type")]
    record_type: Option<String>,
    name: Option<String>,
    content: Option<String>,
    ttl: Option<u32>,
    proxied: Option<bool>,
    comment: Option<String>,
    tags: Option<Vec<String>>,
}

impl From<RecordChange> for RecordRequest {
    fn from(change: RecordChange) -> Self {
        Self {
            name: change.name,
            content: change.content,
            ttl: change.ttl,
            comment: change.comment,
            ..Self::default()
        }
    }
}

impl RecordRequest {
    /// What is wanted, where absent fields are those of `base`, or have their defaults.
    pub(super) fn onto(self, base: Option<RecordDraft>) -> Result<RecordDraft, DnsRefusal> {
        let record_type = match (self.record_type, &base) {
            (Some(text), _) => RecordType::parse(&text),
            (None, base) => base.as_ref().map(|base| base.record_type),
        };
        let record_type = record_type.ok_or(DnsRefusal::Invalid(Flaw::Type))?;
        let base = base.unwrap_or_else(|| RecordDraft::new(record_type, "", ""));
        Ok(RecordDraft {
            record_type,
            name: self.name.unwrap_or(base.name),
            content: self.content.unwrap_or(base.content),
            ttl: self.ttl.unwrap_or(base.ttl),
            proxied: self.proxied.unwrap_or(base.proxied),
            comment: self
                .comment
                .or(base.comment)
                .filter(|comment| !comment.is_empty()),
            tags: self.tags.unwrap_or(base.tags),
        })
    }
}

/// Whether a record must pass all filters or any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Match {
    #[default]
    All,
    Any,
}

/// Which records a list shows. Absent filters are passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RecordFilter {
    pub(crate) record_type: Option<String>,
    pub(crate) name: Option<String>,
    /// Compared with the content as it is shown, ignoring case: quotes count.
    pub(crate) content: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) matching: Match,
}

impl RecordFilter {
    pub(super) fn passes(&self, record: &DnsRecord, quotes: RecordQuotes) -> bool {
        let same = |wanted: &Option<String>, actual: &str| {
            wanted
                .as_ref()
                .map(|wanted| wanted.eq_ignore_ascii_case(actual))
        };
        let asked = [
            same(&self.record_type, record.record_type.as_str()),
            same(&self.name.as_deref().map(canonical), &record.name),
            same(&self.content, &record.shown_content(quotes)),
            same(&self.comment, record.comment.as_deref().unwrap_or_default()),
        ];
        let mut asked = asked.into_iter().flatten().peekable();
        match self.matching {
            Match::All => asked.all(|passed| passed),
            Match::Any => asked.peek().is_none() || asked.any(|passed| passed),
        }
    }
}
