//! What the tests of the Pod runner run in containers: a program that tells what it finds and does what it is told.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A program in a container.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// End at once with this code
    Exit { code: u8 },
    /// Serve on port 8080 of every address until SIGTERM
    Serve {
        /// What /ready answers in the beginning
        #[arg(long, value_enum, default_value_t = Readiness::Ready)]
        readiness: Readiness,
        /// What is made of SIGTERM
        #[arg(long, value_enum, default_value_t = Manners::Polite)]
        manners: Manners,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Readiness {
    Ready,
    Unready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Manners {
    /// It ends
    Polite,
    /// It goes on
    Stubborn,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, std::io::Error> {
    match CommandLine::parse().command {
        Command::Exit { code } => Ok(ExitCode::from(code)),
        Command::Serve { readiness, manners } => serve(readiness, manners).await,
    }
}

async fn serve(readiness: Readiness, manners: Manners) -> Result<ExitCode, std::io::Error> {
    let ready = Arc::new(AtomicBool::new(readiness == Readiness::Ready));
    let routes = Router::new()
        .route("/self", get(tell))
        .route("/file/{*path}", get(read))
        .route("/write/{*path}", get(write))
        .route("/ready", get(is_ready))
        .route("/become/{readiness}", get(become_so))
        .route("/exit/{code}", get(exit))
        .with_state(ready);
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
    let listener = TcpListener::bind(address).await?;
    let mut asked = signal(SignalKind::terminate())?;
    println!("serving");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    loop {
        asked.recv().await;
        println!("asked to end");
        match manners {
            Manners::Polite => return Ok(ExitCode::SUCCESS),
            Manners::Stubborn => {}
        }
    }
}

/// Who it is, and what it was given.
async fn tell() -> Json<Value> {
    Json(json!({
        "user": rustix::process::getuid().as_raw(),
        "group": rustix::process::getgid().as_raw(),
        "arguments": std::env::args().collect::<Vec<_>>(),
        "environment": std::env::vars().collect::<BTreeMap<_, _>>(),
    }))
}

async fn read(Path(path): Path<String>) -> (StatusCode, String) {
    match std::fs::read_to_string(format!("/{path}")) {
        Ok(text) => (StatusCode::OK, text),
        Err(failure) => (StatusCode::FORBIDDEN, failure.to_string()),
    }
}

async fn write(Path(path): Path<String>) -> (StatusCode, String) {
    match std::fs::write(format!("/{path}"), "written") {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(failure) => (StatusCode::FORBIDDEN, failure.to_string()),
    }
}

async fn is_ready(State(ready): State<Arc<AtomicBool>>) -> StatusCode {
    if ready.load(Ordering::Relaxed) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn become_so(State(ready): State<Arc<AtomicBool>>, Path(readiness): Path<String>) {
    ready.store(readiness == "ready", Ordering::Relaxed);
}

async fn exit(Path(code): Path<i32>) {
    std::process::exit(code)
}
