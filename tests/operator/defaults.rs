//! The journey with the durations that an installation has. All other tests shorten them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cloudflare_sso_operator::resource::{ConditionType, EnforcementState, RECONCILE_AT};
use harness::{Operator, OperatorOptions};
use serde_json::json;
use simulator::{Call, Calls, Operation};

use crate::stage::{OPERATOR_NAMESPACE, PATIENCE, Stage, code, condition, connector_id};

/// How often a connector is looked at that is not verified, and how far apart two looks are that show a change by hand.
const LOOK: Duration = Duration::from_secs(30);
/// How long an enabled connector is left alone after its object was deleted.
const DELAY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_journey_takes_the_time_that_the_defaults_give_it() {
    let stage = Stage::set().await;
    let _operator = unhurried(&stage).await;
    let admin = stage.simulator.admin();
    let fields = json!({ "enabled": true, "deletionPolicy": "Delete" });
    stage.connector("example", "example.com", fields).await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    admin.publish_txt("example.com", &code(&object).unwrap());
    stage.until_ready_is("example", "Available").await;
    let mutations = stage.simulator.calls().mutations();
    let [create, update] = mutations.as_slice() else {
        panic!("{mutations:#?}")
    };
    let operations = (create.operation, update.operation);
    assert_eq!(operations, (Operation::Create, Operation::Update));
    assert!(update.arrived >= create.arrived + LOOK, "{mutations:#?}");

    let before = last(&stage.simulator.calls()).sequence;
    let id = connector_id(&object).unwrap();
    admin.set_enabled(&id, false).unwrap();
    stage.annotate("example", RECONCILE_AT, "now").await;
    let held = stage
        .until_ready_is("example", "HeldByExternalChange")
        .await;
    assert_eq!(condition(&held, ConditionType::Stalled).0, "True");
    let enforcement = held.status.unwrap().enforcement.unwrap();
    assert_eq!(enforcement.state, EnforcementState::Held);
    let since = stage.simulator.calls().after(before);
    assert_eq!(since.clone().mutations().count(), 0, "{since:#?}");
    let looks = since.of(Operation::Get);
    let first = looks.as_slice().first().unwrap();
    assert!(last(&looks).arrived >= first.arrived + LOOK, "{looks:#?}");

    admin.set_enabled(&id, true).unwrap();
    let deleted = Instant::now();
    stage.delete("example").await;
    assert!(deleted.elapsed() >= DELAY, "{:?}", deleted.elapsed());
    assert!(admin.connector(&id).is_none());
}

/// The operator without any flag about durations or pace.
async fn unhurried(stage: &Stage) -> Operator {
    let kubeconfig = stage
        .control_plane
        .service_account_kubeconfig(OPERATOR_NAMESPACE, "cloudflare-sso-operator", None)
        .await
        .unwrap();
    let mut operator = Operator::start(&OperatorOptions {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_cloudflare-sso-operator")),
        kubeconfig,
        cloudflare_base_url: stage.simulator.base_url().parse().unwrap(),
        flags: ["--lease-namespace", OPERATOR_NAMESPACE]
            .map(str::to_owned)
            .into(),
    })
    .unwrap();
    operator.until_ready(PATIENCE).await.unwrap();
    operator
}

fn last(calls: &Calls) -> Call {
    calls.last().unwrap().clone()
}
