//! A campaign over the spec: random sequences of what people do, with the built operator on a real control plane, and an oracle
//! that is derived from the design. At each step nothing may happen that must never happen, and when the operator has come to
//! rest, what stands at Cloudflare, what the objects are bound to and what they say must be what the design prescribes after
//! this history; and the operator must have changed exactly what leads there.
//!
//! `make campaign SEEDS=100` plays more sequences. One that fails is printed in its smallest form; it belongs into
//! [`regressions`].

mod case;
mod ground;
mod hand;
mod nevers;
mod oracle;
mod regressions;
mod seeds;
mod step;

use case::Tally;
use ground::Ground;

/// How many sequences are played unless somebody asks for more.
const SEEDS: u64 = 40;

/// Names the first seed and how many follow; both are numbers.
const FIRST: &str = "CAMPAIGN_FIRST_SEED";
const COUNT: &str = "CAMPAIGN_SEEDS";

#[tokio::test(flavor = "multi_thread")]
async fn random_sequences_end_as_the_design_says() {
    let first = number(FIRST, 0);
    let count = number(COUNT, SEEDS);
    let ground = Ground::prepared().await;
    let tallies = seeds::campaign(&ground, first..first + count)
        .await
        .unwrap_or_else(|flaw| panic!("{flaw}"));
    let sum = |part: fn(&Tally) -> usize| tallies.iter().map(part).sum::<usize>();
    crate::tally::tell(&format!(
        "{count} sequences from seed {first} on, {} steps (of which {} found nothing to do), {} rests, {} changes at \
         Cloudflare, {} restarts of the operator",
        sum(|tally| tally.steps),
        sum(|tally| tally.idle),
        sum(|tally| tally.rests),
        sum(|tally| tally.changes),
        ground.restarts(),
    ));
    assert_eq!(tallies.len(), usize::try_from(count).unwrap());
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is to be a number, not {text}"))
    })
}
