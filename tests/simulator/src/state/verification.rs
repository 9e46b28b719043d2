//! The verification clock: while a connector is pending, DNS is looked at once per poll interval, until the record is
//! there or the time is up.

use k8s_openapi::jiff::Timestamp;

use super::connector::{Record, VerificationClock, VerificationStatus};
use super::txt::TxtTable;
use crate::knobs::Knobs;

impl Record {
    /// Makes the connector pending, with a fresh clock.
    pub(super) fn begin(&mut self, now: Timestamp, knobs: &Knobs, new_code: Option<String>) {
        self.change(now, |connector| {
            connector.verification_status = VerificationStatus::Pending;
            if let Some(code) = new_code {
                connector.verification_code = code;
            }
        });
        self.start_clock(now, knobs);
    }

    pub(super) fn start_clock(&mut self, now: Timestamp, knobs: &Knobs) {
        self.clock = Some(VerificationClock {
            begun: now,
            next_poll: now + knobs.poll_interval,
        });
    }

    /// The moment at which the clock has something to do.
    pub(super) fn next_event(&self, knobs: &Knobs) -> Option<Timestamp> {
        self.clock
            .map(|clock| clock.next_poll.min(clock.begun + knobs.verify_timeout))
    }

    /// Catches up with `now`. The TXT table must not have changed since the last call.
    pub(super) fn advance(&mut self, now: Timestamp, knobs: &Knobs, txt: &TxtTable) {
        let Some(mut clock) = self.clock else { return };
        // A knob may have shortened the interval since the poll was planned.
        clock.next_poll = clock.next_poll.min(now + knobs.poll_interval);
        let deadline = clock.begun + knobs.verify_timeout;
        let published = self.latest().is_some_and(|connector| {
            txt.holds(&connector.email_domain, &connector.verification_code)
        });
        let due = |moment: Timestamp| moment <= now;
        if published && due(clock.next_poll) && clock.next_poll <= deadline {
            self.finish(clock.next_poll, VerificationStatus::Verified);
        } else if due(deadline) {
            self.finish(deadline, VerificationStatus::Failed);
        } else {
            if due(clock.next_poll) {
                clock.next_poll = now + knobs.poll_interval;
            }
            self.clock = Some(clock);
        }
    }

    fn finish(&mut self, at: Timestamp, status: VerificationStatus) {
        self.clock = None;
        self.change(at, |connector| connector.verification_status = status);
    }
}
