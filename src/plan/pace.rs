//! How long to wait after a failure, and when the status speaks of it.
//!
//! An error that we do not know is transient: it is waited out with a growing, jittered pause that no watch event cancels.
//! Only what Cloudflare refuses in its own envelope is a person's business.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::memory::Trouble;
use super::verdict::{Finding, Verdict};
use super::world::{Pause, Record};
use super::{Act, Plan, Then, World, enforcement, messages, verification};
use crate::clock::Moment;
use crate::cloudflare::Class;
use crate::resource::Reason;

/// How many failures in a row the status speaks of, however quickly they came.
const SHOWN_FAILURES: u32 = 3;

pub(super) fn plan(world: &World<'_>) -> Option<Plan> {
    let trouble = world.memory.trouble.as_ref()?;
    let until = next_try(world, trouble)?;
    if until <= world.now {
        return None;
    }
    let verdict = match trouble.failure.class {
        Class::Rejected => refused(world, trouble),
        Class::NotSent
        | Class::Unavailable
        | Class::RateLimited
        | Class::Unauthorized
        | Class::Gone => troubled(world, trouble),
    };
    // When the time comes to speak of it, the status has to be written.
    let speaks = trouble.since + world.timing.trouble_shows_after;
    let next = if speaks > world.now {
        until.min(speaks)
    } else {
        until
    };
    Some(Plan::rest(verdict, world.now.until(next)))
}

/// When the next try is due. An edit of the spec is tried soon, but a pause that Cloudflare asked for holds for it, too.
pub(super) fn next_try(world: &World<'_>, trouble: &Trouble) -> Option<Moment> {
    let timing = world.timing;
    let delay = match trouble.failure.class {
        // A refused token is rested by token, not by object, and a changed one is tried at once.
        Class::Unauthorized => return None,
        Class::Rejected => spread(timing.rejected_retry, &world.desired.uid, trouble.failures),
        Class::NotSent | Class::Unavailable | Class::RateLimited | Class::Gone => {
            let limit = match trouble.failure.class {
                // How long the token rests is kept by token; another one in the Secret need not wait.
                Class::RateLimited => timing.poll_unverified,
                _ => timing.backoff_limit,
            };
            let grown = timing
                .backoff
                .saturating_mul(1 << trouble.failures.saturating_sub(1).min(20));
            spread(grown.min(limit), &world.desired.uid, trouble.failures)
        }
    };
    let delay = if trouble.edition == world.desired.edition() {
        delay
    } else {
        delay.min(timing.backoff)
    };
    // What Cloudflare asks of a token is kept by token; a server that is down asks it of everybody.
    let asked = match trouble.failure.class {
        Class::RateLimited => None,
        _ => trouble.failure.retry_after,
    };
    Some(trouble.last + asked.map_or(delay, |asked| delay.max(asked)))
}

fn refused(world: &World<'_>, trouble: &Trouble) -> Verdict {
    Verdict::stalled(
        &record_after_failure(world),
        Finding::new(
            Reason::Rejected,
            messages::rejected(&trouble.failure.message),
        ),
    )
}

/// Whether it is time to speak of failures that may pass.
pub(super) fn shows(world: &World<'_>, trouble: &Trouble) -> bool {
    trouble.failures >= SHOWN_FAILURES
        || world.now.since(trouble.since) >= world.timing.trouble_shows_after
}

fn troubled(world: &World<'_>, trouble: &Trouble) -> Verdict {
    let finding = shows(world, trouble).then(|| match trouble.failure.class {
        Class::RateLimited => Finding::new(Reason::RateLimited, messages::paused()),
        _ => Finding::new(
            Reason::CloudflareUnavailable,
            messages::trouble(&trouble.failure.message),
        ),
    });
    Verdict::undecided(record_after_failure(world), finding)
}

/// Cloudflare has asked that the token rest. The Secret is looked at in the meantime: another token need not wait.
pub(super) fn paused(world: &World<'_>, pause: Pause) -> Plan {
    let speaks = pause.since + world.timing.trouble_shows_after;
    let failures = world
        .memory
        .trouble
        .as_ref()
        .map_or(0, |trouble| trouble.failures);
    let shows = speaks <= world.now || failures >= SHOWN_FAILURES;
    let finding = shows.then(|| Finding::new(Reason::RateLimited, messages::paused()));
    let mut next = pause.until.min(world.now + world.timing.poll_unverified);
    if !shows {
        next = next.min(speaks);
    }
    Plan::rest(
        Verdict::undecided(record_after_failure(world), finding),
        world.now.until(next),
    )
}

/// A call that is made once more after it failed: the status keeps saying that it fails until it works. Otherwise
/// `Ready` would come and go with each try.
pub(super) fn once_more(world: &World<'_>, plan: Plan) -> Plan {
    let is_same = |act: &Act| match act {
        Act::Update { changes, .. } => world.memory.sent(*changes).is_some(),
        Act::Create { .. }
        | Act::BeginVerification { .. }
        | Act::Delete(_)
        | Act::Publish { .. }
        | Act::Unpublish { .. } => true,
    };
    let failed_before = |act: &Act| {
        world.memory.trouble.as_ref().is_some_and(|trouble| {
            trouble.failure.endpoint == act.endpoint() && trouble.edition == world.desired.edition()
        })
    };
    match plan {
        Plan::Settle {
            verdict,
            guard,
            then: Then::Act(act),
        } if failed_before(&act) && is_same(&act) && !verdict.is_stalled() => Plan::Settle {
            verdict: Box::new(Verdict {
                notice: verdict.notice,
                ..Verdict::undecided(verdict.record, None)
            }),
            guard,
            then: Then::Act(act),
        },
        _ => plan,
    }
}

/// Cloudflare's list may lack connectors. That is waited out like any other failure.
pub(super) fn unproved(world: &World<'_>, gap: &str) -> Plan {
    let since = world.memory.unproved_since.unwrap_or(world.now);
    let shows = world.now.since(since) >= world.timing.trouble_shows_after;
    let finding =
        shows.then(|| Finding::new(Reason::CloudflareUnavailable, messages::no_proof(gap)));
    Plan::rest(
        Verdict::undecided(world.record.clone(), finding),
        world.timing.poll_unverified,
    )
}

/// The record without what Cloudflare certainly did not carry out.
pub(super) fn record_after_failure(world: &World<'_>) -> Record {
    let mut record = world.record.clone();
    enforcement::after_refusal(world, &mut record);
    verification::after_refusal(world, &mut record);
    void_attempts(world, &mut record.attempts);
    record
}

/// An attempt that certainly created nothing is cleared if it was the only one.
fn void_attempts(world: &World<'_>, attempts: &mut Vec<k8s_openapi::jiff::Timestamp>) {
    let all_void = attempts.iter().all(|time| {
        world
            .pair
            .attempts
            .iter()
            .any(|attempt| attempt.time == *time && attempt.void)
    });
    if all_void {
        attempts.clear();
    }
}

/// `span` and up to a tenth more, different for each object and each time, yet the same for the same.
pub(super) fn spread(span: Duration, uid: &str, round: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (uid, round).hash(&mut hasher);
    let share = u32::try_from(hasher.finish() % 1024).unwrap_or_default();
    span + span / 10 * share / 1024
}
