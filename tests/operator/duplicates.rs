//! Several objects for one account and domain: one acts, the others wait, and none of it logs anybody out.

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::{ApiServerProxy, Treatment};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};
use simulator::{Failure, Fault, Operation, Repeat};

use crate::enforcement::polls;
use crate::stage::{
    ACCOUNT, NAMESPACE, PATIENCE, SECRET, Stage, condition, connector, connector_id, has_finalizer,
};

const DOMAIN: &str = "example.com";
const ELSEWHERE: &str = "another-team";

#[tokio::test]
async fn of_two_objects_one_acts_and_the_other_takes_over_when_that_is_gone() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("first", DOMAIN, json!({})).await;
    let first = stage.until_ready_is("first", "AwaitingVerification").await;
    let calls = stage.simulator.calls().mutations().count();

    stage
        .connector("second", DOMAIN, json!({ "useFedrampLanguage": true }))
        .await;
    let second = stage.until_ready_is("second", "DuplicateDomain").await;
    let (status, _, message) = condition(&second, ConditionType::Ready);
    assert_eq!(status, "False");
    assert!(message.starts_with("SsoConnector first of this namespace manages example.com"));
    assert_eq!(condition(&second, ConditionType::Stalled).0, "True");
    assert_eq!(
        condition(&second, ConditionType::Synced).1,
        "DuplicateDomain"
    );
    assert_eq!(connector_id(&second), None);
    polls(&stage, 5).await;
    assert_eq!(stage.simulator.calls().mutations().count(), calls);

    stage.delete("first").await;
    let second = stage.until_ready_is("second", "AwaitingVerification").await;
    assert_eq!(connector_id(&second), connector_id(&first));
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
}

#[tokio::test]
async fn an_object_of_another_namespace_is_not_named_and_not_even_spoken_of_without_access() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.connector("secret-project", DOMAIN, json!({})).await;
    stage
        .until_ready_is("secret-project", "AwaitingVerification")
        .await;

    apply_elsewhere(&stage, "wrong", json!({})).await;
    let kept_out = until_elsewhere(&stage, "Unauthorized").await;
    apply_elsewhere(&stage, &stage.token, json!({})).await;
    let told = until_elsewhere(&stage, "DuplicateDomain").await;
    for object in [kept_out, told] {
        let shown = serde_json::to_string(&object.status).unwrap();
        assert!(!shown.contains("secret-project"), "{shown}");
        assert!(!shown.contains(NAMESPACE), "{shown}");
    }
    let events = stage
        .kubectl(&["get", "events", "-n", ELSEWHERE, "-o", "json"])
        .await;
    assert!(events.contains("DuplicateDomain"), "{events}");
    assert!(!events.contains("secret-project"), "{events}");
}

#[tokio::test]
async fn an_object_without_access_to_the_account_is_in_nobodys_way() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    apply_elsewhere(&stage, "wrong", json!({})).await;
    until_elsewhere(&stage, "Unauthorized").await;

    let policy = json!({ "deletionPolicy": "Delete" });
    stage.connector("example", DOMAIN, policy).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage.delete("example").await;
    let left = stage.simulator.admin().connectors(ACCOUNT);
    assert!(left.is_empty(), "it inherits nothing, either: {left:?}");
}

#[tokio::test]
async fn a_rename_in_git_that_applies_before_it_prunes_logs_nobody_out() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = deletable(&stage).await;
    let calls = stage.simulator.calls().mutations().count();

    stage.connector("renamed", DOMAIN, wanted()).await;
    stage.until_ready_is("renamed", "DuplicateDomain").await;
    stage.delete("example").await;
    expect_inherited(&stage, &id, calls).await;
}

#[tokio::test]
async fn a_rename_in_git_that_prunes_before_it_applies_logs_nobody_out() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--deletion-delay", "10s"]).await;
    let id = deletable(&stage).await;
    let calls = stage.simulator.calls().mutations().count();

    let old = stage.objects().get("example").await.unwrap();
    stage
        .objects()
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();
    stage.until_ready_is("example", "Deleting").await;
    stage.connector("renamed", DOMAIN, wanted()).await;
    harness::await_gone(&stage.objects(), &old, PATIENCE)
        .await
        .unwrap();
    expect_inherited(&stage, &id, calls).await;
}

#[tokio::test]
async fn a_rename_into_another_namespace_logs_nobody_out() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = deletable(&stage).await;
    let calls = stage.simulator.calls().mutations().count();
    apply_elsewhere(&stage, &stage.token, wanted()).await;
    until_elsewhere(&stage, "DuplicateDomain").await;
    stage.delete("example").await;
    let heir = until_elsewhere(&stage, "Available").await;
    assert_eq!(connector_id(&heir), Some(id.clone()));
    expect_untouched(&stage, &id, calls);
}

#[tokio::test]
async fn an_heir_that_the_watch_has_not_brought_yet_is_found_and_waited_for() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    let id = deletable(&stage).await;
    let calls = stage.simulator.calls().mutations().count();
    operator.terminate(PATIENCE).await.unwrap();
    let old = stage.objects().get("example").await.unwrap();
    stage
        .objects()
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();

    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let silenced = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.path.contains("/ssoconnectors?") && call.path.contains("watch=true")
    });
    let starting = stage.operator_through(Some(proxy.url()), &["--deletion-delay", "3s"]);
    let _successor = starting.await;
    tokio::time::timeout(PATIENCE, silenced.arrived())
        .await
        .unwrap();
    stage.connector("renamed", DOMAIN, wanted()).await;
    harness::until("rivals to be read again and again", PATIENCE, async || {
        let asked = proxy.calls();
        let lists = asked.iter().filter(|call| {
            call.path.contains("fieldSelector=spec.emailDomain") && call.method == "GET"
        });
        let count = lists.count();
        if count >= 2 { Ok(()) } else { Err(count) }
    })
    .await
    .unwrap();
    expect_untouched(&stage, &id, calls);
    silenced.release();
    harness::await_gone(&stage.objects(), &old, PATIENCE)
        .await
        .unwrap();
    expect_inherited(&stage, &id, calls).await;
}

#[tokio::test]
async fn a_duplicate_goes_without_a_call_whatever_it_says() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    let id = stage.enabled_connector("example", "example.com").await;
    stage
        .connector(
            "second",
            DOMAIN,
            json!({ "deletionPolicy": "Delete", "connectorID": id }),
        )
        .await;
    let second = stage.until_ready_is("second", "DuplicateDomain").await;
    assert!(has_finalizer(&second));
    let calls = stage.simulator.calls().mutations().count();
    stage.delete("second").await;
    expect_untouched(&stage, &id, calls);
}

fn wanted() -> Value {
    json!({ "enabled": true, "deletionPolicy": "Delete" })
}

/// An enabled connector whose object says in writing to delete it.
async fn deletable(stage: &Stage) -> String {
    let id = stage.enabled_connector("example", "example.com").await;
    stage
        .patch_spec("example", json!({ "deletionPolicy": "Delete" }))
        .await;
    stage.until("example", "its finalizer", has_finalizer).await;
    id
}

async fn expect_inherited(stage: &Stage, id: &str, calls: usize) {
    let heir = stage.until_ready_is("renamed", "Available").await;
    assert_eq!(connector_id(&heir).as_deref(), Some(id));
    assert_eq!(condition(&heir, ConditionType::Enabled).0, "True");
    expect_untouched(stage, id, calls);
}

fn expect_untouched(stage: &Stage, id: &str, calls: usize) {
    let made = stage.simulator.calls().mutations();
    assert_eq!(made.count(), calls, "{made:#?}");
    assert!(stage.simulator.admin().connector(id).unwrap().enabled);
}

async fn apply_elsewhere(stage: &Stage, token: &str, fields: Value) {
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": ELSEWHERE } });
    stage.apply(&namespace).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": SECRET, "namespace": ELSEWHERE },
        "stringData": { "api-token": token },
    });
    stage.apply(&secret).await;
    let mut object = connector("renamed", DOMAIN);
    object["metadata"]["namespace"] = json!(ELSEWHERE);
    if let (Some(spec), Value::Object(fields)) = (object["spec"].as_object_mut(), fields) {
        spec.extend(fields);
    }
    stage.apply(&object).await;
}

async fn until_elsewhere(stage: &Stage, reason: &str) -> SsoConnector {
    let objects: Api<SsoConnector> = Api::namespaced(stage.control_plane.client(), ELSEWHERE);
    let awaited = format!("Ready to be {reason}");
    let object = harness::await_object(&objects, "renamed", &awaited, PATIENCE, |object| {
        crate::stage::current(object) && condition(object, ConditionType::Ready).1 == reason
    })
    .await
    .unwrap();
    assert_eq!(object.namespace().as_deref(), Some(ELSEWHERE));
    object
}

/// An object in another namespace whose token cannot even be read (here its Secret cannot be decrypted) is not tried
/// for as long as that lasts, and keeps the one that goes waiting for ever.
#[tokio::test]
async fn an_heir_that_cannot_be_tried_keeps_no_deletion_waiting_for_ever() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _broken = proxy.intercept(
        Treatment::Answer(reqwest::StatusCode::INTERNAL_SERVER_ERROR),
        |call| call.path.contains("/namespaces/another-team/secrets/"),
    );
    let flags = ["--heir-wait", "3s"];
    let _operator = stage.operator_through(Some(proxy.url()), &flags).await;
    let policy = json!({ "deletionPolicy": "Delete" });
    stage.connector("example", DOMAIN, policy).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    apply_elsewhere(&stage, &stage.token, json!({})).await;
    stage.delete("example").await;
}

#[tokio::test]
async fn an_heir_that_comes_after_the_disabling_is_enabled_again() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--creation-grace", "1m"]).await;
    let id = deletable(&stage).await;
    let admin = stage.simulator.admin();
    let failing = Fault::new(Failure::html(502))
        .on(Operation::Delete)
        .repeat(Repeat::Forever);
    admin.push_fault(failing);
    stage
        .objects()
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();
    stage
        .simulator
        .until(
            |world| world.calls().of(Operation::Delete).count() > 0,
            PATIENCE,
        )
        .await
        .unwrap();
    assert!(!admin.connector(&id).unwrap().enabled);

    stage.connector("renamed", DOMAIN, wanted()).await;
    let heir = stage.until_ready_is("renamed", "Available").await;
    assert_eq!(connector_id(&heir), Some(id.clone()));
    assert!(admin.connector(&id).unwrap().enabled, "and not held");
}

/// A rename into a namespace whose Secret comes later than the object, as with External Secrets or Sealed Secrets.
#[tokio::test]
async fn a_rename_whose_secret_comes_later_logs_nobody_out() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--deletion-delay", "1s"]).await;
    let id = deletable(&stage).await;
    let calls = stage.simulator.calls().mutations().count();
    stage.kubectl(&["create", "namespace", ELSEWHERE]).await;
    let mut object = connector("renamed", DOMAIN);
    object["metadata"]["namespace"] = json!(ELSEWHERE);
    object["spec"]["enabled"] = json!(true);
    stage.apply(&object).await;
    until_elsewhere(&stage, "CredentialsUnavailable").await;
    stage
        .objects()
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();
    // Much longer than the delay after which it would be disabled.
    stage.heartbeats(10).await;
    expect_untouched(&stage, &id, calls);
    stage.put_token_in(ELSEWHERE, SECRET, &stage.token).await;
    until_elsewhere(&stage, "Available").await;
    expect_untouched(&stage, &id, calls);
}
