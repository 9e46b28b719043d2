//! What a pass writes of its object: the status before a call and after it, the finalizer, and its removal.
//!
//! Whatever was stored is what the pass goes on with; a copy that turns out to be an old one ends it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{End, Interrupt, Pass};
use crate::controller::announce;
use crate::controller::store::Written;
use crate::kubernetes::KubernetesFailure;
use crate::plan::{Guard, Verdict};
use crate::resource::{SsoConnector, SsoConnectorStatus};

impl Pass<'_> {
    /// Writes the status if it says something new.
    pub(super) async fn write_status(
        &mut self,
        before: &SsoConnectorStatus,
        verdict: &Verdict,
        guard: Guard,
        acts: bool,
    ) -> Result<Option<End>, Interrupt> {
        let status = verdict.status(before, &self.desired, Timestamp::now());
        let reason = announce::ready_reason(verdict).or(self.entry.reason);
        // Before a call, even a write that changes nothing is made: the API server tests what the call rests on.
        if status != *before || acts {
            match self.store().status(&status, guard).await? {
                Written::Conflict => return Ok(Some(End::Conflict)),
                Written::Stored(object) => self.stored(verdict, *object)?,
            }
        }
        self.context.metrics.moved(self.entry.reason, reason);
        self.entry.reason = reason;
        Ok(None)
    }

    /// The status that says this is stored; goes on with the object as it is now.
    fn stored(&mut self, verdict: &Verdict, object: SsoConnector) -> Result<(), Interrupt> {
        if let (Some(lost), None) = (&self.record.connector, &verdict.record.connector) {
            let now = self.context.clock.now();
            self.context
                .objects
                .with_pair(&self.pair, |pair| pair.lost(lost, now));
        }
        let object = Arc::new(object);
        self.entry.wrote(&object);
        self.adopt(object).ok_or(Interrupt::Gone)
    }

    pub(super) async fn mark(&mut self) -> Result<Option<End>, Interrupt> {
        match self.store().mark().await? {
            Written::Conflict => Ok(Some(End::Conflict)),
            Written::Stored(object) => {
                let object = Arc::new(*object);
                self.entry.wrote(&object);
                self.adopt(object).ok_or(Interrupt::Gone)?;
                Ok(None)
            }
        }
    }

    pub(super) async fn release(&mut self) -> Result<End, KubernetesFailure> {
        match self.store().release().await? {
            Written::Conflict => Ok(End::Conflict),
            Written::Stored(object) => {
                self.entry.wrote(&Arc::new(*object));
                // The watch tells when the object is gone.
                Ok(End::Rest(if self.desired.terminating {
                    self.context.timing.backoff
                } else {
                    Duration::ZERO
                }))
            }
        }
    }
}
