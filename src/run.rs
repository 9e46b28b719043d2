//! Puts the operator together, in the order in which it must come up: logs, probes, clients, the Lease, and while this
//! process leads, the controller.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kube::client::ClientBuilder;
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::cli::{LogFormat, RunArgs};
use crate::clock::Clock;
use crate::cloudflare::{BuildError, Client as Cloudflare, ClientOptions};
use crate::contact::{Contact, Noted};
use crate::controller::{self, Context, Outside, Scope};
use crate::default_token::{DefaultToken, HalfConfigured};
use crate::definition::{self, Judgement};
use crate::kubernetes;
use crate::lease::{self, Authority, Elector, Leader, Lost, NoNamespace, Place, WritesUnder};
use crate::metrics::Metrics;
use crate::plan::UnsafeTiming;
use crate::readiness::{Readiness, Role};
use crate::rights::{self, Setting};
use crate::server;

/// How long connecting to Cloudflare or to the API server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the API server may take to begin the answer to a watch, or to the list before it, which may be large.
const WATCH_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the API server may be silent within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Only half of the default token is configured.
    #[error(transparent)]
    DefaultToken(#[from] HalfConfigured),
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
    /// It is not known where the Lease is.
    #[error(transparent)]
    LeaseNamespace(#[from] NoNamespace),
    /// This process led and leads no longer.
    #[error("ending, because another replica may lead: {0}")]
    LeadershipLost(#[from] Lost),
    /// Whatever keeps the Lease has ended in a way that is a bug.
    #[error("ending, because nothing keeps the Lease any more: {0}")]
    LeaseUnkept(#[from] tokio::task::JoinError),
}

/// A client for each watch, which may be silent for minutes; one for everything else that the controller does, which may
/// not; and one for the Lease alone. None retries: what failed is tried again with all that is known then.
struct Clients {
    objects: kube::Client,
    definition: kube::Client,
    work: kube::Client,
    rights: kube::Client,
    lease: kube::Client,
}

/// How well the watches get through.
struct Contacts {
    objects: Contact,
    definition: Contact,
}

/// Runs the operator until SIGTERM or SIGINT; passes that are under way are finished, and the Lease is released.
///
/// # Errors
/// If it cannot start, or has led and leads no longer. Nothing else ends it.
pub async fn run(arguments: RunArgs) -> Result<(), RunError> {
    log(&arguments)?;
    arguments.timing.check()?;
    let default_token = DefaultToken::configured(
        arguments.default_token_file.clone(),
        arguments.default_token_grants.clone(),
    )?;
    let place = Place {
        namespace: lease::namespace(arguments.place.lease_namespace.as_deref())?,
        name: arguments.place.lease_name.clone(),
        identity: lease::identity(),
    };
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone()).map_err(RunError::Signals)?;

    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry));
    let clock = Clock::start();
    let contacts = Contacts {
        objects: Contact::new(clock),
        definition: Contact::new(clock),
    };
    let (judge, judgements) = watch::channel(Judgement::default());
    let readiness = Readiness::new(
        judgements.clone(),
        contacts.objects.clone(),
        contacts.definition.clone(),
        arguments.timing.watch_failure_limit,
    );
    let address = arguments.listen;
    let serving = server::serve(address, registry, readiness.clone(), shutdown.clone())
        .await
        .map_err(|cause| RunError::Listen { address, cause })?;
    let serving = tokio::spawn(serving);

    let authority = Authority::none();
    let clients = clients(&authority, contacts).await?;
    let cloudflare = cloudflare(&arguments, &authority)?;
    info!(version = env!("CARGO_PKG_VERSION"), cloudflare = %arguments.cloudflare_base_url, "starting");
    let scope = Scope::of(arguments.place.watch_namespaces.clone());
    let rights = rights::needed(Setting {
        scope: &arguments.place.watch_namespaces,
        lease_namespace: Some(&place.namespace),
        lease_name: &place.name,
    });
    tokio::spawn(rights::keep_asking(
        clients.rights,
        rights,
        arguments.rights_interval,
        Arc::clone(&metrics),
        shutdown.clone(),
    ));
    let elector = Elector::new(clients.lease, place, (&arguments.timing).into(), authority);
    let won = elector
        .win(&shutdown, || readiness.enter(Role::StandsBy))
        .await;
    if let Some(leader) = won {
        // Ready is from now on who knows the objects.
        readiness.enter(Role::Learns);
        metrics.leads(true);
        let rate = arguments.rate();
        let resolver = arguments.resolver();
        let timing = arguments.timing;
        let judging = definition::watch(clients.definition, judge, Arc::clone(&metrics));
        let judging = tokio::spawn(judging);
        let outside = Outside {
            client: clients.work,
            cloudflare,
            resolver,
        };
        let context = Context::new(outside, scope, timing, rate, default_token, metrics);
        let work = controller::run(
            clients.objects,
            Arc::new(context),
            judgements,
            readiness,
            shutdown.clone(),
        );
        lead(leader, work).await?;
        judging.abort();
    }
    shutdown.cancel();
    if let Ok(Err(cause)) = serving.await {
        error!(%cause, "serving probes and metrics failed");
    }
    info!("stopped");
    Ok(())
}

/// Works as long as this process leads. The Lease is kept by a task of its own, so that work cannot delay it, and released
/// when the work is done.
async fn lead(leader: Leader, work: impl Future<Output = ()>) -> Result<(), RunError> {
    let done = CancellationToken::new();
    let mut keeping = tokio::spawn(leader.keep(done.clone()));
    tokio::select! {
        biased;
        lost = &mut keeping => {
            lost??;
            return Ok(());
        }
        () = work => {}
    }
    done.cancel();
    Ok(keeping.await??)
}

fn cloudflare(arguments: &RunArgs, authority: &Authority) -> Result<Cloudflare, BuildError> {
    Cloudflare::new(ClientOptions {
        base_url: arguments.cloudflare_base_url.clone(),
        call_timeout: arguments.timing.call_timeout,
        connect_timeout: CONNECT_TIMEOUT.min(arguments.timing.call_timeout),
        authority: authority.clone(),
    })
}

async fn clients(
    authority: &Authority,
    contacts: Contacts,
) -> Result<Clients, Box<dyn std::error::Error + Send + Sync>> {
    let mut config = if std::env::var_os("KUBECONFIG").is_some() {
        kubernetes::configuration().await?
    } else {
        kube::Config::incluster()?
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.default_retry = false;
    let noted = |contact| Noted {
        contact,
        answer_timeout: WATCH_ANSWER_TIMEOUT,
    };
    let objects = ClientBuilder::try_from(config.clone())?
        .with_layer(&noted(contacts.objects))
        .build();
    let definition = ClientBuilder::try_from(config.clone())?
        .with_layer(&noted(contacts.definition))
        .build();
    // It watches, too, and bounds each of its calls itself.
    let lease = kube::Client::try_from(config.clone())?;
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    // Asking for rights changes nothing, so a replica that stands by may ask, too.
    let rights = kube::Client::try_from(config.clone())?;
    let work = ClientBuilder::try_from(config)?
        .with_layer(&WritesUnder(authority.clone()))
        .build();
    Ok(Clients {
        objects,
        definition,
        work,
        rights,
        lease,
    })
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
