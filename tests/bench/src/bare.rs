//! The calls that the operator cannot do without, made by nobody who thinks: the floor of every time.

use std::path::Path;
use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::Failure;
use crate::ground::{self, Account, CONCURRENCY, Ground};

/// How many objects the operator works on at once.
const PLACES: usize = 8;
/// How many Events a new object has until its code is in the status.
pub(crate) const EVENTS: usize = 3;
const DEFINITION: &str = "ssoconnectors.cloudflare-sso.dev";

/// Makes calls with the operator's rights.
pub(crate) struct Bare<'a> {
    ground: &'a Ground,
    namespace: &'static str,
    objects: Api<DynamicObject>,
    secrets: Api<Secret>,
    definitions: Api<CustomResourceDefinition>,
    client: Client,
    cloudflare: reqwest::Client,
}

impl<'a> Bare<'a> {
    /// For the objects of a namespace.
    pub(crate) async fn new(ground: &'a Ground, namespace: &'static str) -> Result<Self, Failure> {
        let client = client(&ground.kubeconfig().await?).await?;
        Ok(Self {
            ground,
            namespace,
            objects: ground::objects(client.clone(), namespace),
            secrets: Api::namespaced(client.clone(), namespace),
            definitions: Api::all(client.clone()),
            client,
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

    /// All that the operator does for each of many new objects, as many at a time as it works on.
    pub(crate) async fn create_all(
        &self,
        applied: impl Stream<Item = Result<usize, Failure>>,
    ) -> Result<(), Failure> {
        applied
            .map(|applied| async move {
                let number = applied?;
                self.create_connector(number).await?;
                self.announce(number).await
            })
            .buffer_unordered(PLACES)
            .try_collect()
            .await
    }

    /// The same for objects that are applied meanwhile.
    pub(crate) async fn apply_and_create(
        &self,
        numbers: impl Iterator<Item = usize>,
    ) -> Result<(), Failure> {
        let applied = stream::iter(numbers)
            .map(|number| async move {
                let created = self.ground.create(self.namespace, number).await;
                created.map(|()| number)
            })
            .buffered(CONCURRENCY);
        self.create_all(applied).await
    }

    /// Tells of it in Events, as long as the operator's.
    async fn announce(&self, number: usize) -> Result<(), Failure> {
        let object = ObjectReference {
            api_version: Some("cloudflare-sso.dev/v1alpha1".to_owned()),
            kind: Some("SsoConnector".to_owned()),
            name: Some(format!("object-{number}")),
            namespace: Some(self.namespace.to_owned()),
            ..ObjectReference::default()
        };
        let [condition, ..] = conditions("cloudflare_dashboard_sso=0123456789abcdef");
        for event in 0..EVENTS {
            let event = Event {
                type_: EventType::Normal,
                reason: format!("Reason{event}"),
                note: condition["message"].as_str().map(str::to_owned),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            let reporter = Reporter {
                controller: "bench".to_owned(),
                instance: None,
            };
            let recorder = Recorder::new(self.client.clone(), reporter);
            recorder.publish(&event, &object).await?;
        }
        Ok(())
    }

    async fn store(&self, name: &str, status: &Value) -> Result<(), Failure> {
        self.definitions.get_metadata(DEFINITION).await?;
        let patch = Patch::Merge(json!({ "status": status }));
        self.objects
            .patch_status(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Lists the account, as it must be before anything is created in it.
    pub(crate) async fn list(&self, number: usize) -> Result<(), Failure> {
        let account = self.ground.account(number);
        let call = self.cloudflare.get(self.connectors(account));
        let answer = call.bearer_auth(&account.token).send().await?;
        answer.error_for_status()?.bytes().await?;
        Ok(())
    }

    fn connectors(&self, account: &Account) -> String {
        let base = self.ground.simulator.base_url();
        format!("{base}/accounts/{}/sso_connectors", account.id)
    }

    async fn post(&self, account: &Account, number: usize) -> Result<Value, Failure> {
        let answer = self
            .cloudflare
            .post(self.connectors(account))
            .bearer_auth(&account.token)
            .json(&json!({ "email_domain": format!("object-{number}.example") }))
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json().await?)
    }
}

/// As many as the operator writes, and as long.
fn conditions(code: &str) -> [Value; 4] {
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "False", "reason": "AwaitingVerification",
            "message": format!("Publish this DNS record: type TXT, name object.example, value {code} — Cloudflare is looking for it."),
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    ["Ready", "Synced", "Verified", "Enabled"].map(condition)
}

async fn client(kubeconfig: &Path) -> Result<Client, Failure> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
