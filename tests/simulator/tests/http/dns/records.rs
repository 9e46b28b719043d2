//! DNS records over the API: their life, their refusals, and what the log and the faults know of them.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Effect, Failure, Fault, Operation, RecordDraft, RecordType};

use super::scene::{CODE, Scene, each};
use crate::client::{DOMAIN, UNKNOWN_ID};

#[tokio::test]
async fn the_whole_life_of_a_record() {
    let scene = Scene::new().await;
    let quoted = format!("\"{CODE}\"");
    let body = json!({
        "type": "TXT", "name": DOMAIN, "content": quoted, "ttl": 300, "comment": "mine",
    });
    let created = scene.create(&body).await;
    let (id, result) = (created.id(), created.result());
    let expected = json!({
        "id": id, "name": DOMAIN, "type": "TXT", "content": quoted, "proxiable": false,
        "proxied": false, "ttl": 300, "settings": {}, "meta": {}, "comment": "mine", "tags": [],
        "created_on": result["created_on"], "modified_on": result["created_on"],
    });
    assert_eq!((created.status, &result), (200, &expected));
    assert_eq!(scene.get(&id).await.result(), expected);
    assert_eq!(scene.list(&[]).await.result(), json!([expected]));

    let patched = scene.change(Method::PATCH, &id, &json!({"ttl": 60})).await;
    assert_eq!(patched.result()["ttl"], 60);
    assert_eq!(patched.result()["comment"], "mine");
    assert_ne!(patched.result()["modified_on"], result["modified_on"]);
    let whole = json!({"type": "TXT", "name": DOMAIN, "content": "other"});
    let put = scene.change(Method::PUT, &id, &whole).await.result();
    assert_eq!((&put["content"], &put["ttl"]), (&json!("other"), &json!(1)));
    assert_eq!(put["comment"], Value::Null);

    assert_eq!(scene.delete(&id).await.result(), json!({"id": id}));
    for reply in [
        scene.get(&id).await,
        scene.delete(&id).await,
        scene.change(Method::PATCH, &id, &json!({})).await,
    ] {
        assert_eq!((reply.status, reply.code()), (404, 81_044));
    }
    assert!(scene.records().is_empty());
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    let alias = RecordDraft::new(RecordType::Cname, "alias", "elsewhere.example");
    admin.create_record(&scene.zone, alias).unwrap();
    let spf = RecordDraft::txt("@", "v=spf1 -all");
    admin.create_record(&scene.zone, spf).unwrap();
    let before = scene.records();
    let long = "a".repeat(101);
    for (field, value, code) in [
        ("content", "\"v=spf1 -all\"", 81_058),
        ("name", "alias", 81_054),
        ("type", "CNAME", 81_053),
        ("comment", &long, 9313),
        ("content", "\"open", 1004),
        ("name", "a b", 1004),
    ] {
        let mut body = json!({"type": "TXT", "name": "@", "content": "other.example"});
        body[field] = value.into();
        let refused = scene.create(&body).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{body}");
        let chain = &refused.json()["errors"][0]["error_chain"];
        assert_eq!(chain.is_array(), code == 1004, "{chain}");
    }
    let body = json!({"type": "TXT", "name": "@", "content": CODE, "ttl": 59});
    assert_eq!(scene.create(&body).await.code(), 9021);
    for body in [json!([]), json!({"type": 7})] {
        assert_eq!(scene.create(&body).await.status, 400, "{body}");
    }
    assert_eq!(scene.records(), before);
}

#[tokio::test]
async fn an_unknown_record_is_not_a_malformed_one() {
    let scene = Scene::new().await;
    let unknown = scene.get(UNKNOWN_ID).await;
    assert_eq!((unknown.status, unknown.code()), (404, 81_044));
    for id in ["1", ""] {
        let malformed = scene.delete(id).await;
        assert_eq!((malformed.status, malformed.code()), (400, 7003), "{id:?}");
    }
}

#[tokio::test]
async fn records_are_filtered_and_paged() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    let quoted = format!("\"{CODE}\"");
    let mine = RecordDraft {
        comment: Some("mine".to_owned()),
        ..RecordDraft::txt("@", &quoted)
    };
    let address = RecordDraft::new(RecordType::A, "mail", "192.0.2.1");
    for draft in [RecordDraft::txt("@", "v=spf1 -all"), mine, address] {
        admin.create_record(&scene.zone, draft).unwrap();
    }
    let (spf, code, mail) = ("v=spf1 -all", quoted.as_str(), "192.0.2.1");
    for (parameters, contents) in [
        (vec![], vec![spf, code, mail]),
        (
            vec![("type", "TXT"), ("name.exact", DOMAIN)],
            vec![spf, code],
        ),
        (vec![("name", "mail.cool.cats")], vec![mail]),
        (vec![("content.exact", code)], vec![code]),
        (vec![("content.exact", CODE)], vec![]),
        (
            vec![("comment.exact", "MINE"), ("match", "all")],
            vec![code],
        ),
        (
            vec![("comment.exact", "mine"), ("type", "A"), ("match", "any")],
            vec![code, mail],
        ),
        (vec![("per_page", "2"), ("page", "2")], vec![mail]),
    ] {
        let listed = scene.list(&parameters).await;
        assert_eq!(each(&listed, "content"), contents, "{parameters:?}");
    }
    let first = scene.list(&[("per_page", "2")]).await.json();
    let info = json!({"page": 1, "per_page": 2, "count": 2, "total_count": 3, "total_pages": 2});
    assert_eq!(first["result_info"], info);
    assert_eq!(scene.list(&[]).await.json()["result_info"]["per_page"], 100);
    for wrong in [("per_page", "0"), ("page", "0"), ("match", "some")] {
        assert_eq!(scene.list(&[wrong]).await.status, 400, "{wrong:?}");
    }
}

#[tokio::test]
async fn the_log_knows_zones_and_records() {
    let scene = Scene::new().await;
    scene.list_zones(&[("name", "a.example")]).await;
    scene.list(&[("type", "TXT")]).await;
    scene.list(&[("name.exact", "mail.cool.cats")]).await;
    let body = json!({"type": "TXT", "name": "mail", "content": CODE});
    let id = scene.create(&body).await.id();
    scene.get(&id).await;
    let rename = json!({"name": "elsewhere"});
    scene.change(Method::PUT, &id, &rename).await;
    scene.change(Method::PATCH, &id, &rename).await;
    scene.delete(&id).await;
    let calls = scene.stage.simulator.calls();
    let about = |call: &simulator::Call| (call.operation, call.domain.clone().unwrap());
    let abouts: Vec<_> = calls.as_slice().iter().map(about).collect();
    let expected = [
        (Operation::ListZones, "a.example"),
        (Operation::ListRecords, DOMAIN),
        (Operation::ListRecords, "mail.cool.cats"),
        (Operation::CreateRecord, "mail.cool.cats"),
        (Operation::GetRecord, "mail.cool.cats"),
        (Operation::UpdateRecord, "mail.cool.cats"),
        (Operation::UpdateRecord, "mail.cool.cats"),
        (Operation::DeleteRecord, "elsewhere.cool.cats"),
    ];
    assert_eq!(
        abouts,
        expected.map(|(operation, name)| (operation, name.to_owned()))
    );
    assert_eq!(calls.clone().on_zone(&scene.zone).count(), 7);
    assert_eq!(calls.clone().on_record(&id).count(), 4);
    assert_eq!(calls.clone().mutations().count(), 4);
    assert_eq!(calls.clone().committed().count(), 3, "the PUT lacks a type");
    let puts = calls.clone().filter(|call| call.method == "PUT");
    assert_eq!(puts.answered(400).count(), 1);
    assert_eq!(calls.on_account(crate::client::ACCOUNT).count(), 0);
}

#[tokio::test]
async fn faults_strike_by_operation_domain_zone_and_count() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    let reset = Failure::Reset {
        when: simulator::When::AfterCommit,
    };
    let lost = admin.push_fault(Fault::new(reset).on(Operation::CreateRecord));
    let body = json!({"type": "TXT", "name": DOMAIN, "content": CODE});
    let request = scene.on_records(Method::POST, "").json(&body);
    assert!(request.send().await.is_err(), "nobody was told");
    assert_eq!((lost.struck(), scene.records().len()), (1, 1));
    let calls = scene.stage.simulator.calls();
    assert_eq!(calls.last().unwrap().effect, Effect::Committed);
    assert_eq!(scene.create(&body).await.code(), 81_058);

    let failure = Failure::html(503);
    let on_mail = Fault::new(failure).on_domain("mail.cool.cats").skipping(1);
    admin.push_fault(on_mail);
    let mail = [("name.exact", "mail.cool.cats")];
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(scene.list(&mail).await.status);
        assert_eq!(scene.list(&[]).await.status, 200);
    }
    assert_eq!(statuses, [200, 503, 200]);

    let on_zone = |zone: &str| Fault::new(Failure::html(502)).on_zone(zone);
    let elsewhere = admin.push_fault(on_zone(UNKNOWN_ID));
    let here = admin.push_fault(on_zone(&scene.zone));
    assert_eq!(scene.list_zones(&[]).await.status, 200, "of no zone");
    assert_eq!(scene.list(&[]).await.status, 502);
    assert_eq!((elsewhere.struck(), here.struck()), (0, 1));
}
