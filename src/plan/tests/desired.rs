//! What a spec asks for, what an absent field means, and which objects go before the others.

use serde_json::{Value, json};

use super::*;
use crate::plan::Unreadable;
use crate::resource::{SsoConnector, SsoConnectorStatus};

const ACCOUNT: &str = "1234567890abcdef1234567890abcdef";

/// An object with these fields in its spec beside the necessary ones.
fn object(fields: &Value) -> SsoConnector {
    let mut spec = json!({ "accountID": ACCOUNT, "emailDomain": DOMAIN });
    let all = spec.as_object_mut().unwrap();
    all.extend(fields.as_object().unwrap().clone());
    let metadata = json!({ "name": "example", "uid": UID, "generation": 3 });
    let object = json!({
        "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector", "metadata": metadata, "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn an_absent_field_means_what_its_text_says() {
    let expected = Desired {
        created: None,
        uid: UID.to_owned(),
        generation: 3,
        account: ACCOUNT.parse().unwrap(),
        domain: DOMAIN.parse().unwrap(),
        enabled: None,
        use_fedramp_language: None,
        begin_verification: true,
        deletion_policy: DeletionPolicy::Retain,
        terminating: false,
        finalizer: false,
        on_external_change: ExternalChangePolicy::Hold,
        named: None,
        adoption: AdoptionPolicy::Adopt,
        management: ManagementPolicy::Manage,
        activity: Activity::Active,
        reconcile_at: None,
        enable_at: None,
        api_token: None,
        publication: None,
    };
    assert_eq!(Desired::parse(&object(&json!({}))), Ok(expected.clone()));
    let spelt_out = json!({
        "adoptionPolicy": "Adopt", "beginVerification": true, "deletionPolicy": "Retain", "managementPolicy": "Manage",
        "onExternalChange": "Hold", "suspend": false,
    });
    assert_eq!(Desired::parse(&object(&spelt_out)), Ok(expected));
}

#[test]
fn a_field_that_is_there_is_taken_as_it_is_written() {
    let mut written = object(&json!({
        "adoptionPolicy": "Refuse", "apiTokenSecretRef": { "name": "token", "key": "other" }, "beginVerification": false,
        "connectorID": id().as_str(), "deletionPolicy": "Delete", "enabled": false, "managementPolicy": "Observe",
        "onExternalChange": "Enforce", "suspend": true, "useFedrampLanguage": false,
    }));
    written.metadata.finalizers = Some(
        ["other/one", "cloudflare-sso.dev/connector"]
            .map(str::to_owned)
            .into(),
    );
    let annotations = [("reconcile-at", "monday"), ("enable-at", "tuesday")];
    let annotations = annotations
        .map(|(key, value)| (format!("cloudflare-sso.dev/{key}"), value.to_owned()))
        .into();
    written.metadata.annotations = Some(annotations);
    let desired = Desired::parse(&written).unwrap();
    assert_eq!(desired.adoption, AdoptionPolicy::Refuse);
    let api_token = ApiTokenSecretRef {
        name: "token".to_owned(),
        key: Some("other".to_owned()),
    };
    assert_eq!(desired.api_token, Some(api_token));
    assert!(!desired.begin_verification);
    assert_eq!(desired.named, Some(id()));
    assert_eq!(desired.deletion_policy, DeletionPolicy::Delete);
    assert!(desired.finalizer, "among others");
    let switches = (desired.enabled, desired.use_fedramp_language);
    assert_eq!(switches, (Some(false), Some(false)));
    assert_eq!(desired.management, ManagementPolicy::Observe);
    assert_eq!(desired.on_external_change, ExternalChangePolicy::Enforce);
    assert_eq!(desired.activity, Activity::Suspended);
    assert_eq!(desired.reconcile_at.as_deref(), Some("monday"));
    assert_eq!(desired.enable_at.as_deref(), Some("tuesday"));
}

#[test]
fn who_publishes_the_record_is_taken_as_it_is_written_and_never_with_the_default_token() {
    let zone = "372e67954025e0ba6aaa6d586b9e0b59";
    let secret = |name: &str| ApiTokenSecretRef {
        name: name.to_owned(),
        key: None,
    };
    let named = json!({ "zoneID": zone, "ttl": 300, "apiTokenSecretRef": { "name": "dns" } });
    for (fields, zone, api_token, ttl) in [
        (json!({ "dns": { "cloudflare": {} } }), None, None, 1),
        (
            json!({ "apiTokenSecretRef": { "name": "sso" }, "dns": { "cloudflare": {} } }),
            None,
            Some("sso"),
            1,
        ),
        (
            json!({ "apiTokenSecretRef": { "name": "sso" }, "dns": { "cloudflare": named } }),
            Some(zone),
            Some("dns"),
            300,
        ),
    ] {
        let expected = Publication {
            zone: zone.map(|zone| zone.parse().unwrap()),
            api_token: api_token.map(secret),
            ttl: TimeToLive::from_seconds(ttl).unwrap(),
        };
        let desired = Desired::parse(&object(&fields)).unwrap();
        assert_eq!(desired.publication, Some(expected), "{fields}");
    }
    let bad = json!({ "dns": { "cloudflare": { "ttl": 29 } } });
    assert_eq!(Desired::parse(&object(&bad)), Err(Unreadable::TimeToLive));
    let bad = json!({ "dns": { "cloudflare": { "zoneID": "../zones" } } });
    match Desired::parse(&object(&bad)) {
        Err(Unreadable::Name { field, .. }) => assert_eq!(field, "dns.cloudflare.zoneID"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_cannot_stand_in_a_url_is_refused_with_its_field() {
    for (field, value) in [
        ("accountID", "../accounts"),
        ("emailDomain", "Example.com"),
        ("connectorID", "a/b"),
    ] {
        match Desired::parse(&object(&json!({ field: value }))) {
            Err(Unreadable::Name { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let mut nobody = object(&json!({}));
    nobody.metadata.uid = None;
    assert_eq!(Desired::parse(&nobody), Err(Unreadable::NoUid));
}

/// What happens to a settled object, and whether it goes before the others then.
type Case = (&'static str, fn(&mut Desired), bool);

#[test]
fn what_is_new_edited_asked_for_or_going_does_not_wait_for_the_periodic_ones() {
    let status = SsoConnectorStatus {
        observed_generation: Some(3),
        last_handled_reconcile_at: Some("monday".to_owned()),
        ..SsoConnectorStatus::default()
    };
    let cases: [Case; 5] = [
        ("nothing", |_| {}, false),
        (
            "no request any more",
            |desired| desired.reconcile_at = None,
            false,
        ),
        ("an edit", |desired| desired.generation += 1, true),
        ("its deletion", |desired| desired.terminating = true, true),
        (
            "a new request",
            |desired| desired.reconcile_at = Some("tuesday".to_owned()),
            true,
        ),
    ];
    for (name, change, awaited) in cases {
        let mut desired = Scene::new().desired;
        desired.reconcile_at = Some("monday".to_owned());
        change(&mut desired);
        assert_eq!(desired.is_awaited(Some(&status)), awaited, "{name}");
        assert!(desired.is_awaited(None), "it is new");
    }
}
