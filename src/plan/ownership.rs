//! Decides which of several objects acts for an account and domain, and whether a connector has an heir.
//!
//! Two objects that both act would undo each other's changes, so one owns the pair and the others make no call that
//! changes anything. Whoever is bound to a connector, or may have created one, owns the pair until it is gone, deletion
//! included: nothing that happens to another object may take a connector away from it. An object whose token Cloudflare
//! does not let look at the account neither owns anything nor learns that somebody else does.
//!
//! When the owner goes and an heir is there, the connector is left as it is: an object that was renamed in Git must not log
//! anybody out.

use k8s_openapi::jiff::Timestamp;

use super::desired::{Activity, Desired};
use super::pair::PairMemory;
use super::verdict::{Finding, Verdict};
use super::world::{Access, Record, Rival};
use super::{Look, Plan, World, messages};
use crate::identity::ConnectorId;
use crate::resource::{AdoptionPolicy, Enforcement, EnforcementState, ManagementPolicy, Reason};

/// Whether a connector would be taken over if its owner went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heir {
    /// By nobody.
    Absent,
    /// Perhaps: it is not known yet whether somebody's token works.
    Untried,
    /// By somebody.
    Ready,
}

/// An object that another one keeps from acting waits until that is gone.
pub(super) fn plan(world: &World<'_>) -> Option<Plan> {
    if world.desired.terminating || world.desired.management != ManagementPolicy::Manage {
        return None;
    }
    let owner = owner_elsewhere(world)?;
    if world.observed.listing.is_none() {
        return Some(Plan::Look(Look::Listing {
            not_before: world.now,
        }));
    }
    let message = messages::duplicate(&world.desired.domain, owner.name.as_deref());
    let problem = Finding::new(Reason::DuplicateDomain, message);
    let verdict = Verdict::stalled(&disarmed(world.record), problem);
    Some(Plan::rest(verdict, world.timing.poll_unverified))
}

/// Whoever is kept from acting does not know what is done meanwhile, and by whom: to take over is to be judged like a
/// binding.
fn disarmed(record: &Record) -> Record {
    let is_armed = |known: &Enforcement| known.state == EnforcementState::Armed;
    Record {
        enforcement: record.enforcement.clone().filter(|known| !is_armed(known)),
        ..record.clone()
    }
}

/// The other object that owns the pair, if one does.
pub(super) fn owner_elsewhere<'a>(world: &World<'a>) -> Option<&'a Rival> {
    let rivals = world.observed.rivals.iter().filter(|rival| {
        let gone = rival.desired.terminating && !rival.desired.finalizer;
        rival.desired.management == ManagementPolicy::Manage && !gone
    });
    let keeps = |desired: &Desired, record: &Record| {
        holds(record, world.pair) || carries_a_hold(desired, record)
    };
    let holders = rivals
        .clone()
        .filter(|rival| keeps(&rival.desired, &rival.record));
    let oldest_holder = holders.min_by_key(|rival| age(&rival.desired));
    let older = |rival: &&Rival| age(&rival.desired) < age(world.desired);
    match (keeps(world.desired, world.record), oldest_holder) {
        (true, holder) => holder.filter(older),
        (false, Some(holder)) => Some(holder),
        (false, None) => rivals
            .filter(|rival| is_at_work(&rival.desired) && rival.access == Access::Listed)
            .min_by_key(|rival| age(&rival.desired))
            .filter(older),
    }
}

/// Whether somebody takes the connector of this object over.
pub(super) fn heir(world: &World<'_>) -> Heir {
    let bound = world.record.connector.as_ref();
    let mut heir = Heir::Absent;
    for rival in world.observed.rivals.iter().filter(|rival| {
        rival.desired.management == ManagementPolicy::Manage
            && is_at_work(&rival.desired)
            && could_bind(rival, bound)
    }) {
        match rival.access {
            Access::Listed => return Heir::Ready,
            Access::Untried => heir = Heir::Untried,
            Access::Refused => {}
        }
    }
    heir
}

/// Whether an object is bound to a connector, or one may have been created for it.
pub(super) fn holds(record: &Record, pair: &PairMemory) -> bool {
    let is_void = |time| {
        let mut known = pair.attempts.iter();
        known.any(|attempt| attempt.time == time && attempt.void)
    };
    record.connector.is_some() || record.attempts.iter().any(|time| !is_void(*time))
}

/// Whether what somebody has done to a connector that is gone is still held.
fn carries_a_hold(desired: &Desired, record: &Record) -> bool {
    record.enforcement.as_ref().is_some_and(|known| {
        known.state == EnforcementState::Held && known.object_uid == desired.uid
    })
}

fn is_at_work(desired: &Desired) -> bool {
    !desired.terminating && desired.activity == Activity::Active
}

fn could_bind(rival: &Rival, connector: Option<&ConnectorId>) -> bool {
    let (desired, record) = (&rival.desired, &rival.record);
    let is_free = record.connector.is_none() || record.connector.as_ref() == connector;
    let may_adopt = match &desired.named {
        Some(named) => Some(named) == connector,
        None => desired.adoption == AdoptionPolicy::Adopt,
    };
    is_free && may_adopt
}

/// The order of objects, the oldest first. Kubernetes counts whole seconds.
fn age(desired: &Desired) -> (Option<Timestamp>, &str) {
    (desired.created, &desired.uid)
}
