//! The playground: the operator's surroundings on this machine, for people.
//!
//! `cluster` starts them and stays, `down` ends it, `demo` tells the operator's whole story in them. What both share is in
//! [`surroundings`]; [`story`] has the words, [`demo`] the plot.

mod cluster;
mod demo;
mod state;
mod story;
mod surroundings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An error for a person to read.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A real Kubernetes control plane and a simulated Cloudflare on this machine.
///
/// etcd, kube-apiserver, kube-controller-manager and kubectl are built on first use, which takes minutes and needs Go;
/// afterwards a start takes seconds. Everything listens on 127.0.0.1, lives in a temporary folder, and is gone afterwards.
/// `cluster` runs Pods as processes of this machine; in `demo` the operator is a process beside it all.
#[derive(Debug, Parser)]
#[command(name = "playground", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start control plane and simulator, build the image, run Pods, and stay until Ctrl-C or `playground down`
    Cluster,
    /// End a running `playground cluster`
    Down,
    /// Tell the operator's story from `kubectl apply` to verified, enabled and deleted; fails if a step is not seen
    Demo {
        /// The operator's binary
        #[arg(long, value_name = "PATH")]
        operator: PathBuf,
        /// Leave everything up at the end, until Ctrl-C
        #[arg(long, env = "KEEP", value_parser = clap::builder::FalseyValueParser::new())]
        keep: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Cluster => cluster::run().await,
        Command::Down => state::end_running().await,
        Command::Demo { operator, keep } => demo::run(operator, keep).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("playground: {failure}");
            ExitCode::FAILURE
        }
    }
}
