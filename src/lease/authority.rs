//! Until when this process may act. The elector writes it, and whatever sends a call reads it right before.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::clock::Moment;

/// No end: for a client outside any election.
const UNLIMITED: u64 = u64::MAX;

/// The right to make calls, which ends by itself at a moment that lies ahead: somebody who sleeps over it finds it ended,
/// whoever wakes up first. Clones share it.
#[derive(Debug, Clone)]
pub struct Authority {
    /// In nanoseconds of [`uptime`].
    until: Arc<AtomicU64>,
}

/// The process may not act any more, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process does not lead")]
pub struct Lapsed {
    /// Whether the call may have gone out before.
    pub begun: bool,
}

impl Authority {
    /// None, until the first [`extend`](Self::extend).
    #[must_use]
    pub fn none() -> Self {
        Self::until(0)
    }

    /// One that never ends, for those who use a client outside the operator.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::until(UNLIMITED)
    }

    fn until(nanoseconds: u64) -> Self {
        Self {
            until: Arc::new(AtomicU64::new(nanoseconds)),
        }
    }

    /// Lets it last until this moment of [`uptime`].
    pub fn extend(&self, until: Moment) {
        let nanoseconds = until.since(Moment::default()).as_nanos();
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(UNLIMITED);
        self.until.store(nanoseconds, Ordering::SeqCst);
    }

    /// Ends it.
    pub fn revoke(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Whether it lasts now.
    #[must_use]
    pub fn lasts(&self) -> bool {
        let until = self.until.load(Ordering::SeqCst);
        until == UNLIMITED || uptime() < Moment::from_start(Duration::from_nanos(until))
    }

    /// Drives a call as long as the authority lasts. The clock is read before every step of the call, the first included,
    /// so one that was held up before it went out goes no further.
    ///
    /// # Errors
    /// If the authority ended before the call did.
    pub async fn cover<T>(&self, call: impl Future<Output = T>) -> Result<T, Lapsed> {
        let mut call = pin!(call);
        let mut begun = false;
        std::future::poll_fn(|context| {
            if !self.lasts() {
                return Poll::Ready(Err(Lapsed { begun }));
            }
            begun = true;
            call.as_mut().poll(context).map(Ok)
        })
        .await
    }
}

/// The time since the machine started, its sleep included: a leader whose machine was suspended must find its authority
/// ended, and the clock of the runtime stands still meanwhile.
#[must_use]
pub fn uptime() -> Moment {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
    Moment::from_start(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_until_its_end_and_can_be_taken_away() {
        let authority = Authority::none();
        assert!(!authority.lasts(), "nobody leads from the start");
        let shared = authority.clone();
        authority.extend(uptime() + Duration::from_mins(1));
        assert!(shared.lasts());
        authority.extend(uptime().before(Duration::from_nanos(1)));
        assert!(!shared.lasts(), "it ends by itself");
        authority.extend(uptime() + Duration::from_mins(1));
        shared.revoke();
        assert!(!authority.lasts());
        assert!(Authority::unlimited().lasts());
    }

    #[tokio::test]
    async fn a_call_that_was_held_up_goes_no_further() {
        let authority = Authority::none();
        let untouched = authority.cover(async { panic!("it goes out") }).await;
        assert_eq!(untouched, Err::<(), _>(Lapsed { begun: false }));

        authority.extend(uptime() + Duration::from_mins(1));
        let (connected, waiting) = tokio::sync::oneshot::channel::<()>();
        let call = authority.cover(async {
            waiting.await.ok();
            panic!("it goes out")
        });
        let end = async {
            authority.revoke();
            connected.send(()).unwrap();
        };
        let (stopped, ()) = tokio::join!(call, end);
        assert_eq!(stopped, Err::<(), _>(Lapsed { begun: true }));
    }
}
