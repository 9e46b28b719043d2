//! However Cloudflare spells its answers, cuts its lists, or lags: the same comes out, or it says that something may be
//! missing.

use std::num::NonZeroUsize;
use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Class, Completeness, Endpoint, VerificationCode};
use serde_json::{Value, json};
use simulator::knobs::{CommentKept, OmittableField, PageParameter, RecordQuotes};
use simulator::{Failure as Injected, Fault, Knobs};

use super::scene::{CODE, DOMAIN, OTHERS, Scene, UNKNOWN, proving, texts};
use crate::setting::{ACCOUNT, OTHER_ACCOUNT, judged};

#[tokio::test]
async fn record_quotes() {
    let scene = Scene::new(Knobs::default()).await;
    let code = VerificationCode::parse(CODE).unwrap();
    let sent = scene.create(&proving(CODE)).await.unwrap().unwrap();
    for quotes in [
        RecordQuotes::AsSent,
        RecordQuotes::Quoted,
        RecordQuotes::Bare,
    ] {
        scene.turn(|knobs| knobs.record_quotes = quotes);
        let listing = scene.list().await.unwrap();
        assert_eq!(texts(&listing.items), [OTHERS[0], OTHERS[1], CODE]);
        assert_eq!(listing.items.last(), Some(&sent), "{quotes:?}");
        assert!(sent.says(&code));
    }
}

#[tokio::test]
async fn comment_kept() {
    for (comment_kept, comment) in [
        (CommentKept::Whole, "ours"),
        (CommentKept::Truncated(2), "ou"),
        (CommentKept::Dropped, ""),
    ] {
        let knobs = Knobs {
            comment_kept,
            ..Knobs::default()
        };
        let scene = Scene::new(knobs).await;
        let created = scene.create(&proving(CODE)).await.unwrap().unwrap();
        assert_eq!(created.comment, comment);
        let listing = scene.list().await.unwrap();
        assert_eq!(listing.items.last(), Some(&created));
    }
}

#[tokio::test]
async fn page_size_page_parameter_and_result_info() {
    use PageParameter::{Honoured, Ignored};
    let scene = Scene::new(Knobs::default()).await;
    for number in 0..3 {
        let code = format!("{CODE}{number}");
        scene.create(&proving(&code)).await.unwrap();
    }
    for (page_size, page_parameter, omit_fields, found, complete, calls) in [
        (None, Honoured, vec![], 5, true, 1),
        (NonZeroUsize::new(2), Honoured, vec![], 5, true, 3),
        (NonZeroUsize::new(5), Honoured, vec![], 5, true, 1),
        (NonZeroUsize::new(2), Ignored, vec![], 2, false, 2),
        // Without a count nothing tells that there is more.
        (None, Honoured, vec![OmittableField::ResultInfo], 5, true, 1),
    ] {
        scene.turn(|knobs| {
            knobs.page_size = page_size;
            knobs.page_parameter = page_parameter;
            knobs.omit_fields = omit_fields;
        });
        let before = scene.setting.simulator.calls().count();
        let listing = scene.list().await.unwrap();
        let is_complete = listing.complete == Completeness::Complete;
        assert_eq!((listing.items.len(), is_complete), (found, complete));
        assert_eq!(scene.setting.simulator.calls().count() - before, calls);
    }
}

#[tokio::test]
async fn zones_of_one_name_are_read_to_their_last_page_or_not_at_all() {
    let scene = Scene::new(Knobs::default()).await;
    let admin = scene.setting.simulator.admin();
    let both = [ACCOUNT, OTHER_ACCOUNT];
    let token = both
        .into_iter()
        .fold(simulator::TokenRequest::new("both"), |request, account| {
            request.grant(account, simulator::Permission::DNS)
        });
    let _second = admin.add_zone(OTHER_ACCOUNT, DOMAIN);
    let mut scene = scene;
    scene.with_token(token);
    scene.turn(|knobs| knobs.page_size = NonZeroUsize::new(1));
    let zones = scene.list_zones(DOMAIN).await.unwrap();
    let accounts: Vec<_> = zones.into_iter().filter_map(|zone| zone.account).collect();
    assert_eq!(accounts, both.map(|account| account.parse().unwrap()));
    scene.turn(|knobs| knobs.page_parameter = PageParameter::Ignored);
    let outcome = judged(scene.list_zones(DOMAIN).await);
    assert_eq!(outcome, (Class::Unavailable, false, None));
}

#[tokio::test]
async fn record_lag_and_duplicate_after_delete() {
    let scene = Scene::new(Knobs::default()).await;
    let hour = Duration::from_hours(1);
    scene.turn(|knobs| {
        knobs.record_lag = hour;
        knobs.duplicate_after_delete = hour;
    });
    let created = scene.create(&proving(CODE)).await.unwrap().unwrap();
    let listing = scene.list().await.unwrap();
    assert!(!texts(&listing.items).contains(&CODE), "not yet");
    assert_eq!(listing.complete, Completeness::Complete);
    let again = scene.create(&proving(CODE)).await.unwrap_err();
    assert!(again.is_duplicate_record(), "{again:?}");
    scene.delete(&created.id).await.unwrap();
    let again = scene.create(&proving(CODE)).await.unwrap_err();
    assert!(
        again.is_duplicate_record() && again.is_definite(),
        "{again:?}"
    );
    scene.turn(|knobs| knobs.duplicate_after_delete = Duration::ZERO);
    assert!(scene.create(&proving(CODE)).await.unwrap().is_some());
}

impl Scene {
    /// Replaces one value of the next answer.
    fn rewrite_next(&self, pointer: &str, value: &Value) {
        let rewrite = Injected::Rewrite {
            pointer: pointer.to_owned(),
            value: value.clone(),
        };
        let admin = self.setting.simulator.admin();
        admin.push_fault(Fault::new(rewrite));
    }
}

#[tokio::test]
async fn a_list_of_records_that_was_tampered_with_is_incomplete() {
    let scene = Scene::new(Knobs::default()).await;
    for (pointer, value, found) in [
        ("/result", json!(null), 0),
        ("/result", json!({}), 0),
        ("/result/0", json!("x"), 1),
        ("/result/0/id", json!(null), 1),
        ("/result/0/id", json!("../x"), 1),
        ("/result/0/name", json!(null), 2),
        ("/result/0/content", json!(7), 2),
        ("/result_info/total_count", json!(3), 2),
        ("/result_info", json!({"total_pages": 2}), 2),
        // Filters that a server ignores.
        ("/result/0/type", json!("MX"), 1),
    ] {
        scene.rewrite_next(pointer, &value);
        let listing = scene.list().await.unwrap();
        let is_complete = listing.complete == Completeness::Complete;
        let what = format!("{pointer} {value}");
        assert_eq!((listing.items.len(), is_complete), (found, false), "{what}");
    }
    for (pointer, value) in [
        ("/result/0/comment", json!(null)),
        ("/result/0/type", json!(null)),
        ("/result/0/ttl", json!("soon")),
        ("/messages", json!(["text"])),
        // Whoever decides looks at the name.
        ("/result/0/name", json!("elsewhere.example.com")),
    ] {
        scene.rewrite_next(pointer, &value);
        let listing = scene.list().await.unwrap();
        let is_complete = listing.complete == Completeness::Complete;
        let what = format!("{pointer} {value}");
        assert_eq!((listing.items.len(), is_complete), (2, true), "{what}");
    }
}

/// Whoever took it for the answer that there is no such zone would go on to the zone above.
#[tokio::test]
async fn a_list_of_zones_that_may_lack_one_is_no_answer() {
    let scene = Scene::new(Knobs::default()).await;
    for (pointer, value) in [
        ("/result", json!(null)),
        ("/result", json!(12)),
        ("/result/0", json!("x")),
        ("/result/0/id", json!("../x")),
        ("/result/0/name", json!(null)),
        ("/result_info/total_count", json!(2)),
    ] {
        scene.rewrite_next(pointer, &value);
        let outcome = judged(scene.list_zones(DOMAIN).await);
        assert_eq!(outcome, (Class::Unavailable, false, None), "{pointer}");
    }
    for (pointer, value) in [
        ("/result/0/account", json!(null)),
        ("/result/0/status", json!(7)),
    ] {
        scene.rewrite_next(pointer, &value);
        assert_eq!(
            scene.list_zones(DOMAIN).await.unwrap().len(),
            1,
            "{pointer}"
        );
    }
}

#[tokio::test]
async fn an_answer_about_another_zone_is_not_taken() {
    let scene = Scene::new(Knobs::default()).await;
    for (pointer, value) in [
        ("/result/id", json!(UNKNOWN)),
        ("/result/name", json!(null)),
        ("/result", json!(null)),
    ] {
        scene.rewrite_next(pointer, &value);
        let outcome = judged(scene.get_zone(&scene.zone).await);
        assert_eq!(outcome, (Class::Unavailable, false, Some(200)), "{pointer}");
    }
}

/// The record exists and nobody was told which: the next list shows it.
#[tokio::test]
async fn a_creation_answered_without_a_usable_record_is_neither_lost_nor_named() {
    for (pointer, value) in [
        ("/result", json!(null)),
        ("/result", json!([])),
        ("/result", json!(12)),
        ("/result/id", json!(null)),
        ("/result/id", json!("a/b")),
        ("/result/type", json!("CNAME")),
    ] {
        let scene = Scene::new(Knobs::default()).await;
        scene.rewrite_next(pointer, &value);
        let created = scene.create(&proving(CODE)).await.unwrap();
        assert_eq!(created, None, "{pointer} {value}");
        let listing = scene.list().await.unwrap();
        assert_eq!(texts(&listing.items), [OTHERS[0], OTHERS[1], CODE]);
    }
}

#[tokio::test]
async fn other_answers_without_an_id_are_read_for_what_they_say() {
    let scene = Scene::new(Knobs::default()).await;
    for (endpoint, class) in [
        (Endpoint::GetZone, Some(Class::Unavailable)),
        (Endpoint::CreateRecord, None),
        (Endpoint::DeleteRecord, None),
    ] {
        let outcome = scene.suffer(endpoint, Injected::WithoutId).await;
        let judged = outcome.err().map(|failure| failure.class);
        assert_eq!(judged, class, "{endpoint}");
    }
}
