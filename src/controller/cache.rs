//! The objects as the watches have brought them, each as small as it gets: most of ten thousand are at rest, and of those the
//! text is enough that the API server has of them, deflated to a third. The rivals of an object are found without a look at
//! all the others.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::Event;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use tokio_util::sync::CancellationToken;

use super::brought::Brought;
use super::waiting;
use crate::clock::Moment;
use crate::identity::ObjectName;
use crate::resource::{RECONCILE_AT, SsoConnector};

/// How hard to deflate: more than this takes longer, and saves next to nothing of a text like that.
const LEVEL: u8 = 1;

/// An object in the cache.
#[derive(Debug)]
pub(super) struct Cached {
    /// The object, without what the operator has no use for.
    pub(super) object: SsoConnector,
    /// When this process first saw this edition of it.
    pub(super) seen: Moment,
}

/// Why an object in the cache cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(Box<str>);

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

/// What is kept of an object.
#[derive(Debug)]
struct Kept {
    version: Option<u64>,
    /// The hash of what makes it another edition: its UID, its spec, and whether a look is asked for.
    edition: u64,
    /// When this process first saw this edition.
    seen: Moment,
    /// The hash of its account and domain.
    pair: u64,
    /// Since when it waits for its verification, if it does.
    waits_since: Option<Timestamp>,
    /// The object as JSON, deflated.
    text: Result<Box<[u8]>, Unreadable>,
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

    /// The objects that say that they are for this domain of this account, of those that can be read.
    pub(super) fn of_pair(&self, account: &str, domain: &str) -> Vec<SsoConnector> {
        let pair = self.pair(account, domain);
        let shelves = self.lock();
        let names = shelves.pairs.get(&pair).into_iter().flatten();
        let kept = names.filter_map(|name| shelves.objects.get(name));
        kept.filter_map(|kept| kept.read().ok())
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

    fn keep(&self, brought: Brought, now: Moment) -> (ObjectName, Kept) {
        let name = ObjectName::of(&brought.metadata);
        let said = |field: &str| brought.spec[field].as_str().unwrap_or_default();
        let pair = self.pair(said("accountID"), said("emailDomain"));
        let edition = self.edition(&brought.metadata);
        let version = brought.version();
        let object = brought.understand().map_err(|cause| unreadable(&cause));
        let kept = Kept {
            version,
            edition,
            seen: now,
            pair,
            waits_since: object.as_ref().ok().and_then(waiting::since),
            text: object.and_then(|object| write(&object)),
        };
        (name, kept)
    }

    fn pair(&self, account: &str, domain: &str) -> u64 {
        self.hasher.hash_one((account, domain))
    }

    fn edition(&self, metadata: &ObjectMeta) -> u64 {
        let annotations = metadata.annotations.as_ref();
        let asked = annotations.and_then(|annotations| annotations.get(RECONCILE_AT));
        self.hasher
            .hash_one((&metadata.uid, metadata.generation, asked))
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    /// Puts an object in; what another one was that had its name, if that is gone.
    fn put(&mut self, name: &ObjectName, mut kept: Kept) -> Option<SsoConnector> {
        let known = self.take(name);
        let gone = match known {
            Some(known) if known.edition == kept.edition => {
                kept.seen = known.seen;
                None
            }
            Some(known) => known.object().filter(|known| {
                let object = kept.object();
                object.is_none_or(|object| object.metadata.uid != known.metadata.uid)
            }),
            None => None,
        };
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

impl Kept {
    fn object(&self) -> Option<SsoConnector> {
        self.read().ok().map(|cached| cached.object)
    }

    fn read(&self) -> Result<Cached, Unreadable> {
        let deflated = self.text.as_ref().map_err(Clone::clone)?;
        let text = decompress_to_vec(deflated).map_err(|cause| unreadable(&cause))?;
        Ok(Cached {
            object: serde_json::from_slice(&text).map_err(|cause| unreadable(&cause))?,
            seen: self.seen,
        })
    }
}

/// What a watch has told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The names of the objects that it speaks of, those that are gone included.
    pub(super) names: Vec<ObjectName>,
    /// What was last seen of those that are gone.
    pub(super) gone: Vec<SsoConnector>,
}

fn write(object: &SsoConnector) -> Result<Box<[u8]>, Unreadable> {
    let text = serde_json::to_vec(object).map_err(|cause| unreadable(&cause))?;
    Ok(compress_to_vec(&text, LEVEL).into_boxed_slice())
}

fn unreadable(cause: &dyn Display) -> Unreadable {
    Unreadable(cause.to_string().into())
}

/// What one watch brings, on its way into the cache.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    cache: &'a Cache,
    /// The namespace that is watched; all of them, if there is none.
    namespace: Option<&'a str>,
    /// What a list has brought so far. It counts when it is complete.
    arriving: Vec<(ObjectName, Kept)>,
    known: CancellationToken,
}

impl<'a> Intake<'a> {
    /// Of the watch over that namespace, or over all. It cancels `known` when it has brought what there is.
    pub(super) fn new(
        cache: &'a Cache,
        namespace: Option<&'a str>,
        known: CancellationToken,
    ) -> Self {
        Self {
            cache,
            namespace,
            arriving: Vec::new(),
            known,
        }
    }

    /// Takes what the watch says.
    pub(super) fn take(&mut self, event: Event<Brought>, now: Moment) -> Told {
        match event {
            Event::Apply(brought) => {
                let (name, kept) = self.cache.keep(brought, now);
                let gone = self.cache.lock().put(&name, kept);
                Told {
                    names: vec![name],
                    gone: gone.into_iter().collect(),
                }
            }
            Event::Delete(brought) => {
                let name = ObjectName::of(&brought.metadata);
                let gone = self.cache.lock().take(&name);
                Told {
                    names: vec![name],
                    gone: gone.and_then(|kept| kept.object()).into_iter().collect(),
                }
            }
            Event::Init => {
                self.broke_off();
                Told::default()
            }
            Event::InitApply(brought) => {
                self.arriving.push(self.cache.keep(brought, now));
                Told::default()
            }
            Event::InitDone => self.replace(),
        }
    }

    /// The watch has failed, and will list again.
    pub(super) fn broke_off(&mut self) {
        self.arriving = Vec::new();
    }

    /// The list is complete: what it does not name is gone.
    fn replace(&mut self) -> Told {
        let mut shelves = self.cache.lock();
        let arriving = std::mem::take(&mut self.arriving);
        let there: HashSet<_> = arriving.iter().map(|(name, _)| name.clone()).collect();
        let is_watched =
            |name: &&ObjectName| self.namespace.is_none_or(|it| it == name.namespace());
        let names = shelves.objects.keys().filter(is_watched);
        let removed: Vec<_> = names
            .filter(|name| !there.contains(*name))
            .cloned()
            .collect();
        let mut gone = Vec::new();
        for name in &removed {
            gone.extend(shelves.take(name).and_then(|kept| kept.object()));
        }
        for (name, kept) in arriving {
            gone.extend(shelves.put(&name, kept));
        }
        self.known.cancel();
        Told {
            names: there.into_iter().chain(removed).collect(),
            gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

    fn brought(namespace: &str, name: &str, uid: &str, domain: &str) -> Brought {
        serde_json::from_value(json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
            "metadata": {
                "namespace": namespace, "name": name, "uid": uid, "resourceVersion": "7", "generation": 3,
                "annotations": { "cloudflare-sso.dev/reconcile-at": "now" },
            },
            "spec": { "accountID": ACCOUNT, "emailDomain": domain },
            "status": { "connectorID": "c0", "conditions": [] },
        }))
        .unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn everywhere(cache: &Cache) -> Intake<'_> {
        Intake::new(cache, None, CancellationToken::new())
    }

    fn texts(told: Told) -> Vec<String> {
        let mut names = told.names;
        names.sort();
        names.iter().map(ToString::to_string).collect()
    }

    fn uids(told: Told) -> Vec<String> {
        let gone = told.gone.into_iter();
        gone.filter_map(|object| object.metadata.uid).collect()
    }

    fn domains(cache: &Cache, domain: &str) -> Vec<String> {
        let objects = cache.of_pair(ACCOUNT, domain).into_iter();
        let mut names: Vec<_> = objects
            .map(|object| ObjectName::of(&object.metadata).to_string())
            .collect();
        names.sort();
        names
    }

    fn name(namespace: &str, name: &str) -> ObjectName {
        ObjectName::new(namespace, name)
    }

    #[test]
    fn an_object_comes_out_as_it_was_brought() {
        let cache = Cache::default();
        let object = brought("a", "x", "1", "a.example");
        let told = everywhere(&cache).take(Event::Apply(object.clone()), at(1));
        assert_eq!(texts(told), ["a/x"]);
        let cached = cache.get(&name("a", "x")).unwrap().unwrap();
        assert_eq!(cached.object, object.understand().unwrap());
        assert!(cache.get(&name("a", "y")).is_none());
    }

    #[test]
    fn an_edition_was_seen_when_it_was_first_brought() {
        let cache = Cache::default();
        let mut intake = everywhere(&cache);
        let seen = || cache.get(&name("a", "x")).unwrap().unwrap().seen;
        let object = |uid| brought("a", "x", uid, "a.example");
        let status_written = || {
            let mut object = object("1");
            object.metadata.resource_version = Some("8".to_owned());
            object
        };
        intake.take(Event::Apply(object("1")), at(1));
        intake.take(Event::Apply(status_written()), at(2));
        assert_eq!(seen(), at(1));
        for event in [
            Event::Init,
            Event::InitApply(status_written()),
            Event::InitDone,
        ] {
            intake.take(event, at(3));
        }
        assert_eq!(seen(), at(1), "by another list, too");
        let mut edited = object("1");
        edited.metadata.generation = Some(4);
        intake.take(Event::Apply(edited.clone()), at(4));
        assert_eq!(seen(), at(4), "another spec");
        edited.metadata.annotations = None;
        intake.take(Event::Apply(edited.clone()), at(5));
        assert_eq!(seen(), at(5), "another request for a look");
        edited.metadata.uid = Some("2".to_owned());
        intake.take(Event::Apply(edited.clone()), at(6));
        assert_eq!(seen(), at(6), "another object of the same name");
        intake.take(Event::Delete(edited.clone()), at(7));
        intake.take(Event::Apply(edited), at(8));
        assert_eq!(seen(), at(8));
    }

    #[test]
    fn rivals_are_found_by_account_and_domain_and_only_as_long_as_they_are_there() {
        let cache = Cache::default();
        let mut intake = everywhere(&cache);
        for (namespace, uid, domain) in [
            ("a", "1", "a.example"),
            ("b", "2", "a.example"),
            ("c", "3", "c.example"),
        ] {
            intake.take(Event::Apply(brought(namespace, "x", uid, domain)), at(1));
        }
        assert_eq!(domains(&cache, "a.example"), ["a/x", "b/x"]);
        assert!(cache.of_pair("another", "a.example").is_empty());
        // Created anew for another domain, between two events.
        intake.take(Event::Apply(brought("b", "x", "4", "c.example")), at(2));
        assert_eq!(domains(&cache, "a.example"), ["a/x"]);
        assert_eq!(domains(&cache, "c.example"), ["b/x", "c/x"]);
        intake.take(Event::Delete(brought("a", "x", "1", "a.example")), at(3));
        assert!(domains(&cache, "a.example").is_empty());
        assert_eq!(cache.lock().pairs.len(), 1);
    }

    #[test]
    fn a_list_counts_when_it_is_complete_and_then_what_it_does_not_name_is_gone() {
        let cache = Cache::default();
        let known = CancellationToken::new();
        let mut intake = Intake::new(&cache, Some("a"), known.clone());
        let mut beside = Intake::new(&cache, Some("b"), CancellationToken::new());
        beside.take(Event::Apply(brought("b", "x", "9", "b.example")), at(0));
        intake.take(Event::Apply(brought("a", "old", "1", "a.example")), at(0));
        intake.take(Event::Init, at(1));
        let told = intake.take(
            Event::InitApply(brought("a", "new", "2", "a.example")),
            at(1),
        );
        assert!(told.names.is_empty() && !known.is_cancelled());
        assert_eq!(domains(&cache, "a.example"), ["a/old"]);
        // A list that broke off is begun again.
        intake.take(Event::Init, at(2));
        intake.take(
            Event::InitApply(brought("a", "newer", "3", "a.example")),
            at(2),
        );
        let told = intake.take(Event::InitDone, at(2));
        assert_eq!(texts(told), ["a/newer", "a/old"]);
        assert!(known.is_cancelled());
        assert_eq!(domains(&cache, "a.example"), ["a/newer"]);
        assert_eq!(
            domains(&cache, "b.example"),
            ["b/x"],
            "others have their own lists"
        );
    }

    #[test]
    fn what_was_last_seen_of_an_object_is_told_when_it_is_gone() {
        let cache = Cache::default();
        let mut intake = everywhere(&cache);
        let object = |name, uid| brought("a", name, uid, "a.example");
        let mut edited = object("x", "1");
        edited.metadata.generation = Some(4);
        for (event, gone) in [
            (Event::Apply(object("x", "1")), &[][..]),
            (Event::Apply(edited), &[]),
            (Event::Apply(object("x", "2")), &["1"]),
            (Event::Delete(object("x", "2")), &["2"]),
            (Event::Apply(object("x", "3")), &[]),
            (Event::Init, &[]),
            (Event::InitApply(object("x", "4")), &[]),
            (Event::InitDone, &["3"]),
            (Event::Init, &[]),
            (Event::InitDone, &["4"]),
        ] {
            let text = format!("{event:?}");
            assert_eq!(uids(intake.take(event, at(1))), gone, "{text}");
        }
    }

    #[test]
    fn one_that_cannot_be_read_is_there_and_says_why_and_is_nobodys_rival() {
        let cache = Cache::default();
        let mut object = brought("a", "x", "1", "a.example");
        object.spec["enabled"] = json!("yes");
        everywhere(&cache).take(Event::Apply(object), at(1));
        let cause = cache.get(&name("a", "x")).unwrap().unwrap_err();
        assert!(cause.to_string().contains("expected a boolean"), "{cause}");
        assert!(cache.of_pair(ACCOUNT, "a.example").is_empty());
    }
}
