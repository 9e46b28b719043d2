//! Several replicas, one of which acts: handing over, taking over, and a leader that is cut off or put to sleep.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloudflare_sso_operator::lease::{Authority, Elector, Place, Terms};
use futures::StreamExt as _;
use futures::stream::{self, FuturesUnordered};
use harness::{ApiServerProxy, Interception, Operator, Treatment, until};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use reqwest::StatusCode;
use serde_json::json;
use simulator::{Failure, Fault, Operation, When};
use tokio_util::sync::CancellationToken;

use crate::stage::{ACCOUNT, OPERATOR_NAMESPACE, PATIENCE, Stage, connector_id};

/// The durations of a leader that nobody has scaled.
const DEFAULTS: [&str; 6] = [
    "--lease-duration",
    "30s",
    "--renew-deadline",
    "15s",
    "--renew-interval",
    "3s",
];
/// How often an expired Lease is raced for, by how many, and how many races there are at the same time.
const RACES: usize = 100;
const CANDIDATES: usize = 10;
const RACES_AT_ONCE: usize = 10;
/// Those of the stage; see there.
const LEASE_DURATION: Duration = Duration::from_secs(9);
const RENEW_DEADLINE: Duration = Duration::from_secs(6);
const RENEW_INTERVAL: Duration = Duration::from_millis(500);

#[tokio::test]
async fn of_two_replicas_one_acts_and_both_are_ready() {
    let stage = Stage::set().await;
    let (leader, standby) = pair(&stage, &[]).await;
    for n in 0..10 {
        stage
            .connector(&format!("c{n}"), &format!("d{n}.example"), json!({}))
            .await;
    }
    for n in 0..10 {
        stage
            .until_ready_is(&format!("c{n}"), "AwaitingVerification")
            .await;
    }
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 10);
    assert!(leader.leads().await.unwrap() && !standby.leads().await.unwrap());
    let metrics = standby.metrics().await.unwrap();
    assert!(!metrics.contains("api_requests_total{"), "{metrics}");
    let standing_by = standby.get("/readyz").await.unwrap();
    assert_eq!(standing_by, "ok\n");
}

#[tokio::test]
async fn a_leader_that_is_asked_to_stop_hands_over_at_once() {
    let stage = Stage::set().await;
    let (mut leader, standby) = pair(&stage, &DEFAULTS).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    let status = leader.terminate(PATIENCE).await.unwrap();
    let ended = Instant::now();
    assert!(status.success(), "{status}");
    let last = last_call(&stage);
    until_called_after(&stage, last).await;
    let took = ended.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    standby.until_leads(PATIENCE).await.unwrap();
    let spec = lease(&stage).get(NAME).await.unwrap().spec.unwrap();
    assert_eq!(spec.lease_transitions, Some(1));
}

#[tokio::test]
async fn a_leader_that_is_asked_to_stop_stores_the_id_before_it_hands_over() {
    let stage = Stage::set().await;
    let mut flags = vec!["--call-timeout", "10s", "--creation-grace", "15s"];
    flags.extend(DEFAULTS);
    let (mut leader, standby) = pair(&stage, &flags).await;
    let holder = holder(&stage).await;
    let post = stage.simulator.admin().push_fault(
        Fault::new(Failure::Hold {
            when: When::AfterCommit,
        })
        .on(Operation::Create),
    );
    stage.connector("example", "example.com", json!({})).await;
    post.arrived(PATIENCE).await.unwrap();

    let address = leader.address().to_owned();
    let stopping = async {
        let status = leader.terminate(PATIENCE).await.unwrap();
        assert!(status.success(), "{status}");
    };
    let answering = async {
        until(
            "the signal to be heard",
            PATIENCE,
            async || match tokio::net::TcpStream::connect(&address).await {
                Ok(_) => Err("probes are served"),
                Err(_) => Ok(()),
            },
        )
        .await
        .unwrap();
        assert_eq!(self::holder(&stage).await, holder, "not released yet");
        post.release();
    };
    tokio::join!(stopping, answering);
    let object = stage.objects().get("example").await.unwrap();
    assert!(connector_id(&object).is_some(), "stored before the end");
    standby.until_leads(PATIENCE).await.unwrap();
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT).len(), 1);
}

#[tokio::test]
async fn a_leader_that_is_killed_is_succeeded_when_its_lease_has_expired() {
    let stage = Stage::set().await;
    let (mut leader, standby) = pair(&stage, &[]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    leader.kill().unwrap();
    let killed = Instant::now();
    let last = last_call(&stage);
    until_called_after(&stage, last).await;
    let took = killed.elapsed();
    standby.until_leads(PATIENCE).await.unwrap();
    // The last renewal may be some time ago.
    assert!(took + 2 * RENEW_INTERVAL >= LEASE_DURATION, "only {took:?}");
    let slack = Duration::from_secs(2);
    assert!(took <= LEASE_DURATION + slack, "it took {took:?}");
}

#[tokio::test]
async fn a_leader_without_the_api_server_ends_before_its_successor_starts() {
    ends_before_its_successor_starts(|proxy| {
        proxy.refuse();
        None
    })
    .await;
}

/// It could go on calling Cloudflare, as only the Lease is out of its reach.
#[tokio::test]
async fn a_leader_whose_renewals_are_not_answered_ends_before_its_successor_starts() {
    ends_before_its_successor_starts(|proxy| {
        let treatment = Treatment::HoldBeforeForwarding;
        Some(proxy.intercept(treatment, |call| call.path.contains("/leases/")))
    })
    .await;
}

/// Each renewal is made; the leader never learns of it.
#[tokio::test]
async fn a_leader_that_loses_every_answer_to_a_renewal_ends_before_its_successor_starts() {
    ends_before_its_successor_starts(|proxy| {
        let treatment = Treatment::CutAfterAnswer;
        Some(proxy.intercept(treatment, |call| call.path.contains("/leases/")))
    })
    .await;
}

/// A client that retried by itself would do so far beyond the deadline.
#[tokio::test]
async fn a_leader_whose_renewals_fail_ends_before_its_successor_starts() {
    ends_before_its_successor_starts(|proxy| {
        let treatment = Treatment::Answer(StatusCode::SERVICE_UNAVAILABLE);
        Some(proxy.intercept(treatment, |call| call.path.contains("/leases/")))
    })
    .await;
}

async fn ends_before_its_successor_starts(
    trouble: impl FnOnce(&ApiServerProxy) -> Option<Interception>,
) {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let mut leader = stage.operator_through(Some(proxy.url()), &[]).await;
    leader.until_leads(PATIENCE).await.unwrap();
    let standby = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    let trouble = trouble(&proxy);
    until_ended(&mut leader).await;
    let last = stage.simulator.calls().last().unwrap().clone();
    assert!(!standby.leads().await.unwrap(), "two led at once");
    let said = leader.output();
    assert!(said.contains("another replica may lead"), "{said}");
    drop(trouble);

    until_called_after(&stage, last.sequence).await;
    standby.until_leads(PATIENCE).await.unwrap();
    let next = stage.simulator.calls().after(last.sequence).as_slice()[0].clone();
    let gap = next.arrived.saturating_sub(last.arrived);
    assert!(
        gap + RENEW_DEADLINE + 2 * RENEW_INTERVAL >= LEASE_DURATION,
        "only {gap:?} between the two"
    );
}

#[tokio::test]
async fn a_leader_that_sleeps_beyond_its_lease_wakes_up_to_say_nothing() {
    let stage = Stage::set().await;
    let (mut leader, mut standby) = pair(&stage, &[]).await;
    for n in 0..10 {
        stage
            .connector(&format!("c{n}"), &format!("d{n}.example"), json!({}))
            .await;
    }
    for n in 0..10 {
        stage
            .until_ready_is(&format!("c{n}"), "AwaitingVerification")
            .await;
    }
    leader.process().pause().unwrap();
    standby.until_leads(PATIENCE).await.unwrap();
    let last = last_call(&stage);
    until_called_after(&stage, last).await;
    // The calls do not say who made them. So the successor sleeps while the old leader is awake.
    standby.process().pause().unwrap();
    let (last, before) = (last_call(&stage), lease(&stage).get(NAME).await.unwrap());

    leader.process().resume().unwrap();
    until_ended(&mut leader).await;
    let since = stage.simulator.calls().after(last);
    assert!(since.is_empty(), "{since:#?}");
    let after = lease(&stage).get(NAME).await.unwrap();
    assert_eq!(
        before.metadata.resource_version,
        after.metadata.resource_version
    );

    standby.process().resume().unwrap();
}

#[tokio::test]
async fn a_leader_whose_lease_is_deleted_ends_and_leads_again_after_a_start() {
    let stage = Stage::set().await;
    let mut leader = stage.operator(&DEFAULTS).await;
    leader.until_leads(PATIENCE).await.unwrap();
    lease(&stage)
        .delete(NAME, &DeleteParams::default())
        .await
        .unwrap();
    until_ended(&mut leader).await;
    let said = leader.output();
    assert!(said.contains("released or deleted"), "{said}");
    assert!(lease(&stage).get_opt(NAME).await.unwrap().is_none());
    let successor = stage.operator(&DEFAULTS).await;
    successor.until_leads(PATIENCE).await.unwrap();
}

/// The API server creates a Lease that is gone if it is updated; its UID prevents that.
#[tokio::test]
async fn a_renewal_that_rests_on_a_deleted_lease_creates_none() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let mut leader = stage.operator_through(Some(proxy.url()), &DEFAULTS).await;
    leader.until_leads(PATIENCE).await.unwrap();
    let renewal = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.method == "PUT" && call.path.contains("/leases/")
    });
    tokio::time::timeout(PATIENCE, renewal.arrived())
        .await
        .unwrap();
    lease(&stage)
        .delete(NAME, &DeleteParams::default())
        .await
        .unwrap();
    renewal.release();
    until_ended(&mut leader).await;
    let said = leader.output();
    assert!(said.contains("released or deleted"), "{said}");
    assert!(lease(&stage).get_opt(NAME).await.unwrap().is_none());
}

/// Electors as the operator runs them, which is all that a process does before it leads.
#[tokio::test]
async fn ten_candidates_race_a_hundred_times_for_an_expired_lease_and_one_wins_each_time() {
    let stage = Stage::set().await;
    let wins = stream::iter(0..RACES)
        .map(|round| race(&stage, round))
        .buffer_unordered(RACES_AT_ONCE)
        .count()
        .await;
    println!("{wins} races of {CANDIDATES} candidates, one winner each");
    assert_eq!(wins, RACES);
}

/// A race, which one of the candidates wins.
async fn race(stage: &Stage, round: usize) {
    let leases = lease(stage);
    let name = &format!("round-{round}");
    let expired = Lease {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some("gone".to_owned()),
            lease_duration_seconds: Some(1),
            ..LeaseSpec::default()
        }),
    };
    leases
        .create(&PostParams::default(), &expired)
        .await
        .unwrap();
    let terms = Terms {
        duration: Duration::from_mins(2),
        renew_deadline: Duration::from_mins(1),
        interval: Duration::from_millis(200),
    };
    let end = CancellationToken::new();
    let won = Arc::new(AtomicBool::new(false));
    let stand_by = Arc::new(Mutex::new(BTreeSet::new()));
    let mut candidates: FuturesUnordered<_> = (0..CANDIDATES)
        .map(|n| {
            let place = Place {
                namespace: OPERATOR_NAMESPACE.to_owned(),
                name: name.clone(),
                identity: format!("candidate-{n}"),
            };
            let client = stage.control_plane.client();
            let elector = Elector::new(client, place, terms, Authority::none());
            let (end, won, stand_by) = (end.clone(), Arc::clone(&won), Arc::clone(&stand_by));
            tokio::spawn(async move {
                let losing = || {
                    if won.load(Ordering::SeqCst) {
                        stand_by.lock().unwrap().insert(n);
                    }
                };
                let leader = elector.win(&end, losing).await;
                (n, leader)
            })
        })
        .collect();
    let (winner, leader) = candidates.next().await.unwrap().unwrap();
    won.store(true, Ordering::SeqCst);
    let leader = leader.unwrap();
    until("the others to stand by", PATIENCE, async || {
        let count = stand_by.lock().unwrap().len();
        if count == CANDIDATES - 1 {
            Ok(())
        } else {
            Err(count)
        }
    })
    .await
    .unwrap();
    end.cancel();
    while let Some(other) = candidates.next().await {
        let (other, leader) = other.unwrap();
        assert!(leader.is_none(), "{winner} and {other} have won");
    }
    let holder = || async {
        leases
            .get(name)
            .await
            .unwrap()
            .spec
            .unwrap()
            .holder_identity
    };
    assert_eq!(holder().await, Some(format!("candidate-{winner}")));
    leader.keep(end).await.unwrap();
    assert_eq!(holder().await, None, "released");
}

const NAME: &str = "cloudflare-sso-operator";

/// A leader and a standby, both ready.
async fn pair(stage: &Stage, flags: &[&str]) -> (Operator, Operator) {
    let leader = stage.operator(flags).await;
    leader.until_leads(PATIENCE).await.unwrap();
    let standby = stage.operator(flags).await;
    (leader, standby)
}

fn lease(stage: &Stage) -> Api<Lease> {
    Api::namespaced(stage.control_plane.client(), OPERATOR_NAMESPACE)
}

async fn holder(stage: &Stage) -> Option<String> {
    let lease = lease(stage).get(NAME).await.unwrap();
    lease.spec.unwrap().holder_identity
}

/// Waits until it has ended by itself, with a failure.
async fn until_ended(operator: &mut Operator) {
    let status = operator.process().ended(PATIENCE).await.unwrap();
    assert!(!status.success(), "{status}");
}

fn last_call(stage: &Stage) -> u64 {
    stage.simulator.calls().last().unwrap().sequence
}

async fn until_called_after(stage: &Stage, sequence: u64) {
    stage
        .simulator
        .until(|world| world.calls().after(sequence).count() > 0, PATIENCE)
        .await
        .unwrap();
}
