//! An object as the API server sends it. What it means is found out afterwards, so that one that cannot be read does not keep
//! the others from being seen; and what the operator has no use for is passed over while it comes in. Who has written which
//! field is more than all the rest, and is sent with every copy.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::resource::{GROUP, SsoConnector};

/// An object, as it came.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Brought {
    #[serde(deserialize_with = "needed")]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: Value,
    #[serde(default)]
    pub(super) status: Value,
}

/// What is needed of the metadata.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Needed {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    annotations: Option<BTreeMap<String, String>>,
}

fn needed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let needed = Needed::deserialize(deserializer)?;
    let mut annotations = needed.annotations;
    if let Some(annotations) = &mut annotations {
        annotations.retain(|name, _| name.split('/').next() == Some(GROUP));
    }
    Ok(ObjectMeta {
        annotations,
        name: needed.name,
        namespace: needed.namespace,
        uid: needed.uid,
        resource_version: needed.resource_version,
        generation: needed.generation,
        creation_timestamp: needed.creation_timestamp,
        deletion_timestamp: needed.deletion_timestamp,
        finalizers: needed.finalizers,
        ..ObjectMeta::default()
    })
}

impl Brought {
    /// Its version, as a number: Kubernetes lets the versions of one object be compared like that.
    pub(super) fn version(&self) -> Option<u64> {
        version(&self.metadata)
    }

    /// The object.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn understand(self) -> serde_json::Result<SsoConnector> {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        Ok(SsoConnector {
            metadata,
            spec: serde_json::from_value(spec)?,
            status: serde_json::from_value(status)?,
        })
    }
}

/// The version that the metadata names, as a number.
pub(super) fn version(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_ref()?.parse().ok()
}

impl Resource for Brought {
    type DynamicType = <SsoConnector as Resource>::DynamicType;
    type Scope = <SsoConnector as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        SsoConnector::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        SsoConnector::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        SsoConnector::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        SsoConnector::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_what_was_sent_less_what_others_have_noted_down() {
        let mut sent = json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
            "metadata": {
                "namespace": "team", "name": "example", "uid": "1", "resourceVersion": "7", "generation": 3,
                "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
                "annotations": { "cloudflare-sso.dev/reconcile-at": "now" },
                "finalizers": ["cloudflare-sso.dev/connector"],
            },
            "spec": { "accountID": "023e105f4ecef8ad9ca31a8372d0c353", "emailDomain": "example.com" },
            "status": { "connectorID": "c0" },
        });
        let expected = sent.clone();
        let metadata = &mut sent["metadata"];
        metadata["labels"] = json!({ "team": "identity" });
        metadata["annotations"]["note"] = json!("long");
        metadata["annotations"]["cloudflare-sso.dev.example/x"] = json!("");
        metadata["managedFields"] = json!([{ "manager": "kubectl", "fieldsV1": { "f:spec": {} } }]);
        metadata["ownerReferences"] = json!([]);
        let brought: Brought = serde_json::from_value(sent).unwrap();
        let object = brought.understand().unwrap();
        assert_eq!(serde_json::to_value(&object).unwrap(), expected);
    }

    #[test]
    fn one_without_a_status_has_none() {
        let brought: Brought = serde_json::from_value(json!({
            "metadata": { "name": "example" },
            "spec": { "accountID": "023e105f4ecef8ad9ca31a8372d0c353", "emailDomain": "example.com" },
        }))
        .unwrap();
        assert_eq!(brought.understand().unwrap().status, None);
    }
}
