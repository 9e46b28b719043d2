//! Publishes the TXT record in Cloudflare DNS, and takes it away again: only what the operator has itself created.
//!
//! Other records at the name (SPF, codes of other accounts) are nobody's business: there is a POST of a new record and a
//! DELETE of our own ID, and nothing else. As with connectors the status says before the POST that there may be a record of
//! ours (a [`Placement`] without a record), and names it after that. A record whose ID was lost on the way is known by its
//! comment, which names the object's UID; the comment alone proves nothing, as Cloudflare may cut it. One that says the same
//! and is not ours serves as well, and is left alone.

mod memory;
mod posted;
mod proof;
mod scene;
mod withdrawal;
mod zone;

use super::desired::Publication;
use super::verdict::{Finding, Said};
use super::world::{Placement, Publisher, Record, Told, Unusable};
use super::{Act, Look, World, messages, verification};
use crate::clock::Moment;
use crate::cloudflare::Connector;
use crate::resource::{Progress, Reason, Truth};
use scene::Scene;

pub use memory::{NoZone, Publishing, RecordsSeen, Search};
pub use posted::Posted;
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
    // Also if the domain is verified by now: whose record it is must be known when it goes. Cloudflare's answer has said that
    // it is there, and nobody may look at it any more.
    if let Some(placement) = created(world, record) {
        let said = if verification::is_verified(connector) {
            was_published(world)
        } else {
            published(messages::dns::published(&world.desired.domain))
        };
        return Step::store(placed(record, Some(placement))).saying(said);
    }
    let Some(code) = connector
        .code()
        .filter(|_| !verification::is_verified(connector))
    else {
        return Step::idle(said_afterwards(world, record, connector));
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
    let rechecks = matches!(step.course, Course::Look(Look::Records(_)));
    match kept_waiting(world, record, publication) {
        None => step,
        Some(waits) if record.told == Told::Published && rechecks => Step {
            said: Said::Kept,
            ..waits
        },
        Some(waits) => waits,
    }
}

/// Once the domain is verified nobody looks at the record, so nothing is said of it as it is now; and what has hindered it
/// keeps nobody waiting.
fn said_afterwards(world: &World<'_>, record: &Record, connector: &Connector) -> Said {
    let placement = record.placement.as_ref();
    let is_created = placement.is_some_and(|known| known.record.is_some());
    match record.told {
        Told::Published if verification::is_verified(connector) => was_published(world),
        // What may pass has hindered us to look at it, and not to create it.
        Told::Delayed if is_created && verification::is_verified(connector) => was_published(world),
        Told::Nothing | Told::Published => Said::Kept,
        Told::Delayed | Told::DeadEnd => Said::Cleared,
    }
}

/// How the publication stands, for an object that awaits its verification.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outlook {
    /// Nobody publishes the record but a person.
    ByHand,
    /// The operator is at it, or has done it.
    UnderWay,
    /// The object waits for a person.
    DeadEnd(Finding),
    /// It waited for a person, and nothing else is known yet.
    Unknown,
}

pub(super) fn outlook(world: &World<'_>, record: &Record, connector: &Connector) -> Outlook {
    if world.desired.publisher().is_none() {
        return Outlook::ByHand;
    }
    match step(world, record, connector, true).said {
        Said::Now(Truth::False, finding) if finding.reason.progress() == Progress::Stalled => {
            Outlook::DeadEnd(finding)
        }
        Said::Kept if record.told == Told::DeadEnd => Outlook::Unknown,
        _ => Outlook::UnderWay,
    }
}

/// The record of ours that Cloudflare certainly did not create is none.
pub(super) fn after_refusal(world: &World<'_>, record: &mut Record) {
    let refused = world.memory.publishing.refused.as_ref();
    record
        .placement
        .take_if(|known| known.record.is_none() && Some(&known.zone) == refused);
}

/// Where a record of ours is, or may be, that goes with the connector; none if the spec does not say any more who publishes it.
pub(super) fn to_withdraw(world: &World<'_>) -> Option<Placement> {
    world.desired.publisher()?;
    let mut record = world.record.clone();
    after_refusal(world, &mut record);
    created(world, &record).or(record.placement)
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
fn kept_waiting(world: &World<'_>, record: &Record, publication: &Publication) -> Option<Step> {
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
        Publisher::Unusable(Unusable {
            reason,
            problem,
            remedy,
        }) => {
            let (desired, placed) = (world.desired, record.placement.as_ref());
            let message = match remedy {
                Some(remedy) => messages::dns::no_token(problem, remedy, &desired.domain),
                None => messages::dns::refused_token(problem, desired, publication, placed),
            };
            let said = no(Finding::new(*reason, message));
            Some(Step::rest(world.now + timing.secret_retry, said))
        }
    }
}

fn no(finding: Finding) -> Said {
    Said::Now(Truth::False, finding)
}

fn published(message: String) -> Said {
    Said::Now(Truth::True, Finding::new(Reason::Published, message))
}

/// Of a verified domain.
fn was_published(world: &World<'_>) -> Said {
    published(messages::dns::was_published(&world.desired.domain))
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

    fn saying(self, said: Said) -> Self {
        Self { said, ..self }
    }
}
