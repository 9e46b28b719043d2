//! The one node that all Pods are on: registered once, and its heart beats, or the Pods would be taken for lost.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::NODE;
use crate::HarnessError;

/// As kubelets do it.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Makes the node and keeps it alive as long as the returned value lives.
pub(super) async fn register(client: Client) -> Result<AbortOnDropHandle<()>, HarnessError> {
    let nodes: Api<Node> = Api::all(client.clone());
    let now = Timestamp::now();
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": NODE,
            "labels": { "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux" },
        },
    });
    let status = json!({
        "apiVersion": "v1", "kind": "Node",
        "status": {
            "capacity": { "cpu": "64", "memory": "256Gi", "pods": "1000" },
            "allocatable": { "cpu": "64", "memory": "256Gi", "pods": "1000" },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "it always is",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }],
        },
    });
    let options = PatchParams::apply(NODE).force();
    nodes
        .patch(NODE, &options, &Patch::Apply(node))
        .await
        .map_err(HarnessError::kubernetes("registering the node"))?;
    nodes
        .patch_status(NODE, &options, &Patch::Apply(status))
        .await
        .map_err(HarnessError::kubernetes("reporting the node"))?;
    Ok(AbortOnDropHandle::new(tokio::spawn(beat(client))))
}

/// Renews the node's Lease.
async fn beat(client: Client) {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease"));
    let leases: Api<DynamicObject> = Api::namespaced_with(client, "kube-node-lease", &kind);
    let options = PatchParams::apply(NODE).force();
    loop {
        let renewed = leases.patch(NODE, &options, &Patch::Apply(lease())).await;
        // The namespace may not be there in the first moments of a control plane.
        let pause = match renewed {
            Ok(_) => HEARTBEAT,
            Err(_) => HEARTBEAT / 20,
        };
        tokio::time::sleep(pause).await;
    }
}

fn lease() -> Value {
    // Written with the six digits that the API server wants.
    let now = Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
        .to_string();
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": NODE },
        "spec": { "holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": now },
    })
}
