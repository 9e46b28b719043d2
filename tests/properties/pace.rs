//! The pace of a token, over random crowds.

use std::collections::HashMap;
use std::time::Duration;

use clap::Parser as _;
use cloudflare_sso_operator::account::{Lane, Limiter, Rate, Turn};
use cloudflare_sso_operator::cli::{Cli, Command};
use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{ApiToken, Fingerprint, FingerprintKey};
use cloudflare_sso_operator::plan::Pause;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::random_worlds::fixed;

/// Somebody asks for a pass of so many further calls, so long after the one before.
#[derive(Debug, Clone)]
struct Visit {
    after: Duration,
    uid: u8,
    lane: Lane,
    further_calls: u32,
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![Just(Lane::Edited), Just(Lane::New), Just(Lane::Periodic)]
}

fn visit() -> impl Strategy<Value = Visit> {
    let lane = lane();
    let after = prop_oneof![Just(0u64), 0..500u64, 0..20_000u64];
    (after, 0..8u8, lane, 0..MOST_FURTHER_CALLS).prop_map(|(after, uid, lane, further_calls)| {
        Visit {
            after: Duration::from_millis(after),
            uid,
            lane,
            further_calls,
        }
    })
}

fn rate() -> impl Strategy<Value = Rate> {
    (1..40u32, 1..40u32).prop_map(|(tenths, burst)| Rate {
        per_second: f64::from(tenths) / 10.0,
        burst: f64::from(burst),
    })
}

const MOST_FURTHER_CALLS: u32 = 6;

/// How many passes the operator makes at once.
const MOST_AT_ONCE: u32 = 8;

fn token() -> Fingerprint {
    let token = ApiToken::parse(b"token").unwrap();
    token.fingerprint(&FingerprintKey::random())
}

/// Cloudflare allows 1200 calls in 5 min to everybody together who uses a token.
#[test]
fn the_default_pace_leaves_people_two_fifths_of_what_cloudflare_allows() {
    let Command::Run(arguments) = Cli::parse_from(["operator"]).asked() else {
        panic!("running is the default")
    };
    let rate = arguments.rate();
    let most =
        300.0 * rate.per_second + 2.0 * rate.burst + f64::from(MOST_AT_ONCE * MOST_FURTHER_CALLS);
    assert!(most <= 1200.0 * 3.0 / 5.0, "{most} calls in 5 min");
}

/// A rounding error of the bucket's arithmetic.
const ROUNDING: f64 = 1e-6;

proptest! {
    #![proptest_config(fixed(500, 3))]

    /// In any span, no more calls than the burst and what the span has earned, and a bounded debt: one more burst for
    /// edited objects, and the further calls of the pass that was admitted last.
    #[test]
    fn no_more_goes_through_than_the_rate_allows(
        rate in rate(),
        visits in vec(visit(), 1..200),
    ) {
        let (limiter, token) = (Limiter::new(rate), token());
        let mut now = Moment::default();
        let mut calls: Vec<Moment> = Vec::new();
        for visit in visits {
            now = now + visit.after;
            if limiter.admit(token, &visit.uid.to_string(), visit.lane, now) == Turn::Now {
                calls.push(now);
                for _ in 0..visit.further_calls {
                    prop_assert_eq!(limiter.charge(token, now), Turn::Now);
                    calls.push(now);
                }
            }
        }
        for (first, since) in calls.iter().enumerate() {
            for (last, until) in calls.iter().enumerate().skip(first) {
                let made = f64::from(u32::try_from(last - first + 1).unwrap());
                let earned = until.since(*since).as_secs_f64() * rate.per_second;
                let debt = rate.burst + f64::from(MOST_FURTHER_CALLS);
                prop_assert!(
                    made <= rate.burst + earned + debt + ROUNDING,
                    "{} calls between {:?} and {:?} at {:?}", made, since, until, rate
                );
            }
        }
    }

    /// Whoever comes back when told to is served, in the time that the whole crowd takes at the rate.
    #[test]
    fn everybody_is_served_in_time(
        rate in rate(),
        crowd in vec((lane(), 0..MOST_FURTHER_CALLS), 1..60),
    ) {
        let (limiter, token) = (Limiter::new(rate), token());
        let mut waiting: HashMap<usize, Moment> =
            (0..crowd.len()).map(|uid| (uid, Moment::default())).collect();
        let calls: u32 = crowd.iter().map(|(_, further)| further + 1).sum();
        let people = f64::from(u32::try_from(crowd.len()).unwrap());
        // Each call at the rate, each place in the queue, and the debt of the last pass.
        let seconds = (f64::from(calls + 2 * MOST_FURTHER_CALLS) + 2.0 * people + 2.0 * rate.burst)
            / rate.per_second;
        let deadline = Moment::from_start(Duration::from_secs_f64(seconds + 1.0));
        while let Some((&uid, &now)) = waiting.iter().min_by_key(|(uid, due)| (**due, **uid)) {
            prop_assert!(now <= deadline, "{} still waits at {:?} of {:?}", uid, now, deadline);
            let (lane, further_calls) = crowd[uid];
            match limiter.admit(token, &uid.to_string(), lane, now) {
                Turn::Now => {
                    for _ in 0..further_calls {
                        prop_assert_eq!(limiter.charge(token, now), Turn::Now);
                    }
                    waiting.remove(&uid);
                }
                Turn::At(due) => {
                    prop_assert!(due > now, "told to come back at once");
                    waiting.insert(uid, due);
                }
                Turn::Paused(pause) => prop_assert!(false, "{:?}", pause),
            }
        }
    }

    /// "`Retry-After` honoured in full": nobody gets a call through while the token rests, whatever its length.
    #[test]
    fn nobody_passes_a_pause(
        rate in rate(),
        pauses in vec(0..3_600_000u64, 1..5),
        visits in vec(visit(), 1..100),
    ) {
        let (limiter, token) = (Limiter::new(rate), token());
        let start = Moment::default();
        let ends = pauses.iter().map(|span| start + Duration::from_millis(*span));
        for end in ends.clone() {
            limiter.pause(token, end, start);
        }
        let end = ends.max().unwrap();
        let mut now = start;
        for visit in visits {
            now = now + visit.after;
            let turn = limiter.admit(token, &visit.uid.to_string(), visit.lane, now);
            if now < end {
                prop_assert_eq!(turn, Turn::Paused(Pause { since: start, until: end }));
                prop_assert_eq!(limiter.charge(token, now), Turn::Paused(Pause { since: start, until: end }));
            } else {
                prop_assert!(!matches!(turn, Turn::Paused(_)));
            }
        }
    }
}
