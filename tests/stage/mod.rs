//! What every test starts from: a control plane with the definition and the roles of `deploy/`, a simulated Cloudflare
//! with an account that is ready for SSO, and a namespace with a Secret that holds a working token.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector, find_condition};
use harness::{Chart, ControlPlane, Operator, OperatorOptions, Options, await_gone, await_object};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{CustomResourceExt as _, ResourceExt as _};
use reqwest::Url;
use serde_json::{Value, json};
use simulator::{Knobs, Setup, Simulator};

/// The account of every test.
pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// The namespace of every test.
pub(crate) const NAMESPACE: &str = "team";
/// Where `deploy/` puts the operator and its Lease.
pub(crate) const OPERATOR_NAMESPACE: &str = "cloudflare-sso-system";
/// As whom it runs there.
pub(crate) const OPERATOR_ACCOUNT: &str = "cloudflare-sso-operator";
/// The Secret with the token.
pub(crate) const SECRET: &str = "cloudflare-api-token";
/// How long a condition is waited for. Long, as the machine may be busy; nothing waits for it if all is well.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Durations short enough for a test, in the proportions of the real ones.
pub(crate) const BRISK: [&str; 48] = [
    "--call-timeout",
    "1s",
    // A leader must live through the hiccups of a busy machine, and whoever follows a killed one waits that long.
    "--lease-duration",
    "9s",
    "--renew-deadline",
    "6s",
    "--renew-interval",
    "500ms",
    "--creation-grace",
    "3s",
    "--poll-unverified",
    "300ms",
    "--poll-settled",
    "1s",
    "--difference-confirmation",
    "1s",
    "--absence-confirmation",
    "1s",
    "--creation-lag",
    "2s",
    "--deletion-delay",
    "300ms",
    "--backoff",
    "100ms",
    "--secret-retry",
    "300ms",
    "--refused-token-retry",
    "2s",
    "--changed-token-window",
    "400ms",
    "--namespace-refusal-interval",
    "400ms",
    "--refusal-window",
    "2s",
    "--rejected-retry",
    "1s",
    "--default-pause",
    "500ms",
    "--calls-per-second",
    "500",
    "--call-burst",
    "1000",
    // No name server outside is asked; a test that looks at DNS brings its own.
    "--dns-lookups",
    "off",
    "--dns-interval",
    "300ms",
    "--dns-timeout",
    "5s",
];

/// A stage.
pub(crate) struct Stage {
    pub(crate) control_plane: ControlPlane,
    pub(crate) simulator: Simulator,
    pub(crate) token: String,
}

impl Stage {
    /// A stage with Cloudflare as it usually is, only quicker in looking for TXT records.
    pub(crate) async fn set() -> Self {
        Self::with(Options::default(), quick_knobs()).await
    }

    /// A stage to taste.
    pub(crate) async fn with(options: Options, knobs: Knobs) -> Self {
        let setup = Setup {
            knobs,
            ..Setup::default()
        };
        Self::with_setup(options, setup).await
    }

    /// The same with a Cloudflare that is set up to taste, too.
    pub(crate) async fn with_setup(options: Options, setup: Setup) -> Self {
        let control_plane = ControlPlane::start(options).await.unwrap();
        let definition = "crds/ssoconnectors.cloudflare-sso.dev.yaml";
        let definition = std::fs::read_to_string(repository().join(definition)).unwrap();
        for manifest in [definition, rights()] {
            control_plane.apply(&manifest).await.unwrap();
        }
        definition_is_settled(&control_plane).await;
        let simulator = Simulator::start_with(setup).await.unwrap();
        let token = simulator.admin().add_ready_account(ACCOUNT, "good");
        let stage = Self {
            control_plane,
            simulator,
            token,
        };
        stage.kubectl(&["create", "namespace", NAMESPACE]).await;
        stage.put_token(SECRET, &stage.token).await;
        stage
    }

    /// Puts a token into a Secret.
    pub(crate) async fn put_token(&self, secret: &str, token: &str) {
        self.put_token_in(NAMESPACE, secret, token).await;
    }

    /// Puts a token into a Secret of any namespace.
    pub(crate) async fn put_token_in(&self, namespace: &str, secret: &str, token: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": secret, "namespace": namespace },
            "stringData": { "api-token": token },
        });
        self.apply(&secret).await;
    }

    /// Applies an object with kubectl.
    pub(crate) async fn apply(&self, object: &Value) {
        self.control_plane.apply(&object.to_string()).await.unwrap();
    }

    /// Runs kubectl, which must succeed.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        self.control_plane
            .kubectl(arguments)
            .await
            .unwrap()
            .success()
            .unwrap()
    }

    /// The operator with the rights of `deploy/`, ready.
    pub(crate) async fn operator(&self, flags: &[&str]) -> Operator {
        self.operator_through(None, flags).await
    }

    /// The operator behind a proxy to the API server.
    pub(crate) async fn operator_through(&self, server: Option<Url>, flags: &[&str]) -> Operator {
        let mut operator = self.start_operator(server, flags).await;
        operator.until_ready(PATIENCE).await.unwrap();
        operator
    }

    /// The operator behind a proxy to the API server, just started.
    pub(crate) async fn start_operator(&self, server: Option<Url>, flags: &[&str]) -> Operator {
        self.start_operator_for(&self.simulator, server, flags)
            .await
    }

    /// The same for another Cloudflare, which shows what just this process calls.
    pub(crate) async fn start_operator_for(
        &self,
        simulator: &Simulator,
        server: Option<Url>,
        flags: &[&str],
    ) -> Operator {
        let cloudflare = simulator.base_url().parse().unwrap();
        self.start_operator_at(cloudflare, server, flags).await
    }

    /// The same for wherever Cloudflare is, such as behind a proxy.
    pub(crate) async fn start_operator_at(
        &self,
        cloudflare: Url,
        server: Option<Url>,
        flags: &[&str],
    ) -> Operator {
        let kubeconfig = self
            .control_plane
            .service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT, server)
            .await
            .unwrap();
        let mut all: Vec<String> = BRISK.iter().map(ToString::to_string).collect();
        all.extend(["--lease-namespace", OPERATOR_NAMESPACE].map(str::to_owned));
        for flag in flags.chunks(2) {
            // A flag may be given once; what the test says counts.
            if let Some(place) = all.iter().position(|known| known == flag[0]) {
                all.drain(place..place + 2);
            }
            all.extend(flag.iter().map(ToString::to_string));
        }
        Operator::start(&OperatorOptions {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_cloudflare-sso-operator")),
            kubeconfig,
            cloudflare_base_url: cloudflare,
            flags: all,
        })
        .unwrap()
    }

    /// The objects of the test's namespace.
    pub(crate) fn objects(&self) -> Api<SsoConnector> {
        self.objects_in(NAMESPACE)
    }

    /// The objects of any namespace.
    pub(crate) fn objects_in(&self, namespace: &str) -> Api<SsoConnector> {
        Api::namespaced(self.control_plane.client(), namespace)
    }

    /// Applies a connector with these fields in its spec beside the necessary ones; null takes one of those away.
    pub(crate) async fn connector(&self, name: &str, domain: &str, fields: Value) {
        let mut object = connector(name, domain);
        if let (Some(spec), Value::Object(fields)) = (object["spec"].as_object_mut(), fields) {
            spec.extend(fields);
            spec.retain(|_, value| !value.is_null());
        }
        self.apply(&object).await;
    }

    /// Changes a spec as a person would.
    pub(crate) async fn patch_spec(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.objects()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Sets an annotation.
    pub(crate) async fn annotate(&self, name: &str, key: &str, value: &str) {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { key: value } } }));
        self.objects()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Deletes an object and waits until it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        let object = self.objects().get(name).await.unwrap();
        self.objects()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
        await_gone(&self.objects(), &object, PATIENCE)
            .await
            .unwrap();
    }

    /// Waits until the operator that leads has renewed its Lease so often. For what is not to happen, which nothing tells:
    /// the operator was alive and had its time, however busy the machine.
    pub(crate) async fn heartbeats(&self, count: usize) {
        let leases: Api<Lease> = Api::namespaced(self.control_plane.client(), OPERATOR_NAMESPACE);
        let mut versions = BTreeSet::new();
        harness::until("the Lease to be renewed", PATIENCE, async || {
            let lease = leases.get("cloudflare-sso-operator").await;
            versions.insert(lease.unwrap().metadata.resource_version);
            let renewals = versions.len() - 1;
            if renewals >= count {
                Ok(())
            } else {
                Err(renewals)
            }
        })
        .await
        .unwrap();
    }

    /// A connector that is enabled: its object is applied, and its TXT record published as soon as it is known. Its ID.
    pub(crate) async fn enabled_connector(&self, name: &str, domain: &str) -> String {
        self.connector(name, domain, json!({ "enabled": true }))
            .await;
        let waiting = self.until_ready_is(name, "AwaitingVerification").await;
        let admin = self.simulator.admin();
        admin.publish_txt(domain, &code(&waiting).unwrap());
        let enabled = self.until_ready_is(name, "Available").await;
        connector_id(&enabled).unwrap()
    }

    /// Waits until the object is as `predicate` says.
    pub(crate) async fn until(
        &self,
        name: &str,
        awaited: &str,
        predicate: impl Fn(&SsoConnector) -> bool,
    ) -> SsoConnector {
        await_object(&self.objects(), name, awaited, PATIENCE, predicate)
            .await
            .unwrap()
    }

    /// Waits until Ready has this reason for the current generation.
    pub(crate) async fn until_ready_is(&self, name: &str, reason: &str) -> SsoConnector {
        self.until_ready_in(NAMESPACE, name, reason).await
    }

    /// The same in any namespace.
    pub(crate) async fn until_ready_in(
        &self,
        namespace: &str,
        name: &str,
        reason: &str,
    ) -> SsoConnector {
        let objects = self.objects_in(namespace);
        let awaited = format!("Ready to be {reason}");
        await_object(&objects, name, &awaited, PATIENCE, |object| {
            current(object) && condition(object, ConditionType::Ready).1 == reason
        })
        .await
        .unwrap()
    }
}

/// An object that is deleted within the second in which its definition was created keeps its connector, as it may go because
/// an older definition went; see `definition_stands`. No test means that by accident.
async fn definition_is_settled(control_plane: &ControlPlane) {
    let definitions: Api<CustomResourceDefinition> = Api::all(control_plane.client());
    let definition = definitions.get(SsoConnector::crd_name()).await.unwrap();
    let created = definition.metadata.creation_timestamp.unwrap().0;
    harness::until("the next second", PATIENCE, async || {
        let now = Timestamp::now();
        (now.as_second() > created.as_second())
            .then_some(())
            .ok_or(now)
    })
    .await
    .unwrap();
}

/// Cloudflare as it usually is, only quicker in looking for TXT records.
pub(crate) fn quick_knobs() -> Knobs {
    Knobs {
        poll_interval: Duration::from_millis(100),
        ..Knobs::default()
    }
}

/// The least that works.
pub(crate) fn connector(name: &str, domain: &str) -> Value {
    json!({
        "apiVersion": "cloudflare-sso.dev/v1alpha1",
        "kind": "SsoConnector",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "accountID": ACCOUNT,
            "emailDomain": domain,
            "apiTokenSecretRef": { "name": SECRET },
        },
    })
}

/// Status, reason and message of a condition; empty if it is not there.
pub(crate) fn condition(object: &SsoConnector, kind: ConditionType) -> (String, String, String) {
    object
        .status
        .as_ref()
        .and_then(|status| find_condition(&status.conditions, kind))
        .map(|found| {
            (
                found.status.clone(),
                found.reason.clone(),
                found.message.clone(),
            )
        })
        .unwrap_or_default()
}

/// Whether the status speaks of the current spec.
pub(crate) fn current(object: &SsoConnector) -> bool {
    let observed = object
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    observed.is_some() && observed == object.metadata.generation
}

/// The connector's ID in the status.
pub(crate) fn connector_id(object: &SsoConnector) -> Option<String> {
    object.status.as_ref()?.connector_id.clone()
}

/// The verification code in the status.
pub(crate) fn code(object: &SsoConnector) -> Option<String> {
    object.status.as_ref()?.verification.as_ref()?.code.clone()
}

/// Whether deleting the object waits for the operator.
pub(crate) fn has_finalizer(object: &SsoConnector) -> bool {
    !object.finalizers().is_empty()
}

/// The namespace, the `ServiceAccount` and the roles of `deploy/install.yaml`, which is rendered from the chart.
pub(crate) fn rights() -> String {
    Chart::installed_rights().unwrap()
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
