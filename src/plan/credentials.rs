//! What the API token allows. Without one nothing can be looked at; with one that may only read, everything is done up to
//! the call that would change something.

use super::verdict::{Finding, Outcome, Synced, Verdict};
use super::world::{Credentials, Namespace, Unusable};
use super::{Act, Look, Plan, Then, World, messages, pace};
use crate::resource::Reason;

/// Nothing can be looked at without a token.
pub(super) fn plan(world: &World<'_>) -> Option<Plan> {
    match &world.observed.credentials {
        Credentials::Usable | Credentials::ReadOnly { .. } => None,
        Credentials::Unread => Some(Plan::Look(Look::Credentials)),
        Credentials::Doubtful => Some(Plan::Look(Look::Listing {
            not_before: world.now,
        })),
        Credentials::Paused(pause) => Some(pace::paused(world, *pause)),
        Credentials::Unusable(Unusable {
            reason,
            problem,
            remedy,
        }) => {
            let verdict = Verdict::undecided(world.record.clone(), None);
            Some(stalled(world, verdict, *reason, problem, remedy.as_deref()))
        }
    }
}

/// A call that the token may not make is not made. What was seen before it is told.
pub(super) fn permit(world: &World<'_>, plan: Plan) -> Plan {
    match (plan, &world.observed.credentials) {
        // Another right, perhaps of another token.
        (
            publishes @ Plan::Settle {
                then: Then::Act(Act::Publish { .. } | Act::Unpublish { .. }),
                ..
            },
            _,
        ) => publishes,
        (
            Plan::Settle {
                verdict,
                then: Then::Act(_),
                ..
            },
            Credentials::ReadOnly { .. },
        ) if verdict.is_stalled() => Plan::rest(*verdict, world.timing.secret_retry),
        (
            Plan::Settle {
                verdict,
                then: Then::Act(_),
                ..
            },
            Credentials::ReadOnly { problem },
        ) => stalled(world, *verdict, Reason::Unauthorized, problem, None),
        (plan, _) => plan,
    }
}

/// Wait for a usable token, and say what is wrong and what can be done.
fn stalled(
    world: &World<'_>,
    verdict: Verdict,
    reason: Reason,
    problem: &str,
    remedy: Option<&str>,
) -> Plan {
    let message = match (world.desired.terminating, world.observed.namespace) {
        (false, _) => match remedy {
            Some(remedy) => format!("{problem} {remedy}"),
            None => messages::refused_token(problem, world.desired.api_token.as_ref()),
        },
        (true, Namespace::Unread) => return Plan::Look(Look::Namespace),
        (true, namespace) => messages::deletion_without_credentials(problem, namespace),
    };
    let verdict = Verdict {
        record: pace::record_after_failure(world),
        outcome: Outcome::decided(Finding::new(reason, message), Synced::Failed),
        notice: None,
        ..verdict
    };
    Plan::rest(verdict, world.timing.secret_retry)
}
