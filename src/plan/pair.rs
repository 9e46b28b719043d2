//! What one process remembers of one account and domain, whatever becomes of the objects that speak of them: who may
//! create, what may have been created, and what is known to be there or to be gone although lists may not show it yet.
//! Like all memory it is forgotten when the process ends, which makes the operator slower to decide, never bolder.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::memory::Memory;
use super::timing::Timing;
use super::world::{Claim, Record, Snapshot};
use crate::clock::Moment;
use crate::cloudflare::Connector;
use crate::identity::{ConnectorId, EmailDomain};

/// How many deleted connectors are remembered at the most: more than anybody deletes within a grace period.
const KEPT_DELETIONS: usize = 16;

/// How many attempts are remembered that certainly created nothing: as many as a status names attempts.
const KEPT_VOID_ATTEMPTS: usize = 8;

/// What the process remembers of one account and domain, beyond the life of any one object.
#[derive(Debug, Clone, Default, Hash)]
pub struct PairMemory {
    /// Which object may create, and since when.
    pub holder: Option<Holder>,
    /// The attempts to create that this process has made or has found in a status.
    pub attempts: Vec<Attempt>,
    /// A connector that is known to exist for the pair although a list may not show it yet.
    pub known: Option<Known>,
    /// When the first complete list without a match was begun after the newest attempt.
    pub first_blank: Option<Moment>,
    /// The connector that we have last disabled in order to delete it, and when.
    pub disabled: Option<(ConnectorId, Moment)>,
    /// The connectors that we have deleted, and when we knew: what shows one of them lags.
    pub deleted: Vec<(ConnectorId, Moment)>,
    /// When a connector was last proved not to exist any more.
    pub lost_at: Option<Moment>,
}

/// The object that may create for a pair.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The object's UID.
    pub uid: String,
    /// Since when.
    pub since: Moment,
}

/// One attempt to create, as this process knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Its time by Cloudflare's clock, which is its name in the status.
    pub time: Timestamp,
    /// When this process first saw it.
    pub first_seen: Moment,
    /// How this process knows of it.
    pub origin: Origin,
    /// Whether it certainly created nothing.
    pub void: bool,
}

/// How a process knows of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It has made it.
    Made,
    /// It has found it in a status: nobody knows how long ago it was made.
    Found,
}

/// A connector known beyond doubt.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Known {
    /// Its ID.
    pub id: ConnectorId,
    /// What Cloudflare answered to our POST, if this process created it for the object that holds the claim.
    pub created: Option<Box<Connector>>,
    /// When this process learned of it.
    pub since: Moment,
}

impl PairMemory {
    /// Takes note of what an object of the pair has stored, perhaps in another process: its attempts, and its connector,
    /// which a list may not show yet when the object is gone.
    pub fn recall(&mut self, record: &Record, now: Moment) {
        for &time in &record.attempts {
            if !self.attempts.iter().any(|attempt| attempt.time == time) {
                self.note(time, now, Origin::Found);
            }
        }
        if let Some(id) = &record.connector
            && self.known.is_none()
            && !self.deleted.iter().any(|(deleted, _)| deleted == id)
        {
            self.created(id.clone(), None, now);
        }
    }

    /// An attempt begins.
    pub fn attempting(&mut self, time: Timestamp, now: Moment) {
        self.note(time, now, Origin::Made);
    }

    fn note(&mut self, time: Timestamp, now: Moment, origin: Origin) {
        self.attempts.retain(|attempt| attempt.time != time);
        self.attempts.push(Attempt {
            time,
            first_seen: now,
            origin,
            void: false,
        });
        self.first_blank = None;
    }

    /// An attempt certainly created nothing. Cloudflare may reject one after the other for months, so only the newest of
    /// these are kept.
    pub fn void(&mut self, time: Timestamp) {
        for attempt in self
            .attempts
            .iter_mut()
            .filter(|attempt| attempt.time == time)
        {
            attempt.void = true;
        }
        let void = self.attempts.iter().filter(|attempt| attempt.void).count();
        let mut surplus = void.saturating_sub(KEPT_VOID_ATTEMPTS);
        self.attempts.retain(|attempt| {
            let goes = attempt.void && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// The object has its connector, and the cache shows it: its claim is free, the outcome of its attempts is known,
    /// and what the answer to the POST said is out of date from now on. What is found later was left behind by somebody; it is not ours because it is young.
    pub fn bound(&mut self, uid: &str) {
        if self.holder.take_if(|holder| holder.uid == uid).is_some() {
            self.attempts = Vec::new();
            self.first_blank = None;
            if let Some(known) = &mut self.known {
                known.created = None;
            }
        }
    }

    /// The object cannot go on for now, and others need not wait for it. What it may have created is remembered, and its
    /// own status makes it the owner of the pair as long as it is managed.
    pub fn give_back(&mut self, uid: &str) {
        if self.holder.take_if(|holder| holder.uid == uid).is_some()
            && let Some(known) = &mut self.known
        {
            // What was answered to its POST is no news by the time when somebody goes on.
            known.created = None;
        }
    }

    /// A connector is known to exist.
    pub fn created(&mut self, id: ConnectorId, created: Option<Connector>, now: Moment) {
        self.known = Some(Known {
            id,
            created: created.map(Box::new),
            since: now,
        });
    }

    /// We have disabled the connector of that ID in order to delete it, and Cloudflare has said so: what it did not answer
    /// may as well have been somebody's decision.
    pub fn disabled(&mut self, id: ConnectorId, now: Moment) {
        self.disabled = Some((id, now));
    }

    /// Whether it was us who have just disabled the connector, so that an heir need not take it for somebody's decision.
    #[must_use]
    pub fn was_disabled(&self, id: &ConnectorId, now: Moment, grace: Duration) -> bool {
        self.disabled
            .as_ref()
            .is_some_and(|(disabled, when)| disabled == id && now.since(*when) <= grace)
    }

    /// We have deleted the connector of that ID.
    pub fn deleted(&mut self, id: ConnectorId, now: Moment) {
        self.known.take_if(|known| known.id == id);
        self.deleted.retain(|(deleted, _)| *deleted != id);
        self.deleted.push((id, now));
        let surplus = self.deleted.len().saturating_sub(KEPT_DELETIONS);
        self.deleted.drain(..surplus);
    }

    /// A connector is proved not to exist any more.
    pub fn lost(&mut self, id: &ConnectorId, now: Moment) {
        self.known.take_if(|known| known.id == *id);
        self.lost_at = Some(now);
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
        if self.holder.take_if(|holder| holder.uid == uid).is_some()
            && let Some(known) = &mut self.known
        {
            // What was answered to its POST is no news to a successor.
            known.created = None;
        }
        match bound {
            Some(id) if memory.has_deleted(id) => self.deleted(id.clone(), now),
            Some(id) => self.created(id.clone(), None, now),
            None => {}
        }
    }

    /// Asks for the claim, for an object whose spec was first seen at `seen`. An object that is not there any more does not
    /// hold one.
    ///
    /// It is held since the object was seen if nothing has ever been done for the pair: nobody of this process can have
    /// created anything since then, so that all who wait for their turn share a list.
    pub fn claim(
        &mut self,
        uid: &str,
        seen: Moment,
        is_there: impl Fn(&str) -> bool,
        now: Moment,
    ) -> Claim {
        let since = match &self.holder {
            Some(holder) if holder.uid == uid => return Claim::Held(holder.since),
            Some(holder) if is_there(&holder.uid) => return Claim::Elsewhere,
            None if self.is_untouched() => seen,
            Some(_) | None => now,
        };
        self.holder = Some(Holder {
            uid: uid.to_owned(),
            since,
        });
        Claim::Held(since)
    }

    /// Whether this process knows of nothing that was done for the pair.
    fn is_untouched(&self) -> bool {
        let Self {
            holder,
            attempts,
            known,
            first_blank: _,
            disabled,
            deleted,
            lost_at,
        } = self;
        holder.is_none()
            && attempts.is_empty()
            && known.is_none()
            && disabled.is_none()
            && deleted.is_empty()
            && lost_at.is_none()
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
            .chain(self.disabled.iter().map(|(_, when)| *when))
            .chain(self.lost_at)
            .max();
        self.holder.is_none() && newest.is_none_or(|newest| now.since(newest) > grace)
    }
}
