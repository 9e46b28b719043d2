//! An emergency: somebody has switched SSO off by hand, and nothing that happens to the object or to the operator switches it
//! on again: trace g, with each of its cases as an object of its own.

use std::collections::BTreeSet;

use cloudflare_sso_operator::resource::{EnforcementState, SsoConnectorStatus};
use futures::future::join_all;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use simulator::{Connector, ConnectorDraft, FaultHandle, Operation, VerificationStatus, When};

use super::{SLOW_CALLS, asked, connectors, crash, domain, hold};
use crate::stage::{ACCOUNT, PATIENCE, Stage, connector, connector_id};

const NOTHING: BTreeSet<String> = BTreeSet::new();
const HELD: &str = "HeldByExternalChange";
const DELETED: &str = "DeletedExternally";

/// Adopted while it was enabled, then disabled by hand. Settled, edited in what is not about `enabled`, then disabled.
/// Disabled, and then a sync of Argo CD changes all kinds of fields, before the operator has looked and again after that.
/// The answer to the PATCH is lost, and it is disabled before the operator has looked.
#[tokio::test]
async fn g_no_edit_and_no_sync_enables_again_what_a_person_has_disabled() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&SLOW_CALLS).await;
    adopt_enabled(&stage, "adopted").await;
    let enabled = ["edited", "synced"];
    join_all(enabled.map(|name| enable(&stage, name))).await;
    adopt_disabled(&stage, "lost").await;

    stage
        .patch_spec("edited", json!({ "useFedrampLanguage": true }))
        .await;
    stage.until_ready_is("edited", "Available").await;
    for name in ["adopted", "edited", "synced"] {
        disable_by_hand(&stage, name);
    }
    sync(&stage, "synced", 1).await;
    let lost = hold_patch(&stage, "lost");
    let wanted = json!({ "enabled": true });
    stage.patch_spec("lost", wanted).await;
    lost.arrived(PATIENCE).await.unwrap();
    let look = hold(&stage, Operation::Get, &domain("lost"), When::BeforeCommit);
    lost.drop_connection();
    look.arrived(PATIENCE).await.unwrap();
    disable_by_hand(&stage, "lost");
    look.release();

    let names = ["adopted", "edited", "synced", "lost"];
    for name in names {
        stage.until_ready_is(name, HELD).await;
        sync(&stage, name, 2).await;
        stage.until_ready_is(name, HELD).await;
    }
    asked(&stage, Operation::List, 3).await;
    for (name, patches) in names.into_iter().zip([0, 1, 1, 1]) {
        assert_eq!(enabling_patches(&stage, name), patches, "{name}");
        assert!(!only(&stage, name).enabled, "{name}");
    }
}

/// The operator dies, and the emergency begins before the next one is there:
/// - right after the PATCH, before anything was stored about its effect; then disabled, or even deleted, by hand;
/// - right after the PATCH that `enable-at` asked for, then disabled by hand: the request is not handled again;
/// - the object is new: from Git, in a rebuilt cluster, or with its old status from a backup, whatever that says.
#[tokio::test]
async fn g_no_crash_and_no_restored_object_enables_or_creates_again() {
    let stage = Stage::set().await;
    let operator = stage.operator(&SLOW_CALLS).await;
    let states = [
        ("armed", EnforcementState::Armed),
        ("applying", EnforcementState::Applying),
        ("satisfied", EnforcementState::Satisfied),
    ];
    let enabled = [
        "asked",
        "rebuilt",
        "deleted",
        "armed",
        "applying",
        "satisfied",
    ];
    join_all(enabled.map(|name| enable(&stage, name))).await;
    join_all(["patched", "removed"].map(|name| adopt_disabled(&stage, name))).await;
    disable_by_hand(&stage, "asked");
    stage.until_ready_is("asked", HELD).await;

    let applying = ["asked", "patched", "removed"];
    let patches = applying.map(|name| hold_patch(&stage, name));
    stage
        .annotate("asked", "cloudflare-sso.dev/enable-at", "now")
        .await;
    for name in ["patched", "removed"] {
        stage.patch_spec(name, json!({ "enabled": true })).await;
    }
    for patch in &patches {
        patch.arrived(PATIENCE).await.unwrap();
    }
    crash(&stage, operator).await;
    for (name, patch) in applying.into_iter().zip(&patches) {
        assert_eq!(state(&stage, name).await, EnforcementState::Applying);
        patch.drop_connection();
    }
    let before = last_call(&stage);

    for name in ["deleted", "removed"] {
        let id = only(&stage, name).id;
        stage.simulator.admin().delete_connector(&id).unwrap();
    }
    let disabled = [
        "asked",
        "rebuilt",
        "patched",
        "armed",
        "applying",
        "satisfied",
    ];
    for name in disabled {
        disable_by_hand(&stage, name);
    }
    create_anew(&stage, "rebuilt").await;
    for (name, reached) in states {
        restore_into_a_new_object(&stage, name, reached).await;
    }
    restore_into_a_new_object(&stage, "deleted", EnforcementState::Satisfied).await;

    let _successor = stage.operator(&[]).await;
    asked(&stage, Operation::List, 3).await;
    assert_eq!(touched_after(&stage, before), NOTHING);
    for name in disabled {
        stage.until_ready_is(name, HELD).await;
        assert!(!only(&stage, name).enabled, "{name}");
    }
    for name in ["deleted", "removed"] {
        stage.until_ready_is(name, DELETED).await;
    }
    asked(&stage, Operation::List, 3).await;
    assert_eq!(touched_after(&stage, before), NOTHING);
}

/// An object whose connector the operator has created and enabled.
async fn enable(stage: &Stage, name: &str) {
    stage.enabled_connector(name, &domain(name)).await;
}

/// An object that has adopted what was enabled already.
async fn adopt_enabled(stage: &Stage, name: &str) {
    existing(stage, name, true);
    let fields = json!({ "enabled": true });
    stage.connector(name, &domain(name), fields).await;
    stage.until_ready_is(name, "Available").await;
}

/// An object that has adopted what is verified and not enabled, and does not say that it should be.
async fn adopt_disabled(stage: &Stage, name: &str) {
    existing(stage, name, false);
    stage.connector(name, &domain(name), json!({})).await;
    stage.until_ready_is(name, "Available").await;
}

/// The next PATCH is carried out, and its answer is on the way.
fn hold_patch(stage: &Stage, name: &str) -> FaultHandle {
    hold(stage, Operation::Update, &domain(name), When::AfterCommit)
}

/// A verified connector that somebody has made before.
fn existing(stage: &Stage, name: &str, enabled: bool) {
    let draft = ConnectorDraft {
        enabled,
        verification_status: VerificationStatus::Verified,
        ..ConnectorDraft::new(ACCOUNT, &domain(name))
    };
    let _ = stage.simulator.admin().create_connector(draft);
}

fn disable_by_hand(stage: &Stage, name: &str) {
    let id = only(stage, name).id;
    stage.simulator.admin().set_enabled(&id, false).unwrap();
}

/// What Argo CD does when Git has changed in everything but `enabled`.
async fn sync(stage: &Stage, name: &str, commit: u32) {
    let mut object = connector(name, &domain(name));
    object["metadata"]["labels"] = json!({ "commit": commit.to_string() });
    let spec = json!({
        "enabled": true,
        "useFedrampLanguage": commit == 1,
        "beginVerification": commit == 2,
        "adoptionPolicy": "Refuse",
        "onExternalChange": "Hold",
    });
    if let (Some(fields), Value::Object(spec)) = (object["spec"].as_object_mut(), spec) {
        fields.extend(spec);
    }
    let apply = PatchParams::apply("argocd-controller").force();
    stage
        .objects()
        .patch(name, &apply, &Patch::Apply(object))
        .await
        .unwrap();
}

/// How far the wanted value was applied, as it is stored.
async fn state(stage: &Stage, name: &str) -> EnforcementState {
    let object = stage.objects().get(name).await.unwrap();
    object.status.unwrap().enforcement.unwrap().state
}

/// The object is deleted, and applied again from Git.
async fn create_anew(stage: &Stage, name: &str) {
    stage.delete(name).await;
    let fields = json!({ "enabled": true });
    stage.connector(name, &domain(name), fields).await;
}

/// The object is deleted, and a backup brings it back with the status that it had, which is that of the object before.
async fn restore_into_a_new_object(stage: &Stage, name: &str, reached: EnforcementState) {
    let old = stage.objects().get(name).await.unwrap();
    assert!(connector_id(&old).is_some(), "{name}");
    create_anew(stage, name).await;
    let mut status: SsoConnectorStatus = old.status.unwrap();
    status.enforcement.as_mut().unwrap().state = reached;
    let operations = json!([{ "op": "add", "path": "/status", "value": status }]);
    let patch = Patch::Json::<()>(serde_json::from_value(operations).unwrap());
    stage
        .objects()
        .patch_status(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// The last call that Cloudflare has seen.
fn last_call(stage: &Stage) -> u64 {
    let calls = stage.simulator.calls();
    calls.last().map_or(0, |call| call.sequence)
}

/// The domains for which the operator has tried to change something since then.
fn touched_after(stage: &Stage, sequence: u64) -> BTreeSet<String> {
    let calls = stage.simulator.calls().mutations().after(sequence);
    let domains = calls.as_slice().iter();
    domains.filter_map(|call| call.domain.clone()).collect()
}

/// How often the operator has asked for SSO to be enabled.
fn enabling_patches(stage: &Stage, name: &str) -> usize {
    let updates = stage.simulator.calls().of(Operation::Update);
    updates
        .on_domain(&domain(name))
        .filter(|call| call.body == Some(json!({ "enabled": true })))
        .count()
}

/// The one connector of the object's domain.
fn only(stage: &Stage, name: &str) -> Connector {
    let [connector] = connectors(stage, &domain(name)).try_into().unwrap();
    connector
}
