//! What a token allows, and what is said where it does not.

use EnforcementState::{Armed, Satisfied};

use super::creation::waiting;
use super::*;

fn paused(since: f64, until: f64) -> Scene {
    Scene::bound(Some(true), Satisfied).with(|scene| {
        scene.observed.credentials = Credentials::Paused(Pause {
            since: at(since),
            until: at(until),
        });
    })
}

#[test]
fn without_credentials_nothing_is_looked_at_and_a_person_is_told() {
    let unread = Scene::new().with(|scene| scene.observed.credentials = Credentials::Unread);
    assert_eq!(unread.plan(), Plan::Look(Look::Credentials));
    for reason_word in [Reason::CredentialsUnavailable, Reason::Unauthorized] {
        let plan = Scene::new()
            .with(|scene| scene.observed.credentials = unusable(reason_word))
            .plan();
        assert_eq!(reason(&plan), Some(reason_word));
        assert_eq!(rest(&plan), seconds(15.0), "the Secret is looked at again");
        assert_eq!(
            message(&plan),
            "Secret sso/token does not exist. Create it."
        );
    }
}

#[test]
fn a_token_that_was_refused_is_tried_with_a_list_before_anything_that_was_seen_counts() {
    let scene = Scene::bound(Some(true), Satisfied)
        .seen(NOW, verified(true))
        .with(|scene| scene.observed.credentials = Credentials::Doubtful);
    let not_before = at(NOW);
    assert_eq!(scene.plan(), Plan::Look(Look::Listing { not_before }));
}

#[test]
fn a_deletion_without_usable_credentials_stays_and_names_the_ways_out() {
    let going = |credentials: Credentials, namespace| {
        Scene::bound(Some(true), Satisfied)
            .deleting()
            .seen(NOW, verified(false))
            .with(|scene| {
                scene.observed.credentials = credentials;
                scene.observed.namespace = namespace;
                scene.observed.object_confirmed = true;
            })
            .plan()
    };
    for (credentials, reason_word) in [
        (
            unusable(Reason::CredentialsUnavailable),
            Reason::CredentialsUnavailable,
        ),
        (unusable(Reason::Unauthorized), Reason::Unauthorized),
        (read_only(), Reason::Unauthorized),
    ] {
        let unread = going(credentials.clone(), Namespace::Unread);
        assert_eq!(unread, Plan::Look(Look::Namespace));
        for (namespace, restores) in [(Namespace::Stays, true), (Namespace::Terminating, false)] {
            let plan = going(credentials.clone(), namespace);
            assert_eq!(act(&plan), None);
            assert_eq!(reason(&plan), Some(reason_word));
            let text = message(&plan);
            assert!(text.contains("Retain"), "{text}");
            assert_eq!(text.contains("restore the Secret"), restores, "{text}");
            assert!(!text.contains("Create it"), "{text}");
        }
    }
}

#[test]
fn a_token_that_may_only_read_hinders_only_who_needs_a_change() {
    let with_read_only = |scene: Scene| {
        let scene = scene.with(|scene| scene.observed.credentials = read_only());
        scene.plan()
    };
    let settled = with_read_only(Scene::bound(Some(true), Satisfied).seen(NOW, verified(true)));
    assert_eq!(reason(&settled), Some(Reason::Available));

    let needy = [
        waiting().listed(list(NOW, &[])),
        Scene::bound(Some(true), Armed).seen(NOW, verified(false)),
        Scene::bound(None, Armed)
            .seen(NOW, awaiting())
            .with(|scene| scene.record.begun.last = None),
    ];
    for scene in needy {
        assert!(act(&scene.plan()).is_some(), "with a good token it acts");
        let record = scene.record.clone();
        let plan = with_read_only(scene);
        assert_eq!(act(&plan), None);
        assert_eq!(reason(&plan), Some(Reason::Unauthorized));
        assert_eq!(
            message(&plan),
            "The token may not write. The operator's default token needs the permissions SSO Connector Edit and Read in this account."
        );
        assert_eq!(verdict(&plan).record, record, "no step is recorded");
        assert_eq!(rest(&plan), seconds(15.0));
    }
}

#[test]
fn with_a_token_that_may_only_read_the_status_goes_on_showing_what_is_there() {
    let status = super::status::status_of(
        &Scene::bound(Some(true), Armed)
            .seen(NOW, verified(false))
            .with(|scene| scene.observed.credentials = read_only()),
    );
    let verified = super::status::condition(&status, ConditionType::Verified).unwrap();
    assert_eq!(verified.status, "True");
}

#[test]
fn a_paused_token_rests_and_the_secret_is_looked_at_in_the_meantime() {
    let plan = paused(NOW, NOW + 3600.0).plan();
    assert_eq!(verdict(&plan).outcome, Outcome::Undecided { trouble: None });
    assert_eq!(rest(&plan), seconds(30.0));
    assert_eq!(rest(&paused(NOW, NOW + 2.0).plan()), seconds(2.0));
    let lasting = paused(NOW - 120.0, NOW + 3600.0).plan();
    assert!(message(&lasting).contains("fewer calls"));
    let speaks = paused(NOW - 100.0, NOW + 3600.0).plan();
    assert_eq!(rest(&speaks), seconds(20.0), "it wakes up to say so");
}

#[test]
fn the_last_token_that_worked_cleans_up_only_for_what_still_names_its_secret() {
    let named = |name: &str| ApiTokenSecretRef {
        name: name.to_owned(),
        key: None,
    };
    let mut scene = Scene::new().deleting();
    scene.desired.api_token = Some(named("token"));
    assert!(scene.desired.may_clean_up_with(&named("token")));
    assert!(!scene.desired.may_clean_up_with(&named("other")));
    scene.desired.terminating = false;
    assert!(!scene.desired.may_clean_up_with(&named("token")));
}

#[test]
fn a_verification_that_the_token_may_not_begin_is_told_and_not_counted() {
    let scene = Scene::bound(None, Armed).seen(NOW, failed()).with(|scene| {
        scene.record.begun.last = Some(date(NOW - 5000.0));
    });
    let plan = scene.plan();
    let Some(Act::BeginVerification { begun, before, .. }) = act(&plan) else {
        panic!("not begun: {plan:?}")
    };
    let refused = scene
        .with(|scene| {
            scene.record.begun = *begun;
            scene.memory.refused_begin = Some((*begun, *before));
            scene.observed.credentials = read_only();
        })
        .troubled(
            NOW,
            failure(Class::Unauthorized, Endpoint::BeginVerification),
        )
        .plan();
    assert_eq!(reason(&refused), Some(Reason::Unauthorized));
    assert_eq!(verdict(&refused).record.begun, *before);
}

#[test]
fn a_hold_is_told_and_kept_although_the_token_may_not_change_something_else() {
    let plan = Scene::bound(Some(true), Satisfied)
        .with(|scene| {
            scene.desired.use_fedramp_language = Some(true);
            scene.observed.credentials = read_only();
        })
        .seen(NOW - 40.0, verified(false))
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(act(&plan), None);
    assert_eq!(reason(&plan), Some(Reason::HeldByExternalChange));
    assert_eq!(state(&plan), EnforcementState::Held);
}

#[test]
fn what_is_not_sent_for_lack_of_a_right_is_not_announced_and_needs_no_further_look() {
    let scene = Scene::bound(Some(true), Satisfied).with(|scene| {
        scene.desired.on_external_change = ExternalChangePolicy::Enforce;
        scene.observed.credentials = read_only();
    });
    let plan = scene
        .seen(NOW - 80.0, verified(false))
        .seen(NOW - 30.0, verified(false))
        .plan();
    assert_eq!(
        reason(&plan),
        Some(Reason::Unauthorized),
        "an old look is enough"
    );
    assert_eq!(verdict(&plan).notice, None);
}

#[test]
fn a_refusal_says_where_a_better_token_goes_and_what_it_needs() {
    let refused = Credentials::Unusable(Unusable::refused(
        "Cloudflare refused the API token (HTTP 401)".to_owned(),
    ));
    let scene = Scene::new().with(|scene| {
        scene.observed.credentials = refused;
        scene.desired.api_token = Some(ApiTokenSecretRef {
            name: "sso".to_owned(),
            key: None,
        });
    });
    assert_eq!(
        message(&scene.plan()),
        "Cloudflare refused the API token (HTTP 401). Put a token into Secret sso that has the permissions SSO Connector Edit and Read in this account."
    );
}
