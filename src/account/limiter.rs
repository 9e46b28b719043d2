//! How fast each token is used. Cloudflare allows 1200 calls in five minutes for everything that uses a token, people
//! included, and blocks all of it for five minutes after that; so the default leaves two fifths of it free.
//!
//! A pass is *admitted* once, in its turn, and its further calls are *charged*: they may run into debt, which later
//! passes wait out. A pass is so never stopped half-way to wait for another turn in which what it has seen would be out
//! of date again. Nobody sleeps here: whoever is not admitted is told when to come back, each a call's time after the one
//! before, and keeps its place until then.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::cloudflare::Fingerprint;
use crate::plan::Pause;

/// How many tokens are remembered before idle ones are forgotten.
const REMEMBERED_TOKENS: usize = 1024;

/// How long the place of somebody is kept who was told to come back and does not.
const KEPT_PLACE: Duration = Duration::from_mins(1);

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// An object with a connector that was edited, or one that is being deleted: somebody waits for it, perhaps in an emergency.
    Edited,
    /// An object without a connector: somebody waits for it, and perhaps for hundreds more.
    New,
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
    /// Cloudflare has asked that the token rest.
    Paused(Pause),
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

    /// The object does not wait any more.
    pub fn leave(&self, token: Fingerprint, uid: &str) {
        if let Some(bucket) = self.lock().get_mut(&token) {
            bucket.leave(uid);
        }
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
        let before = bucket.paused;
        bucket.paused = Some(Pause {
            since: before.map_or(now, |pause| pause.since),
            until: before.map_or(until, |pause| pause.until.max(until)),
        });
    }

    /// A call with the token has worked, so what was asked for before is over.
    pub fn worked(&self, token: Fingerprint, now: Moment) {
        if let Some(bucket) = self.lock().get_mut(&token) {
            bucket.paused.take_if(|pause| pause.until <= now);
        }
    }

    /// The pause of the token, if it lasts.
    #[must_use]
    pub fn pause_of(&self, token: Fingerprint, now: Moment) -> Option<Pause> {
        self.lock().get(&token).and_then(|bucket| bucket.pause(now))
    }

    /// How many tokens are paused.
    #[must_use]
    pub fn paused(&self, now: Moment) -> usize {
        let buckets = self.lock();
        let paused = buckets.values().filter_map(|bucket| bucket.pause(now));
        paused.count()
    }

    /// How many tokens are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.lock().len()
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
    paused: Option<Pause>,
    /// Who waits, by lane, in the order in which they are served.
    queues: [VecDeque<Place>; 3],
}

/// The place of somebody who waits.
#[derive(Debug)]
struct Place {
    uid: String,
    /// When it was told to come back.
    due: Moment,
}

impl Bucket {
    fn full(rate: Rate, now: Moment) -> Self {
        Self {
            level: rate.burst,
            at: now,
            paused: None,
            queues: Default::default(),
        }
    }

    fn admit(&mut self, rate: Rate, uid: &str, lane: Lane, now: Moment) -> Turn {
        self.refill(rate, now);
        if let Some(pause) = self.pause(now) {
            return Turn::Paused(pause);
        }
        let queue = &mut self.queues[lane as usize];
        queue.retain(|place| place.uid == uid || now.since(place.due) < KEPT_PLACE);
        let place = queue.iter().position(|place| place.uid == uid);
        let ahead = u32::try_from(place.unwrap_or(queue.len())).unwrap_or(u32::MAX);
        // Somebody waits for an edited object, so it may go into debt before the others, and a new one half as far.
        let floor = match lane {
            Lane::Edited => -rate.burst,
            Lane::New => -rate.burst / 2.0,
            Lane::Periodic => 0.0,
        };
        let missing = floor + 1.0 + f64::from(ahead) - self.level;
        if missing <= 0.0 {
            self.leave(uid);
            self.level -= 1.0;
            return Turn::Now;
        }
        let due = now + seconds(missing / rate.per_second);
        match place {
            Some(place) => queue[place].due = due,
            None => queue.push_back(Place {
                uid: uid.to_owned(),
                due,
            }),
        }
        Turn::At(due)
    }

    /// Whoever was served waits in no lane any more.
    fn leave(&mut self, uid: &str) {
        for queue in &mut self.queues {
            queue.retain(|place| place.uid != uid);
        }
    }

    fn charge(&mut self, now: Moment) -> Turn {
        if let Some(pause) = self.pause(now) {
            return Turn::Paused(pause);
        }
        self.level -= 1.0;
        Turn::Now
    }

    fn pause(&self, now: Moment) -> Option<Pause> {
        self.paused.filter(|pause| pause.until > now)
    }

    fn refill(&mut self, rate: Rate, now: Moment) {
        let earned = now.since(self.at).as_secs_f64() * rate.per_second;
        self.level = (self.level + earned).min(rate.burst);
        self.at = now;
    }

    fn is_idle(&self, rate: Rate, now: Moment) -> bool {
        let earned = now.since(self.at).as_secs_f64() * rate.per_second;
        let mut places = self.queues.iter().flatten();
        places.all(|place| now.since(place.due) >= KEPT_PLACE)
            && self.pause(now).is_none()
            && self.level + earned >= rate.burst
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
                Turn::At(due) => {
                    assert!(due > now, "told to come back at once");
                    waiting.push((due, uid, lane));
                }
                Turn::Paused(pause) => panic!("{pause:?}"),
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
        let new = |n: i32| limiter.admit(token, &format!("new {n}"), Lane::New, at(0.1));
        let served = (0..500).filter(|n| new(*n) == Turn::Now).count();
        assert!(
            (9..=11).contains(&served),
            "{served} new ones go before those"
        );
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
        let paused = Turn::Paused(Pause {
            since: at(0.0),
            until: at(60.0),
        });
        assert_eq!(limiter.admit(token, "a", Lane::Edited, at(1.0)), paused);
        assert_eq!(limiter.charge(token, at(1.0)), paused);
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

    #[test]
    fn a_pause_that_follows_another_has_lasted_since_the_first_until_a_call_works() {
        let limiter = Limiter::new(RATE);
        let token = token();
        limiter.pause(token, at(60.0), at(0.0));
        limiter.pause(token, at(130.0), at(70.0));
        let since = |now: f64| limiter.pause_of(token, at(now)).map(|pause| pause.since);
        assert_eq!(since(71.0), Some(at(0.0)));
        limiter.worked(token, at(72.0));
        assert_eq!(since(73.0), Some(at(0.0)), "an answer from before it");
        assert_eq!(since(130.0), None);
        limiter.worked(token, at(131.0));
        limiter.pause(token, at(200.0), at(140.0));
        assert_eq!(since(141.0), Some(at(140.0)));
    }

    #[test]
    fn those_who_wait_out_a_debt_do_not_wake_up_together_and_keep_their_order() {
        let limiter = Limiter::new(RATE);
        let token = token();
        for n in 0..20 {
            let _ = limiter.admit(token, &format!("first {n}"), Lane::Periodic, at(0.0));
        }
        let told: Vec<_> = (0..50)
            .map(|n| limiter.admit(token, &format!("{n}"), Lane::Periodic, at(0.0)))
            .collect();
        for _ in 0..100 {
            assert_eq!(limiter.charge(token, at(0.0)), Turn::Now);
        }
        // All of them come when they were told, and there is debt.
        let mut again = Vec::new();
        for (n, turn) in told.into_iter().enumerate() {
            let Turn::At(due) = turn else {
                panic!("{turn:?}")
            };
            again.push(limiter.admit(token, &format!("{n}"), Lane::Periodic, due));
        }
        let due: Vec<_> = again
            .iter()
            .map(|turn| match turn {
                Turn::At(due) => *due,
                other => panic!("{other:?}"),
            })
            .collect();
        for pair in due.windows(2) {
            let apart = pair[1].since(pair[0]).as_secs_f64();
            assert!((0.49..0.51).contains(&apart), "{apart}");
        }
    }

    #[test]
    fn whoever_does_not_come_back_loses_the_place_and_nobody_keeps_a_bucket_alive() {
        let limiter = Limiter::new(RATE);
        let token = token();
        for n in 0..40 {
            let _ = limiter.admit(token, &format!("{n}"), Lane::Periodic, at(0.0));
        }
        assert_eq!(
            limiter.admit(token, "late", Lane::Periodic, at(200.0)),
            Turn::Now
        );
        let buckets = limiter.lock();
        assert!(buckets[&token].is_idle(RATE, at(300.0)));
    }
}
