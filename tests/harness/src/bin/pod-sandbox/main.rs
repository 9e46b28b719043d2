//! The inside of a Pod that the harness plays: started in namespaces of its own, it is their first process.
//!
//! `pod` brings the network up, carries connections in and out, and starts containers. `container` is what it starts for
//! each: the one that lays out the container's root, becomes its user, and turns into its program.

mod container;
mod pod;
mod relay;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An error for the person who reads a failed test.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The inside of a Pod that the harness plays.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be the first process of a Pod
    Pod(pod::Arguments),
    /// Become a container
    Container {
        /// The file with its description
        launch: PathBuf,
    },
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Pod(arguments) => pod::run(&arguments),
        Command::Container { launch } => container::become_it(&launch),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pod-sandbox: {failure}");
            // As shells and container runtimes say that a command could not be run.
            ExitCode::from(126)
        }
    }
}
