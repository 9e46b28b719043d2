//! The watch is open and silent while reads and writes work, as it is in the moments before a failing API server or network is
//! found out. Persons edit, delete and re-create objects meanwhile, and Cloudflare gives the operator every reason to act on
//! what it last saw of them. Nothing that it decides on such a copy takes effect, and once the watch speaks again all
//! is as it was asked for.

mod case;

use cloudflare_sso_operator::resource::ConditionType;
use futures::future::join_all;
use harness::{ApiServerProxy, EventInterception, EventTreatment};
use kube::ResourceExt as _;
use serde_json::json;
use simulator::{Failure, Fault, Operation, When};

use crate::stage::{ACCOUNT, PATIENCE, Stage, code, condition, connector_id};
use crate::tally;
use crate::witness::{OBJECTS, Witness, connectors_for, counts, until_bound_anew};
use case::cases;

/// A call may last as long as a test holds it, and what fails is begun again soon.
const FLAGS: [&str; 8] = [
    "--call-timeout",
    "10s",
    "--creation-grace",
    "15s",
    "--lease-duration",
    "18s",
    "--restart-backoff",
    "1s",
];

#[tokio::test]
async fn what_is_decided_on_copies_from_before_the_watch_froze_takes_no_effect() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let mut operator = stage.operator_through(Some(proxy.url()), &FLAGS).await;
    let cases = cases();
    let prepared = join_all(cases.iter().map(|case| case.prepare(&stage))).await;

    let frozen = freeze(&proxy);
    let witness = Witness::from_now(&stage, &proxy);
    join_all(cases.iter().map(|case| case.happen(&stage))).await;
    tokio::time::timeout(PATIENCE, frozen.arrived())
        .await
        .unwrap();
    let (objects, silences): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
    let all = || cases.iter().zip(&objects);
    join_all(
        all()
            .zip(silences)
            .map(|((case, object), silence)| case.tempt(&stage, object, silence)),
    )
    .await;
    join_all(all().map(|(case, object)| case.until_tempted(&stage, &witness, object))).await;
    // And again and again, ever more slowly.
    stage.heartbeats(6).await;
    for case in &cases {
        let mutations = witness.mutations(&case.domain());
        assert!(mutations.is_empty(), "{}: {mutations:#?}", case.name);
        let calls = witness.about(case.name).len();
        assert!(calls <= 14, "{}: {calls} calls", case.name);
    }

    frozen.release();
    join_all(all().map(|(case, object)| case.until_ended(&stage, object))).await;
    stage.heartbeats(2).await;
    for (case, object) in all() {
        let mutations = witness.mutations(&case.domain());
        assert_eq!(
            counts(&mutations),
            case.mutations,
            "{}: {mutations:#?}",
            case.name
        );
        let there = connectors_for(&stage, ACCOUNT, &case.domain());
        let bound: Vec<_> = connector_id(object).into_iter().collect();
        assert_eq!(there, bound, "{}: no second one, none deleted", case.name);
    }
    assert!(operator.process().is_running().unwrap());
    assert_eq!(operator.get("/readyz").await.unwrap(), "ok\n");
    tally::tell(&format!("frozen watch: {} cases", cases.len()));
}

/// The object for which a connector was created is gone, and another one of its name is there, before the answer comes.
#[tokio::test]
async fn an_object_that_was_created_again_unseen_is_not_given_the_id_that_comes_back() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &FLAGS).await;
    let waits = Failure::Hold {
        when: When::AfterCommit,
    };
    let waits = Fault::new(waits)
        .on(Operation::Create)
        .on_domain("old.example");
    let creation = stage.simulator.admin().push_fault(waits);
    stage.connector("example", "old.example", json!({})).await;
    creation.arrived(PATIENCE).await.unwrap();
    let old = stage.objects().get("example").await.unwrap();

    let frozen = freeze(&proxy);
    let witness = Witness::from_now(&stage, &proxy);
    stage.delete("example").await;
    stage.connector("example", "new.example", json!({})).await;
    creation.release();
    witness.until_refused("example").await;
    stage.heartbeats(4).await;
    let object = stage.objects().get("example").await.unwrap();
    assert_eq!(connector_id(&object), None);
    frozen.release();
    let own = until_bound_anew(&stage, "example", &old).await;
    assert_eq!(connectors_for(&stage, ACCOUNT, "new.example"), [own]);
    assert_eq!(connectors_for(&stage, ACCOUNT, "old.example").len(), 1);
    assert_eq!(counts(&witness.mutations("old.example")), [0, 0, 0, 0]);
}

/// Events that come late, one by one, are events of the past: each is older than what the operator has written meanwhile.
#[tokio::test]
async fn what_the_operator_has_written_itself_is_not_forgotten_for_the_past_that_comes_late() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    stage.connector("before", "before.example", json!({})).await;
    stage.until_ready_is("before", "AwaitingVerification").await;
    // The object arrives, and of all that becomes of it nothing does.
    let frozen = proxy.intercept_events(EventTreatment::Hold, |event| {
        event.object["metadata"]["name"] == "example"
            && event.object["status"]["conditions"][0]["reason"] != "Reconciling"
    });
    let enabled = json!({ "enabled": true, "deletionPolicy": "Delete" });
    let id = {
        stage.connector("example", "example.com", enabled).await;
        let waiting = stage
            .until_ready_is("example", "AwaitingVerification")
            .await;
        let admin = stage.simulator.admin();
        admin.publish_txt("example.com", &code(&waiting).unwrap());
        let enabled = stage.until_ready_is("example", "Available").await;
        connector_id(&enabled).unwrap()
    };
    let version = || async {
        stage
            .objects()
            .get("example")
            .await
            .unwrap()
            .resource_version()
    };
    let settled = version().await;
    frozen.release();
    stage.heartbeats(6).await;
    assert_eq!(version().await, settled, "nothing is written for the past");
    let mutations = stage.simulator.calls().mutations().on_domain("example.com");
    assert_eq!(counts(&mutations), [1, 0, 1, 0], "{mutations:#?}");
    assert_eq!(connectors_for(&stage, ACCOUNT, "example.com"), [id]);
    let ready = condition(
        &stage.objects().get("example").await.unwrap(),
        ConditionType::Ready,
    );
    assert_eq!(ready.0, "True");
}

/// Nothing more is told of the objects.
pub(crate) fn freeze(proxy: &ApiServerProxy) -> EventInterception {
    proxy.intercept_events(EventTreatment::Hold, |event| {
        event.path.starts_with(OBJECTS)
    })
}
