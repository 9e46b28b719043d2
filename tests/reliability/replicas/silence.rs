//! A leader whose network is gone on one side: every connection stays open, and nothing comes through.

use cloudflare_sso_operator::resource::ConditionType;
use harness::{ApiServerProxy, Treatment};
use serde_json::json;
use simulator::Operation;

use super::pair::{expect_one_after_the_other, pair};
use crate::stage::{ACCOUNT, PATIENCE, Stage, condition, connector_id};
use crate::step::Step;

#[tokio::test]
async fn when_the_api_server_falls_silent_a_leader_ends_before_its_successor_starts() {
    let stage = Stage::set().await;
    let (mut first, second) = pair(&stage).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    first.api_server.fall_silent();
    first.until_ended().await;
    assert!(!second.operator.leads().await.unwrap(), "two led at once");
    second.until_acts().await;
    first.api_server.speak();
    second.operator.until_leads(PATIENCE).await.unwrap();
    stage.heartbeats(3).await;
    expect_one_after_the_other(&first, &second);
}

#[tokio::test]
async fn when_cloudflare_falls_silent_the_leader_goes_on_leading_and_creates_once() {
    survives(ApiServerProxy::fall_silent, ApiServerProxy::speak).await;
}

#[tokio::test]
async fn when_cloudflare_is_cut_off_the_leader_goes_on_leading_and_creates_once() {
    survives(ApiServerProxy::refuse, ApiServerProxy::recover).await;
}

/// Just when Cloudflare has made the connector, the leader hears nothing any more. It could hand over, but its successor
/// would have the same to do.
async fn survives(begin: fn(&ApiServerProxy), end: fn(&ApiServerProxy)) {
    let stage = Stage::set().await;
    let (first, second) = pair(&stage).await;
    let create = Some(Step::Cloudflare(Operation::Create));
    let answer = first
        .cloudflare
        .intercept(Treatment::HoldAfterAnswer, move |call| {
            Step::to_cloudflare(call) == create
        });
    stage.connector("example", "example.com", json!({})).await;
    let arrived = tokio::time::timeout(PATIENCE, answer.arrived()).await;
    arrived.unwrap();
    begin(&first.cloudflare);
    answer.release();
    stage
        .until("example", "the trouble to show", |object| {
            condition(object, ConditionType::Synced).1 == "CloudflareUnavailable"
        })
        .await;
    end(&first.cloudflare);

    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let [connector] = stage
        .simulator
        .admin()
        .connectors(ACCOUNT)
        .try_into()
        .unwrap();
    assert_eq!(connector_id(&object), Some(connector.id));
    let calls = stage.simulator.calls();
    assert_eq!(calls.of(Operation::Create).count(), 1);
    assert!(first.operator.leads().await.unwrap());
    assert_eq!(second.acts(), 0, "the one that stands by has acted");
}
