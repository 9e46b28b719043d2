//! IDs, codes and token texts that look random and never repeat within one simulator.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

/// Draws texts from a seed and a counter.
#[derive(Debug)]
pub(super) struct Identifiers {
    seed: u64,
    drawn: u64,
}

impl Identifiers {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// 32 lower-case hex digits.
    pub(super) fn hex(&mut self) -> String {
        self.drawn += 1;
        let half = |part: u8| {
            let mut hasher = DefaultHasher::new();
            (self.seed, self.drawn, part).hash(&mut hasher);
            hasher.finish()
        };
        format!("{:016x}{:016x}", half(0), half(1))
    }
}

/// A seed that differs from one simulator to the next.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0_u8)
}
