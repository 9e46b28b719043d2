//! Pods without a container engine: their containers are processes of this machine.
//!
//! A control plane has no nodes, so what Deployments and Jobs create would never run. [`PodRunner`] is scheduler and kubelet
//! of one node: it runs the containers of every Pod with exactly the command, environment, mounts, user, read-only root and
//! probes that the Pod says, and reports what becomes of them. So a rollout, `helm install --wait` and a hook mean what they
//! mean in a cluster.
//!
//! Each Pod has namespaces of its own (network, processes, mounts, host name), so that two can listen on the same port. Of
//! the machine's loopback it reaches the API server, which it finds as every Pod does, and the ports that the test names.
//! Images come from the test; another one is `ErrImagePull`. What is not played (other probes and volumes, lifecycle hooks,
//! sidecars, host networks) is refused in the container's status. Not enforced are resources, seccomp and capabilities of a
//! root user. Where the test is not run by root, every container is the root of its user namespace, whatever user the Pod
//! names. What fails is tried again within a second, and a container that has not started or is not
//! ready is asked ten times as often as its probe says; all else takes the time that it takes.
//!
//! | file | idea |
//! |---|---|
//! | `pod` | the life of one Pod |
//! | `container` | the life of one container |
//! | `launch` | what a container is in the words of the operating system |
//! | `environment`, `volumes`, `image` | what it finds: variables, files, its root |
//! | `probe` | asking it how it is |
//! | `status` | what the Pod's status says, pure |
//! | `sandbox` | its namespaces, and the ways in and out |
//! | [`protocol`] | what the harness and the program inside the namespaces tell each other |

mod container;
mod environment;
mod image;
mod launch;
mod node;
mod pod;
mod probe;
pub mod protocol;
mod sandbox;
mod status;
mod volumes;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::{ControlPlane, HarnessError};
use pod::{Life, Setting};

pub use image::ContainerImage;

/// The name of the node.
const NODE: &str = "harness";

/// The network of the Pods; each has an address of its own.
const POD_NETWORK: [u8; 2] = [10, 244];

/// Scheduler and kubelet of a control plane, to be started.
#[derive(Debug, Default)]
pub struct PodRunner {
    images: BTreeMap<String, ContainerImage>,
    reach: Vec<u16>,
}

impl PodRunner {
    /// One that knows no image.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With an image, by the reference that Pods name.
    #[must_use]
    pub fn image(mut self, reference: &str, image: ContainerImage) -> Self {
        self.images.insert(reference.to_owned(), image);
        self
    }

    /// With a port of the machine's loopback that Pods find on theirs, too.
    #[must_use]
    pub fn reach(mut self, port: u16) -> Self {
        self.reach.push(port);
        self
    }

    /// Runs every Pod of the control plane, which must have a controller manager for more than bare Pods, until the value
    /// is dropped.
    ///
    /// # Errors
    /// The program that runs inside a Pod cannot be built, or the API server does not take the node.
    pub async fn start(self, control_plane: &ControlPlane) -> Result<RunningPods, HarnessError> {
        let client = control_plane.client();
        let node = node::register(client.clone()).await?;
        let logs = control_plane.folder().join("pods");
        std::fs::create_dir_all(&logs).map_err(HarnessError::io("creating a folder for logs"))?;
        let api_server_port = control_plane
            .url()
            .port_or_known_default()
            .unwrap_or_default();
        let mut reach = self.reach;
        reach.push(api_server_port);
        let addresses = Addresses::default();
        let setting = Arc::new(Setting {
            client,
            http: reqwest::Client::builder()
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .map_err(HarnessError::http("building a client for probes"))?,
            images: self.images,
            program: sandbox::program().await?,
            reach,
            api_server_port,
            logs: logs.clone(),
            addresses: addresses.clone(),
        });
        let watching = AbortOnDropHandle::new(tokio::spawn(watch_pods(setting)));
        Ok(RunningPods {
            _watching: watching,
            _node: node,
            addresses,
            logs,
        })
    }
}

/// The Pods that run. All of them end when this value is dropped; in a failing test their last lines are shown then.
#[derive(Debug)]
pub struct RunningPods {
    _watching: AbortOnDropHandle<()>,
    _node: AbortOnDropHandle<()>,
    addresses: Addresses,
    logs: PathBuf,
}

impl RunningPods {
    /// Where on the machine's loopback a port of a Pod is found that one of its containers names. `None` before the Pod
    /// has begun. It need not be open yet, or still.
    #[must_use]
    pub fn address(&self, namespace: &str, pod: &str, port: u16) -> Option<SocketAddr> {
        self.addresses.get(namespace, pod, port)
    }

    /// All that a container has printed, those before it that had its name in the Pod included.
    #[must_use]
    pub fn output(&self, namespace: &str, pod: &str, container: &str) -> String {
        let log = self.logs.join(format!("{namespace}_{pod}_{container}.log"));
        String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
    }
}

impl Drop for RunningPods {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&self.logs);
        }
    }
}

fn show(logs: &Path) {
    for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
        let text = std::fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        eprintln!(
            "--- the last of {} ---\n{last}",
            entry.file_name().display()
        );
    }
}

/// Where the ports of each Pod are found, by namespace and name.
#[derive(Debug, Clone, Default)]
struct Addresses(Arc<Mutex<BTreeMap<(String, String), Ports>>>);

/// Where each port of a Pod is found.
type Ports = BTreeMap<u16, SocketAddr>;

impl Addresses {
    fn put(&self, pod: &Pod, ports: &Ports) {
        let key = (pod.namespace().unwrap_or_default(), pod.name_any());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, ports.clone());
    }

    fn get(&self, namespace: &str, pod: &str, port: u16) -> Option<SocketAddr> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ports = known.get(&(namespace.to_owned(), pod.to_owned()))?;
        ports.get(&port).copied()
    }
}

/// A Pod that is looked after.
struct Tended {
    newest: watch::Sender<Pod>,
    stop: CancellationToken,
    _life: AbortOnDropHandle<()>,
}

/// Looks after every Pod until it is gone.
async fn watch_pods(setting: Arc<Setting>) {
    let pods: Api<Pod> = Api::all(setting.client.clone());
    let mut events = std::pin::pin!(watcher(pods, watcher::Config::default()));
    let mut tended: BTreeMap<String, Tended> = BTreeMap::new();
    let mut begun: u16 = 0;
    loop {
        match events.try_next().await {
            Ok(Some(Event::Apply(pod) | Event::InitApply(pod))) => {
                let uid = pod.uid().unwrap_or_default();
                let life = tended.entry(uid).or_insert_with(|| {
                    begun += 1;
                    begin(&setting, pod.clone(), begun)
                });
                if pod.metadata.deletion_timestamp.is_some() {
                    life.newest.send_replace(pod);
                    life.stop.cancel();
                } else {
                    life.newest.send_replace(pod);
                }
            }
            Ok(Some(Event::Delete(pod))) => {
                tended.remove(&pod.uid().unwrap_or_default());
            }
            Ok(Some(Event::Init | Event::InitDone)) => {}
            Ok(None) => return,
            // The watcher begins anew.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
        }
    }
}

fn begin(setting: &Arc<Setting>, pod: Pod, number: u16) -> Tended {
    let (newest, seen) = watch::channel(pod);
    let stop = CancellationToken::new();
    let [third, fourth] = number.to_be_bytes();
    let [first, second] = POD_NETWORK;
    let life = Life {
        setting: Arc::clone(setting),
        newest: seen,
        stop: stop.clone(),
        address: Ipv4Addr::new(first, second, third, fourth),
    };
    Tended {
        newest,
        stop,
        _life: AbortOnDropHandle::new(tokio::spawn(life.live())),
    }
}
