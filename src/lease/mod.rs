//! Leader election: of several processes one acts, by a Kubernetes Lease.
//!
//! A candidate looks at the Lease and takes it if it is free, was released, or has been seen unchanged for the whole
//! duration. Every write is a replacement that names the version it rests on, so of two who try one fails. The leader
//! renews; its [`Authority`] ends a fixed time after the last successful renewal was *sent*, and a call to Cloudflare ends
//! with it at the latest. So all calls of a leader that was cut off or paused have ended before another process can take
//! the lease. A leader that cannot renew ends the process: whoever starts anew remembers nothing wrong.
//!
//! [`decide()`] is the pure part; here is only how the Lease is read and written.

mod authority;
mod decide;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tracing::{info, warn};

use crate::clock::{Clock, Moment};
use crate::metrics::Metrics;
use crate::server::Readiness;

pub use authority::Authority;
pub use decide::{Sight, Step, Terms, Writing, decide};

/// How long one call about the Lease may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Which Lease, and who we are.
#[derive(Debug, Clone)]
pub struct Candidacy {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are: unlike any other process, also before and after a restart.
    pub identity: String,
}

/// The lease was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease {0}, so this process must not act any more")]
pub struct Lost(&'static str);

const LATE: Lost = Lost("could not be renewed in time");
const TAKEN: Lost = Lost("is held by another process");

/// One candidate.
#[derive(Debug)]
pub struct Candidate {
    leases: Api<Lease>,
    candidacy: Candidacy,
    terms: Terms,
    clock: Clock,
    authority: Authority,
    metrics: Arc<Metrics>,
    sight: Option<Sight>,
    /// The Lease as it was last seen, which a replacement keeps.
    seen: Option<Lease>,
    /// When the last successful write was sent, while we lead.
    held: Option<Moment>,
}

/// Why a write did not make us the holder.
enum Unwritten {
    /// Somebody else was quicker.
    Conflict,
    /// The API server could not be asked, or said no.
    Failed(String),
}

impl Candidate {
    /// A candidate with a client of its own, so that nothing else can make a renewal wait.
    #[must_use]
    pub fn new(client: Client, candidacy: Candidacy, terms: Terms, metrics: Arc<Metrics>) -> Self {
        Self {
            leases: Api::namespaced(client, &candidacy.namespace),
            candidacy,
            terms,
            clock: Clock::start(),
            authority: Authority::none(),
            metrics,
            sight: None,
            seen: None,
            held: None,
        }
    }

    /// The right to act, which lasts while this candidate leads.
    #[must_use]
    pub fn authority(&self) -> Authority {
        self.authority.clone()
    }

    /// Contends until it leads. A candidate that has seen who leads is ready to take over.
    pub async fn win(&mut self, readiness: &Readiness) {
        let (name, own) = (&self.candidacy.name, &self.candidacy.identity);
        info!(lease = %name, identity = %own, "waiting to lead");
        loop {
            match self.contend().await {
                Ok(()) if self.held.is_some() => break,
                Ok(()) => readiness.set(true),
                Err(cause) => warn!(%cause, "cannot look at the lease"),
            }
            // Whoever releases the lease is followed soon.
            tokio::time::sleep(self.terms.interval / 3).await;
        }
        self.metrics.leads(true);
        info!(identity = %self.candidacy.identity, "leading");
    }

    /// Renews for as long as it is asked to. Ends only if the lease is lost, and then not later than at the deadline,
    /// however long the API server takes.
    pub async fn keep(&mut self) -> Lost {
        let lost = loop {
            let now = self.clock.now();
            let step = self.step(now);
            let ends = self.held.map_or(now, |sent| sent + self.terms.deadline);
            let ends = self.clock.instant(ends);
            match tokio::time::timeout_at(ends, self.renew(step)).await {
                Ok(None) => {}
                Ok(Some(lost)) => break lost,
                Err(_) => break LATE,
            }
        };
        self.authority.revoke();
        self.metrics.leads(false);
        lost
    }

    /// One step of a leader.
    async fn renew(&mut self, step: Step) -> Option<Lost> {
        match step {
            Step::Lost => return Some(self.why_lost()),
            Step::Wait(until) => tokio::time::sleep_until(self.clock.instant(until)).await,
            step @ (Step::Create | Step::Write(_)) => match self.write(step).await {
                Ok(()) => {}
                Err(Unwritten::Conflict) => {
                    if let Err(cause) = self.look().await {
                        warn!(%cause, "cannot look at the lease");
                    }
                }
                Err(Unwritten::Failed(cause)) => {
                    warn!(%cause, "cannot renew the lease");
                    tokio::time::sleep(self.terms.interval / 3).await;
                }
            },
        }
        None
    }

    /// Lets go, so that another takes over at once. To be called when nothing is under way any more.
    pub async fn release(mut self) {
        self.authority.revoke();
        self.metrics.leads(false);
        let Some(seen) = self.seen.take().filter(|_| self.held.is_some()) else {
            return;
        };
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..seen.spec.unwrap_or_default()
        };
        let lease = Lease {
            spec: Some(spec),
            ..seen
        };
        let parameters = PostParams::default();
        let replacing = self
            .leases
            .replace(&self.candidacy.name, &parameters, &lease);
        match tokio::time::timeout(CALL_TIMEOUT, replacing).await {
            Ok(Ok(_)) => info!("released the lease"),
            Ok(Err(cause)) => warn!(%cause, "the lease is not released; it expires"),
            Err(_) => warn!("the lease is not released in time; it expires"),
        }
    }

    /// One look, and one try to take the lease if it can be taken.
    async fn contend(&mut self) -> Result<(), String> {
        self.look().await?;
        match self.step(self.clock.now()) {
            Step::Wait(_) | Step::Lost => Ok(()),
            step @ (Step::Create | Step::Write(_)) => match self.write(step).await {
                Ok(()) | Err(Unwritten::Conflict) => Ok(()),
                Err(Unwritten::Failed(cause)) => Err(cause),
            },
        }
    }

    fn step(&self, now: Moment) -> Step {
        let unseen = Sight::then(None, None, now);
        let sight = self.sight.as_ref().unwrap_or(&unseen);
        decide(sight, &self.candidacy.identity, self.held, now, &self.terms)
    }

    fn why_lost(&self) -> Lost {
        let now = self.clock.now();
        let late = self
            .held
            .is_none_or(|sent| now >= sent + self.terms.deadline);
        if late { LATE } else { TAKEN }
    }

    /// Reads the Lease from the API server itself.
    async fn look(&mut self) -> Result<(), String> {
        let reading = self.leases.get_opt(&self.candidacy.name);
        let lease = self.in_time(reading).await?;
        self.note(lease);
        Ok(())
    }

    fn note(&mut self, lease: Option<Lease>) {
        let known = lease.as_ref().and_then(|lease| {
            let version = lease.metadata.resource_version.clone()?;
            Some((writing(lease.spec.as_ref()), version))
        });
        self.sight = Some(Sight::then(self.sight.as_ref(), known, self.clock.now()));
        self.seen = lease;
    }

    /// Writes the Lease with us as its holder, under the version that the decision rests on.
    async fn write(&mut self, step: Step) -> Result<(), Unwritten> {
        let sent = self.clock.now();
        let lease = self.ours(&step);
        let parameters = PostParams::default();
        let name = &self.candidacy.name;
        let result = match step {
            Step::Create => {
                let creating = self.leases.create(&parameters, &lease);
                tokio::time::timeout(CALL_TIMEOUT, creating).await
            }
            Step::Write(_) | Step::Wait(_) | Step::Lost => {
                let replacing = self.leases.replace(name, &parameters, &lease);
                tokio::time::timeout(CALL_TIMEOUT, replacing).await
            }
        };
        match result {
            Ok(Ok(lease)) => {
                self.note(Some(lease));
                self.held = Some(sent);
                let until = self.clock.instant(sent + self.terms.deadline);
                self.authority.extend(until);
                Ok(())
            }
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_not_found() => {
                Err(Unwritten::Conflict)
            }
            Ok(Err(failure)) => Err(Unwritten::Failed(failure.to_string())),
            Err(_) => Err(Unwritten::Failed("no answer in time".to_owned())),
        }
    }

    fn ours(&self, step: &Step) -> Lease {
        let before = self.seen.clone().unwrap_or_default();
        let spec = before.spec.unwrap_or_default();
        let now = Some(MicroTime(Timestamp::now()));
        let own = &self.candidacy.identity;
        let taken = spec.holder_identity.as_ref() != Some(own);
        let seconds = self.terms.duration.as_secs_f64().ceil();
        let spec = LeaseSpec {
            holder_identity: Some(own.clone()),
            lease_duration_seconds: Some(whole(seconds)),
            acquire_time: if taken {
                now.clone()
            } else {
                spec.acquire_time
            },
            lease_transitions: Some(spec.lease_transitions.unwrap_or_default() + i32::from(taken)),
            renew_time: now,
            ..spec
        };
        let version = match step {
            Step::Write(version) => Some(version.clone()),
            Step::Create | Step::Wait(_) | Step::Lost => None,
        };
        let metadata = match version {
            Some(_) => ObjectMeta {
                resource_version: version,
                ..before.metadata
            },
            None => ObjectMeta {
                name: Some(self.candidacy.name.clone()),
                ..ObjectMeta::default()
            },
        };
        Lease {
            metadata,
            spec: Some(spec),
        }
    }

    async fn in_time<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => Err(failure.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// What the Lease says. The times of another process are compared only with themselves.
fn writing(spec: Option<&LeaseSpec>) -> Writing {
    let spec = spec.cloned().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Writing {
        holder: spec.holder_identity.unwrap_or_default(),
        stamp: format!(
            "{:?} {:?} {:?}",
            spec.acquire_time, spec.renew_time, spec.lease_transitions
        ),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a lease of that many years is none"
)]
fn whole(seconds: f64) -> i32 {
    seconds.clamp(1.0, f64::from(i32::MAX)) as i32
}

/// A name that no other process has: where it runs, and a random part.
#[must_use]
pub fn identity() -> String {
    let place = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME"));
    let place = place.unwrap_or_else(|_| "process".to_owned());
    let random = RandomState::new().hash_one(std::process::id());
    format!("{place}_{random:016x}")
}
