//! A reverse proxy in front of the API server through which the operator's calls can be seen, held and cut.
//!
//! A test points the operator's kubeconfig at it
//! ([`ControlPlane::service_account_kubeconfig`](crate::ControlPlane::service_account_kubeconfig)) and can then, for
//! example, hold the status write that follows Cloudflare's answer and kill the operator in between. It speaks plain HTTP
//! on loopback and passes the caller's token on; answers are streamed, so watches work, and their events can be held back
//! or left out. It stands as well in front of the simulated Cloudflare, where a test needs to know which of two processes calls.

mod answer;
mod events;
mod forward;
mod interception;

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use answer::Answer;
pub use events::{EventInterception, EventKind, EventTreatment, WatchEvent};
pub use interception::{Interception, Treatment};

use crate::{ControlPlane, HarnessError};
use events::EventInterceptions;
use interception::Interceptions;

/// A call as it arrived at the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// Path and query, as in `/apis/cloudflare-sso.dev/v1alpha1/ssoconnectors?watch=true`.
    pub path: String,
    /// The body, whole.
    pub body: Bytes,
}

impl Call {
    /// Whether it asks to be told of changes.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        is_watch(&self.path)
    }
}

/// A call in the proxy's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// The HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl CallRecord {
    /// Whether it asks to be told of changes.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        is_watch(&self.path)
    }
}

fn is_watch(path: &str) -> bool {
    path.contains("watch=true")
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The caller waits.
    UnderWay,
    /// The caller was answered (a watch: its answer has begun).
    Answered(StatusCode),
    /// The caller got no answer: it went away, or the connection was cut.
    Cut,
}

/// A running proxy. It ends, and cuts every connection, when this value is dropped.
#[derive(Debug)]
pub struct ApiServerProxy {
    url: Url,
    shared: Arc<Shared>,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    upstream: Url,
    http: reqwest::Client,
    log: Mutex<Vec<CallRecord>>,
    interceptions: Interceptions,
    events: EventInterceptions,
    connections: Mutex<Connections>,
    /// Whether no byte passes.
    silent: watch::Sender<bool>,
    end: CancellationToken,
}

/// Whether callers are let in.
#[derive(Debug)]
enum Connections {
    /// Yes; cancelling the token cuts those that are open.
    Accepted(CancellationToken),
    Refused,
}

impl ApiServerProxy {
    /// Starts a proxy in front of `control_plane`.
    ///
    /// # Errors
    /// No port was free, or the control plane's certificate could not be read.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self, HarnessError> {
        let http = trusting_client(control_plane)?;
        Self::listen(control_plane.url().clone(), http).await
    }

    /// Starts the same in front of something else that speaks plain HTTP: the simulated Cloudflare.
    ///
    /// # Errors
    /// No port was free.
    pub async fn in_front_of(upstream: Url) -> Result<Self, HarnessError> {
        let http = client().build();
        let http = http.map_err(HarnessError::http("building the proxy's client"))?;
        Self::listen(upstream, http).await
    }

    async fn listen(upstream: Url, http: reqwest::Client) -> Result<Self, HarnessError> {
        let listening = || HarnessError::io("listening for a proxy");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(listening())?;
        let address = listener.local_addr().map_err(listening())?;
        let shared = Arc::new(Shared {
            upstream,
            http,
            log: Mutex::default(),
            interceptions: Interceptions::default(),
            events: EventInterceptions::default(),
            connections: Mutex::new(Connections::Accepted(CancellationToken::new())),
            silent: watch::Sender::default(),
            end: CancellationToken::new(),
        });
        tokio::spawn(Arc::clone(&shared).accept(listener));
        Ok(Self {
            url: url_of(address),
            shared,
        })
    }

    /// Where it listens, for a kubeconfig.
    #[must_use]
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// All calls so far, in the order in which they came.
    #[must_use]
    pub fn calls(&self) -> Vec<CallRecord> {
        lock(&self.shared.log).clone()
    }

    /// From now on `treatment` is given to every call that `matches`, until the returned value is released or dropped.
    /// Of several interceptions that match, the oldest counts; the others are not asked about the call. So a lone `matches`
    /// sees every call once, in the order in which they come.
    pub fn intercept(
        &self,
        treatment: Treatment,
        matches: impl Fn(&Call) -> bool + Send + Sync + 'static,
    ) -> Interception {
        self.shared
            .interceptions
            .add(treatment, usize::MAX, matches)
    }

    /// The same for the first `times` calls that `matches`, and for no others.
    pub fn intercept_first(
        &self,
        times: usize,
        treatment: Treatment,
        matches: impl Fn(&Call) -> bool + Send + Sync + 'static,
    ) -> Interception {
        self.shared.interceptions.add(treatment, times, matches)
    }

    /// From now on `treatment` is given to every event that `matches`, of watches that are open already, too, until the
    /// returned value is released or dropped. Of several interceptions that match, the oldest counts.
    pub fn intercept_events(
        &self,
        treatment: EventTreatment,
        matches: impl Fn(&WatchEvent) -> bool + Send + Sync + 'static,
    ) -> EventInterception {
        self.shared.events.add(treatment, matches)
    }

    /// Leaves every connection open, and new ones are accepted; but no byte passes on any of them, watches included, until
    /// [`speak`](Self::speak): half-open connections, as behind a network that has gone away.
    pub fn fall_silent(&self) {
        self.shared.silent.send_replace(true);
    }

    /// Ends [`fall_silent`](Self::fall_silent).
    pub fn speak(&self) {
        self.shared.silent.send_replace(false);
    }

    /// Cuts every open connection, watches included, and refuses new ones until [`recover`](Self::recover).
    pub fn refuse(&self) {
        let before = std::mem::replace(&mut *self.shared.connections(), Connections::Refused);
        if let Connections::Accepted(open) = before {
            open.cancel();
        }
    }

    /// Ends [`refuse`](Self::refuse).
    pub fn recover(&self) {
        let mut connections = self.shared.connections();
        if matches!(*connections, Connections::Refused) {
            *connections = Connections::Accepted(CancellationToken::new());
        }
    }
}

impl Drop for ApiServerProxy {
    fn drop(&mut self) {
        self.shared.end.cancel();
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.connections)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Some(accepted) = self.end.run_until_cancelled(listener.accept()).await {
            // A caller that hung up again is no reason to stop.
            let Ok((stream, _)) = accepted else { continue };
            if let Connections::Accepted(open) = &*self.connections() {
                tokio::spawn(Arc::clone(&self).serve(stream, open.clone()));
            }
        }
    }

    /// Serves one connection until it ends, or until it shall be cut: dropping it closes the socket.
    async fn serve(self: Arc<Self>, stream: TcpStream, open: CancellationToken) {
        let shared = Arc::clone(&self);
        let service = service_fn(move |request| Arc::clone(&shared).answer(request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            () = self.converse(connection) => {}
            () = open.cancelled() => {}
            () = self.end.cancelled() => {}
        }
    }

    /// Drives a connection whenever there is no silence. It ends with an error when its caller goes away, or when a test
    /// cuts it.
    async fn converse(&self, connection: impl Future) {
        let mut connection = pin!(connection);
        let mut silent = self.silent.subscribe();
        loop {
            // The sender lives in this very value, so waiting cannot fail.
            let _ = silent.wait_for(|silent| !silent).await;
            tokio::select! {
                biased;
                _ = silent.wait_for(|silent| *silent) => {}
                _ = &mut connection => return,
            }
        }
    }
}

/// A client that passes on what it is answered, redirects included.
fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
}

/// A client that believes the control plane's own authority, and no other.
fn trusting_client(control_plane: &ControlPlane) -> Result<reqwest::Client, HarnessError> {
    let path = control_plane.certificate_authority();
    let reading = format!("reading {}", path.display());
    let pem = std::fs::read(&path).map_err(HarnessError::io(reading.clone()))?;
    let authorities =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(HarnessError::http(reading))?;
    client()
        .tls_certs_only(authorities)
        .build()
        .map_err(HarnessError::http("building the proxy's client"))
}

fn url_of(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).expect("a socket address makes a URL")
}

/// A test that panicked while it held the lock has failed already; the others shall still be told what they see.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
