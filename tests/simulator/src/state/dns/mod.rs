//! DNS at the simulated Cloudflare: zones, their records, and what the world sees of them.
//!
//! | file | its idea |
//! |---|---|
//! | `zone.rs` | zones |
//! | `record.rs` | records, and what is asked of one |
//! | `content.rs` | the content of a TXT record, quoted or not |
//! | `name.rs` | names |
//! | `rules.rs` | what each operation does, and when it is refused |
//! | `truth.rs` | what verification finds at a name |
//! | `elsewhere.rs` | TXT values of domains that have their DNS elsewhere |

mod content;
mod elsewhere;
mod name;
mod record;
mod rules;
mod truth;
mod zone;

pub(crate) use name::canonical;
pub use record::{DnsRecord, RecordChange, RecordDraft, RecordType};
pub(crate) use record::{Match, RecordFilter, RecordRequest};
pub(crate) use rules::Update;
pub use zone::{Zone, ZoneStatus, ZoneType};

use super::history::History;
use super::identifier::Identifiers;
use elsewhere::Elsewhere;

/// Every zone, every record, and TXT values elsewhere.
#[derive(Debug)]
pub(crate) struct Dns {
    identifiers: Identifiers,
    zones: Vec<Zone>,
    records: Vec<History<DnsRecord>>,
    elsewhere: Elsewhere,
}

impl Dns {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            identifiers: Identifiers::new(seed),
            zones: Vec::new(),
            records: Vec::new(),
            elsewhere: Elsewhere::default(),
        }
    }
}

#[cfg(test)]
mod tests;
