//! The whole of it: an Application of both Applications, the operator's own Pods from its own image, and in the end deleting
//! everything. Connectors go before their Secret, both before the operator, and the definition stays.

use harness::{
    ARGO_CD_NAMESPACE, ContainerImage, Image, PodRunner, RunningPods, await_gone, until,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use kube::api::{Api, DeleteParams};
use reqwest::Url;
use serde_json::{Value, json};
use simulator::Operation;

use cloudflare_sso_operator::resource::SsoConnector;

use super::{
    CONNECTOR, CONNECTORS, CONNECTORS_NAMESPACE, DOMAIN, Deployer, OPERATOR, PATIENCE, application,
    bare_stage, connectors,
};
use crate::checkout::Checkout;
use crate::stage::ACCOUNT;

/// The Application that the other two belong to.
const ROOT: &str = "cloudflare-sso";
/// A connector that outlives its object.
const RETAINED: &str = "example-org";

#[tokio::test]
async fn everything_goes_in_order_and_only_what_says_so_is_deleted_at_cloudflare() {
    let image = Image::build().await.unwrap();
    let deployer = Deployer::set(bare_stage().await).await;
    let _pods = deployer.run_pods(&image).await;
    let chart = Checkout::of_this_repository();
    let folder = connectors(&deployer.stage.token, DOMAIN);
    retain_another(&folder);
    let root = Checkout::empty();
    let mut operator = application(OPERATOR, &chart);
    operator["spec"]["source"]["helm"]["valuesObject"] = deployer.values();
    let connectors = application(CONNECTORS, &folder);
    for (name, application) in [(OPERATOR, operator), (CONNECTORS, connectors)] {
        root.write(&format!("{name}.json"), &application.to_string());
    }
    root.commit("Two Applications");
    deployer.stage.apply(&of_both(&root)).await;
    for name in [ROOT, OPERATOR, CONNECTORS] {
        deployer.until_synced(name).await;
    }
    deployer
        .until(OPERATOR, "to be healthy", |status| {
            status["health"]["status"] == "Healthy"
        })
        .await;
    deployer.enable(CONNECTOR).await;
    deployer.enable(RETAINED).await;

    let applications = deployer.applications();
    let root = applications.get(ROOT).await.unwrap();
    applications
        .delete(ROOT, &DeleteParams::foreground())
        .await
        .unwrap();
    deployer.waits_for_a_confirmation().await;
    let confirm = ["app", "confirm-deletion", CONNECTORS];
    deployer
        .argo_cd
        .command(&confirm)
        .await
        .unwrap()
        .success()
        .unwrap();
    await_gone(&applications, &root, PATIENCE).await.unwrap();

    deployer.one_connector_is_left();
    deployer.order_of_deletion().await;
    let definitions: Api<CustomResourceDefinition> =
        Api::all(deployer.stage.control_plane.client());
    let definition = definitions.get(SsoConnector::crd_name()).await.unwrap();
    assert_eq!(definition.metadata.deletion_timestamp, None);
}

impl Deployer {
    /// Runs what the chart's Deployment says.
    async fn run_pods(&self, image: &Image) -> RunningPods {
        let reference = format!("{OPERATOR}:{}", env!("CARGO_PKG_VERSION"));
        let cloudflare: Url = self.stage.simulator.base_url().parse().unwrap();
        PodRunner::new()
            .image(&reference, ContainerImage::from(image))
            .reach(cloudflare.port().unwrap())
            .start(&self.stage.control_plane)
            .await
            .unwrap()
    }

    /// The values of the chart that make its operator fit for a test.
    fn values(&self) -> Value {
        json!({
            "cloudflare": { "baseURL": self.stage.simulator.base_url() },
            "poll": { "unverified": "1s", "settled": "2s" },
            "dns": { "lookups": false },
            "extraArgs": ["--backoff=100ms", "--creation-lag=2s", "--deletion-delay=300ms"],
        })
    }

    async fn enable(&self, name: &str) {
        let object = self
            .stage
            .until_ready_in(CONNECTORS_NAMESPACE, name, "AwaitingVerification")
            .await;
        let record = object.status.unwrap().dns_record.unwrap();
        self.stage
            .simulator
            .admin()
            .publish_txt(&record.name, &record.value);
        self.stage
            .until_ready_in(CONNECTORS_NAMESPACE, name, "Available")
            .await;
    }

    /// Nothing is deleted meanwhile, not even what nobody has to confirm.
    async fn waits_for_a_confirmation(&self) {
        until("the Application to be deleted", PATIENCE, async || {
            let application = self.applications().get(CONNECTORS).await.unwrap();
            application
                .metadata
                .deletion_timestamp
                .map(|_| ())
                .ok_or("it is not")
        })
        .await
        .unwrap();
        self.stage.heartbeats(2).await;
        for name in [CONNECTOR, RETAINED] {
            let object = self
                .stage
                .objects_in(CONNECTORS_NAMESPACE)
                .get(name)
                .await
                .unwrap();
            assert_eq!(object.metadata.deletion_timestamp, None, "{name}");
        }
    }

    fn one_connector_is_left(&self) {
        let left = self.stage.simulator.admin().connectors(ACCOUNT);
        let left: Vec<_> = left
            .iter()
            .map(|one| (one.email_domain.as_str(), one.enabled))
            .collect();
        assert_eq!(left, [("example.org", true)]);
        assert_eq!(
            self.stage.simulator.calls().of(Operation::Delete).count(),
            1
        );
    }

    /// By the API server's own log.
    async fn order_of_deletion(&self) {
        let expected = ["ssoconnectors", "secrets", "deployments"];
        until("the log to be complete", PATIENCE, async || {
            let events = self.stage.control_plane.audit_events().unwrap();
            let mut order: Vec<String> = Vec::new();
            for event in events {
                let ours = event.verb == "delete"
                    && event.namespace != ARGO_CD_NAMESPACE
                    && expected.contains(&event.resource.as_str());
                if ours && !order.contains(&event.resource) {
                    order.push(event.resource);
                }
            }
            if order == expected {
                Ok(())
            } else {
                Err(format!("{order:?}"))
            }
        })
        .await
        .unwrap();
    }
}

/// A second connector, which stays when its object goes.
fn retain_another(folder: &Checkout) {
    let sample = folder.read(&format!("connectors/{CONNECTOR}.yaml"));
    let mut object: Value = serde_saphyr::from_str(&sample).unwrap();
    object["metadata"]["name"] = RETAINED.into();
    object["metadata"]["annotations"] = json!({ "argocd.argoproj.io/sync-wave": "1" });
    object["spec"]["emailDomain"] = "example.org".into();
    object["spec"]["deletionPolicy"] = "Retain".into();
    folder.write(&format!("connectors/{RETAINED}.json"), &object.to_string());
    folder.commit("Another connector");
}

/// An Application that two others belong to.
fn of_both(checkout: &Checkout) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": ROOT,
            "namespace": ARGO_CD_NAMESPACE,
            "finalizers": ["resources-finalizer.argocd.argoproj.io/foreground"],
        },
        "spec": {
            "project": "default",
            "source": { "repoURL": checkout.url(), "targetRevision": "main", "path": "." },
            "destination": { "server": "https://kubernetes.default.svc", "namespace": ARGO_CD_NAMESPACE },
            "syncPolicy": { "automated": {} },
        },
    })
}
