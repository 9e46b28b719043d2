//! The objects as the watches have brought them. The rivals of an object are found without a look at all the others.

mod intake;
mod kept;
#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::jiff::Timestamp;

use super::brought::Brought;
use crate::clock::Moment;
use crate::identity::ObjectName;
use crate::resource::SsoConnector;
pub(super) use intake::{Intake, Told};
use kept::Kept;
pub(super) use kept::{Cached, Unreadable};

/// All objects that have been brought.
#[derive(Debug, Default)]
pub(super) struct Cache {
    shelves: Mutex<Shelves>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shelves {
    objects: HashMap<ObjectName, Kept>,
    /// The objects by the hash of account and domain.
    pairs: HashMap<u64, Vec<ObjectName>>,
}

impl Cache {
    /// The object of that name.
    pub(super) fn get(&self, name: &ObjectName) -> Option<Result<Cached, Unreadable>> {
        self.lock().objects.get(name).map(Kept::read)
    }

    /// The version of the object of that name, as far as it is a number: what it is by now, or was a moment ago.
    pub(super) fn version(&self, name: &ObjectName) -> Option<u64> {
        self.lock().objects.get(name)?.version
    }

    /// The objects but this one that say that they are for this domain of this account, of those that can be read.
    pub(super) fn others_of_pair(
        &self,
        uid: Option<&str>,
        account: &str,
        domain: &str,
    ) -> Vec<SsoConnector> {
        let pair = kept::pair(&self.hasher, account, domain);
        let uid = kept::uid(&self.hasher, uid);
        let shelves = self.lock();
        let names = shelves.pairs.get(&pair).into_iter().flatten();
        let kept = names.filter_map(|name| shelves.objects.get(name));
        let others = kept.filter(|kept| kept.uid != uid);
        others
            .filter_map(|kept| kept.read().ok())
            .map(|cached| cached.object)
            .filter(|object| {
                object.spec.account_id == account && object.spec.email_domain == domain
            })
            .collect()
    }

    /// Since when that object has waited for its verification that has waited for longest.
    pub(super) fn waits_since(&self) -> Option<Timestamp> {
        let shelves = self.lock();
        shelves
            .objects
            .values()
            .filter_map(|kept| kept.waits_since)
            .min()
    }

    /// The names of all objects.
    pub(super) fn names(&self) -> Vec<ObjectName> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Forgets everything: what was brought under another definition is of no use.
    pub(super) fn clear(&self) {
        *self.lock() = Shelves::default();
    }

    fn keep(&self, brought: Brought, now: Moment) -> Kept {
        Kept::of(brought, &self.hasher, now)
    }

    /// Puts an object in; what another one was that had its name, if that is gone.
    fn put(&self, name: &ObjectName, kept: Kept) -> Option<SsoConnector> {
        self.lock().put(name, kept)
    }

    /// Takes an object out; what it was.
    fn take(&self, name: &ObjectName) -> Option<SsoConnector> {
        self.lock().take(name)?.object()
    }

    /// Puts in what a complete list of the namespace, or of all, has brought: what it does not name is gone.
    fn replace(&self, namespace: Option<&str>, listed: Vec<(ObjectName, Kept)>) -> Told {
        let mut shelves = self.lock();
        let there: HashSet<_> = listed.iter().map(|(name, _)| name.clone()).collect();
        let is_watched = |name: &&ObjectName| namespace.is_none_or(|it| it == name.namespace());
        let names = shelves.objects.keys().filter(is_watched);
        let removed: Vec<_> = names
            .filter(|name| !there.contains(*name))
            .cloned()
            .collect();
        let mut gone = Vec::new();
        for name in &removed {
            gone.extend(shelves.take(name).and_then(|kept| kept.object()));
        }
        for (name, kept) in listed {
            gone.extend(shelves.put(&name, kept));
        }
        Told {
            names: there.into_iter().chain(removed).collect(),
            gone,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn put(&mut self, name: &ObjectName, mut kept: Kept) -> Option<SsoConnector> {
        let known = self.take(name);
        let gone = known.and_then(|known| kept.succeed(&known));
        let names = self.pairs.entry(kept.pair);
        names
            .or_insert_with(|| Vec::with_capacity(1))
            .push(name.clone());
        self.objects.insert(name.clone(), kept);
        gone
    }

    fn take(&mut self, name: &ObjectName) -> Option<Kept> {
        let known = self.objects.remove(name)?;
        if let Entry::Occupied(mut names) = self.pairs.entry(known.pair) {
            names.get_mut().retain(|other| other != name);
            if names.get().is_empty() {
                names.remove();
            }
        }
        Some(known)
    }
}
