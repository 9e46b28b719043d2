//! The tokens that Cloudflare refuses. Refusals earn a ban, perhaps for everybody behind our address, so a refused token
//! rests; a changed one is another token and is offered at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::cloudflare::Fingerprint;
use crate::identity::AccountId;

/// What was refused for which account, when, and in which words.
#[derive(Debug, Default)]
pub struct Refusals {
    known: Mutex<HashMap<(AccountId, Fingerprint), (Moment, String)>>,
}

impl Refusals {
    /// Takes note of a refusal.
    pub fn add(&self, account: &AccountId, token: Fingerprint, message: String, now: Moment) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((account.clone(), token), (now, message));
    }

    /// What Cloudflare said, if it refused the token for the account less than `rest` ago.
    #[must_use]
    pub fn recent(
        &self,
        account: &AccountId,
        token: Fingerprint,
        rest: Duration,
        now: Moment,
    ) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (when, _)| now.since(*when) < rest);
        known
            .get(&(account.clone(), token))
            .map(|(_, message)| message.clone())
    }
}
