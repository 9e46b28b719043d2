//! Objects that wait for their turn: what happens to them meanwhile is not lost, and whoever has changed something is not kept
//! waiting by a crowd of new ones.

use std::time::Duration;

use harness::{ApiServerProxy, Treatment, until};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use simulator::{ConnectorDraft, Operation};

use crate::stage::{ACCOUNT, PATIENCE, Stage, connector, connector_id};

/// How many objects the operator works on at once.
const PLACES: usize = 8;

#[tokio::test]
async fn what_an_object_may_have_created_binds_its_heir_though_it_goes_before_its_turn() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let secrets = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.path.contains("/secrets/blocker-")
    });
    let flags = ["--creation-grace", "1h"];
    let _operator = stage.operator_through(Some(proxy.url()), &flags).await;
    for n in 0..PLACES {
        let secret = json!({ "apiTokenSecretRef": { "name": format!("blocker-{n}") } });
        let (name, domain) = (format!("blocker-{n}"), format!("blocker-{n}.example"));
        stage.connector(&name, &domain, secret).await;
    }
    let all_wait = async || {
        let waiting = secrets.calls().len();
        (waiting == PLACES).then_some(()).ok_or(waiting)
    };
    until("every place to be taken", PATIENCE, all_wait)
        .await
        .unwrap();

    // The process before this one has made its POST, of which no list tells yet, and then the object goes.
    let admin = stage.simulator.admin();
    admin.turn_knobs(|knobs| knobs.list_lag = Duration::from_hours(1));
    let created = admin.create_connector(ConnectorDraft::new(ACCOUNT, "example.com"));
    stage.connector("example", "example.com", json!({})).await;
    let status = json!({ "status": { "pendingCreate": { "attempts": [Timestamp::now()] } } });
    stage
        .objects()
        .patch_status("example", &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
    let options = DeleteParams::default();
    stage.objects().delete("example", &options).await.unwrap();
    stage.connector("heir", "example.com", json!({})).await;
    secrets.release();

    stage.until_ready_is("heir", "Creating").await;
    admin.turn_knobs(|knobs| knobs.list_lag = Duration::ZERO);
    let heir = stage.until_ready_is("heir", "AwaitingVerification").await;
    assert_eq!(connector_id(&heir), Some(created.id));
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 0);
}

#[tokio::test]
async fn an_edit_goes_before_those_who_wait_for_their_creation() {
    const CROWD: usize = 40;
    let stage = Stage::set().await;
    let flags = ["--calls-per-second", "4", "--call-burst", "4"];
    let _operator = stage.operator(&flags).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let objects: Vec<_> = (0..CROWD)
        .map(|n| connector(&format!("c{n}"), &format!("d{n}.example")))
        .collect();
    stage
        .apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }))
        .await;
    let created = |at_least: usize| {
        stage.simulator.until(
            move |world| world.calls().of(Operation::Create).count() > at_least,
            PATIENCE,
        )
    };
    created(1).await.unwrap();
    let before = stage.simulator.calls().of(Operation::Create).count();
    stage
        .patch_spec("example", json!({ "useFedrampLanguage": true }))
        .await;
    stage
        .simulator
        .until(
            |world| world.calls().of(Operation::Update).count() > 0,
            PATIENCE,
        )
        .await
        .unwrap();
    let meanwhile = stage.simulator.calls().of(Operation::Create).count() - before;
    assert!(
        meanwhile < CROWD / 4,
        "{meanwhile} of {CROWD} went before it"
    );
    created(CROWD).await.unwrap();
}
