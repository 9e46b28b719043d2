//! What is known of the tokens in use: how fast each may go, and whether Cloudflare takes it.

use super::budget::{Caller, Stake};
use super::limiter::{Lane, Limiter, Rate, Turn};
use super::offers::{Offers, Outlook, Permission, Right, Site};
use crate::clock::Moment;
use crate::cloudflare::{Class, Failure, Fingerprint};
use crate::identity::AccountId;
use crate::plan::{Credentials, Publisher, Timing, Unusable};

/// Every token in use.
#[derive(Debug)]
pub struct Tokens {
    limiter: Limiter,
    offers: Offers,
}

impl Tokens {
    /// Tokens of which nothing is known yet, each of which may go at the given rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            limiter: Limiter::new(rate),
            offers: Offers::default(),
        }
    }

    /// What the token is good for in the account.
    ///
    /// # Errors
    /// When to ask again, if it has not been tried yet and may not be tried now.
    pub fn credentials(
        &self,
        account: &AccountId,
        token: Fingerprint,
        caller: &Caller,
        timing: &Timing,
        now: Moment,
    ) -> Result<Credentials, Moment> {
        let outlook = |right| {
            let permission = (account.clone(), token, right);
            self.offers.outlook(&permission, caller, timing, now)
        };
        let read = outlook(Right::Read);
        match &read {
            Outlook::Open | Outlook::Again => {}
            Outlook::NotBefore(opens) => return Err(*opens),
            Outlook::Refused(problem) => {
                return Ok(Credentials::Unusable(Unusable::refused(problem.clone())));
            }
        }
        if let Some(pause) = self.limiter.pause_of(token, now) {
            return Ok(Credentials::Paused(pause));
        }
        Ok(match (read, outlook(Right::Change)) {
            (Outlook::Again, _) => Credentials::Doubtful,
            (_, Outlook::Refused(problem)) => Credentials::ReadOnly { problem },
            (_, Outlook::Open | Outlook::Again | Outlook::NotBefore(_)) => Credentials::Usable,
        })
    }

    /// What the token is good for where it publishes a TXT record.
    pub fn publisher(
        &self,
        account: &AccountId,
        token: Fingerprint,
        site: &Site,
        caller: &Caller,
        timing: &Timing,
        now: Moment,
    ) -> Publisher {
        let permission = (account.clone(), token, Right::Publish(site.clone()));
        match self.offers.outlook(&permission, caller, timing, now) {
            Outlook::NotBefore(opens) => return Publisher::Waits(opens),
            Outlook::Refused(problem) => {
                return Publisher::Unusable(Unusable::refused(problem));
            }
            Outlook::Open | Outlook::Again => {}
        }
        match self.limiter.pause_of(token, now) {
            Some(pause) => Publisher::Paused(pause),
            None => Publisher::Usable,
        }
    }

    /// Asks for a call as far as it may be refused; see [`Offers::ask`].
    ///
    /// # Errors
    /// When to ask again, if the call may not be made.
    pub fn offer(
        &self,
        permission: &Permission,
        caller: &Caller,
        timing: &Timing,
        now: Moment,
    ) -> Result<Option<Stake>, Moment> {
        self.offers.ask(permission, caller, timing, now)
    }

    /// The call that was asked for says nothing about the token; see [`Offers::withdraw`].
    pub fn withdraw(&self, permission: &Permission, stake: Stake) {
        self.offers.withdraw(permission, stake);
    }

    /// Takes note of a failure, as far as it says something about the token.
    pub fn failed(
        &self,
        permission: &Permission,
        caller: &Caller,
        failure: &Failure,
        timing: &Timing,
        now: Moment,
    ) {
        match failure.class {
            Class::RateLimited => {
                let (_, token, _) = permission;
                let pause = failure.retry_after.unwrap_or(timing.default_pause);
                self.limiter.pause(*token, now + pause, now);
            }
            Class::Unauthorized => {
                let words = failure.message.clone();
                self.offers.refused(permission, caller, words, timing, now);
            }
            Class::NotSent | Class::Unavailable | Class::Gone | Class::Rejected => {}
        }
    }

    /// A call with the token has worked.
    pub fn worked(&self, permission: &Permission, now: Moment) {
        let (_, token, _) = permission;
        self.limiter.worked(*token, now);
        self.offers.accepted(permission, now);
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

    /// How many tokens are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.limiter.remembered()
    }

    /// How many of Cloudflare's answers about tokens are remembered.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.offers.remembered()
    }

    /// How many tokens are paused.
    #[must_use]
    pub fn paused(&self, now: Moment) -> usize {
        self.limiter.paused(now)
    }
}
