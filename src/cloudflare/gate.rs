//! Keeps a request that must begin before a deadline, or while this process leads, from beginning after it.
//!
//! Checking the time before the request is handed to the HTTP library is not enough: a connection has to be made
//! first, and the process may be paused meanwhile. So the gate sits in the request's body, which the library asks for
//! when the connection stands. A body that is refused there leaves a request that no server can act on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream;
use tokio::time::Instant;

use crate::lease::Authority;

/// The gate of one request. Either its body passes or the gate is closed, never both.
#[derive(Debug)]
pub(super) struct Gate {
    limits: Limits,
    decided: Arc<AtomicBool>,
}

/// What has to hold when the body begins.
#[derive(Debug, Clone)]
struct Limits {
    begin_by: Option<Instant>,
    authority: Authority,
}

#[derive(Debug, thiserror::Error)]
#[error("the time to begin the request has passed")]
struct TooLate;

impl Gate {
    pub(super) fn new(begin_by: Option<Instant>, authority: &Authority) -> Self {
        Self {
            limits: Limits {
                begin_by,
                authority: authority.clone(),
            },
            decided: Arc::new(AtomicBool::new(false)),
        }
    }

    /// The body, to be sent only if its sending begins in time.
    pub(super) fn guard(&self, body: Vec<u8>) -> reqwest::Body {
        let (limits, decided) = (self.limits.clone(), Arc::clone(&self.decided));
        let pass = async move {
            let in_time = limits.hold() && !decided.swap(true, Ordering::SeqCst);
            if in_time { Ok(body) } else { Err(TooLate) }
        };
        reqwest::Body::wrap_stream(stream::once(pass))
    }

    /// Whether the time has passed and the body has not begun. If so, it never will.
    pub(super) fn is_missed(&self) -> bool {
        !self.limits.hold() && !self.decided.swap(true, Ordering::SeqCst)
    }

    /// Ends when the deadline has passed and the gate [is missed](Self::is_missed), which may be never.
    pub(super) async fn missed(&self) {
        if let Some(begin_by) = self.limits.begin_by {
            tokio::time::sleep_until(begin_by).await;
            if self.is_missed() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Limits {
    fn hold(&self) -> bool {
        self.begin_by
            .is_none_or(|begin_by| Instant::now() < begin_by)
            && self.authority.lasts()
    }
}
