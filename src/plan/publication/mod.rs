//! Publishes the TXT record in Cloudflare DNS, and takes it away again: only what the operator has itself created.
//!
//! Other records at the name (SPF, codes of other accounts) are nobody's business: there is a POST of a new record and a
//! DELETE of our own ID, and nothing else. As with connectors the status says before the POST that there may be a record of
//! ours (a [`Placement`] without a record), and names it after that. A record whose ID was lost on the way is known by its
//! comment, which names the object's UID; the comment alone proves nothing, as Cloudflare may cut it. One that says the same
//! and is not ours serves as well, and is left alone.

mod memory;
mod withdrawal;
mod zone;

use super::desired::Publication;
use super::memory::Trouble;
use super::verdict::{Finding, Said};
use super::world::{Placement, Publisher, Record};
use super::{Act, Look, World, messages, pace, verification};
use crate::clock::Moment;
use crate::cloudflare::{Class, Connector, Endpoint, NewTxtRecord, TxtRecord, VerificationCode};
use crate::identity::ZoneId;
use crate::resource::{Progress, Reason, Truth};

pub use memory::{NoZone, Publishing, RecordsSeen, Search};
pub(super) use withdrawal::plan as withdraw;
pub use zone::choose;

/// What is to be done now, and what is to be said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) course: Course,
    pub(super) said: Said,
}

/// What is to be done about the record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Course {
    /// Nothing before then; never, if it says no moment and the connector stays as it is.
    Rest(Option<Moment>),
    /// Find something out.
    Look(Look),
    /// Look at the connector by its ID: a code that a list shows may be an old one.
    Closer,
    /// Store this.
    Store(Box<Record>),
    /// Store this, then make the call.
    Act(Box<Record>, Act),
}

/// The step for a connector that the object is bound to. `by_id` if it was looked at by its ID just now.
pub(super) fn step(world: &World<'_>, record: &Record, connector: &Connector, by_id: bool) -> Step {
    let Some(publication) = world.desired.publisher() else {
        return Step::idle(Said::Cleared);
    };
    // Also if the domain is verified by now: whose record it is must be known when it goes.
    if let Some(placement) = created(world, record) {
        return Step::store(placed(record, Some(placement)));
    }
    let Some(code) = connector
        .code()
        .filter(|_| !verification::is_verified(connector))
    else {
        return Step::idle(Said::Kept);
    };
    let scene = Scene {
        world,
        record,
        publication,
        code: &code,
        by_id,
    };
    let step = match scene.zone() {
        Ok(zone) => scene.in_zone(&zone),
        Err(step) => *step,
    };
    // What is known to be published needs no token.
    if matches!(step.said, Said::Now(Truth::True, _)) {
        return step;
    }
    kept_waiting(world).unwrap_or(step)
}

/// What makes a dead end of the publication, so that the object waits for a person.
pub(super) fn dead_end(
    world: &World<'_>,
    record: &Record,
    connector: &Connector,
) -> Option<Finding> {
    match step(world, record, connector, true).said {
        Said::Now(Truth::False, finding) if finding.reason.progress() == Progress::Stalled => {
            Some(finding)
        }
        _ => None,
    }
}

/// What a record is marked with that is created for the object.
fn comment(world: &World<'_>) -> String {
    format!("cloudflare-sso-operator {}", world.desired.uid)
}

/// The answer to our POST has named the record, and that is not stored yet.
fn created(world: &World<'_>, record: &Record) -> Option<Placement> {
    let (zone, id) = world.memory.publishing.created.as_ref()?;
    let placement = record.placement.as_ref()?;
    (placement.zone == *zone && placement.record.is_none()).then(|| Placement {
        zone: zone.clone(),
        record: Some(id.clone()),
    })
}

fn placed(record: &Record, placement: Option<Placement>) -> Record {
    Record {
        placement,
        ..record.clone()
    }
}

/// There is no token for it, or it may not be used now.
fn kept_waiting(world: &World<'_>) -> Option<Step> {
    let timing = world.timing;
    match &world.observed.publisher {
        Publisher::Unread => Some(Step::look(Look::Publisher)),
        Publisher::Usable => None,
        Publisher::Waits(due) => Some(Step::rest(*due, Said::Kept)),
        Publisher::Paused(pause) => {
            let shows = world.now.since(pause.since) >= timing.trouble_shows_after;
            let finding = Finding::new(Reason::RateLimited, messages::paused());
            let said = if shows { no(finding) } else { Said::Kept };
            let again = world.now + timing.poll_unverified;
            Some(Step::rest(pause.until.min(again), said))
        }
        Publisher::Unusable {
            reason,
            problem,
            remedy,
        } => {
            let message = match remedy {
                Some(remedy) => messages::dns::no_token(problem, remedy),
                None => messages::dns::refused_token(problem, &world.desired.domain),
            };
            let said = no(Finding::new(*reason, message));
            Some(Step::rest(world.now + timing.secret_retry, said))
        }
    }
}

/// What a step rests on.
struct Scene<'a> {
    world: &'a World<'a>,
    record: &'a Record,
    publication: &'a Publication,
    code: &'a VerificationCode,
    by_id: bool,
}

impl Scene<'_> {
    /// The zone to look at: the one in which a record of ours is or may be, wherever the spec wants it by now, or else the one
    /// to publish in.
    fn zone(&self) -> Result<ZoneId, Box<Step>> {
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

    fn in_zone(&self, zone: &ZoneId) -> Step {
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
        if !is_without_zone(trouble) {
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

/// Our own record, by its ID, or by the comment if the ID was lost and `lost` holds of it. One that we have deleted may be
/// shown for a while.
fn own<'a>(
    world: &World<'_>,
    record: &Record,
    seen: &'a RecordsSeen,
    lost: impl Fn(&TxtRecord) -> bool,
) -> Option<&'a TxtRecord> {
    let placement = record.placement.as_ref()?;
    let deleted = world.memory.publishing.deleted.as_ref();
    let comment = comment(world);
    seen.records
        .iter()
        .filter(|found| is_at(world, found) && Some(&found.id) != deleted)
        .find(|found| match &placement.record {
            Some(id) => found.id == *id,
            None => found.comment == comment && found.says_a_code() && lost(found),
        })
}

/// Whether the record is at the domain itself, whatever else was listed.
fn is_at(world: &World<'_>, found: &TxtRecord) -> bool {
    world.desired.domain.is_named(&found.name)
}

/// Until when it is unknown whether a record that is not shown is not there: reads lag writes.
fn unproved_until(world: &World<'_>, seen: &RecordsSeen) -> Option<Moment> {
    let publishing = &world.memory.publishing;
    // What another process has created is as new as can be.
    let since = publishing.placed_since.unwrap_or(world.now);
    let since = publishing.acted_at.map_or(since, |acted| acted.max(since));
    let due = since + world.timing.difference_confirmation;
    if seen.at < due {
        return Some(due);
    }
    seen.gap.map(|_| seen.at + world.timing.poll_unverified)
}

/// Whether a list of records has shown that there is no such zone.
fn is_without_zone(trouble: &Trouble) -> bool {
    let failure = &trouble.failure;
    failure.endpoint == Endpoint::ListRecords
        && (failure.class == Class::Gone || failure.has_no_route())
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

fn no(finding: Finding) -> Said {
    Said::Now(Truth::False, finding)
}

impl Step {
    const fn idle(said: Said) -> Self {
        Self {
            course: Course::Rest(None),
            said,
        }
    }

    const fn rest(until: Moment, said: Said) -> Self {
        Self {
            course: Course::Rest(Some(until)),
            said,
        }
    }

    const fn look(look: Look) -> Self {
        Self {
            course: Course::Look(look),
            said: Said::Kept,
        }
    }

    const fn closer() -> Self {
        Self {
            course: Course::Closer,
            said: Said::Kept,
        }
    }

    fn store(record: Record) -> Self {
        Self {
            course: Course::Store(Box::new(record)),
            said: Said::Kept,
        }
    }
}
