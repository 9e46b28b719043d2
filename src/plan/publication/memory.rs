//! What one process remembers of the publication of an object's TXT record between passes.

use super::posted::Posted;
use crate::clock::Moment;
use crate::cloudflare::{Class, Endpoint, Failure, TxtRecord};
use crate::identity::{RecordId, ZoneId};
use crate::plan::desired::Edition;
use crate::plan::memory::Trouble;
use crate::plan::world::Placement;

/// What the process remembers of the publication.
#[derive(Debug, Clone, Default, Hash)]
pub struct Publishing {
    /// How the last search for the zone ended.
    pub search: Option<Box<Search>>,
    /// The TXT records at the domain, as the zone was last seen to have them.
    pub records: Option<Box<RecordsSeen>>,
    /// The record that the answer to our POST has named, until its ID is stored.
    pub created: Option<(ZoneId, RecordId)>,
    /// The record that we have deleted last, once Cloudflare has confirmed that.
    pub deleted: Option<RecordId>,
    /// Since when this process knows that there is a record of ours, or may be.
    pub placed_since: Option<Moment>,
    /// When the last call ended that may have changed a record: what was seen before does not count any more.
    pub acted_at: Option<Moment>,
    /// The zone in which our last POST certainly created nothing, as Cloudflare refused it.
    pub refused: Option<ZoneId>,
    /// Since when every list of records has said that there is no such zone.
    pub zone_missing_since: Option<Moment>,
    /// Since when no list of records was known to be whole.
    pub gap_since: Option<Moment>,
    /// The failures since the last success, of each endpoint that has failed.
    pub troubles: Vec<Trouble>,
}

/// A search for the zone in which the domain's records are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Search {
    /// The zone that the spec names, if it names one.
    pub named: Option<ZoneId>,
    /// When it was begun.
    pub at: Moment,
    /// How it ended.
    pub result: Result<ZoneId, NoZone>,
}

/// Why there is no zone to publish in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoZone {
    /// The token may see no zone of the domain or of a domain above it.
    NotFound,
    /// There is one, and Cloudflare's name servers do not answer for it.
    Inactive,
    /// There is one of a type that other name servers answer for.
    ServedElsewhere,
    /// There are several of the same name, in accounts of which none is the connector's.
    Ambiguous,
    /// The zone that the spec names does not exist, or the token may not see it.
    NamedNotFound,
    /// The zone that the spec names is of another domain.
    NamedForAnother,
}

/// The TXT records at the domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordsSeen {
    /// In which zone.
    pub zone: ZoneId,
    /// When they were asked for.
    pub at: Moment,
    /// The records.
    pub records: Vec<TxtRecord>,
    /// Why there may be others, if there may.
    pub gap: Option<&'static str>,
}

impl Publishing {
    /// A pass begins. Takes note of when it was first seen that a record was, or may have been, created; what it was named is
    /// of use only until that is stored.
    pub(in crate::plan) fn begins(&mut self, placement: Option<&Placement>, now: Moment) {
        let awaits_its_id = placement.is_some_and(|known| known.record.is_none());
        self.created.take_if(|_| !awaits_its_id);
        self.placed_since = placement.map(|_| self.placed_since.unwrap_or(now));
    }

    /// The failures of an endpoint since it last worked.
    #[must_use]
    pub fn trouble(&self, endpoint: Endpoint) -> Option<&Trouble> {
        let mut troubles = self.troubles.iter();
        troubles.find(|trouble| trouble.failure.endpoint == endpoint)
    }

    /// A call has worked. What failed at another endpoint may fail again.
    pub fn succeeded(&mut self, endpoint: Endpoint) {
        if endpoint == Endpoint::ListRecords {
            self.zone_missing_since = None;
        }
        self.take_trouble(endpoint);
    }

    fn take_trouble(&mut self, endpoint: Endpoint) -> Option<Trouble> {
        let mut troubles = self.troubles.iter();
        let place = troubles.position(|trouble| trouble.failure.endpoint == endpoint)?;
        Some(self.troubles.remove(place))
    }

    /// A call has failed. That there is the same record already is no refusal of it: the zone will show it, perhaps later. And
    /// that a zone cannot be found in which there were records is not believed at once.
    pub fn failed(&mut self, mut failure: Failure, edition: Edition, now: Moment) {
        let is_missing = failure.class == Class::Gone || failure.has_no_route();
        match failure.endpoint {
            Endpoint::ListRecords => {
                let since = self.zone_missing_since.unwrap_or(now);
                self.zone_missing_since = is_missing.then_some(since);
                if is_missing {
                    failure.class = Class::Unavailable;
                }
            }
            // Lists will show whether it is so.
            Endpoint::DeleteRecord if is_missing => failure.class = Class::Unavailable,
            _ => {}
        }
        if failure.is_duplicate_record() {
            failure.class = Class::Unavailable;
        }
        let before = self.take_trouble(failure.endpoint);
        let trouble = Trouble::after(before, failure, edition, now);
        self.troubles.push(trouble);
    }

    /// A search for the zone has ended. Whether the zone that it found is there, is for the next lists to say.
    pub fn found(&mut self, search: Search) {
        if search.result.is_ok() {
            self.zone_missing_since = None;
        }
        self.search = Some(Box::new(search));
    }

    /// The zone has shown its records.
    pub fn saw(&mut self, seen: RecordsSeen) {
        self.gap_since = seen.gap.map(|_| self.gap_since.unwrap_or(seen.at));
        self.records = Some(Box::new(seen));
    }

    /// A POST has ended.
    pub fn posted(&mut self, zone: &ZoneId, outcome: Posted, now: Moment) {
        self.acted_at = Some(now);
        self.placed_since = Some(now);
        self.refused = (outcome == Posted::Refused).then(|| zone.clone());
        self.created = match outcome {
            Posted::Created(id) => Some((zone.clone(), id)),
            Posted::Refused | Posted::Unknown => None,
        };
    }

    /// A DELETE has ended, and this is the record that is gone for certain, if it is.
    pub fn deleted(&mut self, gone: Option<RecordId>, now: Moment) {
        self.acted_at = Some(now);
        self.deleted = gone.or(self.deleted.take());
    }

    /// The records of the zone, unless they are from before our own last change.
    #[must_use]
    pub fn records_in(&self, zone: &ZoneId) -> Option<&RecordsSeen> {
        let counts = |seen: &&RecordsSeen| self.acted_at.is_none_or(|acted| acted <= seen.at);
        self.records
            .as_deref()
            .filter(|seen| seen.zone == *zone)
            .filter(counts)
    }
}
