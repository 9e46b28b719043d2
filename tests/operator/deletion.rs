//! Deleting an object: nothing hangs that need not, and what somebody decides at the last moment counts.

use cloudflare_sso_operator::resource::ConditionType;
use harness::{ApiServerProxy, Treatment};
use kube::api::DeleteParams;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Failure, Fault, Operation, When};

use crate::stage::{ACCOUNT, PATIENCE, SECRET, Stage, condition, connector_id, has_finalizer};

/// A call may last as long as the test needs to do something meanwhile.
const SLOW_CALLS: [&str; 6] = [
    "--call-timeout",
    "10s",
    "--creation-grace",
    "15s",
    "--lease-duration",
    "18s",
];

#[tokio::test]
async fn without_an_operator_nothing_hangs_that_does_not_say_delete_and_carry_the_finalizer() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let observed = json!({ "managementPolicy": "Observe", "deletionPolicy": "Delete" });
    stage
        .connector("observed", "observed.example", observed)
        .await;
    stage.until_ready_is("observed", "ConnectorNotFound").await;
    stage
        .connector("retained", "retained.example", json!({}))
        .await;
    stage
        .until_ready_is("retained", "AwaitingVerification")
        .await;
    operator.terminate(PATIENCE).await.unwrap();
    stage.connector("unseen", "unseen.example", delete()).await;
    for name in ["observed", "retained", "unseen"] {
        stage.delete(name).await;
    }
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT).len(), 1);
}

/// The operator has read the objects, and waits for Cloudflare to show their connectors.
#[tokio::test]
async fn what_is_decided_right_before_the_delete_is_read_from_the_api_server() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&SLOW_CALLS).await;
    let edits = [
        ("retained", json!({ "deletionPolicy": "Retain" })),
        ("observed", json!({ "managementPolicy": "Observe" })),
        ("suspended", json!({ "suspend": true })),
    ];
    let admin = stage.simulator.admin();
    for (name, _) in &edits {
        let domain = format!("{name}.example");
        stage.connector(name, &domain, delete()).await;
        stage.until_ready_is(name, "AwaitingVerification").await;
    }
    operator.terminate(PATIENCE).await.unwrap();
    // Only the successor's looks are held.
    let hold_page = |(name, _): &(&str, Value)| {
        let hold = Failure::Hold {
            when: When::AfterCommit,
        };
        let domain = format!("{name}.example");
        admin.push_fault(Fault::new(hold).on(Operation::Get).on_domain(&domain))
    };
    let pages: Vec<_> = edits.iter().map(hold_page).collect();
    let calls = stage.simulator.calls().mutations().count();
    let mut objects = Vec::new();
    for (name, _) in &edits {
        objects.push(stage.objects().get(name).await.unwrap());
        let options = DeleteParams::default();
        stage.objects().delete(name, &options).await.unwrap();
    }

    let _successor = stage.operator(&SLOW_CALLS).await;
    // In whichever order they come: the first call with a token is waited for by the others.
    let edited = edits
        .into_iter()
        .zip(pages)
        .map(async |((name, edit), page)| {
            page.arrived(PATIENCE).await.unwrap();
            stage.patch_spec(name, edit).await;
            page.release();
        });
    futures::future::join_all(edited).await;
    for object in &objects {
        harness::await_gone(&stage.objects(), object, PATIENCE)
            .await
            .unwrap();
        let id = connector_id(object).unwrap();
        assert!(admin.connector(&id).is_some(), "{object:?}");
    }
    assert_eq!(stage.simulator.calls().mutations().count(), calls);
}

#[tokio::test]
async fn a_finalizer_is_not_taken_off_on_a_decision_that_was_overtaken() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    stage.connector("example", "example.com", delete()).await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert!(has_finalizer(&object));
    let release = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.method == Method::PATCH
            && !call.path.contains("/status")
            && String::from_utf8_lossy(&call.body).contains("/metadata/finalizers")
    });
    let retain = json!({ "deletionPolicy": "Retain" });
    stage.patch_spec("example", retain).await;
    tokio::time::timeout(PATIENCE, release.arrived())
        .await
        .unwrap();
    stage.patch_spec("example", delete()).await;
    let options = DeleteParams::default();
    stage.objects().delete("example", &options).await.unwrap();
    release.release();
    harness::await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    let left = stage.simulator.admin().connectors(ACCOUNT);
    assert!(left.is_empty(), "it says Delete: {left:?}");
}

#[tokio::test]
async fn a_token_that_cloudflare_has_refused_since_is_not_used_to_clean_up() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--refused-token-retry", "10m"]).await;
    stage.connector("example", "example.com", delete()).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let refusal = Fault::new(Failure::authentication_flake()).on(Operation::List);
    stage.simulator.admin().push_fault(refusal);
    stage.until_ready_is("example", "Unauthorized").await;
    let calls = stage.simulator.calls().count();
    stage
        .kubectl(&["delete", "secret", "-n", "team", SECRET])
        .await;
    let options = DeleteParams::default();
    stage.objects().delete("example", &options).await.unwrap();
    let stays = stage
        .until("example", "why it stays", |object| {
            condition(object, ConditionType::Ready).2.contains("Retain")
        })
        .await;
    assert_eq!(
        condition(&stays, ConditionType::Ready).1,
        "CredentialsUnavailable"
    );
    assert_eq!(stage.simulator.calls().count(), calls);
}

fn delete() -> Value {
    json!({ "deletionPolicy": "Delete" })
}
