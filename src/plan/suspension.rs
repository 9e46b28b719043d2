//! A suspended object is left alone: no call is made for it, and what is remembered and shown of its connector stays.

use super::desired::Activity;
use super::verdict::{Finding, Synced, Verdict};
use super::{Plan, World, messages};
use crate::resource::Reason;

pub(super) fn plan(world: &World<'_>) -> Option<Plan> {
    if world.desired.activity == Activity::Active {
        return None;
    }
    let finding = Finding::new(Reason::Suspended, messages::suspended());
    let verdict = Verdict::noted(world.record.clone(), finding).with_synced(Synced::Kept);
    Some(Plan::rest(verdict, world.timing.poll_settled))
}
