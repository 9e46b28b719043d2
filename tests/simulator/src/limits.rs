//! The rate limit per token, and the headers that tell about it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::knobs::Knobs;

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Instant,
    calls: u32,
}

/// How a token stands after a call was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Calls that are left in the window; absent if this call is one too many.
    pub(crate) remaining: Option<u32>,
    /// Until calls are counted anew.
    pub(crate) resets_in: Duration,
}

impl Standing {
    /// Whole seconds until the reset, rounded up so that nobody comes back too early.
    pub(crate) const fn reset_seconds(self) -> u64 {
        self.resets_in.as_secs()
            + if self.resets_in.subsec_nanos() > 0 {
                1
            } else {
                0
            }
    }
}

/// Counts calls by token.
#[derive(Debug, Default)]
pub(crate) struct Limiter(HashMap<String, Window>);

impl Limiter {
    /// Counts a call. The call that exceeds the limit starts the window again, and the token is blocked all through it.
    pub(crate) fn count(&mut self, token: &str, now: Instant, knobs: &Knobs) -> Standing {
        let fresh = Window {
            began: now,
            calls: 0,
        };
        let window = self.0.entry(token.to_owned()).or_insert(fresh);
        if now.duration_since(window.began) >= knobs.rate_window {
            *window = fresh;
        }
        if window.calls == knobs.rate_limit {
            window.began = now;
        }
        window.calls = window.calls.saturating_add(1);
        Standing {
            remaining: knobs.rate_limit.checked_sub(window.calls),
            resets_in: (window.began + knobs.rate_window).saturating_duration_since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_blocks_one_token_for_a_whole_window() {
        let knobs = Knobs {
            rate_limit: 2,
            rate_window: Duration::from_secs(10),
            ..Knobs::default()
        };
        let start = Instant::now();
        let mut limiter = Limiter::default();
        let mut remaining = |token: &str, second: u64| {
            limiter
                .count(token, start + Duration::from_secs(second), &knobs)
                .remaining
        };
        assert_eq!(remaining("a", 0), Some(1));
        assert_eq!(remaining("a", 1), Some(0));
        assert_eq!(remaining("a", 2), None);
        assert_eq!(remaining("b", 2), Some(1));
        assert_eq!(remaining("a", 11), None, "blocked since second 2");
        assert_eq!(remaining("a", 12), Some(1));
    }
}
