//! An emergency: somebody disables SSO by hand, and whatever else happens, the operator does not lock the door again.

use cloudflare_sso_operator::resource::{ConditionType, EnforcementState, SsoConnectorStatus};
use harness::Operator;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use simulator::{Call, Failure, Fault, Operation, When};

use crate::enforcement::{expect_enabling_patches, polls, verified_connector};
use crate::stage::{ACCOUNT, PATIENCE, Stage, condition, current};

const HELD: &str = "HeldByExternalChange";
const DELETED: &str = "DeletedExternally";

/// A settled object is looked at anew each second, so what was seen may be as old as that.
const SHORT_LOOKS: [&str; 2] = ["--observation-limit", "1s"];

#[tokio::test]
async fn nothing_but_a_request_enables_again_what_was_disabled_in_an_emergency() {
    let stage = Stage::set().await;
    let operator = stage.operator(&SHORT_LOOKS).await;
    let id = stage.enabled_connector("example", "example.com").await;
    let satisfied = stage.objects().get("example").await.unwrap().status;
    let admin = stage.simulator.admin();
    admin.set_enabled(&id, false).unwrap();

    let operator = expect_that_nothing_ends(&stage, operator, HELD).await;
    let last = wipe_and_restore(&stage, operator, satisfied).await;
    polls(&stage, 5).await;
    expect_enabling_patches(&stage, 1);
    assert!(!admin.connector(&id).unwrap().enabled);
    assert_eq!(events(&stage, HELD).await, 3, "one for each hold");

    stage
        .annotate("example", "cloudflare-sso.dev/enable-at", "now")
        .await;
    stage.until_ready_is("example", "Available").await;
    expect_enabling_patches(&stage, 2);
    drop(last);
}

#[tokio::test]
async fn nothing_but_a_request_disables_again_what_was_enabled_by_hand() {
    let stage = Stage::set().await;
    let operator = stage.operator(&SHORT_LOOKS).await;
    let id = verified_connector(&stage, json!({ "enabled": false })).await;
    stage.until_ready_is("example", "Available").await;
    let satisfied = stage.objects().get("example").await.unwrap().status;
    let admin = stage.simulator.admin();
    admin.set_enabled(&id, true).unwrap();

    let operator = expect_that_nothing_ends(&stage, operator, HELD).await;
    let last = wipe_and_restore(&stage, operator, satisfied).await;
    polls(&stage, 5).await;
    assert_eq!(switches(&stage), 0);
    assert!(admin.connector(&id).unwrap().enabled);
    assert_eq!(events(&stage, HELD).await, 3, "one for each hold");

    stage
        .annotate("example", "cloudflare-sso.dev/enable-at", "now")
        .await;
    stage.until_ready_is("example", "Available").await;
    assert_eq!(switches(&stage), 1);
    assert!(!admin.connector(&id).unwrap().enabled);
    drop(last);
}

#[tokio::test]
async fn nothing_but_a_request_creates_again_what_was_deleted_by_hand() {
    let stage = Stage::set().await;
    let operator = stage.operator(&SHORT_LOOKS).await;
    let id = stage.enabled_connector("example", "example.com").await;
    let admin = stage.simulator.admin();
    admin.delete_connector(&id).unwrap();

    let mut operator = expect_that_nothing_ends(&stage, operator, DELETED).await;
    // With the status the knowledge is lost that there ever was a connector, so it is back before the operator is.
    let held = stage.objects().get("example").await.unwrap().status;
    operator.terminate(PATIENCE).await.unwrap();
    put_status(&stage, Value::Null).await;
    put_status(&stage, json!(held)).await;
    let _last = stage.operator(&SHORT_LOOKS).await;
    polls(&stage, 5).await;
    until_held(&stage, DELETED).await;
    let creates = || stage.simulator.calls().of(Operation::Create).count();
    assert_eq!(creates(), 1);
    assert!(admin.connectors(ACCOUNT).is_empty());
    assert_eq!(events(&stage, DELETED).await, 1);

    stage
        .annotate("example", "cloudflare-sso.dev/enable-at", "now")
        .await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(creates(), 2);
}

/// Twenty polls, twenty edits that are none of its business, a suspension, a look that was asked for, and a restart: one
/// hold, one Event, one count. Returns the operator that was started again.
async fn expect_that_nothing_ends(stage: &Stage, mut operator: Operator, hold: &str) -> Operator {
    until_held(stage, hold).await;
    polls(stage, 20).await;
    for n in 0..10 {
        let label = format!("edit={n}");
        stage
            .kubectl(&["label", "--overwrite", "-n", "team", "sso/example", &label])
            .await;
        let wording = json!({ "useFedrampLanguage": n % 2 == 0 });
        stage.patch_spec("example", wording).await;
    }
    stage
        .until("example", "the last edit to be looked at", current)
        .await;

    stage
        .patch_spec("example", json!({ "suspend": true }))
        .await;
    stage.until_ready_is("example", "Suspended").await;
    stage
        .patch_spec("example", json!({ "suspend": null }))
        .await;
    until_held(stage, hold).await;

    stage
        .annotate("example", "cloudflare-sso.dev/reconcile-at", "now")
        .await;
    stage
        .until("example", "the look", |object| {
            let status = object.status.as_ref().unwrap();
            status.last_handled_reconcile_at.as_deref() == Some("now")
        })
        .await;
    until_held(stage, hold).await;
    let counted = format!("cloudflare_sso_external_changes_total{{reason=\"{hold}\"}} 1");
    let metrics = operator.metrics().await.unwrap();
    assert!(metrics.contains(&counted), "{metrics}");

    operator.terminate(PATIENCE).await.unwrap();
    operator = stage.operator(&SHORT_LOOKS).await;
    polls(stage, 5).await;
    until_held(stage, hold).await;
    assert_eq!(events(stage, hold).await, 1);
    operator
}

/// The status is lost, as in a rebuilt cluster, and then an old one is restored, from before the hold: each a hold anew.
async fn wipe_and_restore(
    stage: &Stage,
    mut operator: Operator,
    old: Option<SsoConnectorStatus>,
) -> Operator {
    operator.terminate(PATIENCE).await.unwrap();
    put_status(stage, Value::Null).await;
    operator = stage.operator(&SHORT_LOOKS).await;
    until_held(stage, HELD).await;
    operator.terminate(PATIENCE).await.unwrap();
    put_status(stage, json!(old)).await;
    operator = stage.operator(&SHORT_LOOKS).await;
    until_held(stage, HELD).await;
    operator
}

/// How many Events with this reason the object has.
async fn events(stage: &Stage, reason: &str) -> i32 {
    let events: Api<Event> = Api::namespaced(stage.control_plane.client(), "team");
    let all = events.list(&ListParams::default()).await.unwrap();
    let told = all
        .items
        .iter()
        .filter(|event| event.reason.as_deref() == Some(reason));
    told.map(|event| event.series.as_ref().map_or(1, |series| series.count))
        .sum()
}

/// How many calls have changed `enabled`.
fn switches(stage: &Stage) -> usize {
    let updates = stage.simulator.calls().of(Operation::Update);
    let switching = |call: &Call| {
        call.body
            .as_ref()
            .is_some_and(|body| body.get("enabled").is_some())
    };
    updates.filter(switching).count()
}

#[tokio::test]
async fn each_hold_has_an_event_that_says_what_was_found_this_time() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&SHORT_LOOKS).await;
    let id = stage.enabled_connector("example", "example.com").await;
    let admin = stage.simulator.admin();
    for enabled in [false, true] {
        admin.set_enabled(&id, enabled).unwrap();
        until_held(&stage, HELD).await;
        let word = if enabled { "enabled" } else { "disabled" };
        let said = format!("SSO is {word} at Cloudflare");
        harness::until("the Event", PATIENCE, async || {
            let events = stage.kubectl(&["get", "events", "-n", "team"]).await;
            events.contains(&said).then_some(()).ok_or(events)
        })
        .await
        .unwrap();
        stage
            .patch_spec("example", json!({ "enabled": enabled }))
            .await;
        stage.until_ready_is("example", "Available").await;
    }
}

#[tokio::test]
async fn what_was_deleted_while_it_was_being_enabled_is_not_created_again() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&SHORT_LOOKS).await;
    let id = verified_connector(&stage, json!({})).await;
    let admin = stage.simulator.admin();
    let held = admin.push_fault(
        Fault::new(Failure::Hold {
            when: When::BeforeCommit,
        })
        .on(Operation::Update),
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
    let creates = stage.simulator.calls().of(Operation::Create);
    assert_eq!(creates.count(), 1);
    assert!(admin.connectors(ACCOUNT).is_empty());
}

async fn until_held(stage: &Stage, hold: &str) {
    stage
        .until("example", "to be held", |object| {
            let status = object.status.as_ref();
            let enforcement = status.and_then(|status| status.enforcement.as_ref());
            condition(object, ConditionType::Ready).1 == hold
                && enforcement.is_some_and(|known| known.state == EnforcementState::Held)
        })
        .await;
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
