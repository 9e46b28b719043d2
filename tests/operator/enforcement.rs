//! Enabling, disabling, and leaving alone what a person did by hand.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, EnforcementState, SsoConnector};
use harness::{ApiServerProxy, Treatment};
use serde_json::json;
use simulator::{Failure, Fault, Operation, Repeat, VerificationStatus, When};

use crate::stage::{ACCOUNT, PATIENCE, Stage, code, condition, connector_id};

#[tokio::test]
async fn what_a_person_disables_stays_disabled_until_asked_for_again() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let id = stage.enabled_connector("example", "example.com").await;

    stage.simulator.admin().set_enabled(&id, false).unwrap();
    let held = stage
        .until_ready_is("example", "HeldByExternalChange")
        .await;
    assert_eq!(condition(&held, ConditionType::Stalled).0, "True");
    assert_eq!(condition(&held, ConditionType::Enabled), {
        let (_, _, message) = condition(&held, ConditionType::Ready);
        (
            "False".to_owned(),
            "HeldByExternalChange".to_owned(),
            message,
        )
    });
    assert_eq!(
        condition(&held, ConditionType::Synced).1,
        "ReconcileSucceeded"
    );
    let counted = "cloudflare_sso_external_changes_total{reason=\"HeldByExternalChange\"} 1";
    harness::until("the hold to be counted", PATIENCE, async || {
        let metrics = operator.metrics().await.unwrap();
        if metrics.contains(counted) {
            Ok(())
        } else {
            Err(metrics)
        }
    })
    .await
    .unwrap();

    stage
        .patch_spec("example", json!({ "useFedrampLanguage": true }))
        .await;
    stage
        .kubectl(&["label", "-n", "team", "sso/example", "unrelated=edit"])
        .await;
    polls(&stage, 5).await;
    operator.terminate(PATIENCE).await.unwrap();
    let _successor = stage.operator(&[]).await;
    polls(&stage, 5).await;
    expect_enabling_patches(&stage, 1);
    assert!(!stage.simulator.admin().connector(&id).unwrap().enabled);
    let events = stage.kubectl(&["get", "events", "-n", "team"]).await;
    assert_eq!(
        events.matches("HeldByExternalChange").count(),
        1,
        "{events}"
    );

    stage
        .annotate("example", "cloudflare-sso.dev/enable-at", "now")
        .await;
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(
        object.status.unwrap().last_handled_enable_at.as_deref(),
        Some("now")
    );
    expect_enabling_patches(&stage, 2);
}

#[tokio::test]
async fn an_edit_of_enabled_itself_ends_the_hold() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = stage.enabled_connector("example", "example.com").await;
    stage.simulator.admin().set_enabled(&id, false).unwrap();
    stage
        .until_ready_is("example", "HeldByExternalChange")
        .await;

    stage
        .patch_spec("example", json!({ "enabled": false }))
        .await;
    stage.until_ready_is("example", "Available").await;
    expect_enabling_patches(&stage, 1);
    stage
        .patch_spec("example", json!({ "enabled": true }))
        .await;
    stage
        .until("example", "to be enabled again", |object| {
            enforcement(object) == Some((EnforcementState::Satisfied, Some(true)))
        })
        .await;
    expect_enabling_patches(&stage, 2);
}

#[tokio::test]
async fn what_a_person_enables_under_false_stays_enabled() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = verified_connector(&stage, json!({ "enabled": false })).await;
    stage.until_ready_is("example", "Available").await;

    stage.simulator.admin().set_enabled(&id, true).unwrap();
    let held = stage
        .until_ready_is("example", "HeldByExternalChange")
        .await;
    assert_eq!(condition(&held, ConditionType::Enabled).0, "True");
    polls(&stage, 5).await;
    assert_eq!(stage.simulator.calls().of(Operation::Update).count(), 0);
}

#[tokio::test]
async fn a_verified_connector_that_is_adopted_disabled_is_not_enabled() {
    let stage = Stage::set().await;
    let admin = stage.simulator.admin();
    let found = admin.create_connector(simulator::ConnectorDraft::new(ACCOUNT, "example.com"));
    admin
        .set_verification(&found.id, VerificationStatus::Verified)
        .unwrap();
    let _operator = stage.operator(&[]).await;
    stage
        .connector("example", "example.com", json!({ "enabled": true }))
        .await;

    let held = stage
        .until_ready_is("example", "HeldByExternalChange")
        .await;
    assert_eq!(connector_id(&held), Some(found.id));
    polls(&stage, 5).await;
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
}

#[tokio::test]
async fn toggling_lagging_reads_and_lost_answers_are_no_holds() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.enabled_connector("example", "example.com").await;
    stage.simulator.admin().turn_knobs(|knobs| {
        knobs.get_lag = Duration::from_millis(500);
        knobs.list_lag = Duration::from_millis(700);
    });
    for enabled in [false, true, false, true] {
        stage
            .patch_spec("example", json!({ "enabled": enabled }))
            .await;
        until_satisfied(&stage, enabled).await;
    }
    for failure in [
        Failure::Reset {
            when: When::AfterCommit,
        },
        Failure::Reset {
            when: When::BeforeCommit,
        },
        Failure::html(502).after_commit(),
        Failure::throttled(Some(Duration::from_secs(1))),
        Failure::envelope(400, 990_006, "no"),
    ] {
        let fault = Fault::new(failure)
            .on(Operation::Update)
            .repeat(Repeat::Times(1));
        stage.simulator.admin().push_fault(fault);
        stage
            .patch_spec("example", json!({ "enabled": false }))
            .await;
        until_satisfied(&stage, false).await;
        stage
            .patch_spec("example", json!({ "enabled": true }))
            .await;
        until_satisfied(&stage, true).await;
    }
    let events = stage.kubectl(&["get", "events", "-n", "team"]).await;
    assert!(!events.contains("HeldByExternalChange"), "{events}");
}

#[tokio::test]
async fn killed_around_the_patch() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    verified_connector(&stage, json!({})).await;
    for (when, enabled) in [(When::BeforeCommit, true), (When::AfterCommit, false)] {
        let held = stage
            .simulator
            .admin()
            .push_fault(Fault::new(Failure::Hold { when }).on(Operation::Update));
        stage
            .patch_spec("example", json!({ "enabled": enabled }))
            .await;
        held.arrived(PATIENCE).await.unwrap();
        let object = stage.objects().get("example").await.unwrap();
        assert_eq!(
            enforcement(&object),
            Some((EnforcementState::Applying, Some(enabled)))
        );
        operator.kill().unwrap();
        held.drop_connection();
        operator = stage.operator(&[]).await;
        until_satisfied(&stage, enabled).await;
    }
}

#[tokio::test]
async fn a_change_that_is_taken_up_again_is_not_sent_from_an_old_copy() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    verified_connector(&stage, json!({})).await;
    let held = stage.simulator.admin().push_fault(
        Fault::new(Failure::Hold {
            when: When::BeforeCommit,
        })
        .on(Operation::Update),
    );
    stage
        .patch_spec("example", json!({ "enabled": true }))
        .await;
    held.arrived(PATIENCE).await.unwrap();
    operator.kill().unwrap();
    held.drop_connection();

    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let test = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.path.contains("/status") && String::from_utf8_lossy(&call.body).contains("Applying")
    });
    let _successor = stage.operator_through(Some(proxy.url()), &[]).await;
    tokio::time::timeout(PATIENCE, test.arrived())
        .await
        .unwrap();
    stage
        .patch_spec("example", json!({ "enabled": false }))
        .await;
    test.release();
    until_satisfied(&stage, false).await;
    expect_enabling_patches(&stage, 1);
}

#[tokio::test]
async fn drift_of_the_wording_is_corrected_and_what_is_not_in_the_spec_is_left() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = verified_connector(&stage, json!({ "useFedrampLanguage": true })).await;
    stage.until_ready_is("example", "Available").await;
    let admin = stage.simulator.admin();

    let change = simulator::ConnectorChange {
        use_fedramp_language: Some(false),
        enabled: Some(true),
        ..simulator::ConnectorChange::default()
    };
    admin.change_connector(&id, change).unwrap();
    admin
        .until_found(
            |world| world.connector(&id)?.use_fedramp_language.then_some(()),
            PATIENCE,
        )
        .await
        .unwrap();
    let updates = stage.simulator.calls().of(Operation::Update);
    assert_eq!(updates.count(), 1);
    assert_eq!(
        updates.last().unwrap().body,
        Some(json!({ "use_fedramp_language": true }))
    );
    assert!(
        admin.connector(&id).unwrap().enabled,
        "enabled is not managed"
    );
}

#[tokio::test]
async fn a_failed_verification_is_begun_again_and_a_lapsed_one_is_reported() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--restart-backoff", "1s"]).await;
    stage.connector("example", "example.com", json!({})).await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let id = connector_id(&object).unwrap();
    let admin = stage.simulator.admin();

    admin
        .set_verification(&id, VerificationStatus::Failed)
        .unwrap();
    let object = stage
        .until("example", "a restart", |object| {
            let verification = object
                .status
                .as_ref()
                .and_then(|status| status.verification.as_ref());
            verification.is_some_and(|verification| verification.restarts == Some(1))
        })
        .await;
    assert!(
        object
            .status
            .unwrap()
            .verification
            .unwrap()
            .last_begun_at
            .is_some()
    );
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage
        .simulator
        .admin()
        .publish_txt("example.com", &code(&object).unwrap());
    stage.until_ready_is("example", "Available").await;

    admin.remove_txt("example.com");
    admin
        .set_verification(&id, VerificationStatus::Pending)
        .unwrap();
    stage.until_ready_is("example", "VerificationLapsed").await;
    admin
        .set_verification(&id, VerificationStatus::Other("expired".into()))
        .unwrap();
    let object = stage
        .until("example", "an unknown word", |object| {
            condition(object, ConditionType::Verified).1 == "UnknownStatus"
        })
        .await;
    assert_eq!(condition(&object, ConditionType::Verified).0, "Unknown");
    assert_eq!(
        object
            .status
            .unwrap()
            .verification
            .unwrap()
            .status
            .as_deref(),
        Some("expired")
    );
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
}

#[tokio::test]
async fn awaiting_is_begun_once_and_never_under_false() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage
        .connector(
            "example",
            "example.com",
            json!({ "beginVerification": false }),
        )
        .await;
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(condition(&object, ConditionType::Verified).1, "Awaiting");
    polls(&stage, 5).await;
    assert_eq!(
        stage
            .simulator
            .calls()
            .of(Operation::BeginVerification)
            .count(),
        0
    );

    stage
        .patch_spec("example", json!({ "beginVerification": true }))
        .await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    polls(&stage, 5).await;
    assert_eq!(
        stage
            .simulator
            .calls()
            .of(Operation::BeginVerification)
            .count(),
        1
    );
    let creates = stage.simulator.calls().of(Operation::Create);
    assert_eq!(creates.count(), 1, "it is the same connector");
}

/// An object whose connector is verified; the connector's ID.
pub(crate) async fn verified_connector(stage: &Stage, fields: serde_json::Value) -> String {
    stage.connector("example", "example.com", fields).await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage
        .simulator
        .admin()
        .publish_txt("example.com", &code(&object).unwrap());
    stage
        .until("example", "to be verified", |object| {
            condition(object, ConditionType::Verified).0 == "True"
        })
        .await;
    connector_id(&object).unwrap()
}

async fn until_satisfied(stage: &Stage, enabled: bool) {
    stage
        .until("example", &format!("enabled to be {enabled}"), |object| {
            enforcement(object) == Some((EnforcementState::Satisfied, Some(enabled)))
                && condition(object, ConditionType::Ready).1 == "Available"
        })
        .await;
}

fn enforcement(object: &SsoConnector) -> Option<(EnforcementState, Option<bool>)> {
    let enforcement = object.status.as_ref()?.enforcement.as_ref()?;
    Some((enforcement.state, enforcement.enabled))
}

/// Lets the operator look at the account so many times.
pub(crate) async fn polls(stage: &Stage, count: usize) {
    let before = stage.simulator.calls().of(Operation::List).count();
    stage
        .simulator
        .until(
            |world| world.calls().of(Operation::List).count() >= before + count,
            PATIENCE,
        )
        .await
        .unwrap();
}

pub(crate) fn expect_enabling_patches(stage: &Stage, count: usize) {
    let enabling = stage
        .simulator
        .calls()
        .of(Operation::Update)
        .filter(|call| call.body == Some(json!({ "enabled": true })));
    assert_eq!(enabling.count(), count, "{enabling:#?}");
}
