//! A leader that is put to sleep for longer than its lease, with a call under way.

use cloudflare_sso_operator::resource::SsoConnector;
use harness::{ApiServerProxy, Call, Interception, Outcome, Treatment, until};
use kube::ResourceExt as _;
use reqwest::{Method, StatusCode};
use serde_json::json;
use simulator::Operation;

use super::pair::{Replica, expect_one_after_the_other, pair};
use crate::stage::{ACCOUNT, PATIENCE, Stage, connector_id};
use crate::step::Step;

#[tokio::test]
async fn asleep_before_it_hears_of_its_post_a_leader_wakes_up_to_say_nothing() {
    let stage = Stage::set().await;
    let (mut first, second) = pair(&stage).await;
    let answer = intercept_post(&first, Treatment::HoldAfterAnswer);
    falls_asleep_at(&stage, &mut first, &answer).await;

    second.operator.until_leads(PATIENCE).await.unwrap();
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    answer.release();
    first.wakes_up_to_say_nothing().await;
    expect_one_after_the_other(&first, &second);
    expect_the_one_connector(&stage, 1).await;
}

/// The POST is lost with the network of the sleeper. One that arrives later is what the page about reliability says that
/// nobody can prevent.
#[tokio::test]
async fn asleep_before_its_post_has_arrived_a_leader_wakes_up_to_say_nothing() {
    let stage = Stage::set().await;
    let (mut first, second) = pair(&stage).await;
    let post = intercept_post(&first, Treatment::HoldBeforeForwarding);
    falls_asleep_at(&stage, &mut first, &post).await;

    second.operator.until_leads(PATIENCE).await.unwrap();
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    post.cut();
    first.wakes_up_to_say_nothing().await;
    expect_one_after_the_other(&first, &second);
    expect_the_one_connector(&stage, 1).await;
}

/// Trace e: its write arrives when its successor has long bound another connector to the same object.
#[tokio::test]
async fn an_id_is_not_stored_over_that_of_the_successor() {
    let stage = Stage::set().await;
    let (mut first, second) = pair(&stage).await;
    let write = intercept_id(&first.api_server);
    falls_asleep_at(&stage, &mut first, &write).await;
    // So that the successor must make another one.
    let admin = stage.simulator.admin();
    let [created] = admin.connectors(ACCOUNT).try_into().unwrap();
    admin.delete_connector(&created.id).unwrap();

    second.operator.until_leads(PATIENCE).await.unwrap();
    let bound = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_refused(&stage, &first, write, &bound).await;
    first.wakes_up_to_say_nothing().await;
    expect_one_after_the_other(&first, &second);
    expect_the_one_connector(&stage, 2).await;
}

/// Trace e: its write arrives when the object has been deleted, and applied again under the same name.
#[tokio::test]
async fn an_id_is_not_stored_into_a_re_created_object() {
    let stage = Stage::set().await;
    let (mut first, second) = pair(&stage).await;
    let write = intercept_id(&first.api_server);
    falls_asleep_at(&stage, &mut first, &write).await;
    stage.delete("example").await;
    stage.connector("example", "example.com", json!({})).await;

    second.operator.until_leads(PATIENCE).await.unwrap();
    let bound = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_refused(&stage, &first, write, &bound).await;
    first.wakes_up_to_say_nothing().await;
    expect_one_after_the_other(&first, &second);
    expect_the_one_connector(&stage, 1).await;
}

/// Applies the object; when the call has come to that point, the leader falls asleep.
async fn falls_asleep_at(stage: &Stage, leader: &mut Replica, point: &Interception) {
    stage.connector("example", "example.com", json!({})).await;
    let arrived = tokio::time::timeout(PATIENCE, point.arrived()).await;
    arrived.unwrap();
    leader.operator.process().pause().unwrap();
}

fn intercept_post(replica: &Replica, treatment: Treatment) -> Interception {
    let create = Some(Step::Cloudflare(Operation::Create));
    replica
        .cloudflare
        .intercept(treatment, move |call| Step::to_cloudflare(call) == create)
}

fn intercept_id(proxy: &ApiServerProxy) -> Interception {
    proxy.intercept(Treatment::HoldBeforeForwarding, stores_an_id)
}

fn stores_an_id(call: &Call) -> bool {
    Step::to_api_server(call) == Some(Step::WriteStatus)
        && String::from_utf8_lossy(&call.body).contains("connectorID")
}

/// Lets the sleeper's write go on: the API server refuses it, and the object stays as its successor has left it.
async fn expect_refused(
    stage: &Stage,
    sleeper: &Replica,
    write: Interception,
    bound: &SsoConnector,
) {
    let before = stage.objects().get(&bound.name_any()).await.unwrap();
    assert_eq!(connector_id(&before), connector_id(bound));
    write.release();
    let written = async || {
        let calls = sleeper.api_server.calls();
        let writes = calls
            .into_iter()
            .rfind(|call| call.method == Method::PATCH && call.path.contains("/status"));
        match writes.unwrap().outcome {
            Outcome::UnderWay => Err("it is under way"),
            outcome => Ok(outcome),
        }
    };
    let outcome = until("the write to be answered", PATIENCE, written)
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Answered(StatusCode::UNPROCESSABLE_ENTITY));
    let after = stage.objects().get(&bound.name_any()).await.unwrap();
    assert_eq!(after.status, before.status);
    assert_eq!(after.resource_version(), before.resource_version());
}

/// One connector, the object's, after that many POSTs.
async fn expect_the_one_connector(stage: &Stage, posts: usize) {
    let [connector] = stage
        .simulator
        .admin()
        .connectors(ACCOUNT)
        .try_into()
        .unwrap();
    let object = stage.objects().get("example").await.unwrap();
    assert_eq!(connector_id(&object), Some(connector.id));
    let calls = stage.simulator.calls();
    assert_eq!(calls.of(Operation::Create).count(), posts);
}
