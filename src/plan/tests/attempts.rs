//! What an attempt leaves behind: an ID that must not be lost, or a doubt that only lists can end.

use super::creation::{creates, waiting};
use super::*;
use crate::plan::{Attempt, Holder, Known, Origin};

#[test]
fn the_answer_to_the_post_is_bound_at_once_and_held_to_the_same_window() {
    for (created, wanted_state) in [
        (Some(NOW + 1.0), EnforcementState::Armed),
        (Some(NOW - 90.0), EnforcementState::Held),
        (None, EnforcementState::Held),
    ] {
        let answer = Connector {
            created_on: created.map(date),
            ..verified(false)
        };
        let plan = Scene::new()
            .attempted(NOW - 1.0, NOW - 1.0)
            .with(|scene| {
                scene.desired.enabled = Some(true);
                scene.pair.holder = Some(Holder {
                    uid: UID.to_owned(),
                    since: at(NOW - 5.0),
                });
                scene.pair.created(id(), Some(answer), at(NOW));
                scene.memory.acted_at = Some(at(NOW));
            })
            .plan();
        let record = &verdict(&plan).record;
        assert_eq!(record.connector, Some(id()));
        assert_eq!(record.attempts, []);
        assert_eq!(guard(&plan), Guard::SameAttempts);
        assert_eq!(state(&plan), wanted_state, "created {created:?}");
    }
}

#[test]
fn a_created_id_is_stored_however_long_storing_it_takes() {
    let plan = Scene::new()
        .attempted(NOW - 5000.0, NOW - 5000.0)
        .with(|scene| {
            scene.pair.holder = Some(Holder {
                uid: UID.to_owned(),
                since: at(NOW - 5001.0),
            });
            let created = created_on(NOW - 5000.0, pending());
            scene.pair.created(id(), Some(created), at(NOW - 4999.0));
        })
        .plan();
    assert_eq!(verdict(&plan).record.connector, Some(id()));
}

#[test]
fn a_connector_of_an_object_that_has_just_gone_binds_its_successor_although_no_list_shows_it() {
    let left_behind = |since: f64| Known {
        id: id(),
        created: None,
        since: at(since),
    };
    let scene = waiting()
        .listed(list(NOW - 1.0, &[]))
        .with(|scene| scene.pair.known = Some(left_behind(NOW - 100.0)));
    assert_eq!(scene.plan(), look_closer());
    let bound = scene.clone().seen(NOW, verified(true)).plan();
    assert_eq!(verdict(&bound).record.connector, Some(id()));
    let waits = scene.clone().missing(NOW - 1.0).plan();
    assert_eq!(act(&waits), None, "its page may lag");
    assert_eq!(
        scene.clone().missing(NOW - 20.0).plan(),
        look_closer(),
        "its page is looked at again"
    );
    let spent = scene.with(|scene| scene.pair.known = Some(left_behind(NOW - 120.001)));
    creates(&spent.plan());
}

#[test]
fn after_an_attempt_of_unknown_outcome_the_next_waits_for_two_blank_lists_a_grace_apart() {
    let first_seen = NOW - 120.0;
    let scene = waiting().attempted(NOW - 121.0, first_seen);
    let blank = |second: f64| list(second, &[]);

    let one_list = scene.clone().listed(blank(NOW));
    assert_eq!(act(&one_list.plan()), None, "one list proves nothing");

    let too_soon = scene
        .clone()
        .listed(blank(first_seen + 1.0))
        .listed(blank(NOW - 0.001));
    assert_eq!(act(&too_soon.plan()), None, "the second list is too soon");

    let first_before_attempt = scene
        .clone()
        .listed(blank(first_seen - 1.0))
        .listed(blank(NOW));
    assert_eq!(act(&first_before_attempt.plan()), None);

    let first_incomplete = scene
        .clone()
        .listed(Snapshot {
            gap: Some("null"),
            ..blank(first_seen + 1.0)
        })
        .listed(blank(NOW));
    assert_eq!(act(&first_incomplete.plan()), None);

    let second_incomplete = scene
        .clone()
        .listed(blank(first_seen + 1.0))
        .listed(Snapshot {
            date: None,
            ..blank(NOW)
        });
    assert_eq!(act(&second_incomplete.plan()), None);

    let proved = scene.listed(blank(first_seen + 1.0)).listed(blank(NOW));
    let plan = proved.plan();
    creates(&plan);
    assert_eq!(
        verdict(&plan).record.attempts,
        [date(NOW - 121.0), date(NOW)],
        "the new attempt joins the open one"
    );
}

#[test]
fn the_grace_counts_from_when_this_process_first_saw_the_attempt() {
    // The attempt is hours old by Cloudflare's clock, but this process has just started.
    let scene = waiting()
        .attempted(NOW - 9000.0, NOW - 10.0)
        .listed(list(NOW - 9.0, &[]))
        .listed(list(NOW, &[]));
    assert_eq!(act(&scene.plan()), None);
}

#[test]
fn an_attempt_that_certainly_created_nothing_is_followed_by_another_at_once() {
    let plan = waiting()
        .attempted(NOW - 10.0, NOW - 10.0)
        .with(|scene| scene.pair.void(date(NOW - 10.0)))
        .listed(list(NOW, &[]))
        .plan();
    creates(&plan);
    assert_eq!(verdict(&plan).record.attempts, [date(NOW)]);
}

#[test]
fn an_attempt_of_the_pairs_former_object_binds_and_delays_its_successor() {
    let scene = waiting().with(|scene| {
        scene.pair.attempts = vec![Attempt {
            time: date(NOW - 60.0),
            first_seen: at(NOW - 60.0),
            origin: Origin::Made,
            void: false,
        }];
        scene.desired.enabled = Some(true);
    });
    let blank = scene
        .clone()
        .listed(list(NOW - 50.0, &[]))
        .listed(list(NOW, &[]));
    assert_eq!(act(&blank.plan()), None);
    let found = created_on(NOW - 59.0, verified(false));
    let bound = scene
        .listed(list(NOW, std::slice::from_ref(&found)))
        .seen(NOW, found);
    assert_eq!(state(&bound.plan()), EnforcementState::Armed);
}

#[test]
fn the_status_names_the_newest_8_attempts() {
    let mut scene = waiting();
    for attempt in 0..9 {
        let second = NOW - 9000.0 + f64::from(attempt);
        scene = scene.attempted(second, second);
    }
    let plan = scene
        .listed(list(NOW - 5000.0, &[]))
        .listed(list(NOW, &[]))
        .plan();
    let attempts = &verdict(&plan).record.attempts;
    assert_eq!(attempts.len(), 8);
    assert_eq!(attempts.last(), Some(&date(NOW)));
    assert_eq!(attempts.first(), Some(&date(NOW - 8998.0)));
}

#[test]
fn of_the_attempts_that_created_nothing_the_newest_8_are_remembered_and_of_the_others_all() {
    let mut pair = PairMemory::default();
    for n in 0..200_u32 {
        let second = f64::from(n);
        pair.attempting(date(second), at(second));
        if n % 10 != 0 {
            pair.void(date(second));
        }
    }
    let open: Vec<_> = pair.open_attempts().map(|attempt| attempt.time).collect();
    let tens: Vec<_> = (0..20_u32).map(|n| date(f64::from(10 * n))).collect();
    assert_eq!(open, tens);
    let void = pair.attempts.iter().filter(|attempt| attempt.void);
    let void: Vec<_> = void.map(|attempt| attempt.time).collect();
    let newest: Vec<_> = (192..200_u32).map(|n| date(f64::from(n))).collect();
    assert_eq!(void, newest);
}

#[test]
fn waiting_for_proof_never_goes_in_circles_and_ends_in_one_post() {
    let mut scene = Scene::new().attempted(NOW - 1.0, NOW - 0.5);
    let began = scene.now;
    let nothing = Cloudflare::default();
    for _ in 0..20 {
        let plan = scene.pass(&nothing);
        if act(&plan).is_some() {
            creates(&plan);
            assert!(scene.now - began >= 119.0, "{}", scene.now - began);
            assert!(scene.now - began < 180.0, "{}", scene.now - began);
            return;
        }
        scene.record = verdict(&plan).record.clone();
        assert!(rest(&plan) > Duration::ZERO);
        scene.now += rest(&plan).as_secs_f64();
    }
    panic!("never created");
}

#[test]
fn incomplete_lists_while_waiting_never_go_in_circles() {
    let mut scene = Scene::new().attempted(NOW - 500.0, NOW - 500.0);
    let broken = Cloudflare {
        gap: Some("null"),
        ..Cloudflare::default()
    };
    for _ in 0..5 {
        let plan = scene.pass(&broken);
        assert_eq!(act(&plan), None);
        assert!(rest(&plan) >= seconds(10.0));
        scene.now += rest(&plan).as_secs_f64();
    }
}

#[test]
fn a_refused_token_clears_an_intent_that_was_the_only_attempt() {
    let unauthorized = |scene: &mut Scene| {
        scene.observed.credentials = unusable(Reason::Unauthorized);
        scene.pair.void(date(NOW - 1.0));
    };
    let only = Scene::new()
        .attempted(NOW - 1.0, NOW - 1.0)
        .with(unauthorized);
    assert_eq!(verdict(&only.plan()).record.attempts, []);
    let second = Scene::new()
        .attempted(NOW - 50.0, NOW - 50.0)
        .attempted(NOW - 1.0, NOW - 1.0)
        .with(unauthorized);
    assert_eq!(verdict(&second.plan()).record.attempts.len(), 2);
}

#[test]
fn what_another_object_of_the_pair_has_stored_is_not_created_again() {
    let mut other = Record {
        attempts: vec![date(NOW - 5.0)],
        ..Record::default()
    };
    let blank = || waiting().listed(list(NOW - 1.0, &[]));
    let open = blank().with(|scene| scene.pair.recall(&other, at(NOW - 3.0)));
    assert_eq!(
        act(&open.plan()),
        None,
        "its attempt may have created something"
    );
    other.attempts.clear();
    other.connector = Some(id());
    let bound = blank().with(|scene| scene.pair.recall(&other, at(NOW - 3.0)));
    assert_eq!(bound.plan(), look_closer(), "a list may not show it yet");
}

#[test]
fn the_answer_to_a_post_is_no_news_to_a_successor() {
    let mut pair = PairMemory {
        holder: Some(Holder {
            uid: OTHER_UID.to_owned(),
            since: at(NOW - 10.0),
        }),
        ..PairMemory::default()
    };
    pair.created(id(), Some(pending()), at(NOW - 9.0));
    pair.departed(OTHER_UID, None, &Memory::default(), at(NOW));
    let known = pair.known.expect("the connector is there");
    assert_eq!(known.created, None, "it is looked at before it is bound");
}

#[test]
fn an_attempt_that_was_only_found_in_another_objects_status_makes_nothing_ours() {
    // It may be days old, and what it has created may have been disabled by hand since.
    let found = created_on(1000.0, verified(false));
    let other = Record {
        attempts: vec![date(1000.0)],
        ..Record::default()
    };
    let plan = waiting()
        .with(|scene| {
            scene.desired.enabled = Some(true);
            scene.pair.recall(&other, at(NOW - 3.0));
        })
        .listed(list(NOW - 1.0, std::slice::from_ref(&found)))
        .seen(NOW, found)
        .plan();
    assert_eq!(state(&plan), EnforcementState::Held);
}
