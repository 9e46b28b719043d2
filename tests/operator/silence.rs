//! A settled world is a silent one.

use std::time::{Duration, Instant};

use harness::{AuditEvent, Options};
use serde_json::json;
use simulator::Operation;

use crate::stage::{PATIENCE, Stage, code, connector, quick_knobs};

/// How often a settled connector is looked at in this test. The real interval is sixty times as long.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long nothing happens.
const SILENCE: Duration = Duration::from_mins(2);

#[tokio::test]
async fn fifty_settled_objects_cost_one_list_an_interval_and_no_write() {
    let stage = Stage::with(Options::default().with_audit_log(), quick_knobs()).await;
    let _operator = stage.operator(&["--poll-settled", "10s"]).await;
    let mut objects = Vec::new();
    for n in 0..50 {
        let mut object = connector(&format!("c{n}"), &format!("d{n}.example"));
        object["spec"]["enabled"] = json!(true);
        objects.push(object);
    }
    stage
        .apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }))
        .await;
    for n in 0..50 {
        let object = stage
            .until(&format!("c{n}"), "its code", |object| {
                code(object).is_some()
            })
            .await;
        let domain = format!("d{n}.example");
        stage
            .simulator
            .admin()
            .publish_txt(&domain, &code(&object).unwrap());
    }
    for n in 0..50 {
        stage.until_ready_is(&format!("c{n}"), "Available").await;
    }

    let writes = until_a_look_writes_nothing(&stage).await;
    let calls = stage.simulator.calls();
    let last = calls.last().unwrap().sequence;
    let started = calls.last().unwrap().arrived;
    // The silence ends with the first look after it, so nothing is asserted about a moment in between.
    let past =
        move |call: &simulator::Call| call.sequence > last && call.arrived > started + SILENCE;
    stage
        .simulator
        .until(
            |world| world.calls().filter(past).count() > 0,
            SILENCE + PATIENCE,
        )
        .await
        .unwrap();

    let after = stage.simulator.calls().after(last);
    let intervals = SILENCE.as_secs() / INTERVAL.as_secs();
    assert_eq!(after.clone().mutations().count(), 0, "{after:#?}");
    assert_eq!(
        after.count(),
        after.clone().of(Operation::List).count(),
        "{after:#?}"
    );
    let lists = u64::try_from(after.count()).unwrap();
    assert!(
        lists <= intervals + 1,
        "{lists} lists in {intervals} intervals"
    );
    assert!(
        lists >= intervals * 8 / 10,
        "{lists} lists in {intervals} intervals"
    );
    assert_eq!(self::writes(&stage), writes, "nothing was written");
}

/// Until nothing is written from one look at the account to the next: the Events of what has come last are published after the
/// status says it. How often something was written by then.
async fn until_a_look_writes_nothing(stage: &Stage) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let lists = |calls: simulator::Calls| calls.of(Operation::List).count();
    let next_look = async || {
        let known = lists(stage.simulator.calls());
        let next = stage
            .simulator
            .until(|world| lists(world.calls()) > known, PATIENCE);
        next.await.unwrap();
    };
    next_look().await;
    loop {
        let before = writes(stage);
        next_look().await;
        let after = writes(stage);
        if after == before {
            return after;
        }
        assert!(Instant::now() < deadline, "each look writes something");
    }
}

/// How often the operator has written something about its objects.
fn writes(stage: &Stage) -> usize {
    let is_write = |event: &AuditEvent| {
        event.user.ends_with(":cloudflare-sso-operator")
            && ["create", "update", "patch", "delete"].contains(&event.verb.as_str())
            // The Lease is renewed for ever, and asking for one's rights writes nothing.
            && !["leases", "selfsubjectaccessreviews"].contains(&event.resource.as_str())
    };
    stage
        .control_plane
        .audit_events()
        .unwrap()
        .iter()
        .filter(|event| is_write(event))
        .count()
}
