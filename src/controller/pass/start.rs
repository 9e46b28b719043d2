//! What a pass starts from: the newest copy of its object that this process has, and what it and its rivals have stored.
//!
//! Nothing that was ever stored of a pair may be created again, so whatever is read of an object is recalled before
//! anything is decided.

use std::sync::Arc;

use tracing::warn;

use super::newest::{Newest, newest};
use super::{End, Pass};
use crate::clock::Moment;
use crate::controller::cache::Cached;
use crate::controller::objects::Entry;
use crate::controller::queue::Due;
use crate::controller::{Context, forget};
use crate::definition::Shift;
use crate::plan::{Activity, Desired, Observed, Record};
use crate::resource::{ManagementPolicy, SsoConnector};

impl<'a> Pass<'a> {
    /// Starts from the newest copy of the object that this process has.
    ///
    /// # Errors
    /// Without a pass, if the object cannot be read, or if the copy is known to be out of date.
    pub(super) fn begin(
        context: &'a Context,
        shift: &'a Shift,
        cached: Cached,
        due: Due<Moment>,
        entry: &'a mut Entry,
    ) -> Result<Self, End> {
        let Cached { object, seen } = cached;
        let cached = Arc::new(object);
        let unreadable = End::Rest(context.timing.poll_settled);
        let desired = match Desired::parse(&cached) {
            Ok(desired) => desired,
            Err(cause) => {
                warn!(%cause, "cannot read the object");
                return Err(unreadable);
            }
        };
        let now = context.clock.now();
        if entry.uid != desired.uid {
            forget(context, entry);
            *entry = Entry {
                uid: desired.uid.clone(),
                ..Entry::default()
            };
        }
        let pair = (desired.account.clone(), desired.domain.clone());
        entry.pair = Some(pair.clone());
        context.objects.arrived(&desired.uid, &pair);
        let (object, desired, record) = match newest(cached, entry) {
            Newest::Written(object) => {
                let (desired, record) = read(&object).ok_or(unreadable)?;
                (object, desired, record)
            }
            Newest::Cached(object) => {
                let record = Record::read(object.status.as_ref());
                if record.connector.is_some() {
                    context.objects.bound(&pair, &desired.uid);
                }
                (object, desired, record)
            }
            Newest::NotYetCached => return Err(End::Conflict),
        };
        if desired.management != ManagementPolicy::Manage || desired.activity != Activity::Active {
            context.objects.give_back(&pair, &desired.uid);
        }
        let mut pass = Self {
            context,
            shift,
            due,
            seen,
            entry,
            object,
            desired,
            record,
            pair,
            observed: Observed::default(),
            bearer: None,
            is_second_hand: false,
            publisher: None,
            news: Vec::new(),
        };
        pass.recall(now);
        pass.recall_rivals(now);
        pass.entry.memory.begins(&pass.desired, &pass.record, now);
        Ok(pass)
    }

    /// Goes on with this copy of the object.
    pub(super) fn adopt(&mut self, object: Arc<SsoConnector>) -> Option<()> {
        (self.desired, self.record) = read(&object)?;
        self.object = object;
        self.recall(self.context.clock.now());
        Some(())
    }

    /// What the object has stored: none of it may be created again.
    fn recall(&mut self, now: Moment) {
        self.entry.bound.clone_from(&self.record.connector);
        self.context
            .objects
            .with_pair(&self.pair, |pair| pair.recall(&self.record, now));
    }

    /// What other objects of the pair have stored, before this process or in it: none of it may be created again.
    pub(super) fn recall_rivals(&mut self, now: Moment) {
        self.observed.rivals = self.context.rivals(&self.object, &self.pair);
        for rival in &self.observed.rivals {
            self.context
                .objects
                .with_pair(&self.pair, |pair| pair.recall(&rival.record, now));
        }
    }
}

/// What an object asks for, and what it has stored; `None` if it cannot be read.
fn read(object: &SsoConnector) -> Option<(Desired, Record)> {
    let desired = Desired::parse(object).ok()?;
    Some((desired, Record::read(object.status.as_ref())))
}
