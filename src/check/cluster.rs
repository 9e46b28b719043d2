//! Whether the API server answers, has the definition, and gives the operator every right that it needs.

use std::error::Error;
use std::iter::successors;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use kube::{Client, CustomResourceExt as _};

use super::Finding;
use super::definition::shortcoming;
use crate::cli::CheckArgs;
use crate::foreign_text;
use crate::kubernetes::{self, KubernetesFailure, within};
use crate::lease;
use crate::resource::SsoConnector;
use crate::rights::{self, Right, Setting};

const ANSWERS: &str = "The API server answers";
const DEFINITION: &str = "The custom resource definition is installed and up to date";
const RIGHTS: &str = "The operator's rights are known";
const LEASE_RIGHTS: &str = "The operator has the rights to its Lease";

/// Asks the API server.
pub(super) async fn check(arguments: &CheckArgs) -> Vec<Finding> {
    let (client, address) = match client(arguments).await {
        Ok(reached) => reached,
        Err(failure) => {
            let remedy = "Set KUBECONFIG, run in a Pod with a ServiceAccount, or skip this with --skip-kubernetes.";
            return vec![Finding::fails(
                ANSWERS,
                quote(&with_causes(&*failure)),
                remedy,
            )];
        }
    };
    let (answers, user) = match meet(&client).await {
        Ok((version, user)) => {
            let statement = format!("{ANSWERS}: {version}, to {user}");
            (Finding::holds(statement), user)
        }
        Err(failure) => {
            let remedy =
                "Check the address and the credentials in the kubeconfig, and the network.";
            let problem = format!("{address}: {}", with_causes(&failure));
            return vec![Finding::fails(ANSWERS, quote(&problem), remedy)];
        }
    };
    let mut findings = vec![answers, definition(&client).await];
    findings.extend(rights(&client, arguments, &user).await);
    findings
}

/// Who asks the API server, and at which address.
async fn client(arguments: &CheckArgs) -> Result<(Client, String), Box<dyn Error + Send + Sync>> {
    let mut config = kubernetes::configuration().await?;
    if let Some(user) = &arguments.impersonate {
        config.auth_info.impersonate = Some(user.clone());
    }
    let address = config.cluster_url.to_string();
    Ok((Client::try_from(config)?, address))
}

/// Which version the API server is, and who we are to it.
async fn meet(client: &Client) -> Result<(String, String), KubernetesFailure> {
    let version = within(client.apiserver_version()).await?.git_version;
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let options = PostParams::default();
    let question = SelfSubjectReview::default();
    let user = match within(reviews.create(&options, &question)).await {
        Ok(review) => review.status.and_then(|status| status.user_info?.username),
        // The API server does answer; what cannot be asked is told with the rights.
        Err(failure) if failure.is_forbidden() => None,
        Err(failure) => return Err(failure),
    };
    let user = user.unwrap_or_else(|| "somebody unnamed".to_owned());
    Ok((quote(&version), quote(&user)))
}

async fn definition(client: &Client) -> Finding {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let apply = "Apply the files in crds/ of this version.";
    match within(definitions.get_opt(SsoConnector::crd_name())).await {
        Ok(Some(found)) => match shortcoming(&found) {
            None => Finding::holds(DEFINITION),
            Some(problem) => Finding::fails(DEFINITION, problem, apply),
        },
        Ok(None) => Finding::fails(DEFINITION, "it is not there", apply),
        Err(failure) if failure.is_forbidden() => Finding::skipped(
            DEFINITION,
            "it may not be read; see the missing right below",
        ),
        Err(failure) => Finding::fails(DEFINITION, quote(&failure), "Try again."),
    }
}

async fn rights(client: &Client, arguments: &CheckArgs, user: &str) -> Vec<Finding> {
    let lease_namespace = lease::namespace(arguments.place.lease_namespace.as_deref()).ok();
    let needed = rights::needed(Setting {
        scope: &arguments.place.watch_namespaces,
        lease_namespace: lease_namespace.as_deref(),
        lease_name: &arguments.place.lease_name,
    });
    let mut findings = match rights::missing(client, &needed).await {
        Ok(missing) => judge(&needed, &missing, user),
        Err(failure) => {
            let remedy = "Everybody may ask for their own rights through the ClusterRole system:basic-user; bind it again.";
            vec![Finding::fails(RIGHTS, quote(&failure), remedy)]
        }
    };
    if lease_namespace.is_none() {
        let why = "--lease-namespace is not given";
        findings.push(Finding::skipped(LEASE_RIGHTS, why));
    }
    findings
}

fn judge(needed: &[Right], missing: &[&Right], user: &str) -> Vec<Finding> {
    if missing.is_empty() {
        let statement = format!(
            "{user} has all {} rights that were asked about",
            needed.len()
        );
        return vec![Finding::holds(statement)];
    }
    missing
        .iter()
        .map(|right| {
            let statement = format!("{user} may {right}");
            let remedy = format!(
                "Grant it, as the chart and deploy/install.yaml do. Why it is needed: {}.",
                right.why
            );
            Finding::fails(statement, "the right is missing", remedy)
        })
        .collect()
}

/// A failure and what has led to it. Some failures repeat the words of their cause; these are told once.
fn with_causes(failure: &dyn Error) -> String {
    let causes = successors(failure.source(), |cause| (*cause).source());
    causes.fold(failure.to_string(), |told, cause| {
        let words = cause.to_string();
        if told.contains(&words) {
            return told;
        }
        format!("{told}: {words}")
    })
}

/// The words of the API server, or of whatever stands in its place.
fn quote(words: &impl ToString) -> String {
    foreign_text::quote(&words.to_string(), &[])
}
