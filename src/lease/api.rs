//! The Lease on the API server. Every call is bounded, is made once, and if it writes, carries the version that it rests
//! on.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::core::Status;
use kube::{Client, ResourceExt as _};
use tokio::time::timeout;
use tracing::debug;

use super::decide::Record;
use crate::kubernetes::describe;

/// Who we are in `metadata.managedFields`.
const FIELD_MANAGER: &str = "cloudflare-sso-operator";

/// How long one watch lasts. A connection on which nothing comes any more is noticed after that.
const WATCH_SECONDS: u32 = 60;

/// Why a call had no success.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailure {
    /// The Lease is not what the write rests on any more.
    #[error("the Lease has changed meanwhile")]
    Conflict,
    /// Everything else that the API server says.
    #[error("{}", describe(.0))]
    Other(Box<kube::Error>),
    /// It does not answer. A write may have been made all the same.
    #[error("the API server did not answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
}

impl CallFailure {
    /// A conflict, if the API server's answer is one.
    fn or_conflict(self, is_conflict: impl Fn(&Status) -> bool) -> Self {
        match self {
            Self::Other(failure) if matches!(&*failure, kube::Error::Api(status) if is_conflict(status)) => {
                Self::Conflict
            }
            other => other,
        }
    }
}

/// One Lease.
#[derive(Clone)]
pub(super) struct LeaseApi {
    api: Api<Lease>,
    name: String,
}

/// What a write puts into the Lease.
#[derive(Debug, Clone, Copy)]
pub(super) enum Write<'a> {
    /// From now on it is held by this identity.
    Acquire { identity: &'a str, span: Duration },
    /// It is still held by whom it names.
    Renew { span: Duration },
    /// It is free.
    Release,
}

impl LeaseApi {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
        }
    }

    /// Reads the Lease. Without a version the API server answers from the quorum.
    pub(super) async fn read(&self, limit: Duration) -> Result<Option<Lease>, CallFailure> {
        bounded(limit, self.api.get_opt(&self.name)).await
    }

    /// Creates the Lease.
    pub(super) async fn create(
        &self,
        write: Write<'_>,
        limit: Duration,
    ) -> Result<Lease, CallFailure> {
        let mut lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: None,
        };
        write.apply_to(&mut lease);
        let created = bounded(limit, self.api.create(&parameters(), &lease)).await;
        // Not found is the namespace, and no reason to look at once for what has changed.
        created.map_err(|failure| failure.or_conflict(Status::is_already_exists))
    }

    /// Writes to the Lease as it was seen. The API server refuses it if `seen` is not the newest, by its version, or is
    /// gone, by its UID; with a version alone it would create a Lease that is gone.
    pub(super) async fn replace(
        &self,
        seen: &Lease,
        write: Write<'_>,
        limit: Duration,
    ) -> Result<Lease, CallFailure> {
        let mut lease = seen.clone();
        write.apply_to(&mut lease);
        let options = parameters();
        let replacing = self.api.replace(&self.name, &options, &lease);
        let replaced = bounded(limit, replacing).await;
        replaced.map_err(|failure| {
            failure.or_conflict(|status| status.is_conflict() || status.is_not_found())
        })
    }

    /// Ends when it may be worth a look: the Lease has another holder than was seen, or is gone, or has not been watched
    /// for `pause`.
    pub(super) async fn changed(self, seen: Record, pause: Duration) {
        let watch = async {
            let parameters = WatchParams::default()
                .fields(&format!("metadata.name={}", self.name))
                .timeout(WATCH_SECONDS);
            let mut events = self.api.watch(&parameters, &seen.version).await?.boxed();
            while let Some(event) = events.try_next().await? {
                match event {
                    WatchEvent::Added(lease) | WatchEvent::Modified(lease)
                        if holder(&lease) == seen.holder => {}
                    WatchEvent::Bookmark(_) => {}
                    WatchEvent::Added(_) | WatchEvent::Modified(_) | WatchEvent::Deleted(_) => {
                        return Ok(());
                    }
                    WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
                }
            }
            Ok(())
        };
        let longest = Duration::from_secs(u64::from(WATCH_SECONDS) + 5);
        match timeout(longest, watch).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                debug!(cause = describe(&failure), "cannot watch the Lease");
                tokio::time::sleep(pause).await;
            }
            Err(_) => debug!("the watch on the Lease fell silent"),
        }
    }
}

impl Write<'_> {
    fn apply_to(self, lease: &mut Lease) {
        let now = MicroTime(Timestamp::now());
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        spec.renew_time = Some(now.clone());
        match self {
            Self::Acquire { identity, span } => {
                let transitions = spec.lease_transitions.unwrap_or_default();
                if spec.holder_identity.as_deref() != Some(identity) {
                    // A new Lease has seen none yet.
                    let is_new = lease.metadata.resource_version.is_none();
                    spec.lease_transitions = Some(if is_new {
                        0
                    } else {
                        transitions.saturating_add(1)
                    });
                }
                spec.holder_identity = Some(identity.to_owned());
                spec.acquire_time = Some(now);
                spec.lease_duration_seconds = Some(whole_seconds(span));
            }
            Self::Renew { span } => spec.lease_duration_seconds = Some(whole_seconds(span)),
            Self::Release => {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
            }
        }
    }
}

/// What matters of a Lease.
pub(super) fn record(lease: &Lease) -> Record {
    let seconds = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_duration_seconds)
        .and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        holder: holder(lease),
        version: lease.resource_version().unwrap_or_default(),
        duration: seconds.map(Duration::from_secs),
    }
}

fn holder(lease: &Lease) -> Option<String> {
    let holder = lease.spec.as_ref()?.holder_identity.clone();
    holder.filter(|holder| !holder.is_empty())
}

/// A Lease counts whole seconds; the others must not wait less than they are to.
fn whole_seconds(span: Duration) -> i32 {
    let up = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    i32::try_from(up.max(1)).unwrap_or(i32::MAX)
}

async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, CallFailure> {
    match timeout(limit, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) => Err(CallFailure::Other(Box::new(failure))),
        Err(_) => Err(CallFailure::Timeout(limit)),
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_promises_no_less_than_the_span() {
        for (milliseconds, seconds) in [(30_000, 30), (1_001, 2), (999, 1), (0, 1)] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds);
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut lease = Lease::default();
        let span = Duration::from_secs(30);
        let read = |lease: &Lease| (record(lease).holder, record(lease).duration);
        Write::Acquire {
            identity: "a",
            span,
        }
        .apply_to(&mut lease);
        assert_eq!(read(&lease), (Some("a".to_owned()), Some(span)));
        Write::Renew { span }.apply_to(&mut lease);
        assert_eq!(read(&lease), (Some("a".to_owned()), Some(span)));
        Write::Release.apply_to(&mut lease);
        assert_eq!(read(&lease), (None, Some(Duration::from_secs(1))));
    }

    #[test]
    fn a_new_holder_is_a_transition_and_a_renewal_is_none() {
        let transitions = |lease: &Lease| lease.spec.as_ref().unwrap().lease_transitions;
        let span = Duration::from_secs(30);
        let mut lease = Lease::default();
        for (identity, count) in [("a", 0), ("a", 0), ("b", 1), ("a", 2)] {
            Write::Acquire { identity, span }.apply_to(&mut lease);
            lease.metadata.resource_version = Some("1".to_owned());
            Write::Renew { span }.apply_to(&mut lease);
            assert_eq!(transitions(&lease), Some(count), "{identity}");
        }
    }
}
