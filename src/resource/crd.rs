//! The `CustomResourceDefinition`, generated from the Rust types. `crds/` holds what this prints; nothing is written by hand.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::DEFINITION_VERSION;
use super::condition::{ConditionType, Truth};
use super::reason::Reason;
use super::spec::SsoConnector;

/// The definition that the operator was compiled with.
#[must_use]
pub fn custom_resource_definition() -> CustomResourceDefinition {
    let mut crd = SsoConnector::crd();
    let annotations = [
        (DEFINITION_VERSION, env!("CARGO_PKG_VERSION")),
        // Deleting the definition would delete every object. Helm and Argo CD leave alone what says this.
        ("helm.sh/resource-policy", "keep"),
    ];
    crd.metadata.annotations = Some(
        annotations
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    );
    let schemas = crd
        .spec
        .versions
        .iter_mut()
        .filter_map(|version| version.schema.as_mut());
    for root in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        forbid_null(root);
        if let Some(status) = root
            .properties
            .as_mut()
            .and_then(|properties| properties.get_mut("status"))
        {
            status.default = Some(JSON(first_status()));
        }
    }
    crd
}

/// The definition as YAML, with a line that says where it comes from.
///
/// # Errors
/// If the definition cannot be written as YAML.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    let body = serde_saphyr::to_string(&custom_resource_definition())?;
    Ok(format!(
        "# Generated from the Rust types by `make crd`. Do not edit.\n{body}"
    ))
}

/// What every object shows until the operator has looked at it, so that whoever waits for Ready waits from the first
/// moment (a tool that finds no Ready condition takes an object for healthy).
fn first_status() -> serde_json::Value {
    json!({
        "conditions": [{
            "type": ConditionType::Ready.as_str(),
            "status": Truth::Unknown.as_str(),
            "reason": Reason::Reconciling.as_str(),
            "message": "Waiting for cloudflare-sso-operator",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    })
}

/// An optional field may be absent, never null: a stored null means one thing to the API server and another to clients.
fn forbid_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for child in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        forbid_null(child);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        forbid_null(items);
    }
}
