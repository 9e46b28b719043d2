//! The tokens that Cloudflare refuses. Refusals earn a ban, perhaps for everybody behind our address, so a refused token
//! rests; a changed one is another token and is offered at once.
//!
//! A token that may only read is not a bad one: reading and changing are refused each for itself, so that an object that
//! needs no change does not suffer from one that does.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::cloudflare::{Endpoint, Fingerprint};
use crate::identity::AccountId;

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
type Key = (AccountId, Fingerprint, Right);

/// What was refused, when, and in which words.
#[derive(Debug, Default)]
pub struct Refusals {
    known: Mutex<HashMap<Key, (Moment, String)>>,
}

impl Refusals {
    /// Takes note of a refusal.
    pub fn add(
        &self,
        account: &AccountId,
        token: Fingerprint,
        right: Right,
        message: String,
        now: Moment,
    ) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((account.clone(), token, right), (now, message));
    }

    /// What Cloudflare said, if it refused this right less than `rest` ago.
    #[must_use]
    pub fn recent(
        &self,
        account: &AccountId,
        token: Fingerprint,
        right: Right,
        rest: Duration,
        now: Moment,
    ) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (when, _)| now.since(*when) < rest);
        known
            .get(&(account.clone(), token, right))
            .map(|(_, message)| message.clone())
    }
}
