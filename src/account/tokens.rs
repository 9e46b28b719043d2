//! What is known of the tokens in use: how fast each may go, and what Cloudflare refuses it.

use super::limiter::{Lane, Limiter, Rate, Turn};
use super::refusals::{Refusals, Right};
use crate::clock::Moment;
use crate::cloudflare::{Class, Failure, Fingerprint};
use crate::identity::AccountId;
use crate::plan::{Credentials, Timing};
use crate::resource::Reason;

/// Every token in use.
#[derive(Debug)]
pub struct Tokens {
    limiter: Limiter,
    refusals: Refusals,
}

impl Tokens {
    /// Tokens of which nothing is known yet, each of which may go at the given rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            limiter: Limiter::new(rate),
            refusals: Refusals::default(),
        }
    }

    /// What the token is good for in the account.
    #[must_use]
    pub fn credentials(
        &self,
        account: &AccountId,
        token: Fingerprint,
        timing: &Timing,
        now: Moment,
    ) -> Credentials {
        let rest = timing.refused_token_retry;
        let refused = |right| self.refusals.recent(account, token, right, rest, now);
        if let Some(problem) = refused(Right::Read) {
            return Credentials::Unusable {
                reason: Reason::Unauthorized,
                problem,
                remedy: None,
            };
        }
        if let Some(pause) = self.limiter.pause_of(token, now) {
            return Credentials::Paused(pause);
        }
        match refused(Right::Change) {
            Some(problem) => Credentials::ReadOnly { problem },
            None => Credentials::Usable,
        }
    }

    /// Takes note of a failure, as far as it says something about the token.
    pub fn failed(
        &self,
        account: &AccountId,
        token: Fingerprint,
        failure: &Failure,
        timing: &Timing,
        now: Moment,
    ) {
        match failure.class {
            Class::RateLimited => {
                let pause = failure.retry_after.unwrap_or(timing.default_pause);
                self.limiter.pause(token, now + pause, now);
            }
            Class::Unauthorized => {
                let right = Right::for_endpoint(failure.endpoint);
                let message = failure.message.clone();
                self.refusals.add(account, token, right, message, now);
            }
            Class::NotSent | Class::Unavailable | Class::Gone | Class::Rejected => {}
        }
    }

    /// A call with the token has worked.
    pub fn worked(&self, token: Fingerprint, now: Moment) {
        self.limiter.worked(token, now);
    }

    /// Asks for a pass; see [`Limiter::admit`].
    pub fn admit(&self, token: Fingerprint, uid: &str, lane: Lane, now: Moment) -> Turn {
        self.limiter.admit(token, uid, lane, now)
    }

    /// The object does not wait any more; see [`Limiter::leave`].
    pub fn leave(&self, token: Fingerprint, uid: &str) {
        self.limiter.leave(token, uid);
    }

    /// Takes note of a further call; see [`Limiter::charge`].
    pub fn charge(&self, token: Fingerprint, now: Moment) -> Turn {
        self.limiter.charge(token, now)
    }

    /// How many tokens are paused.
    #[must_use]
    pub fn paused(&self, now: Moment) -> usize {
        self.limiter.paused(now)
    }
}
