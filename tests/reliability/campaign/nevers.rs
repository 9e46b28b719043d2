//! What must never happen, judged from what people did and from the calls that Cloudflare saw. It needs no notion of what the
//! operator does next, so it holds in the middle of things, too.

use simulator::{Call, Effect, Operation, Outcome};

use super::oracle::{Deed, Spec, State, Verification};
use super::step::Who;

/// What has happened since the operator last rested.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    /// Where it may have rested.
    pub(crate) before: &'a [State],
    pub(crate) deeds: &'a [Deed],
    /// Every call since then.
    pub(crate) calls: &'a [Call],
    /// The connectors that stood then.
    pub(crate) stood: usize,
}

/// Says which promise is broken, if one is.
pub(crate) fn check(window: &Window<'_>) -> Result<(), String> {
    never_create_twice(window)?;
    never_enable_what_is_not_verified(window)?;
    never_fight_a_person(window)?;
    never_delete_unless_it_says_so(window)?;
    never_touch_what_is_left_alone(window)
}

/// A POST rests on a list, and that list must not have shown a connector.
fn never_create_twice(window: &Window<'_>) -> Result<(), String> {
    let removed = |deed: &&Deed| matches!(deed, Deed::Removed(_));
    let mut gone = window.deeds.iter().filter(removed).count();
    let mut standing = window.stood;
    let mut listed = None;
    for call in window.calls {
        match (call.operation, call.effect) {
            (Operation::List, _) if call.status() == Some(200) => listed = Some(standing),
            (Operation::Delete, Effect::Committed) => gone += 1,
            (Operation::Create, _) => {
                // What is deleted in these moments may have been gone when the list was taken.
                if listed.is_none_or(|listed| listed > gone) {
                    return broken("never create twice", call);
                }
                if call.effect == Effect::Committed {
                    standing += 1;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Cloudflare refuses it, and it must not be tried: only who loses a verification in these moments may see that.
fn never_enable_what_is_not_verified(window: &Window<'_>) -> Result<(), String> {
    let lost = window.deeds.iter().any(|deed| {
        matches!(deed, Deed::Changed { verification: Some(verification), .. }
            if *verification != Verification::Verified)
    });
    let refused = window.calls.iter().find(|call| {
        asks_for(call) == Some(true)
            && matches!(call.outcome, Outcome::Answered(status) if ![200, 401, 403, 404].contains(&status))
    });
    match refused {
        Some(call) if !lost => broken("never enable what is not verified", call),
        _ => Ok(()),
    }
}

/// While it is held, `enabled` is not touched, and a connector that somebody has deleted is not created.
fn never_fight_a_person(window: &Window<'_>) -> Result<(), String> {
    let held = !window.before.is_empty()
        && window.before.iter().all(|state| {
            let mut living = state.living();
            let only = living.next();
            only.is_some_and(|(_, object)| object.is_held() && object.spec.acts())
                && living.next().is_none()
        });
    let excused = window.deeds.iter().any(|deed| match deed {
        Deed::Edited { who, spec } => window.before.iter().any(|state| {
            state.object(*who).is_none_or(|object| {
                let before = &object.spec;
                spec.enabled != before.enabled
                    || spec.on_external_change != before.on_external_change
                    || spec.named != before.named
            })
        }),
        // What is not the operator's alone any more, or is what the spec wants.
        Deed::Asked(_)
        | Deed::Applied { .. }
        | Deed::Condemned(_)
        | Deed::Gone(_)
        | Deed::Created { .. }
        | Deed::Changed {
            enabled: Some(_), ..
        } => true,
        Deed::Token(..)
        | Deed::Changed { .. }
        | Deed::Removed(_)
        | Deed::Published(_)
        | Deed::Withdrawn => false,
    });
    let fights = |call: &&Call| call.operation == Operation::Create || asks_for(call).is_some();
    match window.calls.iter().find(fights) {
        Some(call) if held && !excused => broken("never fight a person", call),
        _ => Ok(()),
    }
}

/// A DELETE, and a PATCH on the way to it, need an object that is going away and says so.
fn never_delete_unless_it_says_so(window: &Window<'_>) -> Result<(), String> {
    let goes = |who: Who| {
        let before = window.before.iter().any(|state| {
            state
                .object(who)
                .is_some_and(|object| object.terminating && object.finalizer)
        });
        before || window.deeds.contains(&Deed::Condemned(who))
    };
    let says_so = Who::ALL.into_iter().any(|who| {
        goes(who)
            && specs(window).any(|(whose, spec)| whose == who && spec.deletes() && !spec.suspended)
    });
    let deletes = |call: &&Call| call.operation == Operation::Delete;
    match window.calls.iter().find(deletes) {
        Some(call) if !says_so => broken("never delete unless the object says so", call),
        _ => Ok(()),
    }
}

/// Where every object only observes, is suspended or is gone, nothing is changed.
fn never_touch_what_is_left_alone(window: &Window<'_>) -> Result<(), String> {
    let mutation = window
        .calls
        .iter()
        .find(|call| call.operation.is_mutation());
    match mutation {
        Some(call) if !specs(window).any(|(_, spec)| spec.acts()) => {
            broken("never touch what is suspended or only observed", call)
        }
        _ => Ok(()),
    }
}

/// Every spec that an object has had in these moments.
fn specs<'a>(window: &'a Window<'_>) -> impl Iterator<Item = (Who, &'a Spec)> {
    let before = window
        .before
        .iter()
        .flat_map(|state| state.living().map(|(who, object)| (who, &object.spec)));
    let since = window.deeds.iter().filter_map(|deed| match deed {
        Deed::Applied { who, spec, .. } | Deed::Edited { who, spec } => Some((*who, spec)),
        _ => None,
    });
    before.chain(since)
}

/// The value of `enabled` that a PATCH asks for.
pub(crate) fn asks_for(call: &Call) -> Option<bool> {
    let body = call.body.as_ref()?;
    (call.operation == Operation::Update).then(|| body["enabled"].as_bool())?
}

fn broken(promise: &str, call: &Call) -> Result<(), String> {
    let Call {
        sequence,
        method,
        path,
        body,
        outcome,
        ..
    } = call;
    Err(format!(
        "{promise}: call {sequence}, {method} {path} with {body:?}, was {outcome:?}"
    ))
}
