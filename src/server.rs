//! The probes and the metrics: `/livez`, `/readyz`, `/metrics`. They come up before anything else, so that a process
//! that cannot reach the API server is not killed but shows as not ready.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;

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
    let obstacles = readiness.obstacles();
    if obstacles.is_empty() {
        return "ok\n".into_response();
    }
    let lines: Vec<_> = obstacles.iter().map(ToString::to_string).collect();
    let body = lines.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

fn metrics(registry: &Registry) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(std::fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
