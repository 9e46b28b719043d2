//! What the operator costs: calls, time, memory. One control plane, one simulated Cloudflare and the released program for each
//! scene; every figure stands beside what the same costs at least, measured in the same run where it is a time.

mod bare;
mod fairness;
mod figure;
mod ground;
mod latency;
mod population;
mod throughput;

use std::path::PathBuf;

use clap::Parser;
use population::Size;

use crate::figure::{Figure, table};

/// Whatever keeps a measurement from being made.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures what the operator costs, and writes it down.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program that is measured
    #[arg(long)]
    operator: PathBuf,
    /// Where the figures are written as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// The populations: how many objects in how many accounts
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1x1,100x10,1000x10,10000x100"
    )]
    populations: Vec<String>,
    /// Whether latency, throughput and fairness are left out
    #[arg(long)]
    only_populations: bool,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    // Whoever gives up leaves no control plane behind.
    tokio::select! {
        measured = measure(&arguments) => measured,
        ended = harness::asked_to_end() => Err(ended.map_or_else(Into::into, |()| "interrupted".into())),
    }
}

async fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let mut figures: Vec<Figure> = Vec::new();
    for population in &arguments.populations {
        let (objects, accounts) = population
            .split_once('x')
            .ok_or_else(|| format!("--populations: {population} is not like 100x10"))?;
        let size = Size {
            objects: objects.parse()?,
            accounts: accounts.parse()?,
        };
        eprintln!("{population} …");
        let measured = population::measure(arguments.operator.clone(), size).await?;
        eprint!("{}", table(&measured));
        figures.extend(measured);
    }
    if !arguments.only_populations {
        for measured in [
            latency::measure(arguments.operator.clone()).await?,
            throughput::measure(arguments.operator.clone()).await?,
            fairness::measure(arguments.operator.clone()).await?,
        ] {
            eprint!("{}", table(&measured));
            figures.extend(measured);
        }
    }
    println!("{}", table(&figures));
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&figures)?)?;
    }
    Ok(())
}
