//! What one process remembers between passes and forgets when it ends. Nothing that must survive a restart is here;
//! forgetting all of it makes the operator slower to decide, never bolder.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::timing::Timing;
use super::verification;
use super::world::{Begun, Claim, Sighting, Snapshot};
use crate::clock::Moment;
use crate::cloudflare::{Changes, Connector, Endpoint, Failure};
use crate::identity::{ConnectorId, EmailDomain};

/// What the process remembers of one object.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The newest look at the connector by its ID.
    pub sighting: Option<Sighting>,
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
    /// Whether a DELETE was sent, and whether Cloudflare confirmed that it was carried out.
    pub deletion: Option<Deletion>,
    /// The failures since the last success.
    pub trouble: Option<Trouble>,
}

/// A value of `enabled` that differs from what was satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The value that was seen.
    pub enabled: bool,
    /// When it was first seen.
    pub since: Moment,
}

/// A PATCH that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// What it asked for.
    pub changes: Changes,
    /// When it was sent.
    pub at: Moment,
    /// Whether Cloudflare certainly did not carry it out.
    pub refused: bool,
}

/// How far the connector was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// The DELETE of this connector may have been sent.
    Sent(ConnectorId),
    /// Cloudflare confirmed it.
    Confirmed(ConnectorId),
}

/// A run of failures.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// How many there were in a row.
    pub failures: u32,
    /// When the first was.
    pub since: Moment,
    /// When the last was.
    pub last: Moment,
    /// The generation of the spec that failed.
    pub generation: i64,
    /// The last failure.
    pub failure: Failure,
}

impl Memory {
    /// A call succeeded. What failed at another endpoint may fail again.
    pub fn succeeded(&mut self, endpoint: Endpoint) {
        self.trouble
            .take_if(|trouble| trouble.failure.endpoint == endpoint);
    }

    /// The object came to rest without trouble.
    pub fn settled(&mut self) {
        self.trouble = None;
    }

    /// A call failed.
    pub fn failed(&mut self, failure: Failure, generation: i64, now: Moment) {
        let before = self.trouble.take();
        self.trouble = Some(Trouble {
            failures: before
                .as_ref()
                .map_or(0, |trouble| trouble.failures)
                .saturating_add(1),
            since: before.map_or(now, |trouble| trouble.since),
            last: now,
            generation,
            failure,
        });
    }

    /// The account was listed.
    pub fn listed(&mut self, listing: &Snapshot) {
        self.unproved_since = match listing.proof() {
            Ok(_) => None,
            Err(_) => self.unproved_since.or(Some(listing.begun)),
        };
    }

    /// A connector was looked at by its ID. Keeps what must be counted from the first of several looks at the same one.
    pub fn saw(&mut self, sighting: Sighting) {
        let another = |seen: &Sighting| seen.id != sighting.id;
        if self.sighting.as_ref().is_some_and(another) {
            self.gone_since = None;
            self.difference = None;
            self.unverified_since = None;
            self.update = None;
        }
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
        self.sighting = Some(sighting);
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
            .as_ref()
            .filter(|seen| seen.id == *id && self.counts(seen.at))
    }

    /// Whether what was asked for at that moment counts: it was after our own last change.
    #[must_use]
    pub fn counts(&self, asked: Moment) -> bool {
        self.acted_at.is_none_or(|acted| acted <= asked)
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

    /// Cloudflare certainly did not carry out the PATCH that was sent last.
    pub fn update_refused(&mut self) {
        if let Some(update) = &mut self.update {
            update.refused = true;
        }
    }
}

/// What the process remembers of one account and domain, beyond the life of any one object.
#[derive(Debug, Clone, Default)]
pub struct PairMemory {
    /// Which object may create, and since when.
    pub holder: Option<Holder>,
    /// The attempts to create that this process has made or has found in a status.
    pub attempts: Vec<Attempt>,
    /// A connector that is known to exist for the pair although a list may not show it yet.
    pub known: Option<Known>,
    /// When the first complete list without a match was begun after the newest attempt.
    pub first_blank: Option<Moment>,
    /// The connectors that we have deleted, and when we knew: what shows one of them lags.
    pub deleted: Vec<(ConnectorId, Moment)>,
}

/// The object that may create for a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The object's UID.
    pub uid: String,
    /// Since when.
    pub since: Moment,
}

/// One attempt to create, as this process knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Its time by Cloudflare's clock, which is its name in the status.
    pub time: Timestamp,
    /// When this process first saw it.
    pub first_seen: Moment,
    /// Whether it certainly created nothing.
    pub void: bool,
}

/// A connector known beyond doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its ID.
    pub id: ConnectorId,
    /// What Cloudflare answered to our POST, if this process created it for the object that holds the claim.
    pub created: Option<Connector>,
    /// When this process learned of it.
    pub since: Moment,
}

impl PairMemory {
    /// Takes note of attempts found in a status.
    pub fn recall(&mut self, attempts: &[Timestamp], now: Moment) {
        for &time in attempts {
            if !self.attempts.iter().any(|attempt| attempt.time == time) {
                self.attempting(time, now);
            }
        }
    }

    /// An attempt begins.
    pub fn attempting(&mut self, time: Timestamp, now: Moment) {
        self.attempts.retain(|attempt| attempt.time != time);
        self.attempts.push(Attempt {
            time,
            first_seen: now,
            void: false,
        });
        self.first_blank = None;
    }

    /// An attempt certainly created nothing.
    pub fn void(&mut self, time: Timestamp) {
        for attempt in self
            .attempts
            .iter_mut()
            .filter(|attempt| attempt.time == time)
        {
            attempt.void = true;
        }
    }

    /// The object has its connector, and the cache shows it: its claim is free, the outcome of its attempts is known,
    /// and what the answer to the POST said is out of date from now on. What is found later was left behind by somebody; it is not ours because it is young.
    pub fn bound(&mut self, uid: &str) {
        if self.holder.take_if(|holder| holder.uid == uid).is_some() {
            self.attempts.clear();
            self.first_blank = None;
            if let Some(known) = &mut self.known {
                known.created = None;
            }
        }
    }

    /// The object cannot go on for now. Unless it may have created something, others need not wait for it.
    pub fn give_back(&mut self, uid: &str) {
        let created = self
            .known
            .as_ref()
            .is_some_and(|known| known.created.is_some());
        if !created && self.open_attempts().next().is_none() {
            self.holder.take_if(|holder| holder.uid == uid);
        }
    }

    /// A connector is known to exist.
    pub fn created(&mut self, id: ConnectorId, created: Option<Connector>, now: Moment) {
        self.known = Some(Known {
            id,
            created,
            since: now,
        });
    }

    /// We have deleted the connector of that ID.
    pub fn deleted(&mut self, id: ConnectorId, now: Moment) {
        self.known.take_if(|known| known.id == id);
        self.deleted.retain(|(deleted, _)| *deleted != id);
        self.deleted.push((id, now));
    }

    /// Whether we have deleted the connector so recently that reads may still show it.
    #[must_use]
    pub fn was_deleted(&self, id: &ConnectorId, now: Moment, grace: Duration) -> bool {
        self.deleted
            .iter()
            .any(|(deleted, when)| deleted == id && now.since(*when) <= grace)
    }

    /// An object is gone: its claim is free, and the connector that it was bound to is known for a while, as there or as
    /// deleted.
    pub fn departed(
        &mut self,
        uid: &str,
        bound: Option<&ConnectorId>,
        memory: &Memory,
        now: Moment,
    ) {
        self.holder.take_if(|holder| holder.uid == uid);
        match bound {
            Some(id) if memory.has_deleted(id) => self.deleted(id.clone(), now),
            Some(id) => self.created(id.clone(), None, now),
            None => {}
        }
    }

    /// Asks for the claim. An object that is not there any more does not hold one.
    pub fn claim(&mut self, uid: &str, is_there: impl Fn(&str) -> bool, now: Moment) -> Claim {
        match &self.holder {
            Some(holder) if holder.uid == uid => Claim::Held(holder.since),
            Some(holder) if is_there(&holder.uid) => Claim::Elsewhere,
            Some(_) | None => {
                self.holder = Some(Holder {
                    uid: uid.to_owned(),
                    since: now,
                });
                Claim::Held(now)
            }
        }
    }

    /// The account was listed.
    pub fn listed(&mut self, listing: &Snapshot, domain: &EmailDomain) {
        let after_attempts = self
            .attempts
            .iter()
            .all(|attempt| attempt.void || attempt.first_seen < listing.begun);
        let blank = listing.proof().is_ok() && listing.matches(domain).next().is_none();
        if blank && after_attempts {
            self.first_blank.get_or_insert(listing.begun);
        }
    }

    /// Whether two complete lists without a match, `listing` being the second and begun a grace period after the last
    /// attempt was first seen, prove that no attempt has created anything.
    #[must_use]
    pub fn disproved_by(&self, listing: &Snapshot, timing: &Timing) -> bool {
        match self.open_attempts().map(|attempt| attempt.first_seen).max() {
            None => true,
            Some(newest) => {
                listing.begun >= newest + timing.creation_grace
                    && self
                        .first_blank
                        .is_some_and(|first| first > newest && first < listing.begun)
            }
        }
    }

    /// The attempts that may have created something.
    pub fn open_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| !attempt.void)
    }

    /// Whether nothing is left that a later object must know. `grace` after the last thing that happened.
    #[must_use]
    pub fn is_spent(&self, now: Moment, grace: Duration) -> bool {
        let newest = self
            .attempts
            .iter()
            .map(|attempt| attempt.first_seen)
            .chain(self.known.iter().map(|known| known.since))
            .chain(self.deleted.iter().map(|(_, when)| *when))
            .max();
        self.holder.is_none() && newest.is_none_or(|newest| now.since(newest) > grace)
    }
}
