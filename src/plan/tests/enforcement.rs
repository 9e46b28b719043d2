//! Enabling and disabling: each wanted value is applied once, and each step is stored before its call.

use EnforcementState::{Applying, Armed, Held, Satisfied};

use super::*;

/// Applying, as a process finds it that knows nothing of the PATCH.
pub(super) fn applying(recorded: Option<f64>) -> Scene {
    Scene::bound(Some(true), Applying).with(|scene| {
        let enforcement = scene.record.enforcement.as_mut().unwrap();
        enforcement.updated_on = recorded.map(date);
    })
}

/// Two looks 31 s apart that agree.
pub(super) fn seen_twice(scene: Scene, connector: &Connector) -> Scene {
    scene
        .seen(NOW - 31.0, connector.clone())
        .seen(NOW, connector.clone())
}

pub(super) fn updated_on(second: Option<f64>, connector: Connector) -> Connector {
    Connector {
        updated_on: second.map(date),
        ..connector
    }
}

#[test]
fn armed_and_verified_is_applied_with_the_state_stored_first() {
    for wanted in [true, false] {
        let plan = Scene::bound(Some(wanted), Armed)
            .seen(NOW, verified(!wanted))
            .plan();
        assert_eq!(act(&plan), Some(&set_enabled(wanted)));
        assert_eq!(
            verdict(&plan).record.enforcement,
            Some(Enforcement {
                state: Applying,
                enabled: Some(wanted),
                object_uid: UID.to_owned(),
                updated_on: Some(date(2000.0)),
            })
        );
        assert_eq!(guard(&plan), Guard::SameVersion);
        let expected = if wanted {
            Reason::Enabling
        } else {
            Reason::Disabling
        };
        assert_eq!(reason(&plan), Some(expected));
    }
}

#[test]
fn nothing_that_is_not_verified_is_ever_enabled() {
    let statuses = [
        VerificationStatus::Awaiting,
        VerificationStatus::Pending,
        VerificationStatus::Failed,
        VerificationStatus::Unknown("verified?".to_owned()),
    ];
    for status in statuses {
        for state in [Armed, Applying, Satisfied, Held] {
            let scene = Scene::bound(Some(true), state);
            let plan = seen_twice(scene, &connector(status.clone(), false)).plan();
            assert_ne!(act(&plan), Some(&set_enabled(true)), "{status:?} {state:?}");
        }
    }
    let silent = Connector {
        verification: None,
        ..verified(false)
    };
    let plan = Scene::bound(Some(true), Armed).seen(NOW, silent).plan();
    assert_eq!(act(&plan), None);
}

#[test]
fn an_unverified_connector_that_is_enabled_is_disabled_on_request() {
    let enabled = connector(VerificationStatus::Pending, true);
    let plan = Scene::bound(Some(false), Armed).seen(NOW, enabled).plan();
    assert_eq!(act(&plan), Some(&set_enabled(false)));
}

#[test]
fn no_patch_rests_on_a_list_or_on_an_old_look() {
    let scene = Scene::bound(Some(true), Armed);
    let listed = scene.clone().listed(list(NOW, &[verified(false)]));
    assert_eq!(listed.plan(), look_closer());
    let stale = scene.clone().seen(NOW - 15.001, verified(false));
    assert_eq!(stale.plan(), look_closer());
    let fresh = scene.seen(NOW - 15.0, verified(false));
    assert_eq!(act(&fresh.plan()), Some(&set_enabled(true)));
}

#[test]
fn an_absent_enabled_counts_as_disabled() {
    let silent = Connector {
        enabled: None,
        ..verified(false)
    };
    let armed = Scene::bound(Some(true), Armed).seen(NOW, silent.clone());
    assert_eq!(act(&armed.plan()), Some(&set_enabled(true)));
    let wanted = Scene::bound(Some(false), Armed).seen(NOW, silent);
    assert_eq!(state(&wanted.plan()), Satisfied);
}

#[test]
fn seen_as_wanted_is_satisfied_whoever_set_it() {
    for wanted in [true, false] {
        for before in [Armed, Applying, Satisfied, Held] {
            let plan = Scene::bound(Some(wanted), before)
                .seen(NOW, verified(wanted))
                .plan();
            assert_eq!(state(&plan), Satisfied, "{before:?}");
            assert_eq!(act(&plan), None);
            assert_eq!(reason(&plan), Some(Reason::Available));
        }
    }
}

#[test]
fn satisfied_is_decided_by_a_get_and_not_by_a_list() {
    let plan = Scene::bound(Some(true), Held)
        .listed(list(NOW, &[verified(true)]))
        .plan();
    assert_eq!(plan, look_closer());
}

#[test]
fn after_a_crash_applying_is_sent_again_only_if_updated_on_has_not_moved() {
    let rows = [
        (Some(2000.0), Some(2000.0), true),
        (Some(2000.0), Some(2000.5), false),
        (Some(2000.0), None, false),
        (None, Some(2000.0), false),
        (None, None, false),
    ];
    for (recorded, shown, again) in rows {
        let shown_connector = updated_on(shown, verified(false));
        let plan = seen_twice(applying(recorded), &shown_connector).plan();
        if again {
            assert_eq!(act(&plan), Some(&set_enabled(true)));
            assert_eq!(state(&plan), Applying);
        } else {
            assert_eq!(act(&plan), None, "{recorded:?} {shown:?}");
            assert_eq!(state(&plan), Held, "{recorded:?} {shown:?}");
        }
    }
}

#[test]
fn after_a_crash_one_look_decides_nothing_as_reads_lag_writes() {
    for shown in [Some(2000.0), Some(3000.0), None] {
        let plan = applying(Some(2000.0))
            .seen(NOW, updated_on(shown, verified(false)))
            .plan();
        assert_eq!(act(&plan), None, "{shown:?}");
        assert_eq!(state(&plan), Applying, "{shown:?}");
        assert_eq!(rest(&plan), seconds(30.0), "{shown:?}");
    }
}

#[test]
fn an_effect_that_does_not_show_is_waited_for_before_anything_is_sent_again() {
    let mut scene = applying(Some(2000.0));
    scene.memory.updating(change(true), at(NOW - 10.0));
    scene.memory.acted_at = Some(at(NOW - 9.5));
    let waits = scene.clone().seen(NOW, verified(false)).plan();
    assert_eq!(act(&waits), None);
    assert_eq!(state(&waits), Applying);
    assert!(rest(&waits) <= seconds(20.0), "{:?}", rest(&waits));
    let due = scene
        .at(NOW + 21.0)
        .seen(NOW - 9.0, verified(false))
        .seen(NOW + 21.0, verified(false));
    assert_eq!(act(&due.plan()), Some(&set_enabled(true)));
}

#[test]
fn an_effect_that_never_shows_is_looked_for_without_haste_or_circles() {
    let mut scene = applying(Some(2000.0));
    scene.memory.updating(change(true), at(NOW));
    scene.memory.acted_at = Some(at(NOW));
    let unchanged = Cloudflare::shows(&verified(false));
    let mut rests = 0;
    loop {
        let plan = scene.pass(&unchanged);
        if act(&plan).is_some() {
            break;
        }
        rests += 1;
        assert!(rests < 20, "too many looks");
        assert!(rest(&plan) > Duration::ZERO);
        scene.now += rest(&plan).as_secs_f64();
    }
    assert!(
        scene.now - NOW >= 30.0 && scene.now - NOW < 65.0,
        "{}",
        scene.now - NOW
    );
}

#[test]
fn a_definite_refusal_returns_to_armed() {
    let mut scene = applying(Some(2000.0));
    scene.memory.updating(change(true), at(NOW - 1.0));
    scene
        .memory
        .update_failed(&failure(Class::Rejected, Endpoint::Update));
    for class in [Class::Rejected, Class::RateLimited, Class::Unauthorized] {
        let mut scene = scene
            .clone()
            .troubled(NOW - 0.5, failure(class, Endpoint::Update));
        if class == Class::Unauthorized {
            scene.observed.credentials = read_only();
            scene = scene.seen(NOW, verified(false));
        }
        let plan = scene.plan();
        assert_eq!(act(&plan), None, "{class:?}");
        let stored = verdict(&plan).record.enforcement.clone().unwrap();
        assert_eq!(
            (stored.state, stored.updated_on),
            (Armed, None),
            "{class:?}"
        );
    }
}

#[test]
fn an_unclear_failure_does_not_return_to_armed() {
    let mut scene = applying(Some(2000.0));
    scene.memory.updating(change(true), at(NOW - 1.0));
    let scene = scene.troubled(NOW - 0.5, failure(Class::Unavailable, Endpoint::Update));
    assert_eq!(state(&scene.plan()), Applying);
}

#[test]
fn no_other_patch_goes_out_while_applying() {
    let scene =
        applying(Some(2000.0)).with(|scene| scene.desired.use_fedramp_language = Some(true));
    let after_crash = scene.clone().seen(NOW, verified(false)).plan();
    assert_eq!(act(&after_crash), None);
    let sent = scene
        .clone()
        .with(|scene| scene.memory.updating(change(true), at(NOW - 5.0)))
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(act(&sent), None);
    let again = seen_twice(scene, &verified(false)).plan();
    assert_eq!(
        act(&again),
        Some(&set_enabled(true)),
        "only the changed field"
    );
}

#[test]
fn while_applying_a_change_of_the_wanted_value_starts_anew() {
    let plan = applying(Some(2000.0))
        .seen(NOW, verified(true))
        .with(|scene| scene.desired.enabled = Some(false))
        .plan();
    assert_eq!(act(&plan), Some(&set_enabled(false)));
    let stored = verdict(&plan).record.enforcement.clone().unwrap();
    assert_eq!((stored.state, stored.enabled), (Applying, Some(false)));
}

#[test]
fn a_connector_that_lost_its_verification_while_applying_is_not_patched_at_all() {
    let lapsed = connector(VerificationStatus::Failed, false);
    let plan = seen_twice(applying(Some(2000.0)), &lapsed)
        .with(|scene| {
            scene.desired.begin_verification = false;
            scene.desired.use_fedramp_language = Some(true);
        })
        .plan();
    assert_eq!(act(&plan), None);
}

#[test]
fn from_verified_to_settled_in_one_patch() {
    let mut scene = Scene::bound(Some(true), Armed);
    let patch = scene.pass(&Cloudflare::shows(&verified(false)));
    assert_eq!(act(&patch), Some(&set_enabled(true)));
    scene.record = verdict(&patch).record.clone();
    scene.memory.updating(change(true), at(scene.now));
    scene.memory.acted_at = Some(at(scene.now + 0.2));
    scene.now += 0.3;
    let rested = scene.pass(&Cloudflare::shows(&updated_on(Some(NOW), verified(true))));
    assert_eq!(act(&rested), None);
    assert_eq!(state(&rested), Satisfied);
    assert_eq!(reason(&rested), Some(Reason::Available));
    assert!(rest(&rested) >= seconds(599.0));
}

#[test]
fn disabling_goes_before_beginning_the_verification_again() {
    let lapsed = connector(VerificationStatus::Failed, true);
    let plan = Scene::bound(Some(false), Armed).seen(NOW, lapsed).plan();
    assert_eq!(act(&plan), Some(&set_enabled(false)));
    assert_eq!(state(&plan), Applying);
}

#[test]
fn our_own_change_in_a_lagging_read_is_no_persons_decision() {
    // Enabling was just sent and does not show yet, and the spec is turned to false: what is seen is not what will be.
    let mut scene = Scene::bound(Some(true), Armed);
    scene.memory.updating(change(true), at(NOW - 1.0));
    scene.desired.enabled = Some(false);
    let plan = scene.clone().seen(NOW, verified(false)).plan();
    assert_eq!(state(&plan), Armed);
    assert_eq!(act(&plan), None);
    let plan = scene.at(NOW + 2.0).seen(NOW + 2.0, verified(true)).plan();
    assert_eq!(act(&plan), Some(&set_enabled(false)));
}

#[test]
fn after_a_quick_change_of_mind_nothing_is_said_before_the_first_change_shows() {
    // Enabling was sent a second ago; now the spec says false, and the look still shows the state before.
    let plan = Scene::bound(Some(false), Armed)
        .with(|scene| scene.memory.updating(change(true), at(NOW - 1.0)))
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(act(&plan), None);
    assert_eq!(verdict(&plan).outcome, Outcome::Undecided { trouble: None });
    assert!(rest(&plan) <= seconds(2.0));
}

#[test]
fn a_connector_that_was_deleted_while_it_was_being_enabled_is_not_armed_again() {
    let mut scene = applying(Some(2000.0));
    scene.memory.updating(change(true), at(NOW - 1.0));
    scene
        .memory
        .update_failed(&failure(Class::Gone, Endpoint::Update));
    let plan = loop {
        let plan = scene.pass(&Cloudflare::default());
        assert_eq!(act(&plan), None);
        if reason(&plan).is_some() {
            break plan;
        }
        scene.now += rest(&plan).as_secs_f64();
    };
    assert_eq!(reason(&plan), Some(Reason::DeletedExternally));
    assert_eq!(state(&plan), EnforcementState::Held);
}
