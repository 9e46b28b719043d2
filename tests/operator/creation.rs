//! Exactly one connector for each object, whatever happens around the POST.

use std::time::Duration;

use harness::{ApiServerProxy, Interception, Operator, Treatment};
use reqwest::StatusCode;
use serde_json::json;
use simulator::{Call, Calls, Failure, Fault, FaultHandle, Operation, When};

use crate::stage::{ACCOUNT, PATIENCE, Stage, connector_id, quick_knobs};

/// The grace of the operators under test; see the stage's durations.
const GRACE: Duration = Duration::from_secs(3);
/// How long a call to Cloudflare may take in all.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn two_hundred_objects_applied_at_once_get_one_connector_each() {
    let stage = Stage::set().await;
    // Polling so many every few moments would be all that a busy machine does.
    let _operator = stage.operator(&["--poll-unverified", "5s"]).await;
    let objects: Vec<_> = (0..200)
        .map(|n| crate::stage::connector(&format!("c{n}"), &format!("d{n}.example")))
        .collect();
    stage
        .apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }))
        .await;

    let admin = stage.simulator.admin();
    admin
        .until_found(
            |world| (world.connectors(ACCOUNT).len() == 200).then_some(()),
            PATIENCE,
        )
        .await
        .unwrap();
    for n in 0..200 {
        let object = stage
            .until_ready_is(&format!("c{n}"), "AwaitingVerification")
            .await;
        let id = connector_id(&object).unwrap();
        assert_eq!(
            admin.connector(&id).unwrap().email_domain,
            format!("d{n}.example")
        );
    }
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 200);
    assert_eq!(admin.connectors(ACCOUNT).len(), 200);
}

#[tokio::test]
async fn killed_right_before_the_post() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let held = hold(&stage, When::BeforeCommit);
    stage.connector("example", "example.com", json!({})).await;
    held.arrived(PATIENCE).await.unwrap();
    operator.kill().unwrap();
    held.drop_connection();

    let _successor = stage.operator(&[]).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_one_connector(&stage, 2).await;
}

#[tokio::test]
async fn killed_after_the_post_before_its_answer() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let held = hold(&stage, When::AfterCommit);
    stage.connector("example", "example.com", json!({})).await;
    held.arrived(PATIENCE).await.unwrap();
    operator.kill().unwrap();
    held.release();

    let _successor = stage.operator(&[]).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_one_connector(&stage, 1).await;
}

#[tokio::test]
async fn killed_after_the_answer_before_the_status_write() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let mut operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let write = hold_status(&proxy, "connectorID");
    stage.connector("example", "example.com", json!({})).await;
    tokio::time::timeout(PATIENCE, write.arrived())
        .await
        .unwrap();
    operator.kill().unwrap();
    drop(write);

    let _successor = stage.operator(&[]).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_one_connector(&stage, 1).await;
}

#[tokio::test]
async fn asked_to_stop_while_the_post_is_in_flight() {
    let stage = Stage::set().await;
    let operator = stage
        .operator(&[
            "--call-timeout",
            "10s",
            "--creation-grace",
            "15s",
            "--lease-duration",
            "18s",
        ])
        .await;
    let held = hold(&stage, When::AfterCommit);
    stage.connector("example", "example.com", json!({})).await;
    held.arrived(PATIENCE).await.unwrap();
    expect_the_id_when_it_stops(&stage, operator, || held.release()).await;
}

#[tokio::test]
async fn asked_to_stop_while_the_api_server_does_not_take_the_id() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let refused = proxy.intercept(Treatment::Answer(StatusCode::SERVICE_UNAVAILABLE), |call| {
        is_status_with(call, "connectorID")
    });
    stage.connector("example", "example.com", json!({})).await;
    tokio::time::timeout(PATIENCE, refused.arrived())
        .await
        .unwrap();
    expect_the_id_when_it_stops(&stage, operator, || refused.release()).await;
}

#[tokio::test]
async fn the_answer_to_the_post_is_lost_or_nonsense() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let late = Failure::Delay {
        when: When::AfterCommit,
        time: Duration::from_secs(2),
    };
    let never_arrived = Failure::Delay {
        when: When::BeforeCommit,
        time: Duration::from_secs(2),
    };
    let failures = [
        ("timeout", late, 1),
        // Slower than the call may take, and it takes effect after the operator has given up on it.
        ("late", never_arrived, 1),
        (
            "reset-after",
            Failure::Reset {
                when: When::AfterCommit,
            },
            1,
        ),
        (
            "reset-before",
            Failure::Reset {
                when: When::BeforeCommit,
            },
            2,
        ),
        ("html-after", Failure::html(502).after_commit(), 1),
        ("html-before", Failure::html(502), 2),
        ("truncated", Failure::Truncate, 1),
        ("no-id", Failure::WithoutId, 1),
        ("conflict", Failure::envelope(409, 990_009, "duplicate"), 2),
    ];
    for (name, failure, _) in &failures {
        let domain = format!("{name}.example");
        let fault = Fault::new(failure.clone())
            .on(Operation::Create)
            .on_domain(&domain);
        stage.simulator.admin().push_fault(fault);
        stage.connector(name, &domain, json!({})).await;
    }
    for (name, _, posts) in &failures {
        let object = stage.until_ready_is(name, "AwaitingVerification").await;
        let domain = format!("{name}.example");
        let calls = stage.simulator.calls();
        assert_eq!(
            calls
                .clone()
                .of(Operation::Create)
                .on_domain(&domain)
                .count(),
            *posts,
            "{name}"
        );
        expect_justified(&calls, &domain);
        let all = stage.simulator.admin().connectors(ACCOUNT);
        let ours: Vec<_> = all
            .iter()
            .filter(|found| found.email_domain == domain)
            .collect();
        assert_eq!(ours.len(), 1, "{name}");
        assert_eq!(connector_id(&object).as_ref(), Some(&ours[0].id), "{name}");
    }
}

#[tokio::test]
async fn an_intent_that_rests_on_an_old_copy_is_refused_and_nothing_is_sent_for_it() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let intent = hold_status(&proxy, "pendingCreate");
    stage.connector("example", "example.com", json!({})).await;
    tokio::time::timeout(PATIENCE, intent.arrived())
        .await
        .unwrap();
    stage
        .kubectl(&["label", "-n", "team", "sso/example", "edited=meanwhile"])
        .await;
    intent.release();

    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    expect_one_connector(&stage, 1).await;
    let metrics = operator.metrics().await.unwrap();
    assert!(metrics.contains("outcome=\"conflict\""), "{metrics}");
}

#[tokio::test]
async fn events_do_not_stand_between_the_answer_and_storing_the_id() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let events = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.path.contains("/events")
    });
    stage.connector("example", "example.com", json!({})).await;
    tokio::time::timeout(PATIENCE, events.arrived())
        .await
        .unwrap();
    let object = stage.objects().get("example").await.unwrap();
    assert!(connector_id(&object).is_some(), "the ID was stored first");
    events.release();
}

#[tokio::test]
async fn a_label_edited_while_the_post_is_in_flight() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let held = hold(&stage, When::AfterCommit);
    stage.connector("example", "example.com", json!({})).await;
    held.arrived(PATIENCE).await.unwrap();
    stage
        .kubectl(&["label", "-n", "team", "sso/example", "edited=meanwhile"])
        .await;
    held.release();

    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(object.metadata.labels.unwrap()["edited"], "meanwhile");
    expect_one_connector(&stage, 1).await;
}

#[tokio::test]
async fn a_crowd_gets_through_lists_that_lag_and_come_in_pages() {
    let knobs = simulator::Knobs {
        list_lag: Duration::from_millis(1500),
        page_size: std::num::NonZeroUsize::new(7),
        result_info: simulator::knobs::Switch::On,
        ..quick_knobs()
    };
    let stage = Stage::with(harness::Options::default(), knobs).await;
    let _operator = stage.operator(&[]).await;
    for n in 0..20 {
        stage
            .connector(&format!("c{n}"), &format!("d{n}.example"), json!({}))
            .await;
    }
    for n in 0..20 {
        stage
            .until_ready_is(&format!("c{n}"), "AwaitingVerification")
            .await;
    }
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 20);
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT).len(), 20);
}

pub(crate) fn hold(stage: &Stage, when: When) -> FaultHandle {
    stage
        .simulator
        .admin()
        .push_fault(Fault::new(Failure::Hold { when }).on(Operation::Create))
}

/// Asks it to stop, lets what hinders it go once it has heard that, and expects the ID to be stored when it has ended.
async fn expect_the_id_when_it_stops(stage: &Stage, mut operator: Operator, let_go: impl FnOnce()) {
    let address = operator.address().to_owned();
    let stopping = async {
        let status = operator.terminate(PATIENCE).await.unwrap();
        assert!(status.success(), "{status}");
    };
    let answering = async {
        until_no_probes(&address).await;
        let_go();
    };
    tokio::join!(stopping, answering);
    let object = stage.objects().get("example").await.unwrap();
    assert!(
        connector_id(&object).is_some(),
        "the ID was stored before it ended"
    );
    expect_one_connector(stage, 1).await;
}

/// It has heard the signal when it serves no probes any more.
async fn until_no_probes(address: &str) {
    harness::until(
        "the probes to end",
        PATIENCE,
        async || match tokio::net::TcpStream::connect(address).await {
            Ok(_) => Err("still served"),
            Err(_) => Ok(()),
        },
    )
    .await
    .unwrap();
}

/// Holds the first status write that mentions the field.
pub(crate) fn hold_status(proxy: &ApiServerProxy, field: &'static str) -> Interception {
    proxy.intercept(Treatment::HoldBeforeForwarding, move |call| {
        is_status_with(call, field)
    })
}

fn is_status_with(call: &harness::Call, field: &str) -> bool {
    call.path.contains("/status") && String::from_utf8_lossy(&call.body).contains(field)
}

/// One connector at Cloudflare, bound to the object, after that many POSTs.
pub(crate) async fn expect_one_connector(stage: &Stage, posts: usize) {
    let [connector] = stage
        .simulator
        .admin()
        .connectors(ACCOUNT)
        .try_into()
        .unwrap();
    let object = stage.objects().get("example").await.unwrap();
    assert_eq!(connector_id(&object), Some(connector.id));
    let calls = stage.simulator.calls();
    assert_eq!(
        calls.clone().of(Operation::Create).count(),
        posts,
        "{calls:#?}"
    );
    expect_justified(&calls, "example.com");
}

/// Between two POSTs for a domain lie two lists that showed none, the second a grace after the first POST was begun. Here is
/// known when that arrived, which is no later than the call may take.
fn expect_justified(calls: &Calls, domain: &str) {
    let posts: Vec<Call> = calls
        .clone()
        .of(Operation::Create)
        .on_domain(domain)
        .as_slice()
        .to_vec();
    for pair in posts.windows(2) {
        let between =
            |call: &&Call| call.sequence > pair[0].sequence && call.sequence < pair[1].sequence;
        let lists: Vec<_> = calls
            .as_slice()
            .iter()
            .filter(between)
            .filter(|call| call.operation == Operation::List)
            .collect();
        assert!(
            lists.len() >= 2,
            "two lists before the second POST: {lists:#?}"
        );
        let last = lists[lists.len() - 1];
        assert!(
            last.arrived + CALL_TIMEOUT >= pair[0].arrived + GRACE,
            "the last list was past the grace"
        );
    }
}
