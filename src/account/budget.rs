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
        self.opens(is_same, NEW_FROM_ONE_SOURCE, window, now)
            .max(self.opens(|_| true, REMEMBERED_STAKES, window, now))
    }

    /// When a token that was refused before may be offered again, as far as others are concerned.
    pub(super) fn opens_again(&self, caller: &Caller, timing: &Timing, now: Moment) -> Moment {
        let window = timing.refusal_window;
        let from_there =
            |on: &On| matches!(on, On::Again { namespace, .. } if *namespace == caller.namespace);
        let from_all = |on: &On| matches!(on, On::Again { .. });
        let from_unbound = |on: &On| matches!(on, On::Again { past, .. } if *past == Past::Unbound);
        let shared = self
            .opens(from_there, 1, timing.namespace_refusal_interval, now)
            .max(self.opens(from_all, AGAIN_FROM_ALL, window, now));
        match caller.past {
            Past::Bound => shared,
            Past::Unbound => shared.max(self.opens(from_unbound, AGAIN_FROM_UNBOUND, window, now)),
        }
    }

    /// When there are fewer than `limit` such stakes that are younger than `window`.
    fn opens(
        &self,
        is_such: impl Fn(&On) -> bool,
        limit: usize,
        window: Duration,
        now: Moment,
    ) -> Moment {
        let such = self.stakes.iter().filter(|placed| is_such(&placed.on));
        let young = such
            .map(|placed| placed.at)
            .filter(|at| now.since(*at) < window);
        let mut young: Vec<Moment> = young.collect();
        young.sort_unstable();
        let leaves = young.len().checked_sub(limit);
        leaves
            .and_then(|place| young.get(place))
            .map_or(now, |at| *at + window)
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
        self.stakes.push(Placed { stake, at: now, on });
        stake
    }

    /// Cloudflare has refused the token. What counts is when it did.
    pub(super) fn lose(&mut self, stake: Stake, now: Moment) {
        let mut stakes = self.stakes.iter_mut();
        if let Some(placed) = stakes.find(|placed| placed.stake == stake) {
            placed.at = now;
        }
    }

    /// Cloudflare has not refused the token.
    pub(super) fn give_back(&mut self, stake: Stake) {
        self.stakes.retain(|placed| placed.stake != stake);
    }
}
