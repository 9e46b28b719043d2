//! One list of an account's connectors at a time, shared by everybody who needs one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, Moment};
use crate::cloudflare::{Answer, Failure, Fingerprint, Listing};
use crate::identity::AccountId;
use crate::plan::Snapshot;

/// How many accounts are remembered before old lists are forgotten.
const REMEMBERED_ACCOUNTS: usize = 4096;

/// The newest list of each account, as each token sees it.
#[derive(Debug, Default)]
pub struct Listings {
    accounts: Mutex<HashMap<(AccountId, Fingerprint), Arc<Account>>>,
}

/// One account seen with one token. The outer lock is held while a list is under way, so there is one at a time.
#[derive(Debug, Default)]
struct Account {
    flight: tokio::sync::Mutex<()>,
    newest: Mutex<Newest>,
}

#[derive(Debug, Default)]
struct Newest {
    snapshot: Option<Arc<Snapshot>>,
    failure: Option<(Moment, Failure)>,
}

impl Listings {
    /// The newest list, however old.
    #[must_use]
    pub fn newest(&self, account: &AccountId, token: Fingerprint) -> Option<Arc<Snapshot>> {
        self.account(account, token).snapshot()
    }

    /// How a list has failed that ended after `since`, unless one has worked after that.
    #[must_use]
    pub fn failure_since(
        &self,
        account: &AccountId,
        token: Fingerprint,
        since: Moment,
    ) -> Option<Failure> {
        self.account(account, token).failure_since(since)
    }

    /// A list that was begun at `not_before` or later: one that is there, one that somebody else is just taking, or
    /// else one taken by `list`, which may fail for everybody who waits for it. `true` if this call took it.
    pub async fn take<L>(
        &self,
        account: &AccountId,
        token: Fingerprint,
        not_before: Moment,
        clock: &Clock,
        list: impl FnOnce() -> L,
    ) -> (Result<Arc<Snapshot>, Failure>, bool)
    where
        L: Future<Output = Result<Answer<Listing>, Failure>>,
    {
        let asked = clock.now();
        let account = self.account(account, token);
        let _flight = account.flight.lock().await;
        if let Some(snapshot) = account
            .snapshot()
            .filter(|snapshot| snapshot.begun >= not_before)
        {
            return (Ok(snapshot), false);
        }
        if let Some(failure) = account.failure_since(asked) {
            return (Err(failure), false);
        }
        let begun = clock.now();
        match list().await {
            Ok(answer) => {
                let snapshot = Arc::new(snapshot(begun, answer));
                account.store(Newest {
                    snapshot: Some(Arc::clone(&snapshot)),
                    failure: None,
                });
                (Ok(snapshot), true)
            }
            Err(failure) => {
                let snapshot = account.snapshot();
                account.store(Newest {
                    snapshot,
                    failure: Some((clock.now(), failure.clone())),
                });
                (Err(failure), true)
            }
        }
    }

    /// How many lists are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.len()
    }

    fn account(&self, account: &AccountId, token: Fingerprint) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= REMEMBERED_ACCOUNTS {
            accounts.retain(|_, account| Arc::strong_count(account) > 1);
        }
        Arc::clone(accounts.entry((account.clone(), token)).or_default())
    }
}

impl Account {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .snapshot
            .clone()
    }

    /// The failure of a list that ended while somebody was waiting for it since `asked`.
    fn failure_since(&self, asked: Moment) -> Option<Failure> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest
            .failure
            .as_ref()
            .filter(|(ended, _)| *ended >= asked)
            .map(|(_, failure)| failure.clone())
    }

    fn store(&self, newest: Newest) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
    }
}

fn snapshot(begun: Moment, answer: Answer<Listing>) -> Snapshot {
    Snapshot {
        begun,
        date: answer.date,
        connectors: answer.value.items,
        gap: answer.value.complete.gap(),
    }
}
