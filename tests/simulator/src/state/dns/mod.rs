//! DNS at the simulated Cloudflare: zones, their records, and what the world sees of them.
//!
//! | file | its idea |
//! |---|---|
//! | `zone.rs` | zones |
//! | `record.rs` | records |
//! | `draft.rs` | records to be |
//! | `filter.rs` | which records a list shows |
//! | `content.rs` | the content of a TXT record, quoted or not |
//! | `name.rs` | names |
//! | `rules.rs` | what each operation does |
//! | `admission.rs` | when a record is refused |
//! | `truth.rs` | what verification finds at a name |
//! | `elsewhere.rs` | TXT values of domains that have their DNS elsewhere |

mod admission;
mod content;
mod draft;
mod elsewhere;
mod filter;
mod name;
mod record;
mod rules;
mod truth;
mod zone;

pub(crate) use draft::RecordRequest;
pub use draft::{RecordChange, RecordDraft};
pub(crate) use filter::{Match, RecordFilter};
pub(crate) use name::canonical;
pub use record::{DnsRecord, RecordType};
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
