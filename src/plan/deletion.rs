//! Takes a connector down: only what the object is bound to or has itself created, only if the object says so in
//! writing, and in the order that Cloudflare documents: disable, confirm, delete; and then the TXT record that proved its
//! domain, see [`publication`].
//!
//! It is reached only by an object that is going away, carries the finalizer and says `Delete`; see
//! [`super::finalizer`]. Right before each destructive call the object and its rivals are
//! read again from the API server.

use super::creation::is_of_this_object;
use super::ownership::{self, Heir};
use super::verdict::{Finding, Verdict};
use super::world::Record;
use super::{
    Act, Deletion, Guard, Look, Plan, Then, World, enforcement, gone, messages, publication,
};
use crate::clock::Moment;
use crate::cloudflare::Connector;
use crate::identity::ConnectorId;
use crate::resource::Reason;

/// Whether there is certainly no connector any more.
pub(super) fn is_done(world: &World<'_>) -> bool {
    match &world.record.connector {
        Some(id) => world.memory.deletion == Some(Deletion::Confirmed(id.clone())),
        None => !ownership::holds(world.record, world.pair),
    }
}

/// Only the TXT record is left to be removed. That needs neither the token for the connector nor its account.
pub(super) fn withdrawal(world: &World<'_>) -> Option<Plan> {
    (world.desired.terminating && is_done(world)).then(|| publication::withdraw(world))
}

pub(super) fn plan(world: &World<'_>) -> Plan {
    let seen = world.memory.deletion_seen.unwrap_or(world.now);
    let patience = seen + world.timing.heir_wait;
    if patience > world.now && ownership::heir(world) == Heir::Untried {
        let next = patience.min(world.now + world.timing.deletion_delay);
        return resting(world, messages::awaiting_heir(), next);
    }
    match (&world.record.connector, unknown_until(world)) {
        (Some(id), Some(due)) if ownership::heir(world) == Heir::Ready => {
            if due > world.now {
                resting(world, messages::deletion_unanswered(), due)
            } else {
                Plan::Look(Look::Connector(id.clone()))
            }
        }
        (Some(id), _) => take_down(world, id),
        (None, _) => find_ours(world),
    }
}

/// When a look will show whether a DELETE that was not clearly answered has removed the connector, if none has shown it yet:
/// reads lag writes. Without a usable token that is not waited for much longer.
pub(super) fn unknown_until(world: &World<'_>) -> Option<Moment> {
    let id = world.record.connector.as_ref()?;
    let sent = world.memory.deletion == Some(Deletion::Sent(id.clone()));
    let acted = world.memory.acted_at.filter(|_| sent)?;
    let due = acted + world.timing.difference_confirmation;
    let is_known = world
        .memory
        .sighting_of(id)
        .is_some_and(|seen| seen.connector.is_none() || seen.at >= due);
    let latest = due + world.timing.observation_limit;
    (!is_known && world.now < latest).then_some(due)
}

/// An attempt was made and its outcome is unknown: only what is ours is taken down.
fn find_ours(world: &World<'_>) -> Plan {
    if let Some(created) = world
        .pair
        .known
        .as_ref()
        .and_then(|known| known.created.as_ref())
        && is_of_this_object(world, created)
    {
        return bind_for_deletion(world, created);
    }
    let newest = world
        .pair
        .open_attempts()
        .map(|attempt| attempt.first_seen)
        .max();
    let Some(listing) = world.observed.listing.as_deref() else {
        return Plan::Look(Look::Listing {
            not_before: world.now,
        });
    };
    if let Some(ours) = listing
        .matches(&world.desired.domain)
        .find(|found| is_of_this_object(world, found))
    {
        return bind_for_deletion(world, ours);
    }
    // An attempt that this process has not taken note of yet is as new as can be.
    let due = newest.unwrap_or(world.now) + world.timing.creation_grace;
    if listing.begun >= due && listing.proof().is_ok() {
        return publication::withdraw(world);
    }
    let again = listing.begun + world.timing.poll_unverified;
    let next = if listing.begun < due {
        due.min(again)
    } else {
        again
    };
    if next <= world.now {
        return Plan::Look(Look::Listing {
            not_before: world.now,
        });
    }
    resting(world, messages::outcome_unknown(), next)
}

fn bind_for_deletion(world: &World<'_>, connector: &Connector) -> Plan {
    let record = Record {
        connector: Some(connector.id.clone()),
        created_on: connector.created_on,
        attempts: Vec::new(),
        ..world.record.clone()
    };
    let verdict = Verdict::decided(record, connector, deleting(messages::deleting()));
    Plan::Settle {
        verdict: Box::new(verdict),
        guard: Guard::for_binding(world.record),
        then: Then::Continue,
    }
}

fn take_down(world: &World<'_>, id: &ConnectorId) -> Plan {
    let fresh = world.now.before(world.timing.observation_limit);
    let seen = world.memory.sighting_of(id).filter(|seen| seen.at >= fresh);
    let Some(sighting) = seen else {
        return Plan::Look(Look::Connector(id.clone()));
    };
    let Some(connector) = &sighting.connector else {
        return if gone::may_be_lag(world, sighting) {
            resting(
                world,
                messages::deletion_unconfirmed(),
                sighting.at + world.timing.observation_limit,
            )
        } else {
            publication::withdraw(world)
        };
    };
    if !world.desired.domain.is_named(&connector.email_domain) {
        let reported = messages::mismatch(&world.desired.domain, &connector.email_domain);
        let problem = Finding::new(Reason::ConnectorMismatch, reported);
        return Plan::rest(
            Verdict::stalled(world.record, problem),
            world.timing.poll_settled,
        );
    }
    if may_be_enabled(world, connector) {
        disable(world, id, connector, sighting.at)
    } else {
        destroy(world, connector, Act::Delete(id.clone()))
    }
}

/// An answer that does not say so may be about an enabled connector, until we have disabled it ourselves.
fn may_be_enabled(world: &World<'_>, connector: &Connector) -> bool {
    let disabled = world.memory.sent(enforcement::change(false));
    connector
        .enabled
        .unwrap_or_else(|| disabled.is_none_or(|update| update.refused))
}

/// An enabled connector is left alone for a moment, then disabled.
fn disable(world: &World<'_>, id: &ConnectorId, connector: &Connector, seen: Moment) -> Plan {
    let earliest = world.memory.deletion_seen.unwrap_or(world.now) + world.timing.deletion_delay;
    if earliest > world.now {
        return resting(world, messages::deleting(), earliest);
    }
    if let Some(next) = enforcement::effect_due(world, enforcement::change(false), seen) {
        return if next > world.now {
            resting(world, messages::deleting(), next)
        } else {
            Plan::Look(Look::Connector(id.clone()))
        };
    }
    let changes = enforcement::change(false);
    destroy(
        world,
        connector,
        Act::Update {
            id: id.clone(),
            changes,
        },
    )
}

/// The call goes out only if the object, read again just now, still says so.
fn destroy(world: &World<'_>, connector: &Connector, act: Act) -> Plan {
    if !world.observed.object_confirmed {
        return Plan::Look(Look::Object);
    }
    let finding = deleting(messages::deleting());
    Plan::act(
        Verdict::decided(world.record.clone(), connector, finding),
        act,
    )
}

fn resting(world: &World<'_>, message: String, until: Moment) -> Plan {
    let verdict = Verdict::noted(world.record.clone(), deleting(message));
    Plan::rest(verdict, world.now.until(until))
}

fn deleting(message: String) -> Finding {
    Finding::new(Reason::Deleting, message)
}
