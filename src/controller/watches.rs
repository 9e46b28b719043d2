//! Brings what the watches say into the cache, and asks that a look be taken at each object that they speak of.

use futures::channel::mpsc::UnboundedSender;
use futures::{Stream, StreamExt as _, pin_mut};
use kube::Client;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Context;
use super::brought::Brought;
use super::cache::{Intake, Told};
use super::scope::objects_in;
use crate::identity::{NamespaceName, ObjectName};
use crate::kubernetes::describe_watch;
use crate::plan::{Desired, Record};
use crate::resource::SsoConnector;

/// How many objects are listed at a time. A page is held twice while it is read.
const PAGE: u32 = 100;

/// Where to ask that a look be taken at an object.
#[derive(Debug)]
pub(super) struct Bell {
    ask: UnboundedSender<ObjectName>,
    /// Whether somebody listens. Before that nothing is asked for, as all objects will be looked at then.
    is_heard: CancellationToken,
}

impl Bell {
    /// A bell that nobody listens to yet.
    pub(super) fn new(ask: UnboundedSender<ObjectName>) -> Self {
        Self {
            ask,
            is_heard: CancellationToken::new(),
        }
    }

    /// From now on somebody listens, and takes a look at these first.
    pub(super) fn is_heard(&self, first: impl IntoIterator<Item = ObjectName>) {
        self.is_heard.cancel();
        for name in first {
            self.ring(name);
        }
    }

    fn ring(&self, name: ObjectName) {
        if self.is_heard.is_cancelled() {
            // Whoever listens ends together with those who ring.
            let _ = self.ask.unbounded_send(name);
        }
    }
}

/// Follows the watch over the objects of a namespace, or of all. Cancels `known` when it has brought what there is. Never ends.
pub(super) async fn follow(
    context: &Context,
    client: &Client,
    namespace: Option<&NamespaceName>,
    known: CancellationToken,
    bell: &Bell,
) {
    let mut intake = Intake::new(&context.cache, namespace.map(NamespaceName::as_str), known);
    let pages = watcher::Config::default().page_size(PAGE);
    let events = paced(watch(objects_in::<Brought>(client, namespace), pages));
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let Told { names, gone } = intake.take(event, context.clock.now());
                for object in gone {
                    remember(context, &object);
                }
                for name in names {
                    let version = context.cache.version(&name);
                    context.objects.caught_up(&name, version);
                    bell.ring(name);
                }
            }
            Err(failure) => {
                intake.broke_off();
                context.metrics.watch_failed();
                warn!(
                    cause = describe_watch(&failure),
                    "cannot watch SsoConnector objects"
                );
            }
        }
    }
}

/// The same at a pace that slows down while it fails. That a list is begun is no sign that it will work, and would quicken the
/// pace again.
fn paced(
    events: impl Stream<Item = watcher::Result<Event<Brought>>>,
) -> impl Stream<Item = watcher::Result<Event<Brought>>> {
    let says_something = |event: &watcher::Result<_>| !matches!(event, Ok(Event::Init));
    events
        .filter(move |event| std::future::ready(says_something(event)))
        .default_backoff()
}

/// An object is gone that no pass has ever looked at: what its status says may have been created binds its successors.
fn remember(context: &Context, object: &SsoConnector) {
    let Ok(desired) = Desired::parse(object) else {
        return;
    };
    if !context.objects.is_known(&desired.uid) {
        let record = Record::read(object.status.as_ref());
        let (pair, now) = ((desired.account, desired.domain), context.clock.now());
        context
            .objects
            .with_pair(&pair, |memory| memory.recall(&record, now));
    }
}

/// Asks that a look be taken at each object for which a look-up in DNS has brought something new. Never ends.
pub(super) async fn hear(context: &Context, bell: &Bell) {
    if let Some(lookups) = &context.lookups {
        let mut news = lookups.news();
        loop {
            match news.recv().await {
                Ok(name) => bell.ring(name),
                // Those that were missed come back by themselves, only later.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::stream;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_list_that_always_fails_is_begun_ever_less_often() {
        let attempt = || [Ok(Event::Init), Err(watcher::Error::NoResourceVersion)];
        let attempts = stream::iter((0..8).flat_map(|_| attempt()));
        let started = Instant::now();
        let failed: Vec<Duration> = paced(attempts).map(|_| started.elapsed()).collect().await;
        assert_eq!(failed.len(), 8, "that one begins is not told");
        let gaps: Vec<Duration> = failed
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .collect();
        let (first, last) = (gaps[0], gaps[gaps.len() - 1]);
        assert!(last > first * 8, "{gaps:?}");
    }

    #[test]
    fn nothing_is_asked_for_before_somebody_listens() {
        let (ask, mut asked) = futures::channel::mpsc::unbounded();
        let bell = Bell::new(ask);
        let [early, first, late] = ["early", "first", "late"].map(|it| ObjectName::new("team", it));
        bell.ring(early);
        bell.is_heard([first.clone()]);
        bell.ring(late.clone());
        let mut next = || asked.try_recv().ok();
        assert_eq!([next(), next(), next()], [Some(first), Some(late), None]);
    }
}
