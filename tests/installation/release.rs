//! The life of a release with helm 3 and helm 4: installed, upgraded from the version before, rolled back, uninstalled and
//! installed again, in a namespace that admits only restricted Pods. The Pods run from the operator's image.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloudflare_sso_operator::resource::{
    DEFINITION_VERSION, SsoConnector, custom_resource_definition,
};
use harness::{
    Chart, ContainerImage, ControlPlane, HarnessError, Image, Options, Part, PodRunner,
    RunningPods, await_gone, await_object, until,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{CustomResourceExt as _, ResourceExt as _};
use serde_json::{Value, json};
use simulator::{Knobs, Simulator};

use crate::surroundings::{ACCOUNT, NAMESPACE, OPERATOR_NAMESPACE, ready_reason};

const RELEASE: &str = "cloudflare-sso-operator";
const SECRET: &str = "cloudflare-api-token";
/// The version before this one, as the tests make it up.
const BEFORE: &str = "0.0.9";
const PATIENCE: Duration = Duration::from_mins(3);
/// Durations short enough for a test, as further flags.
const BRISK: [&str; 6] = [
    "--difference-confirmation=1s",
    "--backoff=100ms",
    "--secret-retry=300ms",
    "--creation-lag=2s",
    "--deletion-delay=300ms",
    "--definition-settling=500ms",
];

/// A cluster in which people install the operator with helm.
struct Cluster {
    helm: Chart,
    pods: RunningPods,
    control_plane: ControlPlane,
    simulator: Simulator,
    _image: Image,
}

impl Cluster {
    async fn with(helm: Part) -> Self {
        let image = Image::build().await.unwrap();
        let options = Options::default().with_controller_manager();
        let control_plane = ControlPlane::start(options).await.unwrap();
        let knobs = Knobs {
            poll_interval: Duration::from_millis(100),
            ..Knobs::default()
        };
        let simulator = Simulator::start(knobs).await.unwrap();
        let cloudflare: reqwest::Url = simulator.base_url().parse().unwrap();
        let reference = |version: &str| format!("cloudflare-sso-operator:{version}");
        let pods = PodRunner::new()
            .image(
                &reference(env!("CARGO_PKG_VERSION")),
                ContainerImage::from(&image),
            )
            .image(&reference(BEFORE), ContainerImage::from(&image))
            .reach(cloudflare.port().unwrap())
            .start(&control_plane)
            .await
            .unwrap();
        let cluster = Self {
            helm: Chart::with(helm).await.unwrap(),
            pods,
            control_plane,
            simulator,
            _image: image,
        };
        cluster.prepare().await;
        cluster
    }

    /// A namespace that enforces the strictest of the Pod Security Standards, and one with a token.
    async fn prepare(&self) {
        let token = self.simulator.admin().add_ready_account(ACCOUNT, "good");
        let enforce = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        for object in [
            json!({ "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "name": OPERATOR_NAMESPACE, "labels": enforce } }),
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }),
            json!({ "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": SECRET, "namespace": NAMESPACE },
                "stringData": { "api-token": token } }),
        ] {
            self.control_plane.apply(&object.to_string()).await.unwrap();
        }
        let values = json!({
            "cloudflare": { "baseURL": self.simulator.base_url() },
            "poll": { "unverified": "1s", "settled": "2s" },
            "extraArgs": BRISK,
        });
        fs::write(self.values(), values.to_string()).unwrap();
    }

    fn values(&self) -> PathBuf {
        self.helm.home().join("values.yaml")
    }

    /// Runs a helm command on the release; what comes from `more` is the last word.
    async fn helm(&self, command: &[&str], more: &[&str]) -> Result<String, HarnessError> {
        let kubeconfig = self.control_plane.kubeconfig().to_str().unwrap();
        let place = [
            "--namespace",
            OPERATOR_NAMESPACE,
            "--kubeconfig",
            kubeconfig,
        ];
        self.helm.helm(&[command, &place, more].concat()).await
    }

    async fn install(&self, chart: &Path, more: &[&str]) -> Result<String, HarnessError> {
        self.install_or_upgrade("install", chart, more).await
    }

    async fn upgrade(&self, chart: &Path, more: &[&str]) -> Result<String, HarnessError> {
        self.install_or_upgrade("upgrade", chart, more).await
    }

    async fn install_or_upgrade(
        &self,
        what: &str,
        chart: &Path,
        more: &[&str],
    ) -> Result<String, HarnessError> {
        let (chart, values) = (chart.to_str().unwrap(), self.values());
        let command = [what, RELEASE, chart, "--wait", "--timeout=5m", "--values"];
        self.helm(&[&command[..], &[values.to_str().unwrap()]].concat(), more)
            .await
    }

    async fn kubectl(&self, arguments: &[&str]) -> String {
        let done = self.control_plane.kubectl(arguments).await.unwrap();
        done.success().unwrap()
    }

    async fn definition(&self) -> Value {
        let name = SsoConnector::crd_name();
        let printed = self.kubectl(&["get", "crd", name, "--output=json"]).await;
        serde_json::from_str(&printed).unwrap()
    }

    fn objects(&self) -> Api<SsoConnector> {
        Api::namespaced(self.control_plane.client(), NAMESPACE)
    }

    async fn connector(&self, name: &str, deletion_policy: &str) {
        let object = json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": {
                "accountID": ACCOUNT, "emailDomain": format!("{name}.example"), "enabled": true,
                "deletionPolicy": deletion_policy, "apiTokenSecretRef": { "name": SECRET },
            },
        });
        self.control_plane.apply(&object.to_string()).await.unwrap();
    }

    async fn until_ready_is(&self, name: &str, reason: &str) -> SsoConnector {
        let awaited = format!("Ready to be {reason}");
        let is_so = |object: &SsoConnector| ready_reason(object) == Some(reason);
        await_object(&self.objects(), name, &awaited, PATIENCE, is_so)
            .await
            .unwrap()
    }

    /// A connector whose domain is verified and that is enabled; its ID.
    async fn enabled_connector(&self, name: &str, deletion_policy: &str) -> String {
        self.connector(name, deletion_policy).await;
        let waiting = self.until_ready_is(name, "AwaitingVerification").await;
        let record = waiting.status.unwrap().dns_record.unwrap();
        let domain = format!("{name}.example");
        self.simulator.admin().publish_txt(&domain, &record.value);
        let enabled = self.until_ready_is(name, "Available").await;
        enabled.status.unwrap().connector_id.unwrap()
    }

    /// How many calls have changed something at Cloudflare.
    fn changes(&self) -> usize {
        self.simulator.calls().mutations().count()
    }

    /// The Pods of the operator's Deployment that are not going away.
    async fn operators(&self) -> BTreeSet<String> {
        let pods: Api<Pod> = Api::namespaced(self.control_plane.client(), OPERATOR_NAMESPACE);
        let selector = ListParams::default().labels("app.kubernetes.io/component=operator");
        let pods = pods.list(&selector).await.unwrap();
        pods.iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .map(kube::ResourceExt::name_any)
            .collect()
    }

    async fn lease(&self) -> Lease {
        let leases: Api<Lease> = Api::namespaced(self.control_plane.client(), OPERATOR_NAMESPACE);
        leases.get(RELEASE).await.unwrap()
    }

    /// Which of these Pods leads; its name is the beginning of the holder's.
    async fn leader_among(&self, pods: &BTreeSet<String>) -> String {
        until("one of the Pods to lead", PATIENCE, async || {
            let spec = self.lease().await.spec.unwrap_or_default();
            let holder = spec.holder_identity.unwrap_or_default();
            let leader = pods.iter().find(|pod| holder.starts_with(*pod));
            leader.cloned().ok_or(holder)
        })
        .await
        .unwrap()
    }
}

/// The chart of the version before, with a definition that `change` has made out of ours.
fn chart_before(folder: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let chart = folder.join("before");
    for entry in [
        ".helmignore",
        "Chart.yaml",
        "values.yaml",
        "values.schema.json",
        "templates",
        "monitoring",
    ] {
        copy(&Chart::folder().join(entry), &chart.join(entry));
    }
    let description = fs::read_to_string(chart.join("Chart.yaml")).unwrap();
    let description = description.replace(env!("CARGO_PKG_VERSION"), BEFORE);
    fs::write(chart.join("Chart.yaml"), description).unwrap();
    let mut definition = ours();
    definition["metadata"]["annotations"][DEFINITION_VERSION] = json!(BEFORE);
    change(&mut definition);
    fs::create_dir(chart.join("crds")).unwrap();
    fs::write(chart.join("crds/definition.yaml"), definition.to_string()).unwrap();
    chart
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

fn ours() -> Value {
    serde_json::to_value(custom_resource_definition()).unwrap()
}

fn fields(definition: &mut Value) -> &mut serde_json::Map<String, Value> {
    let root = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let spec = &mut root["properties"]["spec"]["properties"];
    spec.as_object_mut().unwrap()
}

/// A definition that this operator can work under, with a rule that went since.
fn with_an_old_rule(definition: &mut Value) {
    let rule = json!({ "rule": "self != 'old.example'", "message": "an old rule" });
    let domain = &mut fields(definition)["emailDomain"];
    let rules = &mut domain["x-kubernetes-validations"];
    rules.as_array_mut().unwrap().push(rule);
}

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
    assert!(cluster.operators().await.is_disjoint(&first));
    let hooks = "jobs,serviceaccounts,clusterroles,clusterrolebindings";
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
    let put = async |definition: &Value| {
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
    let leader = cluster.leader_among(&first).await;

    let changed = [&two[..], &["--set", "podAnnotations.round=second"]].concat();
    cluster.upgrade(&Chart::folder(), &changed).await.unwrap();
    let second = cluster.operators().await;
    assert!(
        second.is_disjoint(&first) && second.len() == 2,
        "{second:?}"
    );
    cluster.leader_among(&second).await;
    until("the old leader to stop", PATIENCE, async || {
        let said = cluster.pods.output(OPERATOR_NAMESPACE, &leader, "operator");
        said.contains("stopped").then_some(()).ok_or(said)
    })
    .await
    .unwrap();
    let spec = cluster.lease().await.spec.unwrap();
    let seconds = spec.lease_duration_seconds.unwrap();
    assert!(seconds > 0, "held, not released");
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
