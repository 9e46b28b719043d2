//! Tokens for Cloudflare DNS: which one publishes the TXT record, what is said of one that may not, and which one takes the
//! record away.

use cloudflare_sso_operator::resource::{ConditionType, RECONCILE_AT, SsoConnector};
use harness::{ApiServerProxy, Treatment};
use reqwest::StatusCode;
use serde_json::json;
use simulator::knobs::ZoneListDenied;
use simulator::{Operation, Permission, TokenRequest};

use crate::hands_free::{DOMAIN, codes, others_are_untouched, patient, with_zone};
use crate::publishing::{hands_free, is_published, is_refused, is_verified_too};
use crate::stage::{ACCOUNT, PATIENCE, SECRET, code, condition, quick_knobs};

#[tokio::test]
async fn a_token_without_the_right_is_named_with_it_and_a_better_one_is_used() {
    let (stage, zone) = with_zone(patient()).await;
    let admin = stage.simulator.admin();
    admin.turn_knobs(|knobs| knobs.zone_list_denied = ZoneListDenied::Forbidden);
    let issue = |request: TokenRequest| admin.issue_token(request);
    let sso_only = issue(TokenRequest::new("SSO only").grant(ACCOUNT, Permission::ALL));
    let dns_only = issue(TokenRequest::new("DNS only").grant_in_zone(&zone, Permission::DNS));
    let read_only = issue(
        TokenRequest::new("DNS read").grant(ACCOUNT, [Permission::ZoneRead, Permission::DnsRead]),
    );
    stage.put_token(SECRET, &sso_only).await;
    let _operator = stage.operator(&[]).await;
    stage
        .connector("example", DOMAIN, hands_free(&json!({})))
        .await;
    let refused = is_refused("Unauthorized");
    let object = stage.until("example", "a refusal", &refused).await;
    let (_, _, message) = condition(&object, ConditionType::DnsRecordPublished);
    assert!(message.contains("Zone Read and DNS Edit"), "{message}");
    assert_eq!(condition(&object, ConditionType::Synced).0, "True");

    // A key that is not there is sought in the field that names it.
    let reference = json!({ "name": SECRET, "key": "dns" });
    let fields = json!({ "dns": { "cloudflare": { "apiTokenSecretRef": reference } } });
    stage.patch_spec("example", fields).await;
    let object = stage
        .until("example", "no key", is_refused("CredentialsUnavailable"))
        .await;
    let (_, _, message) = condition(&object, ConditionType::Ready);
    let field = "spec.dns.cloudflare.apiTokenSecretRef.key";
    assert!(message.contains(field), "{message}");

    // A Secret of its own, that is not there yet; then it may only read, and at last write.
    let reference = json!({ "name": "dns", "key": null });
    let fields = json!({ "dns": { "cloudflare": { "apiTokenSecretRef": reference } } });
    stage.patch_spec("example", fields).await;
    stage
        .until("example", "no Secret", is_refused("CredentialsUnavailable"))
        .await;
    stage.put_token("dns", &read_only).await;
    stage.until("example", "a refusal", &refused).await;
    stage.put_token("dns", &dns_only).await;
    let object = stage.until("example", "the record", is_published).await;
    assert_eq!(codes(&stage, &zone), [code(&object).unwrap()]);
    let posts = stage.simulator.calls().of(Operation::CreateRecord);
    let by: Vec<_> = posts
        .as_slice()
        .iter()
        .filter_map(|call| call.token.clone())
        .collect();
    assert_eq!(by.last().map(String::as_str), Some("DNS only"));
    others_are_untouched(&stage, &zone);
}

/// As where what is stored in it cannot be decrypted.
#[tokio::test]
async fn a_secret_for_dns_that_the_api_server_cannot_read_keeps_nothing_else_waiting() {
    let (stage, _) = with_zone(patient()).await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let unreadable = proxy.intercept(
        Treatment::Answer(StatusCode::INTERNAL_SERVER_ERROR),
        |call| call.path.ends_with("/secrets/dns"),
    );
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let cloudflare = json!({ "apiTokenSecretRef": { "name": "dns" } });
    let fields = hands_free(&json!({ "dns": { "cloudflare": cloudflare } }));
    stage.connector("example", DOMAIN, fields).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage.annotate("example", RECONCILE_AT, "now").await;
    // The whole pass is made: its end is what counts a request as handled.
    let handled = |object: &SsoConnector| {
        let status = object.status.as_ref();
        status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some("now")
    };
    stage.until("example", "to be looked at", handled).await;
    assert!(!unreadable.calls().is_empty());
}

#[tokio::test]
async fn the_default_token_is_not_for_dns() {
    let (stage, zone) = with_zone(patient()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let token = stage
        .simulator
        .admin()
        .add_ready_account_with_dns(ACCOUNT, "default");
    std::fs::write(&file, token).unwrap();
    let grant = format!("team/{ACCOUNT}/*");
    let file = file.to_str().unwrap();
    let _operator = stage
        .operator(&[
            "--default-token-file",
            file,
            "--default-token-grants",
            &grant,
        ])
        .await;
    let fields = hands_free(&json!({ "apiTokenSecretRef": null }));
    stage.connector("example", DOMAIN, fields).await;
    let object = stage
        .until("example", "no token", is_refused("CredentialsUnavailable"))
        .await;
    let (_, _, message) = condition(&object, ConditionType::Ready);
    assert!(
        message.contains("spec.dns.cloudflare.apiTokenSecretRef"),
        "{message}"
    );
    assert!(codes(&stage, &zone).is_empty());
}

/// Each further name would be one more refusal.
#[tokio::test]
async fn a_token_that_cloudflare_does_not_know_is_offered_for_one_name_of_a_deep_domain() {
    let (stage, _) = with_zone(patient()).await;
    let request = TokenRequest::new("revoked").grant(ACCOUNT, [Permission::ZoneRead]);
    let revoked = stage.simulator.admin().issue_token(request);
    stage.simulator.admin().revoke_tokens("revoked");
    stage.put_token("dns", &revoked).await;
    let _operator = stage.operator(&["--refused-token-retry", "1m"]).await;
    let cloudflare = json!({ "apiTokenSecretRef": { "name": "dns" } });
    let fields = hands_free(&json!({ "dns": { "cloudflare": cloudflare } }));
    stage.connector("deep", "a.b.c.example.com", fields).await;
    stage
        .until("deep", "a refusal", is_refused("Unauthorized"))
        .await;
    assert_eq!(stage.simulator.calls().by_token("revoked").count(), 1);
}

/// The successor has never used it for DNS.
#[tokio::test]
async fn the_token_that_worked_takes_the_record_away_after_a_restart_when_the_secret_is_gone_first()
{
    let (stage, zone) = with_zone(quick_knobs()).await;
    let mut operator = stage.operator(&[]).await;
    let fields = hands_free(&json!({ "deletionPolicy": "Delete" }));
    stage.connector("example", DOMAIN, fields).await;
    stage.until("example", "both", is_verified_too).await;
    operator.terminate(PATIENCE).await.unwrap();
    let known = stage.simulator.calls().of(Operation::List).count();
    let _successor = stage.operator(&[]).await;
    stage
        .simulator
        .until(
            |world| world.calls().of(Operation::List).count() > known,
            PATIENCE,
        )
        .await
        .unwrap();
    stage
        .kubectl(&["delete", "secret", "-n", "team", SECRET])
        .await;
    stage.delete("example").await;
    assert_eq!(codes(&stage, &zone).len(), 0);
    assert!(stage.simulator.admin().connectors(ACCOUNT).is_empty());
    others_are_untouched(&stage, &zone);
}

/// Nobody has used it for DNS since, but for SSO, and was refused.
#[tokio::test]
async fn a_token_that_was_refused_for_sso_is_not_used_to_take_the_record_away() {
    let (stage, zone) = with_zone(quick_knobs()).await;
    let _operator = stage.operator(&[]).await;
    let fields = hands_free(&json!({ "deletionPolicy": "Delete" }));
    stage.connector("example", DOMAIN, fields).await;
    stage.until("example", "both", is_verified_too).await;
    let admin = stage.simulator.admin();
    let fresh = admin.add_ready_account_with_dns(ACCOUNT, "fresh");
    admin.revoke_tokens("with DNS");
    let refused = || {
        let calls = stage.simulator.calls().by_token("with DNS");
        calls.answered(401).count()
    };
    stage.until_ready_is("example", "Unauthorized").await;
    stage.put_token(SECRET, &fresh).await;
    stage.until_ready_is("example", "Available").await;
    let known = refused();
    stage
        .kubectl(&["delete", "secret", "-n", "team", SECRET])
        .await;
    stage.delete("example").await;
    assert_eq!(codes(&stage, &zone).len(), 0);
    assert_eq!(refused(), known, "it was not sent again");
}
