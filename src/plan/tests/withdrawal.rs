//! What becomes of the TXT record when its connector is deleted.

use super::hindered::no_route;
use super::publication::{cloudflare, comment, placed, record, scene, zone};
use super::*;
use crate::plan::{Access, Rival};

/// An object that goes, and whose connector Cloudflare has deleted.
fn deleted() -> Scene {
    scene().deleting().with(|scene| {
        scene.memory.deletion = Some(Deletion::Confirmed(id()));
        scene.record.placement = placed(Some("r1"));
    })
}

fn removes(plan: &Plan) -> bool {
    matches!(act(plan), Some(Act::Unpublish { zone: found, record }) if *found == zone() && record.to_string() == "r1")
}

#[test]
fn our_record_goes_with_its_connector_after_the_object_was_read_again() {
    let ours = record("r1", CODE, &comment());
    let mut scene = deleted();
    let plan = scene.pass(&cloudflare(&[record("spf", "v=spf1 -all", ""), ours]));
    assert!(removes(&plan), "{plan:?}");
    assert!(scene.observed.object_confirmed);
    assert_eq!(reason(&plan), Some(Reason::Deleting));
    let now = at(scene.now);
    scene.memory.publishing.deleted("r1".parse().ok(), now);
    assert_eq!(scene.plan(), Plan::Release);
}

#[test]
fn what_is_not_ours_stays() {
    let theirs = record("theirs", CODE, "by hand");
    let rewritten = record("r1", "v=spf1 -all", &comment());
    for (before, records) in [
        (None, vec![theirs.clone()]),
        (placed(Some("r1")), vec![theirs.clone()]),
        (placed(Some("r1")), vec![rewritten]),
        (placed(None), vec![theirs]),
    ] {
        let mut scene = deleted().with(|scene| {
            scene.record.placement = before.clone();
            scene.memory.publishing.placed_since = Some(at(NOW - 60.0));
        });
        assert_eq!(
            scene.pass(&cloudflare(&records)),
            Plan::Release,
            "{before:?}"
        );
    }
}

#[test]
fn a_record_that_may_have_been_created_is_waited_for() {
    let since = |second| {
        deleted().with(|scene| {
            scene.record.placement = placed(None);
            scene.memory.publishing.placed_since = Some(at(second));
        })
    };
    let plan = since(NOW - 10.0).pass(&cloudflare(&[]));
    assert!(rest(&plan) <= seconds(20.0));
    assert_eq!(since(NOW - 31.0).pass(&cloudflare(&[])), Plan::Release);
    let found = record("r1", CODE, &comment());
    assert!(removes(&since(NOW - 10.0).pass(&cloudflare(&[found]))));
}

#[test]
fn it_stays_under_every_other_way_out() {
    type Change = fn(&mut Scene);
    let ways: [(&str, Change); 4] = [
        ("Retain", |scene| {
            scene.desired.deletion_policy = DeletionPolicy::Retain;
        }),
        ("Observe", |scene| {
            scene.desired.management = ManagementPolicy::Observe;
        }),
        ("suspended", |scene| {
            scene.desired.activity = Activity::Suspended;
        }),
        ("by hand now", |scene| scene.desired.publication = None),
    ];
    for (way, change) in ways {
        let mut scene = deleted().with(change);
        let ours = record("r1", CODE, &comment());
        assert_eq!(scene.pass(&cloudflare(&[ours])), Plan::Release, "{way}");
    }
}

#[test]
fn without_a_token_the_object_stays_and_says_how_it_can_go() {
    let scene = deleted().with(|scene| {
        scene.observed.namespace = Namespace::Stays;
        scene.observed.publisher = Publisher::Unusable(Unusable {
            reason: Reason::CredentialsUnavailable,
            problem: "Secret dns does not exist.".to_owned(),
            remedy: None,
        });
    });
    let plan = scene.plan();
    assert_eq!(reason(&plan), Some(Reason::CredentialsUnavailable));
    for part in ["connector is deleted", "restore a Secret", "Retain"] {
        assert!(message(&plan).contains(part), "{}", message(&plan));
    }
    let goes = scene.with(|scene| scene.observed.namespace = Namespace::Terminating);
    assert!(!message(&goes.plan()).contains("restore"));
}

#[test]
fn what_keeps_a_record_from_being_removed_is_told_when_it_has_lasted() {
    let failed = |class, endpoint, times| {
        let mut scene = deleted();
        let edition = scene.desired.edition();
        for _ in 0..times {
            let publishing = &mut scene.memory.publishing;
            publishing.failed(failure(class, endpoint), edition.clone(), at(NOW - 0.1));
        }
        scene.plan()
    };
    for (class, endpoint, times, expected, told) in [
        (
            Class::Unavailable,
            Endpoint::ListRecords,
            1,
            Reason::Deleting,
            false,
        ),
        (
            Class::Unavailable,
            Endpoint::ListRecords,
            3,
            Reason::Deleting,
            true,
        ),
        (
            Class::Rejected,
            Endpoint::ListRecords,
            1,
            Reason::Rejected,
            true,
        ),
        (
            Class::Rejected,
            Endpoint::DeleteRecord,
            1,
            Reason::Rejected,
            true,
        ),
    ] {
        let plan = failed(class, endpoint, times);
        assert_eq!(reason(&plan), Some(expected));
        let said = message(&plan);
        assert!(said.contains("Retain"), "{said}");
        let cause = failure(class, endpoint).message;
        assert_eq!(said.contains(&cause), told, "{said}");
    }
    // That it could not be created is no obstacle.
    let plan = failed(Class::Rejected, Endpoint::CreateRecord, 1);
    assert_eq!(plan, Plan::Look(Look::Records(zone())));
}

#[test]
fn a_zone_that_has_gone_took_the_record_along() {
    let gone = no_route(Endpoint::ListRecords);
    let failing = |first| {
        deleted().with(|scene| {
            for second in [first, NOW - 0.5] {
                let edition = scene.desired.edition();
                let publishing = &mut scene.memory.publishing;
                publishing.failed(gone.clone(), edition, at(second));
            }
        })
    };
    assert_ne!(
        failing(NOW - 1.5).plan(),
        Plan::Release,
        "one answer is no proof"
    );
    assert_eq!(failing(NOW - 60.5).plan(), Plan::Release);
}

/// The connector and its token have nothing to do with it any more.
#[test]
fn it_needs_no_token_for_the_connector() {
    let unusable = unusable(Reason::CredentialsUnavailable);
    let ours = record("r1", CODE, &comment());
    let mut scene = deleted().with(|scene| scene.observed.credentials = unusable);
    assert!(removes(&scene.pass(&cloudflare(&[ours]))));
}

#[test]
fn an_heir_of_what_is_gone_already_keeps_no_record() {
    let rival = rival_of(&deleted());
    let ours = record("r1", CODE, &comment());
    let mut scene = deleted().with(|scene| scene.observed.rivals = vec![rival]);
    assert!(removes(&scene.pass(&cloudflare(&[ours]))));
}

/// Somebody has deleted the connector, and it could not be created again.
#[test]
fn a_record_goes_also_with_an_object_that_has_no_connector() {
    let ours = record("r1", CODE, &comment());
    let mut scene = deleted().with(|scene| {
        scene.record.connector = None;
        scene.memory = Memory {
            deletion_seen: scene.memory.deletion_seen,
            ..Memory::default()
        };
    });
    assert!(removes(&scene.pass(&cloudflare(&[ours]))));
    let nothing = scene.with(|scene| scene.record.placement = None);
    assert_eq!(nothing.plan(), Plan::Release);
}

/// Another object of the pair that stays, has no connector yet, and could take this one over.
fn rival_of(scene: &Scene) -> Rival {
    Rival {
        desired: Desired {
            uid: "another".to_owned(),
            terminating: false,
            finalizer: false,
            created: Some(date(2000.0)),
            ..scene.desired.clone()
        },
        record: Record::default(),
        access: Access::Listed,
        name: None,
    }
}
