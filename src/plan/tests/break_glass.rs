//! Break-glass: what somebody else has changed is held, and what ends a hold.

use EnforcementState::{Applying, Armed, Held, Satisfied};

use super::enforcement::{applying, seen_twice, updated_on};
use super::*;

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
    scene.memory.updating(change(true), at(NOW - 35.0));
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
fn another_objects_old_attempt_does_not_arm_a_successor() {
    let state_after = |first_seen: f64| {
        let found = created_on(NOW - 500.0, verified(false));
        let plan = Scene::new()
            .with(|scene| {
                scene.desired.enabled = Some(true);
                scene.pair.attempting(date(NOW - 500.0), at(first_seen));
            })
            .claimed(NOW - 2.0)
            .listed(list(NOW - 1.0, std::slice::from_ref(&found)))
            .seen(NOW, found)
            .plan();
        state(&plan)
    };
    assert_eq!(state_after(NOW - 119.0), EnforcementState::Armed);
    assert_eq!(state_after(NOW - 500.0), Held, "somebody left it so since");
}
