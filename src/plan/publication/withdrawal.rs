//! Removes the TXT record when its connector was deleted: only our own, only while it still says a verification code, and only
//! after the object was read again.

use std::time::Duration;

use super::proof::{is_without_zone, own, unproved_until};
use super::to_withdraw;
use crate::clock::Moment;
use crate::cloudflare::{Class, Endpoint};
use crate::plan::memory::Trouble;
use crate::plan::verdict::{Finding, Synced, Verdict};
use crate::plan::world::{Namespace, Placement, Publisher, Unusable};
use crate::plan::{Act, Look, Plan, World, messages, pace};
use crate::resource::Reason;

/// The connector is gone. What is left is the record, if it is ours, and if the spec still says who publishes it.
pub(in crate::plan) fn plan(world: &World<'_>) -> Plan {
    let Some(placement) = to_withdraw(world) else {
        return Plan::Release;
    };
    let publishing = &world.memory.publishing;
    if placement.record.is_some() && publishing.deleted == placement.record {
        return Plan::Release;
    }
    match &world.observed.publisher {
        Publisher::Unread => Plan::Look(Look::Publisher),
        Publisher::Usable => remove(world, &placement),
        Publisher::Waits(due) => resting(world, *due),
        Publisher::Paused(pause) => resting(
            world,
            pause.until.min(world.now + world.timing.poll_unverified),
        ),
        Publisher::Unusable(Unusable {
            reason,
            problem,
            remedy: _,
        }) => match world.observed.namespace {
            Namespace::Unread => Plan::Look(Look::Namespace),
            namespace => {
                let message = messages::dns::withdrawal_impossible(problem, namespace);
                stuck(
                    world,
                    Finding::new(*reason, message),
                    world.timing.secret_retry,
                )
            }
        },
    }
}

fn remove(world: &World<'_>, placement: &Placement) -> Plan {
    let publishing = &world.memory.publishing;
    if is_without_zone(world).is_some() {
        return Plan::Release;
    }
    // What failed while the record was published is no obstacle.
    for endpoint in [Endpoint::ListRecords, Endpoint::DeleteRecord] {
        if let Some(trouble) = publishing.trouble(endpoint)
            && let Some(due) = pace::next_try(world, trouble).filter(|due| *due > world.now)
        {
            return hindered(world, trouble, due);
        }
    }
    let fresh = world.now.before(world.timing.observation_limit);
    let seen = publishing.records_in(&placement.zone);
    let Some(seen) = seen.filter(|seen| seen.at >= fresh) else {
        return Plan::Look(Look::Records(placement.zone.clone()));
    };
    let record = super::placed(world.record, Some(placement.clone()));
    match own(world, &record, seen, |_| true) {
        Some(own) if own.says_a_code() => {
            if !world.observed.object_confirmed {
                return Plan::Look(Look::Object);
            }
            let act = Act::Unpublish {
                zone: placement.zone.clone(),
                record: own.id.clone(),
            };
            Plan::act(verdict(world), act)
        }
        // Somebody has made another record of it: it is theirs.
        Some(_) => Plan::Release,
        None => match unproved_until(world, seen) {
            Some(due) if due > world.now => resting(world, due),
            Some(_) => Plan::Look(Look::Records(placement.zone.clone())),
            None => Plan::Release,
        },
    }
}

/// It has failed, and is tried again then. What has lasted is told.
fn hindered(world: &World<'_>, trouble: &Trouble, due: Moment) -> Plan {
    let problem = &trouble.failure.message;
    let span = world.now.until(due);
    if trouble.failure.class == Class::Rejected {
        let namespace = world.observed.namespace;
        let message = messages::dns::withdrawal_impossible(problem, namespace);
        return stuck(world, Finding::new(Reason::Rejected, message), span);
    }
    if !pace::shows(world, trouble) {
        return resting(world, due);
    }
    let message = messages::dns::withdrawal_delayed(problem);
    let finding = Finding::new(Reason::Deleting, message);
    Plan::rest(Verdict::noted(world.record.clone(), finding), span)
}

fn verdict(world: &World<'_>) -> Verdict {
    let finding = Finding::new(Reason::Deleting, messages::dns::withdrawing());
    Verdict::noted(world.record.clone(), finding)
}

fn resting(world: &World<'_>, until: Moment) -> Plan {
    Plan::rest(verdict(world), world.now.until(until))
}

/// Only a person can help. With Cloudflare's connectors everything is well.
fn stuck(world: &World<'_>, finding: Finding, span: Duration) -> Plan {
    let verdict = Verdict::stalled(world.record, finding).with_synced(Synced::Kept);
    Plan::rest(verdict, span)
}
