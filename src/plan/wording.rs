//! The FedRAMP wording, which is drift like any other: whoever changed it, the spec is applied again.
//!
//! Only a PATCH that Cloudflare accepted and that still does not show is different. Repeating it would change nothing, so
//! it counts as refused, and is tried again as seldom as what Cloudflare refuses.

use super::{World, enforcement};
use crate::clock::Moment;
use crate::cloudflare::{Changes, Connector};

/// What is to be done about `spec.useFedrampLanguage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Nothing: it is as wanted, or not managed.
    Keep,
    /// PATCH it.
    Change(bool),
    /// It was sent; look for its effect then.
    Wait(Moment),
    /// It was accepted and has no effect; send it again then.
    Ineffective(Moment),
}

/// What is to be done, given the connector as a look at `seen` has shown it.
pub(super) fn course(world: &World<'_>, connector: &Connector, seen: Moment) -> Course {
    let Some(wanted) = difference(world, connector) else {
        return Course::Keep;
    };
    let change = change(wanted);
    let Some(update) = world.memory.sent(change).filter(|update| !update.refused) else {
        return Course::Change(wanted);
    };
    if let Some(due) = enforcement::effect_due(world, change, seen) {
        return Course::Wait(due);
    }
    let again = update.at + world.timing.rejected_retry;
    if again <= world.now {
        Course::Change(wanted)
    } else {
        Course::Ineffective(again)
    }
}

/// The wording that is wanted, if another is shown. Cloudflare's default for an absent value is false.
pub(super) fn difference(world: &World<'_>, connector: &Connector) -> Option<bool> {
    let wanted = world.desired.use_fedramp_language?;
    (connector.use_fedramp_language.unwrap_or(false) != wanted).then_some(wanted)
}

/// The PATCH that sets it.
pub(super) fn change(wanted: bool) -> Changes {
    Changes {
        use_fedramp_language: Some(wanted),
        ..Changes::default()
    }
}
