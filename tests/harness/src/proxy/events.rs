//! What a test wants to happen to some events of watches. A watch's answer has long begun when that is decided, so it is
//! asked for each event, in the order in which they come.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;

use super::lock;

/// An event of a watch, as the API server sends it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct WatchEvent {
    /// Path and query of the watch.
    #[serde(skip)]
    pub path: String,
    /// What has happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The object after it, or the status of an error.
    pub object: Value,
}

/// What a watch tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventKind {
    /// An object is there.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
    /// All that was until this version has been told.
    Bookmark,
    /// The watch cannot go on.
    Error,
}

/// What happens to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTreatment {
    /// It waits, and all that comes after it on the same watch: the watch is open and silent.
    Hold,
    /// It is never sent, as if it had been between two states that a list shows.
    Drop,
}

/// A treatment of events in force. Releasing or dropping it lets the held events go on and treats no further ones.
#[derive(Debug)]
pub struct EventInterception {
    rule: Arc<Rule>,
    rules: Arc<Mutex<Vec<Arc<Rule>>>>,
}

/// The treatments of events in force.
#[derive(Debug, Default, Clone)]
pub(super) struct EventInterceptions {
    rules: Arc<Mutex<Vec<Arc<Rule>>>>,
}

struct Rule {
    treatment: EventTreatment,
    matches: Box<dyn Fn(&WatchEvent) -> bool + Send + Sync>,
    arrived: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Rule")
            .field(&self.treatment)
            .finish()
    }
}

impl EventInterceptions {
    pub(super) fn add(
        &self,
        treatment: EventTreatment,
        matches: impl Fn(&WatchEvent) -> bool + Send + Sync + 'static,
    ) -> EventInterception {
        let rule = Arc::new(Rule {
            treatment,
            matches: Box::new(matches),
            arrived: watch::Sender::default(),
            released: watch::Sender::default(),
        });
        lock(&self.rules).push(Arc::clone(&rule));
        EventInterception {
            rule,
            rules: Arc::clone(&self.rules),
        }
    }

    /// The answer to a watch on this path, with every event treated as it comes.
    pub(super) fn treat(&self, path: &str, answer: reqwest::Response) -> Body {
        let bytes = answer.bytes_stream().map_err(io::Error::other);
        let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new());
        let (treatments, path) = (self.clone(), path.to_owned());
        let events = lines.filter_map(move |line| {
            let (treatments, path) = (treatments.clone(), path.clone());
            async move {
                match line {
                    Ok(line) => treatments.pass(path, line).await.map(Ok),
                    Err(broken) => Some(Err(io::Error::other(broken))),
                }
            }
        });
        Body::from_stream(events)
    }

    /// The line, when it may go on; nothing if it never may.
    async fn pass(&self, path: String, mut line: String) -> Option<Bytes> {
        if let Ok(event) = serde_json::from_str(&line) {
            let event = WatchEvent { path, ..event };
            // When it is released by one, another may still hold it.
            while let Some(rule) = self.find(&event) {
                rule.arrived.send_modify(|count| *count += 1);
                match rule.treatment {
                    EventTreatment::Drop => return None,
                    EventTreatment::Hold => rule.released().await,
                }
            }
        }
        line.push('\n');
        Some(line.into())
    }

    fn find(&self, event: &WatchEvent) -> Option<Arc<Rule>> {
        let rules = lock(&self.rules);
        rules.iter().find(|rule| (rule.matches)(event)).cloned()
    }
}

impl Rule {
    async fn released(&self) {
        let mut released = self.released.subscribe();
        // The sender lives in this very value, so waiting cannot fail.
        let _ = released.wait_for(|released| *released).await;
    }
}

impl EventInterception {
    /// Waits until an event has been held or dropped. Put a deadline around it with [`tokio::time::timeout`].
    pub async fn arrived(&self) {
        let mut arrived = self.rule.arrived.subscribe();
        // The sender lives in the rule that we hold, so waiting cannot fail.
        let _ = arrived.wait_for(|count| *count > 0).await;
    }

    /// Lets the held events go on and ends the treatment, as dropping does.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for EventInterception {
    fn drop(&mut self) {
        lock(&self.rules).retain(|rule| !Arc::ptr_eq(rule, &self.rule));
        self.rule.released.send_replace(true);
    }
}
