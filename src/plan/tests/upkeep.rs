//! Drift, and what a look at a connector may rest on.

use EnforcementState::{Armed, Satisfied};

use super::*;

fn settled() -> Scene {
    Scene::bound(Some(true), Satisfied)
}

#[test]
fn on_the_answer_to_the_post_an_object_waits_and_changes_nothing() {
    let rests = Scene::bound(None, Armed).answered(NOW, pending()).plan();
    assert_eq!(reason(&rests), Some(Reason::AwaitingVerification));
    for scene in [
        Scene::bound(Some(true), Armed).answered(NOW, verified(false)),
        Scene::bound(Some(false), Armed).answered(NOW, verified(true)),
        Scene::bound(None, Armed)
            .with(|scene| scene.record.begun.last = None)
            .answered(NOW, awaiting()),
    ] {
        assert_eq!(scene.plan(), look_closer());
    }
    let looked_at = Scene::bound(Some(true), Armed)
        .answered(NOW - 1.0, verified(false))
        .seen(NOW, for_domain("example.net", verified(false)));
    assert_eq!(reason(&looked_at.plan()), Some(Reason::ConnectorMismatch));
}

#[test]
fn a_bound_object_asks_for_the_accounts_list() {
    assert_eq!(settled().plan(), look_at_list(NOW - 600.0));
}

#[test]
fn the_list_is_enough_while_nothing_differs() {
    let plan = settled().listed(list(NOW - 5.0, &[verified(true)])).plan();
    assert_eq!(act(&plan), None);
    assert_eq!(reason(&plan), Some(Reason::Available));
}

#[test]
fn settled_objects_rest_10_min_and_a_jitter() {
    let span = rest(&settled().seen(NOW, verified(true)).plan());
    assert!(span >= seconds(600.0) && span <= seconds(660.0), "{span:?}");
    let old = settled().seen(NOW - 600.0, verified(true));
    assert!(matches!(old.plan(), Plan::Look(Look::Listing { .. })));
    let unmanaged = Scene::bound(None, Armed).seen(NOW, verified(false));
    assert!(rest(&unmanaged.plan()) >= seconds(600.0));
}

#[test]
fn a_list_that_lacks_the_bound_connector_leads_to_a_get_and_never_to_gone() {
    for snapshot in [
        list(NOW - 1.0, &[]),
        list(
            NOW - 1.0,
            &[for_domain(
                "example.net",
                Connector {
                    id: other_id(),
                    ..verified(true)
                },
            )],
        ),
    ] {
        let scene = settled().listed(snapshot);
        assert_eq!(scene.plan(), look_closer());
        let plan = scene.seen(NOW, verified(true)).plan();
        assert_eq!(reason(&plan), Some(Reason::Available));
    }
}

#[test]
fn a_list_that_leaves_out_fields_leads_to_a_get() {
    let rows = [
        Connector {
            verification: None,
            ..verified(true)
        },
        Connector {
            enabled: None,
            ..verified(true)
        },
    ];
    for item in rows {
        assert_eq!(settled().listed(list(NOW, &[item])).plan(), look_closer());
    }
}

#[test]
fn after_our_own_change_only_what_was_asked_for_later_counts() {
    let scene = settled()
        .seen(NOW - 3.0, verified(true))
        .listed(list(NOW - 2.0, &[verified(true)]))
        .with(|scene| scene.memory.acted_at = Some(at(NOW - 1.0)));
    assert_eq!(scene.plan(), look_closer());
}

#[test]
fn only_what_the_spec_sets_is_compared() {
    let wording = Connector {
        use_fedramp_language: Some(true),
        ..verified(true)
    };
    let plan = settled().seen(NOW, wording).plan();
    assert_eq!(act(&plan), None);
    let enabled = Scene::bound(None, Armed).seen(NOW, verified(true)).plan();
    assert_eq!(act(&enabled), None);
}

#[test]
fn the_wording_is_corrected_with_only_the_changed_field() {
    for wanted in [true, false] {
        let shown = Connector {
            use_fedramp_language: Some(!wanted),
            ..verified(true)
        };
        let plan = settled()
            .seen(NOW, shown)
            .with(|scene| scene.desired.use_fedramp_language = Some(wanted))
            .plan();
        let changes = Changes {
            use_fedramp_language: Some(wanted),
            enabled: None,
        };
        assert_eq!(act(&plan), Some(&Act::Update { id: id(), changes }));
        assert_eq!(
            state(&plan),
            Satisfied,
            "drift of the wording is no break-glass"
        );
    }
}

#[test]
fn the_wording_is_not_corrected_on_the_word_of_a_list() {
    let plan = settled()
        .listed(list(NOW, &[verified(true)]))
        .with(|scene| scene.desired.use_fedramp_language = Some(true))
        .plan();
    assert_eq!(plan, look_closer());
}

/// A correction of the wording that was sent so many seconds ago, and a look now that does not show it.
fn reworded(ago: f64, seen: f64) -> Scene {
    settled()
        .with(|scene| {
            scene.desired.use_fedramp_language = Some(true);
            let changes = Changes {
                use_fedramp_language: Some(true),
                ..Changes::default()
            };
            scene.memory.updating(changes, at(NOW - ago));
        })
        .seen(seen, verified(true))
}

#[test]
fn while_the_wording_differs_the_object_is_not_said_to_be_as_the_spec_says() {
    let undecided = Outcome::Undecided { trouble: None };
    let correcting = settled()
        .seen(NOW, verified(true))
        .with(|scene| scene.desired.use_fedramp_language = Some(true));
    assert!(act(&correcting.plan()).is_some());
    assert_eq!(verdict(&correcting.plan()).outcome, undecided);
    assert_eq!(verdict(&reworded(1.0, NOW).plan()).outcome, undecided);
    let bound = Scene::new()
        .claimed(NOW - 2.0)
        .listed(list(NOW - 1.0, &[verified(false)]))
        .seen(NOW, verified(false))
        .with(|scene| scene.desired.use_fedramp_language = Some(true));
    assert_eq!(verdict(&bound.plan()).outcome, undecided);
    // An object that is not ready anyway says why.
    let pending = Scene::bound(None, Armed)
        .seen(NOW, pending())
        .with(|scene| scene.desired.use_fedramp_language = Some(true));
    assert_eq!(reason(&pending.plan()), Some(Reason::AwaitingVerification));
}

#[test]
fn a_correction_that_does_not_show_is_waited_for_30_s() {
    let soon = rest(&reworded(1.0, NOW).plan());
    assert!(soon <= seconds(1.0), "soon at first: {soon:?}");
    let later = reworded(1.0, NOW).at(NOW + 1.0).plan();
    assert_eq!(later, look_closer());
}

#[test]
fn a_correction_that_was_accepted_and_has_no_effect_is_refused_and_seldom_repeated() {
    let plan = reworded(30.0, NOW).plan();
    assert_eq!(act(&plan), None);
    assert_eq!(reason(&plan), Some(Reason::Rejected));
    assert!(message(&plan).contains("useFedrampLanguage"));
    assert!(
        rest(&plan) <= seconds(660.0),
        "it is looked at in the meantime"
    );
    assert_eq!(act(&reworded(899.0, NOW).plan()), None);
    assert!(act(&reworded(900.0, NOW).plan()).is_some());
    let seen = reworded(40.0, NOW).seen(
        NOW,
        Connector {
            use_fedramp_language: Some(true),
            ..verified(true)
        },
    );
    assert_eq!(reason(&seen.plan()), Some(Reason::Available));
    let held = reworded(40.0, NOW - 60.0)
        .with(|scene| {
            let enforcement = scene.record.enforcement.as_mut().unwrap();
            enforcement.state = EnforcementState::Held;
        })
        .seen(NOW, verified(false));
    assert_eq!(
        reason(&held.plan()),
        Some(Reason::HeldByExternalChange),
        "what a person has to know first"
    );
}

#[test]
fn a_bound_connector_for_another_domain_is_never_touched() {
    let foreign = for_domain("example.net", verified(false));
    let plan = Scene::bound(Some(true), Armed)
        .seen(NOW, foreign)
        .with(|scene| scene.desired.use_fedramp_language = Some(true))
        .plan();
    assert_eq!(act(&plan), None);
    assert_eq!(reason(&plan), Some(Reason::ConnectorMismatch));
    assert!(message(&plan).contains("example.net"));
}

#[test]
fn a_bound_connector_may_spell_its_domain_otherwise() {
    let plan = settled()
        .seen(NOW, for_domain("EXAMPLE.COM.", verified(true)))
        .plan();
    assert_eq!(reason(&plan), Some(Reason::Available));
}

#[test]
fn a_pass_over_any_ordinary_connector_ends() {
    let statuses = [
        VerificationStatus::Awaiting,
        VerificationStatus::Pending,
        VerificationStatus::Failed,
        VerificationStatus::Verified,
        VerificationStatus::Unknown("new".to_owned()),
    ];
    for status in statuses {
        for enabled in [Some(true), Some(false), None] {
            for wanted in [Some(true), Some(false), None] {
                for state in [
                    Armed,
                    Satisfied,
                    EnforcementState::Applying,
                    EnforcementState::Held,
                ] {
                    let shown = Connector {
                        enabled,
                        ..connector(status.clone(), false)
                    };
                    let mut scene = Scene::bound(wanted, state);
                    scene.pass(&Cloudflare::shows(&shown));
                    scene.now += 1000.0;
                    scene.pass(&Cloudflare {
                        list: Vec::new(),
                        ..Cloudflare::shows(&shown)
                    });
                }
            }
        }
    }
}
