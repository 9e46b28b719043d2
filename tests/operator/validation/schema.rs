//! What holds for the schema as a document.

use std::collections::BTreeSet;

use cloudflare_sso_operator::resource::{custom_resource_definition, yaml};
use serde_json::{Map, Value, json};

use super::rows::{OTHER_ACCOUNT, OTHER_CONNECTOR, OTHER_DOMAIN, refused_by_a_rule};
use super::{DEFINITION, first_status};
use crate::stage::repository;

/// Where a schema has its rules.
const RULES: &str = "x-kubernetes-validations";

#[test]
fn the_schema_has_no_null_no_default_in_spec_and_rules_on_fields_only() {
    assert_eq!(
        std::fs::read_to_string(repository().join(DEFINITION)).unwrap(),
        yaml().unwrap(),
        "{DEFINITION} is not what `cloudflare-sso-operator crd` prints"
    );
    let crd = serde_json::to_value(custom_resource_definition()).unwrap();
    for node in nodes(&crd) {
        assert_ne!(node.get("nullable"), Some(&json!(true)), "{node:?}");
    }
    let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert!(root.get(RULES).is_none());
    let status = &root["properties"]["status"];
    assert_eq!(status["default"], first_status());
    assert!(status.get(RULES).is_none());

    let spec = &root["properties"]["spec"];
    assert!(spec.get(RULES).is_none());
    let mut rules = 0;
    for node in nodes(spec) {
        for word in ["default", "pattern"] {
            // A property of that name would be a schema, which is an object.
            assert!(node.get(word).is_none_or(Value::is_object), "{node:?}");
        }
        for rule in rules_of(node) {
            assert!(
                rule.get("message")
                    .or(rule.get("messageExpression"))
                    .is_some(),
                "{rule} would speak CEL"
            );
            rules += 1;
        }
    }
    assert!(rules >= 6, "only {rules} rules");
}

/// Every message that a rule can give is in one of the tables above, so no rule goes untested.
#[test]
fn every_message_of_every_rule_has_a_test() {
    let mut tested: BTreeSet<_> = refused_by_a_rule()
        .into_iter()
        .map(|row| row.2.to_owned())
        .collect();
    tested.extend([OTHER_ACCOUNT, OTHER_CONNECTOR, OTHER_DOMAIN].map(str::to_owned));
    let crd = serde_json::to_value(custom_resource_definition()).unwrap();
    let mut written = BTreeSet::new();
    for node in nodes(&crd) {
        for rule in rules_of(node) {
            written.extend(rule["message"].as_str().map(str::to_owned));
            let expression = rule["messageExpression"].as_str().unwrap_or_default();
            let literals = expression.split('\'').skip(1).step_by(2);
            written.extend(
                literals
                    .filter(|text| text.starts_with("must "))
                    .map(str::to_owned),
            );
        }
    }
    assert_eq!(tested, written);
}

/// Every JSON object in a value, itself included, outermost first.
fn nodes(value: &Value) -> Vec<&Map<String, Value>> {
    let (own, children): (_, Vec<&Value>) = match value {
        Value::Object(object) => (Some(object), object.values().collect()),
        Value::Array(items) => (None, items.iter().collect()),
        _ => (None, Vec::new()),
    };
    own.into_iter()
        .chain(children.into_iter().flat_map(nodes))
        .collect()
}

fn rules_of(node: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let rules = node.get(RULES).and_then(Value::as_array);
    rules.into_iter().flatten()
}
