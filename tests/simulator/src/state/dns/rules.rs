//! What each operation does to the records of a zone, and what people do to them by hand.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{
    Dns, DnsRecord, History, RecordChange, RecordDraft, RecordFilter, RecordRequest, Zone,
};
use crate::dns_refusal::DnsRefusal;
use crate::knobs::Knobs;

/// What an update does to the fields that it does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// They stay: PATCH.
    Merge,
    /// They get their defaults: PUT.
    Replace,
}

impl Dns {
    /// The records of a zone as they are, oldest first.
    pub(crate) fn records(&self, zone: &str) -> Vec<DnsRecord> {
        self.live(zone).cloned().collect()
    }

    /// A record as it is, in whatever zone.
    pub(crate) fn record(&self, id: &str) -> Option<&DnsRecord> {
        let mut live = self.records.iter().filter_map(History::latest);
        live.find(|record| record.id == id)
    }

    pub(super) fn live(&self, zone: &str) -> impl Iterator<Item = &DnsRecord> {
        let live = self.records.iter().filter_map(History::latest);
        live.filter(move |record| record.zone == zone)
    }

    /// The records of a zone that pass a filter, as a lagging list sees them, oldest first.
    pub(crate) fn list(
        &self,
        zone: &str,
        filter: &RecordFilter,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Vec<&DnsRecord> {
        self.seen(zone, now, knobs.record_lag)
            .filter(|record| filter.passes(record, knobs.record_quotes))
            .collect()
    }

    /// A record as a lagging read sees it.
    pub(crate) fn get(
        &self,
        zone: &str,
        id: &str,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<&DnsRecord, DnsRefusal> {
        self.seen(zone, now, knobs.record_lag)
            .find(|record| record.id == id)
            .ok_or(DnsRefusal::UnknownRecord)
    }

    fn seen(&self, zone: &str, now: Timestamp, lag: Duration) -> impl Iterator<Item = &DnsRecord> {
        let seen = self
            .records
            .iter()
            .filter_map(move |stored| stored.seen(now, lag));
        seen.filter(move |record| record.zone == zone)
    }

    pub(crate) fn create(
        &mut self,
        zone: &str,
        request: RecordRequest,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<DnsRecord, DnsRefusal> {
        let zone = self.zone(zone).cloned().ok_or(DnsRefusal::UnknownZone)?;
        let draft = request.onto(None)?;
        let draft = self.admitted(&zone, draft, None, now, knobs)?;
        Ok(self.store(&zone, draft, now))
    }

    pub(crate) fn update(
        &mut self,
        zone: &str,
        id: &str,
        request: RecordRequest,
        update: Update,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Result<DnsRecord, DnsRefusal> {
        let zone = self.zone(zone).cloned().ok_or(DnsRefusal::UnknownZone)?;
        let record = self.owned(&zone.id, id)?;
        let base = match update {
            Update::Merge => Some(record.draft()),
            Update::Replace => None,
        };
        let draft = self.admitted(&zone, request.onto(base)?, Some(id), now, knobs)?;
        self.overwrite(id, draft, now)
    }

    pub(crate) fn delete(
        &mut self,
        zone: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), DnsRefusal> {
        self.owned(zone, id)?;
        self.remove(id, now).map(drop)
    }

    /// Makes a record that only has to be well formed.
    pub(crate) fn insert(
        &mut self,
        zone: &str,
        draft: RecordDraft,
        now: Timestamp,
    ) -> Result<DnsRecord, DnsRefusal> {
        let zone = self.zone(zone).cloned().ok_or(DnsRefusal::UnknownZone)?;
        let draft = draft.well_formed(&zone.name)?;
        Ok(self.store(&zone, draft, now))
    }

    /// Changes a record into one that only has to be well formed.
    pub(crate) fn change(
        &mut self,
        id: &str,
        change: RecordChange,
        now: Timestamp,
    ) -> Result<DnsRecord, DnsRefusal> {
        let record = self.record(id).ok_or(DnsRefusal::UnknownRecord)?;
        let zone = self.zone(&record.zone).ok_or(DnsRefusal::UnknownZone)?;
        let draft = RecordRequest::from(change).onto(Some(record.draft()))?;
        let draft = draft.well_formed(&zone.name)?;
        self.overwrite(id, draft, now)
    }

    /// Deletes a record and returns what it was.
    pub(crate) fn remove(&mut self, id: &str, now: Timestamp) -> Result<DnsRecord, DnsRefusal> {
        let stored = self.stored(id)?;
        let last = stored.latest().cloned();
        stored.delete(now);
        last.ok_or(DnsRefusal::UnknownRecord)
    }

    fn store(&mut self, zone: &Zone, draft: RecordDraft, now: Timestamp) -> DnsRecord {
        let record = DnsRecord {
            id: self.identifiers.hex(),
            zone: zone.id.clone(),
            record_type: draft.record_type,
            name: draft.name,
            content: draft.content,
            ttl: draft.ttl,
            proxied: draft.proxied,
            comment: draft.comment,
            tags: draft.tags,
            created_on: now,
            modified_on: now,
        };
        self.records.push(History::new(record.clone(), now));
        record
    }

    /// Stores a version of a record with what the draft says; its `modified_on` always grows.
    fn overwrite(
        &mut self,
        id: &str,
        draft: RecordDraft,
        now: Timestamp,
    ) -> Result<DnsRecord, DnsRefusal> {
        let stored = self.stored(id)?;
        let before = stored.latest().cloned().ok_or(DnsRefusal::UnknownRecord)?;
        let record = DnsRecord {
            record_type: draft.record_type,
            name: draft.name,
            content: draft.content,
            ttl: draft.ttl,
            proxied: draft.proxied,
            comment: draft.comment,
            tags: draft.tags,
            modified_on: now.max(before.modified_on + Duration::from_micros(1)),
            ..before
        };
        stored.put(record.clone(), now);
        Ok(record)
    }

    fn owned(&self, zone: &str, id: &str) -> Result<&DnsRecord, DnsRefusal> {
        self.record(id)
            .filter(|record| record.zone == zone)
            .ok_or(DnsRefusal::UnknownRecord)
    }

    fn stored(&mut self, id: &str) -> Result<&mut History<DnsRecord>, DnsRefusal> {
        self.records
            .iter_mut()
            .find(|stored| stored.latest().is_some_and(|record| record.id == id))
            .ok_or(DnsRefusal::UnknownRecord)
    }
}
