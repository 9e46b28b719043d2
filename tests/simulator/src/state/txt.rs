//! DNS truth, as far as verification needs it: TXT values by domain.

use std::collections::{BTreeMap, BTreeSet};

/// The TXT records that the simulated Cloudflare sees when it looks at DNS.
#[derive(Debug, Default)]
pub(super) struct TxtTable(BTreeMap<String, BTreeSet<String>>);

impl TxtTable {
    pub(super) fn publish(&mut self, domain: &str, value: &str) {
        self.0
            .entry(canonical(domain))
            .or_default()
            .insert(value.to_owned());
    }

    pub(super) fn remove(&mut self, domain: &str) {
        self.0.remove(&canonical(domain));
    }

    pub(super) fn values(&self, domain: &str) -> Vec<String> {
        self.0
            .get(&canonical(domain))
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    pub(super) fn holds(&self, domain: &str, value: &str) -> bool {
        self.0
            .get(&canonical(domain))
            .is_some_and(|values| values.contains(value))
    }
}

/// How two spellings of one domain compare: in lower case, without a final dot.
pub(crate) fn canonical(domain: &str) -> String {
    domain
        .strip_suffix('.')
        .unwrap_or(domain)
        .to_ascii_lowercase()
}
