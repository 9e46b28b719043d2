//! The calls that an operator sends, to the API server and to Cloudflare, in one order; and the point among them at which
//! it is killed.
//!
//! A [`Point`] is a call for one purpose ([`Step`]) in a chapter. A chapter begins with each call that changes something, and
//! whenever somebody outside acts: the script of the scenario, or the restart. Within a chapter nothing changes that
//! outlives the process, so killing it at any of the reads of a chapter leaves the same world behind; one read of each kind
//! stands for all its repetitions, however many polls there are. That makes the points of a scenario finitely many, and
//! the same in each run, and no call of a pass is without its point.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::step::Step;

/// A call at which the operator can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// How many chapters have begun.
    pub(super) chapter: usize,
    /// The first call of this kind in the chapter.
    pub(super) step: Step,
}

/// A call that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) step: Step,
    pub(super) at: Instant,
}

/// The calls so far.
#[derive(Debug)]
pub(super) struct Trail {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    sent: Vec<Sent>,
    points: Vec<Point>,
    chapter: usize,
    /// What was sent since the chapter began.
    chapter_sent: Vec<Step>,
    target: Option<Point>,
    restarted: Option<Instant>,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {:?}", self.chapter, self.step)
    }
}

impl Trail {
    /// A trail with a point that is to be noticed.
    pub(super) fn to(target: Option<Point>) -> Self {
        let log = Log {
            target,
            ..Log::default()
        };
        Self {
            log: Mutex::new(log),
        }
    }

    /// Takes note of a call. Whether it is the one at the point that was looked for, which is there only once.
    pub(super) fn arrives(&self, step: Step) -> bool {
        let mut log = self.log();
        if step.changes() {
            log.turn();
        }
        let at = Instant::now();
        log.sent.push(Sent { step, at });
        let point = Point {
            chapter: log.chapter,
            step,
        };
        if !log.chapter_sent.contains(&step) {
            log.points.push(point);
        }
        log.chapter_sent.push(step);
        log.target.take_if(|target| *target == point).is_some()
    }

    /// Somebody outside is about to act.
    pub(super) fn turn(&self) {
        self.log().turn();
    }

    /// The operator is dead, and another one is about to be started.
    pub(super) fn restarts(&self) {
        let mut log = self.log();
        log.turn();
        log.restarted = Some(Instant::now());
    }

    /// When the operator was started again.
    pub(super) fn restarted(&self) -> Option<Instant> {
        self.log().restarted
    }

    /// How often this was sent since the chapter began.
    pub(super) fn count_in_chapter(&self, step: Step) -> usize {
        let log = self.log();
        log.chapter_sent
            .iter()
            .filter(|sent| **sent == step)
            .count()
    }

    /// Every point that was passed.
    pub(super) fn points(&self) -> Vec<Point> {
        self.log().points.clone()
    }

    /// Every call, oldest first.
    pub(super) fn sent(&self) -> Vec<Sent> {
        self.log().sent.clone()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn turn(&mut self) {
        self.chapter += 1;
        self.chapter_sent.clear();
    }
}
