//! The call log: what tests assert on instead of on anybody's own log.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::route::Operation;
use crate::state::{Effect, canonical};

/// How many calls the log keeps; older ones are forgotten.
const KEPT: usize = 100_000;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not ended: it is being served, delayed or held.
    Open,
    /// It was answered with this HTTP status, perhaps with a truncated body.
    Answered(u16),
    /// Its connection was reset.
    Reset,
}

/// A call that reached the API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// Counts from 1.
    pub sequence: u64,
    /// What it asks for.
    pub operation: Operation,
    /// The HTTP method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The account in the path.
    pub account: Option<String>,
    /// The connector ID in the path.
    pub connector_id: Option<String>,
    /// The zone ID in the path.
    pub zone: Option<String>,
    /// The record ID in the path.
    pub record_id: Option<String>,
    /// The domain in the body, or that of the connector in the path; on zones, the name of the record that is meant or
    /// asked for, or else that of the zone.
    pub domain: Option<String>,
    /// The body, if it was JSON.
    pub body: Option<Value>,
    /// The label of the token, working or not; never the token itself. Absent for a token that was never issued.
    pub token: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it changed anything, whatever the caller was told.
    pub effect: Effect,
    /// When it arrived, since the simulator's start; in JSON as seconds.
    #[serde(serialize_with = "seconds")]
    pub arrived: Duration,
    /// When it ended, since the simulator's start; in JSON as seconds.
    #[serde(serialize_with = "optional_seconds")]
    pub ended: Option<Duration>,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn optional_seconds<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

impl Call {
    /// The HTTP status that it was answered with.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Answered(status) => Some(status),
            Outcome::Open | Outcome::Reset => None,
        }
    }
}

/// A selection of calls, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Calls(Vec<Call>);

impl Calls {
    /// Those for which `wanted` holds.
    #[must_use]
    pub fn filter(self, wanted: impl Fn(&Call) -> bool) -> Self {
        Self(self.0.into_iter().filter(wanted).collect())
    }

    /// Those of one operation.
    #[must_use]
    pub fn of(self, operation: Operation) -> Self {
        self.filter(|call| call.operation == operation)
    }

    /// Those that could change something, refused or not.
    #[must_use]
    pub fn mutations(self) -> Self {
        self.filter(|call| call.operation.is_mutation())
    }

    /// Those that changed something.
    #[must_use]
    pub fn committed(self) -> Self {
        self.filter(|call| call.effect == Effect::Committed)
    }

    /// Those on one account.
    #[must_use]
    pub fn on_account(self, account: &str) -> Self {
        self.filter(|call| call.account.as_deref() == Some(account))
    }

    /// Those about one domain, however it is spelled.
    #[must_use]
    pub fn on_domain(self, domain: &str) -> Self {
        let wanted = canonical(domain);
        self.filter(|call| call.domain.as_deref().map(canonical).as_ref() == Some(&wanted))
    }

    /// Those on one connector.
    #[must_use]
    pub fn on_connector(self, id: &str) -> Self {
        self.filter(|call| call.connector_id.as_deref() == Some(id))
    }

    /// Those on one zone and its records.
    #[must_use]
    pub fn on_zone(self, id: &str) -> Self {
        self.filter(|call| call.zone.as_deref() == Some(id))
    }

    /// Those on one DNS record.
    #[must_use]
    pub fn on_record(self, id: &str) -> Self {
        self.filter(|call| call.record_id.as_deref() == Some(id))
    }

    /// Those with a token of this label.
    #[must_use]
    pub fn by_token(self, label: &str) -> Self {
        self.filter(|call| call.token.as_deref() == Some(label))
    }

    /// Those answered with this HTTP status.
    #[must_use]
    pub fn answered(self, status: u16) -> Self {
        self.filter(|call| call.status() == Some(status))
    }

    /// Those that came after the call with this sequence number.
    #[must_use]
    pub fn after(self, sequence: u64) -> Self {
        self.filter(|call| call.sequence > sequence)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest.
    #[must_use]
    pub fn last(&self) -> Option<&Call> {
        self.0.last()
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Call] {
        &self.0
    }
}

/// Every call that the simulator served, up to a bound.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    counted: u64,
}

impl CallLog {
    /// Logs an arriving call and returns its sequence number.
    pub(crate) fn open(&mut self, mut call: Call) -> u64 {
        self.counted += 1;
        call.sequence = self.counted;
        if self.calls.len() == KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
        self.counted
    }

    pub(crate) fn set_effect(&mut self, sequence: u64, effect: Effect) {
        if let Some(call) = self.find(sequence) {
            call.effect = effect;
        }
    }

    pub(crate) fn close(&mut self, sequence: u64, outcome: Outcome, at: Duration) {
        if let Some(call) = self.find(sequence) {
            call.outcome = outcome;
            call.ended = Some(at);
        }
    }

    fn find(&mut self, sequence: u64) -> Option<&mut Call> {
        self.calls
            .iter_mut()
            .rev()
            .find(|call| call.sequence == sequence)
    }

    pub(crate) fn all(&self) -> Calls {
        self.those(|_| true)
    }

    pub(crate) fn those(&self, wanted: impl Fn(&Call) -> bool) -> Calls {
        let calls = self.calls.iter().filter(|call| wanted(call));
        Calls(calls.cloned().collect())
    }

    /// Those that came after the call with this sequence number, which is cheaper than to select them from all.
    pub(crate) fn after(&self, sequence: u64) -> Calls {
        let new = self.calls.iter().rev();
        let new = new.take_while(|call| call.sequence > sequence);
        let mut calls: Vec<Call> = new.cloned().collect();
        calls.reverse();
        Calls(calls)
    }
}
