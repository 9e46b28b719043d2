//! The operator's rights: it needs every one it has, it has no other, and what it writes is less than it may.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use harness::{ApiServerProxy, AuditEvent, Call, Options, Treatment, until};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams,
    PostParams, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::{ApiGroup, Discovery, Scope};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::stage::{
    ACCOUNT, NAMESPACE, OPERATOR_NAMESPACE, PATIENCE, SECRET, Stage, code, connector, quick_knobs,
    rights,
};

const USER: &str = "system:serviceaccount:cloudflare-sso-system:cloudflare-sso-operator";
const CONNECTORS: &str = "/apis/cloudflare-sso.dev/v1alpha1/namespaces/team/ssoconnectors/";

/// A verb and a resource, which is `plural` or `plural/subresource`.
type Right = (String, String);
/// A right in one API group. The audit log of the harness does not tell the group.
type RightInGroup = (String, Right);

#[tokio::test]
async fn a_whole_life_uses_every_right_and_asks_for_no_other() {
    let stage = Stage::with(Options::default().with_audit_log(), quick_knobs()).await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let writes = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&writes);
    // Touches no call; it is the one who sees their bodies.
    let _witness = proxy.intercept(Treatment::HoldBeforeForwarding, move |call| {
        if call.method != "GET" {
            log.lock().unwrap().push(call.clone());
        }
        false
    });
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    live(&stage).await;

    let everything = |_: &Value| true;
    let all = granted("ClusterRole", everything)
        .into_iter()
        .chain(granted("Role", everything));
    let granted: BTreeSet<_> = all.map(|(_, right)| right).collect();
    let used = until("every right to be used", PATIENCE, async || {
        let used: BTreeSet<_> = calls(&stage).iter().map(right).collect();
        let unused: Vec<_> = granted.difference(&used).collect();
        if unused.is_empty() {
            Ok(used)
        } else {
            Err(format!("{unused:?} are unused"))
        }
    })
    .await
    .unwrap();
    assert_eq!(used, granted);
    let forbidden: Vec<_> = calls(&stage)
        .into_iter()
        .filter(|call| call.code == 403)
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");

    let writes = writes.lock().unwrap().clone();
    assert_eq!(
        changed_paths(&writes, ""),
        BTreeSet::from(["/metadata/finalizers".to_owned()])
    );
    assert_eq!(
        changed_paths(&writes, "status"),
        BTreeSet::from(["/status".to_owned()])
    );
}

/// Creation, verification, enabling, an edit to and fro, deletion with a bad token and then a good one.
async fn live(stage: &Stage) {
    let mut fields = json!({ "enabled": true, "deletionPolicy": "Delete" });
    stage
        .connector("example", "example.com", fields.clone())
        .await;
    let object = stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage
        .simulator
        .admin()
        .publish_txt("example.com", &code(&object).unwrap());
    for enabled in [true, false, true] {
        fields["enabled"] = json!(enabled);
        stage.patch_spec("example", fields.clone()).await;
        let object = stage.until_ready_is("example", "Available").await;
        let mut applied = connector("example", "example.com")["spec"].clone();
        applied
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        assert_eq!(json!(object.spec), applied);
    }
    stage.put_token(SECRET, "wrong").await;
    let objects = stage.objects();
    let object = objects.get("example").await.unwrap();
    objects
        .delete("example", &DeleteParams::default())
        .await
        .unwrap();
    stage.until_ready_is("example", "Unauthorized").await;
    stage.put_token(SECRET, &stage.token).await;
    harness::await_gone(&objects, &object, PATIENCE)
        .await
        .unwrap();
    assert!(stage.simulator.admin().connectors(ACCOUNT).is_empty());
}

/// The operator's calls so far, as the API server logged them. Everybody may ask which rights they have.
fn calls(stage: &Stage) -> Vec<AuditEvent> {
    let mut events = stage.control_plane.audit_events().unwrap();
    events.retain(|event| event.user == USER && event.resource != "selfsubjectaccessreviews");
    events
}

fn right(event: &AuditEvent) -> Right {
    let resource = match event.subresource.as_str() {
        "" => event.resource.clone(),
        subresource => format!("{}/{subresource}", event.resource),
    };
    (event.verb.clone(), resource)
}

/// What those rules grant that count, in the operator's role of this kind: `ClusterRole` everywhere, `Role` in its own
/// namespace.
fn granted(kind: &str, counts: fn(&Value) -> bool) -> BTreeSet<RightInGroup> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&rights()).unwrap();
    let binding = documents
        .iter()
        .find(|document| document["kind"] == format!("{kind}Binding"))
        .unwrap();
    let role = documents
        .iter()
        .find(|role| role["kind"] == kind && role["metadata"]["name"] == binding["roleRef"]["name"])
        .unwrap();
    let mut rights = BTreeSet::new();
    let all = role["rules"].as_array().unwrap();
    for rule in all.iter().filter(|rule| counts(rule)) {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                let verbs = words(&rule["verbs"]);
                rights.extend(verbs.map(|verb| in_group(group, verb, resource)));
            }
        }
    }
    rights
}

fn in_group(group: &str, verb: &str, resource: &str) -> RightInGroup {
    (group.to_owned(), (verb.to_owned(), resource.to_owned()))
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
}

/// What the writes to a subresource of an `SsoConnector` (empty: to itself) change. Each must be a JSON patch.
fn changed_paths(writes: &[Call], subresource: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for write in writes {
        let path = write.path.split('?').next().unwrap_or_default();
        let Some(object) = path.strip_prefix(CONNECTORS) else {
            continue;
        };
        if object.split_once('/').map_or("", |(_, rest)| rest) != subresource {
            continue;
        }
        let operations: Vec<Value> = serde_json::from_slice(&write.body).unwrap();
        let changes = operations
            .iter()
            .filter(|operation| operation["op"] != "test");
        paths.extend(changes.map(|change| change["path"].as_str().unwrap().to_owned()));
    }
    paths
}

#[tokio::test]
async fn the_token_opens_nothing_else() {
    let stage = Stage::set().await;
    stage.connector("example", "example.com", json!({})).await;
    let kubeconfig = stage
        .control_plane
        .service_account_kubeconfig("cloudflare-sso-system", "cloudflare-sso-operator", None)
        .await
        .unwrap();
    let file = Kubeconfig::read_from(&kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    let operator = Client::try_from(config).unwrap();
    // What is granted for one name is not granted for another.
    let mut allowed = granted("ClusterRole", |rule| rule["resourceNames"].is_null());
    // Everybody may ask who they are and what they may.
    for (group, review) in [
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    ] {
        allowed.insert(in_group(group, "create", review));
    }
    // Since Kubernetes 1.37 every ServiceAccount may read which authorities there are.
    for verb in ["get", "list", "watch"] {
        allowed.insert(in_group("certificates.k8s.io", verb, "clustertrustbundles"));
    }

    let discovery = Discovery::new(stage.control_plane.client())
        .run()
        .await
        .unwrap();
    let mut refused = BTreeSet::new();
    for (resource, capabilities) in discovery.groups().flat_map(ApiGroup::recommended_resources) {
        let api = match capabilities.scope {
            Scope::Cluster => Api::all_with(operator.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(operator.clone(), NAMESPACE, &resource),
        };
        for verb in capabilities.operations {
            let right = in_group(&resource.group, &verb, &resource.plural);
            if allowed.contains(&right) {
                continue;
            }
            let answer = attempt(&api, &resource, &verb).await;
            assert!(is_forbidden(&answer), "{right:?}: {answer:?}");
            refused.insert(right);
        }
    }
    for (group, verb, resource) in [
        ("", "list", "secrets"),
        ("", "watch", "secrets"),
        ("", "create", "secrets"),
        ("cloudflare-sso.dev", "create", "ssoconnectors"),
        ("cloudflare-sso.dev", "update", "ssoconnectors"),
        ("cloudflare-sso.dev", "delete", "ssoconnectors"),
        ("", "get", "configmaps"),
        ("", "get", "pods"),
        ("", "list", "nodes"),
        ("", "create", "events"),
        ("apps", "patch", "deployments"),
        ("apiextensions.k8s.io", "get", "customresourcedefinitions"),
        ("coordination.k8s.io", "create", "leases"),
        ("coordination.k8s.io", "get", "leases"),
        ("rbac.authorization.k8s.io", "create", "clusterrolebindings"),
    ] {
        let right = in_group(group, verb, resource);
        assert!(refused.contains(&right), "{right:?} was not tried");
    }

    let leases = Api::<Lease>::namespaced(operator.clone(), OPERATOR_NAMESPACE);
    the_token_opens_one_lease_and_no_other(&stage, &leases).await;

    // The same token does open what it is for, so the refusals above are about rights.
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    stage
        .kubectl(&[
            &kubeconfig,
            "get",
            "secret",
            SECRET,
            "-n",
            NAMESPACE,
            "-o",
            "name",
        ])
        .await;
    stage.kubectl(&[&kubeconfig, "get", "sso", "-A"]).await;
    for arguments in [
        &["get", "secrets", "-A"][..],
        &["delete", "sso", "example", "-n", NAMESPACE],
    ] {
        let output = stage
            .control_plane
            .kubectl(&[&[kubeconfig.as_str()], arguments].concat())
            .await
            .unwrap();
        assert!(
            output.stderr.starts_with("Error from server (Forbidden): "),
            "{output:?}"
        );
        assert!(output.stderr.contains(USER), "{output:?}");
    }
}

/// In the operator's own namespace there is one Lease that it may read and write; it may list and delete none.
async fn the_token_opens_one_lease_and_no_other(stage: &Stage, leases: &Api<Lease>) {
    let options = PostParams::default();
    let everything = Api::<Lease>::namespaced(stage.control_plane.client(), OPERATOR_NAMESPACE);
    for (name, opens) in [("cloudflare-sso-operator", true), ("other", false)] {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            spec: None,
        };
        let lease = everything.create(&options, &lease).await.unwrap();
        let read = leases.get(name).await.map(drop);
        let written = leases.replace(name, &options, &lease).await.map(drop);
        for answer in [read, written] {
            assert_eq!(answer.is_ok(), opens, "{name}: {answer:?}");
            assert_eq!(is_forbidden(&answer), !opens, "{name}: {answer:?}");
        }
        let deleted = leases.delete(name, &DeleteParams::default()).await;
        assert!(is_forbidden(&deleted.map(drop)), "{name} is deleted");
        let patch = Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }));
        let patched = leases.patch(name, &PatchParams::default(), &patch).await;
        assert!(is_forbidden(&patched.map(drop)), "{name} is patched");
    }
    let all = leases.list(&ListParams::default()).await;
    assert!(is_forbidden(&all.map(drop)));
}

/// Does with an object what the verb says. The object need not be there: rights are judged first.
async fn attempt(api: &Api<DynamicObject>, resource: &ApiResource, verb: &str) -> kube::Result<()> {
    let name = "example";
    let object = DynamicObject::new(name, resource);
    let options = PostParams::default();
    match verb {
        "get" => api.get(name).await.map(drop),
        "list" => api.list(&ListParams::default()).await.map(drop),
        "watch" => api.watch(&WatchParams::default(), "0").await.map(drop),
        "create" => api.create(&options, &object).await.map(drop),
        "update" => api.replace(name, &options, &object).await.map(drop),
        "patch" => {
            let patch = Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }));
            api.patch(name, &PatchParams::default(), &patch)
                .await
                .map(drop)
        }
        "delete" => api.delete(name, &DeleteParams::default()).await.map(drop),
        "deletecollection" => {
            let all = ListParams::default();
            api.delete_collection(&DeleteParams::default(), &all)
                .await
                .map(drop)
        }
        other => panic!("what is {other}?"),
    }
}

fn is_forbidden(answer: &kube::Result<()>) -> bool {
    matches!(answer, Err(kube::Error::Api(status)) if status.code == 403)
}
