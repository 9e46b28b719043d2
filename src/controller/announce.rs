//! Events for what has changed. They are best effort: nothing depends on them, and a namespace that is being deleted
//! accepts none.

use kube::Resource as _;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tracing::debug;

use super::Context;
use crate::kubernetes::within;
use crate::plan::{Finding, Outcome, Verdict};
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

/// What a pass has settled.
#[derive(Debug)]
pub(super) struct News {
    /// The status before.
    pub(super) before: SsoConnectorStatus,
    /// The status after.
    pub(super) after: SsoConnectorStatus,
    /// What else is worth an Event.
    pub(super) notice: Option<Finding>,
}

/// Publishes an Event for each thing that has changed.
pub(super) async fn publish(context: &Context, object: &SsoConnector, news: &News) {
    let reference = object.object_ref(&());
    let notice = news.notice.as_ref();
    let notice = notice.map(|notice| (notice.reason.as_str().to_owned(), notice.message.clone()));
    let noticed = notice.is_some();
    let changes = changes(&news.before, &news.after);
    for (number, (reason, note)) in notice.into_iter().chain(changes).enumerate() {
        let known = Reason::from_word(&reason);
        // That there is no connector may have been so from the start; only the notice says that it went.
        let happened = known != Some(Reason::ConnectorNotFound) || (noticed && number == 0);
        if let Some(reason) = known.filter(|reason| reason.is_external_change() && happened) {
            context.metrics.changed_by_others(reason);
        }
        let event = Event {
            type_: if known.is_some_and(Reason::is_warning) {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason,
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        // A recorder takes an Event for a repetition of the one before with the same reason, and drops its message.
        let recorder = Recorder::new(context.client.clone(), reporter());
        if let Err(failure) = within(recorder.publish(&event, &reference)).await {
            debug!(cause = %failure, "an Event was not published");
        }
    }
}

fn reporter() -> Reporter {
    Reporter {
        controller: "cloudflare-sso-operator".to_owned(),
        instance: None,
    }
}

/// Reason and message of each condition that is there now and was not so before. Several conditions may say the same
/// thing, what another condition has said all the time is no news, and that Cloudflare can be worked with is news only
/// after it could not.
fn changes(before: &SsoConnectorStatus, after: &SsoConnectorStatus) -> Vec<(String, String)> {
    let mut changes: Vec<(String, String)> = Vec::new();
    let first_success = find_condition(&before.conditions, ConditionType::Synced)
        .is_none()
        .then_some("True");
    for condition in &after.conditions {
        let known = before.conditions.iter().any(|old| {
            let unchanged = old.type_ == condition.type_ && old.status == condition.status;
            old.reason == condition.reason && (unchanged || old.message == condition.message)
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
