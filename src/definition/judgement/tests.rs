use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

/// Our own definition, as the API server would return it, changed by `change`.
fn judged(change: impl FnOnce(&mut Value)) -> Judgement {
    let mut definition = custom_resource_definition();
    definition.metadata.uid = Some("one".to_owned());
    definition.metadata.generation = Some(3);
    definition.metadata.resource_version = Some("41".to_owned());
    let mut value = serde_json::to_value(definition).unwrap();
    change(&mut value);
    Judgement::of(Some(&serde_json::from_value(value).unwrap()))
}

fn version(definition: &mut Value) -> &mut Value {
    &mut definition["spec"]["versions"][0]
}

fn root(definition: &mut Value) -> &mut Value {
    &mut version(definition)["schema"]["openAPIV3Schema"]
}

fn standing() -> Revision {
    Revision {
        uid: "one".to_owned(),
        generation: 3,
        version: "41".to_owned(),
    }
}

fn outdated(lacking: &str) -> Judgement {
    Judgement::Outdated(vec![lacking.to_owned()])
}

#[test]
fn our_own_definition_stands_however_it_was_written_down() {
    let stands = Judgement::Stands(standing());
    assert_eq!(judged(|_| {}), stands);
    let printed: CustomResourceDefinition =
        serde_saphyr::from_str(&crate::resource::yaml().unwrap()).unwrap();
    let printed = DeserializeGuard(Ok(printed));
    assert!(matches!(
        Judgement::of(Some(&printed)),
        Judgement::Stands(_)
    ));
}

#[test]
fn what_another_definition_has_beyond_ours_does_no_harm() {
    let stands = Judgement::Stands(standing());
    let changes: [fn(&mut Value); 7] = [
        |definition| {
            root(definition)["properties"]["spec"]["properties"]["new"] =
                json!({ "type": "string" });
        },
        |definition| root(definition)["description"] = json!("another"),
        |definition| {
            let words = &mut root(definition)["properties"]["spec"]["properties"]["deletionPolicy"];
            words["enum"].as_array_mut().unwrap().push(json!("Orphan"));
        },
        |definition| {
            let column = CustomResourceColumnDefinition {
                name: "New".to_owned(),
                json_path: ".spec.new".to_owned(),
                type_: "string".to_owned(),
                ..CustomResourceColumnDefinition::default()
            };
            version(definition)["additionalPrinterColumns"] = json!([column]);
        },
        |definition| {
            let fields = &mut version(definition)["selectableFields"];
            let more = json!({ "jsonPath": ".spec.accountID" });
            fields.as_array_mut().unwrap().push(more);
        },
        |definition| {
            let mut next = version(definition).clone();
            next["name"] = json!("v1");
            next["storage"] = json!(false);
            let versions = definition["spec"]["versions"].as_array_mut().unwrap();
            versions.insert(0, next);
        },
        |definition| {
            let status = &mut root(definition)["properties"]["status"];
            status.as_object_mut().unwrap().remove("default");
        },
    ];
    for (n, change) in changes.into_iter().enumerate() {
        assert_eq!(judged(change), stands, "{n}");
    }
}

#[test]
fn what_another_definition_lacks_is_named() {
    type Case = (fn(&mut Value), &'static str);
    let cases: [Case; 8] = [
        (
            |found| version(found)["name"] = json!("v1"),
            "version v1alpha1",
        ),
        (
            |found| version(found)["served"] = json!(false),
            "version v1alpha1, served",
        ),
        (
            |found| version(found)["storage"] = json!(false),
            "version v1alpha1, stored",
        ),
        (
            |found| version(found)["subresources"] = json!({}),
            "the subresource status",
        ),
        (
            |found| {
                let another = json!([{ "jsonPath": ".spec.accountID" }]);
                version(found)["selectableFields"] = another;
            },
            "the selectable field .spec.emailDomain",
        ),
        (|found| version(found)["schema"] = json!({}), "a schema"),
        (
            |found| {
                let policy =
                    &mut root(found)["properties"]["spec"]["properties"]["managementPolicy"];
                policy["enum"] = json!(["Manage"]);
            },
            "spec.managementPolicy: \"Observe\"",
        ),
        (
            |found| {
                let enabled = &mut root(found)["properties"]["spec"]["properties"]["enabled"];
                enabled["type"] = json!("string");
            },
            "spec.enabled as boolean",
        ),
    ];
    for (change, lacking) in cases {
        assert_eq!(judged(change), outdated(lacking));
    }
}

#[test]
fn every_property_counts_at_every_depth() {
    let mut pointers = Vec::new();
    let mut ours = serde_json::to_value(custom_resource_definition()).unwrap();
    properties(root(&mut ours), "", "", &mut pointers);
    for (pointer, path) in &pointers {
        let found = judged(|definition| {
            let (holder, name) = pointer.rsplit_once('/').unwrap();
            let holder = root(definition).pointer_mut(holder).unwrap();
            holder.as_object_mut().unwrap().remove(name).unwrap();
        });
        assert_eq!(found, outdated(path));
    }
    let paths: Vec<_> = pointers.iter().map(|(_, path)| path.as_str()).collect();
    for known in [
        "spec",
        "spec.suspend",
        "spec.apiTokenSecretRef.name",
        "status.conditions[].reason",
        "status.pendingCreate.attempts",
    ] {
        assert!(paths.contains(&known), "{known} in {paths:?}");
    }
}

/// Every property below a schema, by where it stands and by its path in an object.
fn properties(schema: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        let (pointer, path) = (
            format!("{pointer}/properties/{name}"),
            format!("{path}{dot}{name}"),
        );
        properties(property, &pointer, &path, found);
        properties(
            &property["items"],
            &format!("{pointer}/items"),
            &format!("{path}[]"),
            found,
        );
        found.push((pointer, path));
    }
}

#[test]
fn a_definition_that_goes_or_is_not_there_is_no_old_one() {
    let terminating = judged(|definition| {
        definition["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        version(definition)["served"] = json!(false);
    });
    assert_eq!(terminating, Judgement::Terminating);
    assert_eq!(Judgement::of(None), Judgement::Absent);
    let unreadable = json!({ "metadata": { "name": "x" }, "spec": 1 });
    let unreadable = serde_json::from_value(unreadable).unwrap();
    assert!(matches!(
        Judgement::of(Some(&unreadable)),
        Judgement::Unreadable(_)
    ));
}

#[test]
fn a_message_names_the_first_of_many() {
    let many = (1..=7).map(|n| format!("spec.f{n}")).collect();
    assert_eq!(
        Judgement::Outdated(many).to_string(),
        "the definition of SsoConnector lacks spec.f1, spec.f2, spec.f3, spec.f4, spec.f5 and 2 more"
    );
    assert_eq!(
        outdated("spec.suspend").to_string(),
        "the definition of SsoConnector lacks spec.suspend"
    );
}

/// Metadata of the definition that was judged, made in second 10 and changed by `change`.
fn metadata(change: impl FnOnce(&mut ObjectMeta)) -> ObjectMeta {
    let mut metadata = ObjectMeta {
        uid: Some("one".to_owned()),
        generation: Some(3),
        resource_version: Some("41".to_owned()),
        creation_timestamp: Some(second(10)),
        ..ObjectMeta::default()
    };
    change(&mut metadata);
    metadata
}

fn second(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}

#[test]
fn only_the_very_version_that_was_judged_to_stand_is_confirmed() {
    let stands = Judgement::Stands(standing());
    let same = metadata(|_| {});
    let touched = metadata(|metadata| metadata.resource_version = Some("42".to_owned()));
    let replaced = metadata(|metadata| metadata.uid = Some("other".to_owned()));
    let leaving = metadata(|metadata| metadata.deletion_timestamp = Some(second(20)));
    for (judgement, found, expected) in [
        (&stands, Some(&same), Ok(Definition::Stands)),
        (&stands, Some(&touched), Err(Unjudged)),
        (&stands, Some(&replaced), Err(Unjudged)),
        (&stands, Some(&leaving), Ok(Definition::GoesAway)),
        (&stands, None, Ok(Definition::GoesAway)),
        (&Judgement::Unread, Some(&same), Err(Unjudged)),
        (&Judgement::Absent, Some(&same), Err(Unjudged)),
        (&Judgement::Terminating, Some(&same), Err(Unjudged)),
        (
            &Judgement::Terminating,
            Some(&leaving),
            Ok(Definition::GoesAway),
        ),
        (&outdated("spec"), Some(&same), Err(Unjudged)),
        (&outdated("spec"), Some(&leaving), Ok(Definition::GoesAway)),
    ] {
        assert_eq!(
            judgement.confirmed_by(found, None),
            expected,
            "{judgement}: {found:?}"
        );
    }
}

#[test]
fn an_object_that_was_deleted_before_its_definition_was_created_goes_because_another_one_went() {
    let stands = Judgement::Stands(standing());
    let found = metadata(|_| {});
    for (deleted, expected) in [
        (9, Definition::GoesAway),
        (10, Definition::GoesAway),
        (11, Definition::Stands),
    ] {
        let deleted = second(deleted);
        assert_eq!(
            stands.confirmed_by(Some(&found), Some(&deleted)),
            Ok(expected)
        );
    }
    let newer = metadata(|metadata| metadata.resource_version = Some("42".to_owned()));
    assert_eq!(
        stands.confirmed_by(Some(&newer), Some(&second(9))),
        Err(Unjudged)
    );
}
