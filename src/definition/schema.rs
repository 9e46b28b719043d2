//! Which fields a schema lacks that another one has.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Every property of `ours`, at any depth, that `theirs` does not have, has as another type, or allows fewer words for:
/// such a value could not be stored. What `theirs` has beyond that does no harm.
pub(super) fn lacking(ours: &JSONSchemaProps, theirs: &JSONSchemaProps) -> Vec<String> {
    let mut paths = Vec::new();
    compare(ours, theirs, "", &mut paths);
    paths
}

fn compare(
    ours: &JSONSchemaProps,
    theirs: &JSONSchemaProps,
    path: &str,
    lacking: &mut Vec<String>,
) {
    if ours.type_ != theirs.type_ {
        lacking.push(format!(
            "{path} as {}",
            ours.type_.as_deref().unwrap_or("anything")
        ));
        return;
    }
    if let Some(allowed) = &theirs.enum_ {
        let words = ours.enum_.iter().flatten();
        for word in words.filter(|word| !allowed.contains(word)) {
            lacking.push(format!("{path}: {}", word.0));
        }
    }
    let none = BTreeMap::new();
    let known = theirs.properties.as_ref().unwrap_or(&none);
    for (name, property) in ours.properties.iter().flatten() {
        let path = below(path, name);
        match known.get(name) {
            Some(theirs) => compare(property, theirs, &path, lacking),
            None => lacking.push(path),
        }
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &ours.items {
        let path = format!("{path}[]");
        match &theirs.items {
            Some(JSONSchemaPropsOrArray::Schema(theirs)) => compare(items, theirs, &path, lacking),
            Some(JSONSchemaPropsOrArray::Schemas(_)) | None => lacking.push(path),
        }
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &ours.additional_properties {
        let path = below(path, "*");
        match &theirs.additional_properties {
            Some(JSONSchemaPropsOrBool::Schema(theirs)) => compare(values, theirs, &path, lacking),
            Some(JSONSchemaPropsOrBool::Bool(_)) | None => lacking.push(path),
        }
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
