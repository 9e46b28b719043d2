//! The operator from its chart, by Argo CD.

use harness::await_object;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use kube::api::Api;
use serde_json::{Value, json};

use cloudflare_sso_operator::resource::SsoConnector;

use super::{Deployer, OPERATOR, PATIENCE, application, bare_stage};
use crate::checkout::Checkout;
use crate::definition::fields;
use crate::stage::OPERATOR_NAMESPACE;

/// The definition in the repository.
const DEFINITION: &str = "crds/ssoconnectors.cloudflare-sso.dev.yaml";
/// A field that an older definition did not have.
const FIELD: &str = "suspend";
/// How often the Application is compared.
const REFRESHES: usize = 10;

#[tokio::test]
async fn the_chart_is_synced_from_git_with_its_definition_and_its_parameters() {
    let deployer = Deployer::set(bare_stage().await).await;
    let checkout = Checkout::of_this_repository();
    let newest = checkout.read(DEFINITION);
    checkout.write(DEFINITION, &older(&newest));
    checkout.commit("An older definition");
    deployer
        .stage
        .apply(&application(OPERATOR, &checkout))
        .await;
    deployer.until_synced(OPERATOR).await;
    assert!(!has_field(&deployer.definition(|_| true).await));
    deployer.namespace_is_restricted().await;
    deployer.nothing_of_helm_alone_is_there().await;

    checkout.write(DEFINITION, &newest);
    checkout.commit("The newest definition");
    deployer.refresh(OPERATOR).await;
    deployer.definition(has_field).await;
    deployer.until_synced(OPERATOR).await;

    deployer.set_parameter("replicaCount", "3").await;
    let deployments: Api<Deployment> =
        Api::namespaced(deployer.stage.control_plane.client(), OPERATOR_NAMESPACE);
    await_object(
        &deployments,
        OPERATOR,
        "three replicas",
        PATIENCE,
        |deployment| deployment.spec.as_ref().and_then(|spec| spec.replicas) == Some(3),
    )
    .await
    .unwrap();
    deployer
        .until(OPERATOR, "to be synced with them", |status| {
            let compared = &status["sync"]["comparedTo"]["source"]["helm"]["parameters"];
            compared[0]["value"] == "3"
                && status["sync"]["status"] == "Synced"
                && status["operationState"]["phase"] == "Succeeded"
        })
        .await;
    deployer.stays_synced(OPERATOR, REFRESHES).await;
    deployer.the_definition_is_not_pruned().await;
}

impl Deployer {
    /// Waits until the definition is as `predicate` says.
    async fn definition(
        &self,
        predicate: fn(&CustomResourceDefinition) -> bool,
    ) -> CustomResourceDefinition {
        let definitions: Api<CustomResourceDefinition> =
            Api::all(self.stage.control_plane.client());
        let name = SsoConnector::crd_name();
        let found = await_object(&definitions, name, "to be updated", PATIENCE, predicate).await;
        found.unwrap()
    }

    async fn namespace_is_restricted(&self) {
        let namespaces: Api<Namespace> = Api::all(self.stage.control_plane.client());
        let namespace = namespaces.get(OPERATOR_NAMESPACE).await.unwrap();
        let labels = namespace.metadata.labels.unwrap_or_default();
        let enforced = labels.get("pod-security.kubernetes.io/enforce");
        assert_eq!(enforced.map(String::as_str), Some("restricted"));
    }

    /// Argo CD updates the definition itself; the hook is for `helm upgrade`.
    async fn nothing_of_helm_alone_is_there(&self) {
        let application = self.applications().get(OPERATOR).await.unwrap();
        let resources = &application.data["status"]["resources"];
        let kinds: Vec<&Value> = resources
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| &resource["kind"])
            .collect();
        assert!(
            kinds.contains(&&json!("CustomResourceDefinition")),
            "{kinds:?}"
        );
        assert!(!kinds.contains(&&json!("Job")), "{kinds:?}");
        let results = &application.data["status"]["operationState"]["syncResult"]["resources"];
        let hooks: Vec<&Value> = results
            .as_array()
            .unwrap()
            .iter()
            .filter(|result| !result["hookType"].is_null())
            .collect();
        assert!(hooks.is_empty(), "{hooks:#?}");
    }

    /// Left out of the chart it is not wanted any more, and stays nevertheless.
    async fn the_definition_is_not_pruned(&self) {
        let arguments = ["app", "set", OPERATOR, "--helm-skip-crds"];
        let set = self.argo_cd.command(&arguments).await.unwrap();
        set.success().unwrap();
        self.until(OPERATOR, "the definition not to be wanted", |status| {
            status["sync"]["comparedTo"]["source"]["helm"]["skipCrds"] == true
        })
        .await;
        self.stays_synced(OPERATOR, 2).await;
        let definition = self.definition(|_| true).await;
        assert_eq!(definition.metadata.deletion_timestamp, None);
    }

    /// A value of the chart, as `argocd app set --helm-set` sets it.
    async fn set_parameter(&self, name: &str, value: &str) {
        let argument = format!("{name}={value}");
        let arguments = ["app", "set", OPERATOR, "--helm-set", &argument];
        let set = self.argo_cd.command(&arguments).await.unwrap();
        set.success().unwrap();
    }
}

/// The definition without the field, as a version had it that did not know it.
fn older(definition: &str) -> String {
    let mut definition: Value = serde_saphyr::from_str(definition).unwrap();
    fields(&mut definition).remove(FIELD).unwrap();
    definition.to_string()
}

fn has_field(definition: &CustomResourceDefinition) -> bool {
    let mut definition = serde_json::to_value(definition).unwrap();
    fields(&mut definition).contains_key(FIELD)
}
