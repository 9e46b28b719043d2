//! What the operator costs: calls, time, memory. One control plane, one simulated Cloudflare and the released program for each
//! scene; every figure stands beside what the same costs at least, measured in the same run where it is a time.

mod bare;
mod fairness;
mod figure;
mod ground;
mod growth;
mod latency;
mod population;
mod program;
mod throughput;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::figure::{Figure, table, whole};
use crate::population::Size;

/// With fewer objects what is there without any counts for more than they do.
const FEWEST_TO_COMPARE: usize = 1000;

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
    /// What is measured
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "program,populations,latency,throughput,fairness"
    )]
    scenes: Vec<Scene>,
}

/// What can be measured for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// The program itself: how large it is
    Program,
    /// Populations of objects: calls, memory, a restart, and what is used when nothing happens
    Populations,
    /// One object after the other, from apply to the code in its status
    Latency,
    /// Many objects at once
    Throughput,
    /// One edit while many others wait
    Fairness,
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
    let binary = || arguments.operator.clone();
    let mut figures: Vec<Figure> = Vec::new();
    let mut tell = |measured: Vec<Figure>| {
        eprint!("{}", table(&measured));
        figures.extend(measured);
    };
    for scene in &arguments.scenes {
        match scene {
            Scene::Program => tell(program::measure(&arguments.operator)?),
            Scene::Populations => {
                let mut before: Option<(Size, Vec<Figure>)> = None;
                for population in &arguments.populations {
                    eprintln!("{population} …");
                    let size: Size = population.parse()?;
                    let measured = population::measure(binary(), size).await?;
                    tell(measured.clone());
                    if let Some((small, known)) = &before
                        && small.objects >= FEWEST_TO_COMPARE
                    {
                        let times = whole(size.objects) / whole(small.objects);
                        tell(growth::compare(known, &measured, times));
                    }
                    before = Some((size, measured));
                }
            }
            Scene::Latency => tell(latency::measure(binary()).await?),
            Scene::Throughput => tell(throughput::measure(binary()).await?),
            Scene::Fairness => tell(fairness::measure(binary()).await?),
        }
    }
    println!("{}", table(&figures));
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&figures)?)?;
    }
    Ok(())
}
