//! Keeps a connector that the object is bound to as the spec says.
//!
//! The account's list, shared by all its objects, is enough while nothing differs. Whatever is to be changed, and
//! whatever counts as a change made by somebody else, rests on a look at the connector by its ID.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::enforcement::{self, Course};
use super::verdict::{Finding, Verdict, assess};
use super::world::{Record, Sighting, Snapshot};
use super::{Act, Look, Plan, World, gone, messages, pace, verification};
use crate::clock::Moment;
use crate::cloudflare::{Changes, Connector};
use crate::identity::ConnectorId;
use crate::resource::{EnforcementState, Reason};

/// The newest look at a connector.
struct View<'a> {
    connector: &'a Connector,
    at: Moment,
    date: Option<Timestamp>,
    by_id: bool,
}

pub(super) fn plan(world: &World<'_>, id: &ConnectorId) -> Plan {
    let view = match view(world, id) {
        Ok(view) => view,
        Err(plan) => return *plan,
    };
    if !world.desired.domain.is_named(&view.connector.email_domain) {
        let reported = messages::mismatch(&world.desired.domain, &view.connector.email_domain);
        let problem = Finding::new(Reason::ConnectorMismatch, reported);
        return Plan::rest(
            Verdict::stalled(world.record, problem),
            world.timing.poll_settled,
        );
    }
    act_on(world, id, &view)
}

/// The one thing to do now, in the order in which things build on each other.
fn act_on(world: &World<'_>, id: &ConnectorId, view: &View<'_>) -> Plan {
    let connector = view.connector;
    let record = Record {
        created_on: connector.created_on.or(world.record.created_on),
        ..world.record.clone()
    };
    let course = enforcement::course(world, &record, connector, view.at);
    let record = course.record();
    let verdict = |record: &Record| {
        Verdict::decided(record.clone(), connector, assess(world, record, connector))
    };
    // Applying the spec goes first, and nothing else is stored or sent between its steps.
    let free = matches!(course, Course::Keep(_))
        && enforcement::state(record) != EnforcementState::Applying;
    let begun = free
        .then(|| verification::begin(world, record, connector, view.date))
        .flatten();
    let wording = wording(world, record, connector);
    let moved = record.enforcement != world.record.enforcement
        || record.handled_enable_at != world.record.handled_enable_at;
    let closely = view.by_id && world.now.since(view.at) <= world.timing.observation_limit;

    let update = |changes| Act::Update {
        id: id.clone(),
        changes,
    };
    let closer = || Plan::Look(Look::Connector(id.clone()));
    match (begun, &course, wording) {
        (Some(_), _, _) | (None, Course::Change(..), _) | (None, Course::Keep(_), Some(_))
            if !closely =>
        {
            closer()
        }
        (None, Course::Wait(..), _) if !view.by_id => closer(),
        (None, Course::Keep(_), _) if moved && !view.by_id => closer(),
        (Some(begun), _, _) => Plan::act(verdict(&begun), Act::BeginVerification(id.clone())),
        (None, Course::Change(record, wanted), _) => {
            Plan::act(verdict(record), update(enforcement::change(*wanted)))
        }
        (None, Course::Wait(_, until), _) if *until <= world.now => closer(),
        (None, Course::Wait(record, until), _) => {
            // A difference that is not confirmed is not spoken of: it may be a read that lags.
            let verdict = match enforcement::state(record) {
                EnforcementState::Satisfied => Verdict::troubled(record.clone(), None),
                EnforcementState::Armed | EnforcementState::Applying | EnforcementState::Held => {
                    verdict(record)
                }
            };
            Plan::rest(verdict, world.now.until(*until))
        }
        (None, Course::Keep(record), Some(wanted)) => {
            Plan::act(verdict(record), update(reword(wanted)))
        }
        (None, Course::Keep(record), None) => {
            Plan::rest(verdict(record), until_next_poll(world, record, view))
        }
    }
}

/// The FedRAMP wording that must be set, if it differs. Nothing else is sent while `enabled` is being applied, and
/// nothing is sent again before its effect can be expected to show.
fn wording(world: &World<'_>, record: &Record, connector: &Connector) -> Option<bool> {
    let wanted = world.desired.use_fedramp_language?;
    let differs = connector.use_fedramp_language.unwrap_or(false) != wanted;
    let applying = enforcement::state(record) == EnforcementState::Applying;
    let sent = world.memory.sent(reword(wanted)).is_some_and(|update| {
        !update.refused && world.now.since(update.at) < world.timing.difference_confirmation
    });
    (differs && !applying && !sent).then_some(wanted)
}

/// The PATCH that sets the FedRAMP wording.
fn reword(wanted: bool) -> Changes {
    Changes {
        use_fedramp_language: Some(wanted),
        ..Changes::default()
    }
}

/// The newest look at the connector, if it is recent enough and shows all that a decision needs.
fn view<'a>(world: &World<'a>, id: &ConnectorId) -> Result<View<'a>, Box<Plan>> {
    let look = || Err(Box::new(Plan::Look(Look::Connector(id.clone()))));
    let sighting = world.memory.sighting_of(id);
    let listing = world
        .observed
        .listing
        .as_deref()
        .filter(|listing| world.memory.counts(listing.begun));
    let listed = listing.and_then(|listing| Some((listing, item(listing, id)?)));
    match (sighting, listing) {
        (None, None) if world.memory.acted_at.is_some() => look(),
        (None, None) => Err(Box::new(Plan::Look(Look::Listing {
            not_before: world.now.before(world.timing.poll_settled),
        }))),
        (Some(seen), list) if list.is_none_or(|list| list.begun <= seen.at) => {
            by_id(world, id, seen)
        }
        // Whatever a list shows or does not show, it disproves nothing that the connector's own page said just now.
        (Some(seen), _) if seen.connector.is_none() && is_recent(world, seen) => {
            by_id(world, id, seen)
        }
        (_, Some(_)) | (Some(_), None) => match listed {
            Some((list, connector))
                if connector.verification.is_some()
                    && connector.enabled.is_some()
                    && sighting.is_none_or(|seen| seen.connector.is_some()) =>
            {
                fresh(
                    world,
                    View {
                        connector,
                        at: list.begun,
                        date: list.date,
                        by_id: false,
                    },
                )
            }
            // A list may lack a connector, leave out its fields, or contradict its page: only the page counts.
            Some(_) | None => look(),
        },
    }
}

fn by_id<'a>(
    world: &World<'a>,
    id: &ConnectorId,
    seen: &'a Sighting,
) -> Result<View<'a>, Box<Plan>> {
    match &seen.connector {
        Some(connector) => fresh(
            world,
            View {
                connector,
                at: seen.at,
                date: seen.date,
                by_id: true,
            },
        ),
        None => Err(Box::new(gone::plan(world, id, seen))),
    }
}

fn item<'a>(listing: &'a Snapshot, id: &ConnectorId) -> Option<&'a Connector> {
    listing
        .connectors
        .iter()
        .find(|connector| connector.id == *id)
}

fn is_recent(world: &World<'_>, seen: &Sighting) -> bool {
    world.now.since(seen.at) <= world.timing.observation_limit
}

/// The view, or a look at the account's list once the view is a poll interval old.
fn fresh<'a>(world: &World<'_>, view: View<'a>) -> Result<View<'a>, Box<Plan>> {
    let interval = interval(world, world.record, view.connector);
    if world.now.since(view.at) < interval {
        return Ok(view);
    }
    Err(Box::new(Plan::Look(Look::Listing {
        not_before: world.now.before(interval).max(view.at) + Duration::from_nanos(1),
    })))
}

/// How long a look at this connector counts.
fn interval(world: &World<'_>, record: &Record, connector: &Connector) -> Duration {
    let settled = verification::is_verified(connector)
        && match enforcement::state(record) {
            EnforcementState::Satisfied | EnforcementState::Held => true,
            EnforcementState::Armed => world.desired.enabled.is_none(),
            EnforcementState::Applying => false,
        };
    if settled {
        world.timing.poll_settled
    } else {
        world.timing.poll_unverified
    }
}

/// Until shortly after the view is an interval old. All objects of an account come due together, the first of them takes
/// the list, and the others share it.
fn until_next_poll(world: &World<'_>, record: &Record, view: &View<'_>) -> Duration {
    let interval = interval(world, record, view.connector);
    let due = view.at + interval;
    let jitter = pace::spread(interval, &world.desired.uid, 0).saturating_sub(interval);
    world.now.until(due) + jitter
}
