//! A definition that would lose fields: nothing is written under it and nothing is changed at Cloudflare.

use std::collections::BTreeMap;

use cloudflare_sso_operator::resource::{
    ConditionType, DeletionPolicy, ManagementPolicy, SsoConnector,
};
use harness::{ApiServerProxy, Operator, Treatment};
use kube::ResourceExt as _;
use kube::api::ListParams;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::Operation;

use crate::stage::{ACCOUNT, PATIENCE, Stage, condition, has_finalizer, repository};

/// What the older definition does not know.
const NEWER_FIELDS: [&str; 3] = ["suspend", "managementPolicy", "deletionPolicy"];
/// Renewals of the Lease that take several times as long as the operator leaves a settled object alone.
const SILENCE: usize = 8;
/// Short enough for a test.
const FLAGS: [&str; 2] = ["--definition-settling", "500ms"];

#[tokio::test]
async fn an_older_definition_stops_everything_and_the_newer_one_lets_it_go_on() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&FLAGS).await;
    let id = stage.enabled_connector("example", "example.com").await;
    careful_objects(&stage).await;
    let calls = mutations(&stage);

    apply(&stage, older()).await;
    until_outdated(&operator).await;
    stage
        .patch_spec("example", json!({ "enabled": false }))
        .await;
    stage.connector("new", "new.example", json!({})).await;
    let admin = stage.simulator.admin();
    admin.set_enabled(&id, false).unwrap();
    let versions = versions(&stage).await;
    stage.heartbeats(SILENCE).await;
    assert_eq!(mutations(&stage), calls);
    assert_eq!(
        self::versions(&stage).await,
        versions,
        "only the test has written"
    );
    until_outdated(&operator).await;

    admin.set_enabled(&id, true).unwrap();
    apply(&stage, newer()).await;
    operator.until_ready(PATIENCE).await.unwrap();
    stage.until_ready_is("new", "AwaitingVerification").await;
    stage.until_ready_is("example", "Available").await;
    assert!(!admin.connector(&id).unwrap().enabled);
    expect_metric(&operator, "cloudflare_sso_crd_outdated 0").await;
    expect_careful_objects(&stage).await;
    stage.delete("deletable").await;
    let domains: Vec<_> = admin
        .connectors(ACCOUNT)
        .into_iter()
        .map(|connector| connector.email_domain)
        .collect();
    assert_eq!(domains, ["example.com", "new.example"]);
}

#[tokio::test]
async fn an_operator_that_starts_under_an_older_definition_waits_for_the_newer_one() {
    let stage = Stage::set().await;
    let mut first = stage.operator(&FLAGS).await;
    careful_objects(&stage).await;
    first.terminate(PATIENCE).await.unwrap();
    let before = stage.simulator.calls().count();
    apply(&stage, older()).await;
    stage.connector("new", "new.example", json!({})).await;
    let versions = versions(&stage).await;

    let mut operator = stage.start_operator(None, &FLAGS).await;
    until_outdated(&operator).await;
    stage.heartbeats(SILENCE).await;
    assert_eq!(stage.simulator.calls().count(), before);
    assert_eq!(self::versions(&stage).await, versions);

    apply(&stage, newer()).await;
    operator.until_ready(PATIENCE).await.unwrap();
    stage.until_ready_is("new", "AwaitingVerification").await;
    expect_careful_objects(&stage).await;
    let creations = stage.simulator.calls().of(Operation::Create);
    assert_eq!(
        creations.count(),
        2,
        "for deletable, and for new: {creations:#?}"
    );
}

/// The operator has judged the definition to stand, and does not hear that it was replaced.
#[tokio::test]
async fn a_definition_that_is_replaced_unseen_stops_the_very_next_change() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let news = proxy.intercept(Treatment::HoldBeforeForwarding, |call| {
        call.path.contains("/customresourcedefinitions?") && call.path.contains("watch=")
    });
    let operator = stage.operator_through(Some(proxy.url()), &FLAGS).await;
    let id = stage.enabled_connector("example", "example.com").await;
    careful_objects(&stage).await;
    let calls = mutations(&stage);

    apply(&stage, older()).await;
    for (name, spec) in [
        ("example", json!({ "enabled": false })),
        // This takes the fields away for good that the older definition does not know.
        ("suspended", json!({ "useFedrampLanguage": true })),
    ] {
        stage.patch_spec(name, spec).await;
    }
    stage.connector("new", "new.example", json!({})).await;
    let versions = versions(&stage).await;
    let looks = looks_at_the_definition(&proxy);
    harness::until("the operator to look and to stop", PATIENCE, async || {
        let more = looks_at_the_definition(&proxy) - looks;
        if more >= 9 || mutations(&stage) != calls {
            Ok(())
        } else {
            Err(more)
        }
    })
    .await
    .unwrap();
    assert_eq!(mutations(&stage), calls);
    assert_eq!(self::versions(&stage).await, versions);
    assert!(stage.simulator.admin().connector(&id).unwrap().enabled);
    assert_eq!(
        operator.get("/readyz").await.unwrap(),
        "ok\n",
        "it was not told"
    );

    news.release();
    until_outdated(&operator).await;
    stage.delete("suspended").await;
    apply(&stage, newer()).await;
    stage.until_ready_is("new", "AwaitingVerification").await;
    stage.until_ready_is("example", "Available").await;
    assert!(!stage.simulator.admin().connector(&id).unwrap().enabled);
}

#[tokio::test]
async fn each_change_is_preceded_by_a_look_at_the_definition() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &FLAGS).await;
    stage.enabled_connector("example", "example.com").await;
    let calls = proxy.calls();
    let writes: Vec<_> = (0..calls.len())
        .filter(|&n| calls[n].method == Method::PATCH && calls[n].path.contains("/ssoconnectors/"))
        .collect();
    assert!(writes.len() >= 4, "{writes:?}");
    // What goes on besides: the Lease, Events, the review of the rights, watches.
    let is_of_no_pass = |call: &&harness::CallRecord| {
        ["/leases", "/events", "selfsubject", "watch="]
            .iter()
            .any(|part| call.path.contains(part))
    };
    for write in writes {
        let mut before = calls[..write].iter().rev();
        let last = before.find(|call| !is_of_no_pass(call));
        assert!(
            last.is_some_and(|call| call.path.contains("/customresourcedefinitions/")),
            "{last:?} before {:?}",
            calls[write]
        );
    }
}

#[tokio::test]
async fn a_watch_that_fails_for_long_is_an_obstacle_until_it_works_again() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let flags = ["--watch-failure-limit", "1s"];
    let mut operator = stage.operator_through(Some(proxy.url()), &flags).await;
    for (path, sentence) in [
        (
            "v1alpha1/ssoconnectors?",
            "the watch of SsoConnector objects has failed for",
        ),
        (
            "/customresourcedefinitions?",
            "the watch of the definition of SsoConnector has failed for",
        ),
    ] {
        let answer = Treatment::Answer(StatusCode::INTERNAL_SERVER_ERROR);
        let failing = proxy.intercept(answer, move |call| call.path.contains(path));
        // Cuts the watches that have begun.
        proxy.refuse();
        proxy.recover();
        until_not_ready(&operator, &[sentence]).await;
        failing.release();
        operator.until_ready(PATIENCE).await.unwrap();
    }
    let metrics = operator.metrics().await.unwrap();
    let failures = metrics
        .lines()
        .find_map(|line| line.strip_prefix("cloudflare_sso_watch_failures_total "));
    assert!(
        failures.unwrap().parse::<u32>().unwrap() >= 2,
        "{failures:?}"
    );
}

/// Objects that an older definition would have created, changed or left behind, if anybody wrote them.
async fn careful_objects(stage: &Stage) {
    let suspended = json!({ "suspend": true, "enabled": true });
    stage
        .connector("suspended", "suspended.example", suspended)
        .await;
    let observed = json!({ "managementPolicy": "Observe" });
    stage
        .connector("observed", "observed.example", observed)
        .await;
    let deletable = json!({ "deletionPolicy": "Delete" });
    stage
        .connector("deletable", "deletable.example", deletable)
        .await;
    stage.until_ready_is("suspended", "Suspended").await;
    stage.until_ready_is("observed", "ConnectorNotFound").await;
    stage
        .until_ready_is("deletable", "AwaitingVerification")
        .await;
}

/// They still say what they said, and nothing else has been done.
async fn expect_careful_objects(stage: &Stage) {
    let get = async |name| stage.objects().get(name).await.unwrap();
    let reason = |object: &SsoConnector| condition(object, ConditionType::Ready).1;
    let suspended = get("suspended").await;
    assert_eq!(suspended.spec.suspend, Some(true));
    assert_eq!(reason(&suspended), "Suspended");
    let observed = get("observed").await;
    assert_eq!(
        observed.spec.management_policy,
        Some(ManagementPolicy::Observe)
    );
    assert_eq!(reason(&observed), "ConnectorNotFound");
    let deletable = get("deletable").await;
    assert_eq!(deletable.spec.deletion_policy, Some(DeletionPolicy::Delete));
    assert!(has_finalizer(&deletable));
    for domain in ["suspended.example", "observed.example"] {
        let calls = stage.simulator.calls().on_domain(domain).mutations();
        assert_eq!(calls.count(), 0, "{calls:#?}");
    }
}

/// The definition of this version.
fn newer() -> Value {
    let file = repository().join("crds/ssoconnectors.cloudflare-sso.dev.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The definition of a version that has not heard of some fields.
fn older() -> Value {
    let mut definition = newer();
    let spec =
        &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let properties = spec["properties"].as_object_mut().unwrap();
    for field in NEWER_FIELDS {
        properties.remove(field).unwrap();
    }
    definition
}

/// Applies a definition, and waits until the API server goes by it.
async fn apply(stage: &Stage, definition: Value) {
    stage.apply(&definition).await;
    let spec =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let knows = !spec["properties"]["suspend"].is_null();
    let mut probe = crate::stage::connector("probe", "probe.example");
    probe["spec"]["suspend"] = json!(true);
    let probe: SsoConnector = serde_json::from_value(probe).unwrap();
    let dry_run = kube::api::PostParams {
        dry_run: true,
        ..kube::api::PostParams::default()
    };
    harness::until(
        "the API server to go by the definition",
        PATIENCE,
        async || {
            let stored = stage.objects().create(&dry_run, &probe).await;
            match stored {
                Ok(stored) if stored.spec.suspend.is_some() == knows => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    )
    .await
    .unwrap();
}

fn mutations(stage: &Stage) -> usize {
    stage.simulator.calls().mutations().count()
}

/// The version of every object, which changes with each write.
async fn versions(stage: &Stage) -> BTreeMap<String, Option<String>> {
    let objects = stage.objects().list(&ListParams::default()).await.unwrap();
    let versions = objects.into_iter();
    versions
        .map(|object| (object.name_any(), object.resource_version()))
        .collect()
}

fn looks_at_the_definition(proxy: &ApiServerProxy) -> usize {
    let calls = proxy.calls();
    let looks = calls
        .iter()
        .filter(|call| call.path.contains("/customresourcedefinitions/"));
    looks.count()
}

async fn until_outdated(operator: &Operator) {
    until_not_ready(operator, &["CrdOutdated", "spec.suspend"]).await;
    expect_metric(operator, "cloudflare_sso_crd_outdated 1").await;
}

async fn until_not_ready(operator: &Operator, words: &[&str]) {
    let url = format!("http://{}/readyz", operator.address());
    harness::until("the operator not to be ready", PATIENCE, async || {
        let answer = reqwest::get(&url)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        let says = words.iter().all(|word| body.contains(word));
        if status == StatusCode::SERVICE_UNAVAILABLE && says {
            Ok(())
        } else {
            Err(format!("{status}: {body}"))
        }
    })
    .await
    .unwrap();
}

async fn expect_metric(operator: &Operator, line: &str) {
    let metrics = operator.metrics().await.unwrap();
    assert!(
        metrics.lines().any(|found| found == line),
        "{line} in {metrics}"
    );
}
