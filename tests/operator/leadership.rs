//! Several processes, of which one acts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudflare_sso_operator::lease::{Candidacy, Candidate, Terms};
use cloudflare_sso_operator::metrics::Metrics;
use cloudflare_sso_operator::server::Readiness;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use harness::{ApiServerProxy, Operator, Treatment};
use prometheus_client::registry::Registry;
use serde_json::json;
use simulator::{Operation, Permission, Simulator, TokenRequest};

use crate::stage::{ACCOUNT, PATIENCE, Stage, quick_knobs};

/// The lease of the operators under test; see the stage's durations.
const LEASE: Duration = Duration::from_secs(9);
const INTERVAL: Duration = Duration::from_millis(500);

#[tokio::test]
async fn of_two_replicas_one_acts_and_both_are_ready() {
    let stage = Stage::set().await;
    let leader = stage.operator(&[]).await;
    let standby = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert!(leads(&leader).await);
    assert!(!leads(&standby).await);
    let metrics = standby.metrics().await.unwrap();
    assert!(!metrics.contains("api_requests_total{"), "{metrics}");
    assert!(standby.get("/readyz").await.unwrap().contains("ok"));
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
}

#[tokio::test]
async fn asked_to_stop_a_leader_hands_over_in_less_than_two_seconds() {
    let stage = Stage::set().await;
    let defaults = [
        "--lease-duration",
        "30s",
        "--renew-deadline",
        "15s",
        "--renew-interval",
        "3s",
    ];
    let mut leader = stage.operator(&defaults).await;
    let standby = stage.operator(&defaults).await;
    let status = leader.terminate(PATIENCE).await.unwrap();
    assert!(status.success(), "{status}");
    let ended = Instant::now();
    until_leading(&standby).await;
    let took = ended.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_killed_leader_is_followed_when_its_lease_has_expired_and_not_before() {
    let stage = Stage::set().await;
    let mut leader = stage.operator(&[]).await;
    let standby = stage.operator(&[]).await;
    leader.kill().unwrap();
    let killed = Instant::now();
    until_leading(&standby).await;
    assert!(killed.elapsed() >= LEASE.checked_sub(2 * INTERVAL).unwrap());
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
}

#[tokio::test]
async fn a_leader_that_is_cut_off_from_the_api_server_ends_before_another_leads() {
    let stage = Stage::set().await;
    let elsewhere = another_cloudflare(&stage).await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let mut leader = stage
        .start_operator_for(&elsewhere, Some(proxy.url()), &[])
        .await;
    leader.until_ready(PATIENCE).await.unwrap();
    let standby = stage.operator(&[]).await;
    let _cut = proxy.intercept(Treatment::HoldBeforeForwarding, |_| true);
    let status = leader.process().ended(PATIENCE).await.unwrap();
    assert!(!status.success(), "it says that something is wrong");
    assert!(!leads(&standby).await, "the lease has not expired yet");
    let calls = elsewhere.calls().count();
    until_leading(&standby).await;
    assert_eq!(elsewhere.calls().count(), calls);
}

#[tokio::test]
async fn a_paused_leader_that_wakes_up_too_late_sends_nothing() {
    let stage = Stage::set().await;
    let elsewhere = another_cloudflare(&stage).await;
    let mut leader = stage.start_operator_for(&elsewhere, None, &[]).await;
    leader.until_ready(PATIENCE).await.unwrap();
    stage.connector("example", "example.com", json!({})).await;
    elsewhere
        .until(|world| world.calls().count() > 3, PATIENCE)
        .await
        .unwrap();
    let standby = stage.operator(&[]).await;
    leader.process().pause().unwrap();
    until_leading(&standby).await;
    let calls = elsewhere.calls().count();
    leader.process().resume().unwrap();
    let status = leader.process().ended(PATIENCE).await.unwrap();
    assert!(!status.success(), "{status}");
    assert_eq!(elsewhere.calls().count(), calls, "nothing was sent");
}

#[tokio::test]
async fn of_many_who_want_an_expired_lease_one_gets_it() {
    let stage = Stage::set().await;
    let terms = Terms {
        duration: Duration::from_secs(2),
        deadline: Duration::from_secs(1),
        interval: Duration::from_millis(100),
    };
    let metrics = Arc::new(Metrics::new(&mut Registry::default()));
    for round in 0..5 {
        let mut authorities = Vec::new();
        let mut contending = FuturesUnordered::new();
        for number in 0..20 {
            let candidacy = Candidacy {
                namespace: "default".to_owned(),
                name: "contested".to_owned(),
                identity: format!("{round}-{number}"),
            };
            let client = stage.control_plane.client();
            let mut candidate = Candidate::new(client, candidacy, terms, Arc::clone(&metrics));
            authorities.push(candidate.authority());
            contending.push(async move {
                candidate.win(&Readiness::default()).await;
                candidate
            });
        }
        let winner = tokio::time::timeout(PATIENCE, contending.next())
            .await
            .unwrap()
            .unwrap();
        let acting = authorities.iter().filter(|authority| authority.holds());
        assert!(acting.count() <= 1);
        let mine = winner.authority();
        mine.revoke();
        // It is not released, so the next round begins with a lease that has to expire.
        drop(contending);
    }
}

/// One that knows the stage's token, so that its calls are those of one process alone.
async fn another_cloudflare(stage: &Stage) -> Simulator {
    let simulator = Simulator::start(quick_knobs()).await.unwrap();
    let admin = simulator.admin();
    let _other = admin.add_ready_account(ACCOUNT, "elsewhere");
    let request = TokenRequest::new("good").grant(ACCOUNT, Permission::ALL);
    let _same = admin.issue_token(request.with_text(&stage.token));
    simulator
}

async fn leads(operator: &Operator) -> bool {
    let metrics = operator.metrics().await.unwrap();
    metrics.contains("cloudflare_sso_leader 1")
}

async fn until_leading(operator: &Operator) {
    harness::until("the other to lead", PATIENCE, async || {
        if leads(operator).await {
            Ok(())
        } else {
            Err("it does not")
        }
    })
    .await
    .unwrap();
}
