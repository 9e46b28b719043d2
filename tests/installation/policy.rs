//! The policy that keeps enabled connectors, on a real API server.

use harness::{Options, await_object, until};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::checkout::read;
use crate::stage::{PATIENCE, Stage, quick_knobs};

const POLICY: &str = "deploy/policy/keep-enabled-connectors.yaml";

/// What is in the spec and whether SSO is enforced, and whether the object may be deleted.
fn table() -> Vec<(&'static str, Value, Value, bool)> {
    let enabled = json!({ "enabled": true });
    let delete = json!({ "deletionPolicy": "Delete" });
    vec![
        ("delete-enabled", delete.clone(), enabled.clone(), false),
        (
            "delete-disabled",
            delete.clone(),
            json!({ "enabled": false }),
            true,
        ),
        ("delete-not-seen", delete, Value::Null, true),
        (
            "retain-enabled",
            json!({ "deletionPolicy": "Retain" }),
            enabled.clone(),
            true,
        ),
        ("no-policy-enabled", json!({}), enabled.clone(), true),
        (
            "observed-enabled",
            json!({ "deletionPolicy": "Delete", "managementPolicy": "Observe" }),
            enabled.clone(),
            true,
        ),
        (
            "suspended-enabled",
            json!({ "deletionPolicy": "Delete", "suspend": true }),
            enabled,
            true,
        ),
    ]
}

#[tokio::test]
async fn an_object_whose_deletion_would_disable_sso_is_not_deleted() {
    let stage = Stage::with(Options::default().with_controller_manager(), quick_knobs()).await;
    for (number, (name, spec, status, _)) in table().into_iter().enumerate() {
        stage
            .connector(name, &format!("{number}.example.com"), spec)
            .await;
        if !status.is_null() {
            report(&stage, name, status).await;
        }
    }
    apply_policy(&stage).await;
    for (name, _, _, may) in table() {
        let deleted = stage.objects().delete(name, &DeleteParams::default()).await;
        assert_eq!(deleted.is_ok(), may, "{name}: {deleted:?}");
    }

    let refusal = stage
        .objects()
        .delete("delete-enabled", &DeleteParams::default())
        .await;
    let refusal = refusal.unwrap_err().to_string();
    for word in [
        "0.example.com",
        "spec.deletionPolicy to Retain",
        "spec.enabled to false",
    ] {
        assert!(refusal.contains(word), "{word}: {refusal}");
    }
    stage
        .patch_spec("delete-enabled", json!({ "deletionPolicy": "Retain" }))
        .await;
    stage.delete("delete-enabled").await;
}

/// The policy counts a moment after it was applied, and its expressions fit the definition.
async fn apply_policy(stage: &Stage) {
    stage.control_plane.apply(&read(POLICY)).await.unwrap();
    let dry = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    until("the policy to count", PATIENCE, async || {
        match stage.objects().delete("delete-enabled", &dry).await {
            Ok(_) => Err("it may be deleted"),
            Err(_) => Ok(()),
        }
    })
    .await
    .unwrap();
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(stage.control_plane.client());
    let name = "keep-enabled-sso-connectors";
    let checked = await_object(&policies, name, "to be checked", PATIENCE, |policy| {
        let status = policy.status.as_ref();
        status.is_some_and(|status| status.observed_generation.is_some())
    })
    .await
    .unwrap();
    let checking = checked.status.and_then(|status| status.type_checking);
    let warnings = checking.and_then(|checking| checking.expression_warnings);
    assert_eq!(warnings.unwrap_or_default(), []);
}

/// What the operator would have seen at Cloudflare.
async fn report(stage: &Stage, name: &str, status: Value) {
    let patch = Patch::Merge(json!({ "status": status }));
    stage
        .objects()
        .patch_status(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}
