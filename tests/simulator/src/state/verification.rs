//! The verification clock: while a connector is pending, DNS is looked at once per poll interval, until the record is
//! there or the time is up.
//!
//! Where the model is DNS truth itself, it looks when it catches up with the time. Where a name server is, the poll stays
//! due until somebody who can ask one hands in what was seen.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;

use super::connector::{Connector, StoredConnector, VerificationClock, VerificationStatus};
use super::{DnsTruth, Effect, Model, canonical};
use crate::knobs::Knobs;

/// What is known about a connector's record when its poll is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sighting {
    Published,
    Absent,
    /// Nobody has looked yet.
    Unknown,
}

impl Sighting {
    const fn of(published: bool) -> Self {
        if published {
            Self::Published
        } else {
            Self::Absent
        }
    }
}

impl Model {
    /// Catches up with `now`: polls that are due look at DNS, verifications whose time is up fail. Tells whether
    /// anything changed.
    pub(crate) fn advance(&mut self, now: Timestamp, knobs: &Knobs) -> Effect {
        let Self {
            connectors,
            dns,
            truth,
            ..
        } = self;
        let look = |connector: &Connector| match truth {
            DnsTruth::OwnZones => {
                Sighting::of(dns.holds(&connector.email_domain, &connector.verification_code))
            }
            DnsTruth::NameServer(_) => Sighting::Unknown,
        };
        advance_all(connectors.iter_mut(), now, knobs, look)
    }

    /// The next moment at which [`Self::advance`] has something to do.
    pub(crate) fn next_event(&self, knobs: &Knobs) -> Option<Timestamp> {
        let clocks = || self.connectors.iter().filter_map(|stored| stored.clock);
        let first_begun = clocks().map(|clock| clock.begun).min()?;
        let deadline = first_begun + knobs.verify_timeout;
        match self.truth {
            DnsTruth::OwnZones => clocks()
                .map(|clock| clock.next_poll)
                .chain([deadline])
                .min(),
            DnsTruth::NameServer(_) => Some(deadline),
        }
    }

    /// The domains whose polls are due, and the moment of the next one that is not.
    pub(crate) fn polls(&self, now: Timestamp) -> (BTreeSet<String>, Option<Timestamp>) {
        let mut due = BTreeSet::new();
        let mut next = None;
        for stored in &self.connectors {
            let (Some(clock), Some(connector)) = (stored.clock, stored.latest()) else {
                continue;
            };
            if clock.next_poll <= now {
                due.insert(canonical(&connector.email_domain));
            } else {
                next = Some(next.map_or(clock.next_poll, |next| clock.next_poll.min(next)));
            }
        }
        (due, next)
    }

    /// Takes in what a name server has at a domain; answers the polls of that domain that are due. Tells whether a
    /// verification ended.
    pub(crate) fn saw(
        &mut self,
        domain: &str,
        values: &BTreeSet<String>,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Effect {
        let of_domain = |stored: &&mut StoredConnector| {
            let latest = stored.latest();
            latest.is_some_and(|connector| canonical(&connector.email_domain) == canonical(domain))
        };
        let connectors = self.connectors.iter_mut().filter(of_domain);
        advance_all(connectors, now, knobs, |connector| {
            Sighting::of(values.contains(&connector.verification_code))
        })
    }
}

fn advance_all<'model>(
    connectors: impl Iterator<Item = &'model mut StoredConnector>,
    now: Timestamp,
    knobs: &Knobs,
    look: impl Fn(&Connector) -> Sighting,
) -> Effect {
    let mut effect = Effect::Unchanged;
    // Nothing is due for most of thousands, so they are looked at with no more than these.
    let (next_poll, too_old) = (now + knobs.poll_interval, now - knobs.verify_timeout);
    for stored in connectors {
        let Some(clock) = &mut stored.clock else {
            continue;
        };
        // A knob may have shortened the interval since the poll was planned.
        clock.next_poll = clock.next_poll.min(next_poll);
        if clock.next_poll > now && clock.begun > too_old {
            continue;
        }
        stored.advance(now, knobs, &look);
        if stored.clock.is_none() {
            effect = Effect::Committed;
        }
    }
    effect
}

impl StoredConnector {
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

    /// Catches up with `now`. What `look` sees must not have changed since the last call.
    fn advance(&mut self, now: Timestamp, knobs: &Knobs, look: impl Fn(&Connector) -> Sighting) {
        let Some(mut clock) = self.clock else { return };
        let deadline = clock.begun + knobs.verify_timeout;
        let due = |moment: Timestamp| moment <= now;
        let sighting = match self.latest() {
            Some(connector) if due(clock.next_poll) => look(connector),
            _ => Sighting::Unknown,
        };
        if sighting == Sighting::Published && clock.next_poll <= deadline {
            self.finish(clock.next_poll, VerificationStatus::Verified);
        } else if due(deadline) {
            self.finish(deadline, VerificationStatus::Failed);
        } else {
            if sighting == Sighting::Absent {
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
