//! Every knob on zones and DNS records that shows over HTTP; the rules behind them are tested on the model.

use std::num::NonZeroUsize;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::Knobs;
use simulator::knobs::{ApexCname, CommentKept, OmittableField, PageParameter, RecordQuotes};

use super::scene::{CODE, Scene};
use crate::client::DOMAIN;

#[tokio::test]
async fn record_lag() {
    let scene = Scene::new().await;
    scene.turn(|knobs| knobs.record_lag = Duration::from_hours(1));
    let id = scene.create_txt(CODE).await.id();
    assert_eq!(scene.list(&[]).await.result(), json!([]));
    assert_eq!(scene.get(&id).await.code(), 81_044);
    assert_eq!(scene.create_txt(CODE).await.code(), 81_058, "it is there");
    assert_eq!(scene.delete(&id).await.status, 200);
    scene.turn(|knobs| knobs.record_lag = Duration::ZERO);
    let id = scene.create_txt(CODE).await.id();
    assert_eq!(scene.list(&[]).await.result()[0]["id"], id.as_str());
}

#[tokio::test]
async fn duplicate_after_delete() {
    let scene = Scene::new().await;
    scene.turn(|knobs| knobs.duplicate_after_delete = Duration::from_hours(1));
    let id = scene.create_txt(CODE).await.id();
    assert_eq!(scene.delete(&id).await.status, 200);
    let refused = scene.create_txt(CODE).await;
    assert_eq!((refused.status, refused.code()), (400, 81_058));
    assert_eq!(scene.list(&[]).await.result(), json!([]));
    scene.turn(|knobs| knobs.duplicate_after_delete = Duration::ZERO);
    assert_eq!(scene.create_txt(CODE).await.status, 200);
}

#[tokio::test]
async fn record_quotes() {
    let scene = Scene::new().await;
    let quoted = format!("\"{CODE}\"");
    let ids = [
        scene.create_txt(&quoted).await.id(),
        scene.create_txt("bare").await.id(),
    ];
    for (knob, contents) in [
        (RecordQuotes::AsSent, [quoted.as_str(), "bare"]),
        (RecordQuotes::Quoted, [quoted.as_str(), "\"bare\""]),
        (RecordQuotes::Bare, [CODE, "bare"]),
    ] {
        scene.turn(|knobs| knobs.record_quotes = knob);
        for (id, content) in ids.iter().zip(contents) {
            assert_eq!(scene.get(id).await.result()["content"], content, "{knob:?}");
        }
    }
    assert_eq!(scene.records()[0].content, quoted, "as it is");
}

#[tokio::test]
async fn comment_kept() {
    let scene = Scene::new().await;
    for (number, (knob, kept)) in [
        (CommentKept::Whole, json!("mine alone")),
        (CommentKept::Truncated(4), json!("mine")),
        (CommentKept::Dropped, Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        scene.turn(|knobs| knobs.comment_kept = knob);
        let content = number.to_string();
        let body = json!({
            "type": "TXT", "name": DOMAIN, "content": content, "comment": "mine alone",
        });
        let created = scene.create(&body).await;
        assert_eq!(created.result()["comment"], kept);
        assert_eq!(scene.get(&created.id()).await.result()["comment"], kept);
    }
}

#[tokio::test]
async fn minimum_ttl() {
    let scene = Scene::new().await;
    let body = json!({"type": "TXT", "name": DOMAIN, "content": CODE, "ttl": 30});
    assert_eq!(scene.create(&body).await.code(), 9021);
    scene.turn(|knobs| knobs.minimum_ttl = 30);
    assert_eq!(scene.create(&body).await.result()["ttl"], 30);
}

#[tokio::test]
async fn apex_cname() {
    let scene = Scene::new().await;
    let body = json!({"type": "CNAME", "name": "@", "content": "elsewhere.example"});
    assert_eq!(scene.create(&body).await.status, 200);
    assert_eq!(scene.create_txt(CODE).await.code(), 81_054);
    scene.turn(|knobs| knobs.apex_cname = ApexCname::Flattened);
    assert_eq!(scene.create_txt(CODE).await.status, 200);
}

#[tokio::test]
async fn paging() {
    let scene = Scene::with(Knobs {
        page_size: NonZeroUsize::new(1),
        ..Knobs::default()
    })
    .await;
    for content in ["first", "second"] {
        scene.create_txt(content).await;
    }
    let second = [("page", "2"), ("per_page", "50")];
    let listed = scene.list(&second).await.json();
    assert_eq!(listed["result"][0]["content"], "second");
    let info = json!({"page": 2, "per_page": 1, "count": 1, "total_count": 2, "total_pages": 2});
    assert_eq!(listed["result_info"], info);
    assert_eq!(scene.list_zones(&second).await.result(), json!([]));
    scene.turn(|knobs| knobs.page_parameter = PageParameter::Ignored);
    assert_eq!(scene.list(&second).await.result()[0]["content"], "first");
    scene.turn(|knobs| knobs.omit_fields = vec![OmittableField::ResultInfo]);
    assert_eq!(scene.list(&second).await.json().get("result_info"), None);
}

#[tokio::test]
async fn knobs_are_turned_over_http() {
    let scene = Scene::new().await;
    let changes = json!({
        "record_lag": "5s", "duplicate_after_delete": "30s", "record_quotes": "bare",
        "comment_kept": "50", "minimum_ttl": 30, "apex_cname": "flattened",
        "zone_list_denied": "forbidden", "unseen_zone": "unauthorized",
    });
    let request = scene.stage.admin(Method::PATCH, "/knobs").json(&changes);
    let turned = crate::client::send(request).await.json();
    for (name, value) in changes.as_object().unwrap() {
        assert_eq!(&turned[name], value, "{name}");
    }
}
