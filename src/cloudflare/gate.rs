//! Keeps a request that must begin before a deadline from beginning after it.
//!
//! Checking the time before the request is handed to the HTTP library is not enough: a connection has to be made
//! first, and the process may be paused meanwhile. So the gate sits in the request's body, which the library asks for
//! when the connection stands. A body that is refused there leaves a request that no server can act on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream;
use tokio::time::Instant;

/// The gate of one request. Either its body passes or the gate is closed, never both.
#[derive(Debug)]
pub(super) struct Gate {
    begin_by: Instant,
    decided: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
#[error("the time to begin the request has passed")]
struct TooLate;

impl Gate {
    pub(super) fn new(begin_by: Instant) -> Self {
        Self {
            begin_by,
            decided: Arc::new(AtomicBool::new(false)),
        }
    }

    /// The body, to be sent only if its sending begins in time.
    pub(super) fn guard(&self, body: Vec<u8>) -> reqwest::Body {
        let (begin_by, decided) = (self.begin_by, Arc::clone(&self.decided));
        let pass = async move {
            let in_time = Instant::now() < begin_by && !decided.swap(true, Ordering::SeqCst);
            if in_time { Ok(body) } else { Err(TooLate) }
        };
        reqwest::Body::wrap_stream(stream::once(pass))
    }

    /// Whether the deadline has passed and the body has not begun. If so, it never will.
    pub(super) fn is_missed(&self) -> bool {
        Instant::now() >= self.begin_by && !self.decided.swap(true, Ordering::SeqCst)
    }

    /// Ends when the gate [is missed](Self::is_missed), which may be never.
    pub(super) async fn missed(&self) {
        tokio::time::sleep_until(self.begin_by).await;
        if !self.is_missed() {
            std::future::pending::<()>().await;
        }
    }
}
