//! Duplicates, and the hand-over of a connector to an heir.

use proptest::prelude::*;

use super::*;
use crate::plan::{Access, Rival};

/// Another object for the pair, one that has just been applied, whose token works.
fn rival(created: f64) -> Rival {
    let scene = Scene::new();
    Rival {
        desired: Desired {
            uid: OTHER_UID.to_owned(),
            created: Some(date(created)),
            ..scene.desired
        },
        record: Record::default(),
        access: Access::Listed,
        name: None,
    }
}

fn bound_rival(created: f64) -> Rival {
    let mut rival = rival(created);
    rival.record.connector = Some(id());
    rival
}

/// When the object of every scene was created.
const CREATED: f64 = 1000.0;
const OLDER: f64 = CREATED - 1.0;
const YOUNGER: f64 = CREATED + 1.0;

fn among(scene: Scene, rivals: Vec<Rival>) -> Scene {
    scene.with(|scene| scene.observed.rivals = rivals)
}

fn fresh() -> Scene {
    Scene::new().listed(list(NOW - 1.0, &[]))
}

/// An object that another one keeps from acting.
pub(super) fn duplicate() -> Scene {
    among(fresh(), vec![bound_rival(OLDER)])
}

fn is_duplicate(plan: &Plan) -> bool {
    matches!(plan, Plan::Settle { .. }) && reason(plan) == Some(Reason::DuplicateDomain)
}

#[test]
fn who_is_kept_from_acting() {
    let suspended = |mut rival: Rival| {
        rival.desired.activity = Activity::Suspended;
        rival
    };
    let observing = |mut rival: Rival| {
        rival.desired.management = ManagementPolicy::Observe;
        rival
    };
    let terminating = |mut rival: Rival, finalizer| {
        rival.desired.terminating = true;
        rival.desired.finalizer = finalizer;
        rival
    };
    let with = |mut rival: Rival, access| {
        rival.access = access;
        rival
    };
    let attempting = |mut rival: Rival| {
        rival.record.attempts = vec![date(NOW - 60.0)];
        rival
    };
    let bound = || Scene::bound(None, EnforcementState::Armed).listed(list(NOW - 1.0, &[]));
    let cases = [
        ("nobody else", fresh(), vec![], false),
        ("an older one", fresh(), vec![rival(OLDER)], true),
        ("a younger one", fresh(), vec![rival(YOUNGER)], false),
        ("as old, by UID", fresh(), vec![rival(CREATED)], false),
        (
            "a younger holder",
            fresh(),
            vec![bound_rival(YOUNGER)],
            true,
        ),
        (
            "a younger one that may have created",
            fresh(),
            vec![attempting(rival(YOUNGER))],
            true,
        ),
        (
            "an older one against a holder",
            bound(),
            vec![rival(OLDER)],
            false,
        ),
        (
            "an older holder against a holder",
            bound(),
            vec![bound_rival(OLDER)],
            true,
        ),
        (
            "a younger holder against a holder",
            bound(),
            vec![bound_rival(YOUNGER)],
            false,
        ),
        (
            "an older one that only observes",
            fresh(),
            vec![observing(bound_rival(OLDER))],
            false,
        ),
        (
            "an older one that is suspended",
            fresh(),
            vec![suspended(rival(OLDER))],
            false,
        ),
        (
            "a holder that is suspended",
            fresh(),
            vec![suspended(bound_rival(YOUNGER))],
            true,
        ),
        (
            "an older one that goes",
            fresh(),
            vec![terminating(rival(OLDER), true)],
            false,
        ),
        (
            "a holder that takes its connector down",
            fresh(),
            vec![terminating(bound_rival(YOUNGER), true)],
            true,
        ),
        (
            "a holder that is as good as gone",
            fresh(),
            vec![terminating(bound_rival(YOUNGER), false)],
            false,
        ),
        (
            "an older one not tried yet",
            fresh(),
            vec![with(rival(OLDER), Access::Untried)],
            false,
        ),
        (
            "an older one without a token",
            fresh(),
            vec![with(rival(OLDER), Access::Refused)],
            false,
        ),
        (
            "a holder whose token is refused by now",
            fresh(),
            vec![with(bound_rival(YOUNGER), Access::Refused)],
            true,
        ),
        (
            "the oldest of several",
            fresh(),
            vec![rival(YOUNGER), rival(OLDER)],
            true,
        ),
    ];
    for (case, scene, rivals, kept) in cases {
        let plan = among(scene, rivals).plan();
        assert_eq!(is_duplicate(&plan), kept, "{case}: {plan:?}");
    }
}

#[test]
fn an_attempt_that_certainly_created_nothing_makes_no_holder() {
    let mut other = rival(YOUNGER);
    other.record.attempts = vec![date(NOW - 60.0)];
    let mut scene = among(fresh(), vec![other]);
    scene.pair.attempting(date(NOW - 60.0), at(NOW - 60.0));
    assert!(is_duplicate(&scene.plan()));
    scene.pair.void(date(NOW - 60.0));
    assert!(!is_duplicate(&scene.plan()));
}

#[test]
fn a_duplicate_is_told_so_only_once_its_token_has_listed_the_account() {
    let scene = among(Scene::new(), vec![bound_rival(OLDER)]);
    assert_eq!(scene.plan(), look_at_list(NOW));
    for credentials in [
        unusable(Reason::CredentialsUnavailable),
        unusable(Reason::Unauthorized),
    ] {
        let mut scene = scene.clone();
        scene.observed.credentials = credentials;
        assert!(!is_duplicate(&scene.plan()), "it learns nothing");
    }
}

#[test]
fn only_an_object_of_the_same_namespace_is_named() {
    let mut owner = bound_rival(OLDER);
    let told = |owner: &Rival| message(&among(fresh(), vec![owner.clone()]).plan()).to_owned();
    assert!(told(&owner).starts_with("Another SsoConnector object manages example.com"));
    owner.name = Some("first".to_owned());
    assert!(told(&owner).starts_with("SsoConnector first of this namespace manages"));
}

#[test]
fn a_duplicate_keeps_what_it_remembers_and_makes_no_call() {
    for state in [EnforcementState::Armed, EnforcementState::Applying] {
        let scene = Scene::bound(Some(true), state)
            .listed(list(NOW - 1.0, &[verified(false)]))
            .seen(NOW - 1.0, verified(false));
        let scene = among(scene, vec![bound_rival(OLDER)]);
        let plan = scene.plan();
        assert!(is_duplicate(&plan), "{plan:?}");
        assert_eq!(act(&plan), None);
        assert_eq!(verdict(&plan).record, scene.record);
        assert_eq!(rest(&plan), scene.timing.poll_unverified);
    }
}

#[test]
fn whoever_only_observes_may_do_so_beside_an_owner() {
    let scene = duplicate().with(|scene| scene.desired.management = ManagementPolicy::Observe);
    assert!(!is_duplicate(&scene.plan()));
}

/// An enabled connector whose object is going away.
fn going() -> Scene {
    Scene::bound(Some(true), EnforcementState::Satisfied)
        .deleting()
        .seen(NOW, verified(true))
        .with(|scene| scene.observed.object_confirmed = true)
}

#[test]
fn who_inherits() {
    let named = |named: ConnectorId| {
        let mut heir = rival(YOUNGER);
        heir.desired.named = Some(named);
        heir
    };
    let refusing = || {
        let mut heir = rival(YOUNGER);
        heir.desired.adoption = AdoptionPolicy::Refuse;
        heir
    };
    let with = |change: fn(&mut Rival)| {
        let mut heir = rival(YOUNGER);
        change(&mut heir);
        heir
    };
    let released = Some(Plan::Release);
    let taken_down = None;
    let cases = [
        ("nobody", vec![], &taken_down),
        ("a live one", vec![rival(YOUNGER)], &released),
        ("an older one", vec![rival(OLDER)], &released),
        ("one that names the connector", vec![named(id())], &released),
        (
            "one that names another",
            vec![named(other_id())],
            &taken_down,
        ),
        ("one that does not adopt", vec![refusing()], &taken_down),
        (
            "one that does not adopt but names it",
            vec![with(|heir| {
                heir.desired.adoption = AdoptionPolicy::Refuse;
                heir.desired.named = Some(id());
            })],
            &released,
        ),
        (
            "one bound to it, too, by accident",
            vec![bound_rival(YOUNGER)],
            &released,
        ),
        (
            "one bound to another",
            vec![with(|heir| heir.record.connector = Some(other_id()))],
            &taken_down,
        ),
        (
            "one that only observes",
            vec![with(|heir| {
                heir.desired.management = ManagementPolicy::Observe
            })],
            &taken_down,
        ),
        (
            "one that is suspended",
            vec![with(|heir| heir.desired.activity = Activity::Suspended)],
            &taken_down,
        ),
        (
            "one that goes, too",
            vec![with(|heir| heir.desired.terminating = true)],
            &taken_down,
        ),
        (
            "one without access",
            vec![with(|heir| heir.access = Access::Refused)],
            &taken_down,
        ),
        (
            "one without access beside one with it",
            vec![with(|heir| heir.access = Access::Refused), rival(YOUNGER)],
            &released,
        ),
    ];
    for (case, rivals, expected) in cases {
        let plan = among(going(), rivals).plan();
        match expected {
            Some(expected) => assert_eq!(plan, *expected, "{case}"),
            None => assert_eq!(act(&plan), Some(&set_enabled(false)), "{case}: {plan:?}"),
        }
    }
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
fn an_heir_that_was_not_tried_yet_is_waited_for() {
    let mut heir = rival(YOUNGER);
    heir.access = Access::Untried;
    for scene in [
        going(),
        going().with(|scene| {
            scene.record.connector = None;
            scene.record.attempts = vec![date(NOW - 600.0)];
        }),
    ] {
        let plan = among(scene, vec![heir.clone()]).plan();
        assert_eq!(act(&plan), None);
        assert_eq!(reason(&plan), Some(Reason::Deleting));
        assert_eq!(rest(&plan), Timing::default().deletion_delay);
    }
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

fn object(number: usize) -> impl Strategy<Value = Rival> {
    let access = prop_oneof![
        Just(Access::Listed),
        Just(Access::Untried),
        Just(Access::Refused)
    ];
    let flags = proptest::array::uniform5(any::<bool>());
    (0..3_i32, access, flags).prop_map(move |(created, access, flags)| {
        let [holds, attempts, observes, suspended, terminating] = flags;
        let mut object = rival(f64::from(created));
        object.desired.uid = format!("uid-{number}");
        object.access = access;
        object.record.connector = (holds && !attempts).then(id);
        if attempts && !holds {
            object.record.attempts = vec![date(NOW - 60.0)];
        }
        if observes && !holds {
            object.desired.management = ManagementPolicy::Observe;
        }
        if suspended && attempts {
            object.desired.activity = Activity::Suspended;
        }
        object.desired.terminating = terminating && suspended;
        object
    })
}

fn objects() -> impl Strategy<Value = Vec<Rival>> {
    (object(0), object(1), object(2), object(3)).prop_map(|(a, b, c, d)| vec![a, b, c, d])
}

/// What the object of that number makes of it.
fn seen_by(objects: &[Rival], number: usize) -> Scene {
    let mut rivals = objects.to_vec();
    let me = rivals.remove(number);
    let mut scene = fresh();
    scene.desired = me.desired;
    scene.record = me.record;
    among(scene, rivals)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the objects came to be as they are, of those that hold something exactly one is not kept from acting.
    #[test]
    fn one_holder_acts(objects in objects()) {
        let holders = (0..objects.len()).filter(|&number| {
            let Rival { desired, record, .. } = &objects[number];
            let gone = desired.terminating && !desired.finalizer;
            let holds = record.connector.is_some() || !record.attempts.is_empty();
            holds && !gone && desired.management == ManagementPolicy::Manage
        });
        let free = holders.clone().filter(|&number| {
            let scene = seen_by(&objects, number);
            crate::plan::ownership::owner_elsewhere(&scene.world()).is_none()
        });
        prop_assert_eq!(free.count(), usize::from(holders.count() > 0));
    }

    /// Of those that could begin, at most one is not kept from it, and none if somebody holds something.
    #[test]
    fn one_of_those_that_have_listed_begins(objects in objects()) {
        let holds = |rival: &Rival| rival.record.connector.is_some() || !rival.record.attempts.is_empty();
        let held = objects.iter().any(|rival| {
            holds(rival) && !rival.desired.terminating && rival.desired.management == ManagementPolicy::Manage
        });
        let beginning = (0..objects.len()).filter(|&number| {
            let Rival { desired, access, .. } = &objects[number];
            !holds(&objects[number])
                && *access == Access::Listed
                && desired.management == ManagementPolicy::Manage
                && desired.activity == Activity::Active
                && !desired.terminating
        });
        let free = beginning.clone().filter(|&number| !is_duplicate(&seen_by(&objects, number).plan()));
        prop_assert_eq!(free.count(), usize::from(!held && beginning.count() > 0));
    }
}
