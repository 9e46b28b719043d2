//! What a pass asks of Cloudflare, and what it remembers of the answers: each step here has its like in
//! `controller::exchange`.

use std::sync::Arc;

use cloudflare_sso_operator::account::Right;
use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{Changes, Class, Connector, Creation, Endpoint, Failure};
use cloudflare_sso_operator::identity::ConnectorId;
use cloudflare_sso_operator::plan::{Act, Deletion, Sighting, Snapshot};
use k8s_openapi::jiff::Timestamp;

use crate::cloudflare::{Cloudflare, Creator, Item, No};
use crate::cluster::is_terminating;
use crate::contact::failure;
use crate::model::Model;
use crate::nevers;
use crate::pass::{Pass, Stop};
use crate::script::{Beat, Flaw, Outcome};

impl Model {
    pub fn list(&mut self, pass: &mut Pass, not_before: Moment) -> Result<(), Stop> {
        if let Some(snapshot) = self.process.listing.clone()
            && snapshot.begun >= not_before
        {
            self.note_listing(pass, snapshot);
            return Ok(());
        }
        if !self.take_turn(pass, Right::Read)? {
            return Ok(());
        }
        let (begun, started) = (self.moment(), self.now);
        match self.call(Endpoint::List, |model| Ok(model.listed()))? {
            Ok(connectors) => {
                let flaw = self.sky.flaw;
                let snapshot = Arc::new(Snapshot {
                    begun,
                    date: (flaw != Flaw::NoDate).then(|| Cloudflare::date(self.now)),
                    connectors,
                    gap: (flaw == Flaw::Incomplete).then_some("it is cut off"),
                });
                if snapshot.proof().is_ok() && snapshot.connectors.is_empty() {
                    self.ledger.blank_lists.push(started);
                }
                self.process.listing = Some(Arc::clone(&snapshot));
                self.worked(pass, Endpoint::List);
                // If it cannot be said, the plan asks.
                let _ = self.judge_token(pass);
                self.note_listing(pass, snapshot);
            }
            Err(failure) => self.note_failure(pass, failure),
        }
        Ok(())
    }

    fn listed(&mut self) -> Vec<Connector> {
        let time = self.read_time(true);
        let bare = self.sky.flaw == Flaw::Bare;
        let shown = |item: &Item| {
            let mut connector = item.connector.clone();
            if bare {
                connector.verification = None;
                connector.enabled = None;
            }
            connector
        };
        self.cloudflare.items_at(time).iter().map(shown).collect()
    }

    pub fn note_listing(&mut self, pass: &mut Pass, snapshot: Arc<Snapshot>) {
        if !self.process.pair.attempts.is_empty() {
            self.process.pair.listed(&snapshot, &pass.desired.domain);
        }
        self.process.entry.memory.listed(&snapshot);
        pass.observed.listing = Some(snapshot);
    }

    pub fn get(&mut self, pass: &mut Pass, id: ConnectorId) -> Result<(), Stop> {
        if !self.take_turn(pass, Right::Read)? {
            return Ok(());
        }
        let at = self.moment();
        let answer = self.call(Endpoint::Get, |model| {
            let time = model.read_time(false);
            let items = model.cloudflare.items_at(time);
            let item = items.iter().find(|item| item.connector.id == id);
            item.cloned().ok_or(No::SuchConnector)
        })?;
        let (connector, date) = match answer {
            Ok(item) => {
                self.ledger.last_get = Some((id.clone(), item.is_verified()));
                (Some(item.connector), Some(Cloudflare::date(self.now)))
            }
            Err(failure) if failure.class == Class::Gone => (None, None),
            Err(failure) => {
                self.note_failure(pass, failure);
                return Ok(());
            }
        };
        self.worked(pass, Endpoint::Get);
        self.process.entry.memory.saw(Sighting {
            id,
            at,
            date,
            connector,
        });
        Ok(())
    }

    pub fn act(&mut self, pass: &mut Pass, act: Act) -> Result<(), Stop> {
        self.ledger.mutations += 1;
        nevers::never_touch_what_is_left_alone(&pass.object);
        let (endpoint, result) = match act {
            Act::Create {
                creation,
                attempt,
                begin_by,
            } => (
                Endpoint::Create,
                self.create(pass, &creation, attempt, begin_by)?,
            ),
            Act::BeginVerification { id, begun, before } => {
                let result = self.call(Endpoint::BeginVerification, |model| {
                    model.cloudflare.begin_verification(&id, model.now)
                })?;
                let refused = result.as_ref().is_err_and(Failure::is_definite);
                self.process.entry.memory.refused_begin = refused.then_some((begun, before));
                (Endpoint::BeginVerification, result)
            }
            Act::Update { id, changes } => (Endpoint::Update, self.update(pass, &id, changes)?),
            Act::Delete(id) => (Endpoint::Delete, self.delete(pass, &id)?),
            Act::Publish { .. } | Act::Unpublish { .. } => {
                unreachable!("a person publishes the record")
            }
        };
        self.process.entry.memory.acted_at = Some(self.moment());
        match result {
            Ok(()) => self.worked(pass, endpoint),
            Err(failure) => self.note_failure(pass, failure),
        }
        Ok(())
    }

    fn create(
        &mut self,
        pass: &Pass,
        creation: &Creation,
        attempt: Timestamp,
        begin_by: Moment,
    ) -> Result<Result<(), Failure>, Stop> {
        let now = self.moment();
        self.process.pair.attempting(attempt, now);
        self.ledger.attempting(attempt, &pass.desired.uid, self.now);
        if let Some(beat) = self.beats.front_mut()
            && now >= begin_by
        {
            beat.outcome = Outcome::NotSent;
        } else if now >= begin_by {
            self.beats.push_front(Beat {
                outcome: Outcome::NotSent,
                ..Beat::default()
            });
        }
        let nameless = self.beats.front().map(|beat| beat.outcome) == Some(Outcome::Nameless);
        nevers::intent_precedes_the_post(&pass.object, attempt);
        nevers::never_create_twice(self, &pass.desired.uid, attempt);
        nevers::never_undo_a_deletion_by_hand(self, &pass.desired);
        let answer = self.call(Endpoint::Create, |model| {
            model.ledger.posted = Some((attempt, model.now));
            let now = model.now;
            Ok(model.cloudflare.create(creation, Creator::Operator, now))
        })?;
        Ok(match answer {
            Ok(connector) if !nameless => {
                let now = self.moment();
                let id = connector.id.clone();
                self.process.pair.created(id, Some(connector), now);
                Ok(())
            }
            Ok(_) => Err(failure(Endpoint::Create, Class::Unavailable, Some(200))),
            Err(failure) => {
                if failure.is_definite() {
                    self.process.pair.void(attempt);
                    self.ledger.refused(attempt);
                }
                Err(failure)
            }
        })
    }

    fn update(
        &mut self,
        pass: &Pass,
        id: &ConnectorId,
        changes: Changes,
    ) -> Result<Result<(), Failure>, Stop> {
        let now = self.moment();
        self.process.entry.memory.updating(changes, now);
        if changes.enabled == Some(true) {
            nevers::never_enable_what_is_not_verified(self, id);
        }
        match (changes.enabled, is_terminating(&pass.object)) {
            (Some(enabled), true) => {
                assert!(!enabled, "a connector that goes away is not enabled");
                nevers::never_delete_unless_it_says_so(pass.confirmed.as_ref(), id);
            }
            (Some(enabled), false) => {
                nevers::applying_precedes_the_patch(&pass.object, enabled);
                nevers::never_fight_a_person(self, &pass.desired, enabled);
            }
            (None, _) => {}
        }
        let result = self.call(Endpoint::Update, |model| {
            let now = model.now;
            model.cloudflare.update(id, changes, now)
        })?;
        if let Err(failure) = &result {
            self.process.entry.memory.update_failed(failure);
        }
        Ok(result)
    }

    fn delete(&mut self, pass: &Pass, id: &ConnectorId) -> Result<Result<(), Failure>, Stop> {
        nevers::never_delete_unless_it_says_so(pass.confirmed.as_ref(), id);
        self.process.entry.memory.deletion = Some(Deletion::Sent(id.clone()));
        let result = self.call(Endpoint::Delete, |model| {
            let now = model.now;
            model.cloudflare.delete(id, now)
        })?;
        if result.is_ok() {
            self.process.entry.memory.deletion = Some(Deletion::Confirmed(id.clone()));
            let now = self.moment();
            self.process.pair.deleted(id.clone(), now);
        }
        Ok(result)
    }
}
