//! A cluster in which people install the operator with helm, and in which its Pods run from its image.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::{
    Chart, ControlPlane, HarnessError, Image, Options, Part, PodRunner, RunningPods, await_object,
    until,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::CustomResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use simulator::Simulator;

use crate::checkout::copy;
use crate::definition::{BEFORE, of_the_version_before, ours};
use crate::stage::{
    ACCOUNT, NAMESPACE, OPERATOR_NAMESPACE, SECRET, condition, current, quick_knobs,
};

pub(crate) const RELEASE: &str = "cloudflare-sso-operator";
/// Where the chart and the pages say that the image is.
const REPOSITORIES: [&str; 2] = [
    "cloudflare-sso-operator",
    "images.example/cloudflare-sso-operator",
];
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
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
pub(crate) struct Cluster {
    pub(crate) helm: Chart,
    pub(crate) pods: RunningPods,
    pub(crate) control_plane: ControlPlane,
    pub(crate) simulator: Simulator,
    _image: Image,
}

impl Cluster {
    pub(crate) async fn with(helm: Part) -> Self {
        let image = Image::build().await.unwrap();
        let options = Options::default().with_controller_manager();
        let control_plane = ControlPlane::start(options).await.unwrap();
        let simulator = Simulator::start(quick_knobs()).await.unwrap();
        let cloudflare: reqwest::Url = simulator.base_url().parse().unwrap();
        let mut pods = PodRunner::new();
        for repository in REPOSITORIES {
            for version in [env!("CARGO_PKG_VERSION"), BEFORE] {
                let reference = format!("{repository}:{version}");
                pods = pods.image(&reference, (&image).into());
            }
        }
        let pods = pods
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
            "dns": { "lookups": false },
            "extraArgs": BRISK,
        });
        fs::write(self.values(), values.to_string()).unwrap();
    }

    fn values(&self) -> PathBuf {
        self.helm.home().join("values.yaml")
    }

    /// Runs a helm command on the release; what comes from `more` is the last word.
    pub(crate) async fn helm(
        &self,
        command: &[&str],
        more: &[&str],
    ) -> Result<String, HarnessError> {
        let kubeconfig = self.control_plane.kubeconfig().to_str().unwrap();
        let place = [
            "--namespace",
            OPERATOR_NAMESPACE,
            "--kubeconfig",
            kubeconfig,
        ];
        self.helm.helm(&[command, &place, more].concat()).await
    }

    pub(crate) async fn install(
        &self,
        chart: &Path,
        more: &[&str],
    ) -> Result<String, HarnessError> {
        self.install_or_upgrade("install", chart, more).await
    }

    pub(crate) async fn upgrade(
        &self,
        chart: &Path,
        more: &[&str],
    ) -> Result<String, HarnessError> {
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

    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let done = self.control_plane.kubectl(arguments).await.unwrap();
        done.success().unwrap()
    }

    pub(crate) async fn definition(&self) -> Value {
        let name = SsoConnector::crd_name();
        let printed = self.kubectl(&["get", "crd", name, "--output=json"]).await;
        serde_json::from_str(&printed).unwrap()
    }

    pub(crate) fn objects(&self) -> Api<SsoConnector> {
        Api::namespaced(self.control_plane.client(), NAMESPACE)
    }

    pub(crate) async fn connector(&self, name: &str, deletion_policy: &str) {
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

    pub(crate) async fn until_ready_is(&self, name: &str, reason: &str) -> SsoConnector {
        let awaited = format!("Ready to be {reason}");
        let is_so = |object: &SsoConnector| {
            current(object) && condition(object, ConditionType::Ready).1 == reason
        };
        await_object(&self.objects(), name, &awaited, PATIENCE, is_so)
            .await
            .unwrap()
    }

    /// A connector whose domain is verified and that is enabled; its ID.
    pub(crate) async fn enabled_connector(&self, name: &str, deletion_policy: &str) -> String {
        self.connector(name, deletion_policy).await;
        let waiting = self.until_ready_is(name, "AwaitingVerification").await;
        let record = waiting.status.unwrap().dns_record.unwrap();
        let domain = format!("{name}.example");
        self.simulator.admin().publish_txt(&domain, &record.value);
        let enabled = self.until_ready_is(name, "Available").await;
        enabled.status.unwrap().connector_id.unwrap()
    }

    /// How many calls have changed something at Cloudflare.
    pub(crate) fn changes(&self) -> usize {
        self.simulator.calls().mutations().count()
    }

    /// The Pods of the operator's Deployment that are not going away.
    pub(crate) async fn operators(&self) -> BTreeSet<String> {
        let pods: Api<Pod> = Api::namespaced(self.control_plane.client(), OPERATOR_NAMESPACE);
        let selector = ListParams::default().labels("app.kubernetes.io/component=operator");
        let pods = pods.list(&selector).await.unwrap();
        pods.iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .map(kube::ResourceExt::name_any)
            .collect()
    }

    /// The Pods that have taken the place of these, once they did: helm 3 does not wait until the old ones go.
    pub(crate) async fn successors_of(&self, before: &BTreeSet<String>) -> BTreeSet<String> {
        until("other Pods in their place", PATIENCE, async || {
            let now = self.operators().await;
            let replaced = now.is_disjoint(before) && now.len() == before.len();
            if replaced {
                Ok(now)
            } else {
                Err(format!("{now:?}"))
            }
        })
        .await
        .unwrap()
    }

    pub(crate) async fn lease(&self) -> Lease {
        let leases: Api<Lease> = Api::namespaced(self.control_plane.client(), OPERATOR_NAMESPACE);
        leases.get(RELEASE).await.unwrap()
    }

    /// Which of these Pods leads; its name is the beginning of the holder's.
    pub(crate) async fn leader_among(&self, pods: &BTreeSet<String>) -> String {
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
pub(crate) fn chart_before(folder: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let chart = folder.join("before");
    fs::create_dir(&chart).unwrap();
    let parts = [
        ".helmignore",
        "Chart.yaml",
        "values.yaml",
        "values.schema.json",
        "templates",
        "monitoring",
    ];
    copy(&parts, &chart);
    let description = fs::read_to_string(chart.join("Chart.yaml")).unwrap();
    let description = description.replace(env!("CARGO_PKG_VERSION"), BEFORE);
    fs::write(chart.join("Chart.yaml"), description).unwrap();
    let mut definition = ours();
    of_the_version_before(&mut definition);
    change(&mut definition);
    fs::create_dir(chart.join("crds")).unwrap();
    fs::write(chart.join("crds/definition.yaml"), definition.to_string()).unwrap();
    chart
}
