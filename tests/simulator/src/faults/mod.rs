//! Fault injection: which calls go wrong, when, how often, and how.
//!
//! Faults form a queue. A call passes the queue twice, before and after its change is committed. At each pass the
//! faults that match act in the order in which they were pushed, until one of them ends the call; a delay and a hold
//! only make it wait. "Reset after commit" is the ambiguous POST: the connector exists, and nobody was told.

mod failure;
mod queue;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use failure::{Failure, FaultBody, When};
pub use queue::{FaultId, FaultReport};
pub(crate) use queue::{FaultQueue, Strike, Verdict};

use crate::calls::Call;
use crate::duration;
use crate::route::Operation;
use crate::state::canonical;

/// How often a fault acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// On this many calls.
    Times(u32),
    /// On every call from now on for this long.
    For(#[serde(with = "duration")] Duration),
    /// On every call until the fault is removed.
    Forever,
}

/// A failure, and the calls that it strikes. Absent matchers match everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// How the calls go wrong.
    pub failure: Failure,
    /// Only calls of this operation.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// Only calls on this account.
    #[serde(default)]
    pub account: Option<String>,
    /// Only calls on this zone and its records.
    #[serde(default)]
    pub zone: Option<String>,
    /// Only calls about this domain, by body, by connector, by zone or by record.
    #[serde(default)]
    pub domain: Option<String>,
    /// How many matching calls are spared first.
    #[serde(default)]
    pub skip: u32,
    /// How often it acts.
    #[serde(default = "once")]
    pub repeat: Repeat,
}

const fn once() -> Repeat {
    Repeat::Times(1)
}

impl Fault {
    /// A fault that strikes the next call, whatever it is.
    #[must_use]
    pub const fn new(failure: Failure) -> Self {
        Self {
            failure,
            operation: None,
            account: None,
            zone: None,
            domain: None,
            skip: 0,
            repeat: once(),
        }
    }

    /// Strikes only calls of this operation.
    #[must_use]
    pub const fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Strikes only calls on this account.
    #[must_use]
    pub fn on_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Strikes only calls on this zone and its records.
    #[must_use]
    pub fn on_zone(mut self, zone: &str) -> Self {
        self.zone = Some(zone.to_owned());
        self
    }

    /// Strikes only calls about this domain.
    #[must_use]
    pub fn on_domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.to_owned());
        self
    }

    /// Spares this many matching calls first.
    #[must_use]
    pub const fn skipping(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// Strikes as often as `repeat` says.
    #[must_use]
    pub const fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    fn matches(&self, call: &Call) -> bool {
        let same = |wanted: &Option<String>, actual: &Option<String>| {
            wanted.is_none() || wanted.as_deref().map(canonical) == actual.as_deref().map(canonical)
        };
        self.operation
            .is_none_or(|operation| operation == call.operation)
            && same(&self.account, &call.account)
            && same(&self.zone, &call.zone)
            && same(&self.domain, &call.domain)
    }
}
