//! What is to be done in the zone, given what it was seen to hold.

use super::memory::RecordsSeen;
use super::proof::{is_at, is_without_zone, own, unproved_until};
use super::{Course, Step, comment, no, placed, published};
use crate::clock::Moment;
use crate::cloudflare::{Class, Endpoint, NewTxtRecord, TxtRecord, VerificationCode};
use crate::identity::ZoneId;
use crate::plan::desired::Publication;
use crate::plan::memory::Trouble;
use crate::plan::verdict::{Finding, Said};
use crate::plan::world::{Placement, Record};
use crate::plan::{Act, Look, World, messages, pace};
use crate::resource::Reason;

/// What a step rests on.
pub(super) struct Scene<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) record: &'a Record,
    pub(super) publication: &'a Publication,
    pub(super) code: &'a VerificationCode,
    pub(super) by_id: bool,
}

impl Scene<'_> {
    /// The zone to look at: the one in which a record of ours is or may be, or else the one to publish in. A record leaves its
    /// zone only when the one that the spec names instead was seen.
    pub(super) fn zone(&self) -> Result<ZoneId, Box<Step>> {
        match &self.record.placement {
            Some(known) if self.is_elsewhere(&known.zone) => {
                self.wanted_zone().map(|_| known.zone.clone())
            }
            Some(known) => Ok(known.zone.clone()),
            None => self.wanted_zone(),
        }
    }

    /// Whether the spec names another zone.
    fn is_elsewhere(&self, zone: &ZoneId) -> bool {
        let named = self.publication.zone.as_ref();
        named.is_some_and(|named| named != zone)
    }

    fn wanted_zone(&self) -> Result<ZoneId, Box<Step>> {
        let world = self.world;
        let endpoint = match self.publication.zone {
            Some(_) => Endpoint::GetZone,
            None => Endpoint::ListZones,
        };
        let oldest = world.no_older_than(world.timing.poll_settled);
        let search = world.memory.publishing.search.as_ref();
        let search =
            search.filter(|search| search.named == self.publication.zone && search.at >= oldest);
        match search {
            None => Err(Box::new(self.call(endpoint, Course::Look(Look::Zone)))),
            Some(search) => search.result.clone().map_err(|why| {
                let domain = &world.desired.domain;
                let placed = self.record.placement.as_ref();
                let message = messages::dns::no_zone(domain, self.publication, placed, why);
                let said = no(Finding::new(Reason::ZoneNotFound, message));
                Box::new(Step::rest(search.at + world.timing.poll_settled, said))
            }),
        }
    }

    pub(super) fn in_zone(&self, zone: &ZoneId) -> Step {
        let world = self.world;
        if let Some(step) = self.without_zone() {
            return step;
        }
        let oldest = world.no_older_than(world.timing.poll_settled);
        let seen = world.memory.publishing.records_in(zone);
        let Some(seen) = seen.filter(|seen| seen.at >= oldest) else {
            return self.list(zone);
        };
        let moved = self.is_elsewhere(zone);
        // What says another code may be one that another process has deleted, and that reads still show.
        let lost =
            |found: &TxtRecord| found.says(self.code) || unproved_until(world, seen).is_none();
        let own = own(world, self.record, seen, lost);
        match (own, &self.record.placement) {
            (Some(own), Some(known)) if known.record.as_ref() != Some(&own.id) => {
                let placement = Placement {
                    zone: zone.clone(),
                    record: Some(own.id.clone()),
                };
                let step = Step::store(placed(self.record, Some(placement)));
                if own.says(self.code) && !moved {
                    step.saying(published(messages::dns::published(&world.desired.domain)))
                } else {
                    step
                }
            }
            (Some(own), _) if own.says(self.code) && !moved => {
                self.standing(seen, messages::dns::published(&world.desired.domain))
            }
            (Some(own), _) if own.says_a_code() => self.take_away(seen, own),
            // Somebody has made another record of it: it is theirs.
            (Some(_), _) => Step::store(placed(self.record, None)),
            (None, Some(known)) => self.lost(seen, known, moved),
            (None, None) => self.publish(seen),
        }
    }

    /// The zone has gone, and our record with it.
    fn without_zone(&self) -> Option<Step> {
        let trouble = is_without_zone(self.world)?;
        if self.record.placement.is_some() {
            return Some(Step::store(placed(self.record, None)));
        }
        let said = no(Finding::new(
            Reason::ZoneNotFound,
            messages::dns::zone_gone(),
        ));
        let again = trouble.last + self.world.timing.poll_settled;
        (again > self.world.now).then(|| Step::rest(again, said))
    }

    /// The record is there.
    fn standing(&self, seen: &RecordsSeen, message: String) -> Step {
        let again = seen.at + self.world.timing.poll_settled;
        Step::rest(again, published(message))
    }

    /// Our record says an old code, or is in another zone than the spec wants.
    fn take_away(&self, seen: &RecordsSeen, own: &TxtRecord) -> Step {
        if let Some(step) = self.held_back(Endpoint::DeleteRecord) {
            return step;
        }
        if !self.by_id {
            return Step::closer();
        }
        // Somebody may have made another record of it since.
        if seen.at < self.world.now.before(self.world.timing.observation_limit) {
            return self.list(&seen.zone);
        }
        let act = Act::Unpublish {
            zone: seen.zone.clone(),
            record: own.id.clone(),
        };
        let record = Box::new(self.record.clone());
        self.call(Endpoint::DeleteRecord, Course::Act(record, act))
    }

    /// Our record is not where it was, or was never created.
    fn lost(&self, seen: &RecordsSeen, known: &Placement, moved: bool) -> Step {
        let deleted =
            known.record.is_some() && self.world.memory.publishing.deleted == known.record;
        if let Some(due) = unproved_until(self.world, seen).filter(|_| !deleted) {
            return if due > self.world.now {
                Step::rest(due, Said::Kept)
            } else {
                self.list(&known.zone)
            };
        }
        let stands = seen
            .records
            .iter()
            .any(|found| is_at(self.world, found) && found.says(self.code));
        if known.record.is_some() || moved || stands {
            return Step::store(placed(self.record, None));
        }
        self.publish(seen)
    }

    fn publish(&self, seen: &RecordsSeen) -> Step {
        let world = self.world;
        let domain = &world.desired.domain;
        let stands = |found: &&TxtRecord| is_at(world, found) && found.says(self.code);
        if seen.records.iter().any(|found| stands(&found)) {
            return self.standing(seen, messages::dns::published_by_others(domain));
        }
        if let Some(gap) = seen.gap {
            return self.list_again(seen, gap);
        }
        if let Some(step) = self.held_back(Endpoint::CreateRecord) {
            return step;
        }
        if !self.by_id {
            return Step::closer();
        }
        if seen.at < self.oldest_to_post_on() {
            return self.list(&seen.zone);
        }
        let placement = Placement {
            zone: seen.zone.clone(),
            record: None,
        };
        let ttl = self.publication.ttl;
        let act = Act::Publish {
            zone: seen.zone.clone(),
            record: NewTxtRecord::proving(domain, self.code, ttl, comment(world)),
        };
        let record = placed(self.record, Some(placement));
        self.call(Endpoint::CreateRecord, Course::Act(Box::new(record), act))
    }

    /// The list may lack records, perhaps the one that is wanted.
    fn list_again(&self, seen: &RecordsSeen, gap: &str) -> Step {
        let world = self.world;
        let due = seen.at + world.timing.poll_unverified;
        let since = world.memory.publishing.gap_since.unwrap_or(world.now);
        let said = if world.now.since(since) >= world.timing.trouble_shows_after {
            let message = messages::dns::no_proof(gap);
            no(Finding::new(Reason::CloudflareUnavailable, message))
        } else {
            Said::Kept
        };
        if due > world.now {
            Step::rest(due, said)
        } else {
            self.list(&seen.zone)
        }
    }

    /// How old a list may be that a POST rests on. One that was refused is not made again before another list.
    fn oldest_to_post_on(&self) -> Moment {
        let world = self.world;
        let limit = world.now.before(world.timing.observation_limit);
        let refused = world.memory.publishing.trouble(Endpoint::CreateRecord);
        let due = refused.and_then(|trouble| pace::next_try(world, trouble));
        due.filter(|due| *due <= world.now)
            .map_or(limit, |due| limit.max(due))
    }

    fn list(&self, zone: &ZoneId) -> Step {
        let look = Look::Records(zone.clone());
        self.call(Endpoint::ListRecords, Course::Look(look))
    }

    /// Makes the call, unless the last one like it has failed so lately that this one has to wait.
    fn call(&self, endpoint: Endpoint, course: Course) -> Step {
        let trouble = self.world.memory.publishing.trouble(endpoint);
        let said = trouble.map_or(Said::Kept, |trouble| troubled(self.world, trouble));
        let step = Step { course, said };
        self.held_back(endpoint).unwrap_or(step)
    }

    /// The call has failed so lately that the next one has to wait, and nothing need be looked at for it.
    fn held_back(&self, endpoint: Endpoint) -> Option<Step> {
        let trouble = self.world.memory.publishing.trouble(endpoint)?;
        let due = pace::next_try(self.world, trouble)?;
        (due > self.world.now).then(|| Step::rest(due, troubled(self.world, trouble)))
    }
}

/// What is to be said of calls that fail.
fn troubled(world: &World<'_>, trouble: &Trouble) -> Said {
    let message = &trouble.failure.message;
    let finding = match trouble.failure.class {
        Class::Rejected => Finding::new(Reason::Rejected, messages::dns::rejected(message)),
        Class::Unauthorized => return Said::Kept,
        _ if !pace::shows(world, trouble) => return Said::Kept,
        Class::RateLimited => Finding::new(Reason::RateLimited, messages::paused()),
        Class::NotSent | Class::Unavailable | Class::Gone => {
            Finding::new(Reason::CloudflareUnavailable, messages::trouble(message))
        }
    };
    no(finding)
}
