//! Events for what has changed. They are best effort: nothing depends on them, and a namespace that is being deleted
//! accepts none.

use kube::Resource as _;
use kube::runtime::events::{Event, EventType};
use tracing::debug;

use super::Context;
use super::store::within;
use crate::plan::{Outcome, Verdict};
use crate::resource::{ConditionType, Reason, SsoConnector, SsoConnectorStatus, find_condition};

/// An Event's note may not be longer, in bytes; the API server refuses it otherwise.
const LONGEST_NOTE: usize = 1000;

/// The reason of `Ready` in a verdict that has one.
pub(super) fn ready_reason(verdict: &Verdict) -> Option<Reason> {
    match &verdict.outcome {
        Outcome::Decided { ready, .. } => Some(ready.reason),
        Outcome::Undecided { .. } => None,
    }
}

/// Publishes an Event for each thing that has changed.
pub(super) async fn transitions(
    context: &Context,
    object: &SsoConnector,
    before: &SsoConnectorStatus,
    after: &SsoConnectorStatus,
) {
    let reference = object.object_ref(&());
    for (reason, note) in changes(before, after) {
        let warning = Reason::from_word(&reason).is_some_and(Reason::is_warning);
        let event = Event {
            type_: if warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason,
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(failure) = within(context.recorder.publish(&event, &reference)).await {
            debug!(cause = %failure, "an Event was not published");
        }
    }
}

/// Reason and message of each condition that is there now and was not so before. Several conditions may say the same
/// thing, and that Cloudflare can be worked with is news only after it could not.
fn changes(before: &SsoConnectorStatus, after: &SsoConnectorStatus) -> Vec<(String, String)> {
    let mut changes: Vec<(String, String)> = Vec::new();
    let first_success = find_condition(&before.conditions, ConditionType::Synced)
        .is_none()
        .then_some("True");
    for condition in &after.conditions {
        let known = before.conditions.iter().any(|old| {
            old.type_ == condition.type_
                && old.status == condition.status
                && old.reason == condition.reason
        });
        let no_news = condition.type_ == ConditionType::Synced.as_str()
            && first_success == Some(condition.status.as_str());
        let message = condition.message.as_str();
        let note = message[..message.floor_char_boundary(LONGEST_NOTE)].to_owned();
        let said = changes
            .iter()
            .any(|(reason, said)| *reason == condition.reason || *said == note);
        if !known && !no_news && !said {
            changes.push((condition.reason.clone(), note));
        }
    }
    changes
}
