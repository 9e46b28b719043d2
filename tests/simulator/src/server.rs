//! The listening socket, and one task per connection.
//!
//! Connections are served by hand, not by `axum::serve`, because a fault must be able to reset one: then the socket
//! is taken back from hyper and closed with a RST, and the caller gets no byte of an answer.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Ending};
use crate::world::Shared;

const BODY_LIMIT: usize = 4 << 20;

/// Accepts connections until it is dropped; then they all end.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>, admin: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A failed accept concerns one caller only.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, shared.clone(), admin.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, admin: Router) {
    let reset = CancellationToken::new();
    let admin = TowerToHyperService::new(admin);
    let service = service_fn(|request: Request<Incoming>| {
        answer(
            request.map(Body::new),
            shared.clone(),
            admin.clone(),
            reset.clone(),
        )
    });
    let mut connection = http1::Builder::new()
        // `Date` comes from the simulator's own clock, or not at all.
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error here is the caller's: it hung up, or sent no HTTP.
        _ = &mut connection => {}
        () = reset.cancelled() => {
            let stream = connection.into_parts().io.into_inner();
            // Without lingering, closing sends a RST. Where that cannot be set, a FIN does nearly as well.
            let _ = stream.set_zero_linger();
        }
    }
}

async fn answer(
    request: Request<Body>,
    shared: Arc<Shared>,
    admin: TowerToHyperService<Router>,
    reset: CancellationToken,
) -> Result<Response, Infallible> {
    if request.uri().path().starts_with("/admin") {
        return admin.call(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    match tokio::spawn(api::serve(shared, parts, body)).await {
        Ok(Ending::Answer(response)) => Ok(response),
        Ok(Ending::Reset) => {
            reset.cancel();
            pending().await
        }
        Err(_) => Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}
