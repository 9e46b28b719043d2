//! Killed at every call. The calls of a scenario are recorded in a run that nothing disturbs; then, for each of its points
//! ([`trail`] says what a point is, and why that is all of them), the operator is killed right before the call goes on its
//! way; where the call changes something, in another row right after it was carried out and before its answer arrives. A read
//! leaves the same world behind on either side, so one of them stands for both. Another operator is started, and in the end
//! all must be as if nothing had happened ([`judgement`]).

mod judgement;
mod row;
mod scenario;
mod scene;
mod trail;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::stage::{OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, Stage};
use crate::tally;
use judgement::{Account, judge};
use row::{Crash, Row};
use scenario::Scenario;

/// How many rows run at the same time: most of the time each waits for its durations.
const AT_ONCE: usize = 12;

/// How often a row is played until the operator is killed at the call at which it is to be killed: on a very slow machine
/// calls time out or what was seen gets too old, and other calls come.
const ATTEMPTS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_life_from_its_creation_to_its_deletion() {
    survives(&[Scenario::WholeLife]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_whatever_a_second_one_comes_to_while_lists_lag() {
    survives(&Scenario::CREATIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adoption_and_a_correction() {
    survives(&[Scenario::Adoption]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_that_is_begun_again() {
    survives(&[Scenario::Restart]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_whose_txt_record_comes_and_goes_with_nobody_touching_dns() {
    survives(&[Scenario::HandsFree]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_and_replaced() {
    survives(&[Scenario::Rotation]).await;
}

/// How a row has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// The operator was killed, and its successor has made up for it.
    Killed,
    /// The call has not come. As a read, it changes nothing.
    Spared,
}

/// Plays the scenarios undisturbed, and then once for each point, and once more where it changes something.
async fn survives(scenarios: &[Scenario]) {
    let stage = Stage::set().await;
    grant_every_lease(&stage).await;
    let undisturbed: Vec<_> = stream::iter(scenarios)
        .map(|scenario| run(&stage, *scenario, None, 0))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut rows = Vec::new();
    for (scenario, account) in scenarios.iter().zip(&undisturbed) {
        let crashes = account.points.iter().flat_map(|point| Crash::at(*point));
        rows.extend(crashes.map(|crash| (*scenario, crash, account)));
    }
    let outcomes: Vec<_> = stream::iter(&rows)
        .map(async |(scenario, crash, undisturbed)| {
            let row = kill_at(&stage, *scenario, *crash, undisturbed);
            let outcome = AssertUnwindSafe(row).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|panic| Err(said(&*panic)));
            outcome.map_err(|fault| format!("{}, {crash}: {fault}", scenario.name()))
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (passed, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let failed: Vec<_> = failed.into_iter().filter_map(Result::err).collect();
    assert!(
        failed.is_empty(),
        "{} of {} rows:\n{}",
        failed.len(),
        rows.len(),
        failed.join("\n")
    );
    let kills = passed
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Passed::Killed)))
        .count();
    for (scenario, account) in scenarios.iter().zip(&undisturbed) {
        let points = account.points.len();
        let changes = account.points.iter().filter(|point| point.step.changes());
        let changes = changes.count();
        let name = scenario.name();
        tally::tell(&format!(
            "{name}: {points} points, {changes} of them changes"
        ));
    }
    tally::tell(&format!(
        "{} scenarios, {} rows, {kills} kills",
        scenarios.len(),
        rows.len()
    ));
    let certain: usize = scenarios.iter().map(|scenario| scenario.kills()).sum();
    assert!(kills >= certain, "only {kills} kills of {certain}");
}

/// Plays a row until the operator was killed in it, and judges it.
async fn kill_at(
    stage: &Stage,
    scenario: Scenario,
    crash: Crash,
    undisturbed: &Account,
) -> Result<Passed, String> {
    for attempt in 1..=ATTEMPTS {
        let account = run(stage, scenario, Some(crash), attempt).await;
        if account.came_to(crash, undisturbed) {
            return judge(undisturbed, crash, &account).map(|()| Passed::Killed);
        }
    }
    if crash.point.step.changes() {
        Err("the call never came".to_owned())
    } else {
        Ok(Passed::Spared)
    }
}

/// Plays a row to its end.
async fn run(stage: &Stage, scenario: Scenario, crash: Option<Crash>, attempt: usize) -> Account {
    let row = Row::set(stage, scenario, crash, attempt).await;
    let done = CancellationToken::new();
    let play = async {
        let scenes = scenario.play(&row).await;
        done.cancel();
        scenes
    };
    let (scenes, _alive) = tokio::join!(play, row.operate(crash, &done));
    Account {
        scenes,
        calls: row.simulator.calls(),
        sent: row.trail.sent(),
        points: row.trail.points(),
        restarted: row.trail.restarted(),
    }
}

/// The words of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

/// The chart grants one Lease by name; rows have Leases of their own.
async fn grant_every_lease(stage: &Stage) {
    let name = "every-lease";
    let metadata = json!({ "name": name, "namespace": OPERATOR_NAMESPACE });
    stage
        .apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{
                "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
                "verbs": ["get", "watch", "update"],
            }],
        }))
        .await;
    stage
        .apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": [{
                "kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE,
            }],
        }))
        .await;
}
