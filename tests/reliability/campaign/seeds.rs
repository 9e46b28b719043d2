//! Random sequences, many at the same time, and the smallest form of one that fails. proptest draws a sequence from its seed and
//! shrinks it; as each play takes its time, the plays are this module's own affair.

use std::ops::Range;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::case::{Tally, play};
use super::ground::Ground;
use super::step::{Scene, as_code, sequence};

/// How many sequences are played at the same time: mostly they wait.
const AT_ONCE: usize = 32;

/// How many steps a sequence has at the most, the first object not counted.
const STEPS: usize = 18;

/// How long the operator may take to come to rest. Long, as the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The same while a sequence is made smaller, when nothing else is played.
const SHORT_PATIENCE: Duration = Duration::from_secs(15);

/// How often a sequence is played to make it smaller.
const MOST_PLAYS: usize = 120;

/// Plays the sequences of these seeds.
///
/// # Errors
/// What was wrong with the first that failed, in its smallest form.
pub(crate) async fn campaign(ground: &Ground, seeds: Range<u64>) -> Result<Vec<Tally>, String> {
    let plays = stream::iter(seeds).map(async |seed| {
        let scenes = drawn(seed).current();
        (seed, play(ground, &scenes, PATIENCE).await)
    });
    let outcomes: Vec<_> = plays.buffer_unordered(AT_ONCE).collect().await;
    let mut tallies = Vec::new();
    let mut failures = Vec::new();
    for (seed, outcome) in outcomes {
        match outcome {
            Ok(tally) => tallies.push(tally),
            Err(flaw) => failures.push((seed, flaw)),
        }
    }
    match failures.first() {
        None => Ok(tallies),
        Some((seed, flaw)) => {
            for (seed, flaw) in &failures {
                println!("seed {seed}: {}", flaw.lines().next().unwrap_or_default());
            }
            println!("{}\n{flaw}", as_code(&drawn(*seed).current()));
            println!("making it smaller, the first of {}", failures.len());
            Err(smallest(ground, *seed, flaw).await)
        }
    }
}

/// The sequence of a seed, the same on every machine.
fn drawn(seed: u64) -> impl ValueTree<Value = Vec<Scene>> {
    let mut runner = TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    });
    sequence(STEPS)
        .new_tree(&mut runner)
        .expect("every draw is a sequence")
}

/// The smallest sequence found that still fails, and how.
async fn smallest(ground: &Ground, seed: u64, flaw: &str) -> String {
    let mut tree = drawn(seed);
    let mut known = (tree.current(), flaw.to_owned());
    let mut goes_on = tree.simplify();
    for _ in 0..MOST_PLAYS {
        if !goes_on {
            break;
        }
        let scenes = tree.current();
        goes_on = match play(ground, &scenes, SHORT_PATIENCE).await {
            Ok(_) => tree.complicate(),
            Err(flaw) => {
                println!("{} steps still fail", scenes.len());
                known = (scenes, flaw);
                tree.simplify()
            }
        };
    }
    let (scenes, flaw) = known;
    format!(
        "seed {seed}, at its smallest:\n{}\n{flaw}",
        as_code(&scenes)
    )
}
