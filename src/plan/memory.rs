//! What one process remembers of one object between passes and forgets when it ends. Nothing that must survive a restart
//! is here; forgetting all of it makes the operator slower to decide, never bolder.

use super::desired::{Desired, Edition};
use super::publication::Publishing;
use super::verdict::{Said, Verdict};
use super::verification;
use super::world::{Begun, Record, Sighting, Snapshot, Txt};
use crate::clock::Moment;
use crate::cloudflare::{Changes, Class, Endpoint, Failure};
use crate::identity::ConnectorId;
use crate::resource::Truth;

/// What the process remembers of one object.
#[derive(Debug, Clone, Default, Hash)]
pub struct Memory {
    /// The newest look at the connector by its ID.
    pub sighting: Option<Box<Sighting>>,
    /// What the answer to our POST has shown, until the connector is looked at by its ID, or
    /// the account is listed. An answer may name another one, so
    /// this is enough to wait on, and nothing is changed on its word.
    pub answer: Option<Box<Sighting>>,
    /// A difference in `enabled` that was seen and is not confirmed yet.
    pub difference: Option<Difference>,
    /// Since when every look at the connector has shown its domain as not verified.
    pub unverified_since: Option<Moment>,
    /// When the connector was first seen to be gone.
    pub gone_since: Option<Moment>,
    /// Since when every list has been one that may lack connectors.
    pub unproved_since: Option<Moment>,
    /// The last change that was sent, until its effect was seen.
    pub update: Option<Update>,
    /// The last beginning of the verification that Cloudflare certainly did not carry out, and what was before it.
    pub refused_begin: Option<(Begun, Begun)>,
    /// When the last call ended that may have changed the connector: what was seen before does not count any more.
    pub acted_at: Option<Moment>,
    /// When the object was first seen to be going away.
    pub deletion_seen: Option<Moment>,
    /// What asks for a look now, and when that was first seen: what was seen before does not count.
    pub requested: Option<(String, Moment)>,
    /// Whether a DELETE was sent, and whether Cloudflare confirmed that it was carried out.
    pub deletion: Option<Deletion>,
    /// The failures since the last success.
    pub trouble: Option<Box<Trouble>>,
    /// What DNS showed when this process last began the verification.
    pub begun_with: Option<Txt>,
    /// What DNS showed when this process first knew of it.
    pub first_txt: Option<Txt>,
    /// What is remembered of the publication of the TXT record.
    pub publishing: Publishing,
}

/// A value of `enabled` that differs from what was satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Difference {
    /// The value that was seen.
    pub enabled: bool,
    /// When it was first seen.
    pub since: Moment,
}

/// A PATCH that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Update {
    /// What it asked for.
    pub changes: Changes,
    /// When it was sent.
    pub at: Moment,
    /// Whether Cloudflare certainly did not carry it out.
    pub refused: bool,
}

/// How far the connector was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// The DELETE of this connector may have been sent.
    Sent(ConnectorId),
    /// Cloudflare confirmed it.
    Confirmed(ConnectorId),
}

/// A run of failures.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Trouble {
    /// How many there were in a row.
    pub failures: u32,
    /// When the first was.
    pub since: Moment,
    /// When the last was.
    pub last: Moment,
    /// What was asked for when it failed.
    pub edition: Edition,
    /// The last failure.
    pub failure: Failure,
}

impl Trouble {
    /// One failure more. What a refused token has come to is no part of the run: the next one is not the same token, or is one
    /// that Cloudflare takes again.
    #[must_use]
    pub fn after(before: Option<Self>, failure: Failure, edition: Edition, now: Moment) -> Self {
        let before = before.filter(|before| before.failure.class != Class::Unauthorized);
        Self {
            failures: before
                .as_ref()
                .map_or(0, |trouble| trouble.failures)
                .saturating_add(1),
            since: before.map_or(now, |trouble| trouble.since),
            last: now,
            edition,
            failure,
        }
    }
}

impl Memory {
    /// A pass begins. Takes note of when it was first seen what the object asks for.
    pub fn begins(&mut self, desired: &Desired, record: &Record, now: Moment) {
        if desired.terminating {
            self.deletion_seen.get_or_insert(now);
        }
        self.publishing.begins(record.placement.as_ref(), now);
        let asked = desired.reconcile_at.as_ref();
        let asked = asked.filter(|asked| record.handled_reconcile_at.as_ref() != Some(*asked));
        self.requested = match (asked, self.requested.take()) {
            (Some(asked), Some((known, since))) if *asked == known => Some((known, since)),
            (Some(asked), _) => Some((asked.clone(), now)),
            (None, _) => None,
        };
    }

    /// A call succeeded. What failed at another endpoint may fail again.
    pub fn succeeded(&mut self, endpoint: Endpoint) {
        self.trouble
            .take_if(|trouble| trouble.failure.endpoint == endpoint);
    }

    /// The object has come to rest with this. Where that is what was wanted, what failed on the way does not matter any more.
    pub fn rested(&mut self, verdict: &Verdict) {
        if verdict.ends_trouble() {
            self.trouble = None;
        }
        if matches!(verdict.published, Said::Now(Truth::True, _)) {
            self.publishing.succeeded(Endpoint::CreateRecord);
        }
    }

    /// A call failed.
    pub fn failed(&mut self, failure: Failure, edition: Edition, now: Moment) {
        let before = self.trouble.take().map(|trouble| *trouble);
        self.trouble = Some(Box::new(Trouble::after(before, failure, edition, now)));
    }

    /// The account was listed. What is known better from now on is not kept.
    pub fn listed(&mut self, listing: &Snapshot) {
        self.answer.take_if(|answer| answer.at < listing.begun);
        self.unproved_since = match listing.proof() {
            Ok(_) => None,
            Err(_) => self.unproved_since.or(Some(listing.begun)),
        };
    }

    /// A connector was looked at by its ID. Keeps what must be counted from the first of several looks at the same one.
    pub fn saw(&mut self, sighting: Sighting) {
        self.turn_to(&sighting.id);
        match &sighting.connector {
            None => {
                self.gone_since.get_or_insert(sighting.at);
            }
            Some(connector) => {
                self.gone_since = None;
                self.unverified_since = if verification::is_verified(connector) {
                    None
                } else {
                    self.unverified_since.or(Some(sighting.at))
                };
                self.note_enabled(connector.enabled.unwrap_or(false), sighting.at);
            }
        }
        self.sighting = Some(Box::new(sighting));
        self.answer = None;
    }

    /// The answer to our POST has shown a connector, if it has.
    pub fn answered(&mut self, sighting: Option<Sighting>) {
        if let Some(sighting) = &sighting {
            self.turn_to(&sighting.id);
        }
        self.answer = sighting.map(Box::new);
    }

    /// What was counted for another connector does not count for this one.
    fn turn_to(&mut self, id: &ConnectorId) {
        if self.sighting.as_ref().is_some_and(|seen| seen.id != *id) {
            self.gone_since = None;
            self.difference = None;
            self.unverified_since = None;
            self.update = None;
        }
    }

    /// Restarts the count when the value seen is another one, or when we changed it in between.
    fn note_enabled(&mut self, enabled: bool, at: Moment) {
        let settled = |seen: Moment| self.update.is_none_or(|update| update.at < seen);
        match self.difference {
            Some(known) if known.enabled == enabled && settled(known.since) => {}
            _ => self.difference = Some(Difference { enabled, since: at }),
        }
    }

    /// The newest look at that connector, unless it is from before our own last change.
    #[must_use]
    pub fn sighting_of(&self, id: &ConnectorId) -> Option<&Sighting> {
        self.sighting
            .as_deref()
            .filter(|seen| seen.id == *id && self.counts(seen.at))
    }

    /// What the answer to our POST has shown of that connector, if nothing is known better by now.
    #[must_use]
    pub fn answer_about(&self, id: &ConnectorId) -> Option<&Sighting> {
        self.answer
            .as_deref()
            .filter(|seen| seen.id == *id && self.counts(seen.at))
    }

    /// Whether what was asked for at that moment counts: it was after our own last change, and after a look was requested.
    #[must_use]
    pub fn counts(&self, asked: Moment) -> bool {
        let requested = self.requested.as_ref().map(|(_, since)| *since);
        self.acted_at.is_none_or(|acted| acted <= asked)
            && requested.is_none_or(|since| since <= asked)
    }

    /// The last PATCH, if it asked for just this.
    #[must_use]
    pub fn sent(&self, changes: Changes) -> Option<Update> {
        self.update.filter(|update| update.changes == changes)
    }

    /// A PATCH is about to be sent.
    pub fn updating(&mut self, changes: Changes, now: Moment) {
        self.update = Some(Update {
            changes,
            at: now,
            refused: false,
        });
    }

    /// Whether the connector does not exist any more because we have deleted it: Cloudflare confirmed that, or showed
    /// after the DELETE that it is not there.
    #[must_use]
    pub fn has_deleted(&self, id: &ConnectorId) -> bool {
        match &self.deletion {
            None => false,
            Some(Deletion::Confirmed(deleted)) => deleted == id,
            Some(Deletion::Sent(sent)) => {
                sent == id
                    && self
                        .sighting_of(id)
                        .is_some_and(|seen| seen.connector.is_none())
            }
        }
    }

    /// The PATCH that was sent last has failed. That the connector is not there is no refusal: somebody has deleted it
    /// meanwhile, and that must not be undone as if nothing had been applied.
    pub fn update_failed(&mut self, failure: &Failure) {
        if let Some(update) = &mut self.update {
            update.refused = failure.is_definite() && failure.class != Class::Gone;
        }
    }
}
