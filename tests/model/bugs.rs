//! Mistakes that are put in on purpose, one at a time: the checker must find what each leads to, or it finds nothing.

use stateright::{Checker, HasDiscoveries, Model};

use crate::events::Event;
use crate::nevers::Never;
use crate::scene::{Before, Bug, Kind, Scene};
use crate::scenes::{EMERGENCY, deleting, fresh, settled};

/// Runs the scene with the bug until something is found.
fn found(mut scene: Scene, bug: Bug) -> Never {
    scene.rules.bug = Some(bug);
    let until = HasDiscoveries::AnyFailures;
    let checker = scene.checker().threads(2).finish_when(until);
    let checker = checker.spawn_bfs().join();
    let path = checker.discovery("never");
    let path = path.unwrap_or_else(|| panic!("{bug:?} is not found"));
    path.last_state().broken.unwrap()
}

#[test]
fn an_intent_that_is_not_recorded_is_found() {
    let scene = fresh(&[], &[], 0);
    let never = found(scene, Bug::DropsTheIntent);
    assert_eq!(never, Never::CreateWithoutIntent);
}

#[test]
fn a_list_that_is_not_fresh_is_found() {
    let scene = fresh(&[Kind::Fault], &[], 1);
    assert_eq!(found(scene, Bug::SkipsTheFreshList), Never::CreateTwice);
}

#[test]
fn one_list_that_counts_as_proof_is_found() {
    let scene = fresh(&[Kind::Fault, Kind::Lag], &[], 2);
    assert_eq!(found(scene, Bug::TrustsOneList), Never::CreateTwice);
}

#[test]
fn a_pending_domain_that_counts_as_verified_is_found() {
    let mut scene = fresh(&[], &[], 0);
    scene.before.clear();
    let never = found(scene, Bug::EnablesOnPending);
    assert_eq!(never, Never::EnableTheUnverified);
}

#[test]
fn an_edit_that_ends_a_hold_is_found() {
    let scene = settled(&[Kind::Event], &EMERGENCY, 2);
    assert_eq!(found(scene, Bug::RearmsOnAnyEdit), Never::FightAPerson);
}

#[test]
fn a_duplicate_that_deletes_the_owners_connector_is_found() {
    let mut scene = deleting(settled(&[Kind::Event], &[Event::Delete(1)], 1));
    scene.there = 2;
    let never = found(scene, Bug::IgnoresTheOthers);
    assert!(
        matches!(never, Never::ActBesideTheOwner | Never::DeleteWhatHasAnHeir),
        "{never:?}"
    );
}

#[test]
fn a_cache_that_is_trusted_before_a_delete_is_found() {
    let mut scene = deleting(settled(&[], &[], 0));
    scene.before.push(Before::Happens(Event::Delete(0)));
    assert_eq!(found(scene, Bug::TrustsTheCache), Never::DeleteUnasked);
}
