//! Create, exactly once.

use super::*;
use crate::plan::{Attempt, Holder, Known};

/// An object that holds the claim since long ago.
fn waiting() -> Scene {
    Scene::new().claimed(NOW - 1000.0)
}

#[track_caller]
fn creates(plan: &Plan) -> (Timestamp, Moment) {
    match act(plan) {
        Some(Act::Create {
            attempt, begin_by, ..
        }) => (*attempt, *begin_by),
        _ => panic!("no POST: {plan:?}"),
    }
}

#[test]
fn nothing_is_looked_at_before_the_claim_is_asked_for() {
    assert_eq!(
        Scene::new().listed(list(NOW, &[])).plan(),
        Plan::Look(Look::Claim)
    );
}

#[test]
fn an_object_whose_pair_is_claimed_by_another_waits_and_sends_nothing() {
    let plan = Scene::new()
        .listed(list(NOW, &[]))
        .with(|scene| scene.observed.claim = Claim::Elsewhere)
        .plan();
    assert_eq!(act(&plan), None);
    assert_eq!(reason(&plan), Some(Reason::Creating));
    assert!(rest(&plan) > Duration::ZERO);
}

#[test]
fn only_a_list_begun_after_the_claim_counts() {
    let claimed = NOW - 5.0;
    let before = Scene::new()
        .claimed(claimed)
        .listed(list(claimed - 0.1, &[]));
    assert_eq!(before.plan(), look_at_list(claimed));
    let with_a_match = Scene::new()
        .claimed(claimed)
        .listed(list(claimed - 0.1, &[pending()]));
    assert_eq!(with_a_match.plan(), look_at_list(claimed));
    creates(
        &Scene::new()
            .claimed(claimed)
            .listed(list(claimed, &[]))
            .plan(),
    );
}

#[test]
fn a_list_older_than_15_s_is_taken_again_before_the_post() {
    creates(&waiting().listed(list(NOW - 15.0, &[])).plan());
    assert_eq!(
        waiting().listed(list(NOW - 15.001, &[])).plan(),
        look_at_list(NOW - 15.0)
    );
}

#[test]
fn a_list_that_proves_nothing_leads_to_no_post() {
    let rows = [
        (
            "a gap",
            Snapshot {
                gap: Some("an item does not decode"),
                ..list(NOW - 1.0, &[])
            },
        ),
        (
            "no Date header",
            Snapshot {
                date: None,
                ..list(NOW - 1.0, &[])
            },
        ),
        (
            "a gap beside another domain",
            Snapshot {
                gap: Some("total_count is higher"),
                ..list(NOW - 1.0, &[for_domain("example.net", verified(true))])
            },
        ),
    ];
    for (name, snapshot) in rows {
        let plan = waiting().listed(snapshot).plan();
        assert_eq!(act(&plan), None, "{name}");
        assert!(rest(&plan) >= seconds(1.0), "{name}");
    }
}

#[test]
fn the_attempt_is_recorded_with_the_lists_date_before_the_post() {
    let plan = waiting().listed(list(NOW - 3.0, &[])).plan();
    assert_eq!(verdict(&plan).record.attempts, [date(NOW - 3.0)]);
    assert_eq!(verdict(&plan).record.connector, None);
    assert_eq!(guard(&plan), Guard::SameVersion);
    let (attempt, begin_by) = creates(&plan);
    assert_eq!(attempt, date(NOW - 3.0));
    assert_eq!(begin_by, at(NOW + 5.0), "begun within 5 s or abandoned");
    assert_eq!(reason(&plan), Some(Reason::Creating));
}

#[test]
fn the_post_asks_for_what_the_spec_says_and_never_enables() {
    for (begin, wording) in [
        (true, None),
        (false, None),
        (true, Some(true)),
        (true, Some(false)),
    ] {
        let plan = waiting()
            .listed(list(NOW, &[]))
            .with(|scene| {
                scene.desired.enabled = Some(true);
                scene.desired.begin_verification = begin;
                scene.desired.use_fedramp_language = wording;
            })
            .plan();
        let Some(Act::Create { creation, .. }) = act(&plan) else {
            panic!("no POST: {plan:?}")
        };
        let mut body = serde_json::json!({"email_domain": DOMAIN, "begin_verification": begin});
        if let Some(wording) = wording {
            body["use_fedramp_language"] = wording.into();
        }
        assert_eq!(serde_json::to_value(creation).unwrap(), body);
    }
}

#[test]
fn a_connector_for_another_domain_is_no_match() {
    for domain in [
        "example.net",
        "sub.example.com",
        "example.com.evil.test",
        "",
    ] {
        let listing = list(NOW, &[for_domain(domain, verified(true))]);
        creates(&waiting().listed(listing).plan());
    }
}

#[test]
fn one_match_is_bound_after_a_get_that_confirms_it_however_it_spells_the_domain() {
    for spelling in ["example.com", "EXAMPLE.com", "example.com.", "Example.COM."] {
        let found = for_domain(spelling, verified(false));
        let scene = waiting().listed(list(NOW - 1.0, std::slice::from_ref(&found)));
        assert_eq!(scene.plan(), look_closer(), "{spelling}");
        let plan = scene.seen(NOW, found).plan();
        assert_eq!(verdict(&plan).record.connector, Some(id()), "{spelling}");
        assert_eq!(act(&plan), None);
    }
}

#[test]
fn a_domain_in_unicode_matches_its_a_label() {
    let mut scene = waiting().listed(list(NOW, &[for_domain("BÜCHER.example", pending())]));
    scene.desired.domain = "xn--bcher-kva.example".parse().unwrap();
    assert_eq!(scene.plan(), look_closer());
}

#[test]
fn a_match_whose_page_does_not_confirm_it_is_neither_bound_nor_created_again() {
    let scene = waiting().listed(list(NOW - 1.0, &[pending()]));
    let rows = [
        scene.clone().missing(NOW),
        scene.seen(NOW, for_domain("example.net", pending())),
    ];
    for scene in rows {
        let plan = scene.plan();
        assert_eq!(act(&plan), None);
        assert_eq!(verdict(&plan).record.connector, None);
        assert_eq!(rest(&plan), seconds(15.0));
    }
}

#[test]
fn several_matches_are_ambiguous_even_if_one_is_ours() {
    let ours = created_on(NOW - 60.0, pending());
    let other = Connector {
        id: other_id(),
        ..for_domain("EXAMPLE.COM", verified(true))
    };
    let scene = waiting().listed(list(NOW - 1.0, &[ours, other]));
    for scene in [scene.clone(), scene.attempted(NOW - 60.0, NOW - 60.0)] {
        let plan = scene.plan();
        assert_eq!(reason(&plan), Some(Reason::AmbiguousMatch));
        assert_eq!(act(&plan), None);
        assert!(message(&plan).contains('2'), "{}", message(&plan));
    }
}

#[test]
fn ours_is_what_was_created_from_2_s_before_to_30_s_after_an_attempt() {
    let attempt = NOW - 60.0;
    let rows = [
        (Some(attempt - 2.001), false),
        (Some(attempt - 2.0), true),
        (Some(attempt), true),
        (Some(attempt + 30.0), true),
        (Some(attempt + 30.001), false),
        (None, false),
    ];
    for (created, ours) in rows {
        // A verified connector that differs from the spec is Armed only if it is ours.
        let found = Connector {
            created_on: created.map(date),
            ..verified(false)
        };
        let plan = waiting()
            .with(|scene| scene.desired.enabled = Some(true))
            .attempted(attempt, attempt)
            .listed(list(NOW - 1.0, std::slice::from_ref(&found)))
            .seen(NOW, found)
            .plan();
        let expected = if ours {
            EnforcementState::Armed
        } else {
            EnforcementState::Held
        };
        assert_eq!(state(&plan), expected, "created {created:?}");
        assert_eq!(verdict(&plan).record.attempts, [], "the intent is cleared");
        assert_eq!(guard(&plan), Guard::SameAttempts);
    }
}

#[test]
fn any_open_attempt_makes_it_ours_and_a_void_one_does_not() {
    let found = created_on(NOW - 290.0, verified(false));
    let scene = waiting()
        .with(|scene| scene.desired.enabled = Some(true))
        .attempted(NOW - 300.0, NOW - 300.0)
        .attempted(NOW - 100.0, NOW - 100.0)
        .listed(list(NOW - 1.0, std::slice::from_ref(&found)))
        .seen(NOW, found);
    assert_eq!(state(&scene.plan()), EnforcementState::Armed);
    let void = scene.with(|scene| scene.pair.void(date(NOW - 300.0)));
    assert_eq!(state(&void.plan()), EnforcementState::Held);
}

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
fn a_terminating_object_never_creates() {
    for finalizer in [true, false] {
        let plan = waiting()
            .listed(list(NOW, &[]))
            .deleting()
            .with(|scene| scene.desired.finalizer = finalizer)
            .plan();
        assert_eq!(act(&plan), None);
    }
}

#[test]
fn without_credentials_nothing_is_looked_at_and_a_person_is_told() {
    let unread = Scene::new().with(|scene| scene.observed.credentials = Credentials::Unread);
    assert_eq!(unread.plan(), Plan::Look(Look::Credentials));
    for reason_word in [Reason::CredentialsUnavailable, Reason::Unauthorized] {
        let plan = Scene::new()
            .with(|scene| {
                scene.observed.credentials = Credentials::Unusable {
                    reason: reason_word,
                    message: "Secret sso/token does not exist.".to_owned(),
                };
            })
            .plan();
        assert_eq!(reason(&plan), Some(reason_word));
        assert_eq!(rest(&plan), seconds(15.0), "the Secret is looked at again");
        assert!(message(&plan).contains("Secret sso/token"));
    }
}

#[test]
fn a_refused_token_clears_an_intent_that_was_the_only_attempt() {
    let unauthorized = |scene: &mut Scene| {
        scene.observed.credentials = Credentials::Unusable {
            reason: Reason::Unauthorized,
            message: "The token may not write.".to_owned(),
        };
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
