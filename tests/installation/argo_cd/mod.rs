//! A real Argo CD deploys from Git repositories that the tests write, by the Applications of `deploy/argocd/`. The operator
//! runs beside it as a process.

mod everything;
mod health;
mod operator;
mod page;
mod refresh;
mod situations;

use std::time::Duration;

use harness::{ArgoCd, ControlPlane, Options, await_object};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use simulator::Simulator;

use crate::checkout::{Checkout, files, read};
use crate::customizations::{Health, SETTINGS};
use crate::stage::{ACCOUNT, Stage, quick_knobs};

/// How long a condition is waited for: Argo CD is many processes, and compares every 10 s.
const PATIENCE: Duration = Duration::from_mins(3);
/// The namespace of the sample's connectors.
const CONNECTORS_NAMESPACE: &str = "sso";
/// The connector in the sample.
const CONNECTOR: &str = "example-com";
/// Its domain.
const DOMAIN: &str = "example.com";
/// The Application with the connectors.
const CONNECTORS: &str = "cloudflare-sso-connectors";
/// The Application with the operator.
const OPERATOR: &str = "cloudflare-sso-operator";

/// A stage with an Argo CD that has our settings.
struct Deployer {
    stage: Stage,
    argo_cd: ArgoCd,
}

impl Deployer {
    async fn set(stage: Stage) -> Self {
        let deployer = Self::start(stage).await;
        // As the settings say it themselves.
        let apply = [
            "apply",
            "--server-side",
            "--field-manager=cloudflare-sso-operator",
            "--filename=-",
        ];
        let control_plane = &deployer.stage.control_plane;
        let settings = read(SETTINGS);
        let applied = control_plane.kubectl_with_input(&apply, &settings).await;
        applied.unwrap().success().unwrap();
        deployer
    }

    /// The same without our settings.
    async fn start(stage: Stage) -> Self {
        let argo_cd = ArgoCd::start(&stage.control_plane).await.unwrap();
        Self { stage, argo_cd }
    }

    fn applications(&self) -> Api<DynamicObject> {
        ArgoCd::applications(&self.stage.control_plane)
    }

    /// Waits until an Application is as `predicate` says.
    async fn until(
        &self,
        name: &str,
        awaited: &str,
        predicate: impl Fn(&Value) -> bool,
    ) -> DynamicObject {
        await_object(
            &self.applications(),
            name,
            awaited,
            PATIENCE,
            |application| predicate(&application.data["status"]),
        )
        .await
        .unwrap()
    }

    /// Waits until an Application has been synced to what Git says now.
    async fn until_synced(&self, name: &str) -> DynamicObject {
        self.until(name, "to be synced", |status| {
            status["sync"]["status"] == "Synced" && status["operationState"]["phase"] == "Succeeded"
        })
        .await
    }

    /// Waits until the connector of an Application has this health, and returns the message.
    async fn until_health(&self, name: &str, health: &str) -> String {
        let awaited = format!("its connector to be {health}");
        let application = self
            .until(name, &awaited, |status| {
                connector_health(status).is_some_and(|found| found.status == health)
            })
            .await;
        connector_health(&application.data["status"])
            .unwrap()
            .message
    }

    /// Has Argo CD compare an Application anew with Git and the cluster, and waits until it did.
    async fn refresh(&self, name: &str) -> DynamicObject {
        let annotation = "argocd.argoproj.io/refresh";
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { annotation: "hard" } } }));
        let patched = self
            .applications()
            .patch(name, &PatchParams::default(), &patch)
            .await;
        patched.unwrap();
        await_object(
            &self.applications(),
            name,
            "to be refreshed",
            PATIENCE,
            |application| {
                let annotations = application.metadata.annotations.as_ref();
                !annotations.is_some_and(|all| all.contains_key(annotation))
            },
        )
        .await
        .unwrap()
    }

    /// Compares an Application so often; it is synced each time, and nothing is synced anew.
    async fn stays_synced(&self, name: &str, refreshes: usize) {
        let before = self.refresh(name).await;
        let synced = before.data["status"]["operationState"]["startedAt"].clone();
        for _ in 0..refreshes {
            let status = &self.refresh(name).await.data["status"];
            assert_eq!(status["sync"]["status"], "Synced", "{name}: {status:#}");
            let last = &status["operationState"]["startedAt"];
            assert_eq!(*last, synced, "{name}: {status:#}");
        }
    }

    /// Runs an action on the sample's connector, as a person does.
    async fn act(&self, action: &str) {
        let arguments = [
            "app",
            "actions",
            "run",
            CONNECTORS,
            action,
            "--kind",
            "SsoConnector",
            "--resource-name",
            CONNECTOR,
        ];
        self.argo_cd
            .command(&arguments)
            .await
            .unwrap()
            .success()
            .unwrap();
    }
}

/// A stage that has nothing but a control plane, a Cloudflare with a ready account, and a token for it.
async fn bare_stage() -> Stage {
    let options = Options::default()
        .with_controller_manager()
        .with_audit_log();
    let simulator = Simulator::start(quick_knobs()).await.unwrap();
    let token = simulator.admin().add_ready_account(ACCOUNT, "good");
    Stage {
        control_plane: ControlPlane::start(options).await.unwrap(),
        simulator,
        token,
    }
}

/// The health of the connector in an Application's status.
fn connector_health(status: &Value) -> Option<Health> {
    let resources = status["resources"].as_array()?;
    let connector = resources
        .iter()
        .find(|resource| resource["kind"] == "SsoConnector")?;
    let text = |field: &str| connector["health"][field].as_str();
    Some(Health::new(
        text("status")?,
        text("message").unwrap_or_default(),
    ))
}

/// The folder `connectors/` as in `deploy/argocd/`, with a token that works.
fn connectors(token: &str, domain: &str) -> Checkout {
    let checkout = Checkout::empty();
    for file in files("deploy/argocd/connectors", "yaml") {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let domain = format!("emailDomain: {domain}");
        let text = text
            .replace("replace-me", token)
            .replace("emailDomain: example.com", &domain);
        checkout.write(&format!("connectors/{name}"), &text);
    }
    checkout.commit("A Secret and a connector");
    checkout
}

/// An Application of `deploy/argocd/`, from another repository.
fn application(name: &str, checkout: &Checkout) -> Value {
    let file = match name {
        CONNECTORS => "deploy/argocd/application-connectors.yaml",
        _ => "deploy/argocd/application-operator.yaml",
    };
    let mut application: Value = serde_saphyr::from_str(&read(file)).unwrap();
    assert_eq!(application["metadata"]["name"], name);
    application["spec"]["source"]["repoURL"] = checkout.url().into();
    application["spec"]["source"]["targetRevision"] = "main".into();
    application
}
