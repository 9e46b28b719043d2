//! From apply to enforced with nobody touching DNS, and with a real name server between.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, DnsRecord, SsoConnector};
use harness::{NameServer, Options, Record, Zone};
use serde_json::json;
use simulator::{DnsTruth, Knobs, Operation, RecordDraft, RecordType, Setup};

use crate::stage::{ACCOUNT, PATIENCE, SECRET, Stage, code, condition, quick_knobs};

pub(crate) const DOMAIN: &str = "example.com";

/// What stands at the domain before, and must stand there after.
const OTHERS: [&str; 2] = ["v=spf1 -all", "cloudflare_dashboard_sso=of-another-account"];

/// Cloudflare that does not find a record by itself, so that publishing can be looked at in peace.
pub(crate) fn patient() -> Knobs {
    Knobs {
        poll_interval: Duration::from_hours(1),
        ..quick_knobs()
    }
}

/// A stage whose account has the domain's zone, with records of others, and whose token may edit it. And the zone's ID.
pub(crate) async fn with_zone(knobs: Knobs) -> (Stage, String) {
    let stage = Stage::with(Options::default(), knobs).await;
    let admin = stage.simulator.admin();
    let token = admin.add_ready_account_with_dns(ACCOUNT, "with DNS");
    stage.put_token(SECRET, &token).await;
    let zone = admin.add_zone(ACCOUNT, DOMAIN);
    for text in OTHERS {
        put_txt(&stage, &zone, text);
    }
    (stage, zone)
}

/// A stage on which Cloudflare verifies domains by what this name server says, instead of by zones of its own.
async fn verifying_by(name_server: &NameServer, knobs: Knobs) -> Stage {
    let setup = Setup {
        knobs,
        dns_truth: DnsTruth::NameServer(name_server.address()),
        ..Setup::default()
    };
    Stage::with_setup(Options::default(), setup).await
}

/// The TXT record in the status.
pub(crate) fn dns_record(object: &SsoConnector) -> Option<DnsRecord> {
    object.status.as_ref()?.dns_record.clone()
}

/// Creates a TXT record by hand.
pub(crate) fn put_txt(stage: &Stage, zone: &str, text: &str) {
    let draft = RecordDraft::new(RecordType::Txt, DOMAIN, text);
    let admin = stage.simulator.admin();
    let _made_by_hand = admin.create_record(zone, draft).unwrap();
}

/// What others wrote is untouched: as many records as there were, none of them changed.
pub(crate) fn others_are_untouched(stage: &Stage, zone: &str) {
    let records = stage.simulator.admin().records(zone);
    for text in OTHERS {
        let found: Vec<_> = records.iter().filter(|it| it.content == text).collect();
        let [record] = found.as_slice() else {
            panic!("{text}: {found:#?}")
        };
        assert_eq!(record.created_on, record.modified_on, "{text}");
    }
    assert_eq!(
        stage.simulator.calls().of(Operation::UpdateRecord).count(),
        0
    );
}

/// The records at the domain that hold codes, beside those of others.
pub(crate) fn codes(stage: &Stage, zone: &str) -> Vec<String> {
    let records = stage.simulator.admin().records(zone);
    let texts = records.iter().filter_map(simulator::DnsRecord::txt_value);
    texts
        .filter(|text| !OTHERS.contains(&text.as_str()))
        .collect()
}

#[tokio::test]
async fn one_apply_ends_enabled_and_one_delete_leaves_nothing_behind() {
    let (stage, zone) = with_zone(quick_knobs()).await;
    let _operator = stage.operator(&[]).await;
    let fields = json!({
        "enabled": true, "deletionPolicy": "Delete", "dns": { "cloudflare": { "ttl": 300 } },
    });
    stage.connector("example", DOMAIN, fields).await;

    let enabled = stage.until_ready_is("example", "Available").await;
    assert_eq!(condition(&enabled, ConditionType::Enabled).1, "Enabled");
    let published = condition(&enabled, ConditionType::DnsRecordPublished);
    assert_eq!(
        (published.0.as_str(), published.1.as_str()),
        ("True", "Published")
    );
    let shown = dns_record(&enabled).unwrap();
    let record = stage
        .simulator
        .admin()
        .record(&shown.record_id.unwrap())
        .unwrap();
    assert_eq!(shown.zone_id, Some(zone.clone()));
    assert_eq!(record.name, DOMAIN);
    assert_eq!(record.content, format!("\"{}\"", code(&enabled).unwrap()));
    assert_eq!(record.ttl, 300);
    let comment = record.comment.unwrap();
    assert!(comment.contains(&enabled.metadata.uid.unwrap()) && comment.len() <= 100);
    others_are_untouched(&stage, &zone);
    let posts = stage.simulator.calls().of(Operation::CreateRecord);
    assert_eq!(posts.count(), 1, "{posts:#?}");

    stage.delete("example").await;
    assert!(codes(&stage, &zone).is_empty());
    others_are_untouched(&stage, &zone);
    let mutations = stage.simulator.calls().mutations();
    let order: Vec<_> = mutations
        .as_slice()
        .iter()
        .map(|call| call.operation)
        .collect();
    assert_eq!(
        order,
        [
            Operation::Create,
            Operation::CreateRecord,
            Operation::Update,
            Operation::Update,
            Operation::Delete,
            Operation::DeleteRecord
        ]
    );
}

#[tokio::test]
async fn while_the_record_is_published_the_operator_is_at_work() {
    let (stage, zone) = with_zone(patient()).await;
    let _operator = stage.operator(&[]).await;
    let fields = json!({ "dns": { "cloudflare": {} } });
    stage.connector("example", DOMAIN, fields).await;
    let is_published = |object: &SsoConnector| {
        condition(object, ConditionType::DnsRecordPublished).1 == "Published"
    };
    let object = stage.until("example", "the record", is_published).await;
    assert_eq!(codes(&stage, &zone), [code(&object).unwrap()]);
    let (truth, reason, message) = condition(&object, ConditionType::Ready);
    assert_eq!(
        (truth.as_str(), reason.as_str()),
        ("False", "AwaitingVerification")
    );
    assert!(
        message.starts_with("The operator has to publish this DNS record"),
        "{message}"
    );
    let reconciling = condition(&object, ConditionType::Reconciling);
    assert_eq!((reconciling.0.as_str(), reconciling.1), ("True", reason));
}

/// The name server is asked by the operator and by Cloudflare alike, and a person adds the record there.
#[tokio::test]
async fn a_record_that_is_added_to_a_real_name_server_is_seen_and_verified() {
    let spf = Record::txt(DOMAIN, ["v=spf1 -all"]);
    let mut name_server = NameServer::start([Zone::new(DOMAIN, [spf])]).await.unwrap();
    // Cloudflare comes later, so that the record is seen before it is verified.
    let stage = verifying_by(&name_server, patient()).await;
    let address = name_server.address().to_string();
    let _operator = stage
        .operator(&["--dns-lookups", "on", "--dns-nameservers", &address])
        .await;
    stage
        .connector("example", DOMAIN, json!({ "enabled": true }))
        .await;
    let seen = |reason: &'static str| {
        move |object: &SsoConnector| condition(object, ConditionType::DnsRecordObserved).1 == reason
    };
    let waiting = stage
        .until("example", "nothing there", seen("NotFound"))
        .await;
    assert_eq!(
        condition(&waiting, ConditionType::Ready).1,
        "AwaitingVerification"
    );

    let code = code(&waiting).unwrap();
    name_server.add_txt(DOMAIN, DOMAIN, &code).await.unwrap();
    stage.until("example", "the record", seen("Found")).await;
    stage
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.poll_interval = quick_knobs().poll_interval);
    let enabled = stage.until_ready_is("example", "Available").await;
    let gone = condition(&enabled, ConditionType::DnsRecordObserved);
    assert_eq!(gone.1, "", "nobody looks any more: {gone:?}");
    stage
        .simulator
        .until(
            |world| world.connectors(ACCOUNT).iter().all(|it| it.enabled),
            PATIENCE,
        )
        .await
        .unwrap();
}
