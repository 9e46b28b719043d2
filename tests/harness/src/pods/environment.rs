//! The environment of a container: what its Pod says, with every reference followed.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvFromSource, EnvVarSource, ObjectFieldSelector, Pod, Secret,
};
use kube::{Api, Client, ResourceExt as _};

/// Why a container cannot be described, as its status shows it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lack {
    /// An object, or a key of it, that is not optional.
    #[error("{0}")]
    Missing(String),
    /// Something that these Pods do not have.
    #[error("{0} is not supported by this harness")]
    Unsupported(String),
    /// The API server.
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
}

/// The environment of a container. `given` is what every container of the cluster has.
pub(super) async fn resolve(
    client: &Client,
    pod: &Pod,
    container: &Container,
    given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Lack> {
    let namespace = pod.namespace().unwrap_or_default();
    let mut environment = given;
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.clone().unwrap_or_default();
        for (key, value) in whole(client, &namespace, source).await? {
            environment.insert(format!("{prefix}{key}"), value);
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => follow(client, pod, &namespace, source).await?,
            (value, None) => Some(expand(value.as_deref().unwrap_or_default(), &environment)),
        };
        if let Some(value) = value {
            environment.insert(variable.name.clone(), value);
        }
    }
    Ok(environment)
}

/// `$(NAME)` becomes the value of a variable that exists; `$$` is one dollar.
pub(super) fn expand(text: &str, environment: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let reference = after
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'))
            .and_then(|(name, beyond)| Some((environment.get(name)?, beyond)));
        rest = match (reference, after.strip_prefix('$')) {
            (Some((value, beyond)), _) => {
                expanded.push_str(value);
                beyond
            }
            (None, Some(beyond)) => {
                expanded.push('$');
                beyond
            }
            (None, None) => {
                expanded.push('$');
                after
            }
        };
    }
    expanded + rest
}

/// A field of the Pod, as containers may ask for it.
pub(super) fn field(pod: &Pod, selector: &ObjectFieldSelector) -> Result<String, Lack> {
    let path = selector.field_path.as_str();
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let value = match path {
        "metadata.name" => Some(pod.name_any()),
        "metadata.namespace" => pod.namespace(),
        "metadata.uid" => pod.uid(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.podIP" => status.and_then(|status| status.pod_ip.clone()),
        "status.hostIP" => status.and_then(|status| status.host_ip.clone()),
        _ => match path
            .strip_suffix("']")
            .and_then(|path| path.split_once("['"))
        {
            Some(("metadata.labels", key)) => pod.labels().get(key).cloned(),
            Some(("metadata.annotations", key)) => pod.annotations().get(key).cloned(),
            _ => return Err(Lack::Unsupported(format!("the field {path}"))),
        },
    };
    Ok(value.unwrap_or_default())
}

/// The data of a `ConfigMap` as bytes.
pub(super) fn config_map_data(map: ConfigMap) -> BTreeMap<String, ByteString> {
    let text = map.data.into_iter().flatten();
    let text = text.map(|(key, value)| (key, ByteString(value.into_bytes())));
    text.chain(map.binary_data.into_iter().flatten()).collect()
}

/// The object, or nothing if it may be missing.
pub(super) async fn present<K>(
    api: Api<K>,
    name: &str,
    optional: Option<bool>,
) -> Result<Option<K>, Lack>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    match (api.get_opt(name).await?, optional) {
        (None, None | Some(false)) => {
            let kind = K::kind(&()).to_lowercase();
            Err(Lack::Missing(format!("{kind} \"{name}\" not found")))
        }
        (found, _) => Ok(found),
    }
}

async fn whole(
    client: &Client,
    namespace: &str,
    source: &EnvFromSource,
) -> Result<BTreeMap<String, String>, Lack> {
    let mut data = BTreeMap::new();
    if let Some(reference) = &source.config_map_ref {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let found = present(api, &reference.name, reference.optional).await?;
        data.extend(found.map(config_map_data).into_iter().flatten());
    }
    if let Some(reference) = &source.secret_ref {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = present(api, &reference.name, reference.optional).await?;
        data.extend(found.and_then(|secret| secret.data).into_iter().flatten());
    }
    let text = |(key, value): (String, ByteString)| (key, as_text(&value));
    Ok(data.into_iter().map(text).collect())
}

async fn follow(
    client: &Client,
    pod: &Pod,
    namespace: &str,
    source: &EnvVarSource,
) -> Result<Option<String>, Lack> {
    let (data, key, optional) = if let Some(selector) = &source.field_ref {
        return field(pod, selector).map(Some);
    } else if let Some(selector) = &source.config_map_key_ref {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let found = present(api, &selector.name, selector.optional).await?;
        (found.map(config_map_data), &selector.key, selector.optional)
    } else if let Some(selector) = &source.secret_key_ref {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = present(api, &selector.name, selector.optional).await?;
        (
            found.and_then(|found| found.data),
            &selector.key,
            selector.optional,
        )
    } else {
        return Err(Lack::Unsupported("this source of a variable".to_owned()));
    };
    match (data.unwrap_or_default().remove(key), optional) {
        (None, None | Some(false)) => Err(Lack::Missing(format!("couldn't find key {key}"))),
        (found, _) => Ok(found.as_ref().map(as_text)),
    }
}

fn as_text(value: &ByteString) -> String {
    String::from_utf8_lossy(&value.0).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_and_everything_else_is_left() {
        let environment = BTreeMap::from([("NAME".to_owned(), "value".to_owned())]);
        for (text, expanded) in [
            ("plain", "plain"),
            ("$(NAME)", "value"),
            ("a$(NAME)b$(NAME)", "avaluebvalue"),
            ("$(OTHER)", "$(OTHER)"),
            ("$$(NAME)", "$(NAME)"),
            ("$NAME ${NAME} $", "$NAME ${NAME} $"),
            ("$(NAME", "$(NAME"),
        ] {
            assert_eq!(expand(text, &environment), expanded, "{text}");
        }
    }
}
