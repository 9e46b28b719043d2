//! Which records a list shows.

use super::DnsRecord;
use super::name::canonical;
use crate::knobs::RecordQuotes;

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
