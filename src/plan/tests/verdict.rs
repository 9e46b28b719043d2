//! What `Ready`, `Verified` and `Enabled` say of a situation: the tables of conditions.

use EnforcementState::{Applying, Armed, Held, Satisfied};

use super::status::{condition, status_of};
use super::*;
use crate::resource::ConditionType;

/// A situation, and the reasons that the conditions give for it.
struct Row {
    name: &'static str,
    scene: Scene,
    ready: (&'static str, &'static str),
    verified: (&'static str, &'static str),
    enabled: (&'static str, &'static str),
    progress: Option<ConditionType>,
}

fn unknown() -> Connector {
    connector(VerificationStatus::Unknown("expired".to_owned()), false)
}

fn lapsed(scene: &mut Scene) {
    scene.record.was_verified = true;
}

fn rows() -> Vec<Row> {
    let bound = |wanted, state, shown: Connector| Scene::bound(wanted, state).seen(NOW, shown);
    let row = |name, scene, ready, verified, enabled, progress| Row {
        name,
        scene,
        ready,
        verified,
        enabled,
        progress,
    };
    let reconciling = Some(ConditionType::Reconciling);
    let stalled = Some(ConditionType::Stalled);
    let awaits = ("False", "AwaitingVerification");
    let yes = ("True", "Verified");
    let available = ("True", "Available");
    vec![
        row(
            "enabled as asked",
            bound(Some(true), Satisfied, verified(true)),
            available,
            yes,
            ("True", "Enabled"),
            None,
        ),
        row(
            "disabled as asked",
            bound(Some(false), Satisfied, verified(false)),
            available,
            yes,
            ("False", "Disabled"),
            None,
        ),
        row(
            "not managed, disabled",
            bound(None, Armed, verified(false)),
            available,
            yes,
            ("False", "Disabled"),
            None,
        ),
        row(
            "not managed, enabled",
            bound(None, Armed, verified(true)),
            available,
            yes,
            ("True", "Enabled"),
            None,
        ),
        row(
            "about to enable",
            bound(Some(true), Armed, verified(false)),
            ("False", "Enabling"),
            yes,
            ("False", "Enabling"),
            reconciling,
        ),
        row(
            "enabling",
            bound(Some(true), Applying, verified(false)),
            ("False", "Enabling"),
            yes,
            ("False", "Enabling"),
            reconciling,
        ),
        row(
            "about to disable",
            bound(Some(false), Armed, verified(true)),
            ("False", "Disabling"),
            yes,
            ("True", "Enabled"),
            reconciling,
        ),
        row(
            "held, disabled by hand",
            bound(Some(true), Held, verified(false)),
            ("False", "HeldByExternalChange"),
            yes,
            ("False", "HeldByExternalChange"),
            stalled,
        ),
        row(
            "held, enabled by hand",
            bound(Some(false), Held, verified(true)),
            ("False", "HeldByExternalChange"),
            yes,
            ("True", "HeldByExternalChange"),
            stalled,
        ),
        row(
            "awaiting",
            bound(Some(true), Armed, awaiting()),
            awaits,
            ("False", "Awaiting"),
            ("False", "AwaitingVerification"),
            None,
        ),
        row(
            "pending",
            bound(Some(true), Armed, pending()),
            awaits,
            ("False", "Pending"),
            ("False", "AwaitingVerification"),
            None,
        ),
        row(
            "pending, not managed",
            bound(None, Armed, pending()),
            awaits,
            ("False", "Pending"),
            ("False", "Disabled"),
            None,
        ),
        row(
            "failed",
            bound(None, Armed, failed()),
            ("False", "VerificationFailed"),
            ("False", "VerificationFailed"),
            ("False", "Disabled"),
            None,
        ),
        row(
            "lapsed",
            bound(None, Armed, pending()).with(lapsed),
            ("False", "VerificationLapsed"),
            ("False", "VerificationLapsed"),
            ("False", "Disabled"),
            None,
        ),
        row(
            "lapsed and failed",
            bound(None, Armed, failed()).with(lapsed),
            ("False", "VerificationLapsed"),
            ("False", "VerificationLapsed"),
            ("False", "Disabled"),
            None,
        ),
        row(
            "unknown status",
            bound(Some(true), Armed, unknown()),
            awaits,
            ("Unknown", "UnknownStatus"),
            ("False", "AwaitingVerification"),
            None,
        ),
        row(
            "no status",
            bound(
                None,
                Armed,
                Connector {
                    verification: None,
                    ..pending()
                },
            ),
            awaits,
            ("Unknown", "UnknownStatus"),
            ("False", "Disabled"),
            None,
        ),
        row(
            "nobody begins and nothing is to be enabled",
            bound(None, Armed, awaiting()).with(|scene| scene.desired.begin_verification = false),
            available,
            ("False", "Awaiting"),
            ("False", "Disabled"),
            None,
        ),
        row(
            "nobody begins but it is to be enabled",
            bound(Some(true), Armed, awaiting())
                .with(|scene| scene.desired.begin_verification = false),
            awaits,
            ("False", "Awaiting"),
            ("False", "AwaitingVerification"),
            None,
        ),
    ]
}

#[test]
fn every_situation_has_its_conditions() {
    for row in rows() {
        let status = status_of(&row.scene);
        let words = |kind| {
            let found = condition(&status, kind);
            found.map(|found| (found.status.as_str(), found.reason.as_str()))
        };
        let name = row.name;
        assert_eq!(
            words(ConditionType::Ready),
            Some(row.ready),
            "Ready: {name}"
        );
        assert_eq!(
            words(ConditionType::Verified),
            Some(row.verified),
            "Verified: {name}"
        );
        assert_eq!(
            words(ConditionType::Enabled),
            Some(row.enabled),
            "Enabled: {name}"
        );
        let synced = Some(("True", "ReconcileSucceeded"));
        assert_eq!(
            words(ConditionType::Synced),
            synced,
            "Synced, also while held: {name}"
        );
        for kind in [ConditionType::Reconciling, ConditionType::Stalled] {
            let expected = (row.progress == Some(kind)).then_some(("True", row.ready.1));
            assert_eq!(words(kind), expected, "{kind:?} only while true: {name}");
        }
    }
}

#[test]
fn every_decision_speaks_of_the_current_generation_everywhere() {
    for row in rows() {
        let status = status_of(&row.scene);
        assert_eq!(status.observed_generation, Some(3));
        for condition in &status.conditions {
            assert_eq!(condition.observed_generation, Some(3), "{}", row.name);
        }
    }
}

#[test]
fn a_reason_that_only_a_person_can_end_is_stalled_and_not_synced() {
    let unusable = |reason| {
        Scene::new().with(|scene| {
            scene.observed.credentials = Credentials::Unusable {
                reason,
                message: "x".to_owned(),
            };
        })
    };
    let two = [
        verified(true),
        Connector {
            id: other_id(),
            ..verified(true)
        },
    ];
    let rows = [
        (
            "CredentialsUnavailable",
            unusable(Reason::CredentialsUnavailable),
        ),
        (
            "CredentialsUnavailable",
            unusable(Reason::CredentialsUnavailable)
                .with(|scene| scene.record.connector = Some(id()))
                .deleting(),
        ),
        ("Unauthorized", unusable(Reason::Unauthorized)),
        (
            "Rejected",
            Scene::new().troubled(NOW, failure(Class::Rejected, Endpoint::Create)),
        ),
        (
            "AmbiguousMatch",
            Scene::new().claimed(NOW - 5.0).listed(list(NOW, &two)),
        ),
        (
            "ConnectorMismatch",
            Scene::bound(None, Armed).seen(NOW, for_domain("example.net", verified(true))),
        ),
        (
            "DeletedExternally",
            Scene::bound(Some(true), Satisfied)
                .missing(NOW - 61.0)
                .missing(NOW - 1.0)
                .listed(list(NOW, &[])),
        ),
    ];
    for (word, scene) in rows {
        let status = status_of(&scene);
        for (kind, truth) in [
            (ConditionType::Ready, "False"),
            (ConditionType::Synced, "False"),
            (ConditionType::Stalled, "True"),
        ] {
            let found = condition(&status, kind).unwrap();
            assert_eq!(
                (found.status.as_str(), found.reason.as_str()),
                (truth, word)
            );
        }
        assert!(
            condition(&status, ConditionType::Reconciling).is_none(),
            "{word}"
        );
    }
}

#[test]
fn creating_and_deleting_are_reconciling() {
    let rows = [
        (
            "Creating",
            Scene::new().claimed(NOW - 5.0).listed(list(NOW, &[])),
        ),
        (
            "Deleting",
            Scene::bound(None, Armed)
                .deleting()
                .seen(NOW, verified(false))
                .with(|scene| scene.observed.object_confirmed = true),
        ),
    ];
    for (word, scene) in rows {
        let status = status_of(&scene);
        let ready = condition(&status, ConditionType::Ready).unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str()),
            ("False", word)
        );
        assert_eq!(
            condition(&status, ConditionType::Reconciling)
                .unwrap()
                .reason,
            word
        );
        assert!(condition(&status, ConditionType::Stalled).is_none());
    }
}

#[test]
fn held_says_how_to_go_on() {
    let plan = Scene::bound(Some(true), Held)
        .seen(NOW, verified(false))
        .plan();
    let text = message(&plan);
    assert!(
        text.contains("enable-at") && text.contains("spec.enabled"),
        "{text}"
    );
}

#[test]
fn every_message_is_a_sentence() {
    for row in rows() {
        for condition in status_of(&row.scene).conditions {
            let text = &condition.message;
            assert!(
                text.len() > 10 && text.ends_with('.'),
                "{}: {text:?}",
                row.name
            );
            assert!(
                text.starts_with(|first: char| first.is_uppercase() || first == 'e'),
                "{text:?}"
            );
        }
    }
}
