//! How a call goes wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration;

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

    pub(super) const fn when(&self) -> When {
        match self {
            Self::Answer { when, .. }
            | Self::Reset { when }
            | Self::Delay { when, .. }
            | Self::Hold { when } => *when,
            Self::Truncate | Self::WithoutId | Self::Rewrite { .. } => When::AfterCommit,
        }
    }
}
