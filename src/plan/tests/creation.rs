//! Create, exactly once.

use super::*;

/// An object that holds the claim since long ago.
pub(super) fn waiting() -> Scene {
    Scene::new().claimed(NOW - 1000.0)
}

#[track_caller]
pub(super) fn creates(plan: &Plan) -> (Timestamp, Moment) {
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
        assert_eq!(rest(&plan), seconds(30.0));
        let later = scene.at(NOW + 30.0);
        assert_eq!(
            later.plan(),
            look_at_list(NOW + 15.0),
            "both are looked at again"
        );
    }
}

#[test]
fn a_match_in_an_incomplete_list_is_not_bound_as_there_may_be_more() {
    let snapshot = Snapshot {
        gap: Some("total_count is higher"),
        ..list(NOW - 1.0, &[pending()])
    };
    let plan = waiting().listed(snapshot).seen(NOW, pending()).plan();
    assert_eq!(verdict(&plan).record.connector, None);
    assert_eq!(act(&plan), None);
}

#[test]
fn a_list_and_a_page_that_are_slow_to_come_do_not_wait_for_each_other_for_ever() {
    // The list took 11 s, then the page took 10 s.
    let scene = waiting().listed(list(NOW - 21.0, &[pending()]));
    let bound = scene.clone().seen(NOW - 10.0, pending()).plan();
    assert_eq!(verdict(&bound).record.connector, Some(id()));
    let old_list = waiting()
        .listed(list(NOW - 40.0, &[pending()]))
        .seen(NOW - 10.0, pending());
    assert_eq!(old_list.plan(), look_at_list(NOW - 15.0));
}

#[test]
fn what_was_just_deleted_is_neither_bound_nor_taken_for_a_proof_while_a_list_still_shows_it() {
    let deleted = |when: f64| {
        waiting()
            .listed(list(NOW - 1.0, &[verified(false)]))
            .seen(NOW, verified(false))
            .with(|scene| scene.pair.deleted(id(), at(when)))
    };
    let plan = deleted(NOW - 2.0).plan();
    assert_eq!(act(&plan), None);
    assert_eq!(verdict(&plan).record.connector, None);
    assert_eq!(reason(&plan), Some(Reason::Creating));
    assert_eq!(
        deleted(NOW - 2.0).at(NOW + 30.0).plan(),
        look_at_list(NOW + 15.0),
        "the list is taken again"
    );
    creates(&deleted(NOW - 2.0).listed(list(NOW, &[])).plan());
    // Past the grace it is there for some other reason.
    let bound = deleted(NOW - 121.0).plan();
    assert_eq!(verdict(&bound).record.connector, Some(id()));
}

#[test]
fn another_connector_beside_the_deleted_one_waits_for_a_list_that_does_not_lag() {
    let other = Connector {
        id: other_id(),
        ..pending()
    };
    let plan = waiting()
        .listed(list(NOW - 1.0, &[verified(false), other]))
        .with(|scene| scene.pair.deleted(id(), at(NOW - 2.0)))
        .plan();
    assert_eq!(reason(&plan), Some(Reason::Creating));
    assert_eq!(act(&plan), None);
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
