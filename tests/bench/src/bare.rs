//! The calls that the operator cannot do without, made by nobody who thinks: the floor of every time.

use std::path::Path;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::Failure;
use crate::ground::{Account, CONCURRENCY, Ground, NAMESPACE};

/// How many objects the operator works on at once.
pub(crate) const PLACES: usize = 8;
const DEFINITION: &str = "ssoconnectors.cloudflare-sso.dev";

/// Makes calls with the operator's rights.
pub(crate) struct Bare<'a> {
    ground: &'a Ground,
    objects: Api<DynamicObject>,
    secrets: Api<Secret>,
    definitions: Api<CustomResourceDefinition>,
    cloudflare: reqwest::Client,
}

impl<'a> Bare<'a> {
    pub(crate) async fn new(ground: &'a Ground) -> Result<Self, Failure> {
        let client = client(&ground.kubeconfig().await?).await?;
        Ok(Self {
            ground,
            objects: ground.objects_with(client.clone()),
            secrets: Api::namespaced(client.clone(), NAMESPACE),
            definitions: Api::all(client),
            cloudflare: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()?,
        })
    }

    /// From an object that is there to the code in its status: the token is read, the intent is stored, the connector is
    /// created, and what came of it is stored. Each write follows a look at the definition.
    pub(crate) async fn create_connector(&self, number: usize) -> Result<(), Failure> {
        let account = self.ground.account(number);
        self.secrets.get(&account.secret).await?;
        let name = format!("object-{number}");
        let intent = json!({
            "conditions": [],
            "pendingCreate": { "attempts": ["2026-01-01T00:00:00Z"] },
        });
        self.store(&name, &intent).await?;
        let created = self.post(account, number).await?;
        let verification = &created["result"]["verification"];
        let status = json!({
            "conditions": conditions(verification["code"].as_str().unwrap_or_default()),
            "connectorID": created["result"]["id"],
            "createdOn": created["result"]["created_on"],
            "enabled": created["result"]["enabled"],
            "verification": { "code": verification["code"], "status": verification["status"] },
        });
        self.store(&name, &status).await
    }

    /// The same for many objects that are applied meanwhile, as many at a time as the operator works on.
    pub(crate) async fn apply_and_create(
        &self,
        numbers: impl Iterator<Item = usize>,
    ) -> Result<(), Failure> {
        stream::iter(numbers)
            .map(|number| async move { self.ground.create([number]).await.map(|()| number) })
            .buffered(CONCURRENCY)
            .map(|applied| async move { self.create_connector(applied?).await })
            .buffer_unordered(PLACES)
            .try_collect()
            .await
    }

    async fn store(&self, name: &str, status: &Value) -> Result<(), Failure> {
        self.definitions.get_metadata(DEFINITION).await?;
        let patch = Patch::Merge(json!({ "status": status }));
        self.objects
            .patch_status(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    async fn post(&self, account: &Account, number: usize) -> Result<Value, Failure> {
        let base = self.ground.simulator.base_url();
        let url = format!("{base}/accounts/{}/sso_connectors", account.id);
        let answer = self
            .cloudflare
            .post(url)
            .bearer_auth(&account.token)
            .json(&json!({ "email_domain": format!("object-{number}.example") }))
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json().await?)
    }
}

/// As many as the operator writes, and as long.
fn conditions(code: &str) -> Value {
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "False", "reason": "AwaitingVerification",
            "message": format!("Publish this DNS record: type TXT, name object.example, value {code} — Cloudflare is looking for it."),
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    json!(["Ready", "Synced", "Verified", "Enabled"].map(condition))
}

async fn client(kubeconfig: &Path) -> Result<Client, Failure> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
