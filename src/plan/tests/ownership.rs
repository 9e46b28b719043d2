//! Duplicates: of several objects for an account and domain one acts.

use proptest::prelude::*;

use super::*;
use crate::plan::{Access, Rival};

/// Another object for the pair, one that has just been applied, whose token works.
pub(super) fn rival(created: f64) -> Rival {
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

pub(super) fn bound_rival(created: f64) -> Rival {
    let mut rival = rival(created);
    rival.record.connector = Some(id());
    rival
}

/// When the object of every scene was created.
const CREATED: f64 = 1000.0;
pub(super) const OLDER: f64 = CREATED - 1.0;
pub(super) const YOUNGER: f64 = CREATED + 1.0;

pub(super) fn among(scene: Scene, rivals: Vec<Rival>) -> Scene {
    scene.with(|scene| scene.observed.rivals = rivals)
}

pub(super) fn fresh() -> Scene {
    Scene::new().listed(list(NOW - 1.0, &[]))
}

/// An object that another one keeps from acting.
pub(super) fn duplicate() -> Scene {
    among(fresh(), vec![bound_rival(OLDER)])
}

fn is_duplicate(plan: &Plan) -> bool {
    matches!(plan, Plan::Settle { .. }) && reason(plan) == Some(Reason::DuplicateDomain)
}

/// A case: the other object, made from one of that age whose token works, and whether it keeps this one from acting.
pub(super) type Case = (&'static str, f64, fn(&mut Rival), bool);

fn expect(scene: &Scene, cases: &[Case]) {
    for (case, created, change, keeps) in cases {
        let mut rival = rival(*created);
        change(&mut rival);
        let plan = among(scene.clone(), vec![rival]).plan();
        assert_eq!(is_duplicate(&plan), *keeps, "{case}: {plan:?}");
    }
}

pub(super) fn bind(rival: &mut Rival) {
    rival.record.connector = Some(id());
}

fn attempt(rival: &mut Rival) {
    rival.record.attempts = vec![date(NOW - 60.0)];
}

pub(super) fn suspend(rival: &mut Rival) {
    rival.desired.activity = Activity::Suspended;
}

pub(super) fn terminate(rival: &mut Rival) {
    rival.desired.terminating = true;
    rival.desired.finalizer = true;
}

#[test]
fn who_begins_where_nobody_holds_anything() {
    assert!(!is_duplicate(&fresh().plan()), "nobody else is there");
    let cases: [Case; 8] = [
        ("an older one", OLDER, |_| {}, true),
        ("a younger one", YOUNGER, |_| {}, false),
        ("one as old, by UID", CREATED, |_| {}, false),
        ("one that is suspended", OLDER, suspend, false),
        ("one that goes", OLDER, terminate, false),
        (
            "one that only observes",
            OLDER,
            |rival| rival.desired.management = ManagementPolicy::Observe,
            false,
        ),
        (
            "one not tried yet",
            OLDER,
            |rival| rival.access = Access::Untried,
            false,
        ),
        (
            "one without a usable token",
            OLDER,
            |rival| rival.access = Access::Refused,
            false,
        ),
    ];
    expect(&fresh(), &cases);
    let several = among(fresh(), vec![rival(YOUNGER), rival(OLDER)]);
    assert!(is_duplicate(&several.plan()), "the oldest of several");
}

#[test]
fn whoever_holds_something_keeps_it_until_it_is_gone() {
    let cases: [Case; 7] = [
        ("bound", YOUNGER, bind, true),
        ("perhaps with a connector", YOUNGER, attempt, true),
        (
            "suspended",
            YOUNGER,
            |rival| {
                bind(rival);
                suspend(rival);
            },
            true,
        ),
        (
            "taking it down",
            YOUNGER,
            |rival| {
                bind(rival);
                terminate(rival);
            },
            true,
        ),
        (
            "as good as gone",
            YOUNGER,
            |rival| {
                bind(rival);
                rival.desired.terminating = true;
            },
            false,
        ),
        (
            "refused by now",
            YOUNGER,
            |rival| {
                bind(rival);
                rival.access = Access::Refused;
            },
            true,
        ),
        (
            "only observing by now",
            OLDER,
            |rival| {
                bind(rival);
                rival.desired.management = ManagementPolicy::Observe;
            },
            false,
        ),
    ];
    expect(&fresh(), &cases);
}

#[test]
fn of_several_holders_the_oldest_keeps_it() {
    let holder = Scene::bound(None, EnforcementState::Armed).listed(list(NOW - 1.0, &[]));
    let cases: [Case; 4] = [
        ("an older one that holds nothing", OLDER, |_| {}, false),
        ("an older holder", OLDER, bind, true),
        ("an older one that may hold something", OLDER, attempt, true),
        ("a younger holder", YOUNGER, bind, false),
    ];
    expect(&holder, &cases);
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
fn a_duplicate_makes_no_call_and_keeps_what_it_remembers_but_is_not_armed_any_more() {
    for state in [EnforcementState::Armed, EnforcementState::Applying] {
        let scene = Scene::bound(Some(true), state)
            .listed(list(NOW - 1.0, &[verified(false)]))
            .seen(NOW - 1.0, verified(false));
        let scene = among(scene, vec![bound_rival(OLDER)]);
        let plan = scene.plan();
        assert!(is_duplicate(&plan), "{plan:?}");
        assert_eq!(act(&plan), None);
        let mut kept = scene.record.clone();
        kept.enforcement = kept
            .enforcement
            .filter(|known| known.state != EnforcementState::Armed);
        assert_eq!(verdict(&plan).record, kept);
        assert_eq!(rest(&plan), scene.timing.poll_unverified);
    }
}

#[test]
fn whoever_only_observes_may_do_so_beside_an_owner() {
    let scene = among(fresh(), vec![bound_rival(OLDER)])
        .with(|scene| scene.desired.management = ManagementPolicy::Observe);
    assert!(!is_duplicate(&scene.plan()));
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

/// A bound object that an older holder keeps from acting must not come back with what it was about to do before.
/// Meanwhile the owner had enabled the connector, and a person has disabled it in an emergency.
#[test]
fn who_takes_over_again_does_not_lock_the_door_that_a_person_has_opened() {
    let mut scene = Scene::bound(Some(true), EnforcementState::Armed)
        .listed(list(NOW - 1.0, &[pending()]))
        .seen(NOW - 1.0, pending());
    let plan = among(scene.clone(), vec![bound_rival(OLDER)]).plan();
    assert!(is_duplicate(&plan), "{plan:?}");
    scene.record = verdict(&plan).record.clone();

    // The owner goes; its hold goes with it.
    let mut scene = scene.at(NOW + 86_400.0);
    let cloud = Cloudflare::shows(&verified(false));
    for _ in 0..4 {
        scene.now += 1200.0;
        let plan = scene.pass(&cloud);
        assert_eq!(act(&plan), None, "{plan:#?}");
        scene.record = verdict(&plan).record.clone();
    }
}

/// The same after somebody has deleted the connector in an emergency.
#[test]
fn who_takes_over_again_does_not_create_what_a_person_has_deleted() {
    let mut scene = Scene::bound(Some(true), EnforcementState::Armed)
        .listed(list(NOW - 1.0, &[pending()]))
        .seen(NOW - 1.0, pending());
    let plan = among(scene.clone(), vec![bound_rival(OLDER)]).plan();
    scene.record = verdict(&plan).record.clone();
    let mut scene = scene.at(NOW + 86_400.0);
    for _ in 0..4 {
        scene.now += 1200.0;
        let plan = scene.pass(&Cloudflare::default());
        assert_eq!(act(&plan), None, "{plan:#?}");
        scene.record = verdict(&plan).record.clone();
    }
}

/// An object that is unbound because somebody has put another connector in the place of its own still carries the
/// hold. An older object that was a duplicate until then must not take the new connector without it.
#[test]
fn a_hold_that_has_outlived_its_connector_holds_the_pair() {
    let mut holder = rival(YOUNGER);
    holder.record.enforcement = Some(crate::resource::Enforcement {
        state: EnforcementState::Held,
        enabled: Some(true),
        object_uid: OTHER_UID.to_owned(),
        updated_on: None,
    });
    let plan = among(fresh(), vec![holder]).plan();
    assert!(is_duplicate(&plan), "{plan:?}");
}

/// Which of two connectors is meant does not become known because another object observes one of them.
#[test]
fn several_matches_stay_ambiguous_although_another_object_observes_one_of_them() {
    let mut another = pending();
    another.id = other_id();
    let mut observer = bound_rival(OLDER);
    observer.desired.management = ManagementPolicy::Observe;
    let mut scene = among(Scene::new(), vec![observer.clone()]);
    scene.pair.recall(&observer.record, at(NOW));
    let cloud = Cloudflare {
        page: Some(pending()),
        list: vec![pending(), another],
        ..Cloudflare::default()
    };
    let plan = scene.pass(&cloud);
    assert_eq!(reason(&plan), Some(Reason::AmbiguousMatch), "{plan:#?}");
}
