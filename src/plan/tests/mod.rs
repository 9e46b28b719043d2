//! Each row and each sentence of the specification, as a world and the plan that must come of it.
//!
//! A [`Scene`] is a world that a test fills in with a few words; what it leaves out is the ordinary case. The process's
//! clock and Cloudflare's show the same seconds here: [`at`] is a point on the first, [`date`] on the second.

mod creation;
mod deletion;
mod enforcement;
mod finalizer;
mod gone;
mod pace;
mod status;
mod upkeep;
mod verdict;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{
    Act, Claim, Credentials, Desired, Guard, Look, Memory, Outcome, PairMemory, Plan, Record,
    Sighting, Snapshot, Then, Timing, Verdict, World, plan,
};
use crate::clock::Moment;
use crate::cloudflare::{
    Changes, Class, Connector, Endpoint, Failure, Verification, VerificationStatus,
};
use crate::identity::ConnectorId;
use crate::plan::Observed;
use crate::resource::{DeletionPolicy, Enforcement, EnforcementState, Reason};

const UID: &str = "11111111-1111-1111-1111-111111111111";
const OTHER_UID: &str = "22222222-2222-2222-2222-222222222222";
const DOMAIN: &str = "example.com";
const CODE: &str = "cloudflare_dashboard_sso=023e105f4ecef8ad";
/// The second at which every scene plays, unless it says otherwise.
const NOW: f64 = 100_000.0;

/// A point on the process's clock, in seconds.
fn at(second: f64) -> Moment {
    Moment::from_start(Duration::from_secs_f64(second))
}

/// A point on Cloudflare's clock, in seconds.
fn date(second: f64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis(second))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a test names no second that does not fit"
)]
fn millis(second: f64) -> i64 {
    (second * 1000.0).round() as i64
}

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}

fn id() -> ConnectorId {
    "023e105f4ecef8ad9ca31a8372d0c353".parse().unwrap()
}

fn other_id() -> ConnectorId {
    "ffffffffffffffffffffffffffffffff".parse().unwrap()
}

/// A connector created long ago, in this state of its verification.
fn connector(status: VerificationStatus, enabled: bool) -> Connector {
    Connector {
        id: id(),
        email_domain: DOMAIN.to_owned(),
        enabled: Some(enabled),
        use_fedramp_language: Some(false),
        created_on: Some(date(1000.0)),
        updated_on: Some(date(2000.0)),
        verification: Some(Verification {
            code: Some(CODE.to_owned()),
            status: Some(status),
        }),
    }
}

fn verified(enabled: bool) -> Connector {
    connector(VerificationStatus::Verified, enabled)
}

fn pending() -> Connector {
    connector(VerificationStatus::Pending, false)
}

fn awaiting() -> Connector {
    connector(VerificationStatus::Awaiting, false)
}

fn failed() -> Connector {
    connector(VerificationStatus::Failed, false)
}

fn created_on(second: f64, connector: Connector) -> Connector {
    Connector {
        created_on: Some(date(second)),
        ..connector
    }
}

fn for_domain(domain: &str, connector: Connector) -> Connector {
    Connector {
        email_domain: domain.to_owned(),
        ..connector
    }
}

fn failure(class: Class, endpoint: Endpoint) -> Failure {
    Failure {
        class,
        endpoint,
        status: match class {
            Class::NotSent | Class::Unavailable => None,
            Class::RateLimited => Some(429),
            Class::Unauthorized => Some(403),
            Class::Gone => Some(404),
            Class::Rejected => Some(400),
        },
        codes: Vec::new(),
        message: "No identity provider is configured.".to_owned(),
        retry_after: None,
    }
}

/// A list of that second, complete.
fn list(second: f64, connectors: &[Connector]) -> Snapshot {
    Snapshot {
        begun: at(second),
        date: Some(date(second)),
        connectors: connectors.to_vec(),
        gap: None,
    }
}

/// A world under construction.
#[derive(Debug, Clone)]
struct Scene {
    desired: Desired,
    record: Record,
    observed: Observed,
    memory: Memory,
    pair: PairMemory,
    now: f64,
    timing: Timing,
}

impl Scene {
    /// An object that was just applied, with a token that works.
    fn new() -> Self {
        Self {
            desired: Desired {
                uid: UID.to_owned(),
                generation: 3,
                account: "1234567890abcdef1234567890abcdef".parse().unwrap(),
                domain: DOMAIN.parse().unwrap(),
                enabled: None,
                use_fedramp_language: None,
                begin_verification: true,
                deletion_policy: DeletionPolicy::Retain,
                terminating: false,
                finalizer: false,
                enable_at: None,
            },
            record: Record::default(),
            observed: Observed {
                credentials: Credentials::Usable,
                ..Observed::default()
            },
            memory: Memory::default(),
            pair: PairMemory::default(),
            now: NOW,
            timing: Timing::default(),
        }
    }

    /// An object that is bound to the connector, in this state of its enforcement of the wanted value.
    fn bound(wanted: Option<bool>, state: EnforcementState) -> Self {
        let mut scene = Self::new();
        scene.desired.enabled = wanted;
        scene.record.connector = Some(id());
        scene.record.created_on = Some(date(1000.0));
        scene.record.last_begun_at = Some(date(1000.0));
        scene.record.enforcement = Some(Enforcement {
            state,
            enabled: wanted,
            object_uid: UID.to_owned(),
            updated_on: None,
        });
        scene
    }

    /// An object that is going away and says `Delete`.
    fn deleting(mut self) -> Self {
        self.desired.deletion_policy = DeletionPolicy::Delete;
        self.desired.finalizer = true;
        self.desired.terminating = true;
        self.memory.deletion_seen = Some(at(self.now - 3600.0));
        self
    }

    /// Changes the scene in a way that needs no name.
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// A GET at that second showed the connector.
    fn seen(mut self, second: f64, connector: Connector) -> Self {
        self.memory.saw(Sighting {
            id: connector.id.clone(),
            at: at(second),
            date: Some(date(second)),
            connector: Some(connector),
        });
        self
    }

    /// A GET at that second said that there is no such connector.
    fn missing(mut self, second: f64) -> Self {
        self.memory.saw(Sighting {
            id: id(),
            at: at(second),
            date: Some(date(second)),
            connector: None,
        });
        self
    }

    /// The newest list, which the pair's memory has taken note of, as the shell does.
    fn listed(mut self, snapshot: Snapshot) -> Self {
        self.pair.listed(&snapshot, &self.desired.domain);
        self.observed.listing = Some(Arc::new(snapshot));
        self
    }

    /// The claim was given at that second.
    fn claimed(mut self, second: f64) -> Self {
        self.observed.claim = Claim::Held(at(second));
        self
    }

    /// An attempt of that second by Cloudflare's clock, which this process saw first at `first_seen`.
    fn attempted(mut self, time: f64, first_seen: f64) -> Self {
        self.record.attempts.push(date(time));
        self.pair.attempting(date(time), at(first_seen));
        self
    }

    /// A call failed at that second.
    fn troubled(mut self, second: f64, failure: Failure) -> Self {
        let generation = self.desired.generation;
        self.memory.failed(failure, generation, at(second), None);
        self
    }

    fn at(mut self, second: f64) -> Self {
        self.now = second;
        self
    }

    fn world(&self) -> World<'_> {
        World {
            desired: &self.desired,
            record: &self.record,
            observed: &self.observed,
            memory: &self.memory,
            pair: &self.pair,
            now: at(self.now),
            timing: &self.timing,
        }
    }

    fn plan(&self) -> Plan {
        plan(&self.world())
    }

    /// Plays a pass: answers what the plan asks from `cloudflare`, a millisecond each, and stores what it decides, until
    /// it acts, rests or leaves.
    fn pass(&mut self, cloudflare: &Cloudflare) -> Plan {
        let mut looks = Vec::new();
        for _ in 0..12 {
            let next = self.plan();
            self.now += 0.001;
            match &next {
                Plan::Look(look) => {
                    looks.push(look.clone());
                    self.answer(look, cloudflare);
                }
                Plan::Settle {
                    verdict,
                    then: Then::Continue,
                    ..
                } => self.record = verdict.record.clone(),
                Plan::Settle { .. } | Plan::Mark | Plan::Release | Plan::Leave => return next,
            }
        }
        panic!("the plan goes in circles: {looks:#?}")
    }

    fn answer(&mut self, look: &Look, cloudflare: &Cloudflare) {
        self.observed.object_confirmed = false;
        match look {
            Look::Credentials => self.observed.credentials = Credentials::Usable,
            Look::Claim => self.observed.claim = Claim::Held(at(self.now)),
            Look::Object => self.observed.object_confirmed = true,
            Look::Listing { .. } => {
                let snapshot = Snapshot {
                    gap: cloudflare.gap,
                    ..list(self.now, &cloudflare.list)
                };
                *self = self.clone().listed(snapshot);
            }
            Look::Connector(id) => self.memory.saw(Sighting {
                id: id.clone(),
                at: at(self.now),
                date: Some(date(self.now)),
                connector: cloudflare.page.clone(),
            }),
        }
    }
}

/// What Cloudflare answers during a pass.
#[derive(Debug, Clone, Default)]
struct Cloudflare {
    page: Option<Connector>,
    list: Vec<Connector>,
    gap: Option<&'static str>,
}

impl Cloudflare {
    fn shows(connector: &Connector) -> Self {
        Self {
            page: Some(connector.clone()),
            list: vec![connector.clone()],
            gap: None,
        }
    }
}

#[track_caller]
fn verdict(plan: &Plan) -> &Verdict {
    match plan {
        Plan::Settle { verdict, .. } => verdict,
        other => panic!("not settled: {other:?}"),
    }
}

#[track_caller]
fn guard(plan: &Plan) -> Guard {
    match plan {
        Plan::Settle { guard, .. } => *guard,
        other => panic!("not settled: {other:?}"),
    }
}

/// The call that follows, if one does.
fn act(plan: &Plan) -> Option<&Act> {
    match plan {
        Plan::Settle {
            then: Then::Act(act),
            ..
        } => Some(act),
        _ => None,
    }
}

#[track_caller]
fn rest(plan: &Plan) -> Duration {
    match plan {
        Plan::Settle {
            then: Then::Rest(span),
            ..
        } => *span,
        other => panic!("not at rest: {other:?}"),
    }
}

/// The reason of `Ready`, if the pass ended in a decision.
#[track_caller]
fn reason(plan: &Plan) -> Option<Reason> {
    match &verdict(plan).outcome {
        Outcome::Decided { ready, .. } => Some(ready.reason),
        Outcome::Troubled { .. } => None,
    }
}

#[track_caller]
fn message(plan: &Plan) -> &str {
    match &verdict(plan).outcome {
        Outcome::Decided { ready, .. } => &ready.message,
        Outcome::Troubled { shown } => &shown.as_ref().expect("a message").message,
    }
}

/// The state of the enforcement that is stored.
#[track_caller]
fn state(plan: &Plan) -> EnforcementState {
    let stored = verdict(plan).record.enforcement.as_ref();
    stored.expect("an enforcement").state
}

/// The PATCH that sets `enabled`.
fn set_enabled(enabled: bool) -> Act {
    Act::Update {
        id: id(),
        changes: Changes {
            enabled: Some(enabled),
            ..Changes::default()
        },
    }
}

fn look_closer() -> Plan {
    Plan::Look(Look::Connector(id()))
}

fn look_at_list(second: f64) -> Plan {
    Plan::Look(Look::Listing {
        not_before: at(second),
    })
}
