//! The API server goes away and comes back, and remembers less than before: a watch that cannot go on where it was is begun
//! with a new list, and what happened meanwhile counts as if it had been seen.

use cloudflare_sso_operator::resource::SsoConnector;
use futures::future::join_all;
use harness::{ApiServerProxy, CallRecord};
use serde_json::json;

use crate::PATIENT_LEASE;
use crate::stage::{ACCOUNT, PATIENCE, Stage, code, connector_id};
use crate::stale_watch::freeze;
use crate::tally;
use crate::witness::{OBJECTS, connectors_for, counts, last_call};

/// How many calls an operator with a handful of objects may make in a minute or so in which most of them fail.
const CALLS: usize = 1500;

fn is_list(call: &CallRecord) -> bool {
    let all = call.path.starts_with(&format!("{OBJECTS}ssoconnectors?"));
    all && !call.is_watch() && !call.path.contains("fieldSelector")
}

fn lists(proxy: &ApiServerProxy) -> usize {
    proxy.calls().iter().filter(|call| is_list(call)).count()
}

#[tokio::test]
async fn the_api_server_is_restarted_and_what_it_knew_of_the_past_is_compacted() {
    let mut stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    // How the leader ends if it cannot live through it is tested elsewhere.
    let mut operator = stage
        .operator_through(Some(proxy.url()), PATIENT_LEASE)
        .await;
    let names = ["suspended", "removed", "replaced", "waiting"];
    let domain = |name: &str| format!("{name}.example");
    for name in names {
        stage
            .connector(name, &domain(name), json!({ "enabled": true }))
            .await;
    }
    for name in names {
        stage.until_ready_is(name, "AwaitingVerification").await;
    }
    let before = proxy.calls().len();

    stage.control_plane.restart_api_server().await.unwrap();
    stage.connector("after", "after.example", json!({})).await;
    stage.until_ready_is("after", "AwaitingVerification").await;

    // What the watch was to tell is not in etcd any more when it is asked for again.
    let objects = join_all(names.map(async |name| stage.objects().get(name).await.unwrap()));
    let objects: Vec<SsoConnector> = objects.await;
    let frozen = freeze(&proxy);
    let last = last_call(&stage);
    stage
        .patch_spec("suspended", json!({ "suspend": true }))
        .await;
    stage.delete("removed").await;
    stage.delete("replaced").await;
    let elsewhere = json!({ "enabled": true });
    stage
        .connector("replaced", "elsewhere.example", elsewhere)
        .await;
    let listed = lists(&proxy);
    stage.control_plane.compact_etcd().await.unwrap();
    stage.control_plane.restart_api_server().await.unwrap();
    let admin = stage.simulator.admin();
    for object in &objects {
        admin.publish_txt(&object.spec.email_domain, &code(object).unwrap());
    }
    frozen.release();

    stage.until_ready_is("suspended", "Suspended").await;
    stage.until_ready_is("waiting", "Available").await;
    let replaced = stage
        .until_ready_is("replaced", "AwaitingVerification")
        .await;
    assert!(
        lists(&proxy) > listed,
        "the watch could not go on where it was"
    );
    stage.heartbeats(3).await;
    for (object, updates) in objects.iter().zip([0, 0, 0, 1]) {
        let domain = &object.spec.email_domain;
        let mutations = stage.simulator.calls().after(last).mutations();
        let mutations = mutations.on_domain(domain);
        assert_eq!(
            counts(&mutations),
            [0, 0, updates, 0],
            "{domain}: {mutations:#?}"
        );
        let there = connectors_for(&stage, ACCOUNT, domain);
        assert_eq!(there, [connector_id(object).unwrap()], "{domain}");
    }
    let there = connectors_for(&stage, ACCOUNT, "elsewhere.example");
    assert_eq!(there, [connector_id(&replaced).unwrap()]);
    assert!(operator.process().is_running().unwrap());
    operator.until_ready(PATIENCE).await.unwrap();
    let calls = proxy.calls().len() - before;
    tally::tell(&format!("outage: {calls} calls to the API server"));
    assert!(calls < CALLS, "{calls} calls");
}
