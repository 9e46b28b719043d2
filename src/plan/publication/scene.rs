//! What is to be done in the zone, given what it was seen to hold.

use super::memory::RecordsSeen;
use super::proof::{is_at, is_without_zone, own, unproved_until};
use super::{Course, Step, comment, no, placed};
use crate::clock::Moment;
use crate::cloudflare::{Class, Endpoint, NewTxtRecord, TxtRecord, VerificationCode};
use crate::identity::ZoneId;
use crate::plan::desired::Publication;
use crate::plan::memory::Trouble;
use crate::plan::verdict::{Finding, Said};
use crate::plan::world::{Placement, Record};
use crate::plan::{Act, Look, World, messages, pace};
use crate::resource::{Reason, Truth};

/// What a step rests on.
pub(super) struct Scene<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) record: &'a Record,
    pub(super) publication: &'a Publication,
    pub(super) code: &'a VerificationCode,
    pub(super) by_id: bool,
}

impl Scene<'_> {
    /// The zone to look at: the one in which a record of ours is or may be, wherever the spec wants it by now, or else the one
    /// to publish in.
    pub(super) fn zone(&self) -> Result<ZoneId, Box<Step>> {
        let world = self.world;
        if let Some(placement) = &self.record.placement {
            return Ok(placement.zone.clone());
        }
        let oldest = world.no_older_than(world.timing.poll_settled);
        let search = world.memory.publishing.search.as_ref();
        let search =
            search.filter(|search| search.named == self.publication.zone && search.at >= oldest);
        match search {
            None => Err(Box::new(self.call(
                &[Endpoint::ListZones, Endpoint::GetZone],
                Course::Look(Look::Zone),
            ))),
            Some(search) => search.result.clone().map_err(|why| {
                let domain = &world.desired.domain;
                let message = messages::dns::no_zone(domain, self.publication, why);
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
        let moved = self
            .publication
            .zone
            .as_ref()
            .is_some_and(|named| named != zone);
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
                Step::store(placed(self.record, Some(placement)))
            }
            (Some(own), _) if own.says(self.code) && !moved => {
                self.published(seen, messages::dns::published(&world.desired.domain))
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
        let trouble = self.world.memory.publishing.trouble.as_ref()?;
        if !is_without_zone(self.world, trouble) {
            return None;
        }
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
    fn published(&self, seen: &RecordsSeen, message: String) -> Step {
        let finding = Finding::new(Reason::Published, message);
        let again = seen.at + self.world.timing.poll_settled;
        Step::rest(again, Said::Now(Truth::True, finding))
    }

    /// Our record says an old code, or is in another zone than the spec wants.
    fn take_away(&self, seen: &RecordsSeen, own: &TxtRecord) -> Step {
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
        self.call(
            &[Endpoint::DeleteRecord],
            Course::Act(Box::new(self.record.clone()), act),
        )
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
            return self.published(seen, messages::dns::published_by_others(domain));
        }
        if seen.gap.is_some() {
            return Step::rest(seen.at + world.timing.poll_unverified, Said::Kept);
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
        self.call(
            &[Endpoint::CreateRecord],
            Course::Act(Box::new(record), act),
        )
    }

    /// How old a list may be that a POST rests on. One that was refused is not made again before another list.
    fn oldest_to_post_on(&self) -> Moment {
        let world = self.world;
        let limit = world.now.before(world.timing.observation_limit);
        let trouble = world.memory.publishing.trouble.as_ref();
        let refused = trouble.filter(|trouble| trouble.failure.endpoint == Endpoint::CreateRecord);
        let due = refused.and_then(|trouble| pace::next_try(world, trouble));
        due.filter(|due| *due <= world.now)
            .map_or(limit, |due| limit.max(due))
    }

    fn list(&self, zone: &ZoneId) -> Step {
        let look = Look::Records(zone.clone());
        self.call(&[Endpoint::ListRecords], Course::Look(look))
    }

    /// Makes the call, unless one like it has failed so lately that it has to wait.
    fn call(&self, endpoints: &[Endpoint], course: Course) -> Step {
        let trouble = self.world.memory.publishing.trouble.as_ref();
        let trouble = trouble.filter(|trouble| endpoints.contains(&trouble.failure.endpoint));
        match trouble.and_then(|trouble| Some((trouble, pace::next_try(self.world, trouble)?))) {
            Some((trouble, due)) if due > self.world.now => {
                Step::rest(due, troubled(self.world, trouble))
            }
            Some((trouble, _)) => Step {
                course,
                said: troubled(self.world, trouble),
            },
            None => Step {
                course,
                said: Said::Kept,
            },
        }
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
