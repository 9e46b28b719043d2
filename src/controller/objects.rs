//! What the process remembers of the objects, and of the accounts and domains that they speak of. See
//! [`crate::plan::Memory`] and [`crate::plan::PairMemory`] for what it means; here is only who holds it and for how long.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::brought;
use crate::clock::Moment;
use crate::cloudflare::{ApiToken, Fingerprint};
use crate::identity::{AccountId, ConnectorId, EmailDomain, ObjectName};
use crate::plan::{Access, Claim, Memory, PairMemory};
use crate::resource::{ApiTokenSecretRef, Reason, SsoConnector};

/// An account and a domain: what a connector is for.
pub(super) type Pair = (AccountId, EmailDomain);

/// One object, as this process knows it.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The UID. For another object of the same name the entry begins anew.
    pub(super) uid: String,
    /// What it is for.
    pub(super) pair: Option<Pair>,
    /// What decisions rest on.
    pub(super) memory: Memory,
    /// The connector that the object is bound to.
    pub(super) bound: Option<ConnectorId>,
    /// The reason of its Ready condition, as counted in the metrics.
    pub(super) reason: Option<Reason>,
    /// What we last wrote, until the cache has it, too.
    pub(super) written: Option<Arc<SsoConnector>>,
    /// Whether that has been changed by somebody since.
    pub(super) superseded: bool,
    /// The last token that worked for it, and the reference by which it was found.
    pub(super) token: Option<(ApiTokenSecretRef, ApiToken)>,
    /// The token that was last to publish its TXT record.
    pub(super) publisher: Option<Fingerprint>,
    /// The last token that has worked for that, and the reference by which it was found.
    pub(super) publisher_token: Option<(ApiTokenSecretRef, ApiToken)>,
    /// Since when it has waited for others who offer its token, or could offer none.
    pub(super) awaits_offer: Option<Moment>,
    /// How often in a row the API server could not be worked with, or refused a write as resting on an old copy.
    pub(super) kubernetes_failures: u32,
}

impl Entry {
    /// The object was written, and this is what it became.
    pub(super) fn wrote(&mut self, object: &Arc<SsoConnector>) {
        self.written = Some(Arc::clone(object));
        self.superseded = false;
    }

    /// The cache has this version of the object: what we wrote before is of no use any more, and much to hold.
    pub(super) fn caught_up(&mut self, version: Option<u64>) {
        self.written
            .take_if(|written| version.is_some() && brought::version(&written.metadata) <= version);
    }
}

/// An object that is there.
#[derive(Debug)]
struct Presence {
    pair: Pair,
    access: Access,
}

/// Every object and every pair.
#[derive(Debug, Default)]
pub(super) struct Objects {
    entries: Mutex<HashMap<ObjectName, Arc<tokio::sync::Mutex<Entry>>>>,
    alive: Mutex<HashMap<String, Presence>>,
    pairs: Mutex<HashMap<Pair, Box<PairMemory>>>,
}

impl Objects {
    /// The entry of the object of that name. Whoever holds it makes the pass.
    pub(super) fn entry(&self, name: &ObjectName) -> Arc<tokio::sync::Mutex<Entry>> {
        Arc::clone(lock(&self.entries).entry(name.clone()).or_default())
    }

    /// The cache has this version of the object of that name; see [`Entry::caught_up`].
    pub(super) fn caught_up(&self, name: &ObjectName, version: Option<u64>) {
        let entry = lock(&self.entries).get(name).cloned();
        // Whoever holds it makes a pass, and looks at this when it is done.
        if let Some(Ok(mut entry)) = entry.map(tokio::sync::Mutex::try_lock_owned) {
            entry.caught_up(version);
        }
    }

    /// The objects that are known.
    pub(super) fn names(&self) -> Vec<ObjectName> {
        lock(&self.entries).keys().cloned().collect()
    }

    /// Takes an entry out.
    pub(super) fn take(&self, name: &ObjectName) -> Option<Arc<tokio::sync::Mutex<Entry>>> {
        lock(&self.entries).remove(name)
    }

    /// The object of that UID is there, and is for this pair now.
    pub(super) fn arrived(&self, uid: &str, pair: &Pair) {
        let mut alive = lock(&self.alive);
        let presence = alive.entry(uid.to_owned()).or_insert_with(|| Presence {
            pair: pair.clone(),
            access: Access::Untried,
        });
        presence.pair.clone_from(pair);
    }

    /// Whether a pass has looked at the object of that UID.
    pub(super) fn is_known(&self, uid: &str) -> bool {
        lock(&self.alive).contains_key(uid)
    }

    /// Whether the object's token may look at its account is known.
    pub(super) fn tried(&self, uid: &str, access: Access) {
        if let Some(presence) = lock(&self.alive).get_mut(uid) {
            presence.access = access;
        }
    }

    /// Whether the object's token may look at its account.
    pub(super) fn access(&self, uid: &str) -> Access {
        let alive = lock(&self.alive);
        let presence = alive.get(uid);
        presence.map_or(Access::Untried, |presence| presence.access)
    }

    /// The object of the entry is gone.
    pub(super) fn departed(&self, entry: &Entry, now: Moment) {
        lock(&self.alive).remove(&entry.uid);
        if let Some(pair) = &entry.pair {
            self.with_pair(pair, |memory| {
                memory.departed(&entry.uid, entry.bound.as_ref(), &entry.memory, now);
            });
        }
    }

    /// Asks for the claim on the pair for an object of which this edition was first seen at that moment.
    pub(super) fn claim(&self, pair: &Pair, uid: &str, seen: Moment, now: Moment) -> Claim {
        let alive = lock(&self.alive);
        self.with_pair(pair, |memory| {
            memory.claim(uid, seen, |holder| alive.contains_key(holder), now)
        })
    }

    /// The object has its connector, and the cache shows it.
    pub(super) fn bound(&self, pair: &Pair, uid: &str) {
        if let Some(memory) = lock(&self.pairs).get_mut(pair) {
            memory.bound(uid);
        }
    }

    /// The object cannot go on for now.
    pub(super) fn give_back(&self, pair: &Pair, uid: &str) {
        if let Some(memory) = lock(&self.pairs).get_mut(pair) {
            memory.give_back(uid);
        }
    }

    /// What is remembered of the pair.
    pub(super) fn pair(&self, pair: &Pair) -> PairMemory {
        let pairs = lock(&self.pairs);
        pairs
            .get(pair)
            .map_or_else(PairMemory::default, |memory| PairMemory::clone(memory))
    }

    /// Changes what is remembered of the pair.
    pub(super) fn with_pair<T>(&self, pair: &Pair, change: impl FnOnce(&mut PairMemory) -> T) -> T {
        change(lock(&self.pairs).entry(pair.clone()).or_default())
    }

    /// How much is remembered, in entries: objects, UIDs, and pairs.
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (
            lock(&self.entries).len(),
            lock(&self.alive).len(),
            lock(&self.pairs).len(),
        )
    }

    /// Forgets the pairs of which nobody needs to know any more.
    pub(super) fn sweep(&self, now: Moment, grace: Duration) {
        let alive = lock(&self.alive);
        let needed: HashSet<&Pair> = alive.values().map(|presence| &presence.pair).collect();
        lock(&self.pairs)
            .retain(|pair, memory| needed.contains(pair) || !memory.is_spent(now, grace));
    }
}

/// Nothing that is held can be left half-changed, so a poisoned lock is a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
