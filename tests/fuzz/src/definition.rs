//! A definition that is not ours any more: somebody has edited it, or another version has brought it.

use std::collections::BTreeSet;

use cloudflare_sso_operator::definition::{Judgement, lacking};
use cloudflare_sso_operator::resource::custom_resource_definition;
use cloudflare_sso_operator::upgrade::Verdict;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::DeserializeGuard;
use serde_json::Value;

pub(crate) fn check(patch: &[u8]) {
    let Ok(patch) = serde_json::from_slice::<Value>(patch) else {
        return;
    };
    let ours = custom_resource_definition();
    let known = serde_json::to_value(&ours).unwrap();
    let mut found = known.clone();
    json_patch::merge(&mut found, &patch);
    let Ok(guarded) =
        serde_json::from_value::<DeserializeGuard<CustomResourceDefinition>>(found.clone())
    else {
        return;
    };
    let judgement = Judgement::of(Some(&guarded));
    assert!(judgement.to_string().lines().count() <= 1, "{judgement}");
    let Ok(theirs) = guarded.0 else {
        assert!(matches!(judgement, Judgement::Unreadable(_)));
        return;
    };
    let lost: Vec<_> = fields(&known)
        .difference(&fields(&found))
        .cloned()
        .collect();
    if let Judgement::Stands(_) = judgement {
        assert!(lost.is_empty(), "it stands although it has lost {lost:?}");
        assert!(theirs.metadata.deletion_timestamp.is_none());
    }
    // Whichever is put in the place of the other, nothing that it knew gets lost.
    match Verdict::of(&ours, Some(&theirs)) {
        Verdict::Create => panic!("there is one"),
        Verdict::Replace => assert_eq!(lacking(&theirs, &ours), [""; 0]),
        Verdict::Keep(_) => assert_eq!(lacking(&ours, &theirs), [""; 0]),
        Verdict::Refuse(_) => {}
    }
}

/// Every field that objects may have under any version, with its type, as a path.
fn fields(definition: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for version in definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let name = version["name"].as_str().unwrap_or_default();
        collect(&version["schema"]["openAPIV3Schema"], name, &mut found);
    }
    found
}

fn collect(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    found.insert(format!("{path} ({})", schema["type"]));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        collect(field, &format!("{path}.{name}"), found);
    }
    for (kind, inner) in [
        ("[]", &schema["items"]),
        (".*", &schema["additionalProperties"]),
    ] {
        if inner.is_object() {
            collect(inner, &format!("{path}{kind}"), found);
        }
    }
}
