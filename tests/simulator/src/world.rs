//! The state that a running simulator shares between its connections, its admin API and the test that owns it.
//!
//! One lock guards all of it, so a call and an observer see one consistent state. Whoever changes something does so
//! through [`Shared::with`], which wakes everybody who waits for a condition.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::calls::{Call, CallLog, Calls};
use crate::faults::{FaultQueue, FaultReport};
use crate::knobs::Knobs;
use crate::limits::Limiter;
use crate::state::{Connector, DnsRecord, DnsTruth, Effect, Model, Zone, fresh_seed};

/// Everything that a simulator knows at one moment.
#[derive(Debug)]
pub struct World {
    pub(crate) knobs: Knobs,
    pub(crate) model: Model,
    pub(crate) faults: FaultQueue,
    pub(crate) calls: CallLog,
    pub(crate) limiter: Limiter,
}

impl World {
    /// The time by the simulator's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.knobs.clock_offset_seconds.into());
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::UNIX_EPOCH + since_epoch + offset
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.all()
    }

    /// Those calls for which `wanted` holds, oldest first; the others are not even copied.
    #[must_use]
    pub fn calls_that(&self, wanted: impl Fn(&Call) -> bool) -> Calls {
        self.calls.those(wanted)
    }

    /// The connectors of an account as they are, whatever lagging reads show; oldest first.
    #[must_use]
    pub fn connectors(&self, account: &str) -> Vec<Connector> {
        self.model.connectors(account)
    }

    /// A connector as it is, in whatever account.
    #[must_use]
    pub fn connector(&self, id: &str) -> Option<Connector> {
        self.model.connector(id).cloned()
    }

    /// All zones, oldest first.
    #[must_use]
    pub fn zones(&self) -> Vec<Zone> {
        self.model.dns.zones().to_vec()
    }

    /// The records of a zone as they are, whatever lagging reads show; oldest first.
    #[must_use]
    pub fn records(&self, zone: &str) -> Vec<DnsRecord> {
        self.model.dns.records(zone)
    }

    /// A DNS record as it is, in whatever zone.
    #[must_use]
    pub fn record(&self, id: &str) -> Option<DnsRecord> {
        self.model.dns.record(id).cloned()
    }

    /// The faults that were pushed and not cleared, oldest first.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultReport> {
        self.faults.reports()
    }

    /// Catches up with the clock.
    fn advance(&mut self) -> Effect {
        self.model.advance(self.now(), &self.knobs)
    }

    /// How long it is until a moment; nothing if it is past.
    pub(crate) fn until(&self, moment: Timestamp) -> Duration {
        Duration::try_from(moment.duration_since(self.now())).unwrap_or(Duration::ZERO)
    }

    /// How long it is until the verification clock has something to do.
    fn next_event(&self) -> Option<Duration> {
        Some(self.until(self.model.next_event(&self.knobs)?))
    }
}

/// The world behind its lock.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    changed: watch::Sender<()>,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(knobs: Knobs, truth: DnsTruth) -> Self {
        Self {
            world: Mutex::new(World {
                knobs,
                model: Model::new(fresh_seed(), truth),
                faults: FaultQueue::default(),
                calls: CallLog::default(),
                limiter: Limiter::default(),
            }),
            changed: watch::Sender::new(()),
            started: Instant::now(),
        }
    }

    /// The time since the simulator's start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Hears of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Works on the world at the present moment, and wakes everybody who waits.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let answer = {
            let mut world = self.lock();
            world.advance();
            work(&mut world)
        };
        self.changed.send_replace(());
        answer
    }

    /// Reads the world at the present moment.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        let (answer, effect) = {
            let mut world = self.lock();
            let effect = world.advance();
            (read(&world), effect)
        };
        if effect == Effect::Committed {
            self.changed.send_replace(());
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `condition` gives something.
    pub(crate) async fn until<T>(
        &self,
        mut condition: impl FnMut(&World) -> Option<T>,
        deadline: Duration,
    ) -> io::Result<T> {
        let mut changed = self.changes();
        let wait = async {
            loop {
                if let Some(answer) = self.read(&mut condition) {
                    return answer;
                }
                // The sender lives in `self`, so this cannot fail.
                let _ = changed.changed().await;
            }
        };
        tokio::time::timeout(deadline, wait).await.map_err(|_| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                "the simulator did not get there in time",
            )
        })
    }

    /// Drives the verification clock, so that verifications end on time although nobody calls.
    pub(crate) async fn run_clock(&self) {
        let mut changed = self.changes();
        loop {
            let next = self
                .read(World::next_event)
                .unwrap_or(Duration::from_hours(1));
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                _ = changed.changed() => {}
            }
        }
    }
}
