//! What goes wrong outside: shown when it lasts, waited out, never made worse.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::{ApiServerProxy, Treatment};
use serde_json::json;
use simulator::{Call, Failure, Fault, Operation, Repeat, When};

use crate::stage::{ACCOUNT, PATIENCE, Stage, condition, current};

#[tokio::test]
async fn one_throttled_call_costs_no_status_write() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    let before = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    let fault = stage.simulator.admin().push_fault(
        Fault::new(Failure::throttled(Some(Duration::from_secs(1)))).on(Operation::List),
    );
    until_lists(&stage, 4).await;
    assert_eq!(fault.struck(), 1);
    let after = stage.objects().get("example").await.unwrap();
    assert_eq!(
        before.metadata.resource_version,
        after.metadata.resource_version
    );
}

#[tokio::test]
async fn lasting_trouble_is_shown_and_goes_away_by_itself() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    let admin = stage.simulator.admin();
    admin.push_fault(
        Fault::new(Failure::html(502))
            .on(Operation::List)
            .repeat(Repeat::Forever),
    );
    let shown = stage
        .until("example", "the trouble to show", |object| {
            condition(object, ConditionType::Synced).1 == "CloudflareUnavailable"
        })
        .await;
    assert_eq!(
        condition(&shown, ConditionType::Ready).1,
        "AwaitingVerification",
        "kept"
    );
    assert_eq!(condition(&shown, ConditionType::Reconciling).0, "True");
    assert_eq!(
        condition(&shown, ConditionType::Stalled).0,
        "",
        "it will pass"
    );

    // A new spec is not spoken of before it was looked at.
    stage
        .patch_spec("example", json!({ "enabled": false }))
        .await;
    stage
        .simulator
        .until(|world| lists(&world.calls()) > 6, PATIENCE)
        .await
        .unwrap();
    assert!(!current(&stage.objects().get("example").await.unwrap()));

    admin.clear_faults();
    let healed = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(
        condition(&healed, ConditionType::Synced).1,
        "ReconcileSucceeded"
    );
    assert_eq!(condition(&healed, ConditionType::Reconciling).0, "");
    let events = stage.kubectl(&["get", "events", "-n", "team"]).await;
    assert!(events.contains("CloudflareUnavailable"), "{events}");
}

#[tokio::test]
async fn while_cloudflare_is_silent_one_list_is_tried_for_all_who_wait_to_use_the_same_new_token() {
    const OBJECTS: usize = 10;
    let stage = Stage::set().await;
    let silence = Failure::Delay {
        when: When::default(),
        time: PATIENCE,
    };
    stage.simulator.admin().push_fault(
        Fault::new(silence)
            .on(Operation::List)
            .repeat(Repeat::Forever),
    );
    for n in 0..OBJECTS {
        stage
            .connector(&format!("c{n}"), &format!("d{n}.example"), json!({}))
            .await;
    }
    let _operator = stage.operator(&[]).await;
    for n in 0..OBJECTS {
        stage
            .until(&format!("c{n}"), "the trouble to show", |object| {
                condition(object, ConditionType::Synced).1 == "CloudflareUnavailable"
            })
            .await;
    }
    // Each object has seen three failures.
    let lists = lists(&stage.simulator.calls());
    assert!(lists < OBJECTS, "{lists} lists");
}

#[tokio::test]
async fn a_pause_that_cloudflare_asks_for_holds_for_every_object_of_the_token() {
    let stage = Stage::set().await;
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
    let pause = Duration::from_secs(3);
    let fault = stage
        .simulator
        .admin()
        .push_fault(Fault::new(Failure::limit_reached(Some(pause))).on(Operation::List));
    stage
        .simulator
        .until(
            |world| world.faults().iter().any(|fault| fault.struck > 0),
            PATIENCE,
        )
        .await
        .unwrap();
    let struck = stage
        .simulator
        .calls()
        .answered(429)
        .last()
        .unwrap()
        .clone();
    for n in 0..20 {
        stage
            .patch_spec(&format!("c{n}"), json!({ "useFedrampLanguage": true }))
            .await;
    }
    stage
        .simulator
        .until(
            |world| world.calls().after(struck.sequence).count() > 20,
            PATIENCE,
        )
        .await
        .unwrap();
    assert_eq!(fault.struck(), 1);
    let calls = stage.simulator.calls().after(struck.sequence);
    // Nothing holds back what was under way when the answer came, and none of that is for an edit.
    let is_under_way = |call: &Call| {
        call.operation != Operation::Update
            && call.arrived < struck.arrived + Duration::from_secs(1)
    };
    let mut all = calls.as_slice().iter();
    let next = all.find(|call| !is_under_way(call)).unwrap();
    assert!(
        next.arrived >= struck.arrived + pause,
        "the next call came {:?}",
        next.arrived.saturating_sub(struck.arrived)
    );
}

#[tokio::test]
async fn what_cloudflare_refuses_is_quoted_and_tried_again_after_an_edit() {
    let stage = Stage::with(harness::Options::default(), crate::stage::quick_knobs()).await;
    let _operator = stage.operator(&["--rejected-retry", "10m"]).await;
    let admin = stage.simulator.admin();
    admin.push_fault(
        Fault::new(Failure::envelope(
            400,
            990_004,
            "add an \u{202e}identity\n provider",
        ))
        .on(Operation::Create),
    );
    stage.connector("example", "example.com", json!({})).await;
    let refused = stage.until_ready_is("example", "Rejected").await;
    let (truth, _, message) = condition(&refused, ConditionType::Stalled);
    assert_eq!(truth, "True");
    assert!(
        message.contains("identity") && message.contains("400"),
        "{message}"
    );
    assert!(!message.contains(['\u{202e}', '\n']), "{message:?}");
    assert!(
        refused.status.unwrap().pending_create.is_none(),
        "nothing is open"
    );

    stage
        .patch_spec("example", json!({ "enabled": false }))
        .await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(admin.connectors(ACCOUNT).len(), 1);
}

#[tokio::test]
async fn a_connector_deleted_by_hand_is_created_again_only_if_nothing_was_applied() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage
        .connector("unmanaged", "unmanaged.example", json!({}))
        .await;
    stage
        .connector("applied", "applied.example", json!({ "enabled": false }))
        .await;
    let admin = stage.simulator.admin();
    for name in ["unmanaged", "applied"] {
        let object = stage.until_ready_is(name, "AwaitingVerification").await;
        admin
            .delete_connector(&crate::stage::connector_id(&object).unwrap())
            .unwrap();
    }
    stage
        .until("unmanaged", "another connector", |object| {
            let id = crate::stage::connector_id(object);
            id.is_some_and(|id| admin.connector(&id).is_some())
        })
        .await;
    let events = stage
        .kubectl(&[
            "get",
            "events",
            "-n",
            "team",
            "--field-selector=type=Warning",
        ])
        .await;
    let told = |line: &&str| line.contains("ConnectorNotFound") && line.contains("sso");
    assert_eq!(events.lines().filter(told).count(), 1, "{events}");
    let held = stage.until_ready_is("applied", "DeletedExternally").await;
    assert_eq!(
        condition(&held, ConditionType::Enabled).1,
        "DeletedExternally"
    );
    let creates = |domain| {
        stage
            .simulator
            .calls()
            .of(Operation::Create)
            .on_domain(domain)
            .count()
    };
    assert_eq!(
        (creates("unmanaged.example"), creates("applied.example")),
        (2, 1)
    );

    stage
        .annotate("applied", "cloudflare-sso.dev/enable-at", "1")
        .await;
    stage
        .until_ready_is("applied", "AwaitingVerification")
        .await;
    assert_eq!(creates("applied.example"), 2);
}

#[tokio::test]
async fn an_answer_that_is_not_cloudflares_never_counts_as_gone() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    let before = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let admin = stage.simulator.admin();
    for failure in [
        Failure::html(404),
        Failure::envelope(404, 7003, "Could not route to your object"),
        Failure::envelope(404, 7000, "No route for that URI"),
    ] {
        // The list shows nothing, and the connector's own page is not to be had.
        let lacking = Failure::Rewrite {
            pointer: "/result".to_owned(),
            value: json!([]),
        };
        admin.push_fault(
            Fault::new(lacking)
                .on(Operation::List)
                .repeat(Repeat::Forever),
        );
        let page = admin.push_fault(
            Fault::new(failure)
                .on(Operation::Get)
                .repeat(Repeat::Forever),
        );
        harness::until(
            "the connector's page to be asked for",
            PATIENCE,
            async || {
                if page.struck() >= 3 {
                    Ok(())
                } else {
                    Err(page.struck())
                }
            },
        )
        .await
        .unwrap();
        admin.clear_faults();
        until_lists(&stage, 2).await;
    }
    let settled = |object: &SsoConnector| {
        condition(object, ConditionType::Synced).0 == "True"
            && condition(object, ConditionType::Ready).1 == "AwaitingVerification"
    };
    let after = stage.until("example", "to be as before", settled).await;
    assert_eq!(
        crate::stage::connector_id(&before),
        crate::stage::connector_id(&after)
    );
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
}

#[tokio::test]
async fn asked_to_stop_before_the_api_server_has_answered_it_stops() {
    let stage = Stage::set().await;
    // While it does not know yet who leads, and while it leads but does not know the objects.
    for silent in ["", "/ssoconnectors"] {
        let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
        let silence = proxy.intercept(Treatment::HoldBeforeForwarding, move |call| {
            call.path.contains(silent)
        });
        let mut operator = stage.start_operator(Some(proxy.url()), &[]).await;
        tokio::time::timeout(PATIENCE, silence.arrived())
            .await
            .unwrap();
        let probe = operator.get("/readyz").await;
        assert!(probe.is_ok_and(|body| !body.contains("ok")), "not ready");
        let status = operator.terminate(PATIENCE).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

fn lists(calls: &simulator::Calls) -> usize {
    calls.clone().of(Operation::List).count()
}

/// Lets the operator list the account so many times.
async fn until_lists(stage: &Stage, count: usize) {
    let before = lists(&stage.simulator.calls());
    stage
        .simulator
        .until(|world| lists(&world.calls()) >= before + count, PATIENCE)
        .await
        .unwrap();
}
