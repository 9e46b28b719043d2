//! Writes to the API server. Every write is a JSON patch that tests what the decision rests on, so a decision taken on
//! an old copy is refused, and so is one about another object of the same name. And right before every write the definition
//! must be the one that was judged to stand: under an older one the API server would drop fields for good.

use std::time::Duration;

use json_patch::jsonptr::PointerBuf;
use json_patch::{
    AddOperation, Patch as Operations, PatchOperation, RemoveOperation, TestOperation,
};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, CustomResourceExt as _, ResourceExt as _};
use serde_json::{Value, json};
use tracing::warn;

use super::brought::Brought;
use super::scope::{Scope, objects_in};
use crate::definition::{Shift, Unjudged};
use crate::identity::EmailDomain;
use crate::kubernetes::{KubernetesFailure, within};
use crate::plan::{Definition, Guard};
use crate::resource::{FINALIZER, SsoConnector, SsoConnectorStatus};

/// How often the ID of a connector that was just created is offered to the API server in one pass.
const TRIES_TO_STORE_AN_ID: u32 = 6;

/// How long to wait before it is offered again; doubles each time.
const FIRST_WAIT_TO_STORE_AN_ID: Duration = Duration::from_millis(200);

/// Who we are in `metadata.managedFields`.
const FIELD_MANAGER: &str = "cloudflare-sso-operator";

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// It was stored; this is the object now.
    Stored(Box<SsoConnector>),
    /// The object is not what the decision rests on any more.
    Conflict,
}

/// One object on the API server.
#[derive(Debug)]
pub(super) struct Store<'a> {
    api: Api<Brought>,
    definitions: Api<CustomResourceDefinition>,
    shift: &'a Shift,
    object: &'a SsoConnector,
}

impl<'a> Store<'a> {
    /// The object, to be written to in this shift.
    pub(super) fn of(client: &Client, shift: &'a Shift, object: &'a SsoConnector) -> Self {
        let namespace = object.namespace().unwrap_or_default();
        Self {
            api: Api::namespaced(client.clone(), &namespace),
            definitions: Api::all(client.clone()),
            shift,
            object,
        }
    }

    /// Reads the object from the API server itself; `None` if it is not there.
    pub(super) async fn read(&self) -> Result<Option<SsoConnector>, KubernetesFailure> {
        let found = within(self.api.get_opt(&self.object.name_any())).await?;
        let found = found.map(Brought::understand).transpose();
        found.map_err(KubernetesFailure::Unreadable)
    }

    /// What the definition means for the object right now.
    pub(super) async fn definition(&self) -> Result<Definition, KubernetesFailure> {
        let name = SsoConnector::crd_name();
        let found = within(self.definitions.get_metadata_opt(name)).await?;
        let found = found.map(|found| found.metadata);
        let deleted = self.object.metadata.deletion_timestamp.as_ref();
        Ok(self.shift.confirm(found.as_ref(), deleted)?)
    }

    /// Right before each write. That makes it right before each call to Cloudflare, too, as a record is written before it and
    /// the call follows at once: between record and call it would be too late, as under an older definition the record itself
    /// does the damage; and a call that is not made leaves no record behind.
    async fn definition_must_stand(&self) -> Result<(), KubernetesFailure> {
        match self.definition().await? {
            Definition::Stands => Ok(()),
            Definition::Unread | Definition::GoesAway => Err(Unjudged.into()),
        }
    }

    /// Writes the whole status. The ID of a connector that was just created is offered again for some seconds: this may
    /// be the last pass before the process ends, and nobody else knows the ID.
    pub(super) async fn status(
        &self,
        status: &SsoConnectorStatus,
        guard: Guard,
    ) -> Result<Written, KubernetesFailure> {
        let mut operations = self.tests(guard)?;
        operations.push(add("/status", serde_json::to_value(status)?));
        let patch = Patch::Json::<()>(Operations(operations));
        let tries = match guard {
            Guard::SameVersion => 1,
            Guard::SameAttempts => TRIES_TO_STORE_AN_ID,
        };
        let mut wait = FIRST_WAIT_TO_STORE_AN_ID;
        for _ in 1..tries {
            match self.patch_status(&patch).await {
                Err(failure) => {
                    let name = self.object.name_any();
                    warn!(name, cause = %failure, "the ID is not stored yet");
                }
                stored => return stored,
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.patch_status(&patch).await
    }

    async fn patch_status(&self, patch: &Patch<()>) -> Result<Written, KubernetesFailure> {
        self.definition_must_stand().await?;
        let name = self.object.name_any();
        written(within(self.api.patch_status(&name, &manager(), patch)).await)
    }

    /// Puts the finalizer on.
    pub(super) async fn mark(&self) -> Result<Written, KubernetesFailure> {
        self.definition_must_stand().await?;
        let mut finalizers = self.object.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.finalizers(add("/metadata/finalizers", json!(finalizers)))
            .await
    }

    /// Takes the finalizer off, also while the definition goes away.
    pub(super) async fn release(&self) -> Result<Written, KubernetesFailure> {
        self.definition().await?;
        let others: Vec<_> = self
            .object
            .finalizers()
            .iter()
            .filter(|finalizer| *finalizer != FINALIZER)
            .collect();
        let operation = if others.is_empty() {
            PatchOperation::Remove(RemoveOperation {
                path: pointer("/metadata/finalizers"),
            })
        } else {
            add("/metadata/finalizers", json!(others))
        };
        self.finalizers(operation).await
    }

    async fn finalizers(&self, operation: PatchOperation) -> Result<Written, KubernetesFailure> {
        let mut operations = self.tests(Guard::SameVersion)?;
        operations.push(operation);
        let patch = Patch::Json::<()>(Operations(operations));
        written(within(self.api.patch(&self.object.name_any(), &manager(), &patch)).await)
    }

    fn tests(&self, guard: Guard) -> Result<Vec<PatchOperation>, KubernetesFailure> {
        let same_object = test("/metadata/uid", json!(self.object.metadata.uid));
        let same = match guard {
            Guard::SameVersion => test(
                "/metadata/resourceVersion",
                json!(self.object.metadata.resource_version),
            ),
            Guard::SameAttempts => {
                let status = self.object.status.as_ref();
                let attempts = status.and_then(|status| status.pending_create.as_ref());
                test("/status/pendingCreate", serde_json::to_value(attempts)?)
            }
        };
        Ok(vec![same_object, same])
    }
}

/// The objects in scope that are for the domain, in whatever account, as the API server itself has them. Those that cannot be
/// read are left out.
///
/// # Errors
/// If the API server cannot be asked.
pub(super) async fn objects_for(
    client: &Client,
    scope: &Scope,
    domain: &EmailDomain,
) -> Result<Vec<SsoConnector>, KubernetesFailure> {
    let parameters = ListParams::default().fields(&format!("spec.emailDomain={domain}"));
    let mut objects = Vec::new();
    for namespace in scope.namespaces() {
        let api: Api<Brought> = objects_in(client, namespace);
        let found = within(api.list(&parameters)).await?;
        let readable = found
            .items
            .into_iter()
            .filter_map(|it| it.understand().ok());
        objects.extend(readable);
    }
    Ok(objects)
}

/// Whether the namespace is being deleted. One that cannot be read counts as staying.
///
/// # Errors
/// If the API server cannot be asked.
pub(super) async fn is_terminating(
    client: &Client,
    namespace: &str,
) -> Result<bool, KubernetesFailure> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match within(namespaces.get_metadata_opt(namespace)).await {
        Err(failure) if failure.is_forbidden() => Ok(false),
        found => Ok(found?.is_some_and(|found| found.metadata.deletion_timestamp.is_some())),
    }
}

fn written(result: Result<Brought, KubernetesFailure>) -> Result<Written, KubernetesFailure> {
    match result {
        Ok(object) => {
            let object = object.understand();
            let object = object.map_err(KubernetesFailure::Unreadable)?;
            Ok(Written::Stored(Box::new(object)))
        }
        Err(KubernetesFailure::Client(failure)) if is_conflict(&failure) => Ok(Written::Conflict),
        Err(failure) => Err(failure),
    }
}

/// A failed test of a JSON patch is answered with 422, as is a value that breaks the schema; but only the latter names
/// fields. An object that is gone is not what the decision rests on, either.
fn is_conflict(failure: &kube::Error) -> bool {
    let kube::Error::Api(status) = failure else {
        return false;
    };
    let names_fields = status
        .details
        .as_ref()
        .is_some_and(|details| details.causes.iter().any(|cause| !cause.field.is_empty()));
    status.is_conflict() || status.is_not_found() || (status.is_invalid() && !names_fields)
}

fn manager() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

fn pointer(path: &'static str) -> PointerBuf {
    PointerBuf::parse(path).unwrap_or_default()
}

fn add(path: &'static str, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path: pointer(path),
        value,
    })
}

fn test(path: &'static str, value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation {
        path: pointer(path),
        value,
    })
}
