//! The control plane is what a cluster is: kubectl, RBAC, controllers, custom resources, an audit log.

use std::time::Duration;

use futures::StreamExt as _;
use harness::{ControlPlane, HarnessError, Options, await_gone, await_object, until};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{
    ApiResource, DynamicObject, GroupVersionKind, ListParams, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

const DEADLINE: Duration = Duration::from_secs(30);

const READER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: note, namespace: default}
data: {text: hello}
";

const CUSTOM_RESOURCE: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: notes.harness.test}
spec:
  group: harness.test
  names: {kind: Note, plural: notes}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

async fn client(kubeconfig: &std::path::Path) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

#[tokio::test]
async fn kubectl_talks_to_it() -> Result<(), HarnessError> {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let version = control_plane
        .kubectl(&["version", "--output=json"])
        .await?
        .success()?;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!(
        version["clientVersion"]["gitVersion"],
        version["serverVersion"]["gitVersion"]
    );

    let refused = control_plane.kubectl(&["get", "no-such-kind"]).await?;
    let error = refused.success().unwrap_err().to_string();
    assert!(error.contains("no-such-kind"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_service_account_has_its_own_rights_and_the_audit_log_tells_who_called()
-> Result<(), HarnessError> {
    let control_plane = ControlPlane::start(Options::default().with_audit_log()).await?;
    control_plane.apply(READER).await?;
    let kubeconfig = control_plane
        .service_account_kubeconfig("default", "reader", None)
        .await?;
    let reader = client(&kubeconfig).await;

    let maps: Api<ConfigMap> = Api::default_namespaced(reader.clone());
    assert_eq!(
        maps.get("note").await.unwrap().data.unwrap()["text"],
        "hello"
    );
    let secrets: Api<Secret> = Api::default_namespaced(reader);
    let refusal = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(
        matches!(&refusal, kube::Error::Api(status) if status.is_forbidden()),
        "{refusal}"
    );

    let of_reader = until(
        "both calls of the reader in the audit log",
        DEADLINE,
        async || {
            let mut events = control_plane
                .audit_events()
                .map_err(|error| error.to_string())?;
            events.retain(|event| event.user == "system:serviceaccount:default:reader");
            if events.len() == 2 {
                Ok(events)
            } else {
                Err(format!("{events:?}"))
            }
        },
    )
    .await?;
    let seen: Vec<_> = of_reader
        .iter()
        .map(|event| {
            (
                event.verb.as_str(),
                event.resource.as_str(),
                event.name.as_str(),
                event.code,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("get", "configmaps", "note", 200),
            ("list", "secrets", "", 403)
        ]
    );
    Ok(())
}

#[tokio::test]
async fn the_controller_manager_empties_and_removes_a_namespace() -> Result<(), HarnessError> {
    let control_plane = ControlPlane::start(Options::default().with_controller_manager()).await?;
    control_plane
        .kubectl(&["create", "namespace", "short-lived"])
        .await?
        .success()?;
    control_plane
        .kubectl(&[
            "create",
            "configmap",
            "inhabitant",
            "--namespace=short-lived",
        ])
        .await?
        .success()?;
    let namespaces: Api<Namespace> = Api::all(control_plane.client());
    let namespace = namespaces.get("short-lived").await.unwrap();
    control_plane
        .kubectl(&["delete", "namespace", "short-lived", "--wait=false"])
        .await?
        .success()?;
    await_gone(&namespaces, &namespace, DEADLINE).await?;
    Ok(())
}

#[tokio::test]
async fn a_custom_resource_is_usable_right_after_apply() -> Result<(), HarnessError> {
    let control_plane = ControlPlane::start(Options::default()).await?;
    control_plane.apply(CUSTOM_RESOURCE).await?;
    let note = "{apiVersion: harness.test/v1, kind: Note, metadata: {name: first}, text: hello}";
    control_plane.apply(note).await?;

    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("harness.test", "v1", "Note"));
    let notes: Api<DynamicObject> = Api::default_namespaced_with(control_plane.client(), &kind);
    let found = await_object(&notes, "first", "to say hello", DEADLINE, |note| {
        note.data["text"] == "hello"
    })
    .await?;
    assert_eq!(found.metadata.generation, Some(1));
    Ok(())
}

#[tokio::test]
async fn a_vain_wait_shows_the_status_of_the_object() -> Result<(), HarnessError> {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let namespaces: Api<Namespace> = Api::all(control_plane.client());
    let short = Duration::from_millis(200);
    let timeout = await_object(&namespaces, "default", "to be purple", short, |_| false)
        .await
        .unwrap_err();
    assert!(
        timeout.to_string().contains("default: to be purple"),
        "{timeout}"
    );
    assert!(timeout.last_seen.contains("phase: Active"), "{timeout}");
    let timeout = await_object(&namespaces, "nowhere", "to exist", short, |_| true)
        .await
        .unwrap_err();
    assert_eq!(timeout.last_seen, "no such object");
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_behind() -> Result<(), HarnessError> {
    let mut control_plane = ControlPlane::start(Options::default()).await?;
    let folder = control_plane.folder().to_owned();
    let processes = [control_plane.etcd().id(), control_plane.api_server().id()];
    assert!(folder.exists());
    drop(control_plane);
    assert!(!folder.exists());
    for id in processes {
        let pid = rustix::process::Pid::from_raw(id.cast_signed()).unwrap();
        rustix::process::test_kill_process(pid).unwrap_err();
    }
    Ok(())
}

#[tokio::test]
async fn it_comes_back_with_all_that_is_and_without_what_was() -> Result<(), HarnessError> {
    let mut control_plane = ControlPlane::start(Options::default()).await?;
    control_plane.apply(READER).await?;
    let maps: Api<ConfigMap> = Api::default_namespaced(control_plane.client());
    let before = maps.get("note").await.unwrap().metadata.resource_version;
    control_plane
        .kubectl(&["label", "configmap", "note", "read=yes"])
        .await?
        .success()?;
    control_plane.compact_etcd().await?;
    control_plane.restart_api_server().await?;
    maps.get("note").await.unwrap();
    let watched = maps.watch(&WatchParams::default(), &before.unwrap()).await;
    let first = match watched {
        Ok(events) => std::pin::pin!(events).next().await.unwrap(),
        Err(refused) => Err(refused),
    };
    let code = match first {
        Ok(WatchEvent::Error(status)) | Err(kube::Error::Api(status)) => status.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code, 410);
    Ok(())
}
