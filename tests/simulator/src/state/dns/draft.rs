//! Records to be: how they are asked for, by hand and over the API, and when they are well formed.

use serde::{Deserialize, Serialize};

use super::RecordType;
use super::name::{completed, is_record_name};
use crate::dns_refusal::{DnsRefusal, Flaw};

/// The time to live that stands for "automatic".
pub(super) const AUTOMATIC: u32 = 1;

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
