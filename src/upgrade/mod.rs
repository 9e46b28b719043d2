//! `crd apply`: puts the custom resource definition of this version into the cluster. Helm installs `crds/` once and never
//! looks at it again, so the chart runs this before each upgrade. A definition is created or replaced and never deleted, and
//! one that is newer stays: an older operator runs under it, so that a rollback is always possible.
//!
//! | file | idea |
//! |---|---|
//! | `verdict` | what becomes of the definition that is found, pure |
//!
//! The definition is replaced on the very version that was judged: one that somebody else has changed in between is judged
//! anew. Replaced whole, it says afterwards what this version says, whichever field manager (helm, kubectl, Argo CD) had
//! written what was there.

mod verdict;

use std::fmt;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, CustomResourceExt as _, ResourceExt as _};

use crate::kubernetes::{self, KubernetesFailure, within};
use crate::resource::{SsoConnector, custom_resource_definition};

pub use verdict::{Lead, Refusal, Verdict};

/// Who made the change, in the definition's `managedFields`.
const FIELD_MANAGER: &str = "cloudflare-sso-operator";

/// How often it is begun anew because somebody else has changed the definition in between.
const ATTEMPTS: usize = 5;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There was none.
    Created,
    /// An older one has made room.
    Replaced,
    /// It was this one already.
    Unchanged,
    /// A newer one was left as it is.
    Kept(Lead),
}

/// Why the definition in the cluster is not the one that this version needs.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// There is no API server to ask.
    #[error("no API server: set KUBECONFIG, or run in a Pod with a ServiceAccount: {0}")]
    Cluster(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// The definition could not be read or written.
    #[error("the definition of SsoConnector: {0}")]
    Kubernetes(#[from] KubernetesFailure),
    /// A person must look.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Creates or replaces the definition in the cluster, unless a newer one is there.
///
/// # Errors
/// If it could not be read or written, or must not be replaced and is no newer one.
pub async fn apply() -> Result<Outcome, UpgradeError> {
    let definitions = Api::all(client().await?);
    let mut attempt = 1;
    loop {
        match attempt_with(&definitions).await {
            Err(UpgradeError::Kubernetes(failure))
                if failure.is_conflict() && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn client() -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Client::try_from(kubernetes::configuration().await?)?)
}

async fn attempt_with(
    definitions: &Api<CustomResourceDefinition>,
) -> Result<Outcome, UpgradeError> {
    let ours = custom_resource_definition();
    let found = within(definitions.get_opt(SsoConnector::crd_name())).await?;
    match (Verdict::of(&ours, found.as_ref()), found) {
        (Verdict::Keep(lead), _) => Ok(Outcome::Kept(lead)),
        (Verdict::Refuse(refusal), _) => Err(refusal.into()),
        (Verdict::Replace, Some(found)) => Ok(replace(definitions, found, ours).await?),
        (Verdict::Create | Verdict::Replace, _) => Ok(create(definitions, &ours).await?),
    }
}

/// By a server-side apply and not by a POST, as RBAC can tie only the former to a name.
async fn create(
    definitions: &Api<CustomResourceDefinition>,
    ours: &CustomResourceDefinition,
) -> Result<Outcome, KubernetesFailure> {
    let options = PatchParams::apply(FIELD_MANAGER);
    within(definitions.patch(SsoConnector::crd_name(), &options, &Patch::Apply(ours))).await?;
    Ok(Outcome::Created)
}

/// Replaces what the definition says, on the very version that was judged. Labels and annotations of others stay.
async fn replace(
    definitions: &Api<CustomResourceDefinition>,
    found: CustomResourceDefinition,
    ours: CustomResourceDefinition,
) -> Result<Outcome, KubernetesFailure> {
    let judged = found.resource_version();
    let mut successor = found;
    successor.spec = ours.spec;
    successor
        .annotations_mut()
        .extend(ours.metadata.annotations.into_iter().flatten());
    let options = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let replaced =
        within(definitions.replace(SsoConnector::crd_name(), &options, &successor)).await?;
    Ok(if replaced.resource_version() == judged {
        Outcome::Unchanged
    } else {
        Outcome::Replaced
    })
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        match self {
            Self::Created => write!(
                f,
                "The definition of SsoConnector was created, of version {version}."
            ),
            Self::Replaced => write!(
                f,
                "The definition of SsoConnector was replaced by that of version {version}."
            ),
            Self::Unchanged => write!(
                f,
                "The definition of SsoConnector is that of version {version} already."
            ),
            Self::Kept(lead) => write!(
                f,
                "The definition of SsoConnector is newer than version {version} and was left as it is: {lead}."
            ),
        }
    }
}
