//! The operator's process as the model knows it: what it remembers. It has its like in `controller::objects`. The model leaves
//! out other objects, a cache that is behind a copy that was superseded, the look that the answer to a POST is, and the
//! namespace.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cloudflare_sso_operator::account::{Rate, Tokens};
use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{ApiToken, Fingerprint, FingerprintKey};
use cloudflare_sso_operator::identity::ConnectorId;
use cloudflare_sso_operator::plan::{Claim, Edition, Memory, PairMemory, Snapshot};
use cloudflare_sso_operator::resource::SsoConnector;

const RATE: Rate = Rate {
    per_second: 2.0,
    burst: 20.0,
};

/// What dies with the process.
#[derive(Debug)]
pub struct Process {
    pub started: Duration,
    /// Which version of the object the watch has brought.
    pub cache: usize,
    pub pair: PairMemory,
    pub entry: Entry,
    pub alive: HashSet<String>,
    pub listing: Option<Arc<Snapshot>>,
    pub tokens: Tokens,
    /// The one in hand.
    pub token: Fingerprint,
    key: FingerprintKey,
}

/// What it remembers of the object of the one name.
#[derive(Debug, Default)]
pub struct Entry {
    pub uid: String,
    pub memory: Memory,
    pub bound: Option<ConnectorId>,
    pub written: Option<SsoConnector>,
    /// The token that has worked last.
    pub token_worked: Option<Fingerprint>,
    /// The edition that was seen last, and since when.
    pub seen: Option<(Edition, Moment)>,
}

impl Process {
    pub fn new(started: Duration, cache: usize) -> Self {
        let key = FingerprintKey::random();
        Self {
            started,
            cache,
            pair: PairMemory::default(),
            entry: Entry::default(),
            alive: HashSet::new(),
            listing: None,
            tokens: Tokens::new(RATE),
            token: fingerprint(&key, 0),
            key,
        }
    }

    /// The name of the token of that number.
    pub fn fingerprint(&self, number: u32) -> Fingerprint {
        fingerprint(&self.key, number)
    }

    /// The object of the entry is gone.
    pub fn forget(&mut self, now: Moment) {
        let entry = std::mem::take(&mut self.entry);
        self.alive.remove(&entry.uid);
        self.pair
            .departed(&entry.uid, entry.bound.as_ref(), &entry.memory, now);
    }

    pub fn is_paused(&self, now: Moment) -> bool {
        self.tokens.paused(now) > 0
    }

    pub fn sweep(&mut self, now: Moment, grace: Duration) {
        if self.alive.is_empty() && self.pair.is_spent(now, grace) {
            self.pair = PairMemory::default();
        }
    }

    pub fn claim(&mut self, uid: &str, now: Moment) -> Claim {
        let seen = self.entry.seen.as_ref().map_or(now, |(_, since)| *since);
        let is_there = |holder: &str| self.alive.contains(holder);
        self.pair.claim(uid, seen, is_there, now)
    }

    /// The cache may not have our own last write yet. Whether it is the cache's copy that is newest.
    pub fn newest(&mut self, cached: SsoConnector) -> (SsoConnector, bool) {
        let version = |object: &SsoConnector| -> Option<u64> {
            object.metadata.resource_version.as_ref()?.parse().ok()
        };
        let ahead = self.entry.written.as_ref().filter(|written| {
            written.metadata.uid == cached.metadata.uid && version(written) > version(&cached)
        });
        if let Some(written) = ahead {
            return (written.clone(), false);
        }
        self.entry.written = None;
        (cached, true)
    }
}

fn fingerprint(key: &FingerprintKey, number: u32) -> Fingerprint {
    let token = ApiToken::parse(format!("token-{number}").as_bytes()).unwrap();
    token.fingerprint(key)
}
