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
    scene.record.standing = Standing::Lapsed;
}

fn bound(wanted: Option<bool>, state: EnforcementState, shown: Connector) -> Scene {
    Scene::bound(wanted, state).seen(NOW, shown)
}

fn nobody_begins(scene: &mut Scene) {
    scene.desired.begin_verification = false;
}

const AVAILABLE: (&str, &str) = ("True", "Available");
const AWAITS: (&str, &str) = ("False", "AwaitingVerification");
const VERIFIED: (&str, &str) = ("True", "Verified");
const FAILED: (&str, &str) = ("False", "VerificationFailed");
const LAPSED: (&str, &str) = ("False", "VerificationLapsed");
const DISABLED: (&str, &str) = ("False", "Disabled");
const ENABLED: (&str, &str) = ("True", "Enabled");
const ENABLING: (&str, &str) = ("False", "Enabling");
const DISABLING: (&str, &str) = ("False", "Disabling");
const HELD: (&str, &str) = ("False", "HeldByExternalChange");
const HELD_ENABLED: (&str, &str) = ("True", "HeldByExternalChange");
const UNKNOWN: (&str, &str) = ("Unknown", "UnknownStatus");

/// A row, in the order of the columns `Ready`, `Verified`, `Enabled`.
fn row(name: &'static str, scene: Scene, conditions: [(&'static str, &'static str); 3]) -> Row {
    let [ready, verified, enabled] = conditions;
    Row {
        name,
        scene,
        ready,
        verified,
        enabled,
        progress: None,
    }
}

impl Row {
    fn reconciling(mut self) -> Self {
        self.progress = Some(ConditionType::Reconciling);
        self
    }

    fn stalled(mut self) -> Self {
        self.progress = Some(ConditionType::Stalled);
        self
    }
}

fn verified_rows() -> Vec<Row> {
    let (on, off) = (|| verified(true), || verified(false));
    let wants_on = |state, shown| bound(Some(true), state, shown);
    let wants_off = |state, shown| bound(Some(false), state, shown);
    vec![
        row(
            "on as asked",
            wants_on(Satisfied, on()),
            [AVAILABLE, VERIFIED, ENABLED],
        ),
        row(
            "off as asked",
            wants_off(Satisfied, off()),
            [AVAILABLE, VERIFIED, DISABLED],
        ),
        row(
            "not managed, off",
            bound(None, Armed, off()),
            [AVAILABLE, VERIFIED, DISABLED],
        ),
        row(
            "not managed, on",
            bound(None, Armed, on()),
            [AVAILABLE, VERIFIED, ENABLED],
        ),
        row(
            "about to enable",
            wants_on(Armed, off()),
            [ENABLING, VERIFIED, ENABLING],
        )
        .reconciling(),
        row(
            "enabling",
            wants_on(Applying, off()),
            [ENABLING, VERIFIED, ENABLING],
        )
        .reconciling(),
        row(
            "about to disable",
            wants_off(Armed, on()),
            [DISABLING, VERIFIED, ENABLED],
        )
        .reconciling(),
        row(
            "held, disabled by hand",
            wants_on(Held, off()),
            [HELD, VERIFIED, HELD],
        )
        .stalled(),
        row(
            "held, enabled by hand",
            wants_off(Held, on()),
            [HELD, VERIFIED, HELD_ENABLED],
        )
        .stalled(),
    ]
}

fn unverified_rows() -> Vec<Row> {
    let awaiting_one = ("False", "Awaiting");
    let pending_one = ("False", "Pending");
    let wants_on = |shown| bound(Some(true), Armed, shown);
    let unmanaged = |shown| bound(None, Armed, shown);
    let silent = Connector {
        verification: None,
        ..pending()
    };
    vec![
        row(
            "awaiting",
            wants_on(awaiting()),
            [AWAITS, awaiting_one, AWAITS],
        ),
        row(
            "pending",
            wants_on(pending()),
            [AWAITS, pending_one, AWAITS],
        ),
        row(
            "pending, not managed",
            unmanaged(pending()),
            [AWAITS, pending_one, DISABLED],
        ),
        row("failed", unmanaged(failed()), [FAILED, FAILED, DISABLED]),
        row(
            "lapsed",
            unmanaged(pending()).with(lapsed),
            [LAPSED, LAPSED, DISABLED],
        ),
        row(
            "lapsed and failed",
            unmanaged(failed()).with(lapsed),
            [LAPSED, LAPSED, DISABLED],
        ),
        row(
            "unknown status",
            wants_on(unknown()),
            [AWAITS, UNKNOWN, AWAITS],
        ),
        row("no status", unmanaged(silent), [AWAITS, UNKNOWN, DISABLED]),
        row(
            "nobody begins, nothing to enable",
            unmanaged(awaiting()).with(nobody_begins),
            [AVAILABLE, awaiting_one, DISABLED],
        ),
        row(
            "nobody begins, to be enabled",
            wants_on(awaiting()).with(nobody_begins),
            [AWAITS, awaiting_one, AWAITS],
        ),
    ]
}

fn rows() -> impl Iterator<Item = Row> {
    verified_rows().into_iter().chain(unverified_rows())
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
    let unusable =
        |reason| Scene::new().with(|scene| scene.observed.credentials = super::unusable(reason));
    let two = [
        verified(true),
        Connector {
            id: other_id(),
            ..verified(true)
        },
    ];
    let alone = || Scene::new().claimed(NOW - 5.0);
    let unwanted = alone()
        .with(|scene| scene.desired.adoption = AdoptionPolicy::Refuse)
        .listed(list(NOW, &[verified(true)]))
        .seen(NOW, verified(true));
    let named_in_vain = alone()
        .with(|scene| scene.desired.named = Some(id()))
        .missing(NOW);
    let rows = vec![
        ("DuplicateDomain", super::ownership::duplicate()),
        ("AdoptionRefused", unwanted),
        ("ConnectorNotFound", named_in_vain),
        (
            "CredentialsUnavailable",
            unusable(Reason::CredentialsUnavailable),
        ),
        (
            "CredentialsUnavailable",
            unusable(Reason::CredentialsUnavailable)
                .with(|scene| {
                    scene.record.connector = Some(id());
                    scene.observed.namespace = Namespace::Stays;
                })
                .deleting(),
        ),
        ("Unauthorized", unusable(Reason::Unauthorized)),
        (
            "Rejected",
            Scene::new().troubled(NOW, failure(Class::Rejected, Endpoint::Create)),
        ),
        ("AmbiguousMatch", alone().listed(list(NOW, &two))),
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
