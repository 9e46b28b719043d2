//! The operator's process as the model knows it: what it remembers, and how a pass asks the real plan. Each step here
//! has its like in `controller::pass`, `controller::exchange` and `controller::objects`. The model leaves out other objects,
//! a cache that is behind a copy that was superseded, the look that the answer to a POST is, and the namespace.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cloudflare_sso_operator::account::{
    Caller, Lane, Past, Permission, Rate, Right, Site, Source, Stake, Tokens, Turn,
};
use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{
    ApiToken, Changes, Class, Connector, Creation, Endpoint, Failure, Fingerprint, FingerprintKey,
};
use cloudflare_sso_operator::identity::ConnectorId;
use cloudflare_sso_operator::plan::{
    Act, Activity, Claim, Credentials, Definition, Deletion, Desired, Edition, Guard, Look, Memory,
    Namespace, Observed, PairMemory, Plan, Record, Sighting, Snapshot, Then, Txt, Unusable,
    Verdict, World, plan,
};
use cloudflare_sso_operator::resource::{ManagementPolicy, SsoConnector};
use k8s_openapi::jiff::Timestamp;

use crate::cloudflare::{Cloudflare, Creator, DOMAIN, Item, No};
use crate::cluster::is_terminating;
use crate::model::Model;
use crate::nevers;
use crate::script::{Beat, Flaw, Outcome};

/// As in the shell.
const MOST_ROUNDS: usize = 32;

const RATE: Rate = Rate {
    per_second: 2.0,
    burst: 20.0,
};

/// What dies with the process.
#[derive(Debug)]
pub struct Process {
    pub started: Duration,
    /// Which version of the object the watch has brought.
    pub cache: usize,
    pub pair: PairMemory,
    pub entry: Entry,
    pub alive: HashSet<String>,
    listing: Option<Arc<Snapshot>>,
    tokens: Tokens,
    token: Fingerprint,
}

/// What it remembers of the object of the one name.
#[derive(Debug, Default)]
pub struct Entry {
    pub uid: String,
    pub memory: Memory,
    bound: Option<ConnectorId>,
    written: Option<SsoConnector>,
    token_worked: bool,
    /// The edition that was seen last, and since when.
    seen: Option<(Edition, Moment)>,
}

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

/// For whom a pass makes its calls.
fn caller(pass: &Pass) -> Caller {
    Caller {
        namespace: "team".to_owned(),
        source: Source::Secret {
            namespace: "team".to_owned(),
            name: "token".to_owned(),
        },
        past: match pass.record.connector {
            Some(_) => Past::Bound,
            None => Past::Unbound,
        },
    }
}

impl Process {
    pub fn new(started: Duration, cache: usize) -> Self {
        let token = ApiToken::parse(b"token").unwrap();
        Self {
            started,
            cache,
            pair: PairMemory::default(),
            entry: Entry::default(),
            alive: HashSet::new(),
            listing: None,
            tokens: Tokens::new(RATE),
            token: token.fingerprint(&FingerprintKey::random()),
        }
    }

    /// The object of the entry is gone.
    pub fn forget(&mut self, now: Moment) {
        let entry = std::mem::take(&mut self.entry);
        self.alive.remove(&entry.uid);
        self.pair
            .departed(&entry.uid, entry.bound.as_ref(), &entry.memory, now);
    }

    pub fn is_paused(&self, now: Moment) -> bool {
        self.tokens.paused(now) > 0
    }

    pub fn sweep(&mut self, now: Moment, grace: Duration) {
        if self.alive.is_empty() && self.pair.is_spent(now, grace) {
            self.pair = PairMemory::default();
        }
    }

    fn claim(&mut self, uid: &str, now: Moment) -> Claim {
        let seen = self.entry.seen.as_ref().map_or(now, |(_, since)| *since);
        let is_there = |holder: &str| self.alive.contains(holder);
        self.pair.claim(uid, seen, is_there, now)
    }

    /// The cache may not have our own last write yet. Whether it is the cache's copy that is newest.
    fn newest(&mut self, cached: SsoConnector) -> (SsoConnector, bool) {
        let version = |object: &SsoConnector| -> Option<u64> {
            object.metadata.resource_version.as_ref()?.parse().ok()
        };
        let ahead = self.entry.written.as_ref().filter(|written| {
            written.metadata.uid == cached.metadata.uid && version(written) > version(&cached)
        });
        if let Some(written) = ahead {
            return (written.clone(), false);
        }
        self.entry.written = None;
        (cached, true)
    }
}

/// A pass under way.
#[derive(Debug)]
pub struct Pass {
    pub object: SsoConnector,
    pub desired: Desired,
    pub record: Record,
    observed: Observed,
    admitted: bool,
    has_token: bool,
    /// The call that was asked for last, if it may be refused.
    stake: Option<(Permission, Stake)>,
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

    fn read_credentials(&mut self, pass: &mut Pass) -> Result<(), Stop> {
        let there = self.kubernetes(|model| model.secret)?;
        let kept = pass.desired.terminating && self.process.entry.token_worked;
        if !there && !kept {
            pass.observed.credentials = Credentials::Unusable(Unusable::unavailable(
                "There is no Secret.".to_owned(),
                "Create it.".to_owned(),
            ));
            return Ok(());
        }
        self.judge_token(pass)
            .map_err(|opens| self.not_before(opens))?;
        if let Some(snapshot) = self.process.listing.clone() {
            self.note_listing(pass, snapshot);
        }
        pass.has_token = true;
        Ok(())
    }

    fn judge_token(&self, pass: &mut Pass) -> Result<(), Moment> {
        let (tokens, token) = (&self.process.tokens, self.process.token);
        let (account, caller) = (&pass.desired.account, caller(pass));
        let now = self.moment();
        let judged = tokens.credentials(account, token, &caller, &self.timing, now);
        pass.observed.credentials = judged.clone().unwrap_or_default();
        judged.map(|_| ())
    }

    fn not_before(&self, opens: Moment) -> Stop {
        Stop::NotBefore(opens.min(self.moment() + self.timing.secret_retry))
    }

    fn permission(&self, pass: &Pass, right: Right) -> Permission {
        (pass.desired.account.clone(), self.process.token, right)
    }

    fn withdraw(&self, pass: &mut Pass) {
        if let Some((permission, stake)) = pass.stake.take() {
            self.process.tokens.withdraw(&permission, stake);
        }
    }

    fn list(&mut self, pass: &mut Pass, not_before: Moment) -> Result<(), Stop> {
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

    fn note_listing(&mut self, pass: &mut Pass, snapshot: Arc<Snapshot>) {
        if !self.process.pair.attempts.is_empty() {
            self.process.pair.listed(&snapshot, &pass.desired.domain);
        }
        self.process.entry.memory.listed(&snapshot);
        pass.observed.listing = Some(snapshot);
    }

    fn get(&mut self, pass: &mut Pass, id: ConnectorId) -> Result<(), Stop> {
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

    fn act(&mut self, pass: &mut Pass, act: Act) -> Result<(), Stop> {
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

    fn take_turn(&mut self, pass: &mut Pass, right: Right) -> Result<bool, Stop> {
        let now = self.moment();
        if !pass.has_token {
            return Err(Stop::NotBefore(now));
        }
        self.withdraw(pass);
        let (permission, caller) = (self.permission(pass, right), caller(pass));
        let stake = self
            .process
            .tokens
            .offer(&permission, &caller, &self.timing, now)
            .map_err(|opens| self.not_before(opens))?;
        pass.stake = stake.map(|stake| (permission, stake));
        let (tokens, token) = (&self.process.tokens, self.process.token);
        let turn = if pass.admitted {
            tokens.charge(token, now)
        } else {
            let awaited = pass.desired.is_awaited(pass.object.status.as_ref());
            let has_begun = pass.record.connector.is_some() || pass.desired.terminating;
            let lane = match (awaited, has_begun) {
                (true, true) => Lane::Edited,
                (true, false) => Lane::New,
                (false, _) => Lane::Periodic,
            };
            tokens.admit(token, &pass.desired.uid, lane, now)
        };
        match turn {
            Turn::Now => {
                pass.admitted = true;
                Ok(true)
            }
            Turn::At(due) => Err(Stop::NotBefore(due)),
            Turn::Paused(pause) => {
                pass.observed.credentials = Credentials::Paused(pause);
                Ok(false)
            }
        }
    }

    fn worked(&mut self, pass: &Pass, endpoint: Endpoint) {
        let now = self.moment();
        self.process.entry.memory.succeeded(endpoint);
        let permission = self.permission(
            pass,
            Right::for_endpoint(endpoint, &Site::of(&pass.desired)),
        );
        self.process.tokens.worked(&permission, now);
        self.process.entry.token_worked = true;
    }

    fn note_failure(&mut self, pass: &mut Pass, failure: Failure) {
        let now = self.moment();
        let permission = self.permission(
            pass,
            Right::for_endpoint(failure.endpoint, &Site::of(&pass.desired)),
        );
        let (tokens, caller) = (&self.process.tokens, caller(pass));
        tokens.failed(&permission, &caller, &failure, &self.timing, now);
        self.withdraw(pass);
        if failure.class == Class::Unauthorized {
            self.process.entry.token_worked = false;
        }
        // If it cannot be said, the plan asks.
        let _ = self.judge_token(pass);
        let edition = pass.desired.edition();
        self.process.entry.memory.failed(failure, edition, now);
    }

    /// One call to Cloudflare. `carry_out` is what it does there, half-way through.
    fn call<T>(
        &mut self,
        endpoint: Endpoint,
        carry_out: impl FnOnce(&mut Self) -> Result<T, No>,
    ) -> Result<Result<T, Failure>, Stop> {
        let beat = self.beat()?;
        let half = Duration::from_millis(beat.took / 2);
        self.advance(half);
        let (class, status) = match beat.outcome {
            Outcome::LostBefore => (Class::Unavailable, Some(502)),
            Outcome::Refused => (Class::Rejected, Some(400)),
            Outcome::NotSent => (Class::NotSent, None),
            Outcome::Unauthorized => (Class::Unauthorized, Some(401)),
            Outcome::Limited(_) => (Class::RateLimited, Some(429)),
            Outcome::Works
            | Outcome::Nameless
            | Outcome::LostAfter
            | Outcome::DiesAfter
            | Outcome::DiesBefore => {
                let done = carry_out(self);
                self.advance(half);
                return match (beat.outcome, done) {
                    (Outcome::DiesAfter, _) => Err(Stop::Dies),
                    (Outcome::LostAfter, _) => Ok(Err(failure(endpoint, Class::Unavailable, None))),
                    (_, Ok(done)) => Ok(Ok(done)),
                    (_, Err(No::SuchConnector)) => {
                        Ok(Err(failure(endpoint, Class::Gone, Some(404))))
                    }
                    (_, Err(No::Verification)) => {
                        Ok(Err(failure(endpoint, Class::Rejected, Some(400))))
                    }
                };
            }
        };
        self.advance(half);
        let mut failure = failure(endpoint, class, status);
        if let Outcome::Limited(Some(seconds)) = beat.outcome {
            failure.retry_after = Some(Duration::from_secs(seconds));
        }
        Ok(Err(failure))
    }

    /// One call to the API server.
    fn kubernetes<T>(&mut self, carry_out: impl FnOnce(&mut Self) -> T) -> Result<T, Stop> {
        let beat = self.beat()?;
        self.advance(Duration::from_millis(beat.took));
        match beat.outcome {
            Outcome::LostBefore | Outcome::NotSent => Err(Stop::Kubernetes),
            Outcome::LostAfter => {
                carry_out(self);
                Err(Stop::Kubernetes)
            }
            Outcome::DiesAfter => {
                carry_out(self);
                Err(Stop::Dies)
            }
            _ => Ok(carry_out(self)),
        }
    }

    /// What happens at this contact, before it.
    fn beat(&mut self) -> Result<Beat, Stop> {
        let mut beat = self.beats.pop_front().unwrap_or_default();
        if let Some(event) = beat.event.take() {
            self.happens(event);
        }
        if beat.outcome == Outcome::DiesBefore {
            return Err(Stop::Dies);
        }
        Ok(beat)
    }
}

fn failure(endpoint: Endpoint, class: Class, status: Option<u16>) -> Failure {
    Failure {
        class,
        endpoint,
        status,
        codes: Vec::new(),
        message: format!("Cloudflare did not serve {endpoint} for {DOMAIN}."),
        retry_after: None,
        date: None,
    }
}
