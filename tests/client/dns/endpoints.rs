//! Every endpoint as it should work.

use cloudflare_sso_operator::cloudflare::{Activation, Class, Completeness, TimeToLive, Zone};
use serde_json::json;
use simulator::{Knobs, Operation, RecordDraft, RecordType, ZoneStatus};

use super::scene::{CODE, DOMAIN, ENDPOINTS, OTHERS, Scene, UNKNOWN, proving, texts, with};
use crate::setting::{ACCOUNT, OTHER_ACCOUNT};

#[tokio::test]
async fn a_record_lives_through_all_endpoints() {
    let scene = Scene::new(Knobs::default()).await;
    let expected = Zone {
        id: scene.zone.clone(),
        name: DOMAIN.to_owned(),
        activation: Activation::Active,
        account: ACCOUNT.parse().ok(),
    };
    assert_eq!(
        scene.list_zones(DOMAIN).await.unwrap(),
        std::slice::from_ref(&expected)
    );
    assert_eq!(scene.get_zone(&scene.zone).await.unwrap(), expected);
    let before = scene.list().await.unwrap();
    assert_eq!(texts(&before.items), OTHERS);
    assert_eq!(before.complete, Completeness::Complete);

    let created = scene.create(&proving(CODE)).await.unwrap().unwrap();
    assert_eq!(created.name, DOMAIN);
    assert_eq!(created.text.as_deref(), Some(CODE));
    assert_eq!(created.comment, "ours");
    let listing = scene.list().await.unwrap();
    assert_eq!(listing.items.last(), Some(&created));
    assert_eq!(texts(&listing.items), [OTHERS[0], OTHERS[1], CODE]);

    scene.delete(&created.id).await.unwrap();
    assert_eq!(scene.list().await.unwrap(), before);
    let gone = scene.delete(&created.id).await.unwrap_err();
    assert_eq!((gone.class, gone.is_definite()), (Class::Gone, true));
    assert_eq!(gone.codes, [81_044]);
    assert!(scene.records().is_empty());
}

#[tokio::test]
async fn requests_carry_what_cloudflare_documents_and_no_more() {
    let scene = Scene::new(Knobs::default()).await;
    let id = scene.existing();
    let ttl = TimeToLive::from_seconds(300).unwrap();
    scene.list_zones(DOMAIN).await.unwrap();
    scene.get_zone(&scene.zone).await.unwrap();
    scene.list().await.unwrap();
    scene.create(&with(CODE, ttl, "ours")).await.unwrap();
    scene.delete(&id).await.unwrap();

    let calls = scene.setting.simulator.calls();
    let calls = calls.as_slice().iter();
    let sent: Vec<_> = calls
        .map(|call| (call.operation, call.path.clone(), call.body.clone()))
        .collect();
    let zone = format!("/client/v4/zones/{}", scene.zone);
    let records = format!("{zone}/dns_records");
    let query = format!("type=TXT&name.exact={DOMAIN}&per_page=100");
    let body = json!({
        "type": "TXT", "name": DOMAIN, "content": format!("\"{CODE}\""), "ttl": 300, "comment": "ours",
    });
    let zones = format!("/client/v4/zones?name={DOMAIN}&per_page=50");
    let expected = [
        (Operation::ListZones, zones, None),
        (Operation::GetZone, zone, None),
        (Operation::ListRecords, format!("{records}?{query}"), None),
        (Operation::CreateRecord, records.clone(), Some(body)),
        (Operation::DeleteRecord, format!("{records}/{id}"), None),
    ];
    assert_eq!(sent, expected);
    assert_eq!(
        expected.map(|(operation, ..)| operation).len(),
        ENDPOINTS.len()
    );
}

#[tokio::test]
async fn zones_are_found_by_their_very_name() {
    let scene = Scene::new(Knobs::default()).await;
    let admin = scene.setting.simulator.admin();
    for name in ["mail.example.com", "com", "xexample.com", "none.org"] {
        assert_eq!(scene.list_zones(name).await.unwrap(), [], "{name}");
    }
    let elsewhere = admin.add_ready_account_with_dns(OTHER_ACCOUNT, "elsewhere");
    let second = admin.add_zone(OTHER_ACCOUNT, DOMAIN);
    admin.set_zone_status(&second, ZoneStatus::Moved).unwrap();
    assert_eq!(scene.list_zones(DOMAIN).await.unwrap().len(), 1, "not ours");
    let token = crate::setting::token(&elsewhere);
    let zones = scene.setting.client.list_zones(&token, DOMAIN).await;
    let [zone] = zones.unwrap().value.try_into().unwrap();
    let expected = (second.parse().unwrap(), Activation::Inactive);
    assert_eq!((zone.id, zone.activation), expected);
    assert_eq!(zone.account, OTHER_ACCOUNT.parse().ok());
}

/// Cloudflare's answers for a zone that is not there do not say that it is gone, but that they know no way to it.
#[tokio::test]
async fn what_a_404_says_of_a_zone_and_of_a_record() {
    let scene = Scene::new(Knobs::default()).await;
    let zone = UNKNOWN.parse().unwrap();
    let id = scene.existing();
    for outcome in [
        scene.get_zone(&zone).await.map(drop),
        scene.list_in(&zone).await.map(drop),
        scene.create_in(&zone, &proving(CODE)).await.map(drop),
        scene.delete_in(&zone, &id).await,
    ] {
        let failure = outcome.unwrap_err();
        let said = (failure.class, failure.status, failure.has_no_route());
        assert_eq!(said, (Class::Rejected, Some(404), true), "{failure:?}");
        assert!(failure.is_definite());
    }
    let other = scene
        .setting
        .simulator
        .admin()
        .add_zone(ACCOUNT, "other.org");
    for (zone, record) in [
        (&scene.zone, UNKNOWN.parse().unwrap()),
        (&other.parse().unwrap(), id),
    ] {
        let failure = scene.delete_in(zone, &record).await.unwrap_err();
        let said = (failure.class, failure.status, failure.has_no_route());
        assert_eq!(said, (Class::Gone, Some(404), false), "{failure:?}");
    }
}

#[tokio::test]
async fn only_txt_records_at_the_domain_are_listed() {
    let scene = Scene::new(Knobs::default()).await;
    let admin = scene.setting.simulator.admin();
    let zone = scene.zone.to_string();
    for draft in [
        RecordDraft::new(RecordType::Mx, "@", "mail.example.net"),
        RecordDraft::new(RecordType::A, "@", "192.0.2.1"),
        RecordDraft::new(RecordType::Cname, "www", "example.net"),
        RecordDraft::txt("mail", CODE),
        RecordDraft::txt("@", r#""in two" " strings""#),
    ] {
        let _by_hand = admin.create_record(&zone, draft).unwrap();
    }
    let listing = scene.list().await.unwrap();
    assert_eq!(
        texts(&listing.items),
        [OTHERS[0], OTHERS[1], "in two strings"]
    );
    assert_eq!(listing.complete, Completeness::Complete);
}
