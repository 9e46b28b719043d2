//! Zones: what they are, and the hands that make and change them.

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{canonical, completed};
use super::{Dns, History};
use crate::dns_refusal::DnsRefusal;

/// How far a zone is in moving to Cloudflare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneStatus {
    /// It is being set up.
    Initializing,
    /// Its delegation is awaited.
    Pending,
    /// It is delegated to Cloudflare: the world sees its records.
    Active,
    /// It was delegated to somebody else.
    Moved,
}

/// Who is authoritative for a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneType {
    /// Cloudflare.
    Full,
    /// Somebody else, who has single names point to Cloudflare; so the world sees no TXT record of the zone.
    Partial,
}

/// A zone as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Zone {
    /// 32 lower-case hex digits.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// Its name, in lower case without a final dot.
    pub name: String,
    /// How far it is.
    pub status: ZoneStatus,
    /// Who is authoritative.
    #[serde(rename = "type")]
    pub zone_type: ZoneType,
}

impl Zone {
    /// Whether the world sees the zone's records.
    pub(super) fn is_served(&self) -> bool {
        self.status == ZoneStatus::Active && self.zone_type == ZoneType::Full
    }
}

impl Dns {
    /// Adds a full, active zone. Several accounts may have one of the same name.
    pub(crate) fn add_zone(&mut self, account: &str, name: &str) -> Zone {
        let zone = Zone {
            id: self.identifiers.hex(),
            account: account.to_owned(),
            name: canonical(name),
            status: ZoneStatus::Active,
            zone_type: ZoneType::Full,
        };
        self.zones.push(zone.clone());
        zone
    }

    /// All zones, oldest first.
    pub(crate) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    pub(crate) fn zone(&self, id: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.id == id)
    }

    /// The full name of what is sent for a record of the zone.
    pub(crate) fn full_name(&self, zone: &str, sent: &str) -> Option<String> {
        self.zone(zone).map(|zone| completed(&zone.name, sent))
    }

    /// Changes a zone without asking any rule.
    pub(crate) fn change_zone(
        &mut self,
        id: &str,
        edit: impl FnOnce(&mut Zone),
    ) -> Result<Zone, DnsRefusal> {
        let mut zones = self.zones.iter_mut();
        let zone = zones.find(|zone| zone.id == id);
        let zone = zone.ok_or(DnsRefusal::UnknownZone)?;
        edit(zone);
        Ok(zone.clone())
    }

    /// Takes a zone away, with all of its records.
    pub(crate) fn delete_zone(&mut self, id: &str, now: Timestamp) -> Result<Zone, DnsRefusal> {
        let zone = self.zone(id).cloned().ok_or(DnsRefusal::UnknownZone)?;
        self.zones.retain(|zone| zone.id != id);
        let records = self.records.iter_mut().filter(|stored| {
            let record = stored.latest();
            record.is_some_and(|record| record.zone == id)
        });
        records.for_each(|stored: &mut History<_>| stored.delete(now));
        Ok(zone)
    }
}
