//! The main job, from `kubectl apply` to gone.

use cloudflare_sso_operator::resource::ConditionType;
use serde_json::json;
use simulator::Operation;

use crate::stage::{ACCOUNT, PATIENCE, Stage, code, condition, connector_id, has_finalizer};

#[tokio::test]
async fn a_minimal_object_gets_its_connector_and_says_what_to_publish() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;

    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let status = object.status.clone().unwrap();
    let [created] = stage
        .simulator
        .admin()
        .connectors(ACCOUNT)
        .try_into()
        .unwrap();
    assert_eq!(connector_id(&object), Some(created.id.clone()));
    let code = code(&object).unwrap();
    assert_eq!(code, created.verification_code);
    assert_eq!(
        status.verification.unwrap().status.as_deref(),
        Some("pending")
    );
    let record = status.dns_record.unwrap();
    assert_eq!(
        (record.name.as_str(), record.value.as_str()),
        ("example.com", code.as_str())
    );
    let (truth, reason, message) = condition(&object, ConditionType::Verified);
    assert_eq!((truth.as_str(), reason.as_str()), ("False", "Pending"));
    for part in ["TXT", "example.com", code.as_str()] {
        assert!(message.contains(part), "{part} is missing in {message:?}");
    }
    assert!(!has_finalizer(&object));
    assert!(status.pending_create.is_none());
}

#[tokio::test]
async fn kubectl_wait_returns_once_the_record_is_published() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    stage
        .simulator
        .admin()
        .publish_txt("example.com", &code(&object).unwrap());
    for kind in ["Verified", "Ready"] {
        let condition = format!("--for=condition={kind}");
        stage
            .kubectl(&[
                "wait",
                "-n",
                "team",
                &condition,
                "sso/example",
                "--timeout=60s",
            ])
            .await;
    }
    let creates = stage.simulator.calls().mutations();
    assert_eq!(creates.count(), 1, "{creates:#?}");
}

#[tokio::test]
async fn sso_is_enabled_only_after_verification_and_taken_down_in_order() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage
        .connector(
            "example",
            "example.com",
            json!({ "enabled": true, "deletionPolicy": "Delete" }),
        )
        .await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert!(has_finalizer(&object));
    assert_eq!(stage.simulator.calls().of(Operation::Update).count(), 0);

    stage
        .simulator
        .admin()
        .publish_txt("example.com", &code(&object).unwrap());
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(condition(&object, ConditionType::Enabled).1, "Enabled");
    let [connector] = stage
        .simulator
        .admin()
        .connectors(ACCOUNT)
        .try_into()
        .unwrap();
    assert!(connector.enabled);
    let updates = stage.simulator.calls().of(Operation::Update);
    assert_eq!(updates.count(), 1);
    assert_eq!(
        updates.last().unwrap().body,
        Some(json!({ "enabled": true }))
    );

    stage.delete("example").await;
    let mutations = stage.simulator.calls().mutations();
    let after: Vec<_> = mutations
        .as_slice()
        .iter()
        .skip(2)
        .map(|call| (call.operation, call.body.clone()))
        .collect();
    assert_eq!(
        after,
        [
            (Operation::Update, Some(json!({ "enabled": false }))),
            (Operation::Delete, None)
        ]
    );
    assert!(stage.simulator.admin().connectors(ACCOUNT).is_empty());
}

#[tokio::test]
async fn without_a_policy_deleting_makes_no_call_and_applying_again_binds_the_same() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    let first = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert!(!has_finalizer(&first));

    stage.delete("example").await;
    let deleted_at = stage.simulator.calls().last().unwrap().sequence;
    stage.connector("example", "example.com", json!({})).await;
    let second = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_ne!(first.metadata.uid, second.metadata.uid);
    assert_eq!(connector_id(&first), connector_id(&second));
    assert_eq!(
        stage
            .simulator
            .calls()
            .after(deleted_at)
            .mutations()
            .count(),
        0
    );
    stage
        .simulator
        .until(
            |world| world.calls().of(Operation::Create).count() == 1,
            PATIENCE,
        )
        .await
        .unwrap();
}
