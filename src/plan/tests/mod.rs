//! Each row and each sentence of the specification, as a world and the plan that must come of it.
//!
//! A [`scene::Scene`] is a world that a test fills in with a few words; what it leaves out is the ordinary case. The process's
//! clock and Cloudflare's show the same seconds here: [`at`] is a point on the first, [`date`] on the second.

mod absent;
mod attempts;
mod break_glass;
mod claim;
mod creation;
mod credentials;
mod deletion;
mod desired;
mod enforcement;
mod finalizer;
mod gone;
mod heirs;
mod hindered;
mod ownership;
mod pace;
mod policies;
mod publication;
mod scene;
mod status;
mod txt;
mod upkeep;
mod verdict;
mod verification;
mod withdrawal;

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use scene::{Cloudflare, Scene};

use super::enforcement::change;
use super::{
    Act, Activity, Claim, Credentials, Definition, Deletion, Desired, Guard, Look, Memory,
    Namespace, NoZone, Outcome, PairMemory, Pause, Placement, Plan, Publication, Publisher, Record,
    RecordsSeen, Said, Search, Sighting, Snapshot, Standing, Then, Timing, Txt, Unusable, Verdict,
    World, plan,
};
use crate::clock::Moment;
use crate::cloudflare::{
    Changes, Class, Connector, Endpoint, Failure, NewTxtRecord, TimeToLive, TxtRecord,
    Verification, VerificationCode, VerificationStatus,
};
use crate::dns::{Sight, Trouble};
use crate::identity::{ConnectorId, ZoneId};
use crate::resource::{
    AdoptionPolicy, ApiTokenSecretRef, ConditionType, DeletionPolicy, Enforcement,
    EnforcementState, ExternalChangePolicy, ManagementPolicy, Reason, Truth,
};

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
        date: None,
    }
}

fn unusable(reason: Reason) -> Credentials {
    Credentials::Unusable(Unusable {
        reason,
        problem: "Secret sso/token does not exist.".to_owned(),
        remedy: Some("Create it.".to_owned()),
    })
}

fn read_only() -> Credentials {
    Credentials::ReadOnly {
        problem: "The token may not write.".to_owned(),
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
        Outcome::Undecided { .. } => None,
    }
}

#[track_caller]
fn message(plan: &Plan) -> &str {
    match &verdict(plan).outcome {
        Outcome::Decided { ready, .. } => &ready.message,
        Outcome::Undecided { trouble } => &trouble.as_ref().expect("a message").message,
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
