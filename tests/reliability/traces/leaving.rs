//! Objects that are deleted with their connector while somebody changes the mind, or another object comes: trace h.

use std::time::Duration;

use futures::future::join_all;
use harness::{ApiServerProxy, Treatment};
use serde_json::{Value, json};
use simulator::{FaultHandle, Operation, When, World};

use super::{
    DUPLICATES, SLOW_CALLS, answer_duplicates, arrived, begin_deletion, connectors, creates,
    domain, hold, is_older, treat_status,
};
use crate::stage::{PATIENCE, Stage, connector_id, has_finalizer};

/// The call that is decided on is the next thing that the operator does.
const AT_ONCE: [&str; 2] = ["--deletion-delay", "0s"];

/// How far reads lag, where they show what was before.
const LAG: Duration = Duration::from_secs(5);

/// The operator expects them to.
const LAGGING_READS: [&[&str]; 3] = [
    &SLOW_CALLS,
    &AT_ONCE,
    &[
        "--difference-confirmation",
        "8s",
        "--observation-limit",
        "1s",
    ],
];

/// `Retain`, `Observe` or `suspend` arrives when the object was read for the last time and the PATCH or the DELETE is decided
/// on: the write that goes before the call finds the object changed, and the call is not made.
#[tokio::test]
async fn h_what_arrives_between_the_decision_and_the_call_still_counts() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &AT_ONCE).await;
    let edits = [
        ("retained", json!({ "deletionPolicy": "Retain" })),
        ("observed", json!({ "managementPolicy": "Observe" })),
        ("suspended", json!({ "suspend": true })),
    ];
    let cases = edits.iter().flat_map(|(name, edit)| {
        [true, false].map(|enabled| {
            let before = if enabled { "patch" } else { "delete" };
            (format!("{name}-before-{before}"), enabled, edit)
        })
    });
    let cases: Vec<_> = cases.collect();
    join_all(
        cases
            .iter()
            .map(|(name, enabled, _)| deletable(&stage, name, *enabled)),
    )
    .await;
    let made = stage.simulator.calls().mutations().count();

    join_all(
        cases
            .iter()
            .map(|(name, enabled, edit)| change_the_mind(&stage, &proxy, name, *enabled, edit)),
    )
    .await;
    let calls = stage.simulator.calls().mutations();
    assert_eq!(calls.count(), made, "{calls:#?}");
}

/// The owner is pruned, and its successor appears when the PATCH is decided on: what that has disabled is handed over and
/// enabled again, and not deleted.
#[tokio::test]
async fn h_a_successor_that_appears_between_the_decision_and_the_patch_inherits() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &AT_ONCE).await;
    let id = deletable(&stage, "owner", true).await;
    let old = stage.objects().get("owner").await.unwrap();
    let decided = treat_status(&proxy, Treatment::HoldBeforeForwarding, "owner", "Deleting");
    begin_deletion(&stage, "owner").await;
    arrived(&decided).await;
    let fields = json!({ "enabled": true, "deletionPolicy": "Delete" });
    stage.connector("successor", &domain("owner"), fields).await;
    stage.until_ready_is("successor", "DuplicateDomain").await;
    decided.release();

    harness::await_gone(&stage.objects(), &old, PATIENCE)
        .await
        .unwrap();
    let heir = stage.until_ready_is("successor", "Available").await;
    assert_eq!(connector_id(&heir).as_ref(), Some(&id));
    assert!(stage.simulator.admin().connector(&id).unwrap().enabled);
    let calls = stage.simulator.calls();
    assert_eq!(calls.of(Operation::Delete).count(), 0);
    assert_eq!(creates(&stage, &domain("owner")), 1);
}

/// The owner's DELETE is on the way when an older object for the domain becomes visible, which was suspended until then. It is
/// not the owner for being older: it waits, and what it creates when the other is gone stays.
#[tokio::test]
async fn h_the_delete_of_an_owner_does_not_hit_the_connector_of_an_older_object() {
    let stage = Stage::set().await;
    let _operator = stage
        .operator(&[SLOW_CALLS.as_slice(), &AT_ONCE].concat())
        .await;
    for (label, duplicates) in DUPLICATES {
        answer_duplicates(&stage, duplicates);
        let [older, owner] = ["older", "owner"].map(|what| format!("{what}-{label}"));
        let domain = domain(label);
        let suspended = json!({ "suspend": true });
        stage.connector(&older, &domain, suspended).await;
        stage.until_ready_is(&older, "Suspended").await;
        is_older(&stage, &older).await;
        let fields = json!({ "deletionPolicy": "Delete" });
        stage.connector(&owner, &domain, fields).await;
        let old = stage.until_ready_is(&owner, "AwaitingVerification").await;
        let delete = hold(&stage, Operation::Delete, &domain, When::BeforeCommit);
        begin_deletion(&stage, &owner).await;
        delete.arrived(PATIENCE).await.unwrap();

        stage.patch_spec(&older, json!({ "suspend": null })).await;
        let waits = stage.until_ready_is(&older, "DuplicateDomain").await;
        assert_eq!(connector_id(&waits), None);
        delete.release();
        harness::await_gone(&stage.objects(), &old, PATIENCE)
            .await
            .unwrap();
        let bound = stage.until_ready_is(&older, "AwaitingVerification").await;
        let [connector] = connectors(&stage, &domain).try_into().unwrap();
        assert_eq!(connector_id(&bound), Some(connector.id), "{label}");
        assert_ne!(connector_id(&bound), connector_id(&old), "{label}");
        assert_eq!(creates(&stage, &domain), 2, "{label}");
    }
}

/// The successor appears just after the PATCH, and reads still show the connector as enabled: that does not count as applied, and
/// the effect of our own PATCH, once it shows, not as somebody's decision. It is enabled again.
#[tokio::test]
async fn h_a_successor_is_not_deceived_by_reads_that_lag_the_patch() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&LAGGING_READS.concat()).await;
    let id = deletable(&stage, "owner", true).await;
    let patch = hold(
        &stage,
        Operation::Update,
        &domain("owner"),
        When::AfterCommit,
    );
    reads_lag_the_deletion_of(&stage, &patch).await;
    let fields = json!({ "enabled": true });
    stage.connector("successor", &domain("owner"), fields).await;
    stage.until_ready_is("successor", "DuplicateDomain").await;
    patch.release();

    let is_enabled = |world: &World| world.connector(&id).is_some_and(|found| found.enabled);
    stage.simulator.until(is_enabled, PATIENCE).await.unwrap();
    let heir = stage.until_ready_is("successor", "Available").await;
    assert_eq!(connector_id(&heir).as_ref(), Some(&id));
}

/// The DELETE is carried out, its answer is lost, and reads still show the connector; meanwhile a successor has appeared. It
/// does not inherit what is gone, which it would have to take for somebody's decision: it gets a connector of its own.
#[tokio::test]
async fn h_a_successor_does_not_inherit_what_a_delete_without_an_answer_has_removed() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&LAGGING_READS.concat()).await;
    let old = deletable(&stage, "owner", false).await;
    let domain = domain("owner");
    let delete = hold(&stage, Operation::Delete, &domain, When::AfterCommit);
    reads_lag_the_deletion_of(&stage, &delete).await;
    let fields = json!({ "enabled": false });
    stage.connector("successor", &domain, fields).await;
    stage.until_ready_is("successor", "DuplicateDomain").await;
    delete.drop_connection();

    let bound = stage
        .until("successor", "a connector of its own", |object| {
            connector_id(object).is_some_and(|id| id != old)
        })
        .await;
    let [connector] = connectors(&stage, &domain).try_into().unwrap();
    assert_eq!(connector_id(&bound), Some(connector.id));
    assert_eq!(creates(&stage, &domain), 2);
    stage
        .until_ready_is("successor", "AwaitingVerification")
        .await;
}

/// Deletes the owner, and when the held call has been carried out, lets reads show what was before.
async fn reads_lag_the_deletion_of(stage: &Stage, held: &FaultHandle) {
    // What is read with a lag must have been there that long.
    tokio::time::sleep(LAG).await;
    begin_deletion(stage, "owner").await;
    held.arrived(PATIENCE).await.unwrap();
    stage.simulator.admin().turn_knobs(|knobs| {
        knobs.get_lag = LAG;
        knobs.list_lag = LAG;
    });
}

/// An object that says in writing to delete its connector, which is enabled or not even verified; the connector's ID.
async fn deletable(stage: &Stage, name: &str, enabled: bool) -> String {
    let domain = domain(name);
    let id = if enabled {
        stage.enabled_connector(name, &domain).await
    } else {
        stage.connector(name, &domain, json!({})).await;
        let object = stage.until_ready_is(name, "AwaitingVerification").await;
        connector_id(&object).unwrap()
    };
    stage
        .patch_spec(name, json!({ "deletionPolicy": "Delete" }))
        .await;
    stage.until(name, "its finalizer", has_finalizer).await;
    id
}

/// The object is deleted, and edited at the last moment: it goes, and its connector stays as it is.
async fn change_the_mind(
    stage: &Stage,
    proxy: &ApiServerProxy,
    name: &str,
    enabled: bool,
    edit: &Value,
) {
    let object = stage.objects().get(name).await.unwrap();
    let decided = treat_status(proxy, Treatment::HoldBeforeForwarding, name, "Deleting");
    begin_deletion(stage, name).await;
    arrived(&decided).await;
    stage.patch_spec(name, edit.clone()).await;
    decided.release();
    harness::await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    let [left] = connectors(stage, &domain(name)).try_into().unwrap();
    assert_eq!(left.enabled, enabled, "{name}");
}
