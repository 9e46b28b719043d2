//! Decisions that rest on a copy of the object which is older than what an operator has stored: trace k. The operator's watch
//! is silent, so that it knows nothing but its first list and what it has written itself.

use harness::{ApiServerProxy, Call, Interception, Outcome, Treatment};
use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::ConnectorDraft;

use super::{
    DUPLICATES, answer_duplicates, arrived, begin_deletion, connectors, crash, creates, domain,
    lists_lag, treat_status,
};
use crate::stage::{ACCOUNT, PATIENCE, Stage, connector_id};

/// The POST is carried out, and the write of the ID is on its way when the operator dies. The next one lists the objects; then
/// the write arrives. When lists that lag show nothing past the grace, nothing seems to have been created: another POST, or to
/// let an object go that is being deleted, would rest on a copy without the ID, and is refused.
#[tokio::test]
async fn k_that_nothing_was_created_is_not_decided_on_a_copy_without_the_id() {
    let flags = ["--creation-grace", "6s"];
    let stage = Stage::set().await;
    for (label, duplicates) in DUPLICATES {
        answer_duplicates(&stage, duplicates);
        lists_lag(&stage, true);
        let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
        let operator = stage.operator_through(Some(proxy.url()), &flags).await;
        let [kept, deleted] = ["kept", "deleted"].map(|what| format!("{what}-{label}"));
        // Held for good: what is let go when its sender is dead would arrive twice.
        let mut held = Vec::new();
        let mut writes = Vec::new();
        for (name, policy) in [(&kept, "Retain"), (&deleted, "Delete")] {
            let before = Treatment::HoldBeforeForwarding;
            let write = treat_status(&proxy, before, name, "connectorID");
            let fields = json!({ "deletionPolicy": policy });
            stage.connector(name, &domain(name), fields).await;
            writes.push(arrived(&write).await);
            held.push(write);
        }
        begin_deletion(&stage, &deleted).await;
        crash(&stage, operator).await;

        let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
        let silence = silence(&proxy);
        let successor = stage.operator_through(Some(proxy.url()), &flags).await;
        // It has looked, and has said what it waits for.
        for name in [&kept, &deleted] {
            let answer = StatusCode::OK;
            answered(&proxy, &format!("/{name}/status?"), answer).await;
        }
        for write in &writes {
            arrives_late(&stage, write).await;
        }
        let refused = StatusCode::UNPROCESSABLE_ENTITY;
        answered(&proxy, &format!("/{kept}/status?"), refused).await;
        answered(&proxy, &format!("/{deleted}?"), refused).await;
        for name in [&kept, &deleted] {
            assert_eq!(creates(&stage, &domain(name)), 1, "{name}");
        }

        let object = stage.objects().get(&deleted).await.unwrap();
        lists_lag(&stage, false);
        silence.release();
        let bound = stage.until_ready_is(&kept, "AwaitingVerification").await;
        let [connector] = connectors(&stage, &domain(&kept)).try_into().unwrap();
        assert_eq!(connector_id(&bound), Some(connector.id), "{label}");
        harness::await_gone(&stage.objects(), &object, PATIENCE)
            .await
            .unwrap();
        let left = connectors(&stage, &domain(&deleted));
        assert!(left.is_empty(), "{label}: {left:?}");
        crash(&stage, successor).await;
    }
}

/// The intent is stored, and the operator is not told, so it makes no POST and knows nothing of the intent. The connector that
/// appears just then would not be ours by the copy that it has; that decision is refused, and with the intent it is.
#[tokio::test]
async fn k_that_a_connector_is_not_ours_is_not_decided_on_a_copy_without_the_intent() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let silence = silence(&proxy);
    let untold = treat_status(
        &proxy,
        Treatment::CutAfterAnswer,
        "example",
        "pendingCreate",
    );
    let decided = treat_status(
        &proxy,
        Treatment::HoldBeforeForwarding,
        "example",
        "AdoptionRefused",
    );
    let fields = json!({ "adoptionPolicy": "Refuse" });
    stage.connector("example", "example.com", fields).await;
    let flags = ["--observation-limit", "1s"];
    let _operator = stage.operator_through(Some(proxy.url()), &flags).await;
    arrived(&untold).await;
    let draft = ConnectorDraft::new(ACCOUNT, "example.com");
    let connector = stage.simulator.admin().create_connector(draft);
    untold.release();

    arrived(&decided).await;
    decided.release();
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    answered(&proxy, "/example/status?", refused).await;
    silence.release();
    let bound = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(connector_id(&bound), Some(connector.id));
    assert_eq!(creates(&stage, "example.com"), 0);
}

/// From now on the operator behind the proxy sees no change of the objects.
fn silence(proxy: &ApiServerProxy) -> Interception {
    proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.path.contains("/ssoconnectors?") && call.path.contains("watch=true")
    })
}

/// A call that was on its way when its sender died.
async fn arrives_late(stage: &Stage, call: &Call) {
    let request = http::Request::builder()
        .method(call.method.clone())
        .uri(&call.path)
        .header("content-type", "application/json-patch+json")
        .body(call.body.to_vec())
        .unwrap();
    let client = stage.control_plane.client();
    let stored: Value = client.request(request).await.unwrap();
    assert!(stored["status"]["connectorID"].is_string(), "{stored}");
}

/// Waits until the proxy has brought the operator this answer to a write.
async fn answered(proxy: &ApiServerProxy, path: &str, status: StatusCode) {
    let awaited = format!("{status} to {path}");
    harness::until(&awaited, PATIENCE, async || {
        let calls = proxy.calls();
        let writes = calls
            .iter()
            .filter(|call| call.method == "PATCH" && call.path.contains(path));
        let outcomes: Vec<_> = writes.map(|call| call.outcome).collect();
        let there = outcomes.contains(&Outcome::Answered(status));
        there.then_some(()).ok_or(format!("{outcomes:?}"))
    })
    .await
    .unwrap();
}
