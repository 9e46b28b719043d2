//! Creates a connector exactly once, or binds the one that is there.
//!
//! Cloudflare knows no idempotency key and does not say whether it refuses a second connector for a domain. So a POST
//! is made only when a complete list shows none that was begun since the object was seen to want one, and since when no
//! other object of this process can have created for the account and domain; its intent is stored before it, with the time of that list by Cloudflare's clock; and a POST
//! whose outcome is unknown is followed by another only when two lists, one of them a grace period later, show none.
//! A connector is *ours* if Cloudflare created it when one of our attempts was made.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::enforcement;
use super::pair::{Known, Origin};
use super::verdict::{Finding, Verdict};
use super::world::{Begun, Claim, Record, Snapshot};
use super::{Act, Guard, Look, Plan, Then, World, messages, pace};
use crate::clock::Moment;
use crate::cloudflare::{Connector, Creation};
use crate::identity::ConnectorId;
use crate::resource::{AdoptionPolicy, Reason};

/// How many attempts the status names at the most.
const KEPT_ATTEMPTS: usize = 8;

pub(super) fn plan(world: &World<'_>) -> Plan {
    if let Some(created) = created_for_this_object(world) {
        return bind(world, created);
    }
    let claimed = match world.observed.claim {
        Claim::Unasked => return Plan::Look(Look::Claim),
        Claim::Elsewhere => return waiting(world, messages::claimed_elsewhere()),
        Claim::Held(since) => since,
    };
    if let Some(named) = &world.desired.named {
        return bind_named(world, named);
    }
    let Some(listing) = newest_listing(world, claimed) else {
        return Plan::Look(Look::Listing {
            not_before: claimed,
        });
    };
    let oldest = claimed.max(world.now.before(world.timing.observation_limit));
    let matches: Vec<_> = listing.matches(&world.desired.domain).collect();
    let known = world.pair.known.as_ref().filter(|_| matches.is_empty());
    if let Some(plan) = known.and_then(|known| bind_known(world, known)) {
        return plan;
    }
    match matches.as_slice() {
        [] if listing.proof().is_ok() && !world.pair.disproved_by(listing, world.timing) => {
            await_proof(world, listing)
        }
        [connector] if listing.gap.is_none() && !lags(world, &matches) => {
            bind_listed(world, listing, connector, oldest)
        }
        _ if listing.begun < oldest => Plan::Look(Look::Listing { not_before: oldest }),
        _ if lags(world, &matches) => waiting(world, messages::list_lags()),
        [] => match listing.proof() {
            Ok(date) => create(world, date),
            Err(gap) => pace::unproved(world, gap),
        },
        [_] => pace::unproved(world, listing.gap.unwrap_or_default()),
        [_, _, ..] => {
            let problem = Finding::new(Reason::AmbiguousMatch, messages::ambiguous(matches.len()));
            Plan::rest(
                Verdict::stalled(world.record, problem),
                world.timing.poll_settled,
            )
        }
    }
}

/// A list that still shows what we have deleted shows nothing as it is.
fn lags(world: &World<'_>, matches: &[&Connector]) -> bool {
    let grace = world.timing.creation_grace;
    let was_deleted = |found: &&Connector| world.pair.was_deleted(&found.id, world.now, grace);
    matches.iter().any(was_deleted)
}

fn newest_listing<'a>(world: &World<'a>, claimed: Moment) -> Option<&'a Snapshot> {
    world
        .observed
        .listing
        .as_deref()
        .filter(|listing| listing.begun >= claimed)
}

/// Nothing is there, and that is proved.
fn create(world: &World<'_>, date: Timestamp) -> Plan {
    if let Some(record) = enforcement::carried_hold(world) {
        let problem = Finding::new(Reason::DeletedExternally, messages::deleted_externally());
        return Plan::rest(Verdict::gone(record, problem), world.timing.poll_settled);
    }
    let mut record = world.record.clone();
    record
        .attempts
        .retain(|time| is_open(world, *time) && *time != date);
    record.attempts.push(date);
    let surplus = record.attempts.len().saturating_sub(KEPT_ATTEMPTS);
    record.attempts.drain(..surplus);
    let creation = Creation {
        email_domain: world.desired.domain.clone(),
        begin_verification: world.desired.begin_verification,
        use_fedramp_language: world.desired.use_fedramp_language,
    };
    let begin_by = world.now + world.timing.creation_start_limit;
    Plan::act(
        in_progress(record, messages::creating()),
        Act::Create {
            creation,
            attempt: date,
            begin_by,
        },
    )
}

/// An attempt that certainly created nothing is not carried along.
fn is_open(world: &World<'_>, time: Timestamp) -> bool {
    world
        .pair
        .attempts
        .iter()
        .all(|attempt| attempt.time != time || !attempt.void)
}

/// An earlier attempt may have created it, and a list may not show it yet.
fn await_proof(world: &World<'_>, listing: &Snapshot) -> Plan {
    let newest = world
        .pair
        .open_attempts()
        .map(|attempt| attempt.first_seen)
        .max();
    let due = newest.unwrap_or(world.now) + world.timing.creation_grace;
    let retaken = due.max(listing.begun + world.timing.observation_limit);
    if world.pair.first_blank.is_none() && newest.is_some_and(|newest| listing.begun <= newest) {
        return Plan::Look(Look::Listing {
            not_before: world.now,
        });
    }
    // A list is worth taking when it can be the second one, or when the connector may have shown up meanwhile.
    let next = due.min(listing.begun + world.timing.poll_unverified);
    let next = if listing.begun >= due { retaken } else { next };
    if next <= world.now {
        return Plan::Look(Look::Listing {
            not_before: world.now,
        });
    }
    let verdict = in_progress(world.record.clone(), messages::outcome_unknown());
    Plan::rest(verdict, world.now.until(next))
}

/// What was answered to the POST that this process has made for this very object.
fn created_for_this_object<'a>(world: &World<'a>) -> Option<&'a Connector> {
    let holder = world.pair.holder.as_ref()?;
    let created = world.pair.known.as_ref()?.created.as_ref()?;
    let is_for_it =
        holder.uid == world.desired.uid && world.desired.domain.is_named(&created.email_domain);
    is_for_it.then_some(created)
}

/// A connector that this process knows of although lists do not show it yet.
fn bind_known(world: &World<'_>, known: &Known) -> Option<Plan> {
    if world.now.since(known.since) > world.timing.creation_grace {
        return None;
    }
    let oldest = known
        .since
        .max(world.now.before(world.timing.observation_limit));
    let sighting = world.memory.sighting_of(&known.id);
    match sighting.filter(|sighting| sighting.at >= oldest) {
        None => Some(Plan::Look(Look::Connector(known.id.clone()))),
        Some(sighting) => match &sighting.connector {
            Some(connector) if world.desired.domain.is_named(&connector.email_domain) => {
                Some(bind(world, connector))
            }
            Some(_) => None,
            None if world.pair.open_attempts().next().is_none() => {
                Some(waiting(world, messages::not_shown_yet()))
            }
            None => Some(waiting(world, messages::outcome_unknown())),
        },
    }
}

/// The one connector that the list shows is bound after its own page has confirmed it. The list must have been new when
/// the page was asked for: two slow answers may not wait for each other for ever.
fn bind_listed(world: &World<'_>, listing: &Snapshot, listed: &Connector, oldest: Moment) -> Plan {
    let limit = world.timing.observation_limit;
    let seen = world.memory.sighting_of(&listed.id).filter(|seen| {
        seen.at >= world.now.before(limit) && listing.begun >= seen.at.before(limit)
    });
    let confirmed = seen
        .and_then(|seen| seen.connector.as_ref())
        .filter(|connector| world.desired.domain.is_named(&connector.email_domain));
    match (seen, confirmed) {
        (Some(_), Some(connector)) => bind(world, connector),
        _ if listing.begun < oldest => Plan::Look(Look::Listing { not_before: oldest }),
        (None, _) => Plan::Look(Look::Connector(listed.id.clone())),
        // The list and the page do not agree: one of them lags.
        (Some(_), None) => waiting(world, messages::list_and_page_differ()),
    }
}

/// The connector that the spec names, if its own page shows it.
fn bind_named(world: &World<'_>, named: &ConnectorId) -> Plan {
    let oldest = world.no_older_than(world.timing.observation_limit);
    let grace = world.timing.creation_grace;
    if world.pair.was_deleted(named, world.now, grace) {
        return waiting(world, messages::list_lags());
    }
    let seen = world
        .memory
        .sighting_of(named)
        .filter(|seen| seen.at >= oldest);
    let problem = match seen.map(|seen| &seen.connector) {
        None => return Plan::Look(Look::Connector(named.clone())),
        Some(Some(connector)) if world.desired.domain.is_named(&connector.email_domain) => {
            return bind(world, connector);
        }
        Some(Some(connector)) => Finding::new(
            Reason::ConnectorMismatch,
            messages::named_for_another(named, &world.desired.domain, &connector.email_domain),
        ),
        Some(None) => Finding::new(Reason::ConnectorNotFound, messages::named_not_found(named)),
    };
    Plan::rest(
        Verdict::stalled(world.record, problem),
        world.timing.poll_settled,
    )
}

/// Store the ID at once, with the state of the enforcement that goes with it.
fn bind(world: &World<'_>, connector: &Connector) -> Plan {
    let ours = is_ours(world, connector);
    let refused = world.desired.adoption == AdoptionPolicy::Refuse && world.desired.named.is_none();
    if refused && !ours {
        let problem = Finding::new(Reason::AdoptionRefused, messages::adoption_refused());
        return Plan::rest(
            Verdict::stalled(world.record, problem),
            world.timing.poll_settled,
        );
    }
    let disabled = world
        .pair
        .was_disabled(&connector.id, world.now, world.timing.creation_grace);
    let begun = ours
        .then(|| world.record.attempts.last().copied())
        .flatten();
    let record = Record {
        connector: Some(connector.id.clone()),
        created_on: connector.created_on,
        attempts: Vec::new(),
        enforcement: Some(enforcement::at_binding(world, connector, ours || disabled)),
        begun: Begun {
            last: begun.filter(|_| world.desired.begin_verification),
            ..world.record.begun
        },
        handled_enable_at: world.desired.enable_at.clone(),
        ..world.record.clone()
    };
    let guard = Guard::for_binding(world.record);
    let verdict = Verdict::judged(world, &record, connector);
    Plan::Settle {
        verdict: Box::new(verdict),
        guard,
        then: Then::Continue,
    }
}

/// Whether Cloudflare created the connector when this process, or this object before a restart, tried to. What this
/// process has itself tried for another object counts for the grace only: later, somebody may have changed it by hand.
fn is_ours(world: &World<'_>, connector: &Connector) -> bool {
    is_of_this_object(world, connector)
        || world
            .pair
            .open_attempts()
            .filter(|attempt| attempt.origin == Origin::Made)
            .filter(|attempt| world.now.since(attempt.first_seen) <= world.timing.creation_grace)
            .any(|attempt| was_made_by(world, connector, attempt.time))
}

/// Whether Cloudflare created the connector when one of the attempts in this very object's status was made.
pub(super) fn is_of_this_object(world: &World<'_>, connector: &Connector) -> bool {
    let attempts = world.record.attempts.iter();
    attempts
        .filter(|time| is_open(world, **time))
        .any(|time| was_made_by(world, connector, *time))
}

/// Both times are Cloudflare's. Without a time a connector is nobody's.
fn was_made_by(world: &World<'_>, connector: &Connector, attempt: Timestamp) -> bool {
    let Some(created) = connector.created_on else {
        return false;
    };
    let span = |span| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    let distance = created.duration_since(attempt);
    distance >= -span(world.timing.ours_before) && distance <= span(world.timing.ours_after)
}

fn waiting(world: &World<'_>, message: String) -> Plan {
    Plan::rest(
        in_progress(world.record.clone(), message),
        world.timing.poll_unverified,
    )
}

fn in_progress(record: Record, message: String) -> Verdict {
    Verdict::noted(record, Finding::new(Reason::Creating, message))
}
