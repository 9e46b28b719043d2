//! Publishing the TXT record where not all goes well: zones, tokens, records of others, codes that change, and deletion.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use simulator::knobs::{CommentKept, Switch};
use simulator::{
    Failure, Fault, Knobs, Operation, Permission, TokenRequest, VerificationStatus, ZoneStatus,
    ZoneType,
};

use crate::hands_free::{
    DOMAIN, codes, dns_record, others_are_untouched, patient, put_txt, with_zone,
};
use crate::stage::{
    ACCOUNT, PATIENCE, SECRET, Stage, code, condition, connector_id, current, quick_knobs,
};

const OTHER_ACCOUNT: &str = "b1f5c0e2a3d44f6f8a7e6d5c4b3a2910";

pub(crate) fn hands_free(fields: &Value) -> Value {
    let mut all = json!({ "dns": { "cloudflare": {} } });
    let known = all.as_object_mut().unwrap();
    known.extend(fields.as_object().unwrap().clone());
    all
}

pub(crate) fn is_published(object: &SsoConnector) -> bool {
    condition(object, ConditionType::DnsRecordPublished).1 == "Published"
}

/// Published, and Cloudflare has verified the domain.
pub(crate) fn is_verified_too(object: &SsoConnector) -> bool {
    condition(object, ConditionType::Verified).0 == "True" && is_published(object)
}

pub(crate) fn is_refused(reason: &'static str) -> impl Fn(&SsoConnector) -> bool {
    move |object| {
        let published = condition(object, ConditionType::DnsRecordPublished);
        let ready = condition(object, ConditionType::Ready);
        let said = (published.0.as_str(), published.1.as_str(), ready.1.as_str());
        current(object) && said == ("False", reason, reason)
    }
}

#[tokio::test]
async fn the_deepest_active_zone_is_found_and_a_named_one_must_be_the_domains() {
    let stage = Stage::set().await;
    let admin = stage.simulator.admin();
    let token = admin.add_ready_account_with_dns(ACCOUNT, "with DNS");
    stage.put_token(SECRET, &token).await;
    let parent = admin.add_zone(ACCOUNT, "example.com");
    let pending = admin.add_zone(ACCOUNT, "mail.example.com");
    admin
        .set_zone_status(&pending, ZoneStatus::Pending)
        .unwrap();
    let elsewhere = admin.add_zone(ACCOUNT, "other.org");
    let partial = admin.add_zone(ACCOUNT, "partial.mail.example.com");
    admin.set_zone_type(&partial, ZoneType::Partial).unwrap();
    let _operator = stage.operator(&[]).await;
    let deep = "eu.mail.example.com";
    stage.connector("deep", deep, hands_free(&json!({}))).await;
    let object = stage.until("deep", "the record", is_published).await;
    assert_eq!(dns_record(&object).unwrap().zone_id, Some(parent.clone()));
    let asked = stage.simulator.calls().of(Operation::ListZones);
    let names: Vec<_> = asked
        .as_slice()
        .iter()
        .map(|call| call.path.clone())
        .collect();
    for (path, name) in names.iter().zip([deep, "mail.example.com", "example.com"]) {
        assert!(path.contains(&format!("name={name}&")), "{names:?}");
    }

    // A name outside a zone would get the zone's name appended.
    for (name, zone, part) in [
        ("foreign", elsewhere.as_str(), "is for another domain"),
        ("unknown", &"0".repeat(32), "has no zone"),
        ("inactive", &pending, "is not active"),
        ("partial", &partial, "other name servers than Cloudflare's"),
    ] {
        let domain = format!("{name}.mail.example.com");
        let fields = json!({ "dns": { "cloudflare": { "zoneID": zone } } });
        stage.connector(name, &domain, fields).await;
        let object = stage
            .until(name, "no zone", is_refused("ZoneNotFound"))
            .await;
        let (_, _, message) = condition(&object, ConditionType::Ready);
        assert!(message.contains(part), "{message}");
        assert_eq!(condition(&object, ConditionType::Stalled).0, "True");
        assert_eq!(condition(&object, ConditionType::Synced).0, "True");
    }
    let fields = json!({ "dns": { "cloudflare": { "zoneID": parent } } });
    stage.patch_spec("foreign", fields).await;
    stage.until("foreign", "the record", is_published).await;
}

/// A refusal for one zone says nothing about another.
#[tokio::test]
async fn a_corrected_zone_is_tried_at_once_with_the_same_token() {
    let (stage, zone) = with_zone(patient()).await;
    let admin = stage.simulator.admin();
    let elsewhere = admin.add_zone(OTHER_ACCOUNT, "other.org");
    let request = TokenRequest::new("one zone").grant_in_zone(&zone, Permission::DNS);
    stage.put_token("dns", &admin.issue_token(request)).await;
    let _operator = stage.operator(&["--refused-token-retry", "10m"]).await;
    let cloudflare = json!({ "zoneID": elsewhere, "apiTokenSecretRef": { "name": "dns" } });
    let fields = hands_free(&json!({ "dns": { "cloudflare": cloudflare } }));
    stage.connector("example", DOMAIN, fields).await;
    let object = stage
        .until("example", "a refusal", is_refused("Unauthorized"))
        .await;
    let (_, _, message) = condition(&object, ConditionType::Ready);
    for part in ["Secret dns", "spec.dns.cloudflare.zoneID names"] {
        assert!(message.contains(part), "{message}");
    }
    let corrected = json!({ "dns": { "cloudflare": { "zoneID": null } } });
    stage.patch_spec("example", corrected).await;
    stage.until("example", "the record", is_published).await;
    assert_eq!(codes(&stage, &zone).len(), 1);
}

#[tokio::test]
async fn a_record_that_a_person_has_made_serves_and_stays() {
    let (stage, zone) = with_zone(patient()).await;
    let _operator = stage.operator(&[]).await;
    stage
        .connector("example", DOMAIN, json!({ "deletionPolicy": "Delete" }))
        .await;
    let waiting = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let code = code(&waiting).unwrap();
    put_txt(&stage, &zone, &code);
    stage
        .patch_spec("example", json!({ "dns": { "cloudflare": {} } }))
        .await;
    let object = stage.until("example", "the record", is_published).await;
    let record = dns_record(&object).unwrap();
    assert_eq!((record.zone_id, record.record_id), (None, None));
    stage.delete("example").await;
    assert_eq!(codes(&stage, &zone), [code], "it is not ours");
    let mutations = stage.simulator.calls().mutations();
    let made: Vec<_> = mutations
        .as_slice()
        .iter()
        .map(|call| call.operation)
        .collect();
    assert_eq!(made, [Operation::Create, Operation::Delete]);
    others_are_untouched(&stage, &zone);
}

#[tokio::test]
async fn a_code_that_changes_is_replaced_and_a_record_that_goes_comes_back() {
    let knobs = Knobs {
        begin_verification_rotates_code: Switch::On,
        ..patient()
    };
    let (stage, zone) = with_zone(knobs).await;
    let _operator = stage.operator(&["--restart-backoff", "1s"]).await;
    stage
        .connector("example", DOMAIN, hands_free(&json!({})))
        .await;
    let first = stage.until("example", "the record", is_published).await;
    let first_code = code(&first).unwrap();
    let admin = stage.simulator.admin();
    admin
        .set_verification(&connector_id(&first).unwrap(), VerificationStatus::Failed)
        .unwrap();
    let is_renewed = |object: &SsoConnector| {
        is_published(object) && code(object).is_some_and(|code| code != first_code)
    };
    let second = stage.until("example", "a new code", is_renewed).await;
    let second_code = code(&second).unwrap();
    stage
        .simulator
        .until(
            |world| {
                let records = world.records(&zone);
                let texts: Vec<_> = records
                    .iter()
                    .filter_map(simulator::DnsRecord::txt_value)
                    .collect();
                texts.contains(&second_code) && !texts.contains(&first_code)
            },
            PATIENCE,
        )
        .await
        .unwrap();
    others_are_untouched(&stage, &zone);

    let published = stage
        .until("example", "the new record", |object| {
            is_published(object)
                && dns_record(object).is_some_and(|record| record.record_id.is_some())
        })
        .await;
    let lost = dns_record(&published).unwrap().record_id.unwrap();
    let _gone = admin.delete_record(&lost).unwrap();
    let is_another = |object: &SsoConnector| {
        is_published(object)
            && dns_record(object)
                .and_then(|record| record.record_id)
                .is_some_and(|id| id != lost)
    };
    stage.until("example", "another record", is_another).await;
    assert_eq!(codes(&stage, &zone), [second_code]);
    others_are_untouched(&stage, &zone);
}

/// The answer to the POST is lost, reads lag, and Cloudflare says that there is such a record already.
#[tokio::test]
async fn a_lost_answer_leaves_one_record_and_it_is_ours_unless_cloudflare_drops_the_comment() {
    for (comment_kept, is_ours) in [(CommentKept::Whole, true), (CommentKept::Dropped, false)] {
        let knobs = Knobs {
            comment_kept,
            record_lag: Duration::from_millis(500),
            ..patient()
        };
        let (stage, zone) = with_zone(knobs).await;
        let _operator = stage.operator(&[]).await;
        let lost = Failure::Reset {
            when: simulator::When::AfterCommit,
        };
        let lost = Fault::new(lost).on(Operation::CreateRecord);
        let lost = stage.simulator.admin().push_fault(lost);
        let fields = hands_free(&json!({ "deletionPolicy": "Delete" }));
        stage.connector("example", DOMAIN, fields).await;
        let object = stage.until("example", "the record", is_published).await;
        assert_eq!(lost.struck(), 1);
        assert_eq!(codes(&stage, &zone), [code(&object).unwrap()]);
        let record = dns_record(&object).unwrap();
        assert_eq!(record.record_id.is_some(), is_ours, "{record:?}");
        stage.delete("example").await;
        assert_eq!(codes(&stage, &zone).len(), usize::from(!is_ours));
        others_are_untouched(&stage, &zone);
    }
}

#[tokio::test]
async fn two_accounts_have_their_records_side_by_side_and_each_goes_alone() {
    let (stage, zone) = with_zone(patient()).await;
    let admin = stage.simulator.admin();
    let elsewhere = admin.add_ready_account(OTHER_ACCOUNT, "other account");
    stage.put_token("other-account", &elsewhere).await;
    let _operator = stage.operator(&[]).await;
    let delete = json!({ "deletionPolicy": "Delete" });
    stage.connector("here", DOMAIN, hands_free(&delete)).await;
    let fields = json!({
        "accountID": OTHER_ACCOUNT, "deletionPolicy": "Delete", "apiTokenSecretRef": { "name": "other-account" },
        "dns": { "cloudflare": { "apiTokenSecretRef": { "name": SECRET } } },
    });
    stage.connector("there", DOMAIN, fields).await;
    let here = stage.until("here", "its record", is_published).await;
    let there = stage.until("there", "its record", is_published).await;
    let (here_code, there_code) = (code(&here).unwrap(), code(&there).unwrap());
    let mut both = codes(&stage, &zone);
    both.sort();
    let mut expected = vec![here_code, there_code.clone()];
    expected.sort();
    assert_eq!(both, expected);
    stage.delete("here").await;
    assert_eq!(codes(&stage, &zone), [there_code]);
    stage.delete("there").await;
    assert!(codes(&stage, &zone).is_empty());
    others_are_untouched(&stage, &zone);
}

#[tokio::test]
async fn a_record_that_cannot_be_removed_keeps_the_object_until_it_is_retained() {
    let (stage, zone) = with_zone(patient()).await;
    let admin = stage.simulator.admin();
    let dns = admin.issue_token(TokenRequest::new("DNS").grant_in_zone(&zone, Permission::DNS));
    stage.put_token("dns", &dns).await;
    let _operator = stage.operator(&[]).await;
    let fields = json!({
        "deletionPolicy": "Delete",
        "dns": { "cloudflare": { "apiTokenSecretRef": { "name": "dns" } } },
    });
    stage.connector("example", DOMAIN, fields).await;
    let object = stage.until("example", "its record", is_published).await;
    admin.revoke_tokens("DNS");
    let options = DeleteParams::default();
    stage.objects().delete("example", &options).await.unwrap();
    let stuck = |object: &SsoConnector| condition(object, ConditionType::Ready).1 == "Unauthorized";
    let waiting = stage.until("example", "what is missing", stuck).await;
    let (_, _, message) = condition(&waiting, ConditionType::Ready);
    for part in ["The connector is deleted", "TXT record", "Retain"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(admin.connectors(ACCOUNT).is_empty());
    let retain = json!({ "deletionPolicy": "Retain" });
    stage.patch_spec("example", retain).await;
    harness::await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    assert_eq!(codes(&stage, &zone), [code(&object).unwrap()]);
    others_are_untouched(&stage, &zone);
}

#[tokio::test]
async fn it_stays_when_the_spec_does_not_ask_for_it_any_more_or_only_observes() {
    let (stage, zone) = with_zone(patient()).await;
    let _operator = stage.operator(&[]).await;
    let fields = hands_free(&json!({ "deletionPolicy": "Delete" }));
    stage.connector("example", DOMAIN, fields).await;
    let object = stage.until("example", "its record", is_published).await;
    stage
        .patch_spec("example", json!({ "managementPolicy": "Observe" }))
        .await;
    let is_silent = |object: &SsoConnector| {
        condition(object, ConditionType::DnsRecordPublished)
            .0
            .is_empty()
    };
    stage.until("example", "no publication", is_silent).await;
    stage
        .patch_spec("example", json!({ "managementPolicy": null }))
        .await;
    stage.until("example", "its record", is_published).await;
    stage.patch_spec("example", json!({ "dns": null })).await;
    stage.until("example", "no publication", is_silent).await;
    stage.delete("example").await;
    assert_eq!(codes(&stage, &zone), [code(&object).unwrap()]);
    assert_eq!(
        stage.simulator.calls().of(Operation::DeleteRecord).count(),
        0
    );
    others_are_untouched(&stage, &zone);
}

/// Cloudflare DNS fails for good, and the connector lives its life.
#[tokio::test]
async fn nothing_else_waits_for_cloudflare_dns() {
    let (stage, zone) = with_zone(quick_knobs()).await;
    let admin = stage.simulator.admin();
    for operation in [Operation::ListZones, Operation::CreateRecord] {
        let silence = Fault::new(Failure::html(503)).on(operation);
        admin.push_fault(silence.repeat(simulator::Repeat::Forever));
    }
    let _operator = stage.operator(&["--trouble-shows-after", "500ms"]).await;
    let fields = hands_free(&json!({ "enabled": true, "useFedrampLanguage": true }));
    stage.connector("example", DOMAIN, fields).await;
    let troubled = |object: &SsoConnector| {
        condition(object, ConditionType::DnsRecordPublished).1 == "CloudflareUnavailable"
    };
    let object = stage.until("example", "the trouble", troubled).await;
    assert_eq!(
        condition(&object, ConditionType::Ready).1,
        "AwaitingVerification"
    );
    assert_eq!(condition(&object, ConditionType::Synced).0, "True");
    put_txt(&stage, &zone, &code(&object).unwrap());
    let enabled = stage.until_ready_is("example", "Available").await;
    assert_eq!(condition(&enabled, ConditionType::Enabled).0, "True");
}

/// Cloudflare looks at the record itself, and does not wait until the operator has.
#[tokio::test]
async fn a_record_that_cannot_be_looked_at_is_published_all_the_same_once_the_domain_is_verified() {
    let (stage, zone) = with_zone(quick_knobs()).await;
    let silence = Fault::new(Failure::html(503)).on(Operation::ListRecords);
    let silence = silence.skipping(1).repeat(simulator::Repeat::Forever);
    let silence = stage.simulator.admin().push_fault(silence);
    let _operator = stage.operator(&[]).await;
    stage
        .connector("example", DOMAIN, hands_free(&json!({})))
        .await;
    let object = stage.until("example", "both", is_verified_too).await;
    assert_eq!(codes(&stage, &zone), [code(&object).unwrap()]);
    assert!(dns_record(&object).unwrap().record_id.is_some());
    assert!(silence.struck() > 0, "{object:#?}");
}
