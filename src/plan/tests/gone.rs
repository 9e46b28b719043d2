//! When a connector counts as gone, and what follows.

use EnforcementState::{Applying, Armed, Held, Satisfied};

use super::*;

/// Two answers that the connector does not exist, this far apart, and a list that shows nothing.
fn gone(wanted: Option<bool>, state: EnforcementState, apart: f64) -> Scene {
    Scene::bound(wanted, state)
        .missing(NOW - 1.0 - apart)
        .missing(NOW - 1.0)
        .listed(list(NOW, &[]))
}

fn unbound(plan: &Plan) -> bool {
    matches!(plan, Plan::Settle { .. }) && verdict(plan).record.connector.is_none()
}

#[test]
fn gone_and_armed_is_created_again() {
    for wanted in [Some(true), Some(false), None] {
        let plan = gone(wanted, Armed, 60.0).plan();
        assert!(unbound(&plan), "{plan:?}");
        assert_eq!(reason(&plan), Some(Reason::Creating));
        assert!(matches!(
            &plan,
            Plan::Settle {
                then: Then::Continue,
                ..
            }
        ));
        let record = &verdict(&plan).record;
        assert_eq!(record.created_on, None);
        assert_eq!(record.begun.last, None);
    }
}

#[test]
fn gone_in_any_other_state_is_an_emergency_exit() {
    for state_before in [Applying, Satisfied, Held] {
        let plan = gone(Some(true), state_before, 60.0).plan();
        assert_eq!(act(&plan), None);
        assert_eq!(state(&plan), Held);
        assert_eq!(reason(&plan), Some(Reason::DeletedExternally));
        assert_eq!(verdict(&plan).record.connector, Some(id()));
    }
}

#[test]
fn gone_with_a_lost_status_is_an_emergency_exit() {
    for stored in [None, Some(OTHER_UID)] {
        let plan = gone(Some(true), Armed, 60.0)
            .with(|scene| match stored {
                None => scene.record.enforcement = None,
                Some(uid) => {
                    uid.clone_into(&mut scene.record.enforcement.as_mut().unwrap().object_uid);
                }
            })
            .plan();
        assert_eq!(reason(&plan), Some(Reason::DeletedExternally), "{stored:?}");
    }
}

#[test]
fn deleted_externally_ends_as_every_hold_ends() {
    let scene = gone(Some(true), Held, 60.0);
    let asked = scene
        .clone()
        .with(|scene| scene.desired.enable_at = Some("tuesday".to_owned()))
        .plan();
    assert!(unbound(&asked));
    assert_eq!(
        verdict(&asked).record.handled_enable_at.as_deref(),
        Some("tuesday")
    );
    let changed = scene
        .clone()
        .with(|scene| scene.desired.enabled = Some(false));
    assert!(unbound(&changed.plan()));
    let edited = scene.with(|scene| scene.desired.generation += 1);
    assert_eq!(reason(&edited.plan()), Some(Reason::DeletedExternally));
}

#[test]
fn taking_enabled_away_does_not_bring_back_what_somebody_deleted() {
    for state in [Satisfied, Held, Applying] {
        let mut scene = gone(Some(true), state, 60.0).with(|scene| scene.desired.enabled = None);
        let plan = scene.plan();
        assert_eq!(reason(&plan), Some(Reason::DeletedExternally), "{state:?}");
        scene.record = verdict(&plan).record.clone();
        assert_eq!(scene.plan(), plan, "nor does it later");
        scene.desired.enable_at = Some("now".to_owned());
        assert!(unbound(&scene.plan()), "but asking for it does");
    }
}

#[test]
fn the_enable_at_of_the_time_of_the_deletion_counts_as_handled() {
    let plan = gone(Some(true), Satisfied, 60.0)
        .with(|scene| scene.desired.enable_at = Some("monday".to_owned()))
        .plan();
    assert_eq!(reason(&plan), Some(Reason::DeletedExternally));
    assert_eq!(
        verdict(&plan).record.handled_enable_at.as_deref(),
        Some("monday")
    );
}

#[test]
fn two_answers_60_s_apart_are_needed() {
    for (apart, counts) in [(0.0, false), (59.9, false), (60.0, true)] {
        let plan = gone(Some(true), Armed, apart).plan();
        assert_eq!(unbound(&plan), counts, "{apart} s apart");
        assert_eq!(act(&plan), None);
    }
}

#[test]
fn an_answer_in_between_that_shows_it_starts_the_count_again() {
    let scene = Scene::bound(None, Armed)
        .missing(NOW - 200.0)
        .seen(NOW - 100.0, verified(false))
        .missing(NOW - 1.0)
        .listed(list(NOW, &[]));
    assert!(!unbound(&scene.plan()));
}

#[test]
fn an_answer_about_a_former_connector_does_not_count_for_the_next() {
    let former = Sighting {
        id: other_id(),
        at: at(NOW - 5000.0),
        date: None,
        connector: None,
    };
    let scene = Scene::bound(None, Armed)
        .with(|scene| scene.memory.saw(former))
        .missing(NOW - 1.0)
        .listed(list(NOW, &[]));
    assert!(
        !unbound(&scene.plan()),
        "there was one answer about this one"
    );
}

#[test]
fn a_newer_list_that_shows_it_leads_to_a_look_at_its_page() {
    let scene = Scene::bound(None, Armed)
        .missing(NOW - 100.0)
        .listed(list(NOW - 1.0, &[verified(false)]));
    assert_eq!(scene.plan(), look_closer(), "one of them lags");
}

#[test]
fn within_5_min_of_the_creation_nothing_counts_as_gone() {
    for (age, counts) in [(299.9, false), (300.0, true)] {
        let scene = gone(Some(true), Armed, 100.0)
            .with(|scene| scene.record.created_on = Some(date(NOW - 1.0 - age)));
        assert_eq!(unbound(&scene.plan()), counts, "{age} s old");
    }
}

#[test]
fn without_both_of_cloudflares_times_the_5_min_count_from_the_first_answer() {
    let no_creation =
        |second: f64| gone(None, Armed, second).with(|scene| scene.record.created_on = None);
    assert!(!unbound(&no_creation(200.0).plan()));
    assert!(unbound(&no_creation(300.0).plan()));
    let no_date = |second: f64| {
        gone(None, Armed, second).with(|scene| scene.memory.sighting.as_mut().unwrap().date = None)
    };
    assert!(!unbound(&no_date(200.0).plan()));
    assert!(unbound(&no_date(300.0).plan()));
}

#[test]
fn a_fresh_complete_list_is_needed_and_one_that_proves_nothing_decides_nothing() {
    let scene = gone(Some(true), Satisfied, 60.0);
    let stale = scene.clone().listed(list(NOW - 1.5, &[]));
    assert_eq!(stale.plan(), look_at_list(NOW));
    for broken in [
        Snapshot {
            gap: Some("null"),
            ..list(NOW, &[])
        },
        Snapshot {
            date: None,
            ..list(NOW, &[])
        },
    ] {
        let plan = scene.clone().listed(broken).plan();
        assert_eq!(reason(&plan), None, "no decision");
        assert_eq!(verdict(&plan).record, scene.record);
    }
}

#[test]
fn another_connector_for_the_domain_is_bound_instead_of_calling_it_gone() {
    let replacement = Connector {
        id: other_id(),
        ..verified(true)
    };
    let mut scene = gone(Some(true), Satisfied, 60.0).with(|scene| scene.observed.listing = None);
    let plan = scene.pass(&Cloudflare::shows(&replacement));
    assert_eq!(verdict(&plan).record.connector, Some(other_id()));
    assert_eq!(act(&plan), None);
}

#[test]
fn a_replacement_that_differs_is_held_and_not_enabled() {
    let replacement = Connector {
        id: other_id(),
        ..verified(false)
    };
    let mut scene = gone(Some(true), Satisfied, 60.0).with(|scene| scene.observed.listing = None);
    let plan = scene.pass(&Cloudflare::shows(&replacement));
    assert_eq!(verdict(&plan).record.connector, Some(other_id()));
    assert_eq!(state(&plan), Held);
    assert_eq!(act(&plan), None);
}

#[test]
fn proving_that_it_is_gone_never_goes_in_circles() {
    let mut scene = Scene::bound(Some(true), Satisfied);
    let began = scene.now;
    let nothing = Cloudflare::default();
    for _ in 0..20 {
        let plan = scene.pass(&nothing);
        assert_eq!(act(&plan), None);
        scene.record = verdict(&plan).record.clone();
        if reason(&plan) == Some(Reason::DeletedExternally) {
            assert!(scene.now - began >= 60.0);
            assert!(scene.now - began < 120.0, "{}", scene.now - began);
            return;
        }
        assert!(rest(&plan) > Duration::ZERO);
        scene.now += rest(&plan).as_secs_f64();
    }
    panic!("never decided");
}

#[test]
fn a_list_that_still_shows_it_is_waited_out_without_going_in_circles() {
    let mut scene = Scene::bound(None, EnforcementState::Armed)
        .missing(NOW - 70.0)
        .missing(NOW);
    let list = list(NOW + 1.0, &[verified(false)]);
    scene = scene.at(NOW + 1.0).listed(list);
    assert!(rest(&scene.plan()) > Duration::ZERO);
}

#[test]
fn a_connector_that_was_replaced_by_hand_does_not_end_a_hold() {
    let replacement = Connector {
        id: other_id(),
        ..pending()
    };
    for state_before in [
        EnforcementState::Applying,
        EnforcementState::Satisfied,
        EnforcementState::Held,
    ] {
        let mut scene = Scene::bound(Some(true), state_before)
            .missing(NOW - 70.0)
            .missing(NOW)
            .at(NOW + 1.0)
            .listed(list(NOW + 1.0, std::slice::from_ref(&replacement)));
        scene.record = verdict(&scene.plan()).record.clone();
        assert_eq!(scene.record.connector, None, "{state_before:?}");
        let scene = scene.claimed(NOW);
        let bound = scene.clone().seen(NOW + 1.0, replacement.clone()).plan();
        assert_eq!(verdict(&bound).record.connector, Some(other_id()));
        assert_eq!(state(&bound), EnforcementState::Held, "{state_before:?}");
        // And if the replacement goes, too, nothing is created.
        let gone = scene.listed(list(NOW + 1.0, &[])).plan();
        assert_eq!(act(&gone), None);
        assert_eq!(reason(&gone), Some(Reason::DeletedExternally));
    }
}
