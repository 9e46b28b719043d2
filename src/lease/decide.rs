//! What to do about the Lease: pure, so that every situation can be made in a test. The only clock is the process's own;
//! what other processes have written into the Lease about their time is never compared with it.

use std::time::Duration;

use crate::clock::Moment;
use crate::plan::Timing;

#[cfg(test)]
mod tests;

/// The durations of the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long the others leave a leader alone that has not renewed.
    pub duration: Duration,
    /// How long a leader may go on after it sent its last successful renewal.
    pub renew_deadline: Duration,
    /// How often a leader renews, how often a standby looks, and how soon what failed is tried again.
    pub interval: Duration,
}

impl From<&Timing> for Terms {
    fn from(timing: &Timing) -> Self {
        Self {
            duration: timing.lease_duration,
            renew_deadline: timing.renew_deadline,
            interval: timing.renew_interval,
        }
    }
}

/// What a Lease says, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it. Nobody after a release.
    pub holder: Option<String>,
    /// Its `resourceVersion`: every change makes another one.
    pub version: String,
    /// For how long its holder was promised to be left alone after each renewal.
    pub duration: Option<Duration>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Read the Lease from the API server.
    Look,
    /// There is none: create it, held by us.
    Create,
    /// Write ourselves into the Lease, if it still has this version.
    Acquire {
        /// The version that the decision rests on.
        version: String,
    },
    /// Renew, if the Lease still has this version.
    Renew {
        /// The version that the decision rests on.
        version: String,
    },
    /// Nothing, until this moment or until something is heard.
    Wait(Moment),
    /// End: we lead no longer.
    StepDown(Lost),
}

/// Why a leader leads no longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// No renewal that was sent in time has succeeded.
    #[error("the Lease could not be renewed within {} s", .0.as_secs_f64())]
    NotRenewed(Duration),
    /// The Lease names somebody else.
    #[error("the Lease is held by {0}")]
    Taken(String),
    /// The Lease names nobody, or is gone.
    #[error("the Lease was released or deleted by somebody else")]
    Removed,
}

/// One process that would like to lead, with all that it knows of the Lease.
#[derive(Debug, Clone)]
pub struct Candidate {
    identity: String,
    terms: Terms,
    sight: Option<Sight>,
    /// Whether what we know is known to be out of date.
    outdated: bool,
    /// When to look again although nothing was heard.
    look_at: Moment,
    /// No call before that: the one before has failed.
    not_before: Moment,
    /// When our last successful write was sent, while we lead.
    held_since: Option<Moment>,
}

/// The Lease as this process last saw it.
#[derive(Debug, Clone)]
struct Sight {
    /// `None`: there is no Lease.
    found: Option<Record>,
    /// When it is free for us, if this process sees no other version before.
    free_at: Moment,
}

impl Candidate {
    /// A candidate that knows nothing yet. `identity` must be this process's own: not even its next start may have it.
    #[must_use]
    pub fn new(identity: String, terms: Terms) -> Self {
        Self {
            identity,
            terms,
            sight: None,
            outdated: false,
            look_at: Moment::default(),
            not_before: Moment::default(),
            held_since: None,
        }
    }

    /// What to do now.
    #[must_use]
    pub fn decide(&self, now: Moment) -> Decision {
        match self.held_since {
            Some(sent) => self.keep(sent, now),
            None => self.contend(now),
        }
    }

    fn keep(&self, sent: Moment, now: Moment) -> Decision {
        let deadline = sent + self.terms.renew_deadline;
        if now >= deadline {
            return Decision::StepDown(Lost::NotRenewed(self.terms.renew_deadline));
        }
        let record = match self.sight.as_ref().and_then(|sight| sight.found.as_ref()) {
            Some(record) if self.is_ours(record) => record,
            Some(Record {
                holder: Some(holder),
                ..
            }) => return Decision::StepDown(Lost::Taken(holder.clone())),
            Some(_) | None => return Decision::StepDown(Lost::Removed),
        };
        let due = if self.outdated {
            self.not_before
        } else {
            self.not_before.max(sent + self.terms.interval)
        };
        if now < due {
            Decision::Wait(due.min(deadline))
        } else if self.outdated {
            Decision::Look
        } else {
            Decision::Renew {
                version: record.version.clone(),
            }
        }
    }

    fn contend(&self, now: Moment) -> Decision {
        if now < self.not_before {
            return Decision::Wait(self.not_before);
        }
        let Some(sight) = self.sight.as_ref().filter(|_| !self.outdated) else {
            return Decision::Look;
        };
        if now >= sight.free_at {
            return match &sight.found {
                Some(record) => Decision::Acquire {
                    version: record.version.clone(),
                },
                None => Decision::Create,
            };
        }
        if now >= self.look_at {
            Decision::Look
        } else {
            Decision::Wait(self.look_at.min(sight.free_at))
        }
    }

    /// A look that began at `began` has shown this; it is `now` at the moment.
    pub fn saw(&mut self, found: Option<Record>, began: Moment, now: Moment) {
        self.outdated = false;
        self.look_at = began + self.terms.interval;
        self.not_before = Moment::default();
        let version = |found: &Option<Record>| found.as_ref().map(|record| record.version.clone());
        if let Some(sight) = &self.sight
            && version(&sight.found) == version(&found)
        {
            return;
        }
        let rest = match &found {
            Some(record) => self.promised(record),
            // Whoever held the Lease that is gone may not have noticed yet.
            None => self
                .sight
                .as_ref()
                .and_then(|sight| sight.found.as_ref())
                .map_or(Duration::ZERO, |record| self.promised(record)),
        };
        self.sight = Some(Sight {
            found,
            free_at: now + rest,
        });
    }

    /// How long somebody else has to be left alone.
    fn promised(&self, record: &Record) -> Duration {
        if record.holder.is_none() || self.is_ours(record) {
            return Duration::ZERO;
        }
        record.duration.unwrap_or(self.terms.duration)
    }

    /// A write that was sent at `sent` has succeeded, and this is the Lease now: we lead.
    pub fn wrote(&mut self, record: Record, sent: Moment) {
        self.outdated = false;
        self.not_before = Moment::default();
        self.held_since = Some(sent);
        self.sight = Some(Sight {
            found: Some(record),
            free_at: sent,
        });
    }

    /// A write was refused because the Lease has another version than we know.
    pub fn was_refused(&mut self) {
        self.outdated = true;
    }

    /// A call that began at `began` has failed. If it was a write, it may have been made all the same: then the next one
    /// is refused.
    pub fn has_failed(&mut self, began: Moment) {
        self.not_before = began + self.terms.interval;
    }

    /// Somebody else may have changed the Lease.
    pub fn has_heard(&mut self) {
        self.outdated = true;
    }

    /// Until when this process may begin calls.
    #[must_use]
    pub fn leads_until(&self) -> Option<Moment> {
        self.held_since.map(|sent| sent + self.terms.renew_deadline)
    }

    /// Who holds the Lease, as far as this process knows, and how long it is left alone after each renewal.
    #[must_use]
    pub fn holder(&self) -> Option<(&str, Duration)> {
        let found = self.sight.as_ref()?.found.as_ref()?;
        Some((found.holder.as_deref()?, self.promised(found)))
    }

    /// Our own name.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    fn is_ours(&self, record: &Record) -> bool {
        record.holder.as_deref() == Some(&self.identity)
    }
}
