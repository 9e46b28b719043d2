//! The process's own time. Decisions take it as an argument, so they are pure and tests can make any moment.

use std::ops::Add;
use std::time::Duration;

/// A point on the process's monotonic clock: the time since the process started.
///
/// Never stored and never compared with another process's or with Cloudflare's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The moment that lies `since_start` after the start of the process.
    #[must_use]
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment that lies `span` earlier; the start of the process if that would be before it.
    #[must_use]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }

    /// How long it is until `later`; zero if it has passed.
    #[must_use]
    pub const fn until(self, later: Self) -> Duration {
        later.since(self)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

/// Reads the process's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: tokio::time::Instant::now(),
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.start.elapsed())
    }

    /// The moment of the runtime's `instant`; the start, if that was before it.
    #[must_use]
    pub fn moment(&self, instant: tokio::time::Instant) -> Moment {
        Moment(instant.saturating_duration_since(self.start))
    }

    /// The runtime's instant for `moment`, to bound a call by an absolute deadline.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> tokio::time::Instant {
        self.start + moment.0
    }
}
