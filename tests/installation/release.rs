//! The life of a release with helm 3 and helm 4: installed, upgraded from the version before, rolled back, uninstalled and
//! installed again, in a namespace that admits only restricted Pods.

use cloudflare_sso_operator::resource::SsoConnector;
use harness::{Chart, Part, await_gone, until};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{CustomResourceExt as _, ResourceExt as _};
use serde_json::json;

use crate::cluster::{Cluster, PATIENCE, RELEASE, chart_before};
use crate::definition::{BEFORE, fields, ours, with_an_old_rule};
use crate::stage::{ACCOUNT, NAMESPACE, OPERATOR_NAMESPACE};

#[tokio::test]
async fn the_life_of_a_release_with_helm_3() {
    live(Part::Helm3).await;
}

#[tokio::test]
async fn the_life_of_a_release_with_helm_4() {
    live(Part::Helm4).await;
}

async fn live(helm: Part) {
    let cluster = Cluster::with(helm).await;
    let before = chart_before(cluster.helm.home(), with_an_old_rule);
    cluster.install(&before, &[]).await.unwrap();
    let first = cluster.operators().await;
    assert_eq!(first.len(), 1, "helm has waited for the Pod: {first:?}");
    let kept = cluster.enabled_connector("kept", "Retain").await;
    let leaving = cluster.enabled_connector("leaving", "Delete").await;
    let changes = cluster.changes();

    cluster.upgrade(&Chart::folder(), &[]).await.unwrap();
    let definition = cluster.definition().await;
    assert_eq!(definition["spec"]["versions"], ours()["spec"]["versions"]);
    cluster.successors_of(&first).await;
    let hooks = "jobs,networkpolicies,serviceaccounts,clusterroles,clusterrolebindings";
    let component = "--selector=app.kubernetes.io/component=crd-upgrade";
    let left = ["get", hooks, "--all-namespaces", component, "--output=name"];
    assert_eq!(
        cluster.kubectl(&left).await,
        "",
        "nothing is left of the hook"
    );

    cluster
        .helm(&["rollback", RELEASE, "1", "--wait"], &[])
        .await
        .unwrap();
    let after = cluster.definition().await;
    assert_eq!(
        after["spec"], definition["spec"],
        "a rollback leaves the newer definition"
    );
    // It is looked at under the operator that was rolled back to.
    let calls = cluster.simulator.calls().count();
    until("a look at Cloudflare", PATIENCE, async || {
        let now = cluster.simulator.calls().count();
        (now > calls + 2).then_some(()).ok_or(now)
    })
    .await
    .unwrap();
    for name in ["kept", "leaving"] {
        cluster.until_ready_is(name, "Available").await;
    }

    cluster
        .helm(&["uninstall", RELEASE, "--wait"], &[])
        .await
        .unwrap();
    assert_eq!(
        cluster.definition().await["metadata"]["uid"],
        definition["metadata"]["uid"]
    );
    let objects =
        ["kept", "leaving"].map(|name| async { cluster.objects().get(name).await.unwrap() });
    let [kept_object, leaving_object] = objects;
    let (kept_object, leaving_object) = (kept_object.await, leaving_object.await);
    cluster
        .kubectl(&[
            "delete",
            "sso",
            "kept",
            "leaving",
            "--namespace",
            NAMESPACE,
            "--wait=false",
        ])
        .await;
    await_gone(&cluster.objects(), &kept_object, PATIENCE)
        .await
        .unwrap();
    let waiting = cluster.objects().get("leaving").await.unwrap();
    assert!(waiting.metadata.deletion_timestamp.is_some() && !waiting.finalizers().is_empty());
    assert_eq!(
        cluster.changes(),
        changes,
        "nothing was changed at Cloudflare"
    );

    cluster.install(&Chart::folder(), &[]).await.unwrap();
    await_gone(&cluster.objects(), &leaving_object, PATIENCE)
        .await
        .unwrap();
    let admin = cluster.simulator.admin();
    assert!(
        admin.connector(&leaving).is_none(),
        "the deletion was finished"
    );
    assert!(
        admin
            .connector(&kept)
            .is_some_and(|connector| connector.enabled)
    );
}

#[tokio::test]
async fn an_upgrade_brings_the_fields_that_are_missing_and_stops_where_it_must_not() {
    let cluster = Cluster::with(Part::Helm3).await;
    let before = chart_before(cluster.helm.home(), |definition| {
        fields(definition).remove("suspend").unwrap();
    });
    // The program of this version would not become ready under that definition, and there is no older one.
    cluster
        .install(&before, &["--set", "replicaCount=0"])
        .await
        .unwrap();

    let mut diverged = cluster.definition().await;
    fields(&mut diverged).insert("new".to_owned(), json!({ "type": "string" }));
    let metadata = json!({ "name": SsoConnector::crd_name() });
    let replacing = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": metadata, "spec": diverged["spec"],
    });
    let force = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--filename=-",
    ];
    let put = async |definition: &serde_json::Value| {
        let text = definition.to_string();
        let done = cluster
            .control_plane
            .kubectl_with_input(&force, &text)
            .await;
        done.unwrap().success().unwrap();
    };
    put(&replacing).await;
    let refusal = cluster
        .upgrade(&Chart::folder(), &[])
        .await
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("pre-upgrade"), "{refusal}");
    assert_eq!(cluster.definition().await["spec"], diverged["spec"]);
    let installed = cluster.kubectl(&[
        "get",
        "deployment",
        RELEASE,
        "--namespace",
        OPERATOR_NAMESPACE,
        "--output=jsonpath={.spec.template.spec.containers[0].image}",
    ]);
    assert!(installed.await.ends_with(BEFORE), "the old release stays");
    let pods: Api<Pod> = Api::namespaced(cluster.control_plane.client(), OPERATOR_NAMESPACE);
    let selector = ListParams::default().labels("app.kubernetes.io/component=crd-upgrade");
    let hook = pods.list(&selector).await.unwrap().items.pop().unwrap();
    let said = cluster
        .pods
        .output(OPERATOR_NAMESPACE, &hook.name_any(), "crd-upgrade");
    assert!(
        said.contains("spec.new") && said.contains("spec.suspend"),
        "{said}"
    );

    fields(&mut diverged).remove("new");
    let mut replacing = replacing;
    replacing["spec"] = diverged["spec"].clone();
    put(&replacing).await;
    cluster.upgrade(&Chart::folder(), &[]).await.unwrap();
    let definition = cluster.definition().await;
    assert_eq!(definition["spec"]["versions"], ours()["spec"]["versions"]);
    assert_eq!(cluster.operators().await.len(), 1, "it is ready under it");
}

#[tokio::test]
async fn a_replica_that_is_replaced_hands_over_and_nobody_is_logged_out() {
    let cluster = Cluster::with(Part::Helm4).await;
    let two = ["--set", "replicaCount=2"];
    cluster.install(&Chart::folder(), &two).await.unwrap();
    let first = cluster.operators().await;
    assert_eq!(first.len(), 2);
    let id = cluster.enabled_connector("example", "Delete").await;
    let changes = cluster.changes();
    cluster.leader_among(&first).await;

    let otherwise = [&two[..], &["--set", "podAnnotations.round=second"]].concat();
    cluster.upgrade(&Chart::folder(), &otherwise).await.unwrap();
    let second = cluster.successors_of(&first).await;
    cluster.leader_among(&second).await;
    let connector = cluster.simulator.admin().connector(&id).unwrap();
    assert!(connector.enabled);
    assert_eq!(cluster.changes(), changes);
}

#[tokio::test]
async fn only_the_named_namespaces_are_looked_after() {
    let cluster = Cluster::with(Part::Helm3).await;
    let only = format!("watchNamespaces={{{NAMESPACE}}}");
    cluster
        .install(&Chart::folder(), &["--set", &only])
        .await
        .unwrap();
    let elsewhere = json!({
        "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
        "metadata": { "name": "elsewhere", "namespace": "default" },
        "spec": { "accountID": ACCOUNT, "emailDomain": "elsewhere.example" },
    });
    cluster
        .control_plane
        .apply(&elsewhere.to_string())
        .await
        .unwrap();
    cluster.enabled_connector("example", "Retain").await;
    let objects: Api<SsoConnector> = Api::default_namespaced(cluster.control_plane.client());
    let unseen = objects.get("elsewhere").await.unwrap();
    assert_eq!(unseen.status.unwrap().observed_generation, None);
    // The hook has a role of its own, too.
    cluster
        .upgrade(&Chart::folder(), &["--set", &only])
        .await
        .unwrap();
}
