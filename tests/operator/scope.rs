//! Watch scope: only the namespaces that are named are seen, and rights in them are all that is needed.

use cloudflare_sso_operator::resource::ConditionType;
use harness::{ApiServerProxy, Chart, Operator, Options, Part, Treatment, rights_in, until};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::stage::{
    NAMESPACE, PATIENCE, SECRET, Stage, condition, connector, has_finalizer, quick_knobs,
};

/// An object in a namespace that has a Secret with a good token.
fn object(namespace: &str, name: &str) -> Value {
    let mut object = connector(name, &format!("{name}.{namespace}.example"));
    object["metadata"]["namespace"] = json!(namespace);
    object
}

async fn add_namespace(stage: &Stage, namespace: &str) {
    stage.kubectl(&["create", "namespace", namespace]).await;
    stage.put_token_in(namespace, SECRET, &stage.token).await;
}

/// Leaves the operator the rights that the chart gives it for these namespaces. In others it keeps what it has.
async fn confine(stage: &Stage, namespaces: &[&str]) {
    let chart = Chart::with(Part::Helm3).await.unwrap();
    let values = json!({ "watchNamespaces": namespaces }).to_string();
    let rights = rights_in(&chart.render(&values).await.unwrap());
    stage.control_plane.apply(&rights).await.unwrap();
}

#[tokio::test]
async fn rights_in_the_watched_namespaces_are_enough_and_other_objects_are_not_seen() {
    let stage = Stage::with(Options::default().with_audit_log(), quick_knobs()).await;
    for namespace in ["sales", "elsewhere"] {
        add_namespace(&stage, namespace).await;
    }
    confine(&stage, &[NAMESPACE, "sales"]).await;
    let operator = stage.operator(&["--watch-namespaces", "team,sales"]).await;
    stage.apply(&object("elsewhere", "unseen")).await;
    let unseen = stage.objects_in("elsewhere").get("unseen").await.unwrap();
    for namespace in [NAMESPACE, "sales"] {
        let mut seen = object(namespace, "seen");
        seen["spec"]["deletionPolicy"] = json!("Delete");
        stage.apply(&seen).await;
        stage
            .until_ready_in(namespace, "seen", "AwaitingVerification")
            .await;
        until("an Event", PATIENCE, async || {
            let events = stage
                .kubectl(&["get", "events", "-n", namespace, "-o", "name"])
                .await;
            (!events.is_empty()).then_some(()).ok_or("none")
        })
        .await
        .unwrap();
    }

    // Whether that namespace goes away may be asked, too.
    stage.put_token(SECRET, "wrong").await;
    let seen = stage.objects().get("seen").await.unwrap();
    assert!(has_finalizer(&seen));
    stage
        .objects()
        .delete("seen", &DeleteParams::default())
        .await
        .unwrap();
    stage
        .until("seen", "the ways out", |object| {
            condition(object, ConditionType::Ready)
                .2
                .contains("restore the Secret")
        })
        .await;
    stage.put_token(SECRET, &stage.token).await;
    harness::await_gone(&stage.objects(), &seen, PATIENCE)
        .await
        .unwrap();
    // What is gone is forgotten, also where its end is no event.
    until("one object to be counted", PATIENCE, async || {
        let metrics = operator.metrics().await.unwrap();
        let counted = "cloudflare_sso_connectors{reason=\"AwaitingVerification\"} 1";
        metrics.contains(counted).then_some(()).ok_or(metrics)
    })
    .await
    .unwrap();

    let now = stage.objects_in("elsewhere").get("unseen").await.unwrap();
    assert_eq!(
        now.metadata.resource_version,
        unseen.metadata.resource_version
    );
    let calls = stage.simulator.calls();
    assert!(calls.on_domain("unseen.elsewhere.example").is_empty());
    let mut refused = stage.control_plane.audit_events().unwrap();
    refused.retain(|event| event.code == 403 && event.user.contains("cloudflare-sso-operator"));
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test]
async fn a_namespace_that_is_not_there_yet_is_watched_anyway() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--watch-namespaces", "team,later"]).await;
    add_namespace(&stage, "elsewhere").await;
    stage.apply(&object("elsewhere", "unseen")).await;
    add_namespace(&stage, "later").await;
    for namespace in ["later", NAMESPACE] {
        stage.apply(&object(namespace, "seen")).await;
        stage
            .until_ready_in(namespace, "seen", "AwaitingVerification")
            .await;
    }
    let unseen = stage.objects_in("elsewhere").get("unseen").await.unwrap();
    assert_eq!(condition(&unseen, ConditionType::Ready).1, "Reconciling");
}

#[tokio::test]
async fn while_a_named_namespace_cannot_be_listed_nothing_is_done_anywhere() {
    let stage = Stage::set().await;
    confine(&stage, &[NAMESPACE]).await;
    let flags = ["--watch-namespaces", "team,later"];
    let mut operator = stage.start_operator(None, &flags).await;
    stage.apply(&object(NAMESPACE, "seen")).await;
    until_a_watch_fails(&operator).await;
    assert_ne!(operator.get("/readyz").await.unwrap().trim(), "ok");
    assert_eq!(stage.simulator.calls().count(), 0);
    add_namespace(&stage, "later").await;
    confine(&stage, &[NAMESPACE, "later"]).await;
    operator.until_ready(PATIENCE).await.unwrap();
    stage
        .until_ready_in(NAMESPACE, "seen", "AwaitingVerification")
        .await;
    operator.terminate(PATIENCE).await.unwrap();

    // One that never gets ready ends all the same.
    let flags = ["--watch-namespaces", "team,never"];
    let mut operator = stage.start_operator(None, &flags).await;
    until_a_watch_fails(&operator).await;
    let status = operator.terminate(PATIENCE).await.unwrap();
    assert!(status.success(), "{status}");
}

async fn until_a_watch_fails(operator: &Operator) {
    until("a watch to fail", PATIENCE, async || {
        let metrics = operator
            .metrics()
            .await
            .map_err(|error| error.to_string())?;
        let counted = metrics
            .lines()
            .find_map(|line| line.strip_prefix("cloudflare_sso_watch_failures_total "));
        counted
            .is_some_and(|count| count != "0")
            .then_some(())
            .ok_or(metrics)
    })
    .await
    .unwrap();
}

/// The list of one namespace comes late, as after a restart. Until it is there nobody knows who owns what, so a
/// duplicate in another namespace must change nothing.
#[tokio::test]
async fn nothing_is_changed_before_all_watched_namespaces_are_known() {
    let stage = Stage::set().await;
    add_namespace(&stage, "sales").await;
    let flags = ["--watch-namespaces", "team,sales"];
    let mut operator = stage.operator(&flags).await;
    let mut owner = object("sales", "owner");
    owner["spec"]["emailDomain"] = json!("example.com");
    stage.apply(&owner).await;
    stage
        .until_ready_in("sales", "owner", "AwaitingVerification")
        .await;
    operator.terminate(PATIENCE).await.unwrap();
    let fields = json!({ "useFedrampLanguage": true });
    stage.connector("duplicate", "example.com", fields).await;
    let calls = stage.simulator.calls().mutations().count();

    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let late = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.path.contains("/namespaces/sales/ssoconnectors")
    });
    let _successor = stage.start_operator(Some(proxy.url()), &flags).await;
    tokio::time::timeout(PATIENCE, late.arrived())
        .await
        .unwrap();
    stage.heartbeats(10).await;
    late.release();
    stage
        .until_ready_in(NAMESPACE, "duplicate", "DuplicateDomain")
        .await;
    let made = stage.simulator.calls().mutations();
    assert_eq!(made.count(), calls, "{made:#?}");
}
