//! Reads the API token from the object's Secret. It is read by name whenever it is needed: the operator may neither list
//! nor watch Secrets, and a changed token needs no restart.

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;

use crate::cloudflare::ApiToken;
use crate::kubernetes::{KubernetesFailure, within};
use crate::resource::{ApiTokenSecretRef, DEFAULT_SECRET_KEY};

/// What reading the token came to.
#[derive(Debug)]
pub(super) enum Reading {
    /// A token.
    Token(ApiToken),
    /// There is none because the Secret is not there.
    Absent {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// There is no reference, or what it names is not a token.
    Unusable {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
}

/// Reads the token that the reference names.
///
/// # Errors
/// If the API server cannot be asked.
pub(super) async fn read(
    client: &Client,
    namespace: &str,
    reference: Option<&ApiTokenSecretRef>,
) -> Result<Reading, KubernetesFailure> {
    let unusable = |problem: String, remedy: String| Ok(Reading::Unusable { problem, remedy });
    let Some(ApiTokenSecretRef { name, key }) = reference else {
        return unusable(
            "There is no API token for this object.".to_owned(),
            "Set spec.apiTokenSecretRef to a Secret of this namespace.".to_owned(),
        );
    };
    let key = key.as_deref().unwrap_or(DEFAULT_SECRET_KEY);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = match within(secrets.get_opt(name)).await {
        Err(failure) if failure.is_forbidden() => {
            return unusable(
                format!("The operator may not read Secret {name} in namespace {namespace}."),
                "Grant its ServiceAccount the verb get on secrets there.".to_owned(),
            );
        }
        other => other?,
    };
    let Some(secret) = secret else {
        return Ok(Reading::Absent {
            problem: format!("Secret {name} does not exist in namespace {namespace}."),
            remedy: format!("Create it with an API token in the key {key}."),
        });
    };
    let Some(value) = secret.data.as_ref().and_then(|data| data.get(key)) else {
        return unusable(
            format!("Secret {name} has no key {key}."),
            "Put the API token there, or name another key in spec.apiTokenSecretRef.key."
                .to_owned(),
        );
    };
    match ApiToken::parse(&value.0) {
        Ok(token) => Ok(Reading::Token(token)),
        Err(invalid) => unusable(
            format!("The key {key} of Secret {name} does not hold an API token: {invalid}."),
            "Put one there.".to_owned(),
        ),
    }
}
