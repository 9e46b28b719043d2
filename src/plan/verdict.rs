//! What a pass has found out, and the status that says so.
//!
//! The status is computed whole from the verdict and from the status before. A condition's time moves only with its
//! `status`, and the same verdict gives the same bytes, so nothing is written unless something happened.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::world::{Desired, Record, Standing};
use super::{World, enforcement, messages, verification, wording};
use crate::cloudflare::{Connector, VerificationCode, VerificationStatus};
use crate::resource::{
    ConditionType, CreateAttempts, DnsRecord, EnforcementState, Progress, Reason, RecordType,
    SsoConnectorStatus, Truth, VerificationState, find_condition,
};

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
        /// Whether this is also what keeps the operator from working with Cloudflare.
        synced: bool,
    },
    /// There is no decision yet. `Ready` stays as it is and goes on speaking of the generation it spoke of.
    Undecided {
        /// What is wrong, once it has lasted.
        trouble: Option<Finding>,
    },
}

impl Verdict {
    /// The connector was seen; this is what follows from it.
    pub(super) fn judged(world: &World<'_>, record: &Record, connector: &Connector) -> Self {
        let finding = assess(world, record, connector);
        let verdict = Self::decided(record.clone(), connector, finding);
        if verdict.is_ready() && wording::difference(world, connector).is_some() {
            let outcome = Outcome::Undecided { trouble: None };
            return Self { outcome, ..verdict };
        }
        verdict
    }

    /// The connector was seen, and this is what is to be said of it.
    pub(super) fn decided(record: Record, connector: &Connector, ready: Finding) -> Self {
        let mirror = Mirror::Shown(Box::new(connector.clone()));
        Self {
            record,
            mirror,
            outcome: Outcome::Decided {
                ready,
                synced: true,
            },
            notice: None,
        }
    }

    /// Nothing new was seen of the connector.
    pub(super) fn noted(record: Record, ready: Finding) -> Self {
        Self {
            record,
            mirror: Mirror::Kept,
            outcome: Outcome::Decided {
                ready,
                synced: true,
            },
            notice: None,
        }
    }

    /// Only a person can help.
    pub(super) fn stalled(record: &Record, ready: Finding) -> Self {
        Self {
            record: record.clone(),
            mirror: Mirror::Kept,
            outcome: Outcome::Decided {
                ready,
                synced: false,
            },
            notice: None,
        }
    }

    /// The connector does not exist any more.
    pub(super) fn gone(record: Record, ready: Finding) -> Self {
        let synced = ready.reason.progress() != Progress::Stalled;
        Self {
            record,
            mirror: Mirror::Cleared,
            outcome: Outcome::Decided { ready, synced },
            notice: None,
        }
    }

    /// Nothing can be said yet; perhaps something went wrong that will pass.
    pub(super) fn undecided(record: Record, trouble: Option<Finding>) -> Self {
        Self {
            record,
            mirror: Mirror::Kept,
            outcome: Outcome::Undecided { trouble },
            notice: None,
        }
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
            Outcome::Decided { ready, .. } if ready.reason.progress() == Progress::Stalled => self,
            Outcome::Decided { .. } | Outcome::Undecided { .. } => Self {
                outcome: Outcome::Decided {
                    ready: Finding::new(Reason::Rejected, messages::wording_without_effect()),
                    synced: false,
                },
                ..self
            },
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
            Outcome::Decided { ready, .. } => ready.reason.progress() == Progress::Resting,
            Outcome::Undecided { .. } => false,
        }
    }

    /// Whether it takes a person, or time, before the object can go on, so that others need not wait for it.
    #[must_use]
    pub fn gives_way(&self) -> bool {
        match &self.outcome {
            Outcome::Decided { ready, .. } => ready.reason.progress() == Progress::Stalled,
            Outcome::Undecided { .. } => true,
        }
    }

    /// The status that says this. `now` is the time for conditions whose `status` changes.
    #[must_use]
    pub fn status(
        &self,
        before: &SsoConnectorStatus,
        desired: &Desired,
        now: Timestamp,
    ) -> SsoConnectorStatus {
        let mut status = self.remembered(before);
        let mut conditions = Conditions {
            list: before.conditions.clone(),
            generation: desired.generation,
            now,
        };
        match &self.mirror {
            Mirror::Kept => {}
            Mirror::Shown(connector) => {
                mirror(&mut status, connector, desired);
                conditions.set(
                    ConditionType::Verified,
                    &verified(&self.record, connector, desired),
                );
                conditions.set(
                    ConditionType::Enabled,
                    &enabled(&self.record, connector, desired),
                );
            }
            Mirror::Cleared => conditions.remove(ConditionType::Verified),
        }
        match &self.outcome {
            Outcome::Decided { ready, synced } => {
                self.judge_enabled(&mut conditions, ready);
                conditions.decide(ready, *synced);
                status.observed_generation = Some(desired.generation);
            }
            Outcome::Undecided {
                trouble: Some(finding),
            } => conditions.trouble(finding),
            Outcome::Undecided { trouble: None } => {}
        }
        status.conditions = conditions.list;
        status
    }

    /// What is to be said of `Enabled` when the connector was not seen.
    fn judge_enabled(&self, conditions: &mut Conditions, ready: &Finding) {
        let refused = ready.reason == Reason::Rejected && conditions.is_enabling();
        let cleared = matches!(self.mirror, Mirror::Cleared);
        if refused || (cleared && ready.reason == Reason::DeletedExternally) {
            conditions.set(ConditionType::Enabled, &(Truth::False, ready.clone()));
        } else if cleared {
            conditions.remove(ConditionType::Enabled);
        }
    }

    /// The status with what the record says, and what the mirror leaves of the connector.
    fn remembered(&self, before: &SsoConnectorStatus) -> SsoConnectorStatus {
        let record = &self.record;
        let seen = match &self.mirror {
            Mirror::Kept | Mirror::Shown(_) => before.clone(),
            Mirror::Cleared => SsoConnectorStatus::default(),
        };
        let verification = VerificationState {
            restarts: (record.begun.restarts > 0).then_some(record.begun.restarts),
            last_begun_at: record.begun.last,
            ..seen.verification.unwrap_or_default()
        };
        SsoConnectorStatus {
            observed_generation: before.observed_generation,
            conditions: Vec::new(),
            connector_id: record.connector.as_ref().map(ToString::to_string),
            enabled: seen.enabled,
            use_fedramp_language: seen.use_fedramp_language,
            created_on: record.created_on,
            updated_on: seen.updated_on,
            verification: (verification != VerificationState::default()).then_some(verification),
            dns_record: seen.dns_record,
            pending_create: (!record.attempts.is_empty()).then(|| CreateAttempts {
                attempts: record.attempts.clone(),
            }),
            enforcement: record.enforcement.clone(),
            last_handled_enable_at: record.handled_enable_at.clone(),
        }
    }
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

fn applying(enable: bool) -> Finding {
    let reason = if enable {
        Reason::Enabling
    } else {
        Reason::Disabling
    };
    Finding::new(reason, messages::applying(enable))
}

fn unverified(world: &World<'_>, record: &Record, connector: &Connector) -> Finding {
    let (_, detail) = verified(record, connector, world.desired);
    let reason = match detail.reason {
        Reason::VerificationFailed | Reason::VerificationLapsed => detail.reason,
        _ => Reason::AwaitingVerification,
    };
    Finding::new(reason, detail.message)
}

fn verified(record: &Record, connector: &Connector, desired: &Desired) -> (Truth, Finding) {
    let txt = code(connector).map(|code| messages::txt_record(&desired.domain, &code));
    let txt = txt.unwrap_or_else(messages::no_code);
    let restarts = desired.begin_verification;
    let finding = |reason, message| Finding::new(reason, message);
    match verification::status(connector) {
        Some(VerificationStatus::Verified) => (
            Truth::True,
            finding(Reason::Verified, messages::verified(&desired.domain)),
        ),
        Some(VerificationStatus::Failed) if record.standing != Standing::Unproven => (
            Truth::False,
            finding(Reason::VerificationLapsed, messages::lapsed(&txt)),
        ),
        Some(VerificationStatus::Failed) => (
            Truth::False,
            finding(Reason::VerificationFailed, messages::failed(&txt, restarts)),
        ),
        Some(VerificationStatus::Unknown(word)) => (
            Truth::Unknown,
            finding(Reason::UnknownStatus, messages::unknown_status(word, &txt)),
        ),
        _ if record.standing != Standing::Unproven => (
            Truth::False,
            finding(Reason::VerificationLapsed, messages::lapsed(&txt)),
        ),
        Some(VerificationStatus::Pending) => (
            Truth::False,
            finding(Reason::Pending, messages::pending(&txt)),
        ),
        Some(VerificationStatus::Awaiting) => (
            Truth::False,
            finding(Reason::Awaiting, messages::awaiting(&txt, restarts)),
        ),
        None => (
            Truth::Unknown,
            finding(Reason::UnknownStatus, messages::no_status()),
        ),
    }
}

fn enabled(record: &Record, connector: &Connector, desired: &Desired) -> (Truth, Finding) {
    let enabled = enforcement::is_enabled(connector);
    let truth = if enabled { Truth::True } else { Truth::False };
    let verified = verification::is_verified(connector);
    let finding = match (enforcement::state(record), desired.enabled) {
        (EnforcementState::Held, _) => {
            Finding::new(Reason::HeldByExternalChange, messages::held(enabled))
        }
        (_, Some(true)) if !enabled && verified => applying(true),
        (_, Some(true)) if !enabled => {
            Finding::new(Reason::AwaitingVerification, messages::enabled_later())
        }
        _ if enabled => Finding::new(Reason::Enabled, messages::enabled(&desired.domain)),
        _ => Finding::new(Reason::Disabled, messages::disabled(&desired.domain)),
    };
    (truth, finding)
}

fn code(connector: &Connector) -> Option<VerificationCode> {
    VerificationCode::parse(connector.verification.as_ref()?.code.as_deref()?)
}

fn mirror(status: &mut SsoConnectorStatus, connector: &Connector, desired: &Desired) {
    let code = code(connector);
    status.enabled = connector.enabled;
    status.use_fedramp_language = connector.use_fedramp_language;
    status.updated_on = connector.updated_on;
    status.dns_record = code.as_ref().map(|code| DnsRecord {
        record_type: RecordType::TXT,
        name: desired.domain.to_string(),
        value: code.as_str().to_owned(),
    });
    let verification = status.verification.get_or_insert_default();
    verification.code = code.map(|code| code.as_str().to_owned());
    verification.status = verification::status(connector).map(|status| status.as_str().to_owned());
}

/// The conditions while they are rewritten.
struct Conditions {
    list: Vec<Condition>,
    generation: i64,
    now: Timestamp,
}

impl Conditions {
    fn set(&mut self, kind: ConditionType, (truth, finding): &(Truth, Finding)) {
        let before = find_condition(&self.list, kind);
        let unchanged = before.filter(|condition| condition.status == truth.as_str());
        let condition = Condition {
            type_: kind.as_str().to_owned(),
            status: truth.as_str().to_owned(),
            reason: finding.reason.as_str().to_owned(),
            message: finding.message.clone(),
            observed_generation: Some(self.generation),
            last_transition_time: unchanged.map_or(Time(self.now), |condition| {
                condition.last_transition_time.clone()
            }),
        };
        match self
            .list
            .iter_mut()
            .find(|condition| condition.type_ == kind.as_str())
        {
            Some(place) => *place = condition,
            None => self.list.push(condition),
        }
    }

    /// Whether enabling was begun, and its effect was not seen.
    fn is_enabling(&self) -> bool {
        find_condition(&self.list, ConditionType::Enabled).is_some_and(|enabled| {
            [Reason::Enabling, Reason::Rejected]
                .iter()
                .any(|reason| enabled.reason == reason.as_str())
        })
    }

    fn remove(&mut self, kind: ConditionType) {
        self.list
            .retain(|condition| condition.type_ != kind.as_str());
    }

    /// A decision speaks of the current generation in every condition.
    fn decide(&mut self, ready: &Finding, synced: bool) {
        for condition in &mut self.list {
            condition.observed_generation = Some(self.generation);
        }
        self.set(
            ConditionType::Ready,
            &(ready.reason.readiness(), ready.clone()),
        );
        let synced = if synced {
            (
                Truth::True,
                Finding::new(Reason::ReconcileSucceeded, messages::synced()),
            )
        } else {
            (Truth::False, ready.clone())
        };
        self.set(ConditionType::Synced, &synced);
        self.abnormal(ConditionType::Reconciling, ready, Progress::Reconciling);
        self.abnormal(ConditionType::Stalled, ready, Progress::Stalled);
    }

    /// An abnormal condition is there only while it is true, and carries Ready's reason.
    fn abnormal(&mut self, kind: ConditionType, ready: &Finding, progress: Progress) {
        if ready.reason.progress() == progress {
            self.set(kind, &(Truth::True, ready.clone()));
        } else {
            self.remove(kind);
        }
    }

    /// Trouble leaves what was decided as it is, generations included.
    fn trouble(&mut self, finding: &Finding) {
        let decided = find_condition(&self.list, ConditionType::Ready).cloned();
        self.remove(ConditionType::Stalled);
        self.set(ConditionType::Synced, &(Truth::False, finding.clone()));
        self.set(ConditionType::Reconciling, &(Truth::True, finding.clone()));
        let reconciling = ConditionType::Reconciling.as_str();
        if let (Some(ready), Some(condition)) = (
            decided,
            self.list
                .iter_mut()
                .find(|condition| condition.type_ == reconciling),
        ) {
            condition.reason = ready.reason;
        }
    }
}
