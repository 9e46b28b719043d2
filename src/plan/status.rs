//! The status that says what a verdict says.
//!
//! It is computed whole from the verdict and from the status before. A condition's time moves only with its `status`, and
//! the same verdict gives the same bytes, so nothing is written unless something happened.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::desired::{Activity, Desired};
use super::verdict::{Finding, Mirror, Outcome, Said, Synced, Verdict, applying};
use super::world::{Record, Standing};
use super::{enforcement, messages, verification};
use crate::cloudflare::{Connector, VerificationStatus};
use crate::resource::{
    ConditionType, CreateAttempts, DnsRecord, EnforcementState, ManagementPolicy, Progress, Reason,
    RecordType, SsoConnectorStatus, Truth, VerificationState, find_condition,
};

impl Verdict {
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
            Mirror::Cleared => {
                conditions.remove(ConditionType::Verified);
                conditions.remove(ConditionType::DnsRecordObserved);
                conditions.remove(ConditionType::DnsRecordPublished);
            }
        }
        status.dns_record = self.placed(before.dns_record.as_ref(), status.dns_record.take());
        conditions.say(ConditionType::DnsRecordObserved, &self.txt);
        let published = match desired.publisher() {
            Some(_) => &self.published,
            None => &Said::Cleared,
        };
        conditions.say(ConditionType::DnsRecordPublished, published);
        match &self.outcome {
            Outcome::Decided {
                ready,
                synced,
                progress,
            } => {
                self.judge_enabled(&mut conditions, ready);
                conditions.decide(ready, *synced, *progress);
                status.observed_generation = Some(desired.generation);
            }
            Outcome::Undecided { trouble } => {
                if let Some(ready) = overtaken(before, desired, trouble.as_ref()) {
                    conditions.overtake(&ready);
                }
                if let Some(finding) = trouble {
                    conditions.trouble(finding);
                }
            }
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
            last_handled_reconcile_at: record.handled_reconcile_at.clone(),
            last_handled_enable_at: record.handled_enable_at.clone(),
        }
    }

    /// The TXT record as it is shown, with where the operator has put it. What it has put there and is no longer wanted goes on
    /// being shown, as it must not be forgotten.
    fn placed(&self, before: Option<&DnsRecord>, shown: Option<DnsRecord>) -> Option<DnsRecord> {
        let placement = self.record.placement.as_ref();
        let shown = shown.or_else(|| before.filter(|_| placement.is_some()).cloned())?;
        Some(DnsRecord {
            zone_id: placement.map(|placement| placement.zone.to_string()),
            record_id: placement
                .and_then(|placement| placement.record.as_ref())
                .map(ToString::to_string),
            ..shown
        })
    }
}

pub(super) fn verified(
    record: &Record,
    connector: &Connector,
    desired: &Desired,
) -> (Truth, Finding) {
    let txt = connector
        .code()
        .map(|code| messages::txt_record(desired, &code));
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
    // Nothing is wanted of a connector that goes.
    let applied = desired.management == ManagementPolicy::Manage && !desired.terminating;
    let wanted = desired.enabled.filter(|_| applied);
    let held = applied && enforcement::state(record) == EnforcementState::Held;
    let finding = match wanted {
        _ if held => Finding::new(Reason::HeldByExternalChange, messages::held(enabled)),
        Some(true) if !enabled && verified => applying(true),
        Some(true) if !enabled => {
            Finding::new(Reason::AwaitingVerification, messages::enabled_later())
        }
        _ if enabled => Finding::new(Reason::Enabled, messages::enabled(&desired.domain)),
        _ => Finding::new(Reason::Disabled, messages::disabled(&desired.domain)),
    };
    (truth, finding)
}

/// What `Ready` must say although nothing is decided, as what it says is no longer so: that the object is suspended, that
/// nobody has looked, or what there was to do before it was deleted.
fn overtaken(
    before: &SsoConnectorStatus,
    desired: &Desired,
    trouble: Option<&Finding>,
) -> Option<Finding> {
    let ready = find_condition(&before.conditions, ConditionType::Ready);
    let said = ready.and_then(|ready| Reason::from_word(&ready.reason));
    let cause = trouble.map(|trouble| trouble.message.clone());
    let suspended = desired.activity == Activity::Suspended;
    let (reason, otherwise) = match said {
        Some(Reason::Deleting) if desired.terminating => (Reason::Deleting, None),
        _ if desired.terminating => (Reason::Deleting, Some(messages::deleting())),
        Some(Reason::Suspended) if !suspended => (Reason::Reconciling, Some(messages::resumed())),
        None | Some(Reason::Reconciling) => (Reason::Reconciling, None),
        Some(_) => return None,
    };
    Some(Finding::new(reason, cause.or(otherwise)?))
}

fn mirror(status: &mut SsoConnectorStatus, connector: &Connector, desired: &Desired) {
    let code = connector.code();
    status.enabled = connector.enabled;
    status.use_fedramp_language = connector.use_fedramp_language;
    status.updated_on = connector.updated_on;
    status.dns_record = code.as_ref().map(|code| DnsRecord {
        record_type: RecordType::TXT,
        name: desired.domain.to_string(),
        value: code.as_str().to_owned(),
        zone_id: None,
        record_id: None,
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

    fn say(&mut self, kind: ConditionType, said: &Said) {
        match said {
            Said::Kept => {}
            Said::Cleared => self.remove(kind),
            Said::Now(truth, finding) => self.set(kind, &(*truth, finding.clone())),
        }
    }

    fn remove(&mut self, kind: ConditionType) {
        self.list
            .retain(|condition| condition.type_ != kind.as_str());
    }

    /// A decision speaks of the current generation in every condition.
    fn decide(&mut self, ready: &Finding, synced: Synced, progress: Progress) {
        for condition in &mut self.list {
            condition.observed_generation = Some(self.generation);
        }
        self.set(
            ConditionType::Ready,
            &(ready.reason.readiness(), ready.clone()),
        );
        match synced {
            Synced::Succeeded => {
                let finding = Finding::new(Reason::ReconcileSucceeded, messages::synced());
                self.set(ConditionType::Synced, &(Truth::True, finding));
            }
            Synced::Failed => self.set(ConditionType::Synced, &(Truth::False, ready.clone())),
            Synced::Kept => {}
        }
        for (kind, of) in [
            (ConditionType::Reconciling, Progress::Reconciling),
            (ConditionType::Stalled, Progress::Stalled),
        ] {
            self.abnormal(kind, ready, progress == of);
        }
    }

    /// An abnormal condition is there only while it is true, and carries Ready's reason.
    fn abnormal(&mut self, kind: ConditionType, ready: &Finding, is_true: bool) {
        if is_true {
            self.set(kind, &(Truth::True, ready.clone()));
        } else {
            self.remove(kind);
        }
    }

    /// Another situation, which nobody has decided about yet.
    fn overtake(&mut self, ready: &Finding) {
        self.set(
            ConditionType::Ready,
            &(ready.reason.readiness(), ready.clone()),
        );
        self.abnormal(ConditionType::Reconciling, ready, true);
        self.remove(ConditionType::Stalled);
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
