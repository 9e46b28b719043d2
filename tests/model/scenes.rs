//! The scenes, each named after the trace that it is about; see `docs/reliability.md`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use cloudflare_sso_operator::resource::{AdoptionPolicy, DeletionPolicy};
use stateright::{Checker, HasDiscoveries, Model};

use crate::calm::reason;
use crate::cloudflare::Second;
use crate::events::{Event, Secret};
use crate::process::Process;
use crate::scene::{Before, Kind, LAG, Scene, TIMING};
use crate::universe::{Universe, wanting};

/// Visits every universe of the scene, and says how many there are.
fn check(name: &str, mut scene: Scene) {
    if let Ok(count) = std::env::var("DISTURBANCES") {
        scene.disturbances = count.parse().unwrap();
    }
    let begun = Instant::now();
    let checker = scene.clone().checker().threads(2);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    // Not by the macro, whose words are shown only where a test fails.
    let _ = writeln!(
        std::io::stderr(),
        "{name}: {} universes, all that {} of {:?} lead to, in {:?}",
        checker.unique_state_count(),
        scene.disturbances,
        scene.kinds,
        begun.elapsed()
    );
    for property in ["never", "ends well"] {
        if let Some(path) = checker.discovery(property) {
            let last = path.last_state().clone();
            let end = last.ends_well(&scene);
            let actions = path.into_actions();
            let actions: Vec<_> = actions.iter().map(|action| format!("{action:?}")).collect();
            panic!(
                "{name}: {property}: {:?}, {end:?} after {actions:#?}",
                last.broken
            );
        }
    }
    for (sight, _) in &scene.sights {
        assert!(
            checker.discovery(sight).is_some(),
            "{name}: {sight} is not reached"
        );
    }
}

#[test]
fn the_durations_of_the_model_would_be_accepted() {
    assert_eq!(TIMING.check(), Ok(()));
}

const TXT: Before = Before::Happens(Event::Txt);

/// One object that shall be enabled, nothing at Cloudflare.
pub fn fresh(kinds: &[Kind], events: &[Event], disturbances: u8) -> Scene {
    let spec = wanting(Some(true));
    let mut scene = Scene::new([spec.clone(), spec], 1);
    scene.kinds = kinds.to_vec();
    scene.events = events.to_vec();
    scene.lag = LAG;
    scene.before = vec![TXT];
    scene.disturbances = disturbances;
    scene
}

/// The same, enabled and at rest.
pub fn settled(kinds: &[Kind], events: &[Event], disturbances: u8) -> Scene {
    let mut scene = fresh(kinds, events, disturbances);
    scene.before = vec![TXT, Before::Calm];
    scene
}

pub fn deleting(mut scene: Scene) -> Scene {
    for spec in &mut scene.specs {
        spec.deletion_policy = Some(DeletionPolicy::Delete);
    }
    scene
}

fn unknown_outcome(_: &Scene, universe: &Universe) -> bool {
    let object = universe.cluster.objects[0].as_ref();
    let unbound = object.is_some_and(|copy| {
        let record = &copy.stored.record;
        record.connector.is_none() && !record.attempts.is_empty()
    });
    unbound
        && universe.processes[0]
            .as_ref()
            .is_some_and(Process::is_at_rest)
        && !universe.cloudflare.items.is_empty()
}

#[test]
fn a_lost_answer_and_a_lagging_list() {
    let mut scene = fresh(&[Kind::Fault, Kind::Lag, Kind::Delay], &[], 2);
    scene.sights = vec![("unknown outcome", unknown_outcome)];
    check("a", scene);
}

#[test]
fn b_a_person_creates_after_a_crash() {
    for second in [Second::Allowed, Second::ReturnsTheFirst] {
        let mut scene = fresh(
            &[Kind::Event, Kind::Crash, Kind::Delay],
            &[Event::PersonCreates],
            2,
        );
        scene.specs[0].adoption_policy = Some(AdoptionPolicy::Refuse);
        scene.second = second;
        scene.delays = vec![7];
        check("b", scene);
    }
}

#[test]
fn c_a_conflict_that_hides_our_own() {
    for second in [Second::Refused, Second::ReturnsTheFirst] {
        let mut scene = fresh(&[Kind::Fault, Kind::Lag], &[], 2);
        scene.second = second;
        scene.lag = Duration::from_secs(20);
        check("c", scene);
    }
}

#[test]
fn d_deleted_before_the_id_is_stored() {
    let events = [Event::Delete(0)];
    check(
        "d Delete",
        deleting(fresh(&[Kind::Event, Kind::Crash, Kind::Fault], &events, 2)),
    );
    check(
        "d Retain",
        fresh(&[Kind::Event, Kind::Crash, Kind::Fault], &events, 2),
    );
}

#[test]
fn e_a_replica_wakes_up() {
    let events = [Event::TakeOver, Event::Replace(0)];
    check("e", fresh(&[Kind::Event], &events, 2));
    check(
        "e, with Delete",
        deleting(fresh(&[Kind::Event], &[Event::TakeOver], 1)),
    );
}

#[test]
fn f_reads_that_lag_the_creation() {
    check(
        "f",
        deleting(fresh(
            &[Kind::Event, Kind::Lag, Kind::Delay],
            &[Event::Delete(0)],
            2,
        )),
    );
}

pub const EMERGENCY: [Event; 11] = [
    Event::PersonEnables(false),
    Event::PersonDeletes,
    Event::SetEnabled(0, Some(false)),
    Event::SetEnabled(0, Some(true)),
    Event::SetEnabled(0, None),
    Event::EnableAt(0),
    Event::Label(0),
    // An edit of the spec that has nothing to do with it.
    Event::SetPolicy(0, DeletionPolicy::Delete),
    Event::WipeStatus(0),
    Event::Delete(0),
    Event::Apply(0),
];

#[test]
fn g_break_glass() {
    check(
        "g",
        settled(&[Kind::Event, Kind::Fault, Kind::Crash], &EMERGENCY, 2),
    );
}

#[test]
fn g_break_glass_while_enabling() {
    let mut scene = fresh(&[Kind::Event, Kind::Fault, Kind::Crash], &EMERGENCY, 2);
    scene.before = vec![
        Before::Happens(Event::PersonCreates),
        TXT,
        Before::Happens(Event::PersonEnables(true)),
    ];
    check("g adopted", scene);
}

#[test]
fn h_an_heir_appears() {
    let events = [
        Event::Apply(1),
        Event::Suspend(0, true),
        Event::SetPolicy(0, DeletionPolicy::Retain),
        Event::Freeze,
    ];
    let mut scene = deleting(settled(
        &[Kind::Event, Kind::Fault, Kind::Crash],
        &events,
        1,
    ));
    scene.before.push(Before::Happens(Event::Delete(0)));
    check("h", scene);
}

#[test]
fn h_an_older_object_becomes_visible() {
    let events = [
        Event::Secret(0, Secret::Good),
        Event::Delete(1),
        Event::Delete(0),
    ];
    let mut scene = deleting(settled(&[Kind::Event, Kind::Fault], &events, 1));
    scene.there = 2;
    scene
        .before
        .insert(0, Before::Happens(Event::Secret(0, Secret::Refused)));
    check("h older", scene);
}

#[test]
fn i_an_older_object_without_credentials() {
    for secret in [Secret::Absent, Secret::Refused] {
        let mut scene = fresh(&[Kind::Event], &[Event::Secret(0, Secret::Good)], 1);
        scene.there = 2;
        scene.before = vec![TXT, Before::Happens(Event::Secret(0, secret))];
        scene.sights = vec![("the younger is served", |_, universe| {
            let younger = universe.cluster.objects[1].as_ref();
            universe.secrets[0] != Secret::Good
                && younger.is_some_and(|copy| reason(copy) == "Available")
        })];
        check("i", scene);
    }
}

#[test]
fn j_the_definition_goes_and_returns() {
    let mut scene = deleting(settled(
        &[Kind::Event, Kind::Fault, Kind::Crash],
        &[Event::CrdGoes, Event::CrdReturns],
        3,
    ));
    scene.sights = vec![("the connector outlives the definition", |_, universe| {
        universe.cluster.edition > 0
            && universe.cluster.objects[0].is_none()
            && !universe.cloudflare.items.is_empty()
    })];
    check("j", scene);
}

#[test]
fn k_a_copy_that_is_older_than_our_own_write() {
    check(
        "k",
        fresh(
            &[Kind::Event, Kind::Fault, Kind::Lag],
            &[Event::Freeze, Event::Label(0)],
            2,
        ),
    );
}

#[test]
fn of_two_objects_one_acts() {
    let events = [Event::Delete(0), Event::Delete(1)];
    let mut scene = fresh(&[Kind::Event], &events, 1);
    scene.there = 2;
    check("two objects", scene);
}
