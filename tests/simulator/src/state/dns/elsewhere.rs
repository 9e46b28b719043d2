//! TXT values of domains whose DNS is not at the simulated Cloudflare, as people publish them by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::name::canonical;

/// TXT values by domain.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(BTreeMap<String, BTreeSet<String>>);

impl Elsewhere {
    pub(super) fn publish(&mut self, domain: &str, value: &str) {
        self.0
            .entry(canonical(domain))
            .or_default()
            .insert(value.to_owned());
    }

    pub(super) fn remove(&mut self, domain: &str) {
        self.0.remove(&canonical(domain));
    }

    pub(super) fn values(&self, domain: &str) -> impl Iterator<Item = &String> {
        self.0.get(&canonical(domain)).into_iter().flatten()
    }
}
