//! The hand-over of a connector to an heir, when its object goes away.

use super::ownership::{
    Case, OLDER, YOUNGER, among, bind, bound_rival, fresh, rival, suspend, terminate,
};
use super::*;
use crate::plan::Access;

/// An enabled connector whose object is going away.
fn going() -> Scene {
    Scene::bound(Some(true), EnforcementState::Satisfied)
        .deleting()
        .seen(NOW, verified(true))
        .with(|scene| scene.observed.object_confirmed = true)
}

#[test]
fn who_inherits() {
    let cases: [Case; 12] = [
        ("a live one", YOUNGER, |_| {}, true),
        ("an older one", OLDER, |_| {}, true),
        (
            "one that names the connector",
            YOUNGER,
            |heir| heir.desired.named = Some(id()),
            true,
        ),
        (
            "one that names another",
            YOUNGER,
            |heir| heir.desired.named = Some(other_id()),
            false,
        ),
        (
            "one that does not adopt",
            YOUNGER,
            |heir| heir.desired.adoption = AdoptionPolicy::Refuse,
            false,
        ),
        (
            "one that does not adopt but names it",
            YOUNGER,
            |heir| {
                heir.desired.adoption = AdoptionPolicy::Refuse;
                heir.desired.named = Some(id());
            },
            true,
        ),
        ("one bound to it, too, by accident", YOUNGER, bind, true),
        (
            "one bound to another",
            YOUNGER,
            |heir| heir.record.connector = Some(other_id()),
            false,
        ),
        (
            "one that only observes",
            YOUNGER,
            |heir| heir.desired.management = ManagementPolicy::Observe,
            false,
        ),
        ("one that is suspended", YOUNGER, suspend, false),
        ("one that goes, too", YOUNGER, terminate, false),
        (
            "one without access",
            YOUNGER,
            |heir| heir.access = Access::Refused,
            false,
        ),
    ];
    for (case, created, change, inherits) in cases {
        let mut heir = rival(created);
        change(&mut heir);
        let plan = among(going(), vec![heir]).plan();
        if inherits {
            assert_eq!(plan, Plan::Release, "{case}");
        } else {
            assert_eq!(act(&plan), Some(&set_enabled(false)), "{case}: {plan:?}");
        }
    }
    let mut refused = rival(OLDER);
    refused.access = Access::Refused;
    let beside = among(going(), vec![refused, rival(YOUNGER)]);
    assert_eq!(beside.plan(), Plan::Release, "one of several");
    assert_eq!(act(&going().plan()), Some(&set_enabled(false)), "nobody");
}

#[test]
fn an_heir_needs_no_credentials_of_the_one_that_goes() {
    let scene = among(going(), vec![rival(YOUNGER)]).with(|scene| {
        scene.observed.credentials = unusable(Reason::CredentialsUnavailable);
        scene.observed.definition = Definition::Unread;
    });
    assert_eq!(scene.plan(), Plan::Release);
}

#[test]
fn an_heir_that_was_not_tried_yet_is_waited_for_but_not_for_ever() {
    let mut heir = rival(YOUNGER);
    heir.access = Access::Untried;
    let rows: [fn(&mut Scene); 2] = [
        |_| {},
        |scene| {
            scene.record.connector = None;
            scene.record.attempts = vec![date(NOW - 600.0)];
        },
    ];
    for change in rows {
        let scene = among(going().with(change), vec![heir.clone()]);
        let since = |seen| {
            let scene = scene
                .clone()
                .with(|scene| scene.memory.deletion_seen = Some(at(seen)));
            scene.plan()
        };
        let plan = since(NOW - 200.0);
        assert_eq!(act(&plan), None);
        assert_eq!(reason(&plan), Some(Reason::Deleting));
        assert_eq!(rest(&plan), Timing::default().deletion_delay);
        assert_eq!(rest(&since(NOW - 299.0)), seconds(1.0));
        let over = since(NOW - 300.0);
        assert!(
            !message_of(&over).contains("takes the connector over"),
            "{over:?}"
        );
    }
}

/// What is said, if anything is settled.
fn message_of(plan: &Plan) -> String {
    match plan {
        Plan::Settle { .. } => message(plan).to_owned(),
        _ => String::new(),
    }
}

#[test]
fn whose_secret_is_not_there_yet_was_not_tried() {
    let access = |credentials| {
        let scene = Scene::new().with(|scene| scene.observed.credentials = credentials);
        scene.observed.access()
    };
    assert_eq!(access(Credentials::Unread), None);
    assert_eq!(
        access(unusable(Reason::CredentialsUnavailable)),
        Some(Access::Untried)
    );
    assert_eq!(
        access(unusable(Reason::Unauthorized)),
        Some(Access::Refused)
    );
    assert_eq!(access(Credentials::Usable), Some(Access::Untried));
    let listed = fresh().observed.access();
    assert_eq!(listed, Some(Access::Listed));
}

#[test]
fn an_heir_does_not_take_our_own_disabling_for_somebodys_decision() {
    let heir = |disabled_at: Option<f64>| {
        let scene = Scene::new()
            .claimed(NOW - 5.0)
            .listed(list(NOW - 1.0, &[verified(false)]))
            .seen(NOW, verified(false));
        let scene = scene.with(|scene| {
            scene.desired.enabled = Some(true);
            if let Some(when) = disabled_at {
                scene.pair.disabled(id(), at(when));
            }
        });
        state(&scene.plan())
    };
    assert_eq!(heir(None), EnforcementState::Held);
    assert_eq!(heir(Some(NOW - 100.0)), EnforcementState::Armed);
    assert_eq!(heir(Some(NOW - 121.0)), EnforcementState::Held, "too old");
}

#[test]
fn an_heir_is_not_deceived_by_a_look_that_lags_our_own_disabling() {
    let heir = |second: f64| {
        let enabled = verified(true);
        let scene = Scene::new()
            .at(second)
            .claimed(second - 5.0)
            .listed(list(second - 1.0, std::slice::from_ref(&enabled)))
            .seen(second, enabled);
        scene.with(|scene| {
            scene.desired.enabled = Some(true);
            scene.pair.disabled(id(), at(NOW));
        })
    };
    let early = heir(NOW + 1.0);
    assert_eq!(state(&early.plan()), EnforcementState::Armed);
    let late = heir(NOW + 30.0);
    assert_eq!(state(&late.plan()), EnforcementState::Satisfied, "it is so");

    let bound = |second: f64, enabled: bool| {
        Scene::bound(Some(true), EnforcementState::Armed)
            .at(second)
            .seen(second, verified(enabled))
            .with(|scene| scene.pair.disabled(id(), at(NOW)))
    };
    let waits = bound(NOW + 1.0, true).plan();
    assert_eq!(act(&waits), None);
    assert_eq!(rest(&waits), seconds(29.0));
    assert_eq!(state(&waits), EnforcementState::Armed);
    let shown = bound(NOW + 5.0, false).plan();
    assert_eq!(act(&shown), Some(&set_enabled(true)));
    let sent = bound(NOW + 6.0, true)
        .with(|scene| scene.memory.updating(change(true), at(NOW + 5.0)))
        .plan();
    assert_eq!(state(&sent), EnforcementState::Satisfied);
}

/// The DELETE may have been carried out, and reads may lag: what is handed over must be there.
#[test]
fn an_heir_waits_until_it_is_known_whether_a_delete_has_removed_the_connector() {
    let sent = |second: f64| {
        among(going(), vec![rival(YOUNGER)])
            .at(second)
            .with(|scene| {
                scene.memory.deletion = Some(Deletion::Sent(id()));
                scene.memory.acted_at = Some(at(NOW));
            })
    };
    let early = sent(NOW + 1.0).seen(NOW + 1.0, verified(false)).plan();
    assert_eq!(act(&early), None);
    assert_eq!(rest(&early), seconds(29.0));
    let due = sent(NOW + 30.0).seen(NOW + 1.0, verified(false));
    assert_eq!(due.plan(), look_closer());
    let there = sent(NOW + 30.0).seen(NOW + 30.0, verified(false));
    assert_eq!(there.plan(), Plan::Release, "it is left to the heir");
    let gone = sent(NOW + 2.0).missing(NOW + 1.0);
    assert_eq!(gone.plan(), Plan::Release, "there is nothing to leave");
    let blind = sent(NOW + 45.0)
        .with(|scene| scene.observed.credentials = unusable(Reason::CredentialsUnavailable));
    assert_eq!(blind.plan(), Plan::Release, "not for ever");
}

#[test]
fn another_owner_lets_a_duplicate_go_without_a_call() {
    let scene = among(going(), vec![bound_rival(OLDER)]).with(|scene| {
        scene.observed.credentials = Credentials::Unread;
        scene.observed.definition = Definition::Unread;
    });
    assert_eq!(scene.plan(), Plan::Release);
}

#[test]
fn rivals_are_read_again_right_before_a_connector_is_taken_down() {
    let scene = going().with(|scene| scene.observed.object_confirmed = false);
    assert_eq!(scene.plan(), Plan::Look(Look::Object));
}

/// Two objects that are deleted together, each with `Delete`: the watch has brought the deletion of the first only,
/// so the second looks like an heir. What is decided on the cache leaves the connector to nobody.
#[test]
fn an_heir_is_read_from_the_api_server_before_a_connector_is_left_to_it() {
    let scene =
        among(going(), vec![rival(YOUNGER)]).with(|scene| scene.observed.object_confirmed = false);
    assert_eq!(scene.plan(), Plan::Look(Look::Object));
}

/// What is deleted is deleted; an object that appears after that keeps nobody waiting.
#[test]
fn after_the_deletion_nobody_is_waited_for() {
    let mut heir = rival(YOUNGER);
    heir.access = Access::Untried;
    let scene = among(going(), vec![heir])
        .with(|scene| scene.memory.deletion = Some(Deletion::Confirmed(id())));
    assert_eq!(scene.plan(), Plan::Release);
}
