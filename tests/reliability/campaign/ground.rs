//! What all sequences share, as a start costs seconds: a control plane, a simulated Cloudflare, and one process of the operator
//! at a time. Each sequence has a namespace, an account and a domain of its own, so that nothing but a restart of the operator
//! is felt by the others, and that must not be felt.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cloudflare_sso_operator::resource::SsoConnector;
use futures::StreamExt as _;
use harness::{Operator, Options};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use simulator::Knobs;
use simulator::knobs::DuplicateCreate;
use tokio::sync::{Mutex, watch};
use tokio_util::task::AbortOnDropHandle;

use super::step::Ending;
use crate::stage::{OPERATOR_NAMESPACE, PATIENCE, Stage, quick_knobs};

/// The operator's Lease.
const LEASE: &str = "cloudflare-sso-operator";

/// Beside what every test has: waits that a sequence meets again and again are as short as the machine allows.
const FLAGS: [&str; 16] = [
    "--observation-limit",
    "2s",
    "--poll-settled",
    "600ms",
    "--difference-confirmation",
    "600ms",
    "--absence-confirmation",
    "600ms",
    "--restart-backoff",
    "200ms",
    "--restart-backoff-limit",
    "1s",
    "--heir-wait",
    "1s",
    "--refusal-window",
    "500ms",
];

/// The ground on which sequences are played.
pub(crate) struct Ground {
    pub(crate) stage: Stage,
    operator: Mutex<Running>,
    objects: Store<SsoConnector>,
    heartbeats: watch::Receiver<usize>,
    numbers: AtomicUsize,
    restarts: AtomicUsize,
    _watches: [AbortOnDropHandle<()>; 2],
}

/// The process that runs, and the restart that it came of.
struct Running {
    operator: Option<Operator>,
    restarted: Option<(Ending, Instant)>,
}

impl Ground {
    /// The ground, with an operator that is ready.
    pub(crate) async fn prepared() -> Self {
        let knobs = Knobs {
            // A second connector shall be seen, not refused.
            duplicate_create: DuplicateCreate::Allow,
            rate_limit: 100_000,
            ..quick_knobs()
        };
        let stage = Stage::with(Options::default(), knobs).await;
        let (objects, watching) = watch_objects(&stage);
        let (heartbeats, counting) = count_heartbeats(&stage);
        let operator = stage.operator(&FLAGS).await;
        Self {
            stage,
            operator: Mutex::new(Running {
                operator: Some(operator),
                restarted: None,
            }),
            objects,
            heartbeats,
            numbers: AtomicUsize::new(0),
            restarts: AtomicUsize::new(0),
            _watches: [watching, counting],
        }
    }

    /// A number that no sequence has had yet.
    pub(crate) fn number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// How often the operator was started again.
    pub(crate) fn restarts(&self) -> usize {
        self.restarts.load(Ordering::Relaxed)
    }

    /// The object as a watch has brought it.
    pub(crate) fn object(&self, namespace: &str, name: &str) -> Option<SsoConnector> {
        let reference = ObjectRef::new(name).within(namespace);
        self.objects.get(&reference).map(|object| (*object).clone())
    }

    /// How often the operator has renewed its Lease. It was alive meanwhile and had its time, however busy the machine.
    pub(crate) fn heartbeats(&self) -> usize {
        *self.heartbeats.borrow()
    }

    /// Ends the operator and starts it again. Whoever asks while one is under way that began before waits for the next; all
    /// who ask meanwhile share that.
    pub(crate) async fn restart(&self, ending: Ending) {
        let asked = Instant::now();
        let mut running = self.operator.lock().await;
        let shared = running
            .restarted
            .is_some_and(|(how, begun)| how == ending && begun >= asked);
        if shared {
            return;
        }
        running.restarted = Some((ending, Instant::now()));
        self.restarts.fetch_add(1, Ordering::Relaxed);
        if let Some(mut operator) = running.operator.take() {
            match ending {
                Ending::Kill => {
                    operator.kill().unwrap();
                    self.forget_the_lease().await;
                }
                Ending::Terminate => {
                    operator.terminate(PATIENCE).await.unwrap();
                }
            }
        }
        running.operator = Some(self.stage.operator(&FLAGS).await);
    }

    /// Nobody is left who could act, so the next process need not wait until the Lease has expired.
    async fn forget_the_lease(&self) {
        let leases: Api<Lease> =
            Api::namespaced(self.stage.control_plane.client(), OPERATOR_NAMESPACE);
        let forgotten = leases.delete(LEASE, &DeleteParams::default()).await;
        forgotten.unwrap();
    }
}

fn watch_objects(stage: &Stage) -> (Store<SsoConnector>, AbortOnDropHandle<()>) {
    let (store, writer) = reflector::store();
    let objects: Api<SsoConnector> = Api::all(stage.control_plane.client());
    let events = watcher(objects, watcher::Config::default()).default_backoff();
    let seen = reflector::reflector(writer, events).for_each(async |_| {});
    (store, AbortOnDropHandle::new(tokio::spawn(seen)))
}

fn count_heartbeats(stage: &Stage) -> (watch::Receiver<usize>, AbortOnDropHandle<()>) {
    let (sender, receiver) = watch::channel(0);
    let leases: Api<Lease> = Api::namespaced(stage.control_plane.client(), OPERATOR_NAMESPACE);
    let events = watcher(leases, watcher::Config::default()).default_backoff();
    let counting = async move {
        let mut versions = BTreeSet::new();
        let mut leases = std::pin::pin!(events.applied_objects());
        while let Some(lease) = leases.next().await {
            if let Ok(lease) = lease {
                versions.insert(lease.metadata.resource_version);
                sender.send_replace(versions.len());
            }
        }
    };
    (receiver, AbortOnDropHandle::new(tokio::spawn(counting)))
}
