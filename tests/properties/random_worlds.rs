//! Random worlds, in which nothing that must never happen happens, and which end well once the trouble ends.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::endings;
use crate::model::Model;
use crate::script::script;

/// The same worlds on every machine.
pub fn fixed(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(fixed(2_000, 1))]

    #[test]
    fn what_must_never_happen_does_not(script in script(60)) {
        Model::played(script);
    }
}

proptest! {
    #![proptest_config(fixed(400, 2))]

    #[test]
    fn every_world_ends_well_once_the_trouble_ends(script in script(30)) {
        endings::ends_well(&mut Model::played(script));
    }
}
