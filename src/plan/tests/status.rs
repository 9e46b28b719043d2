//! From a verdict to the bytes of a status.

use EnforcementState::{Armed, Held, Satisfied};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::*;
use crate::plan::Finding;
use crate::resource::{ConditionType, RecordType, SsoConnectorStatus, find_condition};

const FIRST: f64 = 10.0;
const LATER: f64 = 20.0;

pub(super) fn condition(status: &SsoConnectorStatus, kind: ConditionType) -> Option<&Condition> {
    find_condition(&status.conditions, kind)
}

/// The status that a scene leads to, from none before.
pub(super) fn status_of(scene: &Scene) -> SsoConnectorStatus {
    next(&SsoConnectorStatus::default(), scene, FIRST)
}

fn next(before: &SsoConnectorStatus, scene: &Scene, now: f64) -> SsoConnectorStatus {
    verdict(&scene.plan()).status(before, &scene.desired, date(now))
}

fn enabled() -> Scene {
    Scene::bound(Some(true), Satisfied).seen(NOW, verified(true))
}

fn held() -> Scene {
    Scene::bound(Some(true), Held).seen(NOW, verified(false))
}

fn troubled(failures: u32) -> Scene {
    let mut scene = enabled();
    for _ in 0..failures {
        scene = scene.troubled(NOW, failure(Class::Unavailable, Endpoint::List));
    }
    scene
}

#[test]
fn the_same_verdict_twice_is_the_same_status() {
    let settled = [enabled(), held(), troubled(3)];
    let under_way = [
        Scene::bound(None, Armed).seen(NOW, pending()),
        Scene::bound(Some(true), Satisfied)
            .missing(NOW - 61.0)
            .missing(NOW - 1.0)
            .listed(list(NOW, &[])),
        Scene::new().claimed(NOW - 5.0).listed(list(NOW, &[])),
    ];
    for scene in settled.iter().chain(&under_way) {
        let once = status_of(scene);
        assert_eq!(next(&once, scene, LATER), once);
    }
}

#[test]
fn the_transition_time_moves_only_with_the_status_of_a_condition() {
    let pending = status_of(&Scene::bound(None, Armed).seen(NOW, pending()));
    let failed = next(
        &pending,
        &Scene::bound(None, Armed).seen(NOW, failed()),
        LATER,
    );
    let time = |status, kind| condition(status, kind).unwrap().last_transition_time.0;
    for kind in [
        ConditionType::Ready,
        ConditionType::Verified,
        ConditionType::Enabled,
    ] {
        assert_eq!(time(&failed, kind), date(FIRST), "{kind:?} is still False");
    }
    let verified_now = next(
        &failed,
        &Scene::bound(None, Armed).seen(NOW, verified(false)),
        30.0,
    );
    assert_eq!(time(&verified_now, ConditionType::Ready), date(30.0));
    assert_eq!(time(&verified_now, ConditionType::Verified), date(30.0));
    assert_eq!(time(&verified_now, ConditionType::Enabled), date(FIRST));
    assert_eq!(time(&verified_now, ConditionType::Synced), date(FIRST));
}

#[test]
fn a_decision_brings_conditions_that_it_does_not_touch_to_its_generation_too() {
    let before = status_of(&enabled());
    let scene = enabled()
        .with(|scene| scene.desired.generation += 1)
        .troubled(NOW, failure(Class::Rejected, Endpoint::Update));
    let after = next(&before, &scene, LATER);
    assert_eq!(after.observed_generation, Some(4));
    for kind in [ConditionType::Verified, ConditionType::Enabled] {
        let kept = condition(&after, kind).unwrap();
        assert_eq!(kept.observed_generation, Some(4), "{kind:?}");
        assert_eq!(kept.last_transition_time.0, date(FIRST), "{kind:?}");
    }
}

#[test]
fn trouble_that_does_not_show_changes_nothing_at_all() {
    let before = status_of(&enabled());
    for failures in [1, 2] {
        let scene = troubled(failures).with(|scene| scene.desired.generation += 1);
        assert_eq!(next(&before, &scene, LATER), before);
    }
}

#[test]
fn trouble_that_shows_leaves_ready_and_its_generation_alone() {
    for before in [status_of(&enabled()), status_of(&held())] {
        let scene = troubled(3).with(|scene| {
            scene.desired.generation += 1;
            let enforcement = before.enforcement.clone();
            scene.record.enforcement = enforcement;
        });
        let after = next(&before, &scene, LATER);
        assert_eq!(after.observed_generation, Some(3), "top level too");
        for kind in [
            ConditionType::Ready,
            ConditionType::Verified,
            ConditionType::Enabled,
        ] {
            assert_eq!(condition(&after, kind), condition(&before, kind));
        }
        let synced = condition(&after, ConditionType::Synced).unwrap();
        assert_eq!(
            (synced.status.as_str(), synced.reason.as_str()),
            ("False", "CloudflareUnavailable")
        );
        let reconciling = condition(&after, ConditionType::Reconciling).unwrap();
        let ready = condition(&before, ConditionType::Ready).unwrap();
        assert_eq!(reconciling.status, "True");
        assert_eq!(
            reconciling.reason, ready.reason,
            "it carries Ready's reason"
        );
        assert!(condition(&after, ConditionType::Stalled).is_none());
    }
}

#[test]
fn the_end_of_trouble_leaves_no_trace() {
    let before = status_of(&enabled());
    let during = next(&before, &troubled(3), LATER);
    let after = next(&during, &enabled(), 30.0);
    assert!(condition(&after, ConditionType::Reconciling).is_none());
    assert_eq!(
        condition(&after, ConditionType::Synced).unwrap().status,
        "True"
    );
    assert_eq!(
        condition(&after, ConditionType::Ready),
        condition(&before, ConditionType::Ready)
    );
}

#[test]
fn verified_carries_the_whole_record_and_the_status_repeats_it() {
    for shown in [
        awaiting(),
        pending(),
        failed(),
        connector(VerificationStatus::Unknown("x".to_owned()), false),
    ] {
        let status = status_of(&Scene::bound(None, Armed).seen(NOW, shown));
        for kind in [ConditionType::Verified, ConditionType::Ready] {
            let message = &condition(&status, kind).unwrap().message;
            for part in ["TXT", DOMAIN, CODE] {
                assert!(message.contains(part), "{kind:?}: {message}");
            }
        }
        let record = status.dns_record.unwrap();
        assert_eq!(record.record_type, RecordType::TXT);
        assert_eq!(
            (record.name.as_str(), record.value.as_str()),
            (DOMAIN, CODE)
        );
        assert_eq!(status.verification.unwrap().code.as_deref(), Some(CODE));
    }
}

#[test]
fn a_code_that_is_not_of_the_right_form_is_neither_shown_as_record_nor_as_code() {
    let before = status_of(&Scene::bound(None, Armed).seen(NOW, pending()));
    for bad in [
        "",
        "v=spf1 -all",
        "cloudflare_dashboard_sso=",
        "cloudflare_dashboard_sso=a b",
        "cloudflare_dashboard_sso=\u{202e}x",
    ] {
        let mut shown = pending();
        shown.verification.as_mut().unwrap().code = Some(bad.to_owned());
        let status = next(&before, &Scene::bound(None, Armed).seen(NOW, shown), LATER);
        assert_eq!(status.dns_record, None, "{bad:?}");
        assert_eq!(status.verification.unwrap().code, None, "{bad:?}");
        for condition in &status.conditions {
            assert!(
                bad.is_empty() || !condition.message.contains(bad),
                "{condition:?}"
            );
        }
    }
}

#[test]
fn a_rotated_code_replaces_the_old_one() {
    let before = status_of(&Scene::bound(None, Armed).seen(NOW, pending()));
    let mut shown = pending();
    let rotated = "cloudflare_dashboard_sso=rotated";
    shown.verification.as_mut().unwrap().code = Some(rotated.to_owned());
    let after = next(&before, &Scene::bound(None, Armed).seen(NOW, shown), LATER);
    assert_eq!(after.dns_record.as_ref().unwrap().value, rotated);
    assert!(!serde_json::to_string(&after).unwrap().contains(CODE));
}

#[test]
fn an_unknown_verification_status_is_kept_as_cloudflare_spells_it() {
    let shown = connector(VerificationStatus::Unknown("expired".to_owned()), false);
    let status = status_of(&Scene::bound(None, Armed).seen(NOW, shown));
    assert_eq!(
        status.verification.unwrap().status.as_deref(),
        Some("expired")
    );
}

#[test]
fn the_status_mirrors_what_cloudflare_reports_and_leaves_out_what_it_does_not() {
    let status = status_of(&enabled());
    assert_eq!(status.connector_id, Some(id().to_string()));
    assert_eq!(
        (status.enabled, status.use_fedramp_language),
        (Some(true), Some(false))
    );
    assert_eq!(status.created_on, Some(date(1000.0)));
    assert_eq!(status.updated_on, Some(date(2000.0)));
    let silent = Connector {
        enabled: None,
        use_fedramp_language: None,
        updated_on: None,
        ..verified(true)
    };
    let status = status_of(&Scene::bound(None, Armed).seen(NOW, silent));
    assert_eq!((status.enabled, status.use_fedramp_language), (None, None));
    assert_eq!(status.updated_on, None);
}

#[test]
fn what_must_not_be_forgotten_survives_being_stored_and_read() {
    let mut scene = held();
    scene.record.begun.restarts = 4;
    scene.record.handled_enable_at = Some("monday".to_owned());
    scene.record.standing = Standing::Verified;
    scene.record.attempts = vec![date(5.0), date(6.0)];
    let status = status_of(&scene);
    assert_eq!(Record::read(Some(&status)), scene.record);
    let fresh = Record::default();
    assert_eq!(Record::read(None), fresh);
    assert_eq!(Record::read(Some(&SsoConnectorStatus::default())), fresh);
}

#[test]
fn a_lapse_is_remembered_until_it_is_verified_again() {
    let lapsed = status_of(
        &Scene::bound(None, Armed)
            .seen(NOW, pending())
            .with(|scene| scene.record.standing = Standing::Lapsed),
    );
    assert_eq!(Record::read(Some(&lapsed)).standing, Standing::Lapsed);
    let never = status_of(&Scene::bound(None, Armed).seen(NOW, pending()));
    assert_eq!(Record::read(Some(&never)).standing, Standing::Unproven);
}

#[test]
fn an_id_that_cannot_stand_in_a_url_counts_as_lost() {
    let mut status = status_of(&enabled());
    status.connector_id = Some("../../accounts".to_owned());
    assert_eq!(Record::read(Some(&status)).connector, None);
}

#[test]
fn a_connector_that_is_gone_is_shown_no_more() {
    let gone = Scene::bound(Some(true), Satisfied)
        .missing(NOW - 61.0)
        .missing(NOW - 1.0)
        .listed(list(NOW, &[]));
    let status = next(&status_of(&enabled()), &gone, LATER);
    assert_eq!(
        (status.enabled, status.updated_on, status.dns_record.clone()),
        (None, None, None)
    );
    let shown = condition(&status, ConditionType::Enabled).unwrap();
    assert_eq!(
        (shown.status.as_str(), shown.reason.as_str()),
        ("False", "DeletedExternally")
    );
    assert!(condition(&status, ConditionType::Verified).is_none());
}

#[test]
fn while_it_is_created_again_enabled_gives_no_reason_that_is_not_its_own() {
    let gone = Scene::bound(Some(true), Armed)
        .missing(NOW - 61.0)
        .missing(NOW - 1.0)
        .listed(list(NOW, &[]));
    let before = status_of(&Scene::bound(Some(true), Armed).seen(NOW, pending()));
    let status = next(&before, &gone, LATER);
    assert_eq!(
        condition(&status, ConditionType::Ready).unwrap().reason,
        "Creating"
    );
    assert_eq!(condition(&status, ConditionType::Enabled), None);
}

#[test]
fn a_refused_enabling_says_so_in_enabled() {
    let enabling = Scene::bound(Some(true), Armed).seen(NOW, verified(false));
    let before = status_of(&enabling);
    let mut scene = enabling.with(|scene| scene.memory.updating(change(true), at(NOW)));
    scene
        .memory
        .update_failed(&failure(Class::Rejected, Endpoint::Update));
    let scene = scene.troubled(NOW, failure(Class::Rejected, Endpoint::Update));
    let status = next(&before, &scene, LATER);
    let shown = condition(&status, ConditionType::Enabled).unwrap();
    assert_eq!(
        (shown.status.as_str(), shown.reason.as_str()),
        ("False", "Rejected")
    );
    assert_eq!(
        shown.last_transition_time.0,
        date(FIRST),
        "it was False before"
    );
}

#[test]
fn no_enabling_no_rejected_in_enabled() {
    let before = status_of(&enabled());
    let scene = enabled().troubled(NOW, failure(Class::Rejected, Endpoint::Update));
    let status = next(&before, &scene, LATER);
    assert_eq!(
        condition(&status, ConditionType::Enabled).unwrap().reason,
        "Enabled"
    );
}

#[test]
fn while_it_is_taken_down_nothing_is_said_of_enabling_it() {
    for (state, connector, said) in [
        (Satisfied, verified(false), Reason::Disabled),
        (Held, verified(false), Reason::Disabled),
        (Satisfied, verified(true), Reason::Enabled),
    ] {
        let scene = Scene::bound(Some(true), state)
            .deleting()
            .seen(NOW, connector)
            .with(|scene| scene.observed.object_confirmed = true);
        let status = status_of(&scene);
        let enabled = condition(&status, ConditionType::Enabled).unwrap();
        assert_eq!(enabled.reason, said.as_str(), "{state:?}");
    }
}

/// What `Ready` says after trouble that shows, or after none, on top of this status.
fn undecided(before: &SsoConnectorStatus, desired: &Desired, trouble: Option<&str>) -> Condition {
    let finding = |text: &str| Finding::new(Reason::CloudflareUnavailable, text.to_owned());
    let verdict = Verdict::undecided(Record::default(), trouble.map(finding));
    let status = verdict.status(before, desired, date(LATER));
    assert_eq!(
        verdict.status(&status, desired, date(LATER + 1.0)),
        status,
        "the same once more"
    );
    let reconciling = condition(&status, ConditionType::Reconciling);
    assert_eq!(condition(&status, ConditionType::Stalled), None);
    let ready = condition(&status, ConditionType::Ready).unwrap().clone();
    assert_eq!(reconciling.map(|it| &it.reason), Some(&ready.reason));
    ready
}

#[test]
fn nothing_is_said_to_be_suspended_any_more_when_it_is_not() {
    let mut scene = enabled();
    scene.desired.activity = Activity::Suspended;
    let suspended = status_of(&scene);
    scene.desired.activity = Activity::Active;
    for (trouble, said) in [
        (
            None,
            "spec.suspend is not true any more. Looking at the connector again.",
        ),
        (Some("No answer."), "No answer."),
    ] {
        let ready = undecided(&suspended, &scene.desired, trouble);
        let seen = (
            ready.status.as_str(),
            ready.reason.as_str(),
            ready.message.as_str(),
        );
        assert_eq!(seen, ("Unknown", "Reconciling", said));
    }
}

#[test]
fn trouble_at_first_contact_is_what_ready_says() {
    let ready = undecided(
        &SsoConnectorStatus::default(),
        &Scene::new().desired,
        Some("No answer."),
    );
    let seen = (
        ready.status.as_str(),
        ready.reason.as_str(),
        ready.message.as_str(),
    );
    assert_eq!(seen, ("Unknown", "Reconciling", "No answer."));
}

#[test]
fn trouble_with_a_deletion_is_not_told_as_what_was_before_it() {
    let going = enabled().deleting();
    for (trouble, said) in [
        (None, "Disabling and deleting"),
        (Some("No answer."), "No answer."),
    ] {
        let ready = undecided(&status_of(&enabled()), &going.desired, trouble);
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str()),
            ("False", "Deleting")
        );
        assert!(ready.message.starts_with(said), "{}", ready.message);
    }
}
