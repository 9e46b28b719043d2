//! How a connector is taken down.

use EnforcementState::Satisfied;

use super::*;

fn going() -> Scene {
    Scene::bound(Some(true), Satisfied).deleting()
}

fn confirmed(scene: &mut Scene) {
    scene.observed.object_confirmed = true;
}

#[test]
fn a_disabled_connector_is_deleted_after_a_get_and_a_look_at_the_object() {
    assert_eq!(going().plan(), look_closer());
    let scene = going().seen(NOW, verified(false));
    assert_eq!(scene.plan(), Plan::Look(Look::Object));
    let plan = scene.with(confirmed).plan();
    assert_eq!(act(&plan), Some(&Act::Delete(id())));
    assert_eq!(reason(&plan), Some(Reason::Deleting));
}

#[test]
fn an_enabled_connector_is_disabled_first_and_never_deleted_while_enabled() {
    let scene = going().seen(NOW, verified(true));
    assert_eq!(scene.plan(), Plan::Look(Look::Object));
    assert_eq!(
        act(&scene.with(confirmed).plan()),
        Some(&set_enabled(false))
    );
}

#[test]
fn after_disabling_it_is_confirmed_by_a_get_before_the_delete() {
    let scene = going().seen(NOW - 5.0, verified(true)).with(|scene| {
        scene.memory.updating(change(false), at(NOW - 4.0));
        scene.memory.acted_at = Some(at(NOW - 3.0));
    });
    assert_eq!(scene.plan(), look_closer());
    let still_enabled = scene
        .clone()
        .seen(NOW - 2.0, verified(true))
        .with(confirmed);
    assert_eq!(act(&still_enabled.plan()), None, "reads lag writes");
    let disabled = scene.seen(NOW - 1.0, verified(false)).with(confirmed);
    assert_eq!(act(&disabled.plan()), Some(&Act::Delete(id())));
}

#[test]
fn an_enabled_connector_is_left_alone_for_10_s() {
    for (ago, acts) in [(0.0, false), (9.9, false), (10.0, true)] {
        let plan = going()
            .seen(NOW, verified(true))
            .with(confirmed)
            .with(|scene| scene.memory.deletion_seen = Some(at(NOW - ago)))
            .plan();
        assert_eq!(act(&plan).is_some(), acts, "{ago} s after the deletion");
    }
    let disabled = going()
        .seen(NOW, verified(false))
        .with(confirmed)
        .with(|scene| scene.memory.deletion_seen = Some(at(NOW)));
    assert!(act(&disabled.plan()).is_some(), "only an enabled one waits");
}

#[test]
fn a_look_older_than_15_s_is_taken_again() {
    let old = going().seen(NOW - 15.001, verified(false)).with(confirmed);
    assert_eq!(old.plan(), look_closer());
}

#[test]
fn a_connector_for_another_domain_is_never_deleted() {
    for enabled in [true, false] {
        let plan = going()
            .seen(NOW, for_domain("example.net", verified(enabled)))
            .with(confirmed)
            .plan();
        assert_eq!(act(&plan), None);
        assert_eq!(reason(&plan), Some(Reason::ConnectorMismatch));
    }
}

#[test]
fn the_answer_to_the_post_is_no_look_at_the_connector_that_is_deleted() {
    for enabled in [true, false] {
        let scene = going().answered(NOW, verified(enabled)).with(confirmed);
        assert_eq!(scene.plan(), look_closer());
    }
}

#[test]
fn a_held_connector_is_deleted_as_the_object_says() {
    let plan = Scene::bound(Some(true), EnforcementState::Held)
        .deleting()
        .seen(NOW, verified(false))
        .with(confirmed)
        .plan();
    assert_eq!(act(&plan), Some(&Act::Delete(id())));
}

#[test]
fn a_2xx_is_done() {
    let plan = going()
        .with(|scene| scene.memory.deletion = Some(Deletion::Confirmed(id())))
        .plan();
    assert_eq!(plan, Plan::Release);
}

#[test]
fn a_404_is_done_only_later_than_5_min_after_the_creation() {
    for (age, done) in [
        (1.0, false),
        (299.9, false),
        (300.0, true),
        (90_000.0, true),
    ] {
        let plan = going()
            .missing(NOW)
            .with(|scene| scene.record.created_on = Some(date(NOW - age)))
            .plan();
        assert_eq!(plan == Plan::Release, done, "{age} s old");
        if !done {
            assert_eq!(reason(&plan), Some(Reason::Deleting));
        }
    }
}

#[test]
fn a_young_connector_that_is_not_shown_is_waited_out_without_circles() {
    let mut scene = going();
    scene.record.created_on = Some(date(NOW - 10.0));
    for _ in 0..40 {
        let plan = scene.pass(&Cloudflare::default());
        if plan == Plan::Release {
            assert!(scene.now - NOW >= 289.0);
            return;
        }
        assert!(rest(&plan) > Duration::ZERO);
        scene.now += rest(&plan).as_secs_f64();
    }
    panic!("never released");
}

#[test]
fn an_intent_without_an_id_takes_down_only_what_is_ours() {
    let intent = |found: &[Connector]| {
        Scene::new()
            .deleting()
            .attempted(NOW - 60.0, NOW - 60.0)
            .listed(list(NOW - 1.0, found))
    };
    let ours = created_on(NOW - 59.0, pending());
    let other = Connector {
        id: other_id(),
        ..verified(true)
    };
    let plan = intent(&[other.clone(), ours]).plan();
    assert_eq!(verdict(&plan).record.connector, Some(id()));
    assert_eq!(guard(&plan), Guard::SameAttempts);
    assert_eq!(act(&plan), None, "it is bound first");
    for foreign in [
        other,
        Connector {
            created_on: None,
            ..pending()
        },
    ] {
        let plan = intent(&[foreign]).plan();
        assert_eq!(act(&plan), None);
        assert_eq!(verdict(&plan).record.connector, None);
    }
}

#[test]
fn what_another_object_has_attempted_is_not_taken_down() {
    let theirs = created_on(NOW - 60.0, verified(true));
    let plan = Scene::new()
        .deleting()
        .attempted(NOW - 200.0, NOW - 200.0)
        .with(|scene| scene.pair.attempting(date(NOW - 60.0), at(NOW - 130.0)))
        .listed(list(NOW, &[theirs]))
        .plan();
    assert_eq!(plan, Plan::Release);
}

#[test]
fn an_intent_without_an_id_waits_out_the_grace_and_then_needs_a_complete_list() {
    let intent = |first_seen: f64| Scene::new().deleting().attempted(first_seen, first_seen);
    let early = intent(NOW - 119.0).listed(list(NOW, &[])).plan();
    assert_eq!(act(&early), None);
    assert_eq!(rest(&early), seconds(1.0));
    let old_list = intent(NOW - 121.0).listed(list(NOW - 1.5, &[]));
    assert_eq!(old_list.plan(), look_at_list(NOW));
    let done = intent(NOW - 120.0).listed(list(NOW, &[])).plan();
    assert_eq!(done, Plan::Release);
    let foreign_only = intent(NOW - 120.0).listed(list(NOW, &[verified(true)]));
    assert_eq!(
        foreign_only.plan(),
        Plan::Release,
        "it is not ours to delete"
    );
}

#[test]
fn incomplete_lists_never_release_an_intent_and_never_go_in_circles() {
    let mut scene = Scene::new().deleting().attempted(NOW - 200.0, NOW - 200.0);
    let broken = Cloudflare {
        gap: Some("null"),
        ..Cloudflare::default()
    };
    for _ in 0..5 {
        let plan = scene.pass(&broken);
        assert!(rest(&plan) >= seconds(10.0));
        scene.now += rest(&plan).as_secs_f64();
    }
    assert_eq!(scene.pass(&Cloudflare::default()), Plan::Release);
}

#[test]
fn from_enabled_to_released_in_the_documented_order() {
    let mut scene = going();
    let disable = scene.pass(&Cloudflare::shows(&verified(true)));
    assert_eq!(act(&disable), Some(&set_enabled(false)));
    scene.memory.updating(change(false), at(scene.now));
    scene.memory.acted_at = Some(at(scene.now + 0.1));
    scene.observed.object_confirmed = false;
    scene.now += 0.2;
    let delete = scene.pass(&Cloudflare::shows(&verified(false)));
    assert_eq!(act(&delete), Some(&Act::Delete(id())));
    scene.memory.deletion = Some(Deletion::Confirmed(id()));
    assert_eq!(scene.pass(&Cloudflare::default()), Plan::Release);
}

#[test]
fn an_intent_that_this_process_has_not_taken_note_of_is_not_let_go() {
    let scene = Scene::new()
        .deleting()
        .with(|scene| scene.record.attempts.push(date(NOW - 500.0)))
        .listed(list(NOW, &[]));
    assert_ne!(scene.plan(), Plan::Release);
}

#[test]
fn a_page_that_does_not_say_whether_it_is_enabled_is_disabled_before_it_is_deleted() {
    let silent = Connector {
        enabled: None,
        ..verified(false)
    };
    let mut scene = Scene::bound(None, Satisfied)
        .deleting()
        .seen(NOW, silent)
        .with(|scene| {
            scene.memory.deletion_seen = Some(at(NOW - 60.0));
            scene.observed.object_confirmed = true;
        });
    assert_eq!(act(&scene.plan()), Some(&set_enabled(false)));
    scene.memory.updating(change(false), at(NOW - 1.0));
    assert_eq!(act(&scene.plan()), Some(&Act::Delete(id())));
}

#[test]
fn a_delete_whose_answer_was_lost_is_known_by_a_404_after_it() {
    let mut scene = going().seen(NOW - 2.0, verified(false));
    scene.memory.deletion = Some(Deletion::Sent(id()));
    scene.memory.acted_at = Some(at(NOW - 1.0));
    assert!(!scene.memory.has_deleted(&id()), "it may not have arrived");
    assert!(
        !scene
            .clone()
            .seen(NOW, verified(false))
            .memory
            .has_deleted(&id())
    );
    let gone = scene.missing(NOW);
    assert!(gone.memory.has_deleted(&id()));
    let mut pair = PairMemory::default();
    pair.departed(UID, Some(&id()), &gone.memory, at(NOW));
    assert!(pair.was_deleted(&id(), at(NOW), seconds(120.0)));
    assert_eq!(pair.known, None, "a successor does not look for it");
}
