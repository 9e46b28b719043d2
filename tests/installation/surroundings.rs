//! What the operator stands in where it runs as a process: a control plane with the definition and the rights of `deploy/`, a
//! simulated Cloudflare with an account that is ready for SSO, and a namespace with a Secret that holds its token.

use std::path::PathBuf;
use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector, find_condition};
use harness::{Chart, ControlPlane, Operator, OperatorOptions, Options, await_object};
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use simulator::{Knobs, Simulator};

/// The account of every test.
pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// The namespace of the objects.
pub(crate) const NAMESPACE: &str = "team";
/// Where `deploy/` puts the operator and its Lease.
pub(crate) const OPERATOR_NAMESPACE: &str = "cloudflare-sso-system";
/// As whom it runs there.
pub(crate) const OPERATOR_ACCOUNT: &str = "cloudflare-sso-operator";
/// How long a condition is waited for. Long, as the machine may be busy; nothing waits for it if all is well.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

const SECRET: &str = "cloudflare-api-token";

/// Durations short enough for a test, and a pause that outlives it.
pub(crate) const BRISK: [&str; 16] = [
    "--poll-unverified",
    "300ms",
    "--poll-settled",
    "1s",
    "--difference-confirmation",
    "1s",
    "--backoff",
    "100ms",
    "--secret-retry",
    "300ms",
    "--default-pause",
    "30s",
    "--calls-per-second",
    "500",
    "--call-burst",
    "1000",
];

/// All of it.
pub(crate) struct Surroundings {
    pub(crate) control_plane: ControlPlane,
    pub(crate) simulator: Simulator,
    pub(crate) token: String,
}

impl Surroundings {
    /// All of it, with a Cloudflare that is quick in looking for TXT records.
    pub(crate) async fn set() -> Self {
        Self::with(Options::default()).await
    }

    /// All of it, with more than an API server.
    pub(crate) async fn with(options: Options) -> Self {
        let control_plane = ControlPlane::start(options).await.unwrap();
        let definition = "crds/ssoconnectors.cloudflare-sso.dev.yaml";
        let definition = std::fs::read_to_string(repository().join(definition)).unwrap();
        for manifest in [definition, Chart::installed_rights().unwrap()] {
            control_plane.apply(&manifest).await.unwrap();
        }
        let knobs = Knobs {
            poll_interval: Duration::from_millis(100),
            ..Knobs::default()
        };
        let simulator = Simulator::start(knobs).await.unwrap();
        let token = simulator.admin().add_ready_account(ACCOUNT, "good");
        let surroundings = Self {
            control_plane,
            simulator,
            token,
        };
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE },
        });
        surroundings.apply(&namespace).await;
        surroundings.put_token(SECRET, &surroundings.token).await;
        surroundings
    }

    /// Applies an object with kubectl.
    pub(crate) async fn apply(&self, object: &Value) {
        self.control_plane.apply(&object.to_string()).await.unwrap();
    }

    /// Puts a token into a Secret.
    pub(crate) async fn put_token(&self, secret: &str, token: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": secret, "namespace": NAMESPACE },
            "stringData": { "api-token": token },
        });
        self.apply(&secret).await;
    }

    /// The operator with the rights of `deploy/`, ready.
    pub(crate) async fn operator(&self) -> Operator {
        let kubeconfig = self
            .control_plane
            .service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT, None)
            .await
            .unwrap();
        let mut flags = BRISK.map(str::to_owned).to_vec();
        flags.extend(["--lease-namespace", OPERATOR_NAMESPACE].map(str::to_owned));
        let mut operator = Operator::start(&OperatorOptions {
            binary: env!("CARGO_BIN_EXE_cloudflare-sso-operator").into(),
            kubeconfig,
            cloudflare_base_url: self.simulator.base_url().parse().unwrap(),
            flags,
        })
        .unwrap();
        operator.until_ready(PATIENCE).await.unwrap();
        operator
    }

    /// Applies a connector with these fields in its spec beside the necessary ones.
    pub(crate) async fn connector(&self, name: &str, domain: &str, fields: Value) {
        let mut object = json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1",
            "kind": "SsoConnector",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": {
                "accountID": ACCOUNT,
                "emailDomain": domain,
                "apiTokenSecretRef": { "name": SECRET },
            },
        });
        if let (Some(spec), Value::Object(fields)) = (object["spec"].as_object_mut(), fields) {
            spec.extend(fields);
        }
        self.apply(&object).await;
    }

    /// A connector that is enabled: its object is applied, and its TXT record published as soon as it is known. Its ID.
    pub(crate) async fn enabled_connector(&self, name: &str, domain: &str) -> String {
        self.connector(name, domain, json!({ "enabled": true }))
            .await;
        let waiting = self.until_ready_is(name, "AwaitingVerification").await;
        let record = waiting.status.unwrap().dns_record.unwrap();
        self.simulator.admin().publish_txt(domain, &record.value);
        let enabled = self.until_ready_is(name, "Available").await;
        enabled.status.unwrap().connector_id.unwrap()
    }

    /// Sets an annotation as a person would.
    pub(crate) async fn annotate(&self, name: &str, key: &str, value: &str) {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { key: value } } }));
        self.objects()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Waits until Ready has this reason for the current generation.
    pub(crate) async fn until_ready_is(&self, name: &str, reason: &str) -> SsoConnector {
        let awaited = format!("Ready to be {reason}");
        await_object(&self.objects(), name, &awaited, PATIENCE, |object| {
            ready_reason(object) == Some(reason)
        })
        .await
        .unwrap()
    }

    fn objects(&self) -> Api<SsoConnector> {
        Api::namespaced(self.control_plane.client(), NAMESPACE)
    }
}

/// The reason of Ready, if the status speaks of the current spec.
pub(crate) fn ready_reason(object: &SsoConnector) -> Option<&str> {
    let status = object.status.as_ref()?;
    let ready = find_condition(&status.conditions, ConditionType::Ready)?;
    let is_current = status.observed_generation == object.metadata.generation;
    is_current.then_some(ready.reason.as_str())
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
