//! A thing through time.
//!
//! Reads of the real API can lag writes. So what it stores is kept as all of its versions, and a lagging read is simply a
//! read as of an earlier moment: before its creation the thing is not there yet, after its deletion it still is.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

#[derive(Debug)]
struct Version<T> {
    since: Timestamp,
    /// `None` once the thing is deleted.
    value: Option<T>,
}

/// All versions of a thing, oldest first.
#[derive(Debug)]
pub(super) struct History<T>(Vec<Version<T>>);

impl<T> History<T> {
    pub(super) fn new(value: T, now: Timestamp) -> Self {
        Self(vec![Version {
            since: now,
            value: Some(value),
        }])
    }

    /// The thing as it is, unless it is deleted.
    pub(super) fn latest(&self) -> Option<&T> {
        self.0.last().and_then(|version| version.value.as_ref())
    }

    /// The thing as a read sees it that lags writes by `lag`.
    pub(super) fn seen(&self, now: Timestamp, lag: Duration) -> Option<&T> {
        let moment = now - lag;
        self.0
            .iter()
            .rev()
            .find(|version| version.since <= moment)
            .and_then(|version| version.value.as_ref())
    }

    /// When the thing was deleted, and what it was until then; nothing while it is there.
    pub(super) fn ended(&self) -> Option<(Timestamp, &T)> {
        match self.0.as_slice() {
            [.., before, end] if end.value.is_none() => Some((end.since, before.value.as_ref()?)),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, value: T, now: Timestamp) {
        self.0.push(Version {
            since: now,
            value: Some(value),
        });
    }

    pub(super) fn delete(&mut self, now: Timestamp) {
        self.0.push(Version {
            since: now,
            value: None,
        });
    }
}
