//! The operator's binary: reads the command line and hands over to the library.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use cloudflare_sso_operator::cli::{Cli, Command, CrdArgs, CrdCommand, ExportArgs};
use cloudflare_sso_operator::{check, export, resource, run, upgrade};

/// What a person reads when something fails.
type Complaint = Box<dyn std::error::Error>;

// However many cores the node has: each thread costs memory, and there is seldom work for two.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let result = match Cli::parse().asked() {
        Command::Run(arguments) => run::run(*arguments).await.map_err(Complaint::from),
        Command::Crd(arguments) => definition(&arguments).await,
        Command::Export(arguments) => print_export(&arguments).await,
        Command::Check(arguments) => {
            let report = check::check(&arguments).await;
            match print(&report.to_string()) {
                Ok(()) if !report.passes() => return ExitCode::FAILURE,
                printed => printed,
            }
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            say(&complaint);
            // At once, and not only when everything that still runs has come to its end: another operator may lead by now.
            std::process::exit(1)
        }
    }
}

async fn definition(arguments: &CrdArgs) -> Result<(), Complaint> {
    match arguments.command() {
        None => print(&resource::yaml()?),
        Some(CrdCommand::Apply) => print(&format!("{}\n", upgrade::apply().await?)),
    }
}

async fn print_export(arguments: &ExportArgs) -> Result<(), Complaint> {
    let exported = export::export(arguments).await?;
    exported.remarks.iter().for_each(say);
    print(&exported.manifests)
}

fn say(line: &impl ToString) {
    // Nobody is left to tell if this cannot be written.
    let _ = writeln!(
        io::stderr(),
        "cloudflare-sso-operator: {}",
        line.to_string()
    );
}

/// Whoever reads may stop reading: `crd | head` is no failure.
fn print(text: &str) -> Result<(), Complaint> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(failure) if failure.kind() != ErrorKind::BrokenPipe => Err(failure.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
