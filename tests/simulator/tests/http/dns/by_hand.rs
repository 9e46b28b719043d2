//! Zones and records by hand, typed and over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{DnsRefusal, Flaw, RecordChange, RecordDraft};

use super::scene::{CODE, Scene};
use crate::client::{ACCOUNT, DOMAIN, UNKNOWN_ID, send};

impl Scene {
    async fn by_hand(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let reply = send(self.stage.admin(method, path).json(body)).await;
        (reply.status, reply.json())
    }
}

#[tokio::test]
async fn zones_over_http() {
    let scene = Scene::new().await;
    let draft = json!({"account": ACCOUNT, "name": "Cool.Dogs."});
    let (status, added) = scene.by_hand(Method::POST, "/zones", &draft).await;
    assert_eq!(status, 200);
    let path = format!("/zones/{}", added["id"].as_str().unwrap());
    let change = json!({"status": "moved", "type": "partial"});
    let (_, changed) = scene.by_hand(Method::PATCH, &path, &change).await;
    let expected = json!({
        "id": added["id"], "account": ACCOUNT, "name": "cool.dogs", "status": "moved",
        "type": "partial",
    });
    assert_eq!(changed, expected);
    let listed = send(scene.stage.admin(Method::GET, "/zones")).await.json();
    assert_eq!(
        (&listed[0]["name"], &listed[1]),
        (&json!(DOMAIN), &expected)
    );
    let (_, deleted) = scene.by_hand(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(deleted, expected);
    let (status, gone) = scene.by_hand(Method::PATCH, &path, &change).await;
    assert_eq!(status, 404);
    assert!(gone["error"].is_string());
}

#[tokio::test]
async fn records_over_http() {
    let scene = Scene::new().await;
    let of_zone = format!("/zones/{}/records", scene.zone);
    let draft = json!({"type": "TXT", "name": "@", "content": CODE, "ttl": 7});
    let (status, made) = scene.by_hand(Method::POST, &of_zone, &draft).await;
    assert_eq!(
        (status, &made["ttl"], &made["name"]),
        (200, &json!(7), &json!(DOMAIN))
    );
    let path = format!("/records/{}", made["id"].as_str().unwrap());
    let change = json!({"content": "other", "comment": "by hand"});
    let (_, changed) = scene.by_hand(Method::PATCH, &path, &change).await;
    assert_eq!(changed["content"], "other");
    assert_eq!(changed["ttl"], 7);
    let listed = send(scene.stage.admin(Method::GET, &of_zone)).await.json();
    assert_eq!(listed, json!([changed]));
    let got = send(scene.stage.admin(Method::GET, &path)).await.json();
    assert_eq!(got, changed);
    let (status, _) = scene
        .by_hand(
            Method::POST,
            &of_zone,
            &json!({
                "type": "TXT", "name": "@", "content": "\"open",
            }),
        )
        .await;
    assert_eq!(status, 400);
    let (_, deleted) = scene.by_hand(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(deleted, changed);
    assert_eq!(
        scene.by_hand(Method::DELETE, &path, &Value::Null).await.0,
        404
    );
    let help = send(scene.stage.admin(Method::GET, "")).await.text;
    assert!(help.contains("/admin/zones") && help.contains("/admin/records"));
}

#[tokio::test]
async fn what_is_done_by_hand_is_refused_by_type() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    let draft = RecordDraft::txt("@", CODE);
    let nowhere = admin.create_record(UNKNOWN_ID, draft.clone());
    assert_eq!(nowhere, Err(DnsRefusal::UnknownZone));
    let record = admin.create_record(&scene.zone, draft).unwrap();
    assert_eq!(admin.record(&record.id), Some(record.clone()));
    let empty = RecordChange {
        content: Some(String::new()),
        ..RecordChange::default()
    };
    let refused = admin.change_record(&record.id, empty.clone());
    assert_eq!(refused, Err(DnsRefusal::Invalid(Flaw::Content)));
    assert_eq!(admin.delete_record(&record.id), Ok(record.clone()));
    let gone = admin.change_record(&record.id, empty);
    assert_eq!(gone, Err(DnsRefusal::UnknownRecord));
    assert!(admin.calls().is_empty(), "hands leave no trace in the log");
}

#[tokio::test]
async fn a_token_for_one_zone_over_http() {
    let scene = Scene::new().await;
    let request = json!({
        "label": "zone", "zone_grants": {&scene.zone: ["zone_read", "dns_read", "dns_write"]},
    });
    let (_, issued) = scene.by_hand(Method::POST, "/tokens", &request).await;
    let token = issued["token"].as_str().unwrap();
    let path = format!("/zones/{}/dns_records", scene.zone);
    let body = json!({"type": "TXT", "name": "@", "content": CODE});
    let create = scene.stage.bare(Method::POST, &path).bearer_auth(token);
    assert_eq!(send(create.json(&body)).await.status, 200);
    assert_eq!(
        scene.stage.simulator.admin().accounts(),
        [ACCOUNT],
        "a zone is no account"
    );
}
