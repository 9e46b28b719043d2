//! A pass over the one object, as the operator makes it: each step here has its like in `controller::pass`.

use std::time::Duration;

use cloudflare_sso_operator::account::{Permission, Right, Stake};
use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::plan::{
    Activity, Definition, Desired, Guard, Look, Namespace, Observed, Plan, Record, Then, Txt,
    Verdict, World, plan,
};
use cloudflare_sso_operator::resource::{ManagementPolicy, SsoConnector};

use crate::cloudflare::Cloudflare;
use crate::model::Model;
use crate::nevers;

/// As in the shell.
const MOST_ROUNDS: usize = 32;

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Rest(Duration),
    Conflict,
}

/// Why a pass cannot go on.
#[derive(Debug)]
pub enum Stop {
    Dies,
    NotBefore(Moment),
    Gone,
    Kubernetes,
}

/// A pass under way.
#[derive(Debug)]
pub struct Pass {
    pub object: SsoConnector,
    pub desired: Desired,
    pub record: Record,
    pub observed: Observed,
    pub admitted: bool,
    pub has_token: bool,
    /// The call that was asked for last, if it may be refused.
    pub stake: Option<(Permission, Stake)>,
    /// The object as it was read from the API server, if nothing was looked at since.
    pub confirmed: Option<SsoConnector>,
}

impl Model {
    /// One pass over the copy that the cache has.
    pub fn pass(&mut self) -> Result<End, Stop> {
        let now = self.moment();
        let Some(cached) = self.cluster.versions[self.process.cache].clone() else {
            self.process.forget(now);
            return Ok(End::Rest(self.timing.poll_settled));
        };
        let mut pass = self.begin(cached);
        let end = self.follow(&mut pass);
        self.withdraw(&mut pass);
        end
    }

    /// Asks the plan and does what it says, until it wants to rest.
    fn follow(&mut self, pass: &mut Pass) -> Result<End, Stop> {
        let mut acted = false;
        for _ in 0..MOST_ROUNDS {
            let next = plan(&World {
                desired: &pass.desired,
                record: &pass.record,
                observed: &pass.observed,
                memory: &self.process.entry.memory,
                pair: &self.process.pair,
                now: self.moment(),
                timing: &self.timing,
            });
            let step = match next {
                Plan::Leave => return Ok(End::Rest(self.timing.poll_unverified)),
                Plan::Mark => self.mark(pass),
                Plan::Release => return self.release(pass),
                Plan::Look(look) => self.look(pass, look).map(|()| None),
                Plan::Settle {
                    then: Then::Act(_), ..
                } if acted => return Ok(End::Rest(Duration::ZERO)),
                Plan::Settle {
                    verdict,
                    guard,
                    then,
                } => {
                    acted |= matches!(then, Then::Act(_));
                    self.settle(pass, &verdict, guard, then)
                }
            };
            match step {
                Ok(None) => {}
                Ok(Some(end)) => return Ok(end),
                Err(Stop::NotBefore(due)) => return Ok(End::Rest(self.moment().until(due))),
                Err(Stop::Gone) => return Ok(End::Conflict),
                Err(reason) => return Err(reason),
            }
        }
        panic!("the plan goes in circles: {pass:?}");
    }

    fn begin(&mut self, cached: SsoConnector) -> Pass {
        let now = self.moment();
        let desired = Desired::parse(&cached).unwrap();
        if self.process.entry.uid != desired.uid {
            if !self.process.entry.uid.is_empty() {
                self.process.forget(now);
            }
            self.process.entry.uid.clone_from(&desired.uid);
            self.process.alive.insert(desired.uid.clone());
        }
        let edition = desired.edition();
        let known = self.process.entry.seen.take();
        let known = known.filter(|(known, _)| *known == edition);
        self.process.entry.seen = known.or(Some((edition, now)));
        let (object, is_cached) = self.process.newest(cached);
        let status = object.status.as_ref();
        if is_cached && status.is_some_and(|status| status.connector_id.is_some()) {
            self.process.pair.bound(&desired.uid);
        }
        let managed = desired.management == ManagementPolicy::Manage;
        if !managed || desired.activity != Activity::Active {
            self.process.pair.give_back(&desired.uid);
        }
        let mut pass = Pass {
            object: object.clone(),
            desired,
            record: Record::default(),
            observed: Observed {
                txt: Txt::Off,
                ..Observed::default()
            },
            admitted: false,
            has_token: false,
            stake: None,
            confirmed: None,
        };
        self.adopt(&mut pass, object);
        let memory = &mut self.process.entry.memory;
        memory.begins(&pass.desired, &pass.record, now);
        pass
    }

    fn adopt(&mut self, pass: &mut Pass, object: SsoConnector) {
        let now = self.moment();
        pass.desired = Desired::parse(&object).unwrap();
        pass.record = Record::read(object.status.as_ref());
        self.process.entry.bound.clone_from(&pass.record.connector);
        pass.object = object;
        self.process.pair.recall(&pass.record, now);
        self.ledger.saw_attempts(&pass.record.attempts, self.now);
    }

    fn look(&mut self, pass: &mut Pass, look: Look) -> Result<(), Stop> {
        pass.observed.object_confirmed = false;
        pass.confirmed = None;
        match look {
            Look::Credentials => self.read_credentials(pass)?,
            Look::Claim => {
                let now = self.moment();
                pass.observed.claim = self.process.claim(&pass.desired.uid, now);
            }
            Look::Listing { not_before } => self.list(pass, not_before)?,
            Look::Connector(id) => self.get(pass, id)?,
            Look::Definition => {
                self.kubernetes(|_| ())?;
                pass.observed.definition = Definition::Stands;
            }
            Look::Namespace => {
                self.kubernetes(|_| ())?;
                pass.observed.namespace = Namespace::Stays;
            }
            Look::Object => {
                let uid = pass.object.metadata.uid.clone();
                let current = self.kubernetes(|model| model.cluster.object().cloned())?;
                let current = current.filter(|current| current.metadata.uid == uid);
                let current = current.ok_or(Stop::Gone)?;
                self.adopt(pass, current.clone());
                pass.confirmed = Some(current);
                pass.observed.object_confirmed = true;
            }
            Look::Publisher | Look::Zone | Look::Records(_) | Look::Txt { .. } => {
                unreachable!("a person publishes the record, and nobody asks DNS")
            }
        }
        Ok(())
    }

    /// Records, then acts.
    fn settle(
        &mut self,
        pass: &mut Pass,
        verdict: &Verdict,
        guard: Guard,
        then: Then,
    ) -> Result<Option<End>, Stop> {
        let acts = matches!(then, Then::Act(_));
        if acts && !self.take_turn(pass, Right::Change)? {
            return Ok(None);
        }
        if let Some(end) = self.publish(pass, verdict, guard, acts)? {
            return Ok(Some(end));
        }
        match then {
            Then::Act(act) => {
                self.act(pass, act)?;
                Ok(None)
            }
            Then::Rest(span) => {
                self.process.entry.memory.rested(verdict);
                if verdict.gives_way() {
                    self.process.pair.give_back(&pass.desired.uid);
                }
                Ok(Some(End::Rest(span)))
            }
            Then::Continue => Ok(None),
        }
    }

    fn publish(
        &mut self,
        pass: &mut Pass,
        verdict: &Verdict,
        guard: Guard,
        acts: bool,
    ) -> Result<Option<End>, Stop> {
        let before = pass.object.status.clone().unwrap_or_default();
        let now = Cloudflare::date(self.now);
        let status = verdict.status(&before, &pass.desired, now);
        nevers::the_same_verdict_gives_the_same_bytes(verdict, &status, &pass.desired, now);
        if status == before && !acts {
            return Ok(None);
        }
        let basis = pass.object.clone();
        match self.kubernetes(|model| model.cluster.write_status(&basis, &status, guard))? {
            Err(_) => Ok(Some(End::Conflict)),
            Ok(object) => {
                nevers::never_lose_an_id(self, &before, &status);
                if status.connector_id.is_some() {
                    self.ledger.attempts.clear();
                }
                if let (Some(lost), None) = (&pass.record.connector, &verdict.record.connector) {
                    let now = self.moment();
                    self.process.pair.lost(lost, now);
                }
                self.process.entry.written = Some(object.clone());
                self.adopt(pass, object);
                Ok(None)
            }
        }
    }

    fn mark(&mut self, pass: &mut Pass) -> Result<Option<End>, Stop> {
        let basis = pass.object.clone();
        match self.kubernetes(|model| model.cluster.set_finalizer(&basis, true))? {
            Err(_) => Ok(Some(End::Conflict)),
            Ok(object) => {
                let object = object.expect("a mark removes nothing");
                self.process.entry.written = Some(object.clone());
                self.adopt(pass, object);
                Ok(None)
            }
        }
    }

    fn release(&mut self, pass: &Pass) -> Result<End, Stop> {
        let basis = pass.object.clone();
        match self.kubernetes(|model| model.cluster.set_finalizer(&basis, false))? {
            Err(_) => Ok(End::Conflict),
            Ok(object) => {
                self.process.entry.written = object;
                Ok(End::Rest(if pass.desired.terminating {
                    self.timing.backoff
                } else {
                    Duration::ZERO
                }))
            }
        }
    }
}
