//! The roles of the chart against the table of the rights that the operator needs: each of these and no other, for all
//! namespaces and for some; and what people are given, which is never the status.

use std::collections::BTreeSet;

use cloudflare_sso_operator::identity::NamespaceName;
use cloudflare_sso_operator::rights::{Setting, Territory, needed};
use harness::{Chart, Part};
use serde_json::Value;

const NAMESPACE: &str = "cloudflare-sso-system";
const OPERATOR: &str = "cloudflare-sso-operator";

/// A right as both sides can say it: namespace (empty: everywhere), group, resource with subresource, name, verb.
type Granted = (String, String, String, String, String);

#[tokio::test]
async fn the_roles_grant_what_is_needed_and_nothing_else() {
    for (scope, values) in [
        (&[][..], ""),
        (&["a"], "watchNamespaces: [a]"),
        // The operator's own may be among them.
        (
            &["a", NAMESPACE],
            "watchNamespaces: [a, cloudflare-sso-system]",
        ),
    ] {
        let objects = render(values).await;
        assert_eq!(granted(&objects), needed_as_granted(scope), "{values}");
    }
}

#[tokio::test]
async fn of_the_cluster_as_a_whole_an_operator_for_some_namespaces_sees_its_definition_alone() {
    let objects = render("watchNamespaces: [a, b]").await;
    let everywhere: BTreeSet<_> = granted(&objects)
        .into_iter()
        .filter(|(namespace, ..)| namespace.is_empty())
        .map(|(_, _, resource, name, verb)| format!("{verb} {resource} {name}"))
        .collect();
    let named = "customresourcedefinitions ssoconnectors.cloudflare-sso.dev";
    let expected = ["get", "list", "watch"].map(|verb| format!("{verb} {named}"));
    assert_eq!(everywhere, expected.into());
    let bound = of_kind(&objects, "ClusterRoleBinding");
    assert_eq!(bound.count(), 1);
}

#[tokio::test]
async fn people_never_get_the_status_and_viewers_only_read() {
    for values in ["", "watchNamespaces: [a]"] {
        let objects = render(values).await;
        let mut given = BTreeSet::new();
        for role in of_kind(&objects, "ClusterRole") {
            let labels = role["metadata"]["labels"].as_object().unwrap();
            let to = labels
                .keys()
                .filter_map(|label| label.split("/aggregate-to-").nth(1));
            for to in to {
                for rule in role["rules"].as_array().unwrap() {
                    for (group, resource, name, verb) in product(rule) {
                        let right = format!("{to}: {verb} {resource}.{group}{name}");
                        given.insert(right);
                    }
                }
            }
        }
        let reads = ["get", "list", "watch"];
        let writes = ["create", "delete", "deletecollection", "patch", "update"];
        let mut expected = BTreeSet::new();
        for (to, verbs) in [
            ("view", &reads[..]),
            ("edit", &reads),
            ("edit", &writes),
            ("admin", &reads),
            ("admin", &writes),
        ] {
            let right = |verb| format!("{to}: {verb} ssoconnectors.cloudflare-sso.dev");
            expected.extend(verbs.iter().map(right));
        }
        assert_eq!(given, expected, "{values}");
    }
    for values in ["rbac: { aggregate: false }", "rbac: { create: false }"] {
        let objects = render(values).await;
        let mut roles = of_kind(&objects, "ClusterRole");
        assert!(
            roles.all(|role| role["metadata"]["name"] == OPERATOR),
            "{values}"
        );
    }
}

async fn render(values: &str) -> Vec<Value> {
    let chart = Chart::with(Part::Helm3).await.unwrap();
    serde_saphyr::from_multiple(&chart.render(values).await.unwrap()).unwrap()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// What the bindings give to the operator.
fn granted(objects: &[Value]) -> BTreeSet<Granted> {
    let mut all = BTreeSet::new();
    for kind in ["ClusterRole", "Role"] {
        for binding in of_kind(objects, &format!("{kind}Binding")) {
            let subject = &binding["subjects"][0];
            assert_eq!(
                (&subject["name"], &subject["namespace"]),
                (&OPERATOR.into(), &NAMESPACE.into())
            );
            assert_eq!(binding["roleRef"]["kind"], kind);
            let namespace = &binding["metadata"]["namespace"];
            let role = of_kind(objects, kind)
                .find(|role| {
                    role["metadata"]["name"] == binding["roleRef"]["name"]
                        && role["metadata"]["namespace"] == *namespace
                })
                .unwrap();
            let namespace = namespace.as_str().unwrap_or_default();
            for rule in role["rules"].as_array().unwrap() {
                for (group, resource, name, verb) in product(rule) {
                    all.insert((namespace.to_owned(), group, resource, name, verb));
                }
            }
        }
    }
    all
}

/// Everything that one rule grants.
fn product(rule: &Value) -> Vec<(String, String, String, String)> {
    let words = |field: &str| -> Vec<String> {
        let list = rule[field].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let names = match words("resourceNames") {
        none if none.is_empty() => vec![String::new()],
        names => names,
    };
    let mut all = Vec::new();
    for group in words("apiGroups") {
        for resource in words("resources") {
            for name in &names {
                for verb in words("verbs") {
                    all.push((group.clone(), resource.clone(), name.clone(), verb));
                }
            }
        }
    }
    all
}

fn needed_as_granted(scope: &[&str]) -> BTreeSet<Granted> {
    let scope: Vec<NamespaceName> = scope.iter().map(|name| name.parse().unwrap()).collect();
    let setting = Setting {
        scope: &scope,
        lease_namespace: Some(NAMESPACE),
        lease_name: OPERATOR,
    };
    needed(setting)
        .into_iter()
        .map(|right| {
            let namespace = match right.territory {
                Territory::Cluster | Territory::EveryNamespace => String::new(),
                Territory::Namespace(name) => name,
            };
            let resource = match right.subresource {
                Some(subresource) => format!("{}/{subresource}", right.resource),
                None => right.resource.to_owned(),
            };
            (
                namespace,
                right.group.to_owned(),
                resource,
                right.name.unwrap_or_default(),
                right.verb.as_str().to_owned(),
            )
        })
        .collect()
}
