//! The life of one Pod: put on the node, given its sandbox and volumes, its containers run, taken away.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::container::{Keeper, Place};
use super::environment::Lack;
use super::image::ContainerImage;
use super::launch::volume_group;
use super::probe::Inquiry;
use super::sandbox::{Privilege, Sandbox};
use super::status::{self, Picture, RestartPolicy};
use super::{Addresses, NODE, volumes};
use crate::HarnessError;

/// How long to wait after the API server, or an object that is missing, has kept a Pod from going on.
const RETRY: Duration = Duration::from_millis(300);
/// How often what has changed in Secrets and `ConfigMaps` is looked for.
const REFRESH: Duration = Duration::from_secs(1);
/// Where the node is, as far as Pods are told.
const NODE_ADDRESS: &str = "127.0.0.1";

/// What all Pods share.
pub(super) struct Setting {
    pub(super) client: Client,
    pub(super) http: reqwest::Client,
    pub(super) images: BTreeMap<String, ContainerImage>,
    pub(super) program: PathBuf,
    pub(super) reach: Vec<u16>,
    pub(super) api_server_port: u16,
    pub(super) logs: PathBuf,
    pub(super) addresses: Addresses,
}

impl Setting {
    /// What every container of the cluster finds in its environment.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let port = self.api_server_port.to_string();
        [
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ),
            ("KUBERNETES_SERVICE_HOST", Ipv4Addr::LOCALHOST.to_string()),
            ("KUBERNETES_SERVICE_PORT", port.clone()),
            ("KUBERNETES_SERVICE_PORT_HTTPS", port),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Where the output of a container goes.
    pub(super) fn log(&self, pod: &Pod, container: &str) -> PathBuf {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        self.logs
            .join(format!("{namespace}_{name}_{container}.log"))
    }
}

/// One Pod.
pub(super) struct Life {
    pub(super) setting: Arc<Setting>,
    /// The Pod as it is now.
    pub(super) newest: watch::Receiver<Pod>,
    /// Cancelled when somebody has deleted it.
    pub(super) stop: CancellationToken,
    /// An address of its own.
    pub(super) address: Ipv4Addr,
}

impl Life {
    /// Lives it to its end. If the Pod is gone before, whoever called this drops it.
    pub(super) async fn live(self) {
        if self.stop.run_until_cancelled(self.bind()).await.is_some() {
            let (picture, seen) = watch::channel(self.beginning());
            tokio::select! {
                () = self.run(&picture) => {}
                () = self.publish(seen.clone()) => {}
            }
            self.report(&seen).await;
        }
        self.stop.cancelled().await;
        self.delete().await;
    }

    fn api(&self) -> Api<Pod> {
        let namespace = self.newest.borrow().namespace().unwrap_or_default();
        Api::namespaced(self.setting.client.clone(), &namespace)
    }

    /// Puts the Pod on the node, as a scheduler does.
    async fn bind(&self) {
        let name = self.newest.borrow().name_any();
        let is_bound = |pod: &Pod| {
            pod.spec
                .as_ref()
                .is_some_and(|spec| spec.node_name.is_some())
        };
        while !is_bound(&self.newest.borrow()) {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding",
                "metadata": { "name": name },
                "target": { "apiVersion": "v1", "kind": "Node", "name": NODE },
            });
            let options = PostParams::default();
            let bound = self
                .api()
                .create_subresource::<_, serde_json::Value>("binding", &name, &options, &binding)
                .await;
            match bound {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    fn containers(pod: &Pod) -> (Vec<Container>, Vec<Container>) {
        let spec = pod.spec.clone().unwrap_or_default();
        (spec.init_containers.unwrap_or_default(), spec.containers)
    }

    /// Every container before anything has happened.
    fn beginning(&self) -> Picture {
        let pod = self.newest.borrow();
        let (init, containers) = Self::containers(&pod);
        let policy = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.restart_policy.as_deref());
        let reason = if init.is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let all = |containers: Vec<Container>| {
            let waits = |container| waits(container, reason);
            containers.into_iter().map(waits).collect()
        };
        Picture {
            restart_policy: RestartPolicy::from_word(policy),
            init: all(init),
            containers: all(containers),
        }
    }

    /// Runs the Pod until no container is started any more.
    async fn run(&self, picture: &watch::Sender<Picture>) {
        let Some((sandbox, pod)) = self.stop.run_until_cancelled(self.prepare()).await else {
            return;
        };
        let (init, containers) = Self::containers(&pod);
        let (ports, _carried) = self.expose(&sandbox, &pod, &containers).await;
        let policy = picture.borrow().restart_policy;
        let keeper = |container, place, restart_policy| Keeper {
            setting: &self.setting,
            pod: &pod,
            container,
            place,
            restart_policy,
            sandbox: &sandbox,
            ports: &ports,
            picture,
            stop: &self.stop,
            newest: &self.newest,
        };
        let work = async {
            for (index, container) in init.iter().enumerate() {
                let keeper = keeper(container, Place::Init(index), policy.of_init());
                if keeper.keep().await != Some(0) {
                    return;
                }
            }
            let places = containers.iter().enumerate();
            let keepers: Vec<_> = places
                .map(|(index, container)| keeper(container, Place::Main(index), policy))
                .collect();
            join_all(keepers.iter().map(Keeper::keep)).await;
        };
        tokio::select! {
            () = work => {}
            () = self.refresh(&sandbox, &pod) => {}
        }
    }

    /// The sandbox with all volumes, and the Pod with the addresses that it is told.
    async fn prepare(&self) -> (Sandbox, Pod) {
        let mut pod = self.newest.borrow().clone();
        let status = pod.status.get_or_insert_default();
        status.pod_ip = Some(self.address.to_string());
        status.host_ip = Some(NODE_ADDRESS.to_owned());
        pod.spec.get_or_insert_default().node_name = Some(NODE.to_owned());
        loop {
            match self.furnish(&pod).await {
                Ok(sandbox) => return (sandbox, pod),
                Err(failure) => {
                    eprintln!("pod {}: {failure}", pod.name_any());
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn furnish(&self, pod: &Pod) -> Result<Sandbox, HarnessError> {
        let Setting { program, reach, .. } = &*self.setting;
        let name = pod.name_any();
        let sandbox = Sandbox::start(program, &name, self.address, reach).await?;
        let hosts = format!(
            "127.0.0.1 localhost\n::1 localhost\n{} {name}\n",
            self.address
        );
        std::fs::write(sandbox.folder().join("hosts"), hosts)
            .map_err(HarnessError::io("writing the hosts of a Pod"))?;
        while let Err(lack) = self.provide(&sandbox, pod, volumes::Round::First).await {
            // As a kubelet: the Pod waits until what it mounts is there.
            eprintln!("pod {name}: {lack}");
            tokio::time::sleep(RETRY).await;
        }
        Ok(sandbox)
    }

    async fn provide(
        &self,
        sandbox: &Sandbox,
        pod: &Pod,
        round: volumes::Round,
    ) -> Result<(), Lack> {
        let folder = sandbox.folder().join("volumes");
        let group = volume_group(pod, Privilege::of_this_process());
        volumes::provide(&self.setting.client, pod, &folder, group, round).await
    }

    /// Keeps the volumes up to date.
    async fn refresh(&self, sandbox: &Sandbox, pod: &Pod) {
        loop {
            tokio::time::sleep(REFRESH).await;
            // What is missing now stays as it was.
            let _ = self.provide(sandbox, pod, volumes::Round::Later).await;
        }
    }

    /// Opens a way to every port that a container names or is asked at.
    async fn expose(
        &self,
        sandbox: &Sandbox,
        pod: &Pod,
        containers: &[Container],
    ) -> (BTreeMap<u16, SocketAddr>, Vec<AbortOnDropHandle<()>>) {
        let mut ports = BTreeMap::new();
        let mut carried = Vec::new();
        for port in containers.iter().flat_map(ports_of) {
            if !ports.contains_key(&port)
                && let Ok((address, carrying)) = sandbox.expose(port).await
            {
                ports.insert(port, address);
                carried.push(carrying);
            }
        }
        self.setting.addresses.put(pod, &ports);
        (ports, carried)
    }

    /// Tells the API server of every change.
    async fn publish(&self, mut seen: watch::Receiver<Picture>) {
        loop {
            seen.mark_unchanged();
            self.report(&seen).await;
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Tells the API server how it is, until it has taken it or knows no such Pod.
    async fn report(&self, seen: &watch::Receiver<Picture>) {
        loop {
            let status = self.status(&seen.borrow());
            let (name, patch) = {
                let pod = self.newest.borrow();
                let metadata = json!({ "uid": pod.uid() });
                let patch = json!({ "metadata": metadata, "status": status });
                (pod.name_any(), Patch::Merge(patch))
            };
            let options = PatchParams::default();
            match self.api().patch_status(&name, &options, &patch).await {
                Ok(_) => return,
                Err(kube::Error::Api(answer)) if is_of_another(&answer) => return,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    fn status(&self, picture: &Picture) -> serde_json::Value {
        let now = now();
        let before = self.newest.borrow().status.clone().unwrap_or_default();
        let conditions = before.conditions.unwrap_or_default();
        json!({
            "phase": picture.phase(),
            "conditions": picture.conditions(&conditions, &now),
            "hostIP": NODE_ADDRESS,
            "podIP": self.address,
            "podIPs": [{ "ip": self.address }],
            "startTime": before.start_time.unwrap_or(now),
            "initContainerStatuses": picture.init,
            "containerStatuses": picture.containers,
        })
    }

    /// Tells the API server that nothing of the Pod is left.
    async fn delete(&self) {
        let (name, uid) = {
            let pod = self.newest.borrow();
            (pod.name_any(), pod.uid())
        };
        let options = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid,
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        while let Err(failure) = self.api().delete(&name, &options).await {
            match failure {
                kube::Error::Api(answer) if answer.code == 404 || answer.code == 409 => return,
                _ => tokio::time::sleep(RETRY).await,
            }
        }
    }
}

fn waits(container: Container, reason: &str) -> ContainerStatus {
    let image = container.image.unwrap_or_default();
    ContainerStatus {
        name: container.name,
        image_id: image.clone(),
        image,
        state: Some(status::waiting(reason, None)),
        started: Some(false),
        ..ContainerStatus::default()
    }
}

/// Every port that a container names or is asked at.
fn ports_of(container: &Container) -> Vec<u16> {
    let named = container.ports.iter().flatten();
    let named = named.filter_map(|port| u16::try_from(port.container_port).ok());
    let probes = [
        &container.startup_probe,
        &container.readiness_probe,
        &container.liveness_probe,
    ];
    let asked = probes
        .into_iter()
        .flatten()
        .filter_map(|probe| Inquiry::of(probe, container).ok())
        .map(|inquiry| inquiry.port());
    named.chain(asked).collect()
}

/// Whether the Pod is gone, or another one has its name: what the API server says to a UID that is not the Pod's.
fn is_of_another(answer: &kube::core::Status) -> bool {
    answer.is_not_found() || answer.is_conflict() && answer.message.contains("UID")
}

/// In whole seconds, as the API server keeps it.
pub(super) fn now() -> Time {
    Time(Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default())
}
