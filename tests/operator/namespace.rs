//! A namespace is deleted with everything in it: the Secret with the token may go before the object that needs it.

use std::time::Duration;

use harness::Options;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams};
use serde_json::json;
use simulator::Operation;

use crate::stage::{ACCOUNT, NAMESPACE, Stage, has_finalizer, quick_knobs};

/// How long the namespace may take.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_namespace_that_is_deleted_takes_a_connector_along_that_is_to_be_deleted() {
    let stage = stage().await;
    let _operator = stage.operator(&[]).await;
    let id = stage.enabled_connector("example", "example.com").await;
    stage
        .patch_spec("example", json!({ "deletionPolicy": "Delete" }))
        .await;
    stage.until("example", "its finalizer", has_finalizer).await;
    let last = stage.simulator.calls().last().unwrap().sequence;
    delete_namespace(&stage).await;
    let changes = stage.simulator.calls().after(last).mutations();
    let operations: Vec<_> = changes
        .as_slice()
        .iter()
        .map(|call| call.operation)
        .collect();
    assert_eq!(
        operations,
        [Operation::Update, Operation::Delete],
        "{changes:#?}"
    );
    assert_eq!(
        changes.as_slice()[0].body,
        Some(json!({ "enabled": false }))
    );
    assert!(stage.simulator.admin().connector(&id).is_none());
}

#[tokio::test]
async fn a_namespace_that_is_deleted_leaves_a_connector_that_is_to_be_retained() {
    let stage = stage().await;
    let _operator = stage.operator(&[]).await;
    let id = stage.enabled_connector("example", "example.com").await;
    stage
        .patch_spec("example", json!({ "deletionPolicy": "Retain" }))
        .await;
    stage.until_ready_is("example", "Available").await;
    let changes = stage.simulator.calls().mutations().count();
    delete_namespace(&stage).await;
    assert_eq!(stage.simulator.calls().mutations().count(), changes);
    assert!(stage.simulator.admin().connector(&id).unwrap().enabled);
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT).len(), 1);
}

async fn stage() -> Stage {
    let options = Options::default().with_controller_manager();
    Stage::with(options, quick_knobs()).await
}

/// Deletes the namespace, which must be gone within the limit.
async fn delete_namespace(stage: &Stage) {
    let namespaces: Api<Namespace> = Api::all(stage.control_plane.client());
    let namespace = namespaces.get(NAMESPACE).await.unwrap();
    namespaces
        .delete(NAMESPACE, &DeleteParams::default())
        .await
        .unwrap();
    harness::await_gone(&namespaces, &namespace, LIMIT)
        .await
        .unwrap();
}
