//! Which records the API lets into a zone.

use k8s_openapi::jiff::Timestamp;

use super::draft::AUTOMATIC;
use super::record::txt_length;
use super::{Dns, DnsRecord, History, RecordDraft, RecordType, Zone};
use crate::dns_refusal::{DnsRefusal, Flaw};
use crate::knobs::{ApexCname, CommentKept, Knobs};

/// The longest time to live, in seconds.
const TTL_LIMIT: u32 = 86_400;
/// A comment has at most this many characters on the Free plan.
const COMMENT_LIMIT: usize = 100;
/// All TXT records of a name together take at most this many bytes on the wire.
const NAME_LIMIT: usize = 8192;

impl Dns {
    /// The draft as it may be stored, in place of the record `except` if given.
    pub(super) fn admitted(
        &self,
        zone: &Zone,
        draft: RecordDraft,
        except: Option<&str>,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<RecordDraft, DnsRefusal> {
        let mut draft = draft.well_formed(&zone.name)?;
        check_ttl(draft.ttl, knobs)?;
        draft.comment = kept_comment(draft.comment, knobs)?;
        let others: Vec<&DnsRecord> = self
            .live(&zone.id)
            .filter(|record| record.name == draft.name && Some(record.id.as_str()) != except)
            .collect();
        let mut there = others.iter().copied().chain(self.ghosts(zone, now, knobs));
        if there.any(|record| record.is_identical(&draft)) {
            return Err(DnsRefusal::IdenticalRecord);
        }
        let flattened = draft.name == zone.name && knobs.apex_cname == ApexCname::Flattened;
        check_cname(draft.record_type, &others, flattened)?;
        check_length(&draft, &others)?;
        Ok(draft)
    }

    /// Records that were deleted a moment ago, and still are in the way of their like.
    fn ghosts(
        &self,
        zone: &Zone,
        now: Timestamp,
        knobs: &Knobs,
    ) -> impl Iterator<Item = &DnsRecord> {
        let ended = self.records.iter().filter_map(History::ended);
        let recent = ended.filter(move |(end, _)| now < *end + knobs.duplicate_after_delete);
        recent
            .map(|(_, record)| record)
            .filter(|record| record.zone == zone.id)
    }
}

fn check_ttl(ttl: u32, knobs: &Knobs) -> Result<(), DnsRefusal> {
    if ttl == AUTOMATIC || (knobs.minimum_ttl..=TTL_LIMIT).contains(&ttl) {
        Ok(())
    } else {
        Err(DnsRefusal::TimeToLive)
    }
}

fn kept_comment(comment: Option<String>, knobs: &Knobs) -> Result<Option<String>, DnsRefusal> {
    let Some(comment) = comment else {
        return Ok(None);
    };
    if comment.chars().count() > COMMENT_LIMIT {
        return Err(DnsRefusal::LongComment);
    }
    Ok(match knobs.comment_kept {
        CommentKept::Whole => Some(comment),
        CommentKept::Dropped => None,
        CommentKept::Truncated(length) => Some(comment.chars().take(length).collect()),
    })
}

/// A CNAME stands alone at its name; one that is flattened is only in the way of addresses.
fn check_cname(
    record_type: RecordType,
    others: &[&DnsRecord],
    flattened: bool,
) -> Result<(), DnsRefusal> {
    let is_address = |kind: RecordType| kind.is_proxiable();
    let mut kinds = others.iter().map(|record| record.record_type);
    match record_type {
        RecordType::Cname => {
            if kinds.any(|kind| !flattened || is_address(kind)) {
                return Err(DnsRefusal::HostTaken);
            }
        }
        RecordType::A | RecordType::Aaaa => {
            if kinds.any(|kind| kind == RecordType::Cname) {
                return Err(DnsRefusal::HostTaken);
            }
        }
        RecordType::Mx | RecordType::Ns | RecordType::Txt => {
            if !flattened && kinds.any(|kind| kind == RecordType::Cname) {
                return Err(DnsRefusal::CnameTaken);
            }
        }
    }
    Ok(())
}

fn check_length(draft: &RecordDraft, others: &[&DnsRecord]) -> Result<(), DnsRefusal> {
    if draft.record_type != RecordType::Txt {
        return Ok(());
    }
    let lengths = others.iter().map(|record| record.txt_length());
    let total: usize = lengths.sum::<usize>() + txt_length(&draft.content);
    if total > NAME_LIMIT {
        return Err(DnsRefusal::Invalid(Flaw::CrowdedName));
    }
    Ok(())
}
