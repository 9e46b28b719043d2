//! The queue of faults, and the calls that it holds.

use std::time::Instant;

use serde::Serialize;
use tokio::sync::watch;

use super::{Failure, Fault, Repeat, When};
use crate::calls::Call;

/// Names a fault in the queue.
pub type FaultId = u64;

/// What becomes of a held call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait,
    Continue,
    Drop,
}

/// A fault in the queue, spent or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    /// Its name.
    pub id: FaultId,
    /// The fault as it was pushed.
    pub fault: Fault,
    /// How many calls it has struck.
    pub struck: u32,
    /// How many calls it holds now.
    pub holding: usize,
}

#[derive(Debug)]
struct Queued {
    id: FaultId,
    fault: Fault,
    skipped: u32,
    struck: u32,
    pushed: Instant,
    verdict: watch::Sender<Verdict>,
}

impl Queued {
    fn acts(&self, now: Instant) -> bool {
        *self.verdict.borrow() == Verdict::Wait
            && match self.fault.repeat {
                Repeat::Times(times) => self.struck < times,
                Repeat::For(time) => now.duration_since(self.pushed) < time,
                Repeat::Forever => true,
            }
    }
}

/// A failure that strikes a call now.
#[derive(Debug)]
pub(crate) struct Strike {
    pub(crate) id: FaultId,
    pub(crate) failure: Failure,
    /// Tells a held call when to go on.
    pub(crate) verdict: watch::Receiver<Verdict>,
}

/// The faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    queue: Vec<Queued>,
    counted: FaultId,
}

impl FaultQueue {
    pub(crate) fn push(&mut self, fault: Fault, now: Instant) -> FaultId {
        self.counted += 1;
        self.queue.push(Queued {
            id: self.counted,
            fault,
            skipped: 0,
            struck: 0,
            pushed: now,
            verdict: watch::Sender::new(Verdict::Wait),
        });
        self.counted
    }

    /// The next fault after the one named `after` that strikes `call` on this side of its change.
    pub(crate) fn strike(
        &mut self,
        call: &Call,
        when: When,
        after: FaultId,
        now: Instant,
    ) -> Option<Strike> {
        let candidates = self.queue.iter_mut().filter(|queued| queued.id > after);
        for queued in candidates {
            let fault = &queued.fault;
            if fault.failure.when() != when || !fault.matches(call) || !queued.acts(now) {
                continue;
            }
            if queued.skipped < fault.skip {
                queued.skipped += 1;
                continue;
            }
            queued.struck += 1;
            return Some(Strike {
                id: queued.id,
                failure: fault.failure.clone(),
                verdict: queued.verdict.subscribe(),
            });
        }
        None
    }

    /// Ends a fault; calls that it holds go on or lose their connection. Tells whether there is such a fault.
    pub(crate) fn decide(&mut self, id: FaultId, verdict: Verdict) -> bool {
        let queued = self.queue.iter().find(|queued| queued.id == id);
        queued
            .map(|queued| queued.verdict.send_replace(verdict))
            .is_some()
    }

    /// How many calls a fault has struck; none if there is no such fault.
    pub(crate) fn struck(&self, id: FaultId) -> u32 {
        let queued = self.queue.iter().find(|queued| queued.id == id);
        queued.map_or(0, |queued| queued.struck)
    }

    /// Forgets one fault; held calls go on.
    pub(crate) fn remove(&mut self, id: FaultId) {
        self.queue.retain(|queued| queued.id != id);
    }

    /// Forgets every fault; held calls go on.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn reports(&self) -> Vec<FaultReport> {
        let report = |queued: &Queued| FaultReport {
            id: queued.id,
            fault: queued.fault.clone(),
            struck: queued.struck,
            holding: match queued.fault.failure {
                Failure::Hold { .. } => queued.verdict.receiver_count(),
                _ => 0,
            },
        };
        self.queue.iter().map(report).collect()
    }
}
