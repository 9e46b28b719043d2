//! States that nobody was told of: between two that were seen an object had another spec, or was another object. The operator
//! decides on what it sees, and what it does not see starts nothing and ends nothing.

use cloudflare_sso_operator::resource::SsoConnector;
use futures::future::join_all;
use harness::{ApiServerProxy, EventInterception, EventTreatment, WatchEvent};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::stage::{ACCOUNT, PATIENCE, Stage, connector_id, has_finalizer};
use crate::witness::{Witness, connectors_for, counts, until_bound_anew};

/// Leaves out the events for which `unseen` holds of the object.
fn leave_out(
    proxy: &ApiServerProxy,
    unseen: impl Fn(&Value) -> bool + Send + Sync + 'static,
) -> EventInterception {
    proxy.intercept_events(EventTreatment::Drop, move |event: &WatchEvent| {
        unseen(&event.object)
    })
}

#[tokio::test]
async fn a_spec_that_was_there_only_between_two_looks_starts_nothing_and_ends_no_hold() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let names = ["held", "satisfied", "marked", "suspended"];
    let domain = |name: &str| format!("{name}.example");
    let ids = join_all(names.map(async |name| stage.enabled_connector(name, &domain(name)).await));
    let ids = ids.await;
    let admin = stage.simulator.admin();
    admin.set_enabled(&ids[0], false).unwrap();
    stage.until_ready_is("held", "HeldByExternalChange").await;

    let witness = Witness::from_now(&stage, &proxy);
    let unseen = leave_out(&proxy, |object| {
        let spec = &object["spec"];
        spec["enabled"] != true || spec["deletionPolicy"] == "Delete" || spec["suspend"] == true
    });
    for (name, there, back) in [
        (
            "held",
            json!({ "enabled": null }),
            json!({ "enabled": true }),
        ),
        (
            "satisfied",
            json!({ "enabled": false }),
            json!({ "enabled": true }),
        ),
        (
            "marked",
            json!({ "deletionPolicy": "Delete" }),
            json!({ "deletionPolicy": "Retain" }),
        ),
        (
            "suspended",
            json!({ "suspend": true }),
            json!({ "suspend": false }),
        ),
    ] {
        stage.patch_spec(name, there).await;
        stage.patch_spec(name, back).await;
    }
    tokio::time::timeout(PATIENCE, unseen.arrived())
        .await
        .unwrap();
    stage.until_ready_is("held", "HeldByExternalChange").await;
    for name in &names[1..] {
        let object = stage.until_ready_is(name, "Available").await;
        assert!(!has_finalizer(&object), "{name}");
    }
    stage.heartbeats(4).await;
    for name in names {
        let mutations = witness.mutations(&domain(name));
        assert!(mutations.is_empty(), "{name}: {mutations:#?}");
    }
    assert!(!admin.connector(&ids[0]).unwrap().enabled);
}

#[tokio::test]
async fn an_object_in_place_of_another_of_which_only_the_new_one_is_seen_is_a_new_object() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let names = ["moved", "again"];
    let domain = |name: &str| format!("{name}.example");
    let prepared = join_all(names.map(async |name| {
        stage.enabled_connector(name, &domain(name)).await;
        stage.objects().get(name).await.unwrap()
    }));
    let old: Vec<SsoConnector> = prepared.await;

    let witness = Witness::from_now(&stage, &proxy);
    let former: Vec<_> = old.iter().filter_map(ResourceExt::uid).collect();
    let unseen = leave_out(&proxy, move |object| {
        former.iter().any(|uid| object["metadata"]["uid"] == *uid)
    });
    for name in names {
        stage.delete(name).await;
    }
    // One is for another domain now, and the other one is what it was.
    stage
        .connector("moved", "elsewhere.example", json!({}))
        .await;
    let enabled = json!({ "enabled": true });
    stage.connector("again", &domain("again"), enabled).await;
    tokio::time::timeout(PATIENCE, unseen.arrived())
        .await
        .unwrap();

    let moved = until_bound_anew(&stage, "moved", &old[0]).await;
    assert_ne!(Some(&moved), connector_id(&old[0]).as_ref());
    assert_eq!(
        connectors_for(&stage, ACCOUNT, "elsewhere.example"),
        [moved]
    );
    let again = until_bound_anew(&stage, "again", &old[1]).await;
    assert_eq!(Some(again), connector_id(&old[1]), "nobody is logged out");
    stage.until_ready_is("again", "Available").await;
    stage.heartbeats(4).await;
    for (name, old) in names.iter().zip(&old) {
        let domain = domain(name);
        assert_eq!(counts(&witness.mutations(&domain)), [0, 0, 0, 0], "{name}");
        let there = connectors_for(&stage, ACCOUNT, &domain);
        assert_eq!(there, [connector_id(old).unwrap()], "{name}");
    }
}
