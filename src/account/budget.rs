//! How many refused calls are risked. Refusals earn a ban, perhaps for everybody behind our address, so there is a budget:
//! each call that may be refused is a *stake*, given back when Cloudflare takes the token, lost when it refuses it.
//!
//! A token that is new is offered at once, whatever others have spent, so that a correction never waits for somebody
//! else's mistakes; only a Secret that keeps bringing bad ones is slowed down. A token that was refused before is offered
//! again out of what is shared: little for each namespace, little for all together, and a part of that only for objects
//! that have a connector, so that new objects with bad tokens cannot keep them waiting.

use std::time::Duration;

use crate::clock::Moment;
use crate::plan::Timing;

/// How many new tokens that are refused a Secret may bring in `changed_token_window`.
const NEW_FROM_ONE_SOURCE: usize = 2;

/// How many calls with tokens that were refused before all objects together may lose in `refusal_window`.
const AGAIN_FROM_ALL: usize = 5;

/// How many of them those objects may lose that have no connector.
const AGAIN_FROM_UNBOUND: usize = 3;

/// How many stakes are remembered. Whoever comes when there are more waits.
const REMEMBERED_STAKES: usize = 4096;

/// How soon to ask again while calls are under way whose answers decide: they mostly come sooner than this.
const FIRST_GLANCE: Duration = Duration::from_millis(250);

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A Secret, with whatever keys.
    Secret {
        /// The namespace of the Secret and of the object.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The operator's own default token.
    Default,
}

/// What has become of the object so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Its status names a connector, so a token has worked for it before.
    Bound,
    /// It has none yet.
    Unbound,
}

/// For whom a call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The namespace of the object.
    pub namespace: String,
    /// Where its token comes from.
    pub source: Source,
    /// What has become of it so far.
    pub past: Past,
}

/// A call that may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stake(u64);

/// What is risked, or lost, by calls that may be refused.
#[derive(Debug, Default)]
pub(super) struct Budget {
    stakes: Vec<Placed>,
    placed: u64,
}

#[derive(Debug)]
struct Placed {
    stake: Stake,
    at: Moment,
    on: On,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    Lost,
}

#[derive(Debug, PartialEq, Eq)]
enum On {
    New(Source),
    Again { namespace: String, past: Past },
}

impl Budget {
    /// When a token that is new may be offered: now, or later.
    pub(super) fn opens_to_new(&self, source: &Source, timing: &Timing, now: Moment) -> Moment {
        let window = timing.changed_token_window;
        let is_same = |on: &On| matches!(on, On::New(known) if known == source);
        self.opens(is_same, NEW_FROM_ONE_SOURCE, window, timing, now)
            .max(self.opens(|_| true, REMEMBERED_STAKES, window, timing, now))
    }

    /// When a token that was refused before may be offered again, as far as others are concerned.
    pub(super) fn opens_again(&self, caller: &Caller, timing: &Timing, now: Moment) -> Moment {
        let window = timing.refusal_window;
        let from_there =
            |on: &On| matches!(on, On::Again { namespace, .. } if *namespace == caller.namespace);
        let from_all = |on: &On| matches!(on, On::Again { .. });
        let from_unbound = |on: &On| matches!(on, On::Again { past, .. } if *past == Past::Unbound);
        let shared = self
            .opens(
                from_there,
                1,
                timing.namespace_refusal_interval,
                timing,
                now,
            )
            .max(self.opens(from_all, AGAIN_FROM_ALL, window, timing, now));
        match caller.past {
            Past::Bound => shared,
            Past::Unbound => {
                shared.max(self.opens(from_unbound, AGAIN_FROM_UNBOUND, window, timing, now))
            }
        }
    }

    /// When there are fewer than `limit` such stakes that are younger than `window`; or, if the answers to calls that are
    /// under way may decide that, when to ask again.
    fn opens(
        &self,
        is_such: impl Fn(&On) -> bool,
        limit: usize,
        window: Duration,
        timing: &Timing,
        now: Moment,
    ) -> Moment {
        let such = self.stakes.iter().filter(|placed| is_such(&placed.on));
        let young = such.filter(|placed| now.since(placed.at) < window);
        let (lost, under_way): (Vec<_>, Vec<_>) =
            young.partition(|placed| placed.state == State::Lost);
        let sorted = |stakes: Vec<&Placed>| {
            let mut moments: Vec<_> = stakes.into_iter().map(|placed| placed.at).collect();
            moments.sort_unstable();
            moments
        };
        let (lost, under_way) = (sorted(lost), sorted(under_way));
        if lost.len() + under_way.len() < limit {
            return now;
        }
        let leaves = lost.len().checked_sub(limit);
        match (leaves.and_then(|place| lost.get(place)), under_way.first()) {
            (Some(lost), _) => *lost + window,
            (None, Some(oldest)) => next_glance(*oldest, timing, now),
            (None, None) => now,
        }
    }

    /// A token that is new is offered.
    pub(super) fn place_on_new(&mut self, source: Source, timing: &Timing, now: Moment) -> Stake {
        self.place(On::New(source), timing, now)
    }

    /// A token that was refused before is offered again; or one that has worked was refused, which nobody could foresee,
    /// and which counts all the same.
    pub(super) fn place_again(&mut self, caller: &Caller, timing: &Timing, now: Moment) -> Stake {
        let on = On::Again {
            namespace: caller.namespace.clone(),
            past: caller.past,
        };
        self.place(on, timing, now)
    }

    fn place(&mut self, on: On, timing: &Timing, now: Moment) -> Stake {
        self.stakes.retain(|placed| {
            let window = match placed.on {
                On::New(_) => timing.changed_token_window,
                On::Again { .. } => timing.refusal_window.max(timing.namespace_refusal_interval),
            };
            now.since(placed.at) < window
        });
        if self.stakes.len() >= REMEMBERED_STAKES {
            self.stakes.remove(0);
        }
        self.placed += 1;
        let stake = Stake(self.placed);
        self.stakes.push(Placed {
            stake,
            at: now,
            on,
            state: State::UnderWay,
        });
        stake
    }

    /// Cloudflare has refused the token. What counts is when it did.
    pub(super) fn lose(&mut self, stake: Stake, now: Moment) {
        let mut stakes = self.stakes.iter_mut();
        if let Some(placed) = stakes.find(|placed| placed.stake == stake) {
            placed.at = now;
            placed.state = State::Lost;
        }
    }

    /// Cloudflare has not refused the token.
    pub(super) fn give_back(&mut self, stake: Stake) {
        self.stakes.retain(|placed| placed.stake != stake);
    }
}

/// When to ask again while a call is under way that began at `since`: after as long as it has taken, so that a long one is
/// asked for seldom, but no later than when it has ended.
pub(super) fn next_glance(since: Moment, timing: &Timing, now: Moment) -> Moment {
    let soon = now + FIRST_GLANCE;
    let ended = (since + timing.call_timeout).max(soon);
    (now + now.since(since)).clamp(soon, ended)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn caller(namespace: &str, past: Past) -> Caller {
        Caller {
            namespace: namespace.to_owned(),
            source: secret(namespace, "token"),
            past,
        }
    }

    fn secret(namespace: &str, name: &str) -> Source {
        Source::Secret {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// A budget of which much has been lost: in seconds, from which namespace, by what kind of object.
    fn spent(losses: &[(u64, &str, Past)]) -> Budget {
        let mut budget = Budget::default();
        for (second, namespace, past) in losses {
            let caller = caller(namespace, *past);
            let stake = budget.place_again(&caller, &Timing::default(), at(*second));
            budget.lose(stake, at(*second));
        }
        budget
    }

    #[test]
    fn a_token_that_was_refused_before_goes_out_as_far_as_others_have_left_something() {
        use Past::{Bound, Unbound};
        let three = [(0, "a", Unbound), (10, "b", Unbound), (20, "c", Unbound)];
        let five = [
            (0, "a", Bound),
            (10, "b", Bound),
            (20, "c", Bound),
            (30, "d", Bound),
            (40, "e", Bound),
        ];
        let mixed = [
            (0, "a", Bound),
            (10, "b", Bound),
            (20, "c", Unbound),
            (30, "d", Unbound),
        ];
        for (losses, namespace, past, opens) in [
            (&[][..], "x", Unbound, 100),
            (&[(50, "x", Bound)], "x", Bound, 110),
            (&[(50, "x", Bound)], "y", Unbound, 100),
            (&[(40, "x", Bound)], "x", Bound, 100),
            (&three, "x", Unbound, 300),
            (&three, "x", Bound, 100),
            (&mixed, "x", Unbound, 100),
            (&five, "x", Unbound, 300),
            (&five, "x", Bound, 300),
        ] {
            let caller = caller(namespace, past);
            let found = spent(losses).opens_again(&caller, &Timing::default(), at(100));
            assert_eq!(found, at(opens), "{losses:?}, {namespace}, {past:?}");
        }
    }

    #[test]
    fn a_new_token_waits_for_nobody_else() {
        let timing = Timing::default();
        let mut budget = spent(&[(0, "a", Past::Bound); 20]);
        let (source, other) = (secret("a", "token"), secret("a", "other"));
        for second in [1, 2] {
            assert_eq!(
                budget.opens_to_new(&source, &timing, at(second)),
                at(second)
            );
            let stake = budget.place_on_new(source.clone(), &timing, at(second));
            budget.lose(stake, at(second));
        }
        assert_eq!(budget.opens_to_new(&source, &timing, at(3)), at(61));
        assert_eq!(budget.opens_to_new(&other, &timing, at(3)), at(3));
        assert_eq!(budget.opens_to_new(&Source::Default, &timing, at(3)), at(3));
        assert_eq!(budget.opens_to_new(&source, &timing, at(61)), at(61));
    }

    #[test]
    fn what_cloudflare_takes_costs_nothing() {
        let timing = Timing::default();
        let mut budget = Budget::default();
        let caller = caller("a", Past::Unbound);
        for _ in 0..10 {
            assert_eq!(budget.opens_again(&caller, &timing, at(0)), at(0));
            let stake = budget.place_again(&caller, &timing, at(0));
            assert!(budget.opens_again(&caller, &timing, at(0)) > at(0));
            budget.give_back(stake);
        }
    }

    #[test]
    fn whoever_waits_for_answers_asks_soon_and_ever_later_and_when_the_calls_have_ended() {
        let timing = Timing::default();
        let mut budget = Budget::default();
        let source = secret("a", "token");
        let first = budget.place_on_new(source.clone(), &timing, at(0));
        let second = budget.place_on_new(source.clone(), &timing, at(0));
        let moment = |millis| Moment::from_start(Duration::from_millis(millis));
        for (now, opens) in [
            (0, 250),
            (250, 500),
            (500, 1000),
            (4000, 8000),
            (8000, 10_000),
            (9900, 10_150),
        ] {
            let found = budget.opens_to_new(&source, &timing, moment(now));
            assert_eq!(found, moment(opens), "at {now} ms");
        }
        // Answers decide: a good one opens at once, bad ones close for the whole window.
        budget.lose(first, at(1));
        assert_eq!(budget.opens_to_new(&source, &timing, at(2)), at(4));
        budget.lose(second, at(2));
        assert_eq!(budget.opens_to_new(&source, &timing, at(3)), at(61));
        budget.give_back(second);
        assert_eq!(budget.opens_to_new(&source, &timing, at(3)), at(3));
    }

    #[test]
    fn no_more_is_remembered_than_that() {
        let timing = Timing::default();
        let mut budget = Budget::default();
        for n in 0..REMEMBERED_STAKES {
            budget.place_on_new(secret("a", &n.to_string()), &timing, at(0));
        }
        let source = secret("a", "one more");
        assert!(budget.opens_to_new(&source, &timing, at(1)) > at(1));
        for n in 0..10 {
            budget.place_again(&caller("b", Past::Bound), &timing, at(n));
        }
        assert_eq!(budget.stakes.len(), REMEMBERED_STAKES);
        budget.place_on_new(source, &timing, at(400));
        assert_eq!(budget.stakes.len(), 1);
    }

    /// Somebody wants to offer a token that was refused before.
    #[derive(Debug, Clone)]
    struct Try {
        after: u64,
        namespace: u8,
        past: Past,
        /// How long the answer takes, and whether it is a refusal.
        takes: u64,
        refused: bool,
    }

    fn tries() -> impl Strategy<Value = Vec<Try>> {
        let past = prop_oneof![Just(Past::Bound), Just(Past::Unbound)];
        let one = (
            0..40_u64,
            0..8_u8,
            past,
            0..12_u64,
            prop::bool::weighted(0.8),
        );
        prop::collection::vec(
            one.prop_map(|(after, namespace, past, takes, refused)| Try {
                after,
                namespace,
                past,
                takes,
                refused,
            }),
            1..200,
        )
    }

    /// Lets all try, and returns what was refused: when, to which namespace, to what kind of object.
    fn refusals(tries: &[Try], timing: &Timing) -> Vec<(u64, u8, Past)> {
        let mut budget = Budget::default();
        let mut under_way: Vec<(u64, Stake, Try)> = Vec::new();
        let mut refused = Vec::new();
        let mut now = 0;
        let mut settle = |budget: &mut Budget, under_way: &mut Vec<(u64, Stake, Try)>, until| {
            under_way.sort_by_key(|(ends, _, _)| *ends);
            while under_way.first().is_some_and(|(ends, _, _)| *ends <= until) {
                let (ends, stake, one) = under_way.remove(0);
                if one.refused {
                    budget.lose(stake, at(ends));
                    refused.push((ends, one.namespace, one.past));
                } else {
                    budget.give_back(stake);
                }
            }
        };
        for one in tries {
            now += one.after;
            settle(&mut budget, &mut under_way, now);
            let caller = caller(&one.namespace.to_string(), one.past);
            if budget.opens_again(&caller, timing, at(now)) <= at(now) {
                let stake = budget.place_again(&caller, timing, at(now));
                under_way.push((now + one.takes, stake, one.clone()));
            }
        }
        settle(&mut budget, &mut under_way, u64::MAX);
        refused
    }

    proptest! {
        #[test]
        fn whatever_is_tried_refusals_stay_within_the_budget(tries in tries()) {
            let refused = refusals(&tries, &Timing::default());
            for (start, namespace, _) in &refused {
                let from = |span: u64| refused.iter().filter(move |(when, _, _)| (*start..start + span).contains(when));
                let unbound = from(300).filter(|(_, _, past)| *past == Past::Unbound);
                prop_assert!(from(300).count() <= AGAIN_FROM_ALL);
                prop_assert!(unbound.count() <= AGAIN_FROM_UNBOUND);
                prop_assert!(from(60).filter(|(_, other, _)| other == namespace).count() <= 1);
            }
        }

        #[test]
        fn whatever_others_have_lost_a_bound_object_is_not_kept_out_by_unbound_ones(tries in tries()) {
            let unbound: Vec<_> = tries.into_iter().map(|one| Try { past: Past::Unbound, refused: true, ..one }).collect();
            let lost = refusals(&unbound, &Timing::default());
            let namespaces: Vec<String> = lost.iter().map(|(_, namespace, _)| namespace.to_string()).collect();
            let losses: Vec<_> = lost.iter().zip(&namespaces).map(|((when, _, _), namespace)| (*when, namespace.as_str(), Past::Unbound)).collect();
            let end = losses.last().map_or(0, |(when, _, _)| *when);
            let opens = spent(&losses).opens_again(&caller("fresh", Past::Bound), &Timing::default(), at(end));
            prop_assert_eq!(opens, at(end));
        }
    }
}
