//! The probes and the metrics: `/livez`, `/readyz`, `/metrics`. They come up before anything else, so that a process
//! that cannot reach the API server is not killed but shows as not ready.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whether the operator has seen the world and works, or stands by to do so.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on, ready or not.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves until `shutdown`.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    registry: Registry,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> io::Result<impl Future<Output = io::Result<()>>> {
    let listener = TcpListener::bind(address).await?;
    let registry = Arc::new(registry);
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(move || std::future::ready(ready(&readiness))),
        )
        .route(
            "/metrics",
            get(move || std::future::ready(metrics(&registry))),
        );
    Ok(axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .into_future())
}

fn ready(readiness: &Readiness) -> Response {
    if readiness.get() {
        "ok\n".into_response()
    } else {
        let why = "waiting for the API server: for the Lease, or as the leader for the first list of SsoConnector objects\n";
        (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
    }
}

fn metrics(registry: &Registry) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(std::fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
