//! The definition goes away: its objects go with it, and nothing happens to their connectors.

use harness::Operator;
use serde_json::json;

use crate::stage::{PATIENCE, Stage, repository};

const DEFINITION: &str = "crd/ssoconnectors.cloudflare-sso.dev";

#[tokio::test]
async fn deleting_the_definition_leaves_every_connector_as_it_is() {
    let stage = Stage::set().await;
    let operator = stage.operator(&[]).await;
    let id = deletable(&stage).await;
    let calls = stage.simulator.calls().mutations().count();
    stage
        .kubectl(&["delete", DEFINITION, "--timeout=60s"])
        .await;
    expect_untouched(&stage, &operator, &id, calls).await;
}

#[tokio::test]
async fn a_definition_that_was_removed_by_force_and_applied_again_deletes_nothing() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let id = deletable(&stage).await;
    let calls = stage.simulator.calls().mutations().count();
    operator.terminate(PATIENCE).await.unwrap();
    let object = stage.objects().get("example").await.unwrap();
    stage.kubectl(&["delete", DEFINITION, "--wait=false"]).await;
    stage
        .until("example", "to be going away", |object| {
            object.metadata.deletion_timestamp.is_some()
        })
        .await;
    let force = r#"{ "metadata": { "finalizers": null } }"#;
    stage
        .kubectl(&["patch", DEFINITION, "--type=merge", "-p", force])
        .await;
    let file = repository().join("crds/ssoconnectors.cloudflare-sso.dev.yaml");
    stage
        .kubectl(&["create", "-f", file.to_str().unwrap()])
        .await;
    stage
        .kubectl(&[
            "wait",
            "--for=condition=Established",
            DEFINITION,
            "--timeout=60s",
        ])
        .await;
    let successor = stage.operator(&[]).await;
    harness::await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    expect_untouched(&stage, &successor, &id, calls).await;
}

/// An object that says in writing to delete its connector.
async fn deletable(stage: &Stage) -> String {
    let id = stage.enabled_connector("example", "example.com").await;
    stage
        .patch_spec("example", json!({ "deletionPolicy": "Delete" }))
        .await;
    stage
        .until("example", "its finalizer", crate::stage::has_finalizer)
        .await;
    id
}

async fn expect_untouched(stage: &Stage, operator: &Operator, id: &str, calls: usize) {
    assert_eq!(stage.simulator.calls().mutations().count(), calls);
    assert!(stage.simulator.admin().connector(id).unwrap().enabled);
    assert!(operator.get("/livez").await.is_ok());
}
