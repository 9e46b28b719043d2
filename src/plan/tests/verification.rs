//! When the verification is begun, and when it is begun again.

use super::*;

/// An object bound to a connector whose verification nobody has begun.
fn scene() -> Scene {
    Scene::bound(None, EnforcementState::Armed).with(|scene| scene.record.begun.last = None)
}

fn begins(plan: &Plan) -> bool {
    matches!(act(plan), Some(Act::BeginVerification { id: begun, .. }) if *begun == id())
}

#[test]
fn awaiting_is_begun_once_and_the_record_says_so_first() {
    let scene = scene().seen(NOW, awaiting());
    let plan = scene.plan();
    assert!(begins(&plan));
    let record = &verdict(&plan).record;
    assert_eq!(record.begun.last, Some(date(NOW)));
    assert_eq!(record.begun.restarts, 0, "a first time is no restart");
    let again = scene.with(|scene| scene.record.begun.last = Some(date(NOW - 5.0)));
    assert!(!begins(&again.plan()));
}

#[test]
fn a_connector_whose_creation_began_the_verification_is_not_begun_again() {
    let found = created_on(NOW - 1.0, awaiting());
    let mut scene = Scene::new()
        .attempted(NOW - 2.0, NOW - 2.0)
        .claimed(NOW - 3.0);
    let plan = scene.pass(&Cloudflare::shows(&found));
    assert_eq!(act(&plan), None);
    assert_eq!(verdict(&plan).record.begun.last, Some(date(NOW - 2.0)));
}

#[test]
fn nothing_is_begun_unless_the_spec_allows_it() {
    for connector in [awaiting(), failed()] {
        let plan = scene()
            .seen(NOW, connector)
            .with(|scene| scene.desired.begin_verification = false)
            .plan();
        assert_eq!(act(&plan), None);
    }
}

#[test]
fn only_awaiting_and_failed_are_begun() {
    let rows = [
        (VerificationStatus::Awaiting, true),
        (VerificationStatus::Failed, true),
        (VerificationStatus::Pending, false),
        (VerificationStatus::Verified, false),
        (VerificationStatus::Unknown("expired".to_owned()), false),
    ];
    for (status, begun) in rows {
        let plan = scene().seen(NOW, connector(status.clone(), false)).plan();
        assert_eq!(begins(&plan), begun, "{status:?}");
    }
    let silent = Connector {
        verification: None,
        ..pending()
    };
    assert!(!begins(&scene().seen(NOW, silent).plan()));
}

#[test]
fn a_failed_verification_is_begun_again_with_a_pause_from_10_min_to_6_h() {
    let rows = [
        (0, 600.0),
        (1, 1200.0),
        (2, 2400.0),
        (3, 4800.0),
        (4, 9600.0),
        (5, 19_200.0),
        (6, 21_600.0),
        (7, 21_600.0),
        (i32::MAX, 21_600.0),
    ];
    for (restarts, pause) in rows {
        let failed = |last: f64| {
            scene().seen(NOW, failed()).with(|scene| {
                scene.record.begun.restarts = restarts;
                scene.record.begun.last = Some(date(last));
            })
        };
        assert!(!begins(&failed(NOW - pause + 0.1).plan()), "{restarts}");
        let plan = failed(NOW - pause).plan();
        assert!(begins(&plan), "{restarts}");
        assert_eq!(
            verdict(&plan).record.begun.restarts,
            restarts.saturating_add(1),
            "each restart is counted"
        );
    }
}

#[test]
fn a_pause_is_counted_by_cloudflares_clock_which_may_jump() {
    let ahead = scene()
        .seen(NOW, failed())
        .with(|scene| scene.record.begun.last = Some(date(NOW + 50_000.0)));
    assert!(!begins(&ahead.plan()));
}

#[test]
fn a_list_is_not_enough_to_begin() {
    let listed = scene().listed(list(NOW, &[awaiting()]));
    assert_eq!(listed.plan(), look_closer());
    let stale = scene().seen(NOW - 15.001, awaiting());
    assert_eq!(stale.plan(), look_closer());
    assert!(begins(&scene().seen(NOW - 15.0, awaiting()).plan()));
}

#[test]
fn an_unverified_connector_is_looked_at_every_30_s() {
    for connector in [
        pending(),
        connector(VerificationStatus::Unknown("new".to_owned()), false),
    ] {
        let plan = scene().seen(NOW, connector.clone()).plan();
        let span = rest(&plan);
        assert!(span >= seconds(30.0) && span <= seconds(33.0), "{span:?}");
        let stale = scene().seen(NOW - 30.0, connector);
        assert!(matches!(stale.plan(), Plan::Look(Look::Listing { .. })));
    }
}

/// An object whose domain was verified, and looks at so many seconds ago that do not show it so.
fn lapsed(connector: &Connector, looks: &[f64]) -> Scene {
    let mut scene = Scene::bound(None, EnforcementState::Armed)
        .with(|scene| scene.record.standing = Standing::Verified);
    for ago in looks {
        scene = scene.seen(NOW - ago, connector.clone());
    }
    scene
}

#[test]
fn a_lapsed_verification_is_reported_and_begun_again_but_not_created_again() {
    for connector in [pending(), awaiting(), failed()] {
        let plan = lapsed(&connector, &[30.0, 0.0]).plan();
        assert_eq!(reason(&plan), Some(Reason::VerificationLapsed));
        assert_eq!(verdict(&plan).record.connector, Some(id()));
        assert!(!matches!(act(&plan), Some(Act::Create { .. })));
    }
    let known = lapsed(&failed(), &[0.0]).with(|scene| scene.record.standing = Standing::Lapsed);
    for plan in [lapsed(&failed(), &[30.0, 0.0]).plan(), known.plan()] {
        assert!(begins(&plan), "restarted by us");
    }
}

#[test]
fn a_lapse_is_spoken_of_only_after_two_looks_30_s_apart() {
    for connector in [pending(), awaiting(), failed()] {
        for looks in [&[0.0][..], &[29.9, 0.0]] {
            let plan = lapsed(&connector, looks).plan();
            assert_eq!(
                verdict(&plan).outcome,
                Outcome::Undecided { trouble: None },
                "it may be a read that lags"
            );
            assert_eq!(act(&plan), None);
            assert!(rest(&plan) <= seconds(30.0));
        }
        let mut due = lapsed(&connector, &[0.0]).at(NOW + 30.0);
        let confirmed = due.pass(&Cloudflare::shows(&connector));
        assert_eq!(reason(&confirmed), Some(Reason::VerificationLapsed));
    }
    let in_between = lapsed(&pending(), &[40.0])
        .seen(NOW - 20.0, verified(false))
        .seen(NOW, pending());
    assert_eq!(
        reason(&in_between.plan()),
        None,
        "it was verified in between"
    );
}

#[test]
fn a_lapse_never_rests_on_a_list() {
    let listed = lapsed(&pending(), &[]).listed(list(NOW, &[pending()]));
    assert_eq!(listed.plan(), look_closer());
}

#[test]
fn disabling_does_not_wait_for_a_lapse_to_be_confirmed() {
    let mut scene = Scene::bound(Some(false), EnforcementState::Armed)
        .seen(NOW, connector(VerificationStatus::Pending, true));
    scene.record.standing = Standing::Verified;
    assert_eq!(act(&scene.plan()), Some(&set_enabled(false)));
}

#[test]
fn what_cloudflare_refused_to_begin_was_not_begun() {
    let scene = scene().seen(NOW, failed()).with(|scene| {
        scene.record.begun.last = Some(date(NOW - 600.0));
    });
    let plan = scene.plan();
    let Some(Act::BeginVerification { begun, before, .. }) = act(&plan) else {
        panic!("not begun: {plan:?}")
    };
    assert_eq!((begun.restarts, before.restarts), (1, 0));
    let refused = scene
        .with(|scene| {
            scene.record.begun = *begun;
            scene.memory.refused_begin = Some((*begun, *before));
        })
        .troubled(NOW, failure(Class::Rejected, Endpoint::BeginVerification));
    assert_eq!(verdict(&refused.plan()).record.begun, *before);
    let begun_since = refused.with(|scene| scene.record.begun.last = Some(date(NOW + 5.0)));
    assert_eq!(verdict(&begun_since.plan()).record.begun.restarts, 1);
}
