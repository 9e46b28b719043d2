//! Tokens that are replaced while the operator works with them: nothing is restarted, and nobody is told of the old ones.

use std::time::Duration;

use harness::{ApiServerProxy, Interception, Treatment};
use serde_json::json;
use simulator::{Calls, Failure, Fault, Operation, Permission, TokenRequest, When};

use crate::creation::hold_status;
use crate::hands_free::{DOMAIN, patient, with_zone};
use crate::publishing::{hands_free, is_published};
use crate::stage::{ACCOUNT, PATIENCE, SECRET, Stage};

#[tokio::test]
async fn a_rotated_token_is_picked_up_without_a_restart_and_the_old_one_is_not_sent_again() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    let fresh = stage.simulator.admin().add_ready_account(ACCOUNT, "fresh");
    stage.put_token(SECRET, &fresh).await;
    stage.simulator.admin().revoke_tokens("good");
    until_fresh_is_used(&stage).await;
    let calls = stage.simulator.calls();
    let first = calls.clone().by_token("fresh").as_slice()[0].sequence;
    assert_eq!(calls.after(first).by_token("good").count(), 0);
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
}

/// It is replaced while a pass has the old one in hand.
#[tokio::test]
async fn a_token_that_is_replaced_and_revoked_at_once_is_never_called_refused() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    // It has come to rest: whatever is read from now on is read to list the account with.
    let lists = |calls: Calls| calls.of(Operation::List).count();
    let known = lists(stage.simulator.calls());
    stage
        .simulator
        .until(|world| lists(world.calls()) >= known + 2, PATIENCE)
        .await
        .unwrap();
    let old = proxy.intercept(Treatment::HoldAfterAnswer, |call| {
        call.method == "GET" && call.path.contains("/secrets/")
    });
    tokio::time::timeout(PATIENCE, old.arrived()).await.unwrap();
    let writes = || {
        let calls = proxy.calls();
        calls.iter().filter(|call| call.method == "PATCH").count()
    };
    let written = writes();

    let admin = stage.simulator.admin();
    let fresh = admin.add_ready_account(ACCOUNT, "fresh");
    stage.put_token(SECRET, &fresh).await;
    admin.revoke_tokens("good");
    old.release();
    until_fresh_is_used(&stage).await;
    assert_eq!(writes(), written, "nothing has changed");
    let refused = stage.simulator.calls().by_token("good").answered(401);
    assert_eq!(refused.count(), 1, "the old one was sent once more");
}

/// It is replaced between what was recorded and its call.
#[tokio::test]
async fn a_token_that_is_replaced_and_revoked_right_before_a_change_is_never_called_refused() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    // However long this machine takes for what happens meanwhile.
    let patient = ["--creation-start-limit", "10s"];
    let _operator = stage.operator_through(Some(proxy.url()), &patient).await;
    let intent = hold_status(&proxy, "pendingCreate");
    stage.connector("example", "example.com", json!({})).await;
    tokio::time::timeout(PATIENCE, intent.arrived())
        .await
        .unwrap();
    let told = told_of_a_refusal(&proxy);
    let admin = stage.simulator.admin();
    let fresh = admin.add_ready_account(ACCOUNT, "fresh");
    stage.put_token(SECRET, &fresh).await;
    admin.revoke_tokens("good");
    intent.release();
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert!(told.calls().is_empty(), "nobody is told of the old one");
    let posts = stage.simulator.calls().of(Operation::Create);
    let by: Vec<_> = posts.as_slice().iter().map(|call| &call.token).collect();
    assert_eq!(by, [&Some("good".to_owned()), &Some("fresh".to_owned())]);
}

/// It is replaced while a pass has the old one in hand.
#[tokio::test]
async fn a_token_for_dns_that_is_replaced_and_revoked_at_once_is_never_called_refused() {
    let (stage, zone) = with_zone(patient()).await;
    let admin = stage.simulator.admin();
    let issue = |label| {
        let request = TokenRequest::new(label).grant(ACCOUNT, [Permission::ZoneRead]);
        admin.issue_token(request.grant_in_zone(&zone, Permission::DNS))
    };
    stage.put_token("dns", &issue("old")).await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let old = proxy.intercept(Treatment::HoldAfterAnswer, |call| {
        call.path.ends_with("/secrets/dns")
    });
    let told = told_of_a_refusal(&proxy);
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    let cloudflare = json!({ "apiTokenSecretRef": { "name": "dns" } });
    let fields = hands_free(&json!({ "dns": { "cloudflare": cloudflare } }));
    stage.connector("example", DOMAIN, fields).await;
    tokio::time::timeout(PATIENCE, old.arrived()).await.unwrap();
    stage.put_token("dns", &issue("fresh")).await;
    admin.revoke_tokens("old");
    old.release();
    stage.until("example", "the record", is_published).await;
    assert!(told.calls().is_empty(), "nobody is told of the old one");
    let refused = stage.simulator.calls().by_token("old").answered(401);
    assert_eq!(refused.count(), 1, "the old one was sent once");
}

/// Whichever of the two hands that hold it learns of it first: both let go of it.
#[tokio::test]
async fn a_token_for_both_that_is_replaced_and_revoked_at_once_is_sent_once_more_and_not_twice() {
    let (stage, _) = with_zone(patient()).await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    // However long this machine takes for what happens meanwhile.
    let patient = ["--call-timeout", "10s", "--creation-grace", "12s"];
    let patient = [patient.as_slice(), &["--lease-duration", "20s"]].concat();
    let _operator = stage.operator_through(Some(proxy.url()), &patient).await;
    let told = told_of_a_refusal(&proxy);
    let admin = stage.simulator.admin();
    let hold = Fault::new(Failure::Hold {
        when: When::BeforeCommit,
    });
    let zones = admin.push_fault(hold.on(Operation::ListZones));
    stage
        .connector("example", DOMAIN, hands_free(&json!({})))
        .await;
    zones.arrived(PATIENCE).await.unwrap();
    let fresh = admin.add_ready_account_with_dns(ACCOUNT, "fresh");
    stage.put_token(SECRET, &fresh).await;
    admin.revoke_tokens("with DNS");
    zones.release();
    stage.until("example", "the record", is_published).await;
    assert!(told.calls().is_empty(), "nobody is told of the old one");
    let refused = stage.simulator.calls().by_token("with DNS").answered(401);
    let operations = refused.as_slice().iter().map(|call| call.operation);
    assert_eq!(operations.collect::<Vec<_>>(), [Operation::ListZones]);
}

/// Until the operator works with the token that is labelled `fresh`.
async fn until_fresh_is_used(stage: &Stage) {
    let switched = |calls: Calls| calls.by_token("fresh").count() >= 3;
    stage
        .simulator
        .until(|world| switched(world.calls()), PATIENCE)
        .await
        .unwrap();
}

/// Whatever the operator writes of a token that Cloudflare refuses.
fn told_of_a_refusal(proxy: &ApiServerProxy) -> Interception {
    proxy.intercept(Treatment::Delay(Duration::ZERO), |call| {
        String::from_utf8_lossy(&call.body).contains("Unauthorized")
    })
}
