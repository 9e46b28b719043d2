//! How the TXT record is published, and what is never touched.

use super::*;
use crate::plan::{Posted, messages};

use crate::plan::verdict::Mirror;
use crate::resource::{DnsRecord, Progress, RecordType, SsoConnectorStatus};

pub(super) const ZONE: &str = "372e67954025e0ba6aaa6d586b9e0b59";
pub(super) const OTHER_ZONE: &str = "9a7806061c88ada191ed06f989cc3dac";

pub(super) fn zone() -> ZoneId {
    ZONE.parse().unwrap()
}

pub(super) fn comment() -> String {
    format!("cloudflare-sso-operator {UID}")
}

pub(super) fn record(id: &str, text: &str, comment: &str) -> TxtRecord {
    TxtRecord {
        id: id.parse().unwrap(),
        name: DOMAIN.to_owned(),
        text: Some(text.to_owned()),
        comment: comment.to_owned(),
    }
}

pub(super) fn created(id: &str) -> Posted {
    Posted::Created(id.parse().unwrap())
}

pub(super) fn spf() -> TxtRecord {
    record("spf", "v=spf1 -all", "")
}

fn of_another_account() -> TxtRecord {
    record("other", "cloudflare_dashboard_sso=another", "")
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands where there may be none"
)]
pub(super) fn placed(record: Option<&str>) -> Option<Placement> {
    Some(Placement {
        zone: zone(),
        record: record.map(|id| id.parse().unwrap()),
    })
}

/// An object that asks to have its record published, and whose connector waits for it.
pub(super) fn scene() -> Scene {
    Scene::bound(Some(true), EnforcementState::Armed)
        .with(|scene| {
            scene.desired.publication = Some(Publication {
                zone: None,
                api_token: None,
                ttl: TimeToLive::AUTOMATIC,
            });
            scene.observed.publisher = Publisher::Usable;
        })
        .seen(NOW - 1.0, pending())
}

pub(super) fn cloudflare(records: &[TxtRecord]) -> Cloudflare {
    Cloudflare {
        zone: Some(zone()),
        records: records.to_vec(),
        ..Cloudflare::shows(&pending())
    }
}

pub(super) fn publishes(plan: &Plan) -> bool {
    let code = VerificationCode::parse(CODE).unwrap();
    let domain = DOMAIN.parse().unwrap();
    let expected = NewTxtRecord::proving(&domain, &code, TimeToLive::AUTOMATIC, comment());
    matches!(act(plan), Some(Act::Publish { zone: found, record }) if *found == zone() && *record == expected)
}

pub(super) fn removes(plan: &Plan, id: &str) -> bool {
    matches!(act(plan), Some(Act::Unpublish { zone: found, record }) if *found == zone() && *record == id.parse().unwrap())
}

pub(super) fn said(plan: &Plan) -> (Truth, Reason, String) {
    match &verdict(plan).published {
        Said::Now(truth, finding) => (*truth, finding.reason, finding.message.clone()),
        other => panic!("nothing is said: {other:?}"),
    }
}

#[test]
fn a_record_is_created_and_the_status_says_so_first() {
    let mut scene = scene();
    let plan = scene.pass(&cloudflare(&[spf(), of_another_account()]));
    assert!(publishes(&plan), "{plan:?}");
    assert_eq!(verdict(&plan).record.placement, placed(None));
    assert_eq!(guard(&plan), Guard::SameVersion);
}

#[test]
fn the_id_is_stored_before_anything_else_is_looked_at() {
    let scene = scene().with(|scene| {
        scene.record.placement = placed(None);
        scene
            .memory
            .publishing
            .posted(&zone(), created("r1"), at(NOW - 0.5));
    });
    let plan = scene.plan();
    assert_eq!(verdict(&plan).record.placement, placed(Some("r1")));
    assert_eq!(said(&plan).1, Reason::Published, "by Cloudflare's answer");
    assert!(matches!(
        plan,
        Plan::Settle {
            then: Then::Continue,
            ..
        }
    ));
}

/// Otherwise nobody would know later whose record it is.
#[test]
fn the_id_is_stored_also_if_the_domain_was_verified_meanwhile() {
    let mut scene = scene().seen(NOW - 0.4, verified(true)).with(|scene| {
        scene.record.placement = placed(None);
        scene
            .memory
            .publishing
            .posted(&zone(), created("r1"), at(NOW - 0.5));
    });
    let was_published = messages::dns::was_published(&DOMAIN.parse().unwrap());
    assert_eq!(
        said(&scene.plan()),
        (Truth::True, Reason::Published, was_published)
    );
    let plan = scene.pass(&Cloudflare::shows(&verified(true)));
    assert_eq!(act(&plan), None);
    assert_eq!(scene.record.placement, placed(Some("r1")));
}

/// Somebody has removed it, and the answer to the write before the next POST is lost.
#[test]
fn a_record_of_former_times_is_not_taken_for_the_one_that_may_have_been_created_since() {
    let mut memory = scene().memory;
    memory
        .publishing
        .posted(&zone(), created("r1"), at(NOW - 600.0));
    let mut begins = |placement, second| {
        let scene = scene().with(|scene| scene.record.placement = placement);
        memory.begins(&scene.desired, &scene.record, at(second));
        memory.publishing.created.is_some()
    };
    assert!(begins(placed(None), NOW - 599.0), "its ID is to be stored");
    assert!(!begins(placed(Some("r1")), NOW - 300.0), "it is stored");
    assert!(!begins(placed(None), NOW), "this is another one");
}

/// Its ID was lost on the way, and nobody may look at it any more.
#[test]
fn a_record_that_is_found_again_is_said_to_be_published_with_its_id() {
    for (code, published) in [
        (CODE, Some(Reason::Published)),
        ("cloudflare_dashboard_sso=old", None),
    ] {
        let scene = scene().with(|scene| {
            scene.record.placement = placed(None);
            scene.memory.publishing.placed_since = Some(at(NOW - 60.0));
            scene.memory.publishing.saw(RecordsSeen {
                zone: zone(),
                at: at(NOW - 0.5),
                records: vec![record("r1", code, &comment())],
                gap: None,
            });
        });
        let plan = scene.plan();
        assert_eq!(verdict(&plan).record.placement, placed(Some("r1")));
        let told = match &verdict(&plan).published {
            Said::Now(Truth::True, finding) => Some(finding.reason),
            _ => None,
        };
        assert_eq!(told, published, "{code}");
    }
}

#[test]
fn our_record_is_known_by_its_id_whatever_else_changes() {
    for comment in [comment(), String::new(), "of a person".to_owned()] {
        let mut scene = scene().with(|scene| scene.record.placement = placed(Some("r1")));
        let plan = scene.pass(&cloudflare(&[spf(), record("r1", CODE, &comment)]));
        assert_eq!(
            (said(&plan).0, said(&plan).1),
            (Truth::True, Reason::Published)
        );
        assert_eq!(act(&plan), None);
    }
}

#[test]
fn an_id_that_was_lost_is_found_by_the_comment_and_only_after_a_record_of_the_attempt() {
    let found = [record("r1", CODE, &comment())];
    let mut attempted = scene().with(|scene| scene.record.placement = placed(None));
    let plan = attempted.pass(&cloudflare(&found));
    assert_eq!(attempted.record.placement, placed(Some("r1")));
    assert_eq!(said(&plan).1, Reason::Published);
    // One that somebody has rewritten since keeps its comment.
    let rewritten = record("r0", "v=spf1 mx -all", &comment());
    let mut attempted = scene().with(|scene| scene.record.placement = placed(None));
    attempted.pass(&cloudflare(&[rewritten, found[0].clone()]));
    assert_eq!(attempted.record.placement, placed(Some("r1")));
    // The comment alone is no proof.
    let mut never = scene();
    let plan = never.pass(&cloudflare(&found));
    assert_eq!(never.record.placement, None);
    assert!(said(&plan).2.contains("never deletes it"));
}

#[test]
fn the_same_record_of_somebody_else_serves_as_well_and_is_nobody_of_ours() {
    let theirs = record("theirs", CODE, "by hand");
    for before in [None, placed(None)] {
        let mut scene = scene().with(|scene| {
            scene.record.placement = before.clone();
            scene.memory.publishing.placed_since = Some(at(NOW - 60.0));
        });
        let plan = scene.pass(&cloudflare(&[theirs.clone(), spf()]));
        assert_eq!(act(&plan), None);
        assert_eq!(scene.record.placement, None, "after {before:?}");
        assert!(said(&plan).2.contains("never deletes it"));
    }
}

#[test]
fn a_post_without_an_answer_is_waited_for_and_then_made_again() {
    let since = |second| {
        let scene = scene().with(|scene| {
            scene.record.placement = placed(None);
            scene.memory.publishing.placed_since = Some(at(second));
        });
        scene.seen(NOW - 0.5, pending())
    };
    let plan = since(NOW - 10.0).pass(&cloudflare(&[spf()]));
    assert_eq!(act(&plan), None);
    assert!(rest(&plan) <= seconds(20.0));
    let plan = since(NOW - 31.0).pass(&cloudflare(&[spf()]));
    assert!(publishes(&plan));
}

#[test]
fn a_record_that_somebody_has_removed_is_created_again_unless_the_zone_may_lag() {
    let gone = |known, acted: Option<f64>| {
        scene().with(|scene| {
            scene.record.placement = placed(Some("r1"));
            scene.memory.publishing.placed_since = Some(at(known));
            scene.memory.publishing.acted_at = acted.map(at);
        })
    };
    for (known, acted) in [(NOW - 60.0, Some(NOW - 5.0)), (NOW - 5.0, None)] {
        let plan = gone(known, acted).pass(&cloudflare(&[]));
        assert_eq!(
            act(&plan),
            None,
            "created just now, perhaps by another process"
        );
        assert!(rest(&plan) <= seconds(25.0));
    }
    for acted in [None, Some(NOW - 60.0)] {
        let plan = gone(NOW - 60.0, acted).pass(&cloudflare(&[spf()]));
        assert!(publishes(&plan));
    }
}

#[test]
fn a_code_that_has_changed_takes_our_old_record_away_first() {
    let old = record("r1", "cloudflare_dashboard_sso=old", &comment());
    let mut scene = scene().with(|scene| scene.record.placement = placed(Some("r1")));
    let records = [spf(), of_another_account(), old.clone()];
    let plan = scene.pass(&cloudflare(&records));
    assert!(removes(&plan, "r1"), "{plan:?}");
    let now = at(scene.now);
    let publishing = &mut scene.memory.publishing;
    publishing.deleted("r1".parse().ok(), now);
    // The zone may go on showing it for a while.
    for records in [&records[..2], &records] {
        let mut scene = scene.clone();
        let plan = scene.pass(&cloudflare(records));
        assert!(publishes(&plan), "{plan:?}");
        assert_eq!(verdict(&plan).record.placement, placed(None));
    }
}

#[test]
fn a_record_of_ours_that_somebody_has_rewritten_is_theirs() {
    let mut scene = scene().with(|scene| scene.record.placement = placed(Some("r1")));
    let plan = scene.pass(&cloudflare(&[record("r1", "v=spf1 mx -all", &comment())]));
    assert!(publishes(&plan), "{plan:?}");
}

#[test]
fn a_code_that_only_a_list_shows_is_looked_at_before_anything_is_changed() {
    let old = record("r1", "cloudflare_dashboard_sso=old", &comment());
    for (before, records) in [(None, vec![]), (placed(Some("r1")), vec![old])] {
        let mut scene = Scene::bound(Some(true), EnforcementState::Armed)
            .with(|scene| {
                scene.desired.publication = Some(Publication {
                    zone: None,
                    api_token: None,
                    ttl: TimeToLive::AUTOMATIC,
                });
                scene.observed.publisher = Publisher::Usable;
                scene.record.placement = before;
            })
            .listed(list(NOW - 1.0, &[pending()]));
        let lagging = cloudflare(&records);
        while scene.memory.sighting.is_none() {
            let Plan::Look(look) = scene.plan() else {
                panic!("acts on a list")
            };
            scene.now += 0.001;
            scene.answer(&look, &lagging);
        }
    }
}

#[test]
fn another_zone_in_the_spec_moves_the_record() {
    let mut scene = scene().with(|scene| {
        scene.record.placement = placed(Some("r1"));
        scene.desired.publication.as_mut().unwrap().zone = OTHER_ZONE.parse().ok();
    });
    let ours = [record("r1", CODE, &comment())];
    // Only when the other zone was seen: until then the record is of use where it is.
    let plan = scene.clone().pass(&Cloudflare {
        zone: None,
        ..cloudflare(&ours)
    });
    assert_eq!(act(&plan), None);
    assert_eq!(reason(&plan), Some(Reason::ZoneNotFound));
    let stays = format!("stays in zone {ZONE} for now");
    assert!(message(&plan).contains(&stays), "{}", message(&plan));
    let plan = scene.pass(&Cloudflare {
        zone: OTHER_ZONE.parse().ok(),
        ..cloudflare(&ours)
    });
    assert!(removes(&plan, "r1"));
    let now = at(scene.now);
    scene.memory.publishing.deleted("r1".parse().ok(), now);
    let elsewhere = Cloudflare {
        zone: OTHER_ZONE.parse().ok(),
        ..cloudflare(&[])
    };
    let plan = scene.pass(&elsewhere);
    let Some(Act::Publish { zone, .. }) = act(&plan) else {
        panic!("{plan:?}")
    };
    assert_eq!(zone.to_string(), OTHER_ZONE);
}

#[test]
fn what_is_known_to_be_published_needs_no_token() {
    let mut scene = scene().with(|scene| scene.record.placement = placed(Some("r1")));
    let known = cloudflare(&[record("r1", CODE, &comment())]);
    assert_eq!(said(&scene.pass(&known)).1, Reason::Published);
    scene.observed.publisher = Publisher::Unread;
    scene.now += 20.0;
    let plan = scene.plan();
    assert_eq!(said(&plan).1, Reason::Published);
    scene.now += 600.0;
    let scene = scene.clone().seen(scene.now - 1.0, pending());
    assert_eq!(scene.plan(), Plan::Look(Look::Publisher));
}

#[test]
fn while_the_record_is_published_the_operator_is_at_work() {
    let plan = scene().pass(&cloudflare(&[record("theirs", CODE, "")]));
    let Outcome::Decided {
        ready, progress, ..
    } = &verdict(&plan).outcome
    else {
        panic!("undecided")
    };
    assert_eq!(ready.reason, Reason::AwaitingVerification);
    assert_eq!(*progress, Progress::Reconciling);
    let named = format!(
        "The operator has to publish this DNS record (see DNSRecordPublished): type TXT, name {DOMAIN}, value {CODE}"
    );
    assert!(ready.message.starts_with(&named), "{}", ready.message);
}

#[test]
fn nothing_is_done_for_what_is_verified_observed_or_published_by_hand() {
    let verified = scene().seen(NOW - 0.5, verified(true));
    assert_eq!(verdict(&verified.plan()).published, Said::Kept);
    let observed = scene().with(|scene| {
        scene.desired.management = ManagementPolicy::Observe;
        scene.observed.publisher = Publisher::Unread;
    });
    let by_hand = scene().with(|scene| {
        scene.desired.publication = None;
        scene.observed.publisher = Publisher::Unread;
    });
    for scene in [observed, by_hand] {
        let plan = scene.plan();
        assert_eq!(act(&plan), None);
        assert_eq!(verdict(&plan).published, Said::Cleared);
    }
}

/// Found by random lives: an object that showed no record yet was published without a word of it in the status.
#[test]
fn where_a_record_goes_is_stored_whatever_was_shown_before() {
    let mut scene = scene();
    let plan = scene.pass(&cloudflare(&[]));
    for before in [None, Some("r0")] {
        let before = SsoConnectorStatus {
            dns_record: before.map(|id| DnsRecord {
                record_type: RecordType::TXT,
                name: DOMAIN.to_owned(),
                value: CODE.to_owned(),
                zone_id: Some(ZONE.to_owned()),
                record_id: Some(id.to_owned()),
            }),
            ..SsoConnectorStatus::default()
        };
        let status = verdict(&plan).status(&before, &scene.desired, date(NOW));
        assert_eq!(Record::read(Some(&status)).placement, placed(None));
    }
}

/// The connector is gone, and its record must not be forgotten.
#[test]
fn where_a_record_is_stays_in_a_status_that_shows_no_connector() {
    let mut scene = scene().with(|scene| scene.record.placement = placed(Some("r1")));
    let plan = scene.pass(&cloudflare(&[record("r1", CODE, &comment())]));
    let shown = verdict(&plan).status(&SsoConnectorStatus::default(), &scene.desired, date(NOW));
    let gone = Verdict {
        mirror: Mirror::Cleared,
        ..verdict(&plan).clone()
    };
    let status = gone.status(&shown, &scene.desired, date(NOW));
    assert_eq!(Record::read(Some(&status)).placement, placed(Some("r1")));
    assert_eq!(status.dns_record.unwrap().value, CODE);
}

/// Found by random lives: the process that deleted the old record has ended, and reads still show it.
#[test]
fn an_old_record_with_our_comment_is_not_taken_for_the_new_one_while_reads_may_lag() {
    let old = record("r0", "cloudflare_dashboard_sso=old", &comment());
    let since = |second| {
        scene().with(|scene| {
            scene.record.placement = placed(None);
            scene.memory.publishing.placed_since = Some(at(second));
        })
    };
    let mut lagging = since(NOW - 5.0);
    let plan = lagging.pass(&cloudflare(std::slice::from_ref(&old)));
    assert_eq!(act(&plan), None);
    assert_eq!(lagging.record.placement, placed(None));
    let mut settled = since(NOW - 60.0);
    let plan = settled.pass(&cloudflare(&[old]));
    assert!(removes(&plan, "r0"), "it is there, and ours: {plan:?}");
}

/// Found by random lives: a list of minutes ago showed a code where somebody has written something else since.
#[test]
fn a_delete_rests_on_a_list_that_is_not_old() {
    let mut scene = scene().with(|scene| scene.record.placement = placed(Some("r1")));
    let ours = record("r1", CODE, &comment());
    assert_eq!(said(&scene.pass(&cloudflare(&[ours]))).1, Reason::Published);
    scene.now += 120.0;
    let mut changed = pending();
    changed.verification.as_mut().unwrap().code = Some("cloudflare_dashboard_sso=new".to_owned());
    let scene = scene.clone().seen(scene.now - 1.0, changed);
    assert_eq!(scene.plan(), Plan::Look(Look::Records(zone())));
}
