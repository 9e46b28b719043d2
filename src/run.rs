//! Puts the operator together, in the order in which it must come up: logs, probes, clients, controller.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::cli::{LogFormat, RunArgs};
use crate::cloudflare::{BuildError, Client as Cloudflare, ClientOptions};
use crate::controller::{self, Context};
use crate::lease::{self, Candidacy, Candidate, Lost};
use crate::metrics::Metrics;
use crate::plan::UnsafeTiming;
use crate::server::{self, Readiness};

/// How long connecting to Cloudflare or to the API server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the API server may be silent within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a Pod finds its namespace.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Where `deploy/` puts the operator's rights.
const INSTALLED_NAMESPACE: &str = "cloudflare-sso-system";

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A flag has an unusable value.
    #[error("--log-filter: {0}")]
    LogFilter(#[from] ParseError),
    /// Logging is set up already.
    #[error("logging cannot be set up: {0}")]
    Log(#[from] TryInitError),
    /// A combination of durations is unsafe.
    #[error(transparent)]
    Timing(#[from] UnsafeTiming),
    /// The probes cannot be served.
    #[error("--listen: cannot serve on {address}: {cause}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The signals of the system cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(io::Error),
    /// There is no configuration for the API server.
    #[error("no API server: set KUBECONFIG, or run in a Pod with a ServiceAccount: {0}")]
    Cluster(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// The Cloudflare client cannot be set up.
    #[error(transparent)]
    Cloudflare(#[from] BuildError),
    /// Another process may lead by now.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Runs the operator until SIGTERM or SIGINT; passes that are under way are finished.
///
/// # Errors
/// If it cannot start, or if it has lost its lease: then it must not go on.
pub async fn run(arguments: RunArgs) -> Result<(), RunError> {
    log(&arguments)?;
    arguments.timing.check()?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone()).map_err(RunError::Signals)?;

    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry));
    let readiness = Readiness::default();
    let address = arguments.listen;
    let serving = server::serve(address, registry, readiness.clone(), shutdown.clone())
        .await
        .map_err(|cause| RunError::Listen { address, cause })?;
    let serving = tokio::spawn(serving);

    let clients = clients().await?;
    let mut candidate = Candidate::new(
        clients.lease,
        candidacy(&arguments),
        arguments.terms(),
        Arc::clone(&metrics),
    );
    let cloudflare = Cloudflare::new(ClientOptions {
        base_url: arguments.cloudflare_base_url.clone(),
        call_timeout: arguments.timing.call_timeout,
        connect_timeout: CONNECT_TIMEOUT.min(arguments.timing.call_timeout),
        authority: candidate.authority(),
    })?;
    let context = Context::new(
        clients.writes,
        cloudflare,
        arguments.timing.clone(),
        arguments.rate(),
        metrics,
    );
    info!(version = env!("CARGO_PKG_VERSION"), cloudflare = %arguments.cloudflare_base_url, "starting");
    let won = shutdown
        .run_until_cancelled(candidate.win(&readiness))
        .await;
    if won.is_some() {
        readiness.set(false);
        // The first list comes from the API server itself, so nothing is missed that an earlier leader has written.
        let work = controller::run(
            clients.watch,
            Arc::new(context),
            readiness,
            shutdown.clone(),
        );
        tokio::select! {
            () = work => {}
            lost = candidate.keep() => return Err(lost.into()),
        }
    }
    candidate.release().await;
    shutdown.cancel();
    if let Ok(Err(cause)) = serving.await {
        error!(%cause, "serving probes and metrics failed");
    }
    info!("stopped");
    Ok(())
}

/// The clients of the API server. None retries: what failed is tried again by the next pass, with all that is known then.
struct Clients {
    /// For the watch, which may be silent for minutes.
    watch: kube::Client,
    /// For the lease alone, so that nothing makes a renewal wait.
    lease: kube::Client,
    /// For everything else.
    writes: kube::Client,
}

async fn clients() -> Result<Clients, Box<dyn std::error::Error + Send + Sync>> {
    let mut config = if std::env::var_os("KUBECONFIG").is_some() {
        kube::Config::infer().await?
    } else {
        kube::Config::incluster()?
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.default_retry = false;
    let watch = kube::Client::try_from(config.clone())?;
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    let lease = kube::Client::try_from(config.clone())?;
    Ok(Clients {
        watch,
        lease,
        writes: kube::Client::try_from(config)?,
    })
}

fn candidacy(arguments: &RunArgs) -> Candidacy {
    let own = || std::fs::read_to_string(OWN_NAMESPACE).ok();
    let namespace = arguments.lease_namespace.clone().or_else(own);
    Candidacy {
        namespace: namespace.unwrap_or_else(|| INSTALLED_NAMESPACE.to_owned()),
        name: arguments.lease_name.clone(),
        identity: lease::identity(),
    }
}

fn log(arguments: &RunArgs) -> Result<(), RunError> {
    let filter = EnvFilter::builder().parse(&arguments.log_filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match arguments.log_format {
        LogFormat::Text => lines.with_ansi(false).finish().try_init()?,
        LogFormat::Json => lines.json().finish().try_init()?,
    }
    Ok(())
}

fn cancel_on_signal(shutdown: CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping: finishing what is under way");
        shutdown.cancel();
    });
    Ok(())
}
