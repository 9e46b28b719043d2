//! What one watch brings, on its way into the cache.

use kube::runtime::watcher::Event;
use tokio_util::sync::CancellationToken;

use super::Cache;
use super::kept::Kept;
use crate::clock::Moment;
use crate::controller::brought::Brought;
use crate::identity::ObjectName;
use crate::resource::SsoConnector;

/// What a watch has told.
#[derive(Debug, Default)]
pub(in crate::controller) struct Told {
    /// The names of the objects that it speaks of, those that are gone included.
    pub(in crate::controller) names: Vec<ObjectName>,
    /// What was last seen of those that are gone.
    pub(in crate::controller) gone: Vec<SsoConnector>,
}

/// Where the events of one watch go.
#[derive(Debug)]
pub(in crate::controller) struct Intake<'a> {
    cache: &'a Cache,
    /// The namespace that is watched; all of them, if there is none.
    namespace: Option<&'a str>,
    /// What a list has brought so far. It counts when it is complete.
    arriving: Vec<(ObjectName, Kept)>,
    known: CancellationToken,
}

impl<'a> Intake<'a> {
    /// Of the watch over that namespace, or over all. It cancels `known` when it has brought what there is.
    pub(in crate::controller) fn new(
        cache: &'a Cache,
        namespace: Option<&'a str>,
        known: CancellationToken,
    ) -> Self {
        Self {
            cache,
            namespace,
            arriving: Vec::new(),
            known,
        }
    }

    /// Takes what the watch says.
    pub(in crate::controller) fn take(&mut self, event: Event<Brought>, now: Moment) -> Told {
        match event {
            Event::Apply(brought) => {
                let name = ObjectName::of(&brought.metadata);
                let gone = self.cache.put(&name, self.cache.keep(brought, now));
                Told {
                    names: vec![name],
                    gone: gone.into_iter().collect(),
                }
            }
            Event::Delete(brought) => {
                let name = ObjectName::of(&brought.metadata);
                let gone = self.cache.take(&name);
                Told {
                    names: vec![name],
                    gone: gone.into_iter().collect(),
                }
            }
            Event::Init => {
                self.broke_off();
                Told::default()
            }
            Event::InitApply(brought) => {
                let name = ObjectName::of(&brought.metadata);
                self.arriving.push((name, self.cache.keep(brought, now)));
                Told::default()
            }
            Event::InitDone => {
                let arriving = std::mem::take(&mut self.arriving);
                let told = self.cache.replace(self.namespace, arriving);
                self.known.cancel();
                told
            }
        }
    }

    /// The watch has failed, and will list again.
    pub(in crate::controller) fn broke_off(&mut self) {
        self.arriving = Vec::new();
    }
}
