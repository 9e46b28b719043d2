//! One object as it is kept. Most of ten thousand are at rest, and of those the text is enough that the API server has of them,
//! deflated to a third.

use std::fmt::Display;
use std::hash::{BuildHasher as _, RandomState};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;

use crate::clock::Moment;
use crate::controller::brought::Brought;
use crate::controller::waiting;
use crate::resource::{RECONCILE_AT, SsoConnector};

/// How hard to deflate: more than this takes longer, and saves next to nothing of a text like that.
const LEVEL: u8 = 1;

/// An object in the cache.
#[derive(Debug)]
pub(in crate::controller) struct Cached {
    /// The object, without what the operator has no use for.
    pub(in crate::controller) object: SsoConnector,
    /// When this process first saw this edition of it.
    pub(in crate::controller) seen: Moment,
}

/// Why an object in the cache cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::controller) struct Unreadable(Box<str>);

/// What is kept of an object.
#[derive(Debug)]
pub(super) struct Kept {
    /// The version, as far as it is a number.
    pub(super) version: Option<u64>,
    /// The hash of its UID.
    pub(super) uid: u64,
    /// The hash of what makes it another edition: its UID, its spec, and whether a look is asked for.
    edition: u64,
    /// When this process first saw this edition.
    seen: Moment,
    /// The hash of its account and domain.
    pub(super) pair: u64,
    /// Since when it waits for its verification, if it does.
    pub(super) waits_since: Option<Timestamp>,
    /// The object as JSON, deflated.
    text: Result<Box<[u8]>, Unreadable>,
}

impl Kept {
    /// What is kept of an object that was brought at that moment.
    pub(super) fn of(brought: Brought, hasher: &RandomState, now: Moment) -> Self {
        let said = |field: &str| brought.spec[field].as_str().unwrap_or_default();
        let pair = pair(hasher, said("accountID"), said("emailDomain"));
        let edition = edition(hasher, &brought.metadata);
        let version = brought.version();
        let uid = uid(hasher, brought.metadata.uid.as_deref());
        let object = brought.understand().map_err(|cause| unreadable(&cause));
        Self {
            version,
            uid,
            edition,
            seen: now,
            pair,
            waits_since: object.as_ref().ok().and_then(waiting::since),
            text: object.and_then(|object| deflated(&object)),
        }
    }

    /// It takes the place of that one. What that one was, if it was another object, which then is gone.
    pub(super) fn succeed(&mut self, known: &Self) -> Option<SsoConnector> {
        if known.edition == self.edition {
            self.seen = known.seen;
        }
        let is_another = known.uid != self.uid || self.text.is_err();
        is_another.then(|| known.object()).flatten()
    }

    /// The object, if it can be read.
    pub(super) fn object(&self) -> Option<SsoConnector> {
        self.read().ok().map(|cached| cached.object)
    }

    /// The object, and since when it is so.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn read(&self) -> Result<Cached, Unreadable> {
        let deflated = self.text.as_ref().map_err(Clone::clone)?;
        let text = decompress_to_vec(deflated).map_err(|cause| unreadable(&cause))?;
        Ok(Cached {
            object: serde_json::from_slice(&text).map_err(|cause| unreadable(&cause))?,
            seen: self.seen,
        })
    }
}

/// The hash of an account and a domain.
pub(super) fn pair(hasher: &RandomState, account: &str, domain: &str) -> u64 {
    hasher.hash_one((account, domain))
}

/// The hash of a UID.
pub(super) fn uid(hasher: &RandomState, uid: Option<&str>) -> u64 {
    hasher.hash_one(uid)
}

fn edition(hasher: &RandomState, metadata: &ObjectMeta) -> u64 {
    let annotations = metadata.annotations.as_ref();
    let asked = annotations.and_then(|annotations| annotations.get(RECONCILE_AT));
    hasher.hash_one((&metadata.uid, metadata.generation, asked))
}

fn deflated(object: &SsoConnector) -> Result<Box<[u8]>, Unreadable> {
    let text = serde_json::to_vec(object).map_err(|cause| unreadable(&cause))?;
    Ok(compress_to_vec(&text, LEVEL).into_boxed_slice())
}

fn unreadable(cause: &dyn Display) -> Unreadable {
    Unreadable(cause.to_string().into())
}
