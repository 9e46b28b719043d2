//! The life of one container: started, asked how it is, started again, stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStatus, Pod};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::environment::{self, Lack};
use super::image;
use super::launch::{self, Places};
use super::pod::{Setting, now};
use super::probe::{Belief, Impression, Inquiry};
use super::protocol::{Exit, Launch, Order};
use super::sandbox::{Privilege, Running, Sandbox};
use super::status::{self, Picture, RestartPolicy, exit_code};

/// How long the second restart waits; the first one does not, and each further one waits twice as long. A tenth of what
/// kubelets wait, and less.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a container that cannot be described waits for another try.
const DESCRIPTION_PAUSE: Duration = Duration::from_millis(500);
/// As Kubernetes has it where a Pod says nothing.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// Which of the Pod's containers it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Init(usize),
    Main(usize),
}

/// One container of a Pod that has its sandbox and its volumes.
pub(super) struct Keeper<'a> {
    pub(super) setting: &'a Setting,
    pub(super) pod: &'a Pod,
    pub(super) container: &'a Container,
    pub(super) place: Place,
    pub(super) restart_policy: RestartPolicy,
    pub(super) sandbox: &'a Sandbox,
    pub(super) ports: &'a BTreeMap<u16, SocketAddr>,
    pub(super) picture: &'a watch::Sender<Picture>,
    /// Cancelled when the Pod shall end.
    pub(super) stop: &'a CancellationToken,
    /// The Pod as it is now, which says how long a container may take to end.
    pub(super) newest: &'a watch::Receiver<Pod>,
}

/// What a container is asked while it runs.
struct Inquiries {
    startup: Option<Inquiry>,
    readiness: Option<Inquiry>,
    liveness: Option<Inquiry>,
}

impl Keeper<'_> {
    /// Runs the container until it is not started again, and returns the code of its last end.
    pub(super) async fn keep(&self) -> Option<i32> {
        let mut pause = Duration::ZERO;
        loop {
            let (launch, inquiries) = self.description().await?;
            self.run(launch, &inquiries).await;
            let code = self.look(exit_code)?;
            if self.stop.is_cancelled() || !self.restart_policy.restarts(code) {
                return Some(code);
            }
            self.change(|status| {
                status.last_state = status.state.take();
                status.state = Some(status::waiting("CrashLoopBackOff", None));
                status.restart_count += 1;
            });
            let rest = tokio::time::sleep(pause);
            self.stop.run_until_cancelled(rest).await?;
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        }
    }

    /// What is to be run, once everything that it needs is there. `None` if the Pod is stopped before.
    async fn description(&self) -> Option<(Launch, Inquiries)> {
        loop {
            let lack = match self.describe().await {
                Ok(description) => return Some(description),
                Err(lack) => lack,
            };
            let reason = if self.image().is_some() {
                "CreateContainerConfigError"
            } else {
                "ErrImagePull"
            };
            self.enter(status::waiting(reason, Some(lack.to_string())));
            let rest = tokio::time::sleep(DESCRIPTION_PAUSE);
            self.stop.run_until_cancelled(rest).await?;
        }
    }

    fn image(&self) -> Option<&image::ContainerImage> {
        self.setting.images.get(self.container.image.as_deref()?)
    }

    async fn describe(&self) -> Result<(Launch, Inquiries), Lack> {
        let name = &self.container.name;
        let image = self.image().ok_or_else(|| {
            let reference = self.container.image.clone().unwrap_or_default();
            Lack::Missing(format!("there is no image {reference}"))
        })?;
        let inquiry = |probe: &Option<_>| -> Result<Option<Inquiry>, Lack> {
            let probe = probe.as_ref();
            probe
                .map(|probe| Inquiry::of(probe, self.container))
                .transpose()
        };
        let inquiries = Inquiries {
            startup: inquiry(&self.container.startup_probe)?,
            readiness: inquiry(&self.container.readiness_probe)?,
            liveness: inquiry(&self.container.liveness_probe)?.map(Inquiry::without_haste),
        };
        let given = self.setting.environment();
        let given =
            environment::resolve(&self.setting.client, self.pod, self.container, given).await?;
        let restarts = self
            .look(|status| Some(status.restart_count))
            .unwrap_or_default();
        let folder = self.sandbox.folder();
        let volumes = folder.join("volumes");
        let places = Places {
            root: folder.join(format!("{name}-{restarts}")),
            volumes: &volumes,
            hosts: folder.join("hosts"),
            log: self.setting.log(self.pod, name),
        };
        let privilege = Privilege::of_this_process();
        let launch = launch::describe(self.pod, self.container, image, given, privilege, places)?;
        image::unpack(&image.root, &launch.root)
            .map_err(|failure| Lack::Missing(format!("the image cannot be unpacked: {failure}")))?;
        Ok((launch, inquiries))
    }

    /// Runs the container once.
    async fn run(&self, launch: Launch, inquiries: &Inquiries) {
        let root = launch.root.clone();
        let started = now();
        let exit = match self.sandbox.run(launch).await {
            Ok(mut running) => {
                self.change(|status| {
                    status.state = Some(status::runs(started.clone()));
                    status.started = Some(inquiries.startup.is_none());
                    status.ready = inquiries.startup.is_none() && inquiries.readiness.is_none();
                });
                let exit = tokio::select! {
                    exit = running.ended() => Some(exit),
                    () = self.ask(inquiries) => None,
                    () = self.stop.cancelled() => None,
                };
                match exit {
                    Some(exit) => exit,
                    None => self.end(&mut running).await,
                }
            }
            Err(failure) => Exit::NotStarted(failure.to_string()),
        };
        self.enter(status::ended(&exit, started, now()));
        // Nobody looks at it any more.
        let _ = std::fs::remove_dir_all(root);
    }

    /// Asks the container to end, and ends it when its time is over.
    async fn end(&self, running: &mut Running) -> Exit {
        running.order(Order::Terminate).await;
        let grace = grace(&self.newest.borrow());
        if let Ok(exit) = tokio::time::timeout(grace, running.ended()).await {
            return exit;
        }
        running.order(Order::Kill).await;
        running.ended().await
    }

    /// Asks the container how it is, until it is to be started again.
    async fn ask(&self, inquiries: &Inquiries) {
        if let Some(startup) = &inquiries.startup {
            if self.starts(startup).await == Belief::Unwell {
                return;
            }
            self.change(|status| {
                status.started = Some(true);
                status.ready = inquiries.readiness.is_none();
            });
        }
        let ready = async {
            if let Some(readiness) = &inquiries.readiness {
                self.inquire(readiness, Belief::Unwell, |belief| {
                    self.change(|status| status.ready = belief == Belief::Well);
                    true
                })
                .await;
            }
            std::future::pending::<()>().await;
        };
        let live = async {
            match &inquiries.liveness {
                Some(liveness) => {
                    let goes_on = |belief| belief == Belief::Well;
                    self.inquire(liveness, Belief::Well, goes_on).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ready => {}
            () = live => {}
        }
    }

    /// Waits until the container has started, or has had its time.
    async fn starts(&self, inquiry: &Inquiry) -> Belief {
        let mut last = Belief::Unwell;
        let mut left = inquiry.startup_attempts();
        self.inquire(inquiry, Belief::Unwell, |belief| {
            last = belief;
            left -= 1;
            belief == Belief::Unwell && left > 0
        })
        .await;
        last
    }

    /// Asks one question again and again, and tells what is believed after each answer, as long as that is wanted.
    async fn inquire(
        &self,
        inquiry: &Inquiry,
        first: Belief,
        mut goes_on: impl FnMut(Belief) -> bool,
    ) {
        let Some(address) = self.ports.get(&inquiry.port()).copied() else {
            return;
        };
        tokio::time::sleep(inquiry.delay).await;
        let mut impression = Impression::new(first);
        loop {
            let answer = inquiry.ask(&self.setting.http, address).await;
            impression = inquiry.weigh(impression, answer);
            if !goes_on(impression.belief) {
                return;
            }
            tokio::time::sleep(inquiry.pause(answer)).await;
        }
    }

    fn enter(&self, state: ContainerState) {
        self.change(|status| {
            status.state = Some(state);
            status.ready = false;
            status.started = Some(false);
        });
    }

    fn change(&self, change: impl FnOnce(&mut ContainerStatus)) {
        self.picture.send_modify(|picture| {
            let status = match self.place {
                Place::Init(index) => picture.init.get_mut(index),
                Place::Main(index) => picture.containers.get_mut(index),
            };
            if let Some(status) = status {
                change(status);
            }
        });
    }

    fn look<T>(&self, at: impl FnOnce(&ContainerStatus) -> Option<T>) -> Option<T> {
        let picture = self.picture.borrow();
        let status = match self.place {
            Place::Init(index) => picture.init.get(index),
            Place::Main(index) => picture.containers.get(index),
        };
        status.and_then(at)
    }
}

/// How long the containers of a Pod may take to end.
fn grace(pod: &Pod) -> Duration {
    let of_deletion = pod.metadata.deletion_grace_period_seconds;
    let spec = pod.spec.as_ref();
    let seconds = of_deletion.or_else(|| spec?.termination_grace_period_seconds);
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(DEFAULT_GRACE, Duration::from_secs)
}
