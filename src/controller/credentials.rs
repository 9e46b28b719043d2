//! Reads the API token from the object's Secret, or the operator's own where the object names none. It is read whenever it
//! is needed, so a changed token needs no restart; a Secret by its name, as the operator may neither list nor watch them.

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;

use super::Context;
use crate::clock::Moment;
use crate::cloudflare::ApiToken;
use crate::default_token::DefaultToken;
use crate::kubernetes::{KubernetesFailure, within};
use crate::plan::{Desired, Unusable};
use crate::resource::{ApiTokenSecretRef, DEFAULT_SECRET_KEY};

/// Where an object names its token.
pub(super) const TOKEN_FIELD: &str = "spec.apiTokenSecretRef";

/// Where it may name another one for DNS.
pub(super) const DNS_TOKEN_FIELD: &str = "spec.dns.cloudflare.apiTokenSecretRef";

/// What reading the token came to.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    /// A token.
    Token(ApiToken),
    /// There is none because the Secret is not there.
    Absent(Unusable),
    /// There is no reference, or what it names is not a token.
    Unusable(Unusable),
}

impl Reading {
    /// The token; for one whose Secret is not there, the one that stands in for it.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn token_or(self, stand_in: Option<&ApiToken>) -> Result<ApiToken, Unusable> {
        match (self, stand_in) {
            (Self::Token(token), _) => Ok(token),
            (Self::Absent(_), Some(token)) => Ok(token.clone()),
            (Self::Absent(unusable) | Self::Unusable(unusable), _) => Err(unusable),
        }
    }

    fn unusable(problem: String, remedy: String) -> Self {
        Self::Unusable(Unusable::unavailable(problem, remedy))
    }
}

/// Reads the token that the object names, or the default token if it names none. What another pass has read since that
/// moment serves, too.
///
/// # Errors
/// If the API server cannot be asked.
pub(super) async fn read(
    context: &Context,
    namespace: &str,
    desired: &Desired,
    since: Option<Moment>,
) -> Result<Reading, KubernetesFailure> {
    match &desired.api_token {
        Some(reference) => read_named(context, namespace, reference, TOKEN_FIELD, since).await,
        None => Ok(read_default(context.default_token.as_ref(), namespace, desired).await),
    }
}

/// Reads the default token. Whoever has no grant is not told whether there is one.
async fn read_default(
    default: Option<&DefaultToken>,
    namespace: &str,
    desired: &Desired,
) -> Reading {
    let is_granted =
        |token: &&DefaultToken| token.is_granted(namespace, &desired.account, &desired.domain);
    let Some(token) = default.filter(is_granted) else {
        return Reading::unusable(
            "There is no API token for this object.".to_owned(),
            "Set spec.apiTokenSecretRef to a Secret of this namespace.".to_owned(),
        );
    };
    match token.read().await {
        Ok(token) => Reading::Token(token),
        Err(cause) => Reading::unusable(
            format!(
                "The operator's default token, which this object may use, is not there: {cause}."
            ),
            "Correct that file, or set spec.apiTokenSecretRef to a Secret of this namespace."
                .to_owned(),
        ),
    }
}

/// Reads the token that the reference in this field of the spec names. What another pass has read since that moment serves,
/// too.
///
/// # Errors
/// If the API server cannot be asked.
pub(super) async fn read_named(
    context: &Context,
    namespace: &str,
    reference: &ApiTokenSecretRef,
    field: &'static str,
    since: Option<Moment>,
) -> Result<Reading, KubernetesFailure> {
    let place = (namespace.to_owned(), reference.clone());
    let begun = context.clock.now();
    let shared = since.and_then(|since| context.secrets.since(since, &place, begun));
    if let Some(token) = shared {
        return Ok(Reading::Token(token));
    }
    let reading = read_secret(&context.client, namespace, reference, field).await?;
    match &reading {
        Reading::Token(token) => context.secrets.read(place, begun, token.clone()),
        Reading::Absent(_) | Reading::Unusable(_) => context.secrets.forget(&place),
    }
    Ok(reading)
}

async fn read_secret(
    client: &Client,
    namespace: &str,
    reference: &ApiTokenSecretRef,
    field: &str,
) -> Result<Reading, KubernetesFailure> {
    let ApiTokenSecretRef { name, key } = reference;
    let key = key.as_deref().unwrap_or(DEFAULT_SECRET_KEY);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = match within(secrets.get_opt(name)).await {
        Err(failure) if failure.is_forbidden() => {
            return Ok(Reading::unusable(
                format!("The operator may not read Secret {name} in namespace {namespace}."),
                "Grant its ServiceAccount the verb get on secrets there.".to_owned(),
            ));
        }
        other => other?,
    };
    let Some(secret) = secret else {
        return Ok(Reading::Absent(Unusable::unavailable(
            format!("Secret {name} does not exist in namespace {namespace}."),
            format!("Create it with an API token in the key {key}."),
        )));
    };
    let Some(value) = secret.data.as_ref().and_then(|data| data.get(key)) else {
        return Ok(Reading::unusable(
            format!("Secret {name} has no key {key}."),
            format!("Put the API token there, or name another key in {field}.key."),
        ));
    };
    match ApiToken::parse(&value.0) {
        Ok(token) => Ok(Reading::Token(token)),
        Err(invalid) => Ok(Reading::unusable(
            format!("The key {key} of Secret {name} does not hold an API token: {invalid}."),
            "Put one there.".to_owned(),
        )),
    }
}
