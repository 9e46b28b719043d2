//! Until when this process may act. Read right before bytes go out, so a process that was paused, and whose timers have
//! not rung yet, does not act on what it believed before.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The right to act, which ends at a deadline on the monotonic clock unless it is extended. Clones share it.
#[derive(Debug, Clone)]
pub struct Authority {
    start: Instant,
    /// Nanoseconds after `start`.
    until: Arc<AtomicU64>,
}

impl Authority {
    /// None yet.
    #[must_use]
    pub fn none() -> Self {
        Self {
            start: Instant::now(),
            until: Arc::default(),
        }
    }

    /// One that never ends, for those who change nothing or stand alone.
    #[must_use]
    pub fn unlimited() -> Self {
        let authority = Self::none();
        authority.until.store(u64::MAX, Ordering::SeqCst);
        authority
    }

    /// Lets it last until then.
    pub fn extend(&self, until: Instant) {
        let span = until.saturating_duration_since(self.start);
        let nanoseconds = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.until.store(nanoseconds, Ordering::SeqCst);
    }

    /// Ends it.
    pub fn revoke(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Whether this process may act now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.start.elapsed().as_nanos() < u128::from(self.until.load(Ordering::SeqCst))
    }

    /// Ends when the authority does. Polled before what it guards, it looks at the clock each time, not only when a
    /// timer rings.
    pub(crate) async fn ended(&self) {
        while self.holds() {
            let until = Duration::from_nanos(self.until.load(Ordering::SeqCst));
            let mut timer = std::pin::pin!(sleep_until(self.start + until.min(FAR)));
            poll_fn(|context| {
                if self.holds() {
                    timer.as_mut().poll(context)
                } else {
                    Poll::Ready(())
                }
            })
            .await;
        }
    }
}

/// Longer than any call; the runtime's timers cannot go much further.
const FAR: Duration = Duration::from_hours(24 * 365);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_holds_until_its_deadline_and_can_be_extended_and_revoked() {
        let authority = Authority::none();
        assert!(!authority.holds());
        authority.ended().await;
        let start = Instant::now();
        authority.extend(start + Duration::from_millis(40));
        let clone = authority.clone();
        let extended = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            authority.extend(start + Duration::from_millis(80));
        };
        tokio::join!(clone.ended(), extended);
        assert!(start.elapsed() >= Duration::from_millis(80));
        authority.extend(Instant::now() + Duration::from_hours(1));
        assert!(clone.holds());
        authority.revoke();
        assert!(!clone.holds());
        assert!(Authority::unlimited().holds());
    }
}
