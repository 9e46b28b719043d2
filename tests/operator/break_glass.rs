//! An emergency: somebody disables SSO by hand, and whatever else happens, the operator does not lock the door again.

use cloudflare_sso_operator::resource::{ConditionType, EnforcementState, SsoConnector};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::enforcement::{enabled_connector, expect_enabling_patches, polls};
use crate::stage::{PATIENCE, Stage, condition};

#[tokio::test]
async fn nothing_but_a_request_enables_again_what_was_disabled_in_an_emergency() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let id = enabled_connector(&stage).await;
    let satisfied = stage.objects().get("example").await.unwrap().status;
    let admin = stage.simulator.admin();
    admin.set_enabled(&id, false).unwrap();
    until_held(&stage).await;

    polls(&stage, 20).await;
    for n in 0..10 {
        let label = format!("edit={n}");
        stage
            .kubectl(&["label", "--overwrite", "-n", "team", "sso/example", &label])
            .await;
        let wording = json!({ "useFedrampLanguage": n % 2 == 0 });
        stage.patch_spec("example", wording).await;
    }
    let wording = |stage: &Stage| {
        stage
            .simulator
            .admin()
            .connector(&id)
            .unwrap()
            .use_fedramp_language
    };
    harness::until("the last edit to be applied", PATIENCE, async || {
        if wording(&stage) {
            Err("not yet")
        } else {
            Ok(())
        }
    })
    .await
    .unwrap();

    stage
        .patch_spec("example", json!({ "suspend": true }))
        .await;
    stage.until_ready_is("example", "Suspended").await;
    stage
        .patch_spec("example", json!({ "suspend": null }))
        .await;
    until_held(&stage).await;

    stage
        .annotate("example", "cloudflare-sso.dev/reconcile-at", "now")
        .await;
    stage
        .until("example", "the look", |object| {
            let status = object.status.as_ref().unwrap();
            status.last_handled_reconcile_at.as_deref() == Some("now")
        })
        .await;
    until_held(&stage).await;

    operator.terminate(PATIENCE).await.unwrap();
    put_status(&stage, Value::Null).await;
    operator = stage.operator(&[]).await;
    until_held(&stage).await;
    operator.terminate(PATIENCE).await.unwrap();
    put_status(&stage, json!(satisfied)).await;
    let _last = stage.operator(&[]).await;
    until_held(&stage).await;
    polls(&stage, 5).await;

    expect_enabling_patches(&stage, 1);
    assert!(!admin.connector(&id).unwrap().enabled);
    stage
        .annotate("example", "cloudflare-sso.dev/enable-at", "now")
        .await;
    stage.until_ready_is("example", "Available").await;
    expect_enabling_patches(&stage, 2);
}

#[tokio::test]
async fn what_was_deleted_while_it_was_being_enabled_is_not_created_again() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = crate::enforcement::verified_connector(&stage, json!({})).await;
    let admin = stage.simulator.admin();
    let held = admin.push_fault(
        simulator::Fault::new(simulator::Failure::Hold {
            when: simulator::When::BeforeCommit,
        })
        .on(simulator::Operation::Update),
    );
    stage
        .patch_spec("example", json!({ "enabled": true }))
        .await;
    held.arrived(PATIENCE).await.unwrap();
    admin.delete_connector(&id).unwrap();
    held.release();
    let object = stage.until_ready_is("example", "DeletedExternally").await;
    assert_eq!(condition(&object, ConditionType::Stalled).0, "True");
    polls(&stage, 1).await;
    let creates = stage.simulator.calls().of(simulator::Operation::Create);
    assert_eq!(creates.count(), 1);
    assert!(admin.connectors(crate::stage::ACCOUNT).is_empty());
}

async fn until_held(stage: &Stage) -> SsoConnector {
    stage
        .until("example", "to be held", |object| {
            let status = object.status.as_ref();
            let enforcement = status.and_then(|status| status.enforcement.as_ref());
            condition(object, ConditionType::Ready).1 == "HeldByExternalChange"
                && enforcement.is_some_and(|known| known.state == EnforcementState::Held)
        })
        .await
}

/// Puts a status in place of the stored one, as a restored backup does.
async fn put_status(stage: &Stage, status: Value) {
    let patch = json!([{ "op": "add", "path": "/status", "value": status }]);
    let patch = if status.is_null() {
        Patch::Json::<()>(
            serde_json::from_value(json!([{ "op": "remove", "path": "/status" }])).unwrap(),
        )
    } else {
        Patch::Json::<()>(serde_json::from_value(patch).unwrap())
    };
    stage
        .objects()
        .patch_status("example", &PatchParams::default(), &patch)
        .await
        .unwrap();
}
