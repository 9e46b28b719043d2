//! The finalizer is on the object exactly while deleting the object must delete the connector, so nothing else can ever
//! hang in deletion. Whoever does not need it leaves without any call and without credentials.

use super::world::{Activity, Definition};
use super::{Look, Plan, World};

pub(super) fn plan(world: &World<'_>) -> Option<Plan> {
    let desired = world.desired;
    let wanted = desired.deletes();
    let suspended = desired.activity == Activity::Suspended;
    match (desired.terminating, desired.finalizer) {
        (true, false) => Some(Plan::Leave),
        (true, true) if !wanted || suspended || nothing_was_created(world) => Some(Plan::Release),
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

/// Neither bound to a connector, nor could one have been created for this object.
fn nothing_was_created(world: &World<'_>) -> bool {
    let open = world.record.attempts.iter().any(|time| {
        !world
            .pair
            .attempts
            .iter()
            .any(|attempt| attempt.time == *time && attempt.void)
    });
    world.record.connector.is_none() && !open
}
