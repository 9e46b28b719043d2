//! DNS by hand: zones, their records, and TXT values of domains that have their DNS elsewhere.

use super::Admin;
use crate::dns_refusal::DnsRefusal;
use crate::state::{
    DnsRecord, Permission, RecordChange, RecordDraft, TokenRequest, Zone, ZoneStatus, ZoneType,
};
use crate::world::World;

impl Admin {
    /// Opens an account that has an identity provider, and issues a token under `label` that may do everything in it and in
    /// all of its zones. Returns the token.
    #[must_use]
    pub fn add_ready_account_with_dns(&self, account: &str, label: &str) -> String {
        self.add_account(account);
        self.add_identity_provider(account);
        let request = TokenRequest::new(label)
            .grant(account, Permission::ALL)
            .grant(account, Permission::DNS);
        self.issue_token(request)
    }

    /// Adds a full, active zone to an account, which is opened if need be. Returns the zone's ID.
    #[must_use]
    pub fn add_zone(&self, account: &str, name: &str) -> String {
        self.shared.with(|world| {
            world.model.add_account(account);
            world.model.dns.add_zone(account, name).id
        })
    }

    /// Sets how far a zone is; the world sees the records of active zones only.
    ///
    /// # Errors
    /// If no zone has this ID.
    pub fn set_zone_status(&self, id: &str, status: ZoneStatus) -> Result<Zone, DnsRefusal> {
        self.change_zone(id, |zone| zone.status = status)
    }

    /// Sets who is authoritative for a zone; the world sees the records of full zones only.
    ///
    /// # Errors
    /// If no zone has this ID.
    pub fn set_zone_type(&self, id: &str, zone_type: ZoneType) -> Result<Zone, DnsRefusal> {
        self.change_zone(id, |zone| zone.zone_type = zone_type)
    }

    pub(crate) fn change_zone(
        &self,
        id: &str,
        edit: impl FnOnce(&mut Zone),
    ) -> Result<Zone, DnsRefusal> {
        self.shared
            .with(|world| world.model.dns.change_zone(id, edit))
    }

    /// Takes a zone away, with all of its records, and returns what it was.
    ///
    /// # Errors
    /// If no zone has this ID.
    pub fn delete_zone(&self, id: &str) -> Result<Zone, DnsRefusal> {
        self.shared.with(|world| {
            let now = world.now();
            world.model.dns.delete_zone(id, now)
        })
    }

    /// All zones, oldest first.
    #[must_use]
    pub fn zones(&self) -> Vec<Zone> {
        self.shared.read(World::zones)
    }

    /// The records of a zone as they are, whatever lagging reads show; oldest first.
    #[must_use]
    pub fn records(&self, zone: &str) -> Vec<DnsRecord> {
        self.shared.read(|world| world.records(zone))
    }

    /// A record as it is, in whatever zone.
    #[must_use]
    pub fn record(&self, id: &str) -> Option<DnsRecord> {
        self.shared.read(|world| world.record(id))
    }

    /// Makes a record by hand; it only has to be well formed.
    ///
    /// # Errors
    /// If no zone has this ID, or name or content cannot be what they are for.
    pub fn create_record(&self, zone: &str, draft: RecordDraft) -> Result<DnsRecord, DnsRefusal> {
        self.shared.with(|world| {
            let now = world.now();
            world.model.dns.insert(zone, draft, now)
        })
    }

    /// Changes a record by hand; it only has to stay well formed, and `modified_on` grows.
    ///
    /// # Errors
    /// If no record has this ID, or name or content cannot be what they are for.
    pub fn change_record(&self, id: &str, change: RecordChange) -> Result<DnsRecord, DnsRefusal> {
        self.shared.with(|world| {
            let now = world.now();
            world.model.dns.change(id, change, now)
        })
    }

    /// Deletes a record by hand, and returns what it was.
    ///
    /// # Errors
    /// If no record has this ID.
    pub fn delete_record(&self, id: &str) -> Result<DnsRecord, DnsRefusal> {
        self.shared.with(|world| {
            let now = world.now();
            world.model.dns.remove(id, now)
        })
    }

    /// Adds a TXT value to those that a domain has whose DNS is elsewhere.
    pub fn publish_txt(&self, domain: &str, value: &str) {
        self.shared
            .with(|world| world.model.dns.publish(domain, value));
    }

    /// Removes every TXT value that was published for a domain; records in zones stay.
    pub fn remove_txt(&self, domain: &str) {
        self.shared.with(|world| world.model.dns.withdraw(domain));
    }

    /// The TXT values of a domain, sorted: those in zones that the world sees, and those that were published.
    #[must_use]
    pub fn txt(&self, domain: &str) -> Vec<String> {
        self.shared
            .read(|world| world.model.dns.txt(domain).into_iter().collect())
    }
}
