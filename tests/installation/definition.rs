//! The definition of this version, and what the tests make of it: definitions as another version could have had them.

use cloudflare_sso_operator::resource::{DEFINITION_VERSION, custom_resource_definition};
use serde_json::{Map, Value, json};

/// The version before this one, as the tests make it up.
pub(crate) const BEFORE: &str = "0.0.9";

/// That of this version.
pub(crate) fn ours() -> Value {
    serde_json::to_value(custom_resource_definition()).unwrap()
}

/// The fields of the spec in a definition.
pub(crate) fn fields(definition: &mut Value) -> &mut Map<String, Value> {
    let root = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let spec = &mut root["properties"]["spec"]["properties"];
    spec.as_object_mut().unwrap()
}

/// Makes it one of the version before.
pub(crate) fn of_the_version_before(definition: &mut Value) {
    definition["metadata"]["annotations"][DEFINITION_VERSION] = json!(BEFORE);
}

/// Adds a rule that went since; this operator can work under it.
pub(crate) fn with_an_old_rule(definition: &mut Value) {
    let rule = json!({ "rule": "self != 'old.example'", "message": "an old rule" });
    let domain = &mut fields(definition)["emailDomain"];
    let rules = &mut domain["x-kubernetes-validations"];
    rules.as_array_mut().unwrap().push(rule);
}
