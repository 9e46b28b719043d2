//! Killed at every call. The calls of a scenario are recorded in a run that nothing disturbs; then, for each of its points
//! ([`trail`] says what a point is, and why that is all of them), the operator is killed right before the call goes on its
//! way, and in another row right after it was carried out and before its answer arrives; another operator is started, and
//! in the end all must be as if nothing had happened ([`judgement`]).

mod judgement;
mod row;
mod scenario;
mod scene;
mod trail;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::json;

use crate::stage::{OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, Stage};
use judgement::{Account, judge};
use row::{Crash, Row};
use scenario::Scenario;

/// How many rows run at the same time: most of the time each waits for its durations.
const AT_ONCE: usize = 12;

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
async fn a_token_that_is_refused_and_replaced() {
    survives(&[Scenario::Rotation]).await;
}

/// Plays the scenarios undisturbed, and then once for each point and side.
async fn survives(scenarios: &[Scenario]) {
    let stage = Stage::set().await;
    grant_every_lease(&stage).await;
    let undisturbed: Vec<_> = stream::iter(scenarios)
        .map(|scenario| run(&stage, *scenario, None))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut rows = Vec::new();
    for (scenario, account) in scenarios.iter().zip(&undisturbed) {
        println!("{}: {} points", scenario.name(), account.points.len());
        for point in &account.points {
            println!("  {point}");
        }
        let crashes = account.points.iter().flat_map(|point| Crash::at(*point));
        rows.extend(crashes.map(|crash| (*scenario, crash, account)));
    }
    println!("{} rows", rows.len());
    let failures: Vec<String> = stream::iter(&rows)
        .map(async |(scenario, crash, undisturbed)| {
            let row = async {
                let account = run(&stage, *scenario, Some(*crash)).await;
                judge(undisturbed, *crash, &account)
            };
            let fault = match AssertUnwindSafe(row).catch_unwind().await {
                Ok(judgement) => judgement.err()?,
                Err(panic) => said(&*panic),
            };
            Some(format!("{}, {crash}: {fault}", scenario.name()))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} rows:\n{}",
        failures.join("\n")
    );
}

/// Plays a row to its end.
async fn run(stage: &Stage, scenario: Scenario, crash: Option<Crash>) -> Account {
    let row = Row::set(stage, scenario, crash).await;
    let (scenes, _alive) = tokio::join!(scenario.play(&row), row.operate(crash));
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
