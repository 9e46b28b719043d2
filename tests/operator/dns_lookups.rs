//! What the operator says of each answer of a real name server, and that nothing waits for one.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::{NameServer, Operator, Record, SilentServer, Zone};
use serde_json::json;
use simulator::{Operation, VerificationStatus};

use crate::stage::{Stage, code, condition, connector_id};

async fn asking(stage: &Stage, server: &str, flags: &[&str]) -> Operator {
    let mut all = vec!["--dns-lookups", "on", "--dns-nameservers", server];
    all.extend(flags);
    stage.operator(&all).await
}

fn observed(reason: &'static str) -> impl Fn(&SsoConnector) -> bool {
    move |object| condition(object, ConditionType::DnsRecordObserved).1 == reason
}

#[tokio::test]
async fn every_answer_has_its_reason() {
    let texts = |name: &str, texts: &[&str]| {
        let records = texts.iter().map(|text| Record::txt(name, [*text]));
        records.collect::<Vec<_>>()
    };
    let long: Vec<String> = (0..40)
        .map(|number| format!("filler-{number:03}-{}", "x".repeat(100)))
        .collect();
    let long = long
        .iter()
        .map(|text| Record::txt("long.test", [text.as_str()]));
    let zones = [
        Zone::new("empty.test", []),
        Zone::new("spf.test", texts("spf.test", &["v=spf1 -all"])),
        Zone::new(
            "other.test",
            texts(
                "other.test",
                &[
                    "cloudflare_dashboard_sso=b",
                    "v=spf1 -all",
                    "cloudflare_dashboard_sso=a",
                ],
            ),
        ),
        Zone::new(
            "alias.test",
            [
                Record::cname("mail.alias.test", "there.alias.test"),
                Record::txt("there.alias.test", ["v=spf1 -all"]),
                Record::cname("away.alias.test", "nowhere.elsewhere.test"),
                Record::cname("good.alias.test", "code.alias.test"),
            ],
        ),
        Zone::new("long.test", long),
        Zone::unloadable("broken.test"),
    ];
    let mut name_server = NameServer::start(zones).await.unwrap();
    let stage = Stage::set().await;
    let address = name_server.address().to_string();
    let _operator = asking(&stage, &address, &[]).await;
    let rows = [
        ("empty.test", "NotFound", "no TXT record"),
        ("spf.test", "NotFound", "no TXT record"),
        (
            "other.test",
            "OtherValue",
            "cloudflare_dashboard_sso=a, cloudflare_dashboard_sso=b.",
        ),
        ("mail.alias.test", "CNAMEPresent", "a CNAME"),
        ("away.alias.test", "CNAMEPresent", "a CNAME"),
        (
            "no.empty.test",
            "NoSuchDomain",
            "does not know no.empty.test",
        ),
        ("long.test", "NotFound", "no TXT record"),
        ("broken.test", "LookupFailed", "cannot say"),
        ("refused.test", "LookupFailed", "cannot say"),
    ];
    for (domain, _, _) in rows {
        stage.connector(domain, domain, json!({})).await;
    }
    for (domain, reason, part) in rows {
        let object = stage.until(domain, reason, observed(reason)).await;
        let (_, _, message) = condition(&object, ConditionType::DnsRecordObserved);
        assert!(message.contains(part), "{domain}: {message:?}");
        assert!(
            !message.contains("spf1"),
            "somebody else's text: {message:?}"
        );
        assert_eq!(
            condition(&object, ConditionType::Ready).1,
            "AwaitingVerification"
        );
    }

    // Each with its own code: beside others, in two strings, behind an alias, in an answer too long for UDP.
    stage
        .connector("good.alias.test", "good.alias.test", json!({}))
        .await;
    for (domain, zone, at) in [
        ("other.test", "other.test", "other.test"),
        ("long.test", "long.test", "long.test"),
        ("good.alias.test", "alias.test", "code.alias.test"),
    ] {
        let waiting = stage.until_ready_is(domain, "AwaitingVerification").await;
        let code = code(&waiting).unwrap();
        name_server.add_txt(zone, at, &code).await.unwrap();
        stage.until(domain, "Found", observed("Found")).await;
    }
    let waiting = stage
        .until_ready_is("spf.test", "AwaitingVerification")
        .await;
    let code = code(&waiting).unwrap();
    let (first, second) = code.split_at(code.len() / 2);
    let split = Record::txt("spf.test", [first, second]);
    name_server
        .serve(Zone::new("spf.test", [split]))
        .await
        .unwrap();
    stage.until("spf.test", "Found", observed("Found")).await;
}

/// No look-up ends within the test, and the whole life goes by.
#[tokio::test]
async fn with_a_silent_name_server_everything_goes_on() {
    let mut silent = SilentServer::start().unwrap();
    let stage = Stage::set().await;
    let address = silent.address().to_string();
    let _operator = asking(&stage, &address, &["--dns-timeout", "10m"]).await;
    let id = stage.enabled_connector("example", "example.com").await;
    let object = stage.until_ready_is("example", "Available").await;
    assert_eq!(condition(&object, ConditionType::DnsRecordObserved).1, "");
    assert!(silent.questions().unwrap() > 0, "nobody was asked");

    // Neither does an edit wait for it.
    let admin = stage.simulator.admin();
    admin.remove_txt("example.com");
    admin
        .set_verification(&id, VerificationStatus::Pending)
        .unwrap();
    stage.until_ready_is("example", "VerificationLapsed").await;
    stage
        .patch_spec("example", json!({ "enabled": false }))
        .await;
    stage
        .simulator
        .until(
            |world| world.connector(&id).is_some_and(|it| !it.enabled),
            Duration::from_mins(1),
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_name_server_that_fails_is_spoken_of_and_then_not_any_more() {
    let mut name_server = NameServer::start([Zone::new("example.com", [])])
        .await
        .unwrap();
    let stage = Stage::set().await;
    let address = name_server.address().to_string();
    let _operator = asking(&stage, &address, &["--dns-timeout", "1s"]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until("example", "NotFound", observed("NotFound"))
        .await;
    name_server.pause().unwrap();
    let object = stage
        .until("example", "LookupFailed", observed("LookupFailed"))
        .await;
    let (truth, _, message) = condition(&object, ConditionType::DnsRecordObserved);
    assert_eq!(truth, "Unknown");
    assert!(message.contains("in time"), "{message}");
    assert_eq!(condition(&object, ConditionType::Synced).0, "True");
    name_server.resume().unwrap();
    stage
        .until("example", "NotFound", observed("NotFound"))
        .await;
}

#[tokio::test]
async fn a_record_that_appears_has_a_failed_verification_begun_again_at_once() {
    let mut name_server = NameServer::start([Zone::new("example.com", [])])
        .await
        .unwrap();
    let stage = Stage::set().await;
    let address = name_server.address().to_string();
    // By its pause alone it would be begun again after an hour.
    let _operator = asking(&stage, &address, &["--restart-backoff", "1h"]).await;
    stage.connector("example", "example.com", json!({})).await;
    let waiting = stage
        .until("example", "NotFound", observed("NotFound"))
        .await;
    let admin = stage.simulator.admin();
    admin
        .set_verification(&connector_id(&waiting).unwrap(), VerificationStatus::Failed)
        .unwrap();
    stage.until_ready_is("example", "VerificationFailed").await;
    assert_eq!(begun(&stage), 0);

    let code = code(&waiting).unwrap();
    name_server
        .add_txt("example.com", "example.com", &code)
        .await
        .unwrap();
    stage
        .simulator
        .until(
            |world| world.calls().of(Operation::BeginVerification).count() == 1,
            Duration::from_mins(1),
        )
        .await
        .unwrap();
    // Cloudflare gives up again although DNS shows the record: that is no news.
    let id = connector_id(&waiting).unwrap();
    admin
        .set_verification(&id, VerificationStatus::Failed)
        .unwrap();
    stage.until_ready_is("example", "VerificationFailed").await;
    stage.heartbeats(4).await;
    assert_eq!(begun(&stage), 1);
}

fn begun(stage: &Stage) -> usize {
    let calls = stage.simulator.calls();
    calls.of(Operation::BeginVerification).count()
}
