//! The finalizer is on the object exactly while deleting the object must delete the connector, so nothing else can ever
//! hang in deletion. Whoever does not need it leaves without any call and without credentials.

use super::desired::Activity;
use super::ownership::{self, Heir};
use super::world::Definition;
use super::{Look, Plan, World, deletion, publication};

pub(super) fn plan(world: &World<'_>) -> Option<Plan> {
    let desired = world.desired;
    let wanted = desired.deletes();
    let suspended = desired.activity == Activity::Suspended;
    match (desired.terminating, desired.finalizer) {
        (true, false) => Some(Plan::Leave),
        (true, true) if !wanted || suspended || nothing_is_held(world) => Some(Plan::Release),
        (true, true) if belongs_to_another(world) => Some(if world.observed.object_confirmed {
            Plan::Release
        } else {
            Plan::Look(Look::Object)
        }),
        (true, true) => match world.observed.definition {
            Definition::Unread => Some(Plan::Look(Look::Definition)),
            Definition::GoesAway => Some(Plan::Release),
            Definition::Stands => None,
        },
        (false, true) if !wanted => Some(Plan::Release),
        (false, false) if wanted => Some(Plan::Mark),
        (false, true | false) => None,
    }
}

/// There is no connector to take down, and no TXT record of ours.
fn nothing_is_held(world: &World<'_>) -> bool {
    !ownership::holds(world.record, world.pair) && publication::to_withdraw(world).is_none()
}

/// The connector is another object's, or becomes another object's. That rests on what the API server says now: an heir that
/// goes at the same time is none. And no heir is left with what is gone already.
fn belongs_to_another(world: &World<'_>) -> bool {
    let is_left = || !deletion::is_done(world) && deletion::unknown_until(world).is_none();
    ownership::owner_elsewhere(world).is_some()
        || (ownership::heir(world) == Heir::Ready && is_left())
}
