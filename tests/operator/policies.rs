//! Whether, and how far, the operator may act: adoption, observation, suspension, external changes, the look asked for.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, EnforcementState};
use kube::api::DeleteParams;
use serde_json::json;
use simulator::{ConnectorDraft, Operation, VerificationStatus};

use crate::stage::{ACCOUNT, PATIENCE, Stage, condition, connector_id, current, has_finalizer};

const DOMAIN: &str = "example.com";

#[tokio::test]
async fn a_companys_connector_is_adopted_without_a_change_and_deleted_only_in_writing() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = existing(&stage, VerificationStatus::Verified, true);
    stage.connector("example", DOMAIN, json!({})).await;
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(connector_id(&object), Some(id.clone()));
    stage.delete("example").await;
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
    let left = stage.simulator.admin().connector(&id).unwrap();
    assert!(left.enabled);

    let policy = json!({ "deletionPolicy": "Delete" });
    stage.connector("example", DOMAIN, policy).await;
    stage.until_ready_is("example", "Available").await;
    stage.delete("example").await;
    let calls = stage.simulator.calls().mutations();
    let made: Vec<_> = calls.as_slice().iter().map(|call| call.operation).collect();
    assert_eq!(made, [Operation::Update, Operation::Delete]);
}

#[tokio::test]
async fn a_connector_that_exists_is_left_alone_where_the_spec_refuses_adoption() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = existing(&stage, VerificationStatus::Verified, true);
    let policy = json!({ "adoptionPolicy": "Refuse" });
    stage.connector("example", DOMAIN, policy).await;
    let object = stage.until_ready_is("example", "AdoptionRefused").await;
    assert_eq!(condition(&object, ConditionType::Stalled).0, "True");
    assert_eq!(connector_id(&object), None);

    stage
        .patch_spec("example", json!({ "connectorID": id }))
        .await;
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(connector_id(&object), Some(id));
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
}

#[tokio::test]
async fn a_named_connector_is_bound_or_missed_and_never_created() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let nowhere = "f".repeat(32);
    stage
        .connector("example", DOMAIN, json!({ "connectorID": nowhere }))
        .await;
    let object = stage.until_ready_is("example", "ConnectorNotFound").await;
    assert_eq!(condition(&object, ConditionType::Stalled).0, "True");
    assert_eq!(stage.simulator.calls().mutations().count(), 0);

    let id = existing(&stage, VerificationStatus::Verified, false);
    stage
        .patch_spec("example", json!({ "connectorID": null }))
        .await;
    stage.until_ready_is("example", "Available").await;
    stage
        .patch_spec("example", json!({ "connectorID": nowhere }))
        .await;
    let object = stage.until_ready_is("example", "ConnectorMismatch").await;
    assert_eq!(connector_id(&object), Some(id.clone()));
    stage
        .patch_spec("example", json!({ "connectorID": null }))
        .await;
    stage
        .patch_spec("example", json!({ "connectorID": id }))
        .await;
    stage.until_ready_is("example", "Available").await;

    // Whoever deletes it by hand is not answered with another one.
    stage.simulator.admin().delete_connector(&id).unwrap();
    stage.until_ready_is("example", "ConnectorNotFound").await;
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
}

#[tokio::test]
async fn observing_shows_everything_and_changes_nothing() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let fields = json!({
        "managementPolicy": "Observe", "deletionPolicy": "Delete", "enabled": true, "useFedrampLanguage": true,
    });
    stage.connector("example", DOMAIN, fields).await;
    let object = stage.until_ready_is("example", "ConnectorNotFound").await;
    assert_eq!(condition(&object, ConditionType::Stalled).0, "");
    assert!(!has_finalizer(&object));

    let id = existing(&stage, VerificationStatus::Failed, false);
    let object = stage.until_ready_is("example", "DriftObserved").await;
    assert_eq!(connector_id(&object), Some(id.clone()));
    assert_eq!(condition(&object, ConditionType::Stalled).0, "");
    assert_eq!(
        condition(&object, ConditionType::Verified).1,
        "VerificationFailed"
    );
    stage
        .patch_spec(
            "example",
            json!({ "enabled": null, "useFedrampLanguage": null }),
        )
        .await;
    stage.until_ready_is("example", "VerificationFailed").await;

    stage.simulator.admin().delete_connector(&id).unwrap();
    let gone = stage.until_ready_is("example", "ConnectorNotFound").await;
    assert_eq!(condition(&gone, ConditionType::Verified).0, "");
    let other = existing(&stage, VerificationStatus::Verified, true);
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(connector_id(&object), Some(other));
    stage.delete("example").await;
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT).len(), 1);
}

#[tokio::test]
async fn a_suspended_object_costs_no_call_and_deleting_it_retains() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let fields = json!({ "deletionPolicy": "Delete", "enabled": false });
    stage.connector("example", DOMAIN, fields).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage
        .patch_spec("example", json!({ "suspend": true, "enabled": true }))
        .await;
    let suspended = stage.until_ready_is("example", "Suspended").await;
    assert_eq!(condition(&suspended, ConditionType::Ready).0, "Unknown");
    assert_eq!(condition(&suspended, ConditionType::Synced).0, "True");
    assert_eq!(condition(&suspended, ConditionType::Verified).1, "Pending");

    // Another object shows that the operator is at work meanwhile.
    let calls = stage.simulator.calls().count();
    stage
        .annotate("example", "cloudflare-sso.dev/reconcile-at", "now")
        .await;
    stage
        .patch_spec("example", json!({ "useFedrampLanguage": true }))
        .await;
    stage
        .until("example", "to be suspended again", current)
        .await;
    assert_eq!(stage.simulator.calls().count(), calls);

    stage
        .patch_spec("example", json!({ "suspend": null }))
        .await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage
        .patch_spec("example", json!({ "suspend": true }))
        .await;
    stage.until_ready_is("example", "Suspended").await;
    let calls = stage.simulator.calls().count();
    stage.delete("example").await;
    assert_eq!(stage.simulator.calls().count(), calls);
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT).len(), 1);
}

#[tokio::test]
async fn a_look_can_be_asked_for() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--poll-settled", "1h"]).await;
    existing(&stage, VerificationStatus::Verified, false);
    stage.connector("example", DOMAIN, json!({})).await;
    stage.until_ready_is("example", "Available").await;
    let lists = || stage.simulator.calls().of(Operation::List).count();
    for value in ["monday", "tuesday"] {
        let before = lists();
        stage
            .annotate("example", "cloudflare-sso.dev/reconcile-at", value)
            .await;
        stage
            .until("example", "the look to be taken", |object| {
                let status = object.status.as_ref();
                status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some(value)
            })
            .await;
        assert_eq!(lists(), before + 1);
    }
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
}

#[tokio::test]
async fn under_enforce_what_a_person_disables_or_deletes_comes_back() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = existing(&stage, VerificationStatus::Verified, true);
    let fields = json!({ "enabled": true, "onExternalChange": "Enforce" });
    stage.connector("example", DOMAIN, fields).await;
    stage.until_ready_is("example", "Available").await;
    let admin = stage.simulator.admin();
    admin.set_enabled(&id, false).unwrap();
    admin
        .until_found(
            |world| world.connector(&id)?.enabled.then_some(()),
            PATIENCE,
        )
        .await
        .unwrap();
    stage.until_ready_is("example", "Available").await;
    harness::until("the Event", PATIENCE, async || {
        let events = stage.kubectl(&["get", "events", "-n", "team"]).await;
        match events.matches("ExternalChangeReverted").count() {
            1 => Ok(()),
            _ => Err(events),
        }
    })
    .await
    .unwrap();

    admin.delete_connector(&id).unwrap();
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_ne!(connector_id(&object), Some(id));
    assert_eq!(admin.connectors(ACCOUNT).len(), 1);
}

#[tokio::test]
async fn switching_the_policy_to_enforce_ends_a_hold() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = existing(&stage, VerificationStatus::Verified, false);
    stage
        .connector("example", DOMAIN, json!({ "enabled": true }))
        .await;
    let held = stage
        .until_ready_is("example", "HeldByExternalChange")
        .await;
    let enforcement = held.status.unwrap().enforcement.unwrap();
    assert_eq!(enforcement.state, EnforcementState::Held);
    stage
        .patch_spec("example", json!({ "onExternalChange": "Enforce" }))
        .await;
    stage.until_ready_is("example", "Available").await;
    assert!(stage.simulator.admin().connector(&id).unwrap().enabled);
}

#[tokio::test]
async fn an_object_whose_status_was_lost_converges_on_the_same_connector() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let id = existing(&stage, VerificationStatus::Verified, true);
    let fields = json!({ "enabled": true });
    stage.connector("example", DOMAIN, fields).await;
    stage.until_ready_is("example", "Available").await;
    operator.terminate(PATIENCE).await.unwrap();
    let wipe = r#"{ "status": null }"#;
    stage
        .kubectl(&[
            "patch",
            "sso",
            "example",
            "-n",
            "team",
            "--subresource=status",
            "--type=merge",
            "-p",
            wipe,
        ])
        .await;
    let _successor = stage.operator(&["--poll-settled", "1s"]).await;
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(connector_id(&object), Some(id));
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
    let objects = stage.objects();
    objects
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();
    harness::await_gone(&objects, &object, Duration::from_secs(30))
        .await
        .unwrap();
}

/// A connector that somebody made before.
fn existing(stage: &Stage, status: VerificationStatus, enabled: bool) -> String {
    let admin = stage.simulator.admin();
    let id = admin
        .create_connector(ConnectorDraft::new(ACCOUNT, DOMAIN))
        .id;
    admin.set_verification(&id, status).unwrap();
    admin.set_enabled(&id, enabled).unwrap();
    id
}
