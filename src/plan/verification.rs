//! When to ask Cloudflare to begin looking for the TXT record.
//!
//! A connector that awaits its verification is begun once. One on which Cloudflare gave up, after two days, is begun
//! again with a growing pause, or at once when the record has appeared in DNS. All times are Cloudflare's, so that a restart of
//! the operator changes nothing but this: a process that has only ever seen the record does not know since when it is there, so
//! that the first pause has to pass.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::txt::{self, Appearance};
use super::world::{Begun, Record};
use super::{Timing, World};
use crate::cloudflare::{Connector, VerificationStatus};

/// The status of the connector's verification, if Cloudflare reported one.
pub(super) fn status(connector: &Connector) -> Option<&VerificationStatus> {
    connector.verification.as_ref()?.status.as_ref()
}

pub(super) fn is_verified(connector: &Connector) -> bool {
    status(connector) == Some(&VerificationStatus::Verified)
}

/// Whether the verification shall be begun now; then, what is recorded before it is.
pub(super) fn begin(
    world: &World<'_>,
    begun: Begun,
    connector: &Connector,
    date: Option<Timestamp>,
) -> Option<Begun> {
    if !world.desired.begin_verification {
        return None;
    }
    let restarts = match status(connector)? {
        VerificationStatus::Awaiting => begun.restarts,
        VerificationStatus::Failed => begun.restarts.saturating_add(1),
        VerificationStatus::Pending
        | VerificationStatus::Verified
        | VerificationStatus::Unknown(_) => return None,
    };
    let date = date?;
    let given_up = status(connector) == Some(&VerificationStatus::Failed);
    let pause = match txt::appearance(world, connector) {
        Appearance::Yes if given_up => Duration::ZERO,
        Appearance::Perhaps if given_up => world.timing.restart_backoff,
        Appearance::No | Appearance::Yes | Appearance::Perhaps => {
            pause(world.timing, begun.restarts)
        }
    };
    let due = begun.last.is_none_or(|last| {
        let elapsed = Duration::try_from(date.duration_since(last)).unwrap_or_default();
        elapsed >= pause
    });
    due.then_some(Begun {
        restarts,
        last: Some(date),
    })
}

/// What Cloudflare certainly did not begin was not begun.
pub(super) fn after_refusal(world: &World<'_>, record: &mut Record) {
    if let Some((refused, before)) = world.memory.refused_begin
        && record.begun == refused
    {
        record.begun = before;
    }
}

/// How long to wait after the verification was begun before it is begun again.
fn pause(timing: &Timing, restarts: i32) -> Duration {
    let doublings = u32::try_from(restarts).unwrap_or_default().min(16);
    timing
        .restart_backoff
        .saturating_mul(1 << doublings)
        .min(timing.restart_backoff_limit)
}
