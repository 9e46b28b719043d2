//! How fast each token is used. Cloudflare allows 1200 calls in five minutes for everything that uses a token, people
//! included, and blocks all of it for five minutes after that; so the default leaves half of it free.
//!
//! A pass is *admitted* once, in its turn, and its further calls are *charged*: they may run into debt, which later
//! passes wait out. A pass is so never stopped half-way to wait for another turn in which what it has seen would be out
//! of date again. Nobody sleeps here: whoever is not admitted is told when to come back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::cloudflare::Fingerprint;

/// How many tokens are remembered before idle ones are forgotten.
const REMEMBERED_TOKENS: usize = 1024;

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// A new or edited object, or one that is being deleted: somebody waits for it.
    Edited,
    /// A look at what was settled before.
    Periodic,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// It is others' turn first; ask again then.
    At(Moment),
    /// Cloudflare has asked that the token rest until then.
    Paused(Moment),
}

/// How fast a token may be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Calls per second in the long run.
    pub per_second: f64,
    /// Calls that may be made at once after a rest.
    pub burst: f64,
}

/// The pace of every token in use.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    buckets: Mutex<HashMap<Fingerprint, Bucket>>,
}

impl Limiter {
    /// A limiter that lets every token go at the given rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Asks for a pass with the token, on behalf of the object `uid`.
    pub fn admit(&self, token: Fingerprint, uid: &str, lane: Lane, now: Moment) -> Turn {
        let mut buckets = self.lock();
        if buckets.len() >= REMEMBERED_TOKENS && !buckets.contains_key(&token) {
            buckets.retain(|_, bucket| !bucket.is_idle(self.rate, now));
        }
        buckets
            .entry(token)
            .or_insert_with(|| Bucket::full(self.rate, now))
            .admit(self.rate, uid, lane, now)
    }

    /// Takes note of a further call of a pass that was admitted.
    pub fn charge(&self, token: Fingerprint, now: Moment) -> Turn {
        self.lock()
            .get_mut(&token)
            .map_or(Turn::Now, |bucket| bucket.charge(now))
    }

    /// Lets nobody use the token until then.
    pub fn pause(&self, token: Fingerprint, until: Moment, now: Moment) {
        let mut buckets = self.lock();
        let bucket = buckets
            .entry(token)
            .or_insert_with(|| Bucket::full(self.rate, now));
        bucket.paused = bucket.paused.max(Some(until));
    }

    /// How many tokens are paused.
    #[must_use]
    pub fn paused(&self, now: Moment) -> usize {
        self.lock()
            .values()
            .filter(|bucket| bucket.paused > Some(now))
            .count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pace of one token.
#[derive(Debug)]
struct Bucket {
    /// Calls that may be made now; below zero is debt.
    level: f64,
    /// When `level` was true.
    at: Moment,
    paused: Option<Moment>,
    /// The last turn that was given away, by lane.
    last_turn: [Moment; 2],
    turns: HashMap<(String, Lane), Moment>,
}

impl Bucket {
    fn full(rate: Rate, now: Moment) -> Self {
        Self {
            level: rate.burst,
            at: now,
            paused: None,
            last_turn: [Moment::default(); 2],
            turns: HashMap::new(),
        }
    }

    fn admit(&mut self, rate: Rate, uid: &str, lane: Lane, now: Moment) -> Turn {
        self.refill(rate, now);
        if let Some(paused) = self.paused.filter(|paused| *paused > now) {
            return Turn::Paused(paused);
        }
        // Somebody waits for an edited object, so it may go into debt before the others.
        let floor = match lane {
            Lane::Edited => -rate.burst,
            Lane::Periodic => 0.0,
        };
        let missing = floor + 1.0 - self.level;
        let place = (uid.to_owned(), lane);
        match self.turns.get(&place).copied() {
            Some(turn) if turn > now => Turn::At(turn),
            Some(_) if missing <= 0.0 => {
                self.turns.remove(&place);
                self.level -= 1.0;
                Turn::Now
            }
            Some(_) => Turn::At(now + seconds(missing / rate.per_second)),
            None if missing <= 0.0 && self.last_turn[lane as usize] <= now => {
                self.level -= 1.0;
                Turn::Now
            }
            None => {
                let turn = self.last_turn[lane as usize].max(now) + seconds(1.0 / rate.per_second);
                self.last_turn[lane as usize] = turn;
                self.turns
                    .retain(|_, turn| now.since(*turn) < Duration::from_hours(1));
                self.turns.insert(place, turn);
                Turn::At(turn)
            }
        }
    }

    fn charge(&mut self, now: Moment) -> Turn {
        if let Some(paused) = self.paused.filter(|paused| *paused > now) {
            return Turn::Paused(paused);
        }
        self.level -= 1.0;
        Turn::Now
    }

    fn refill(&mut self, rate: Rate, now: Moment) {
        let earned = now.since(self.at).as_secs_f64() * rate.per_second;
        self.level = (self.level + earned).min(rate.burst);
        self.at = now;
    }

    fn is_idle(&self, rate: Rate, now: Moment) -> bool {
        let earned = now.since(self.at).as_secs_f64() * rate.per_second;
        self.turns.is_empty() && self.paused <= Some(now) && self.level + earned >= rate.burst
    }
}

fn seconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count.max(0.001)).unwrap_or(Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::{ApiToken, FingerprintKey};

    const RATE: Rate = Rate {
        per_second: 2.0,
        burst: 20.0,
    };

    fn token() -> Fingerprint {
        ApiToken::parse(b"token")
            .unwrap()
            .fingerprint(&FingerprintKey::random())
    }

    fn at(seconds: f64) -> Moment {
        Moment::from_start(Duration::from_secs_f64(seconds))
    }

    /// Lets every object come back when it was told to, until all were admitted; the times of admission in order.
    fn drain(
        limiter: &Limiter,
        token: Fingerprint,
        objects: &[(String, Lane)],
    ) -> Vec<(Moment, Lane)> {
        let mut waiting: Vec<(Moment, &str, Lane)> = objects
            .iter()
            .map(|(uid, lane)| (at(0.0), uid.as_str(), *lane))
            .collect();
        let mut admitted = Vec::new();
        while !waiting.is_empty() {
            waiting.sort_by_key(|(due, _, _)| *due);
            let (now, uid, lane) = waiting.remove(0);
            match limiter.admit(token, uid, lane, now) {
                Turn::Now => admitted.push((now, lane)),
                Turn::Paused(due) | Turn::At(due) => {
                    assert!(due > now, "told to come back at once");
                    waiting.push((due, uid, lane));
                }
            }
        }
        admitted
    }

    #[test]
    fn a_crowd_is_served_at_the_rate_after_the_burst_and_in_its_order() {
        let crowd: Vec<_> = (0..100).map(|n| (format!("{n}"), Lane::Periodic)).collect();
        let served = drain(&Limiter::new(RATE), token(), &crowd);
        assert_eq!(
            served.iter().filter(|(when, _)| *when == at(0.0)).count(),
            20
        );
        let (last, _) = served.last().unwrap();
        let seconds = last.since(at(0.0)).as_secs_f64();
        assert!(
            (39.0..42.0).contains(&seconds),
            "80 more at 2/s took {seconds}"
        );
    }

    #[test]
    fn an_edited_object_does_not_wait_for_the_crowd() {
        let limiter = Limiter::new(RATE);
        let token = token();
        for n in 0..500 {
            let _ = limiter.admit(token, &format!("{n}"), Lane::Periodic, at(0.0));
        }
        assert_eq!(
            limiter.admit(token, "edited", Lane::Edited, at(0.1)),
            Turn::Now
        );
    }

    #[test]
    fn an_object_that_is_edited_while_it_waits_does_not_keep_its_old_place() {
        let limiter = Limiter::new(RATE);
        let token = token();
        for n in 0..500 {
            let _ = limiter.admit(token, &format!("{n}"), Lane::Periodic, at(0.0));
        }
        assert_ne!(
            limiter.admit(token, "499", Lane::Periodic, at(0.1)),
            Turn::Now
        );
        assert_eq!(
            limiter.admit(token, "499", Lane::Edited, at(0.1)),
            Turn::Now
        );
    }

    #[test]
    fn a_pause_holds_for_everybody_and_ends() {
        let limiter = Limiter::new(RATE);
        let token = token();
        limiter.pause(token, at(60.0), at(0.0));
        assert_eq!(
            limiter.admit(token, "a", Lane::Edited, at(1.0)),
            Turn::Paused(at(60.0))
        );
        assert_eq!(limiter.charge(token, at(1.0)), Turn::Paused(at(60.0)));
        assert_eq!(limiter.paused(at(1.0)), 1);
        assert_eq!(limiter.admit(token, "a", Lane::Edited, at(60.0)), Turn::Now);
        assert_eq!(limiter.paused(at(60.0)), 0);
    }

    #[test]
    fn debt_is_waited_out() {
        let limiter = Limiter::new(RATE);
        let token = token();
        assert_eq!(
            limiter.admit(token, "a", Lane::Periodic, at(0.0)),
            Turn::Now
        );
        for _ in 0..25 {
            assert_eq!(limiter.charge(token, at(0.0)), Turn::Now);
        }
        assert_ne!(
            limiter.admit(token, "b", Lane::Periodic, at(0.0)),
            Turn::Now
        );
        assert_ne!(
            limiter.admit(token, "b", Lane::Periodic, at(1.0)),
            Turn::Now
        );
        assert_eq!(
            limiter.admit(token, "b", Lane::Periodic, at(4.0)),
            Turn::Now
        );
    }
}
