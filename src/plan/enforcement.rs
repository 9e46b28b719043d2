//! Enabling and disabling, and break-glass.
//!
//! Disabling SSO by hand is how people get back into their account in an emergency, and an operator that enables it
//! again within seconds defeats them. So each wanted value of `spec.enabled` is applied once. `Armed` → `Applying` (with
//! the connector's `updated_on`) → the value is seen → `Satisfied`; a difference after that is somebody's decision, and
//! it is `Held`. The state is observed, not derived from generations: only what is about `enabled` itself re-arms it.

use k8s_openapi::jiff::Timestamp;

use super::world::Record;
use super::{World, verification};
use crate::clock::Moment;
use crate::cloudflare::{Changes, Connector};
use crate::resource::{Enforcement, EnforcementState, ExternalChangePolicy};

/// What is to be done about `spec.enabled`. Each carries the record that must be stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Course {
    /// Nothing is to be sent.
    Keep(Record),
    /// Store the record, then PATCH the value.
    Change(Record, bool),
    /// Nothing may be sent before then; look at the connector by its ID when the time has come.
    Wait(Record, Moment),
}

/// The state in which a connector is bound. One that we have created, or that nobody has verified, has never enforced
/// anything. But a verified one that differs from the spec was left so by somebody: a cluster that is rebuilt during an
/// emergency must not lock the door again.
pub(super) fn initial(world: &World<'_>, connector: &Connector, ours: bool) -> Enforcement {
    let state = match world.desired.enabled {
        None => EnforcementState::Armed,
        // What we have disabled ourselves and still see enabled will be seen as it is.
        Some(true) if disabling_due(world, connector, world.now).is_some() => {
            EnforcementState::Armed
        }
        Some(wanted) if wanted == is_enabled(connector) => EnforcementState::Satisfied,
        Some(_) if ours || !verification::is_verified(connector) => EnforcementState::Armed,
        Some(_) => after_external_change(world),
    };
    enforcement(world, state)
}

/// What is to be done, given the connector as a GET by its ID has shown it at `seen`.
pub(super) fn course(
    world: &World<'_>,
    record: &Record,
    connector: &Connector,
    seen: Moment,
) -> Course {
    let record = normalised(world, record, connector);
    let Some(wanted) = world.desired.enabled else {
        return Course::Keep(record);
    };
    if is_enabled(connector) == wanted {
        // What was sent for the opposite may just not show yet, so this may be the state from before it.
        if let Some(due) = effect_due(world, change(!wanted), seen)
            .or_else(|| disabling_due(world, connector, seen))
        {
            return Course::Wait(record, due);
        }
        return Course::Keep(with_state(world, record, EnforcementState::Satisfied));
    }
    match state(&record) {
        EnforcementState::Held => Course::Keep(record),
        EnforcementState::Armed => apply(world, record, connector, wanted),
        EnforcementState::Applying => resume(world, record, connector, wanted, seen),
        EnforcementState::Satisfied => match unconfirmed_until(world, seen) {
            Some(confirmed) => Course::Wait(record, confirmed),
            None => changed_by_others(world, &record, connector, wanted),
        },
    }
}

/// Only what is verified is enabled.
fn apply(world: &World<'_>, record: Record, connector: &Connector, wanted: bool) -> Course {
    if wanted && !verification::is_verified(connector) {
        return Course::Keep(record);
    }
    Course::Change(applying(world, record, connector), wanted)
}

/// A change was stored as being sent, and its effect is not seen.
fn resume(
    world: &World<'_>,
    record: Record,
    connector: &Connector,
    wanted: bool,
    seen: Moment,
) -> Course {
    let recorded = record
        .enforcement
        .as_ref()
        .and_then(|enforcement| enforcement.updated_on);
    let sent = world.memory.sent(change(wanted));
    if sent.is_some_and(|update| update.refused) {
        let record = with_state(world, record, EnforcementState::Armed);
        return apply(world, record, connector, wanted);
    }
    if let Some(due) =
        effect_due(world, change(wanted), seen).or_else(|| unconfirmed_until(world, seen))
    {
        return Course::Wait(record, due);
    }
    if recorded.is_none() || recorded != connector.updated_on {
        return changed_by_others(world, &record, connector, wanted);
    }
    if wanted && !verification::is_verified(connector) {
        return Course::Keep(record);
    }
    Course::Change(record, wanted)
}

/// When to look again for the effect of this PATCH, if it was the last that was sent and may still show: reads lag
/// writes. Soon at first, then less and less often.
pub(super) fn effect_due(world: &World<'_>, changes: Changes, seen: Moment) -> Option<Moment> {
    let update = world
        .memory
        .sent(changes)
        .filter(|update| !update.refused)?;
    let settled = update.at + world.timing.difference_confirmation;
    let next = seen + world.timing.backoff.max(seen.since(update.at));
    (seen < settled).then(|| next.min(settled))
}

/// When to look again at a connector that is enabled, if it was disabled on behalf of an object that has gone since, and
/// nobody has enabled it after that for this one: reads lag writes.
fn disabling_due(world: &World<'_>, connector: &Connector, seen: Moment) -> Option<Moment> {
    let (disabled, when) = world.pair.disabled.as_ref()?;
    let settled = *when + world.timing.difference_confirmation;
    let enabled = world.memory.sent(change(true));
    let is_lag = *disabled == connector.id
        && is_enabled(connector)
        && seen < settled
        && enabled.is_none_or(|update| update.at < *when);
    is_lag.then_some(settled)
}

/// Somebody else has changed it: hold that, or apply the spec again.
fn changed_by_others(
    world: &World<'_>,
    record: &Record,
    connector: &Connector,
    wanted: bool,
) -> Course {
    let record = held(world, record);
    match state(&record) {
        EnforcementState::Armed => apply(world, record, connector, wanted),
        _ => Course::Keep(record),
    }
}

/// When a second look can confirm the difference, unless the one at `seen` does: two looks that agree, far enough apart
/// and after our last change, show that somebody else has changed it.
fn unconfirmed_until(world: &World<'_>, seen: Moment) -> Option<Moment> {
    let span = world.timing.difference_confirmation;
    match world.memory.difference {
        Some(difference) => {
            let confirmed = difference.since + span;
            (seen < confirmed).then_some(confirmed)
        }
        None => Some(world.now + span),
    }
}

/// The record with an enforcement that speaks of this object and of the value that is wanted now.
fn normalised(world: &World<'_>, record: &Record, connector: &Connector) -> Record {
    // Without a state of its own it is judged like a connector that is bound now.
    let record = recorded(world, record).unwrap_or_else(|| Record {
        enforcement: Some(initial(world, connector, false)),
        handled_enable_at: world.desired.enable_at.clone(),
        ..record.clone()
    });
    match world.desired.enabled {
        None => with_state(world, record, EnforcementState::Armed),
        Some(_) => record,
    }
}

/// The same for a connector that is gone: a lost state then is an emergency exit that somebody took. Where nothing is
/// wanted any more there is nothing to hold, but what somebody has deleted is not created again for that.
pub(super) fn normalised_without_connector(world: &World<'_>, record: &Record) -> Record {
    let was_applied = |known: &Enforcement| {
        known.object_uid == world.desired.uid && known.state != EnforcementState::Armed
    };
    let record = match world.desired.enabled {
        None if record.enforcement.as_ref().is_some_and(was_applied) => {
            &with_state(world, record.clone(), EnforcementState::Held)
        }
        None | Some(_) => record,
    };
    recorded(world, record).unwrap_or_else(|| match world.desired.enabled {
        None => with_state(world, record.clone(), EnforcementState::Armed),
        Some(_) => held(world, record),
    })
}

/// The state that was recorded for this very object, brought to the value that is wanted now. None if there is none, or
/// one that was restored into another object.
fn recorded(world: &World<'_>, record: &Record) -> Option<Record> {
    let desired = world.desired;
    let known = record
        .enforcement
        .as_ref()
        .filter(|known| known.object_uid == desired.uid)?;
    let record = if known.enabled == desired.enabled {
        record.clone()
    } else {
        with_state(world, record.clone(), EnforcementState::Armed)
    };
    let record = rearmed_on_request(world, record);
    if state(&record) == EnforcementState::Held {
        let state = after_external_change(world);
        return Some(with_state(world, record, state));
    }
    Some(record)
}

/// The record of an unbound object whose hold has outlived its connector.
pub(super) fn carried_hold(world: &World<'_>) -> Option<Record> {
    world.record.enforcement.as_ref()?;
    let record = normalised_without_connector(world, world.record);
    (state(&record) == EnforcementState::Held).then_some(record)
}

/// The state in which a connector is bound, a hold that has outlived the one before included.
pub(super) fn at_binding(world: &World<'_>, connector: &Connector, ours: bool) -> Enforcement {
    match carried_hold(world) {
        Some(_) if differs(world, connector) => enforcement(world, after_external_change(world)),
        Some(_) | None => initial(world, connector, ours),
    }
}

/// What somebody else's change leads to.
fn after_external_change(world: &World<'_>) -> EnforcementState {
    match world.desired.on_external_change {
        ExternalChangePolicy::Hold => EnforcementState::Held,
        ExternalChangePolicy::Enforce => EnforcementState::Armed,
    }
}

/// The record with the enforcement held, unless the spec says to enforce; what the annotation says now counts as handled.
pub(super) fn held(world: &World<'_>, record: &Record) -> Record {
    let mut record = with_state(world, record.clone(), after_external_change(world));
    record
        .handled_enable_at
        .clone_from(&world.desired.enable_at);
    record
}

/// A new value of the annotation arms a held enforcement again; otherwise it has nothing to do and is handled.
fn rearmed_on_request(world: &World<'_>, mut record: Record) -> Record {
    let asked = &world.desired.enable_at;
    if asked.is_none() || *asked == record.handled_enable_at {
        return record;
    }
    record.handled_enable_at.clone_from(asked);
    if state(&record) == EnforcementState::Held {
        return with_state(world, record, EnforcementState::Armed);
    }
    record
}

/// A PATCH that Cloudflare certainly did not carry out leaves the enforcement armed.
pub(super) fn after_refusal(world: &World<'_>, record: &mut Record) {
    let refused = record
        .enforcement
        .as_ref()
        .and_then(|enforcement| world.memory.sent(change(enforcement.enabled?)))
        .is_some_and(|update| update.refused);
    if refused
        && let Some(enforcement) = &mut record.enforcement
        && enforcement.state == EnforcementState::Applying
    {
        enforcement.state = EnforcementState::Armed;
        enforcement.updated_on = None;
    }
}

/// The PATCH that enables or disables.
pub(super) fn change(enabled: bool) -> Changes {
    Changes {
        enabled: Some(enabled),
        ..Changes::default()
    }
}

/// How far the wanted value was applied.
pub(super) fn state(record: &Record) -> EnforcementState {
    record
        .enforcement
        .as_ref()
        .map_or(EnforcementState::Armed, |enforcement| enforcement.state)
}

/// Whether it is not as the spec wants it.
pub(super) fn differs(world: &World<'_>, connector: &Connector) -> bool {
    let wanted = world.desired.enabled;
    wanted.is_some_and(|wanted| wanted != is_enabled(connector))
}

/// Cloudflare's default for an absent value is false.
pub(super) fn is_enabled(connector: &Connector) -> bool {
    connector.enabled.unwrap_or(false)
}

fn applying(world: &World<'_>, record: Record, connector: &Connector) -> Record {
    let mut record = with_state(world, record, EnforcementState::Applying);
    set_updated_on(&mut record, connector.updated_on);
    record
}

fn set_updated_on(record: &mut Record, updated_on: Option<Timestamp>) {
    if let Some(enforcement) = &mut record.enforcement {
        enforcement.updated_on = updated_on;
    }
}

fn with_state(world: &World<'_>, mut record: Record, state: EnforcementState) -> Record {
    record.enforcement = Some(enforcement(world, state));
    record
}

fn enforcement(world: &World<'_>, state: EnforcementState) -> Enforcement {
    Enforcement {
        state,
        enabled: world.desired.enabled,
        object_uid: world.desired.uid.clone(),
        updated_on: None,
    }
}
