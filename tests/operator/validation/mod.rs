//! The definition on a real API server: what it refuses and in which words, what it stores, and what it shows. No operator
//! runs here.

mod dns_rows;
mod refusals;
mod rows;
mod schema;
mod storage;

use harness::{ControlPlane, Options, Output};
use serde_json::{Value, json};

use crate::stage::{NAMESPACE, repository};

/// The definition in the repository.
const DEFINITION: &str = "crds/ssoconnectors.cloudflare-sso.dev.yaml";

/// A control plane with the definition and the namespace.
pub(super) async fn server() -> ControlPlane {
    let server = ControlPlane::start(Options::default()).await.unwrap();
    server.apply(&definition()).await.unwrap();
    let namespace = ["create", "namespace", NAMESPACE];
    succeed(server.kubectl(&namespace).await.unwrap());
    server
}

pub(super) fn definition() -> String {
    std::fs::read_to_string(repository().join(DEFINITION)).unwrap()
}

/// `kubectl apply` as a person runs it.
pub(super) async fn apply(server: &ControlPlane, object: &Value, flags: &[&str]) -> Output {
    let arguments = [&["apply", "--validate=strict", "-f", "-"], flags].concat();
    server
        .kubectl_with_input(&arguments, &object.to_string())
        .await
        .unwrap()
}

/// The standard output of what must have worked, without a word on standard error.
pub(super) fn succeed(output: Output) -> String {
    assert_eq!(output.stderr, "", "kubectl {}", output.arguments);
    output.success().unwrap()
}

/// The bytes that the API server answers with.
pub(super) async fn raw(server: &ControlPlane, name: &str) -> String {
    let path =
        format!("/apis/cloudflare-sso.dev/v1alpha1/namespaces/{NAMESPACE}/ssoconnectors/{name}");
    succeed(server.kubectl(&["get", "--raw", &path]).await.unwrap())
}

pub(super) async fn stored(server: &ControlPlane, name: &str) -> Value {
    serde_json::from_str(&raw(server, name).await).unwrap()
}

/// Writes into the status as the operator may.
pub(super) async fn patch_status(server: &ControlPlane, status: &Value) -> Output {
    let patch = json!({ "status": status }).to_string();
    let arguments = [
        "patch",
        "sso",
        "example",
        "-n",
        NAMESPACE,
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ];
    server.kubectl(&arguments).await.unwrap()
}

pub(super) fn first_status() -> Value {
    json!({
        "conditions": [{
            "type": "Ready", "status": "Unknown", "reason": "Reconciling",
            "message": "Waiting for cloudflare-sso-operator", "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    })
}

pub(super) fn merge(object: &mut Value, fields: &Value) {
    let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) else {
        panic!("{object} and {fields} must be objects");
    };
    object.extend(fields.clone());
}
