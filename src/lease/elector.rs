//! The shell around [`super::decide`]: it makes the calls that are decided, and tells the [`Authority`] what came of them.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::api::{self, CallFailure, LeaseApi, Write};
use super::authority::{Authority, uptime};
use super::decide::{Candidate, Decision, Lost, Terms};

/// How long one call for the Lease may take at the most.
const LONGEST_CALL: Duration = Duration::from_secs(5);

/// How often a release is tried.
const TRIES_TO_RELEASE: u32 = 3;

/// Which Lease, and who we are in it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are in it: a name that no other process has, not even our own successor in the same Pod.
    pub identity: String,
}

/// A process that contends for the Lease.
pub struct Elector {
    lease: LeaseApi,
    candidate: Candidate,
    terms: Terms,
    authority: Authority,
    /// The Lease as it was last seen, to be written back with what others keep in it.
    seen: Option<Lease>,
    /// Ends when the Lease may have changed.
    news: Option<BoxFuture<'static, ()>>,
}

/// A process that holds the Lease. It leads only while it [keeps](Self::keep) it.
pub struct Leader(Elector);

impl fmt::Debug for Elector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elector")
            .field("candidate", &self.candidate)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leader").field(&self.0).finish()
    }
}

impl Elector {
    /// An elector with a client of its own, which must not retry. `authority` lasts as long as the Lease is held safely.
    #[must_use]
    pub fn new(client: Client, place: Place, terms: Terms, authority: Authority) -> Self {
        let Place {
            namespace,
            name,
            identity,
        } = place;
        Self {
            lease: LeaseApi::new(client, &namespace, &name),
            candidate: Candidate::new(identity, terms),
            terms,
            authority,
            seen: None,
            news: None,
        }
    }

    /// Contends until the Lease is won, however long that takes and whatever fails. `None` if `shutdown` comes first.
    /// `standing_by` is called whenever somebody else is seen to hold the Lease.
    pub async fn win(
        mut self,
        shutdown: &CancellationToken,
        standing_by: impl Fn(),
    ) -> Option<Leader> {
        let mut announced = None;
        while !shutdown.is_cancelled() {
            match self.candidate.decide(uptime()) {
                Decision::Wait(until) => {
                    if let Some((holder, span)) = self.candidate.holder() {
                        if announced.as_deref() != Some(holder) {
                            info!(
                                holder,
                                "standing by until the Lease is released or has expired, {} s after its last renewal",
                                span.as_secs()
                            );
                            announced = Some(holder.to_owned());
                        }
                        standing_by();
                    }
                    shutdown.run_until_cancelled(self.rest(until)).await;
                }
                Decision::Look => {
                    shutdown.run_until_cancelled(self.look()).await;
                }
                // A write is not left alone: the Lease would be held by nobody who knows of it.
                write => self.write(&write).await,
            }
            if self.candidate.leads_until().is_some() {
                info!(identity = self.candidate.identity(), "leading");
                return Some(Leader(self));
            }
        }
        None
    }

    /// Waits until a moment, or until there is news.
    async fn rest(&mut self, until: crate::clock::Moment) {
        if self.news.is_none()
            && let Some(lease) = &self.seen
        {
            let changed = self
                .lease
                .clone()
                .changed(api::record(lease), self.terms.interval);
            self.news = Some(Box::pin(changed));
        }
        let news = async {
            match &mut self.news {
                Some(news) => news.await,
                None => std::future::pending().await,
            }
        };
        let heard = tokio::select! {
            () = news => true,
            () = tokio::time::sleep(uptime().until(until)) => false,
        };
        if heard {
            self.news = None;
            self.candidate.has_heard();
        }
    }

    async fn look(&mut self) {
        let began = uptime();
        match self.lease.read(self.limit()).await {
            Ok(found) => {
                let record = found.as_ref().map(api::record);
                debug!(?record, "looked at the Lease");
                self.candidate.saw(record, began, uptime());
                self.seen = found;
            }
            Err(failure) => {
                warn!(cause = %failure, "cannot read the Lease");
                self.candidate.has_failed(began);
            }
        }
    }

    /// Makes the write that was decided.
    async fn write(&mut self, decision: &Decision) {
        let began = uptime();
        let (span, limit) = (self.terms.duration, self.limit());
        let identity = self.candidate.identity();
        let acquire = Write::Acquire { identity, span };
        let result = match (decision, &self.seen) {
            (Decision::Create, _) => self.lease.create(acquire, limit).await,
            (Decision::Acquire { version }, Some(seen)) if is(seen, version) => {
                self.lease.replace(seen, acquire, limit).await
            }
            (Decision::Renew { version }, Some(seen)) if is(seen, version) => {
                self.lease.replace(seen, Write::Renew { span }, limit).await
            }
            // What was decided on is not what we have: look again.
            _ => Err(CallFailure::Conflict),
        };
        match result {
            Ok(lease) => {
                self.candidate.wrote(api::record(&lease), began);
                self.seen = Some(lease);
                if let Some(until) = self.candidate.leads_until() {
                    self.authority.extend(until);
                }
            }
            Err(CallFailure::Conflict) => self.candidate.was_refused(),
            Err(failure) => {
                warn!(cause = %failure, "cannot write the Lease");
                self.candidate.has_failed(began);
            }
        }
    }

    /// How long a call may take: no longer than makes sense.
    fn limit(&self) -> Duration {
        let limit = LONGEST_CALL.min(self.terms.renew_deadline / 3);
        match self.candidate.leads_until() {
            Some(until) => limit.min(uptime().until(until)),
            None => limit,
        }
    }
}

impl Leader {
    /// Holds on to the Lease until `done`, and then releases it. Nothing may call anybody after `done`.
    ///
    /// # Errors
    /// If this process leads no longer. Then the authority has ended.
    pub async fn keep(mut self, done: CancellationToken) -> Result<(), Lost> {
        let elector = &mut self.0;
        while !done.is_cancelled() {
            match elector.candidate.decide(uptime()) {
                Decision::StepDown(lost) => {
                    elector.authority.revoke();
                    return Err(lost);
                }
                Decision::Wait(until) => {
                    done.run_until_cancelled(elector.rest(until)).await;
                }
                Decision::Look => elector.look().await,
                write => elector.write(&write).await,
            }
        }
        self.release().await;
        Ok(())
    }

    /// Lets a standby take over at once. If that cannot be done, it takes over when the Lease has expired.
    async fn release(self) {
        let mut elector = self.0;
        elector.authority.revoke();
        let limit = LONGEST_CALL.min(elector.terms.renew_deadline / 3);
        for _ in 0..TRIES_TO_RELEASE {
            let Some(seen) = elector.seen.take() else {
                return;
            };
            if api::record(&seen).holder.as_deref() != Some(elector.candidate.identity()) {
                return;
            }
            match elector.lease.replace(&seen, Write::Release, limit).await {
                Ok(_) => {
                    info!("released the Lease");
                    return;
                }
                // A renewal whose answer was lost has made another version.
                Err(CallFailure::Conflict) => {
                    elector.seen = elector.lease.read(limit).await.ok().flatten();
                }
                Err(failure) => {
                    warn!(cause = %failure, "cannot release the Lease");
                    elector.seen = Some(seen);
                }
            }
        }
    }
}

fn is(lease: &Lease, version: &str) -> bool {
    lease.metadata.resource_version.as_deref() == Some(version)
}
