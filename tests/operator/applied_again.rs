//! Exactly one connector for each domain, also when its object is deleted around the POST and applied again, or another one is.

use std::time::Duration;

use harness::ApiServerProxy;
use kube::api::DeleteParams;
use serde_json::json;
use simulator::{Operation, When};

use crate::creation::{expect_one_connector, hold, hold_status};
use crate::stage::{ACCOUNT, PATIENCE, Stage, connector_id, has_finalizer};

#[tokio::test]
async fn an_id_is_not_stored_into_another_object_of_the_same_name() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let store = hold_status(&proxy, "connectorID");
    stage.connector("example", "example.com", json!({})).await;
    tokio::time::timeout(PATIENCE, store.arrived())
        .await
        .unwrap();
    stage.delete("example").await;
    stage
        .connector("example", "example.com", json!({ "enabled": false }))
        .await;
    store.release();

    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let enforcement = object.status.as_ref().unwrap().enforcement.clone().unwrap();
    assert_eq!(
        Some(enforcement.object_uid),
        object.metadata.uid,
        "the successor's own state"
    );
    expect_one_connector(&stage, 1).await;
    let metrics = operator.metrics().await.unwrap();
    assert!(metrics.contains("outcome=\"conflict\""), "{metrics}");
}

#[tokio::test]
async fn another_object_for_the_domain_creates_nothing_over_a_restart_with_a_lagging_list() {
    let stage = Stage::set().await;
    stage
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.list_lag = Duration::from_secs(30));
    let mut operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    let first = stage
        .until("example", "its ID", |object| connector_id(object).is_some())
        .await;
    operator.terminate(PATIENCE).await.unwrap();
    let _successor = stage.operator(&[]).await;
    stage.connector("another", "example.com", json!({})).await;
    stage.until_ready_is("another", "DuplicateDomain").await;
    stage.delete("example").await;
    let second = stage
        .until("another", "its ID", |object| connector_id(object).is_some())
        .await;
    assert_eq!(connector_id(&second), connector_id(&first));
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
}

#[tokio::test]
async fn deleted_while_the_post_is_in_flight_and_applied_again_at_once_with_a_lagging_list() {
    let stage = Stage::set().await;
    stage
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.list_lag = Duration::from_secs(2));
    let _operator = stage.operator(&[]).await;
    let held = hold(&stage, When::AfterCommit);
    stage.connector("example", "example.com", json!({})).await;
    held.arrived(PATIENCE).await.unwrap();
    stage.delete("example").await;
    stage.connector("example", "example.com", json!({})).await;
    held.release();

    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_one_connector(&stage, 1).await;
}

#[tokio::test]
async fn deleted_right_after_it_was_bound_and_applied_again_with_a_lagging_list() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.list_lag = Duration::from_secs(2));
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until("example", "its ID", |object| connector_id(object).is_some())
        .await;
    stage.delete("example").await;
    stage.connector("example", "example.com", json!({})).await;

    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_one_connector(&stage, 1).await;
}

#[tokio::test]
async fn deleted_with_its_connector_and_applied_again_at_once_with_lagging_reads() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--poll-unverified", "1s"]).await;
    let fields = json!({ "deletionPolicy": "Delete", "enabled": true });
    stage
        .connector("example", "example.com", fields.clone())
        .await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let code = crate::stage::code(&object).unwrap();
    let admin = stage.simulator.admin();
    admin.publish_txt("example.com", &code);
    let object = stage.until_ready_is("example", "Available").await;
    let deleted = connector_id(&object).unwrap();
    admin.turn_knobs(|knobs| {
        knobs.list_lag = Duration::from_secs(2);
        knobs.get_lag = Duration::from_secs(2);
    });
    stage.delete("example").await;
    stage.connector("example", "example.com", fields).await;

    let successor = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let bound = connector_id(&successor).unwrap();
    assert_ne!(bound, deleted);
    let all = admin.connectors(ACCOUNT);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].id, bound);
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 2);
}

#[tokio::test]
async fn deleted_with_its_connector_while_the_post_is_in_flight() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let held = hold(&stage, When::AfterCommit);
    stage
        .connector(
            "example",
            "example.com",
            json!({ "deletionPolicy": "Delete" }),
        )
        .await;
    held.arrived(PATIENCE).await.unwrap();
    let object = stage.objects().get("example").await.unwrap();
    assert!(
        has_finalizer(&object),
        "the finalizer is there before the POST"
    );
    stage
        .objects()
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();
    operator.kill().unwrap();
    held.release();

    let _successor = stage.operator(&[]).await;
    harness::await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    assert!(
        stage.simulator.admin().connectors(ACCOUNT).is_empty(),
        "what it created is gone"
    );
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
}
