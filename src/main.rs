//! The operator's binary: reads the command line and hands over to the library.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use cloudflare_sso_operator::cli::{Cli, Command};
use cloudflare_sso_operator::{resource, run};

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().asked() {
        Command::Run(arguments) => run::run(*arguments)
            .await
            .map_err(|failure| failure.to_string()),
        Command::Crd => print_definition().map_err(|failure| failure.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody is left to tell if this cannot be written.
            let _ = writeln!(io::stderr(), "cloudflare-sso-operator: {message}");
            // At once, and not only when everything that still runs has come to its end: another operator may lead by now.
            std::process::exit(1)
        }
    }
}

/// Whoever reads may stop reading: `crd | head` is no failure.
fn print_definition() -> Result<(), Box<dyn std::error::Error>> {
    let text = resource::yaml()?;
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(failure) if failure.kind() != ErrorKind::BrokenPipe => Err(failure.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
