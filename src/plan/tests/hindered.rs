//! What hinders the publication of the TXT record, how that is told, and how it goes on.

use super::publication::{
    ZONE, cloudflare, comment, placed, publishes, record, removes, said, scene, spf, zone,
};
use super::*;
use crate::plan::verdict::Finding;
use crate::plan::{Posted, Publishing, Told, messages};

/// Cloudflare's answer where it knows no such zone.
pub(super) fn no_route(endpoint: Endpoint) -> Failure {
    Failure {
        codes: vec![7003, 7000],
        ..failure(Class::Rejected, endpoint)
    }
}

#[test]
fn without_a_zone_or_a_token_a_person_is_asked_and_may_publish_by_hand() {
    let nowhere = Cloudflare {
        zone: None,
        ..cloudflare(&[])
    };
    let plan = scene().pass(&nowhere);
    assert_eq!(reason(&plan), Some(Reason::ZoneNotFound));
    for (unusable, expected, part) in [
        (
            Unusable::refused("Cloudflare refused it".to_owned()),
            Reason::Unauthorized,
            "Zone Read and DNS Edit",
        ),
        (
            Unusable::unavailable(
                "Secret dns does not exist.".to_owned(),
                "Create it.".to_owned(),
            ),
            Reason::CredentialsUnavailable,
            "Create it.",
        ),
    ] {
        let plan = scene()
            .with(|scene| scene.observed.publisher = Publisher::Unusable(unusable))
            .plan();
        assert_eq!(reason(&plan), Some(expected));
        assert_eq!((said(&plan).0, said(&plan).1), (Truth::False, expected));
        assert!(message(&plan).contains(part), "{}", message(&plan));
        assert!(verdict(&plan).is_stalled());
    }
}

#[test]
fn a_failure_is_waited_out_and_spoken_of_when_it_has_lasted() {
    let failed = |times: u32, class| {
        scene().with(|scene| {
            let edition = scene.desired.edition();
            for _ in 0..times {
                let failure = failure(class, Endpoint::ListZones);
                let publishing = &mut scene.memory.publishing;
                publishing.failed(failure, edition.clone(), at(NOW - 0.5));
            }
        })
    };
    let plan = failed(1, Class::Unavailable).plan();
    assert_eq!(verdict(&plan).published, Said::Kept);
    assert_eq!(reason(&plan), Some(Reason::AwaitingVerification));
    assert!(rest(&plan) <= seconds(1.0));
    let plan = failed(3, Class::Unavailable).plan();
    assert_eq!(said(&plan).1, Reason::CloudflareUnavailable);
    assert_eq!(reason(&plan), Some(Reason::AwaitingVerification));
    let plan = failed(1, Class::Rejected).plan();
    assert_eq!(reason(&plan), Some(Reason::Rejected));
    // What failed elsewhere keeps nothing waiting.
    let plan = failed(3, Class::Unavailable)
        .with(|scene| scene.record.placement = placed(Some("r1")))
        .plan();
    assert_eq!(plan, Plan::Look(Look::Records(zone())));
}

#[test]
fn a_record_that_is_there_already_by_cloudflares_word_is_looked_for_and_no_refusal() {
    let mut scene = scene().with(|scene| {
        let refused = Failure {
            codes: vec![81058],
            ..failure(Class::Rejected, Endpoint::CreateRecord)
        };
        let edition = scene.desired.edition();
        scene.record.placement = placed(None);
        let publishing = &mut scene.memory.publishing;
        publishing.failed(refused, edition, at(NOW - 0.5));
        publishing.acted_at = Some(at(NOW - 0.5));
        publishing.placed_since = Some(at(NOW - 60.0));
    });
    let plan = scene.pass(&cloudflare(&[]));
    assert_eq!(act(&plan), None, "not at once again");
    assert_eq!(reason(&plan), Some(Reason::AwaitingVerification));
    scene.now += 40.0;
    scene = scene.clone().seen(scene.now - 1.0, pending());
    let plan = scene.pass(&cloudflare(&[record("theirs", CODE, "")]));
    assert_eq!(said(&plan).1, Reason::Published);
}

#[test]
fn a_zone_that_has_gone_is_looked_for_again() {
    let gone = no_route(Endpoint::ListRecords);
    let mut scene = scene().with(|scene| {
        let edition = scene.desired.edition();
        scene.record.placement = placed(Some("r1"));
        let publishing = &mut scene.memory.publishing;
        publishing.failed(gone.clone(), edition, at(NOW - 60.5));
    });
    let mut once = scene.clone();
    once.pass(&cloudflare(&[]));
    assert_eq!(
        once.record.placement,
        placed(Some("r1")),
        "one answer is no proof"
    );
    // Neither is one at the end of other failures.
    let mut mixed = scene.clone();
    mixed.memory.publishing = Publishing::default();
    let other = failure(Class::Unavailable, Endpoint::ListRecords);
    for (second, failure) in [(NOW - 90.0, other), (NOW - 0.5, gone.clone())] {
        let edition = mixed.desired.edition();
        let publishing = &mut mixed.memory.publishing;
        publishing.failed(failure, edition, at(second));
    }
    mixed.pass(&cloudflare(&[]));
    assert_eq!(mixed.record.placement, placed(Some("r1")));
    let edition = scene.desired.edition();
    let publishing = &mut scene.memory.publishing;
    publishing.failed(gone, edition, at(NOW - 0.5));
    let plan = scene.pass(&cloudflare(&[]));
    assert_eq!(scene.record.placement, None);
    assert!(rest(&plan) > Duration::ZERO, "not at once");
    scene.now += 10.0;
    assert!(publishes(&scene.pass(&cloudflare(&[]))));
}

#[test]
fn an_incomplete_list_proves_nothing() {
    let partial = Cloudflare {
        gap: Some("Cloudflare listed fewer than it counts"),
        ..cloudflare(&[spf()])
    };
    for before in [None, placed(None), placed(Some("r1"))] {
        let mut scene = scene().with(|scene| {
            scene.record.placement = before.clone();
            scene.memory.publishing.placed_since = Some(at(NOW - 60.0));
        });
        let plan = scene.pass(&partial);
        assert_eq!(act(&plan), None, "{before:?}");
        assert_eq!(scene.record.placement, before);
    }
}

/// Another pass rests until then, and does not ask in circles.
#[test]
fn an_incomplete_list_is_asked_for_again_at_the_pace_of_a_poll_and_spoken_of() {
    let partial = Cloudflare {
        gap: Some("Cloudflare listed fewer than it counts"),
        ..cloudflare(&[spf()])
    };
    let mut scene = scene();
    let mut elapsed = Duration::ZERO;
    let mut passes = 0;
    let told = loop {
        let plan = scene.pass(&partial);
        assert_eq!(act(&plan), None);
        passes += 1;
        if let Said::Now(Truth::False, finding) = &verdict(&plan).published {
            break finding.clone();
        }
        let span = rest(&plan);
        assert!(span > Duration::ZERO, "{plan:?}");
        elapsed += span;
        scene.now += span.as_secs_f64();
        scene.observed = Scene::new().observed;
        scene.observed.publisher = Publisher::Usable;
        assert!(passes < 30, "it is never told");
    };
    assert_eq!(told.reason, Reason::CloudflareUnavailable);
    assert!(
        told.message.contains("fewer than it counts"),
        "{}",
        told.message
    );
    assert!(elapsed >= scene.timing.trouble_shows_after);
    assert!(elapsed <= scene.timing.trouble_shows_after + seconds(60.0));
}

#[test]
fn what_cloudflare_refused_to_create_is_no_record_of_ours() {
    let refused = |outcome| {
        scene().with(|scene| {
            scene.record.placement = placed(None);
            let publishing = &mut scene.memory.publishing;
            publishing.posted(&zone(), outcome, at(NOW - 0.5));
            let failure = failure(Class::Rejected, Endpoint::CreateRecord);
            publishing.failed(failure, scene.desired.edition(), at(NOW - 0.5));
        })
    };
    let mut here = refused(Posted::Refused);
    let plan = here.pass(&cloudflare(&[]));
    assert_eq!(verdict(&plan).record.placement, None);
    assert_eq!(reason(&plan), Some(Reason::Rejected));
    let plan = refused(Posted::Unknown).pass(&cloudflare(&[]));
    assert_eq!(verdict(&plan).record.placement, placed(None));
    // Nobody needs a token to let go of nothing.
    for (outcome, goes) in [(Posted::Refused, true), (Posted::Unknown, false)] {
        let scene = refused(outcome).deleting().with(|scene| {
            scene.memory.deletion = Some(Deletion::Confirmed(id()));
            scene.observed.publisher = Publisher::Unread;
        });
        assert_eq!(scene.plan() == Plan::Release, goes);
    }
}

#[test]
fn a_refused_record_waits_its_time_and_costs_nothing_meanwhile() {
    let refused = |since| {
        let failure = failure(Class::Rejected, Endpoint::CreateRecord);
        scene().with(|scene| {
            let publishing = &mut scene.memory.publishing;
            publishing.failed(failure, scene.desired.edition(), at(since));
        })
    };
    let mut scene = refused(NOW - 1.0);
    scene.pass(&cloudflare(&[]));
    // The connector is listed anew, and the record is not due.
    scene.now += 31.0;
    let mut scene = scene.clone().listed(list(scene.now - 0.5, &[pending()]));
    let plan = scene.plan();
    assert_eq!(reason(&plan), Some(Reason::Rejected), "{plan:?}");
    // Nor does another failure in between make it due.
    let other = failure(Class::Unavailable, Endpoint::ListRecords);
    let edition = scene.desired.edition();
    let publishing = &mut scene.memory.publishing;
    publishing.failed(other, edition, at(scene.now - 0.1));
    let now = scene.now;
    let mut later = scene.at(now + 40.0).seen(now + 39.0, pending());
    assert_eq!(act(&later.pass(&cloudflare(&[]))), None);
    let mut due = refused(NOW - 1000.0);
    assert!(publishes(&due.pass(&cloudflare(&[]))));
}

#[test]
fn a_success_ends_what_failed_on_the_way() {
    let mut scene = scene().with(|scene| {
        let lost = failure(Class::Unavailable, Endpoint::CreateRecord);
        let publishing = &mut scene.memory.publishing;
        publishing.failed(lost, scene.desired.edition(), at(NOW - 3600.0));
    });
    let there = scene.pass(&cloudflare(&[record("theirs", CODE, "")]));
    scene.memory.rested(verdict(&there));
    let now = scene.now + 700.0;
    let mut scene = scene.at(now).seen(now - 1.0, pending());
    assert!(publishes(&scene.pass(&cloudflare(&[]))));
    let lost = failure(Class::Unavailable, Endpoint::CreateRecord);
    let edition = scene.desired.edition();
    scene.memory.publishing.failed(lost, edition, at(scene.now));
    let plan = scene.pass(&cloudflare(&[]));
    assert_eq!(verdict(&plan).published, Said::Kept, "the first of its run");
}

/// Otherwise Argo CD would show Degraded and Progressing in turn.
#[test]
fn a_dead_end_stands_until_something_else_is_known() {
    let stuck = || scene().with(|scene| scene.record.told = Told::DeadEnd);
    let undecided = Outcome::Undecided { trouble: None };
    let plan = stuck().pass(&cloudflare(&[]));
    assert!(publishes(&plan));
    assert_eq!(verdict(&plan).outcome, undecided, "while it is tried again");
    let hiccup = failure(Class::RateLimited, Endpoint::ListZones);
    let mut scene = stuck().with(|scene| {
        let publishing = &mut scene.memory.publishing;
        publishing.failed(hiccup, scene.desired.edition(), at(NOW - 0.5));
    });
    let plan = scene.pass(&cloudflare(&[]));
    assert_eq!(verdict(&plan).outcome, undecided, "one 429 says nothing");
    let plan = stuck().pass(&cloudflare(&[record("theirs", CODE, "")]));
    assert_eq!(reason(&plan), Some(Reason::AwaitingVerification));
}

#[test]
fn what_has_hindered_it_is_not_said_of_a_verified_domain() {
    let was_published = messages::dns::was_published(&DOMAIN.parse().unwrap());
    let was_published = Said::Now(Truth::True, Finding::new(Reason::Published, was_published));
    for (told, placement, expected) in [
        (Told::Nothing, None, Said::Kept),
        (Told::Nothing, placed(None), Said::Kept),
        (Told::Published, None, was_published.clone()),
        (Told::Published, placed(Some("r1")), was_published.clone()),
        (Told::Delayed, None, Said::Cleared),
        (Told::Delayed, placed(None), Said::Cleared),
        // It was not looked at again, and it is there.
        (Told::Delayed, placed(Some("r1")), was_published),
        (Told::DeadEnd, None, Said::Cleared),
        // It says an old code, or the like: a person had to help.
        (Told::DeadEnd, placed(Some("r1")), Said::Cleared),
    ] {
        let verified = scene().seen(NOW - 0.5, verified(true));
        let plan = verified.with(|scene| {
            scene.record.told = told;
            scene.record.placement.clone_from(&placement);
        });
        let published = verdict(&plan.plan()).published.clone();
        assert_eq!(published, expected, "{told:?} {placement:?}");
    }
}

/// What was published is only to be looked at again.
#[test]
fn a_token_that_is_taken_away_makes_nothing_unpublished() {
    let without = |told, code| {
        let mut scene = scene().with(|scene| {
            scene.record.placement = placed(Some("r1"));
            scene.record.told = told;
        });
        let ours = [record("r1", code, &comment())];
        scene.pass(&cloudflare(&ours));
        let refused = "Cloudflare refused it".to_owned();
        scene.observed.publisher = Publisher::Unusable(Unusable::refused(refused));
        scene
    };
    let later = |mut scene: Scene| {
        scene.now += 700.0;
        let now = scene.now;
        scene.seen(now - 1.0, pending()).plan()
    };
    let plan = later(without(Told::Published, CODE));
    assert_eq!(verdict(&plan).published, Said::Kept);
    assert_eq!(reason(&plan), Some(Reason::AwaitingVerification));
    let plan = later(without(Told::Nothing, CODE));
    assert_eq!(said(&plan).1, Reason::Unauthorized);
    let named = format!("zone {ZONE}, which status.dnsRecord names");
    assert!(message(&plan).contains(&named), "{}", message(&plan));
    // Where something else is to be published, it is told at once.
    let plan = without(Told::Published, "cloudflare_dashboard_sso=old").plan();
    assert_eq!(said(&plan).1, Reason::Unauthorized);
}

/// The zone that could not be listed was another one.
#[test]
fn a_zone_that_is_found_anew_is_listed() {
    let gone = no_route(Endpoint::ListRecords);
    let mut scene = scene();
    for second in [NOW - 120.0, NOW - 30.0] {
        let edition = scene.desired.edition();
        let publishing = &mut scene.memory.publishing;
        publishing.failed(gone.clone(), edition, at(second));
    }
    let plan = scene.clone().with(|scene| {
        scene.memory.publishing.search = Some(Box::new(Search {
            named: None,
            at: at(NOW - 200.0),
            result: Ok(zone()),
        }));
    });
    assert_eq!(reason(&plan.plan()), Some(Reason::ZoneNotFound));
    let plan = scene.pass(&cloudflare(&[]));
    assert!(publishes(&plan), "{plan:?}");
    assert!(!removes(&plan, "r1"));
}

/// A DELETE on a zone that is gone is no refusal: the next lists show that it is.
#[test]
fn a_zone_that_goes_before_a_delete_is_no_refusal() {
    let gone = no_route(Endpoint::DeleteRecord);
    let mut scene = scene();
    let edition = scene.desired.edition();
    let publishing = &mut scene.memory.publishing;
    publishing.failed(gone, edition, at(NOW - 0.5));
    let trouble = publishing.trouble(Endpoint::DeleteRecord).unwrap();
    assert_eq!(trouble.failure.class, Class::Unavailable);
    assert_eq!(
        publishing.zone_missing_since, None,
        "that is for lists to say"
    );
}
