//! Whatever Cloudflare refuses about zones and records, the refusal is read for what it is, and nothing was changed.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Class, Failure, NewTxtRecord, TimeToLive};
use simulator::knobs::{ApexCname, UnseenZone, ZoneListDenied};
use simulator::{
    Failure as Injected, Fault, Knobs, Permission, RecordDraft, RecordType, TokenRequest,
};

use super::scene::{CODE, DOMAIN, ENDPOINTS, OTHERS, Scene, proving, with};
use crate::setting::{ACCOUNT, OTHER_ACCOUNT, judged};

impl Scene {
    /// Why Cloudflare refuses the record, of which then nothing is there.
    async fn refused(&self, record: &NewTxtRecord) -> Failure {
        let before = self.records();
        let refusal = self.create(record).await.unwrap_err();
        assert_eq!(self.records(), before);
        assert_eq!(
            (refusal.class, refusal.is_definite(), refusal.status),
            (Class::Rejected, true, Some(400)),
            "{refusal:?}"
        );
        refusal
    }
}

#[tokio::test]
async fn a_record_that_is_there_already_is_told_from_other_refusals() {
    let scene = Scene::new(Knobs::default()).await;
    let refusal = scene.refused(&proving(OTHERS[1])).await;
    assert!(refusal.is_duplicate_record(), "{refusal:?}");
    assert_eq!(refusal.codes, [81_058]);
    for (code, is_duplicate) in [
        (81_057, true),
        (81_058, true),
        (81_053, false),
        (1004, false),
    ] {
        let injected = Injected::envelope(400, code, "no");
        scene
            .setting
            .simulator
            .admin()
            .push_fault(Fault::new(injected));
        let refusal = scene.refused(&proving(CODE)).await;
        assert_eq!(refusal.is_duplicate_record(), is_duplicate, "{code}");
    }
    // Nothing else can say that of a record.
    let injected = Injected::envelope(400, 81_058, "no");
    scene
        .setting
        .simulator
        .admin()
        .push_fault(Fault::new(injected));
    let refusal = scene.list().await.unwrap_err();
    assert!(!refusal.is_duplicate_record());
}

#[tokio::test]
async fn apex_cname() {
    let scene = Scene::new(Knobs::default()).await;
    let draft = RecordDraft::new(RecordType::Cname, "@", "example.net");
    let admin = scene.setting.simulator.admin();
    let _by_hand = admin.create_record(&scene.zone.to_string(), draft).unwrap();
    let refusal = scene.refused(&proving(CODE)).await;
    assert_eq!(refusal.codes, [81_054]);
    assert!(refusal.message.contains("CNAME"), "{refusal}");
    scene.turn(|knobs| knobs.apex_cname = ApexCname::Flattened);
    assert!(scene.create(&proving(CODE)).await.unwrap().is_some());
}

#[tokio::test]
async fn minimum_ttl_and_a_comment_that_is_too_long() {
    let scene = Scene::new(Knobs::default()).await;
    let half_a_minute = TimeToLive::from_seconds(30).unwrap();
    let short = with(CODE, half_a_minute, "ours");
    assert_eq!(scene.refused(&short).await.codes, [9021]);
    let long = with(CODE, TimeToLive::AUTOMATIC, &"x".repeat(101));
    assert_eq!(scene.refused(&long).await.codes, [9313]);
    scene.turn(|knobs| knobs.minimum_ttl = 30);
    let longest = with(CODE, half_a_minute, &"x".repeat(100));
    assert!(scene.create(&longest).await.unwrap().is_some());
}

#[tokio::test]
async fn a_name_that_is_full() {
    let scene = Scene::new(Knobs::default()).await;
    let admin = scene.setting.simulator.admin();
    for part in ["a", "b"] {
        let draft = RecordDraft::txt("@", &part.repeat(4050));
        let _by_hand = admin.create_record(&scene.zone.to_string(), draft).unwrap();
    }
    let refusal = scene.refused(&proving(CODE)).await;
    assert!(refusal.codes.contains(&1004), "{refusal:?}");
}

#[tokio::test]
async fn each_endpoint_needs_its_permission() {
    use Permission::{DnsRead, DnsWrite, SsoConnectorWrite, ZoneRead};
    for (permissions, may) in [
        (&[ZoneRead][..], [true, true, false, false, false]),
        (&[DnsRead], [true, false, true, false, false]),
        (&[DnsWrite], [true, false, true, true, true]),
        (&[ZoneRead, DnsWrite], [true; 5]),
        (&[SsoConnectorWrite], [true, false, false, false, false]),
    ] {
        let mut scene = Scene::new(Knobs::default()).await;
        let request = TokenRequest::new("some").grant(ACCOUNT, permissions.iter().copied());
        scene.with_token(request);
        for (endpoint, may) in ENDPOINTS.into_iter().zip(may) {
            let id = scene.existing();
            let outcome = scene.call(endpoint, &id).await;
            let refused = (!may).then_some((Class::Unauthorized, true, Some(403)));
            let outcome = outcome.is_err().then(|| judged(outcome));
            assert_eq!(outcome, refused, "{endpoint} with {permissions:?}");
        }
    }
}

#[tokio::test]
async fn unseen_zone() {
    for unseen_zone in [UnseenZone::Forbidden, UnseenZone::Unauthorized] {
        let knobs = Knobs {
            unseen_zone,
            ..Knobs::default()
        };
        let mut scene = Scene::new(knobs).await;
        let elsewhere = TokenRequest::new("elsewhere").grant(OTHER_ACCOUNT, Permission::DNS);
        scene.with_token(elsewhere);
        assert_eq!(scene.list_zones(DOMAIN).await.unwrap(), []);
        let id = scene.existing();
        for endpoint in &ENDPOINTS[1..] {
            let outcome = judged(scene.call(*endpoint, &id).await);
            assert_eq!(
                outcome,
                (Class::Unauthorized, true, Some(403)),
                "{endpoint}"
            );
        }
    }
}

/// A token for one zone may be refused where it asks for a name that it cannot see.
#[tokio::test]
async fn zone_list_denied() {
    let mut scene = Scene::new(Knobs::default()).await;
    let zone = scene.zone.clone();
    scene.with_token(TokenRequest::new("zone").grant_in_zone(&zone.to_string(), Permission::DNS));
    for (zone_list_denied, refused) in [
        (ZoneListDenied::Empty, None),
        (ZoneListDenied::Forbidden, Some(Class::Unauthorized)),
    ] {
        scene.turn(|knobs| knobs.zone_list_denied = zone_list_denied);
        assert_eq!(scene.list_zones(DOMAIN).await.unwrap().len(), 1);
        let below = scene.list_zones("mail.example.com").await;
        assert_eq!(below.err().map(|failure| failure.class), refused);
    }
}

#[tokio::test]
async fn rate_limit() {
    let knobs = Knobs {
        rate_limit: 1,
        rate_window: Duration::from_mins(3),
        ..Knobs::default()
    };
    let scene = Scene::new(knobs).await;
    scene.setting.list().await.unwrap();
    let refusal = scene.create(&proving(CODE)).await.unwrap_err();
    assert_eq!(
        (refusal.class, refusal.is_definite()),
        (Class::RateLimited, true)
    );
    let pause = refusal.retry_after.unwrap();
    assert!(pause > Duration::from_mins(1) && pause <= Duration::from_mins(3));
    assert!(scene.records().is_empty());
}
