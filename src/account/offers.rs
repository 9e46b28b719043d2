//! Which tokens may be offered to Cloudflare. One that it took last is used freely. One that it refused last rests, and is
//! then offered again as far as the [budget](super::budget) goes; a changed one is another token. Of everybody who has the
//! same token for the same account, one offers it and the others wait for what comes of that.
//!
//! A token that may only read is not a bad one: reading and changing are refused each for itself, so that an object that
//! needs no change does not suffer from one that does.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::budget::{Budget, Caller, Stake};
use crate::clock::Moment;
use crate::cloudflare::{Endpoint, Fingerprint};
use crate::identity::AccountId;
use crate::plan::Timing;

/// How many answers are remembered. A token whose answer is forgotten is a new one.
const REMEMBERED_ANSWERS: usize = 8192;

/// How soon to ask again while somebody else offers the token.
const NEXT_GLANCE: Duration = Duration::from_secs(1);

/// How long an offer may take. Every call ends sooner.
const LONGEST_OFFER: Duration = Duration::from_mins(1);

/// What a token is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Looking.
    Read,
    /// Changing something.
    Change,
}

impl Right {
    /// What a call to the endpoint needs.
    #[must_use]
    pub const fn for_endpoint(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::List | Endpoint::Get => Self::Read,
            Endpoint::Create
            | Endpoint::Update
            | Endpoint::Delete
            | Endpoint::BeginVerification => Self::Change,
        }
    }
}

/// The right to do something in an account with a token.
pub type Permission = (AccountId, Fingerprint, Right);

/// What may be done with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It may be used, or offered.
    Open,
    /// Nothing was refused, but it may not be offered yet.
    NotBefore(Moment),
    /// It was refused, in these words, and may not be offered yet.
    Refused(String),
}

/// What Cloudflare thinks of all tokens, and what may be risked to find out.
#[derive(Debug, Default)]
pub struct Offers {
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    known: HashMap<Permission, Standing>,
    budget: Budget,
}

/// What is known of a token.
#[derive(Debug, Default)]
struct Standing {
    /// What Cloudflare last said.
    answer: Option<Answer>,
    /// The offer that is under way.
    offered: Option<(Stake, Moment)>,
    /// When one of these last changed.
    touched: Moment,
}

#[derive(Debug)]
enum Answer {
    Accepted,
    Refused { at: Moment, words: String },
}

/// How a token may be used.
enum Way {
    Freely,
    AsNewFrom(Moment),
    AgainFrom(Moment),
}

impl Offers {
    /// What may be done, without doing it.
    #[must_use]
    pub fn outlook(
        &self,
        permission: &Permission,
        caller: &Caller,
        timing: &Timing,
        now: Moment,
    ) -> Outlook {
        let ledger = self.lock();
        let opens = match ledger.way(permission, caller, timing, now) {
            Way::Freely => return Outlook::Open,
            Way::AsNewFrom(opens) | Way::AgainFrom(opens) => opens,
        };
        let answer = ledger
            .known
            .get(permission)
            .and_then(|it| it.answer.as_ref());
        match answer {
            _ if opens <= now => Outlook::Open,
            Some(Answer::Refused { words, .. }) => Outlook::Refused(words.clone()),
            Some(Answer::Accepted) | None => Outlook::NotBefore(opens),
        }
    }

    /// Asks for a call. The stake, if it may be refused; the call's outcome must then be told.
    ///
    /// # Errors
    /// When to ask again, if the call may not be made.
    pub fn ask(
        &self,
        permission: &Permission,
        caller: &Caller,
        timing: &Timing,
        now: Moment,
    ) -> Result<Option<Stake>, Moment> {
        let mut ledger = self.lock();
        let stake = match ledger.way(permission, caller, timing, now) {
            Way::Freely => return Ok(None),
            Way::AsNewFrom(opens) | Way::AgainFrom(opens) if opens > now => return Err(opens),
            Way::AsNewFrom(_) => {
                let source = caller.source.clone();
                ledger.budget.place_on_new(source, timing, now)
            }
            Way::AgainFrom(_) => ledger.budget.place_again(caller, timing, now),
        };
        ledger.standing(permission, now).offered = Some((stake, now));
        Ok(Some(stake))
    }

    /// Cloudflare has taken the token.
    pub fn accepted(&self, permission: &Permission, now: Moment) {
        let mut ledger = self.lock();
        let standing = ledger.standing(permission, now);
        standing.answer = Some(Answer::Accepted);
        if let Some((stake, _)) = standing.offered.take() {
            ledger.budget.give_back(stake);
        }
    }

    /// Cloudflare has refused the token.
    pub fn refused(
        &self,
        permission: &Permission,
        caller: &Caller,
        words: String,
        timing: &Timing,
        now: Moment,
    ) {
        let mut ledger = self.lock();
        let standing = ledger.standing(permission, now);
        let offered = standing.offered.take();
        // Calls that were under way together, or shared an answer, are one refusal.
        let is_echo = offered.is_none() && matches!(standing.answer, Some(Answer::Refused { .. }));
        if is_echo {
            return;
        }
        standing.answer = Some(Answer::Refused { at: now, words });
        match offered {
            Some((stake, _)) => ledger.budget.lose(stake, now),
            None => {
                ledger.budget.place_again(caller, timing, now);
            }
        }
    }

    /// The call was not made, or came to something that says nothing about the token.
    pub fn withdraw(&self, permission: &Permission, stake: Stake) {
        let mut ledger = self.lock();
        if let Some(standing) = ledger.known.get_mut(permission)
            && standing
                .offered
                .take_if(|(known, _)| *known == stake)
                .is_some()
        {
            ledger.budget.give_back(stake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn way(&self, permission: &Permission, caller: &Caller, timing: &Timing, now: Moment) -> Way {
        let standing = self.known.get(permission);
        let answer = standing.and_then(|standing| standing.answer.as_ref());
        let is_offered = standing
            .and_then(|standing| standing.offered)
            .is_some_and(|(_, since)| now.since(since) < LONGEST_OFFER);
        let glance = if is_offered { now + NEXT_GLANCE } else { now };
        match answer {
            Some(Answer::Accepted) => Way::Freely,
            Some(Answer::Refused { at, .. }) => {
                let rested = *at + timing.refused_token_retry;
                let opens = self.budget.opens_again(caller, timing, now);
                Way::AgainFrom(glance.max(rested).max(opens))
            }
            None => {
                let opens = self.budget.opens_to_new(&caller.source, timing, now);
                Way::AsNewFrom(glance.max(opens))
            }
        }
    }

    /// What is known of the token, to be changed.
    fn standing(&mut self, permission: &Permission, now: Moment) -> &mut Standing {
        if self.known.len() >= REMEMBERED_ANSWERS && !self.known.contains_key(permission) {
            let idle = self.known.iter().filter(|(_, it)| it.offered.is_none());
            let oldest = idle.min_by_key(|(_, it)| it.touched);
            if let Some(oldest) = oldest.map(|(permission, _)| permission.clone()) {
                self.known.remove(&oldest);
            }
        }
        let standing = self.known.entry(permission.clone()).or_default();
        standing.touched = now;
        standing
    }
}
