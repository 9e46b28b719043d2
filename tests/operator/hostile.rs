//! Others who mean harm, or do it without meaning to: a Cloudflare whose answers are not true, whoever may write the status of
//! an object, and whoever may name one.

use cloudflare_sso_operator::resource::{ConditionType, ENABLE_AT, RECONCILE_AT, SsoConnector};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use simulator::{Connector, ConnectorDraft, Failure, Fault, Operation, Repeat, VerificationStatus};

use crate::stage::{ACCOUNT, Stage, condition, connector, connector_id, current};

/// Before the year 0. Kubernetes stores no such time, and refuses a status that holds one.
const BEFORE_THE_CALENDAR: &str = "-009999-01-02T01:59:59Z";

/// All annotations together may hold 256 KiB, and `kubectl apply` keeps a copy of what it applies in one.
const LONG: usize = 100 << 10;

#[tokio::test]
async fn a_time_that_kubernetes_does_not_store_costs_no_id() {
    let stage = Stage::set().await;
    for (operation, pointer) in [
        (Operation::Create, "/result/created_on"),
        (Operation::Get, "/result/updated_on"),
        (Operation::List, "/result/0/updated_on"),
    ] {
        let fault = rewriting(pointer, json!(BEFORE_THE_CALENDAR)).on(operation);
        let admin = stage.simulator.admin();
        admin.push_fault(fault.repeat(Repeat::Forever));
    }
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let all = stage.simulator.admin().connectors(ACCOUNT);
    assert_eq!(all.len(), 1);
    assert_eq!(connector_id(&object).as_ref(), Some(&all[0].id));
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
    assert_eq!(object.status.unwrap().created_on, None);
}

#[tokio::test]
async fn the_connector_of_another_domain_is_left_alone_whatever_an_answer_names() {
    let stage = Stage::set().await;
    let other = somebody_elses(&stage);
    let lie = rewriting("/result/id", json!(other.id)).on(Operation::Create);
    stage.simulator.admin().push_fault(lie);
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", dangerous()).await;
    stage.until_ready_is("example", "ConnectorMismatch").await;
    expect_left_alone(&stage, &other).await;
}

#[tokio::test]
async fn the_connector_of_another_domain_is_left_alone_whatever_a_status_names() {
    let stage = Stage::set().await;
    let other = somebody_elses(&stage);
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", dangerous()).await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let own = connector_id(&object);
    // What cannot stand in a URL counts as lost, and the connector is found by its domain again.
    write_status(&stage, json!({ "connectorID": "../../zones" })).await;
    let found = |object: &_| connector_id(object) == own;
    stage.until("example", "to be bound again", found).await;
    let armed = json!({ "state": "Armed", "enabled": true, "objectUID": object.metadata.uid });
    let lie = json!({ "connectorID": other.id, "enforcement": armed, "createdOn": null });
    write_status(&stage, lie).await;
    stage.until_ready_is("example", "ConnectorMismatch").await;
    expect_left_alone(&stage, &other).await;
}

#[tokio::test]
async fn a_name_a_label_and_an_annotation_are_nothing_but_that() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let name = format!("{0}.{0}.{0}.{1}", "n".repeat(63), "n".repeat(61));
    let odd = "\u{202e}\u{1b}[31m\r\n\"}{{ $labels }} %s ../../";
    let asked = "x".repeat(LONG);
    let mut object = connector(&name, "example.com");
    object["metadata"]["labels"] = json!({ "cloudflare-sso.dev/version": "9.9.9" });
    object["metadata"]["annotations"] = json!({
        RECONCILE_AT: asked,
        ENABLE_AT: odd,
        "cloudflare-sso.dev/version": odd,
    });
    stage.apply(&object).await;
    stage.connector("other", "other.example", json!({})).await;
    for name in [&*name, "other"] {
        let object = stage.until_ready_is(name, "AwaitingVerification").await;
        for kind in [ConditionType::Ready, ConditionType::Verified] {
            let (_, _, message) = condition(&object, kind);
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
    // The ID is stored before the look that was asked for counts as taken.
    let handled = |object: &SsoConnector| {
        let status = object.status.as_ref();
        status.and_then(|status| status.last_handled_reconcile_at.as_ref()) == Some(&asked)
    };
    stage.until(&name, "to have been looked at", handled).await;
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 2);
}

/// A spec that would enable and delete whatever the object is bound to.
fn dangerous() -> Value {
    json!({ "enabled": true, "deletionPolicy": "Delete", "onExternalChange": "Enforce" })
}

/// A connector that could be enabled at once.
fn somebody_elses(stage: &Stage) -> Connector {
    let mut draft = ConnectorDraft::new(ACCOUNT, "other.example");
    draft.verification_status = VerificationStatus::Verified;
    stage.simulator.admin().create_connector(draft)
}

fn rewriting(pointer: &str, value: Value) -> Fault {
    let pointer = pointer.to_owned();
    Fault::new(Failure::Rewrite { pointer, value })
}

async fn write_status(stage: &Stage, status: Value) {
    let patch = Patch::Merge(json!({ "status": status }));
    stage
        .objects()
        .patch_status("example", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// Neither while the object is there nor when it goes is the other connector changed.
async fn expect_left_alone(stage: &Stage, other: &Connector) {
    stage
        .objects()
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();
    let is_going = "to be going, and to say why it stays";
    stage
        .until("example", is_going, |object| {
            object.metadata.deletion_timestamp.is_some()
                && current(object)
                && condition(object, ConditionType::Stalled).1 == "ConnectorMismatch"
        })
        .await;
    stage.heartbeats(3).await;
    stage
        .patch_spec("example", json!({ "deletionPolicy": "Retain" }))
        .await;
    let calls = stage.simulator.calls().on_connector(&other.id);
    assert!(calls.clone().mutations().is_empty(), "{calls:?}");
    let now = stage.simulator.admin().connector(&other.id);
    assert_eq!(now.as_ref(), Some(other));
}
