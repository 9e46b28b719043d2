//! What a test wants to happen to some calls.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::watch;

use super::answer::Answer;
use super::forward::Cut;
use super::{Call, lock};

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treatment {
    /// It waits; the API server has not heard of it.
    HoldBeforeForwarding,
    /// The API server has done it; the caller does not know yet.
    HoldAfterAnswer,
    /// It goes on after this time.
    Delay(Duration),
    /// It is answered with this status and a Kubernetes `Status` body, and not forwarded.
    Answer(StatusCode),
    /// It is answered so, and not forwarded.
    AnswerWith(Answer),
    /// The API server has done it; the caller is answered so instead.
    AnswerAfterForwarding(Answer),
    /// The connection is closed; the API server has not heard of it.
    CutBeforeForwarding,
    /// The API server has done it; the connection is closed without an answer.
    CutAfterAnswer,
    /// The API server has done it; the connection is closed in the middle of the answer.
    CutInAnswer,
    /// The API server has done it; of the answer comes the first half, and then nothing on an open connection.
    StallInAnswer,
}

/// A treatment in force. Releasing or dropping it lets the held calls go on and treats no further ones.
#[derive(Debug)]
pub struct Interception {
    rule: Arc<Rule>,
    rules: Arc<Mutex<Vec<Arc<Rule>>>>,
}

/// The treatments in force.
#[derive(Debug, Default)]
pub(super) struct Interceptions {
    rules: Arc<Mutex<Vec<Arc<Rule>>>>,
}

pub(super) struct Rule {
    pub(super) treatment: Treatment,
    matches: Box<dyn Fn(&Call) -> bool + Send + Sync>,
    /// How many more calls are treated.
    left: AtomicUsize,
    /// The calls that reached the point of the treatment.
    arrived: watch::Sender<Vec<Call>>,
    verdict: watch::Sender<Verdict>,
}

/// What becomes of the calls that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Verdict {
    #[default]
    Wait,
    Continue,
    Cut,
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Rule")
            .field(&self.treatment)
            .finish()
    }
}

impl Interceptions {
    pub(super) fn add(
        &self,
        treatment: Treatment,
        times: usize,
        matches: impl Fn(&Call) -> bool + Send + Sync + 'static,
    ) -> Interception {
        let rule = Arc::new(Rule {
            treatment,
            matches: Box::new(matches),
            left: AtomicUsize::new(times),
            arrived: watch::Sender::default(),
            verdict: watch::Sender::default(),
        });
        lock(&self.rules).push(Arc::clone(&rule));
        Interception {
            rule,
            rules: Arc::clone(&self.rules),
        }
    }

    pub(super) fn find(&self, call: &Call) -> Option<Arc<Rule>> {
        lock(&self.rules)
            .iter()
            .find(|rule| rule.takes(call))
            .cloned()
    }
}

impl Rule {
    /// Whether it is for this call, which then is one of those that it is for.
    fn takes(&self, call: &Call) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        let (ordering, left) = (Ordering::Relaxed, &self.left);
        (self.matches)(call) && left.fetch_update(ordering, ordering, one_less).is_ok()
    }

    /// A call is at the point of the treatment.
    pub(super) fn record(&self, call: &Call) {
        self.arrived.send_modify(|calls| calls.push(call.clone()));
    }

    /// Records the call and holds it until the interception is released.
    ///
    /// # Errors
    /// The call's connection shall be closed instead.
    pub(super) async fn hold(&self, call: &Call) -> Result<(), Cut> {
        self.record(call);
        self.released().await
    }

    /// Waits until the interception is released.
    ///
    /// # Errors
    /// The connections of the held calls shall be closed instead.
    pub(super) async fn released(&self) -> Result<(), Cut> {
        let mut verdict = self.verdict.subscribe();
        // The sender lives in this very value, so waiting cannot fail.
        let is_cut = verdict
            .wait_for(|verdict| *verdict != Verdict::Wait)
            .await
            .is_ok_and(|verdict| *verdict == Verdict::Cut);
        if is_cut { Err(Cut::Wanted) } else { Ok(()) }
    }
}

impl Interception {
    /// Waits until a call has reached the point of the treatment: held, cut, or about to be answered. Returns the first
    /// one. Put a deadline around it with [`tokio::time::timeout`].
    pub async fn arrived(&self) -> Call {
        let mut calls = self.rule.arrived.subscribe();
        loop {
            if let Some(call) = calls.borrow_and_update().first() {
                return call.clone();
            }
            // The sender lives in the rule that we hold, so this cannot fail.
            let _ = calls.changed().await;
        }
    }

    /// All calls that have reached that point so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.rule.arrived.borrow().clone()
    }

    /// Lets the held calls go on and ends the treatment, as dropping does.
    pub fn release(self) {
        drop(self);
    }

    /// Ends the treatment, too, but the held calls go no further: their connections are closed. For callers that are dead
    /// already, or shall be told nothing.
    pub fn cut(self) {
        self.rule.verdict.send_replace(Verdict::Cut);
    }
}

impl Drop for Interception {
    fn drop(&mut self) {
        lock(&self.rules).retain(|rule| !Arc::ptr_eq(rule, &self.rule));
        self.rule.verdict.send_if_modified(|verdict| {
            let waits = *verdict == Verdict::Wait;
            if waits {
                *verdict = Verdict::Continue;
            }
            waits
        });
    }
}
