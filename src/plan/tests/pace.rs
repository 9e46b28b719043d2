//! How long to wait after a failure, and when the status speaks of it.

use super::*;

const TRANSIENT: [Class; 4] = [
    Class::NotSent,
    Class::Unavailable,
    Class::RateLimited,
    Class::Gone,
];

/// An object whose last of so many failures was right now.
fn failing(class: Class, failures: u32) -> Scene {
    let mut scene = Scene::bound(Some(true), EnforcementState::Satisfied);
    for _ in 0..failures {
        scene = scene.troubled(NOW, failure(class, Endpoint::Get));
    }
    scene
}

/// When the object may call again, counted from the last failure.
fn delay(scene: &Scene) -> f64 {
    let mut scene = scene.clone();
    loop {
        match scene.plan() {
            Plan::Settle {
                then: Then::Rest(span),
                ..
            } => scene.now += span.as_secs_f64(),
            _ => return scene.now - NOW,
        }
    }
}

/// A run of failures is one of calls that said something of Cloudflare, and not of a token.
#[test]
fn a_corrected_token_does_not_inherit_the_run_of_the_one_that_was_refused() {
    for class in TRANSIENT {
        let long_ago = NOW - 3600.0;
        let mut scene = Scene::bound(Some(true), EnforcementState::Satisfied);
        for _ in 0..12 {
            scene = scene.troubled(long_ago, failure(Class::Unauthorized, Endpoint::List));
        }
        let scene = scene.troubled(NOW, failure(class, Endpoint::List));
        assert_eq!(
            verdict(&scene.plan()).outcome,
            Outcome::Undecided { trouble: None },
            "{class:?}: the first of its run says nothing"
        );
        assert!(delay(&scene) < 1.2, "{class:?}");
    }
}

#[test]
fn transient_failures_wait_from_1_s_to_10_min_with_jitter() {
    let rows = [
        (1, 1.0),
        (2, 2.0),
        (3, 4.0),
        (4, 8.0),
        (9, 256.0),
        (10, 512.0),
        (11, 600.0),
        (12, 600.0),
        (1000, 600.0),
    ];
    for class in TRANSIENT {
        for (failures, least) in rows {
            // How long the token rests is the limiter's; another one need not wait for it.
            let limit = if class == Class::RateLimited {
                30.0
            } else {
                600.0_f64
            };
            let least = limit.min(least);
            let waited = delay(&failing(class, failures));
            assert!(
                waited >= least - 0.001 && waited <= least * 1.1 + 0.001,
                "{class:?} {failures}: {waited}"
            );
        }
    }
}

#[test]
fn the_jitter_is_the_objects_own_and_stays_the_same() {
    let scene = failing(Class::Unavailable, 7);
    let spread: std::collections::BTreeSet<_> = (0..20)
        .map(|number| {
            let other = scene
                .clone()
                .with(|scene| scene.desired.uid = format!("uid-{number}"));
            rest(&other.plan())
        })
        .collect();
    assert!(spread.len() > 10, "{spread:?}");
    assert_eq!(scene.plan(), scene.plan());
}

#[test]
fn a_watch_event_does_not_cut_the_wait_short() {
    let scene = failing(Class::Unavailable, 5).at(NOW + 15.9);
    assert_eq!(act(&scene.plan()), None);
    assert!(rest(&scene.plan()) <= seconds(2.0));
    let due = failing(Class::Unavailable, 5).at(NOW + 18.0);
    assert!(matches!(due.plan(), Plan::Look(_)));
}

#[test]
fn an_edit_cuts_the_wait_to_the_floor() {
    for class in [Class::Unavailable, Class::RateLimited, Class::Rejected] {
        let edited = failing(class, 10).with(|scene| scene.desired.generation += 1);
        let waited = delay(&edited);
        assert!((waited - 1.0).abs() < 0.01, "{class:?}: {waited}");
    }
}

#[test]
fn what_a_server_that_is_down_asks_for_is_honoured_in_full_and_no_edit_cuts_it_short() {
    let asked = |seconds: u64| Failure {
        retry_after: Some(Duration::from_secs(seconds)),
        ..failure(Class::Unavailable, Endpoint::List)
    };
    let mut scene =
        Scene::bound(Some(true), EnforcementState::Satisfied).troubled(NOW, asked(3600));
    assert!((delay(&scene) - 3600.0).abs() < 0.01);
    scene.desired.generation += 1;
    assert!((delay(&scene) - 3600.0).abs() < 0.01);
    // A short pause does not cut the back-off short either.
    let scene = failing(Class::Unavailable, 9).troubled(NOW, asked(2));
    assert!(delay(&scene) >= 512.0);
}

#[test]
fn what_cloudflare_rejects_is_tried_again_after_15_min() {
    for failures in [1, 5] {
        let scene = failing(Class::Rejected, failures);
        let waited = delay(&scene);
        assert!((900.0..=990.1).contains(&waited), "{waited}");
        assert_eq!(reason(&scene.plan()), Some(Reason::Rejected));
        assert!(message(&scene.plan()).contains("No identity provider is configured."));
    }
}

#[test]
fn a_refused_token_is_not_waited_out_by_the_object() {
    let plan = failing(Class::Unauthorized, 3).plan();
    assert!(matches!(plan, Plan::Look(_)), "the Secret decides");
}

#[test]
fn transient_trouble_shows_only_after_3_failures_or_2_min() {
    let shown = |scene: &Scene| match &verdict(&scene.plan()).outcome {
        Outcome::Undecided { trouble } => trouble.as_ref().map(|finding| finding.reason),
        Outcome::Decided { .. } => panic!("trouble decides nothing"),
    };
    for (class, word) in [
        (Class::Unavailable, Reason::CloudflareUnavailable),
        (Class::NotSent, Reason::CloudflareUnavailable),
        (Class::RateLimited, Reason::RateLimited),
    ] {
        assert_eq!(shown(&failing(class, 1)), None);
        assert_eq!(shown(&failing(class, 2)), None);
        assert_eq!(shown(&failing(class, 3)), Some(word));
    }
    let lasting = |since: f64| {
        Scene::bound(None, EnforcementState::Armed)
            .troubled(NOW - since, failure(Class::Unavailable, Endpoint::Get))
            .troubled(NOW, failure(Class::Unavailable, Endpoint::Get))
    };
    assert_eq!(shown(&lasting(119.9)), None);
    assert_eq!(shown(&lasting(120.0)), Some(Reason::CloudflareUnavailable));
}

#[test]
fn the_object_wakes_up_to_say_that_trouble_has_lasted_2_min() {
    let down = Failure {
        retry_after: Some(Duration::from_hours(1)),
        ..failure(Class::Unavailable, Endpoint::List)
    };
    let scene = Scene::bound(None, EnforcementState::Armed).troubled(NOW, down);
    assert_eq!(rest(&scene.plan()), seconds(120.0));
    let plan = scene.at(NOW + 120.0).plan();
    assert!(message(&plan).contains("goes on trying"));
    assert_eq!(rest(&plan), seconds(3480.0));
}

#[test]
fn a_success_elsewhere_does_not_end_a_run_of_failures() {
    let mut memory = Memory::default();
    let edition = Scene::new().desired.edition();
    memory.failed(
        failure(Class::Unavailable, Endpoint::Update),
        edition,
        at(1.0),
    );
    memory.succeeded(Endpoint::Get);
    assert!(memory.trouble.is_some(), "each retry begins with a GET");
    memory.succeeded(Endpoint::Update);
    assert!(memory.trouble.is_none());
}

#[test]
fn a_definite_failure_clears_the_only_attempt_and_an_unclear_one_none() {
    for (class, void, left) in [
        (Class::Rejected, true, 0),
        (Class::NotSent, true, 0),
        (Class::RateLimited, true, 0),
        (Class::Unavailable, false, 1),
    ] {
        let plan = Scene::new()
            .attempted(NOW - 1.0, NOW - 1.0)
            .with(|scene| {
                if void {
                    scene.pair.void(date(NOW - 1.0));
                }
            })
            .troubled(NOW, failure(class, Endpoint::Create))
            .plan();
        assert_eq!(verdict(&plan).record.attempts.len(), left, "{class:?}");
    }
    let second = Scene::new()
        .attempted(NOW - 50.0, NOW - 50.0)
        .attempted(NOW - 1.0, NOW - 1.0)
        .with(|scene| scene.pair.void(date(NOW - 1.0)))
        .troubled(NOW, failure(Class::Rejected, Endpoint::Create));
    assert_eq!(verdict(&second.plan()).record.attempts.len(), 2);
}

#[test]
fn a_call_that_is_tried_again_leaves_what_the_status_says_until_it_works() {
    let silent = Outcome::Undecided { trouble: None };
    let create = |class| {
        super::creation::waiting()
            .listed(list(NOW, &[]))
            .troubled(NOW - 5000.0, failure(class, Endpoint::Create))
    };
    for class in [Class::Rejected, Class::Unavailable, Class::Unauthorized] {
        let plan = create(class).plan();
        super::creation::creates(&plan);
        assert_eq!(verdict(&plan).outcome, silent, "{class:?}");
        assert_eq!(
            verdict(&plan).record.attempts,
            [date(NOW)],
            "it is recorded"
        );
    }
    let edited = create(Class::Rejected).with(|scene| scene.desired.generation += 1);
    assert_eq!(reason(&edited.plan()), Some(Reason::Creating), "a new spec");
    let elsewhere = super::creation::waiting()
        .listed(list(NOW, &[]))
        .troubled(NOW - 5000.0, failure(Class::Unavailable, Endpoint::List));
    assert_eq!(reason(&elsewhere.plan()), Some(Reason::Creating));
}

#[test]
fn an_incomplete_list_shows_only_after_2_min() {
    let gap = |second: f64| Snapshot {
        gap: Some("total_count is higher"),
        ..list(second, &[])
    };
    let waiting = super::creation::waiting;
    let shown = |scene: &Scene| match &verdict(&scene.plan()).outcome {
        Outcome::Undecided { trouble } => trouble.as_ref().map(|finding| finding.reason),
        Outcome::Decided { .. } => panic!("trouble decides nothing"),
    };
    assert_eq!(shown(&waiting().listed(gap(NOW))), None);
    let lasting = waiting().listed(gap(NOW - 120.0)).listed(gap(NOW));
    assert_eq!(shown(&lasting), Some(Reason::CloudflareUnavailable));
    let mended = waiting()
        .listed(gap(NOW - 120.0))
        .listed(list(NOW - 60.0, &[]))
        .listed(gap(NOW));
    assert_eq!(shown(&mended), None, "it begins anew");
}

#[test]
fn a_hold_is_told_although_another_change_keeps_failing() {
    let wording = Changes {
        use_fedramp_language: Some(true),
        ..Changes::default()
    };
    let mut scene = Scene::bound(Some(true), EnforcementState::Satisfied)
        .troubled(NOW - 5000.0, failure(Class::Rejected, Endpoint::Update));
    scene.desired.use_fedramp_language = Some(true);
    scene.memory.updating(wording, at(NOW - 5000.0));
    scene
        .memory
        .update_failed(&failure(Class::Rejected, Endpoint::Update));
    let plan = scene
        .seen(NOW - 40.0, verified(false))
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(reason(&plan), Some(Reason::HeldByExternalChange));
    // What failed is one change; another one is as new as any.
    let mut armed = Scene::bound(Some(true), EnforcementState::Armed)
        .troubled(NOW - 5000.0, failure(Class::Rejected, Endpoint::Update));
    armed.memory.updating(wording, at(NOW - 5000.0));
    let plan = armed.seen(NOW, verified(false)).plan();
    assert_eq!(reason(&plan), Some(Reason::Enabling));
}
