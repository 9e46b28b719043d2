//! What a resolver out in the world finds at a name.
//!
//! Of the zones that the world sees, the deepest one that encloses the name decides. Where a CNAME stands and no TXT
//! record, it is followed once.

use std::collections::BTreeSet;

use super::name::{canonical, encloses};
use super::{Dns, DnsRecord, RecordType, Zone};

impl Dns {
    /// Adds a TXT value to those that a domain elsewhere has.
    pub(crate) fn publish(&mut self, domain: &str, value: &str) {
        self.elsewhere.publish(domain, value);
    }

    /// Removes every TXT value that was published for a domain elsewhere.
    pub(crate) fn withdraw(&mut self, domain: &str) {
        self.elsewhere.remove(domain);
    }

    /// The TXT values at a name.
    pub(crate) fn txt(&self, name: &str) -> BTreeSet<String> {
        let found = self.txt_right_at(name);
        if !found.is_empty() {
            return found;
        }
        let alias = self
            .served(name)
            .find(|record| record.record_type == RecordType::Cname);
        alias
            .map(|record| self.txt_right_at(&record.content))
            .unwrap_or_default()
    }

    /// Whether one of the TXT values at a name is this one.
    pub(crate) fn holds(&self, name: &str, value: &str) -> bool {
        self.txt(name).contains(value)
    }

    fn txt_right_at(&self, name: &str) -> BTreeSet<String> {
        let served = self.served(name).filter_map(DnsRecord::txt_value);
        let elsewhere = self.elsewhere.values(name).cloned();
        served.chain(elsewhere).collect()
    }

    /// The records that the world sees at a name.
    fn served(&self, name: &str) -> impl Iterator<Item = &DnsRecord> {
        let name = canonical(name);
        let zone = self
            .zones
            .iter()
            .filter(|zone| zone.is_served() && encloses(&zone.name, &name))
            .max_by_key(|zone| zone.name.len());
        zone.into_iter()
            .flat_map(|Zone { id, .. }| self.live(id))
            .filter(move |record| record.name == name)
    }
}
