//! Fault injection: which calls go wrong, when, how often, and how.
//!
//! Faults form a queue. A call passes the queue twice, before and after its change is committed. At each pass the
//! faults that match act in the order in which they were pushed, until one of them ends the call; a delay and a hold
//! only make it wait. "Reset after commit" is the ambiguous POST: the connector exists, and nobody was told.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::calls::Call;
use crate::duration;
use crate::route::Operation;
use crate::state::canonical;

/// On which side of the change a fault acts. For a call that only reads there is no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before anything is checked or changed.
    #[default]
    BeforeCommit,
    /// After the change, before the answer.
    AfterCommit,
}

/// The body of an invented answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultBody {
    /// Cloudflare's envelope with `success: false` and one error.
    Envelope {
        /// The error's code.
        code: i64,
        /// The error's message.
        message: String,
        /// The error's `documentation_url`.
        #[serde(default)]
        documentation_url: Option<String>,
    },
    /// An error page of Cloudflare's edge.
    Html,
    /// An RFC 9457 problem of Cloudflare's edge.
    ProblemJson,
    /// Nothing.
    Empty,
    /// Any text.
    Text {
        /// The `Content-Type` header.
        content_type: String,
        /// The body.
        text: String,
    },
}

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// It gets an invented answer.
    Answer {
        /// On which side of the change.
        #[serde(default)]
        when: When,
        /// The HTTP status.
        status: u16,
        /// Headers besides those that every answer has, such as `Retry-After`.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body.
        body: FaultBody,
    },
    /// Its TCP connection is reset without any answer.
    Reset {
        /// On which side of the change.
        #[serde(default)]
        when: When,
    },
    /// It waits for a time and goes on.
    Delay {
        /// On which side of the change.
        #[serde(default)]
        when: When,
        /// How long.
        #[serde(with = "duration")]
        time: Duration,
    },
    /// It waits until it is released, or its connection is dropped, by hand.
    Hold {
        /// On which side of the change.
        #[serde(default)]
        when: When,
    },
    /// It gets the first half of its real answer, under a `Content-Length` of the whole.
    Truncate,
    /// It gets its real answer without `id` in `result`.
    WithoutId,
    /// It gets its real answer with one value replaced.
    Rewrite {
        /// A JSON pointer such as `/result/0/email_domain`; the last step may name a new field.
        pointer: String,
        /// The new value.
        value: Value,
    },
}

impl Failure {
    /// An invented answer in Cloudflare's envelope.
    #[must_use]
    pub fn envelope(status: u16, code: i64, message: &str) -> Self {
        let body = FaultBody::Envelope {
            code,
            message: message.to_owned(),
            documentation_url: None,
        };
        Self::Answer {
            when: When::BeforeCommit,
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// 429 with code 971, and `Retry-After` in whole seconds if given.
    #[must_use]
    pub fn throttled(retry_after: Option<Duration>) -> Self {
        let message = "Please wait and consider throttling your request speed";
        Self::envelope(429, 971, message).retry_after(retry_after)
    }

    /// 429 with code 10100, as when the token's limit is used up.
    #[must_use]
    pub fn limit_reached(retry_after: Option<Duration>) -> Self {
        let message = "More than 1200 requests per 300 seconds reached. Please wait and consider \
                       throttling your request speed";
        Self::envelope(429, 10_100, message).retry_after(retry_after)
    }

    /// 403 with code 9109: too many refused tokens.
    #[must_use]
    pub fn banned() -> Self {
        Self::envelope(403, 9109, "Max auth failures reached, please wait")
    }

    /// 403 with code 10000, which also hits good tokens now and then.
    #[must_use]
    pub fn authentication_flake() -> Self {
        Self::envelope(403, 10_000, "Authentication error")
    }

    /// 403 with code 10000 and a `documentation_url`: a permission is missing.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::Answer {
            when: When::BeforeCommit,
            status: 403,
            headers: Vec::new(),
            body: FaultBody::Envelope {
                code: 10_000,
                message: "Forbidden".to_owned(),
                documentation_url: Some(crate::answer::DOCUMENTATION.to_owned()),
            },
        }
    }

    /// 200 with `success: false`.
    #[must_use]
    pub fn unsuccessful(code: i64) -> Self {
        Self::envelope(
            200,
            code,
            "Please wait and consider throttling your request speed",
        )
    }

    /// An HTML page of the edge.
    #[must_use]
    pub const fn html(status: u16) -> Self {
        Self::Answer {
            when: When::BeforeCommit,
            status,
            headers: Vec::new(),
            body: FaultBody::Html,
        }
    }

    /// An RFC 9457 problem of the edge.
    #[must_use]
    pub const fn problem_json(status: u16) -> Self {
        Self::Answer {
            when: When::BeforeCommit,
            status,
            headers: Vec::new(),
            body: FaultBody::ProblemJson,
        }
    }

    /// A status without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self::Answer {
            when: When::BeforeCommit,
            status,
            headers: Vec::new(),
            body: FaultBody::Empty,
        }
    }

    /// Moves the failure behind the commit. A failure that alters the real answer is there anyway.
    #[must_use]
    pub fn after_commit(mut self) -> Self {
        match &mut self {
            Self::Answer { when, .. }
            | Self::Reset { when }
            | Self::Delay { when, .. }
            | Self::Hold { when } => *when = When::AfterCommit,
            Self::Truncate | Self::WithoutId | Self::Rewrite { .. } => {}
        }
        self
    }

    fn retry_after(mut self, time: Option<Duration>) -> Self {
        if let (Self::Answer { headers, .. }, Some(time)) = (&mut self, time) {
            headers.push(("retry-after".to_owned(), time.as_secs().to_string()));
        }
        self
    }

    const fn when(&self) -> When {
        match self {
            Self::Answer { when, .. }
            | Self::Reset { when }
            | Self::Delay { when, .. }
            | Self::Hold { when } => *when,
            Self::Truncate | Self::WithoutId | Self::Rewrite { .. } => When::AfterCommit,
        }
    }
}

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
    /// Only calls about this domain, by body or by connector.
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
            && same(&self.domain, &call.domain)
    }
}

/// Names a fault in the queue.
pub type FaultId = u64;

/// What becomes of a held call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait,
    Continue,
    Drop,
}

/// A fault in the queue, spent or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    /// Its name.
    pub id: FaultId,
    /// The fault as it was pushed.
    pub fault: Fault,
    /// How many calls it has struck.
    pub struck: u32,
    /// How many calls it holds now.
    pub holding: usize,
}

#[derive(Debug)]
struct Queued {
    id: FaultId,
    fault: Fault,
    skipped: u32,
    struck: u32,
    pushed: Instant,
    verdict: watch::Sender<Verdict>,
}

impl Queued {
    fn acts(&self, now: Instant) -> bool {
        *self.verdict.borrow() == Verdict::Wait
            && match self.fault.repeat {
                Repeat::Times(times) => self.struck < times,
                Repeat::For(time) => now.duration_since(self.pushed) < time,
                Repeat::Forever => true,
            }
    }
}

/// A failure that strikes a call now.
#[derive(Debug)]
pub(crate) struct Strike {
    pub(crate) id: FaultId,
    pub(crate) failure: Failure,
    /// Tells a held call when to go on.
    pub(crate) verdict: watch::Receiver<Verdict>,
}

/// The faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    queue: Vec<Queued>,
    counted: FaultId,
}

impl FaultQueue {
    pub(crate) fn push(&mut self, fault: Fault, now: Instant) -> FaultId {
        self.counted += 1;
        self.queue.push(Queued {
            id: self.counted,
            fault,
            skipped: 0,
            struck: 0,
            pushed: now,
            verdict: watch::Sender::new(Verdict::Wait),
        });
        self.counted
    }

    /// The next fault after the one named `after` that strikes `call` on this side of its change.
    pub(crate) fn strike(
        &mut self,
        call: &Call,
        when: When,
        after: FaultId,
        now: Instant,
    ) -> Option<Strike> {
        let candidates = self.queue.iter_mut().filter(|queued| queued.id > after);
        for queued in candidates {
            let fault = &queued.fault;
            if fault.failure.when() != when || !fault.matches(call) || !queued.acts(now) {
                continue;
            }
            if queued.skipped < fault.skip {
                queued.skipped += 1;
                continue;
            }
            queued.struck += 1;
            return Some(Strike {
                id: queued.id,
                failure: fault.failure.clone(),
                verdict: queued.verdict.subscribe(),
            });
        }
        None
    }

    /// Ends a fault; calls that it holds go on or lose their connection. Tells whether there is such a fault.
    pub(crate) fn decide(&mut self, id: FaultId, verdict: Verdict) -> bool {
        let queued = self.queue.iter().find(|queued| queued.id == id);
        queued
            .map(|queued| queued.verdict.send_replace(verdict))
            .is_some()
    }

    /// Forgets every fault; held calls go on.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn reports(&self) -> Vec<FaultReport> {
        let report = |queued: &Queued| FaultReport {
            id: queued.id,
            fault: queued.fault.clone(),
            struck: queued.struck,
            holding: match queued.fault.failure {
                Failure::Hold { .. } => queued.verdict.receiver_count(),
                _ => 0,
            },
        };
        self.queue.iter().map(report).collect()
    }
}
