//! What a pass has found out, and what follows from it. How the status says so is [`super::status`].

use super::publication::{self, Outlook};
use super::world::Record;
use super::{World, enforcement, messages, status, txt, verification, wording};
use crate::cloudflare::Connector;
use crate::resource::{EnforcementState, ManagementPolicy, Progress, Reason, Truth};

/// A reason, and a sentence for people: what is, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The reason in one word.
    pub reason: Reason,
    /// The sentence.
    pub message: String,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(reason: Reason, message: String) -> Self {
        Self { reason, message }
    }
}

/// What the status shall say.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What must not be forgotten.
    pub record: Record,
    /// What Cloudflare reports of the connector.
    pub mirror: Mirror,
    /// What came of the pass.
    pub outcome: Outcome,
    /// What is worth an Event although no condition says it.
    pub notice: Option<Finding>,
    /// What is to be said of what DNS shows.
    pub txt: Said,
    /// What is to be said of the publication of the TXT record.
    pub published: Said,
}

/// What a condition beside the decision shall say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Said {
    /// What it said before.
    #[default]
    Kept,
    /// Nothing: it is not there.
    Cleared,
    /// This.
    Now(Truth, Finding),
}

/// What the status shows of the connector.
#[derive(Debug, Clone, PartialEq)]
pub enum Mirror {
    /// What it showed before.
    Kept,
    /// This.
    Shown(Box<Connector>),
    /// Nothing: there is none.
    Cleared,
}

/// What came of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended in a decision about the current spec.
    Decided {
        /// The reason and message of `Ready`.
        ready: Finding,
        /// What `Synced` says.
        synced: Synced,
        /// Whether this is work under way, a dead end, or neither.
        progress: Progress,
    },
    /// There is no decision yet. `Ready` stays as it is and goes on speaking of the generation it spoke of.
    Undecided {
        /// What is wrong, once it has lasted.
        trouble: Option<Finding>,
    },
}

/// What is to be said of the work with Cloudflare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synced {
    /// It works.
    Succeeded,
    /// It is kept from working by what `Ready` says.
    Failed,
    /// What was said before.
    Kept,
}

impl Outcome {
    pub(super) const fn decided(ready: Finding, synced: Synced) -> Self {
        let progress = ready.reason.progress();
        Self::Decided {
            ready,
            synced,
            progress,
        }
    }
}

impl Verdict {
    /// The connector was seen; this is what follows from it.
    pub(super) fn judged(world: &World<'_>, record: &Record, connector: &Connector) -> Self {
        Self {
            txt: txt::said(world, connector),
            ..Self::judged_alone(world, record, connector)
        }
    }

    fn judged_alone(world: &World<'_>, record: &Record, connector: &Connector) -> Self {
        if world.desired.management == ManagementPolicy::Observe {
            let finding = compare(world, record, connector);
            return Self::decided(record.clone(), connector, finding);
        }
        let finding = assess(world, record, connector);
        let awaits = finding.reason == Reason::AwaitingVerification;
        let verdict = Self::decided(record.clone(), connector, finding);
        if awaits {
            return verdict.with_outlook(publication::outlook(world, record, connector));
        }
        if verdict.is_ready() && wording::difference(world, connector).is_some() {
            let outcome = Outcome::Undecided { trouble: None };
            return Self { outcome, ..verdict };
        }
        verdict
    }

    /// The connector was seen, and this is what is to be said of it.
    pub(super) fn decided(record: Record, connector: &Connector, ready: Finding) -> Self {
        let mirror = Mirror::Shown(Box::new(connector.clone()));
        Self::new(record, mirror, Outcome::decided(ready, Synced::Succeeded))
    }

    /// Nothing new was seen of the connector.
    pub(super) fn noted(record: Record, ready: Finding) -> Self {
        let outcome = Outcome::decided(ready, Synced::Succeeded);
        Self::new(record, Mirror::Kept, outcome)
    }

    /// Only a person can help.
    pub(super) fn stalled(record: &Record, ready: Finding) -> Self {
        let outcome = Outcome::decided(ready, Synced::Failed);
        Self::new(record.clone(), Mirror::Kept, outcome)
    }

    /// The connector does not exist any more.
    pub(super) fn gone(record: Record, ready: Finding) -> Self {
        let synced = match ready.reason.progress() {
            Progress::Stalled => Synced::Failed,
            Progress::Reconciling | Progress::Resting => Synced::Succeeded,
        };
        Self::new(record, Mirror::Cleared, Outcome::decided(ready, synced))
    }

    /// Nothing can be said yet; perhaps something went wrong that will pass.
    pub(super) fn undecided(record: Record, trouble: Option<Finding>) -> Self {
        Self::new(record, Mirror::Kept, Outcome::Undecided { trouble })
    }

    const fn new(record: Record, mirror: Mirror, outcome: Outcome) -> Self {
        Self {
            record,
            mirror,
            outcome,
            notice: None,
            txt: Said::Kept,
            published: Said::Kept,
        }
    }

    /// The same for a domain that is not verified yet, given how the publication of its record stands. As long as that is the
    /// operator's work, it is at work, and nobody has to do anything.
    fn with_outlook(mut self, outlook: Outlook) -> Self {
        match outlook {
            Outlook::ByHand => {}
            Outlook::UnderWay => {
                if let Outcome::Decided { progress, .. } = &mut self.outcome {
                    *progress = Progress::Reconciling;
                }
            }
            Outlook::DeadEnd(finding) => {
                self.outcome = Outcome::decided(finding, Synced::Succeeded);
            }
            Outlook::Unknown => self.outcome = Outcome::Undecided { trouble: None },
        }
        self
    }

    /// The same, with what is to be said of the publication of the TXT record.
    pub(super) fn with_published(self, published: Said) -> Self {
        Self { published, ..self }
    }

    /// The same, but something else is to be said of the work with Cloudflare.
    pub(super) fn with_synced(mut self, said: Synced) -> Self {
        if let Outcome::Decided { synced, .. } = &mut self.outcome {
            *synced = said;
        }
        self
    }

    /// The same, but nobody has to do anything about it.
    pub(super) fn at_rest(mut self) -> Self {
        if let Outcome::Decided { progress, .. } = &mut self.outcome {
            *progress = Progress::Resting;
        }
        self
    }

    /// The same, and worth an Event.
    pub(super) fn with_notice(self, notice: Finding) -> Self {
        Self {
            notice: Some(notice),
            ..self
        }
    }

    /// The same, but a change that Cloudflare has accepted has no effect.
    pub(super) fn without_effect(self) -> Self {
        match &self.outcome {
            // What a person has to know or do first.
            Outcome::Decided { .. } => self,
            Outcome::Undecided { .. } => {
                let problem = Finding::new(Reason::Rejected, messages::wording_without_effect());
                Self {
                    outcome: Outcome::decided(problem, Synced::Failed),
                    ..self
                }
            }
        }
    }

    /// Whether a person has to know of it.
    pub(super) fn is_stalled(&self) -> bool {
        match &self.outcome {
            Outcome::Decided { progress, .. } => *progress == Progress::Stalled,
            Outcome::Undecided { .. } => false,
        }
    }

    fn is_ready(&self) -> bool {
        match &self.outcome {
            Outcome::Decided { ready, .. } => ready.reason.readiness() == Truth::True,
            Outcome::Undecided { .. } => false,
        }
    }

    /// Whether a run of failures ends here.
    #[must_use]
    pub fn ends_trouble(&self) -> bool {
        match &self.outcome {
            Outcome::Decided {
                ready, progress, ..
            } => *progress == Progress::Resting || ready.reason == Reason::AwaitingVerification,
            Outcome::Undecided { .. } => false,
        }
    }

    /// Whether it takes a person, or time, before the object can go on, so that others need not wait for it.
    #[must_use]
    pub fn gives_way(&self) -> bool {
        match &self.outcome {
            Outcome::Decided {
                ready, progress, ..
            } => *progress == Progress::Stalled || ready.reason == Reason::Suspended,
            Outcome::Undecided { .. } => true,
        }
    }
}

/// Whether an object that only observes shows what its spec says.
fn compare(world: &World<'_>, record: &Record, connector: &Connector) -> Finding {
    let desired = world.desired;
    let verified = verification::is_verified(connector);
    let enabled = enforcement::is_enabled(connector);
    let differs = enforcement::differs(world, connector);
    if differs || wording::difference(world, connector).is_some() {
        let message = messages::drift(desired, connector);
        return Finding::new(Reason::DriftObserved, message);
    }
    if !verified && desired.begin_verification {
        return unverified(world, record, connector);
    }
    Finding::new(
        Reason::Available,
        messages::available(desired, verified, enabled),
    )
}

/// Whether the object is as its spec says, given the connector and how far the spec was applied.
fn assess(world: &World<'_>, record: &Record, connector: &Connector) -> Finding {
    let desired = world.desired;
    let verified = verification::is_verified(connector);
    let differs = enforcement::differs(world, connector);
    let wants_verification = desired.begin_verification || desired.enabled == Some(true);
    match enforcement::state(record) {
        EnforcementState::Held => {
            let message = messages::held(enforcement::is_enabled(connector));
            Finding::new(Reason::HeldByExternalChange, message)
        }
        EnforcementState::Applying if differs => applying(desired.enabled == Some(true)),
        EnforcementState::Armed if differs && (verified || desired.enabled == Some(false)) => {
            applying(desired.enabled == Some(true))
        }
        _ if !verified && wants_verification => unverified(world, record, connector),
        EnforcementState::Armed | EnforcementState::Applying | EnforcementState::Satisfied => {
            let message =
                messages::available(desired, verified, enforcement::is_enabled(connector));
            Finding::new(Reason::Available, message)
        }
    }
}

pub(super) fn applying(enable: bool) -> Finding {
    let reason = if enable {
        Reason::Enabling
    } else {
        Reason::Disabling
    };
    Finding::new(reason, messages::applying(enable))
}

fn unverified(world: &World<'_>, record: &Record, connector: &Connector) -> Finding {
    let (_, detail) = status::verified(record, connector, world.desired);
    let reason = match detail.reason {
        Reason::VerificationFailed | Reason::VerificationLapsed => detail.reason,
        _ => Reason::AwaitingVerification,
    };
    Finding::new(reason, detail.message)
}
