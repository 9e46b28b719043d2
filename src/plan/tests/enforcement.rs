//! Enabling, and break-glass.

use EnforcementState::{Applying, Armed, Held, Satisfied};

use super::*;

/// Applying, as a process finds it that knows nothing of the PATCH.
fn applying(recorded: Option<f64>) -> Scene {
    Scene::bound(Some(true), Applying).with(|scene| {
        let enforcement = scene.record.enforcement.as_mut().unwrap();
        enforcement.updated_on = recorded.map(date);
    })
}

/// Two looks 31 s apart that agree.
fn seen_twice(scene: Scene, connector: &Connector) -> Scene {
    scene
        .seen(NOW - 31.0, connector.clone())
        .seen(NOW, connector.clone())
}

fn updated_on(second: Option<f64>, connector: Connector) -> Connector {
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
fn a_difference_in_satisfied_is_held_in_both_directions_and_nothing_is_sent() {
    for wanted in [true, false] {
        let plan = seen_twice(Scene::bound(Some(wanted), Satisfied), &verified(!wanted)).plan();
        assert_eq!(state(&plan), Held);
        assert_eq!(act(&plan), None);
        assert_eq!(reason(&plan), Some(Reason::HeldByExternalChange));
    }
}

#[test]
fn a_difference_counts_only_from_30_s_on() {
    let rows = [(0.0, false), (29.9, false), (30.0, true), (31.0, true)];
    for (apart, held) in rows {
        let plan = Scene::bound(Some(true), Satisfied)
            .seen(NOW - apart, verified(false))
            .seen(NOW, verified(false))
            .plan();
        assert_eq!(act(&plan), None);
        assert_eq!(state(&plan) == Held, held, "{apart} s apart");
        if !held {
            let left = rest(&plan).as_secs_f64();
            assert!((left - (30.0 - apart)).abs() < 0.01, "{left}");
        }
    }
}

#[test]
fn one_look_is_not_two_however_long_ago_it_was() {
    let scene = Scene::bound(Some(true), Satisfied).seen(NOW - 31.0, verified(false));
    assert_eq!(scene.plan(), look_closer());
}

#[test]
fn looks_that_disagree_start_again() {
    let plan = Scene::bound(Some(true), Satisfied)
        .seen(NOW - 60.0, verified(false))
        .seen(NOW - 20.0, verified(true))
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(state(&plan), Satisfied);
    assert_eq!(rest(&plan), seconds(30.0));
}

#[test]
fn both_looks_must_be_after_our_last_patch() {
    let mut scene = Scene::bound(Some(true), Satisfied).seen(NOW - 40.0, verified(false));
    scene.memory.updating(at(NOW - 35.0));
    let scene = scene.seen(NOW, verified(false));
    assert_eq!(state(&scene.plan()), Satisfied);
    assert_eq!(act(&scene.plan()), None);
    let scene = scene.at(NOW + 30.0).seen(NOW + 30.0, verified(false));
    assert_eq!(state(&scene.plan()), Held);
}

#[test]
fn a_list_starts_no_hold_and_ends_none() {
    let listed = Scene::bound(Some(true), Satisfied).listed(list(NOW, &[verified(false)]));
    assert_eq!(listed.plan(), look_closer());
    let confirmed_by_list = Scene::bound(Some(true), Satisfied)
        .seen(NOW - 40.0, verified(false))
        .listed(list(NOW, &[verified(false)]));
    assert_eq!(confirmed_by_list.plan(), look_closer());
}

#[test]
fn until_a_difference_is_confirmed_the_status_stays_as_it_was() {
    let plan = Scene::bound(Some(true), Satisfied)
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(
        reason(&plan),
        None,
        "Ready must neither say Available nor blame anybody yet"
    );
    assert_eq!(verdict(&plan).mirror, crate::plan::verdict::Mirror::Kept);
}

#[test]
fn held_ends_when_the_wanted_value_is_absent_or_another() {
    let scene = Scene::bound(Some(true), Held).seen(NOW, verified(false));
    let absent = scene.clone().with(|scene| scene.desired.enabled = None);
    assert_eq!(state(&absent.plan()), Armed);
    assert_eq!(act(&absent.plan()), None);
    let accepted = scene
        .clone()
        .with(|scene| scene.desired.enabled = Some(false));
    assert_eq!(state(&accepted.plan()), Satisfied);
    // Taken away, and set again: it was seen absent, so it is armed.
    let again = Scene::bound(None, Armed)
        .seen(NOW, verified(false))
        .with(|scene| scene.desired.enabled = Some(true));
    assert_eq!(act(&again.plan()), Some(&set_enabled(true)));
}

#[test]
fn other_edits_and_restarts_never_end_a_hold() {
    let plan = Scene::bound(Some(true), Held)
        .seen(NOW, verified(false))
        .with(|scene| {
            scene.desired.generation += 7;
            scene.desired.begin_verification = false;
            scene.desired.deletion_policy = DeletionPolicy::Retain;
        })
        .plan();
    assert_eq!(state(&plan), Held);
    assert_eq!(act(&plan), None);
}

#[test]
fn a_held_object_still_gets_its_wording() {
    let plan = Scene::bound(Some(true), Held)
        .seen(NOW, verified(false))
        .with(|scene| scene.desired.use_fedramp_language = Some(true))
        .plan();
    let Some(Act::Update { changes, .. }) = act(&plan) else {
        panic!("no PATCH: {plan:?}")
    };
    assert_eq!(changes.enabled, None, "only the changed field");
}

#[test]
fn a_new_enable_at_arms_again_and_is_handled_in_the_record_before_the_patch() {
    let plan = Scene::bound(Some(true), Held)
        .seen(NOW, verified(false))
        .with(|scene| {
            scene.record.handled_enable_at = Some("monday".to_owned());
            scene.desired.enable_at = Some("tuesday".to_owned());
        })
        .plan();
    assert_eq!(act(&plan), Some(&set_enabled(true)));
    let record = &verdict(&plan).record;
    assert_eq!(record.handled_enable_at.as_deref(), Some("tuesday"));
    assert_eq!(state(&plan), Applying);
}

#[test]
fn the_enable_at_of_the_time_of_the_hold_counts_as_handled() {
    let scene = seen_twice(Scene::bound(Some(true), Satisfied), &verified(false))
        .with(|scene| scene.desired.enable_at = Some("monday".to_owned()));
    let plan = scene.plan();
    assert_eq!(state(&plan), Held);
    assert_eq!(act(&plan), None);
    let record = verdict(&plan).record.clone();
    assert_eq!(record.handled_enable_at.as_deref(), Some("monday"));
    let later = scene.with(|scene| scene.record = record).plan();
    assert_eq!(state(&later), Held, "and it does not arm afterwards");
}

#[test]
fn a_handled_enable_at_is_not_handled_again_after_a_crash() {
    let mut scene = seen_twice(
        applying(Some(2000.0)),
        &updated_on(Some(3000.0), verified(false)),
    );
    scene.record.handled_enable_at = Some("tuesday".to_owned());
    scene.desired.enable_at = Some("tuesday".to_owned());
    let plan = scene.plan();
    assert_eq!(state(&plan), Held);
    assert_eq!(act(&plan), None);
}

#[test]
fn a_removed_enable_at_arms_nothing() {
    let plan = Scene::bound(Some(true), Held)
        .seen(NOW, verified(false))
        .with(|scene| scene.record.handled_enable_at = Some("monday".to_owned()))
        .plan();
    assert_eq!(state(&plan), Held);
}

#[test]
fn a_lost_status_is_judged_like_a_binding() {
    let another_object = Some(Enforcement {
        state: Satisfied,
        enabled: Some(true),
        object_uid: OTHER_UID.to_owned(),
        updated_on: None,
    });
    for stored in [None, another_object] {
        let scene = Scene::bound(Some(true), Armed)
            .with(|scene| scene.record.enforcement.clone_from(&stored));
        let differs = scene.clone().seen(NOW, verified(false)).plan();
        assert_eq!(state(&differs), Held, "somebody left it so");
        assert_eq!(act(&differs), None);
        let unverified = scene.clone().seen(NOW, pending()).plan();
        assert_eq!(state(&unverified), Armed);
        let agrees = scene.seen(NOW, verified(true)).plan();
        assert_eq!(state(&agrees), Satisfied);
    }
}

#[test]
fn the_state_of_a_binding() {
    let rows = [
        (
            "not ours, verified, differs",
            verified(false),
            Some(true),
            Held,
        ),
        (
            "not ours, verified, enabled by hand",
            verified(true),
            Some(false),
            Held,
        ),
        (
            "not ours, verified, agrees",
            verified(true),
            Some(true),
            Satisfied,
        ),
        (
            "not ours, verified, not managed",
            verified(true),
            None,
            Armed,
        ),
        ("not ours, unverified", pending(), Some(true), Armed),
        (
            "not ours, absent enabled",
            Connector {
                enabled: None,
                ..verified(false)
            },
            Some(true),
            Held,
        ),
    ];
    for (name, found, wanted, expected) in rows {
        let plan = Scene::new()
            .claimed(NOW - 10.0)
            .listed(list(NOW - 1.0, std::slice::from_ref(&found)))
            .seen(NOW, found)
            .with(|scene| {
                scene.desired.enabled = wanted;
                scene.desired.enable_at = Some("monday".to_owned());
            })
            .plan();
        assert_eq!(state(&plan), expected, "{name}");
        let record = &verdict(&plan).record;
        assert_eq!(record.enforcement.as_ref().unwrap().enabled, wanted);
        assert_eq!(record.handled_enable_at.as_deref(), Some("monday"));
    }
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
    scene.memory.updating(at(NOW - 10.0));
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
    scene.memory.updating(at(NOW));
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
    scene.memory.updating(at(NOW - 1.0));
    scene.memory.update_refused();
    for class in [Class::Rejected, Class::RateLimited, Class::Unauthorized] {
        let mut scene = scene
            .clone()
            .troubled(NOW - 0.5, failure(class, Endpoint::Update));
        if class == Class::Unauthorized {
            scene.observed.credentials = Credentials::Unusable {
                reason: Reason::Unauthorized,
                message: "The token may not write.".to_owned(),
            };
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
    scene.memory.updating(at(NOW - 1.0));
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
        .with(|scene| scene.memory.updating(at(NOW - 5.0)))
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
fn a_connector_that_lost_its_verification_while_applying_is_not_enabled() {
    let lapsed = connector(VerificationStatus::Failed, false);
    let plan = seen_twice(applying(Some(2000.0)), &lapsed)
        .with(|scene| scene.desired.begin_verification = false)
        .plan();
    assert_eq!(act(&plan), None);
}

#[test]
fn from_verified_to_settled_in_one_patch() {
    let mut scene = Scene::bound(Some(true), Armed);
    let patch = scene.pass(&Cloudflare::shows(&verified(false)));
    assert_eq!(act(&patch), Some(&set_enabled(true)));
    scene.record = verdict(&patch).record.clone();
    scene.memory.updating(at(scene.now));
    scene.memory.acted_at = Some(at(scene.now + 0.2));
    scene.now += 0.3;
    let rested = scene.pass(&Cloudflare::shows(&updated_on(Some(NOW), verified(true))));
    assert_eq!(act(&rested), None);
    assert_eq!(state(&rested), Satisfied);
    assert_eq!(reason(&rested), Some(Reason::Available));
    assert!(rest(&rested) >= seconds(599.0));
}
