//! Keeps a connector that the object is bound to as the spec says.
//!
//! The account's list, shared by all its objects, is enough while nothing differs. Whatever is to be changed, and
//! whatever counts as a change made by somebody else, rests on a look at the connector by its ID.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::enforcement::{self, Course};
use super::verdict::{Finding, Said, Verdict};
use super::world::{Begun, Credentials, Record, Sighting, Snapshot, Standing};
use super::{
    Act, Look, Plan, Then, World, gone, messages, pace, publication, txt, verification, wording,
};
use crate::clock::Moment;
use crate::cloudflare::{Changes, Connector};
use crate::identity::ConnectorId;
use crate::resource::{EnforcementState, ManagementPolicy, Reason};

/// The newest look at a connector.
struct View<'a> {
    id: &'a ConnectorId,
    connector: &'a Connector,
    at: Moment,
    date: Option<Timestamp>,
    by_id: bool,
}

pub(super) fn plan(world: &World<'_>, id: &ConnectorId) -> Plan {
    if let Some(named) = world.desired.named.as_ref().filter(|named| *named != id) {
        let problem = messages::named_otherwise(named, id);
        let problem = Finding::new(Reason::ConnectorMismatch, problem);
        return Plan::rest(
            Verdict::stalled(world.record, problem),
            world.timing.poll_settled,
        );
    }
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
    if world.desired.management == ManagementPolicy::Observe {
        return show(world, &view);
    }
    act_on(world, &view)
}

/// The one thing to do now, in the order in which things build on each other: applying `enabled` goes first, and nothing
/// else is sent between its steps.
fn act_on(world: &World<'_>, view: &View<'_>) -> Plan {
    let record = Record {
        created_on: view.connector.created_on.or(world.record.created_on),
        ..world.record.clone()
    };
    match enforcement::course(world, &record, view.connector, view.at) {
        Course::Change(record, wanted) => {
            let mut verdict = view.verdict(world, &record);
            if enforcement::state(world.record) == EnforcementState::Satisfied
                && world
                    .record
                    .enforcement
                    .as_ref()
                    .is_some_and(|known| known.enabled == Some(wanted))
            {
                let notice = messages::reverted(enforcement::is_enabled(view.connector));
                let notice = Finding::new(Reason::ExternalChangeReverted, notice);
                verdict = verdict.with_notice(notice);
            }
            send(
                world,
                view,
                verdict,
                update(view, enforcement::change(wanted)),
            )
        }
        Course::Wait(record, until) => {
            // What is not confirmed is not spoken of: it may be a read that lags.
            let verdict = if enforcement::state(&record) == EnforcementState::Applying
                && enforcement::differs(world, view.connector)
            {
                view.verdict(world, &record)
            } else {
                Verdict::undecided(record, None)
            };
            view.wait(world, verdict, until)
        }
        Course::Keep(record) => keep(world, view, record),
    }
}

/// Only tell what is there.
fn show(world: &World<'_>, view: &View<'_>) -> Plan {
    let record = Record {
        connector: Some(view.id.clone()),
        created_on: view.connector.created_on.or(world.record.created_on),
        ..world.record.clone()
    };
    if let Some(look) = txt::look(world, view.connector) {
        return Plan::Look(look);
    }
    let verdict = view.verdict(world, &record).with_published(Said::Cleared);
    match view.unconfirmed_lapse(world, &record) {
        Some(due) => view.wait(world, verdict, due),
        None => Plan::rest(verdict, until_next_poll(world, &record, view)),
    }
}

/// Nothing is to be done about `enabled`.
fn keep(world: &World<'_>, view: &View<'_>, mut record: Record) -> Plan {
    if let Some(look) = txt::look(world, view.connector) {
        return Plan::Look(look);
    }
    verification::after_refusal(world, &mut record);
    publication::after_refusal(world, &mut record);
    let moved = record.enforcement != world.record.enforcement
        || record.handled_enable_at != world.record.handled_enable_at;
    let lapse = view.unconfirmed_lapse(world, &record);
    if !view.by_id && (moved || lapse.is_some()) {
        return view.closer();
    }
    let verdict = view.verdict(world, &record);
    if enforcement::state(&record) == EnforcementState::Applying {
        return Plan::rest(verdict, until_next_poll(world, &record, view));
    }
    if lapse.is_none()
        && let Some(begun) = verification::begin(world, record.begun, view.connector, view.date)
    {
        return begin(world, view, record, begun);
    }
    match wording::course(world, view.connector, view.at) {
        wording::Course::Change(wanted) => {
            send(world, view, verdict, update(view, wording::change(wanted)))
        }
        wording::Course::Wait(until) => view.wait(world, verdict, until),
        wording::Course::Ineffective(again) => {
            let span = world
                .now
                .until(again)
                .min(until_next_poll(world, &record, view));
            Plan::rest(verdict.without_effect(), span)
        }
        wording::Course::Keep => match lapse {
            Some(due) => view.wait(world, verdict, due),
            None => publish(world, view, &record),
        },
    }
}

/// Only the TXT record is left to be looked after.
fn publish(world: &World<'_>, view: &View<'_>, record: &Record) -> Plan {
    let closely = view.by_id && world.now.since(view.at) <= world.timing.observation_limit;
    let step = publication::step(world, record, view.connector, closely);
    let verdict = |record: &Record| {
        view.verdict(world, record)
            .with_published(step.said.clone())
    };
    match step.course {
        publication::Course::Closer => view.closer(),
        publication::Course::Look(look) => Plan::Look(look),
        publication::Course::Store(record) => Plan::settle(verdict(&record), Then::Continue),
        publication::Course::Act(record, act) => Plan::act(verdict(&record), act),
        publication::Course::Rest(due) => {
            let poll = until_next_poll(world, record, view);
            let span = due.map_or(poll, |due| poll.min(world.now.until(due)));
            Plan::rest(verdict(record), span)
        }
    }
}

/// Stores that the verification is begun, and begins it.
fn begin(world: &World<'_>, view: &View<'_>, record: Record, begun: Begun) -> Plan {
    let before = record.begun;
    let record = Record { begun, ..record };
    let act = Act::BeginVerification {
        id: view.id.clone(),
        begun,
        before,
    };
    send(world, view, view.verdict(world, &record), act)
}

/// A change rests on a look by ID that is not old.
fn send(world: &World<'_>, view: &View<'_>, verdict: Verdict, act: Act) -> Plan {
    // What the token may not do needs no closer look.
    let dropped = matches!(world.observed.credentials, Credentials::ReadOnly { .. });
    let closely = view.by_id && world.now.since(view.at) <= world.timing.observation_limit;
    if closely || dropped {
        Plan::act(verdict, act)
    } else {
        view.closer()
    }
}

fn update(view: &View<'_>, changes: Changes) -> Act {
    Act::Update {
        id: view.id.clone(),
        changes,
    }
}

impl View<'_> {
    fn closer(&self) -> Plan {
        Plan::Look(Look::Connector(self.id.clone()))
    }

    /// What it says about the object.
    fn verdict(&self, world: &World<'_>, record: &Record) -> Verdict {
        if self.unconfirmed_lapse(world, record).is_some() {
            return Verdict::undecided(record.clone(), None);
        }
        Verdict::judged(world, record, self.connector)
    }

    /// Rest, and look by ID when the time has come.
    fn wait(&self, world: &World<'_>, verdict: Verdict, until: Moment) -> Plan {
        if until <= world.now || !self.by_id {
            return self.closer();
        }
        Plan::rest(verdict, world.now.until(until))
    }

    /// When a second look can confirm that a verified domain is not verified any more, unless this one does.
    fn unconfirmed_lapse(&self, world: &World<'_>, record: &Record) -> Option<Moment> {
        if record.standing != Standing::Verified || verification::is_verified(self.connector) {
            return None;
        }
        let span = world.timing.difference_confirmation;
        let since = world.memory.unverified_since.unwrap_or(world.now);
        let confirmed = since + span;
        (!self.by_id || self.at < confirmed).then_some(confirmed)
    }
}

/// The newest look at the connector, if it is recent enough and shows all that a decision needs.
fn view<'a>(world: &World<'a>, id: &ConnectorId) -> Result<View<'a>, Box<Plan>> {
    let look = || Err(Box::new(Plan::Look(Look::Connector(id.clone()))));
    let page = world.memory.sighting_of(id);
    let sighting = page.or_else(|| world.memory.answer_about(id));
    let listing = world
        .observed
        .listing
        .as_deref()
        .filter(|listing| world.memory.counts(listing.begun));
    let listed = listing.and_then(|listing| Some((listing, item(listing, id)?)));
    match (sighting, listing) {
        (None, None) if world.memory.acted_at.is_some() => look(),
        (None, None) => Err(Box::new(Plan::Look(Look::Listing {
            not_before: world.no_older_than(world.timing.poll_settled),
        }))),
        (Some(seen), list) if list.is_none_or(|list| list.begun <= seen.at) => {
            seen_as(world, id, seen, page.is_some())
        }
        // Whatever a list shows or does not show, it disproves nothing that the connector's own page said just now.
        (Some(seen), _) if seen.connector.is_none() && is_recent(world, seen) => {
            seen_as(world, id, seen, page.is_some())
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
                        id: &connector.id,
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

fn seen_as<'a>(
    world: &World<'a>,
    id: &ConnectorId,
    seen: &'a Sighting,
    by_id: bool,
) -> Result<View<'a>, Box<Plan>> {
    match &seen.connector {
        Some(connector) => fresh(
            world,
            View {
                id: &seen.id,
                connector,
                at: seen.at,
                date: seen.date,
                by_id,
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
    let observed = world.desired.management == ManagementPolicy::Observe;
    let settled = verification::is_verified(connector)
        && match enforcement::state(record) {
            _ if observed => true,
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
