//! A pass over one object, contact by contact: each step asks the real plan and makes one contact with the API server or
//! with Cloudflare, so that anything may happen between any two of them. Each step here has its like in `controller::pass`
//! and `controller::exchange`. Left out are the limiter and what is remembered of refused tokens, which decide only when a
//! call is made; see `tests/properties`.

use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{
    Class, Connector, Creation, Endpoint, Failure, VerificationStatus,
};
use cloudflare_sso_operator::plan::{
    Access, Act, Activity, Claim, Credentials, Definition, Deletion, Guard, Look, Namespace,
    Observed, Plan, Rival, Sighting, Snapshot, Then, Verdict, World,
};
use cloudflare_sso_operator::resource::{ManagementPolicy, Reason};
use k8s_openapi::jiff::Timestamp;

use crate::axis::{Axis, INSTANT, date};
use crate::cloudflare::{Creator, DOMAIN, Item};
use crate::cluster::{Copy, Name};
use crate::nevers::{Confirmation, Never};
use crate::process::Listing;
use crate::scene::{LAG, Rules};
use crate::universe::{Secret, Universe};

/// As in the shell.
const MOST_ROUNDS: usize = 32;

/// How a contact ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Works,
    /// It is a read, and it shows the state of so many changes ago.
    Lags(u8),
    /// No answer, and nothing was done.
    Fails,
    /// The connection is refused.
    Refused,
    /// No answer, but it was done.
    Lost,
}

/// A pass under way.
#[derive(Debug, Clone, Hash)]
pub struct Pass {
    pub copy: Copy,
    rivals: Vec<(Copy, Access)>,
    credentials: Credentials,
    claim: Claim,
    listing: Option<Listing>,
    definition: Definition,
    /// What the API server said of the object and of its heirs, if nothing was looked at since.
    pub confirmed: Option<Confirmation>,
    acted: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Hash)]
enum Stage {
    /// The plan is asked.
    Asking,
    /// What the plan said is stored, and the call is about to be made.
    About(Act),
    /// Cloudflare has done what it does, and the answer is on its way.
    Sent(Act, Result<Option<Connector>, Class>),
}

/// How a pass ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Rest(Duration),
    Conflict,
    Kubernetes,
}

/// What follows from a step.
enum Next {
    Contact,
    Goes,
    Ends(End),
}

/// Whose pass it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat {
    pub process: usize,
    pub name: Name,
}

impl Pass {
    pub fn stage_name(&self) -> String { format!("{:?}", self.stage) }
    /// In which ways, beside working, its next contact may end.
    pub fn troubles(&self) -> &'static [Outcome] {
        match self.stage {
            Stage::Asking => &[Outcome::Fails, Outcome::Lost],
            Stage::About(_) => &[Outcome::Fails, Outcome::Refused],
            Stage::Sent(_, Ok(_)) => &[Outcome::Lost],
            Stage::Sent(_, Err(_)) => &[],
        }
    }

    pub fn copies(&mut self) -> impl Iterator<Item = &mut Copy> {
        let rivals = self.rivals.iter_mut().map(|(copy, _)| copy);
        let confirmed = self.confirmed.iter_mut().map(|seen| &mut seen.copy);
        std::iter::once(&mut self.copy).chain(rivals).chain(confirmed)
    }

    pub fn retime(&mut self, axis: &mut Axis) {
        axis.claim(&mut self.claim);
        self.listing.iter_mut().for_each(|listing| listing.retime(axis));
        let act = match &mut self.stage {
            Stage::Asking => return,
            Stage::About(act) => act,
            Stage::Sent(act, answer) => {
                if let Ok(Some(connector)) = answer {
                    axis.connector(connector);
                }
                act
            }
        };
        match act {
            Act::Create {
                attempt, begin_by, ..
            } => {
                axis.timestamp(attempt);
                axis.moment(begin_by);
            }
            Act::BeginVerification { begun, before, .. } => {
                begun.last.iter_mut().for_each(|at| axis.timestamp(at));
                before.last.iter_mut().for_each(|at| axis.timestamp(at));
            }
            Act::Update { .. } | Act::Delete(_) => {}
        }
    }

    fn observed(&self) -> Observed {
        let rival = |(copy, access): &(Copy, Access)| Rival {
            desired: copy.stored.desired.clone(),
            record: copy.stored.record.clone(),
            access: *access,
            name: None,
        };
        Observed {
            credentials: self.credentials.clone(),
            claim: self.claim,
            listing: self.listing.as_ref().map(|listing| listing.snapshot.clone()),
            rivals: self.rivals.iter().map(rival).collect(),
            namespace: Namespace::Stays,
            definition: self.definition,
            object_confirmed: self.confirmed.is_some(),
        }
    }

    /// The other objects of the pair as they were seen last.
    pub fn rivals(&self) -> impl Iterator<Item = &Copy> {
        self.rivals.iter().map(|(copy, _)| copy)
    }
}

impl Universe {
    pub fn moment(&self) -> Moment {
        Moment::from_start(self.now)
    }

    /// A contact takes a moment.
    fn tick(&mut self) {
        self.now += INSTANT;
    }

    /// One contact of a pass, which begins if there is none. None if that contact cannot end so.
    pub fn step(&mut self, rules: &Rules, seat: Seat, outcome: Outcome) -> Option<()> {
        let mut pass = match self.entry(seat).pass.take() {
            Some(pass) => pass,
            None => match self.begin(seat) {
                Ok(pass) => Box::new(pass),
                Err(end) => {
                    self.ends(seat, end);
                    return (outcome == Outcome::Works).then_some(());
                }
            },
        };
        match self.advance(rules, seat, &mut pass, outcome)? {
            Next::Ends(end) => {
                let access = pass.observed().access();
                let uid = pass.copy.uid().to_owned();
                if let (Some(access), Some(known)) = (access, self.process(seat).present.get_mut(&uid)) {
                    *known = access;
                }
                self.ends(seat, end);
            }
            Next::Contact | Next::Goes => self.entry(seat).pass = Some(pass),
        }
        Some(())
    }

    fn ends(&mut self, seat: Seat, end: End) {
        let second = Duration::from_secs(1);
        let span = match end {
            End::Rest(span) => span,
            End::Conflict | End::Kubernetes => second,
        };
        let due = self.now + Duration::from_secs(span.as_secs() + u64::from(span.subsec_nanos() > 0));
        let entry = self.entry(seat);
        entry.superseded |= matches!(end, End::Conflict);
        entry.due = Some(due);
    }

    /// Starts from the newest copy of the object that the process has.
    fn begin(&mut self, seat: Seat) -> Result<Pass, End> {
        let now = self.moment();
        let process = self.process(seat);
        let Some(cached) = process.cache[seat.name].clone() else {
            process.forget(seat.name, now);
            return Err(End::Rest(Duration::ZERO));
        };
        if process.entries[seat.name].uid != cached.uid() {
            process.forget(seat.name, now);
            process.entries[seat.name].uid = cached.uid().to_owned();
            process.present.insert(cached.uid().to_owned(), Access::Untried);
        }
        let entry = &mut process.entries[seat.name];
        entry.passed = cached.version;
        entry.due = None;
        let ahead = entry.written.clone().filter(|written| {
            written.uid() == cached.uid() && written.version > cached.version
        });
        let copy = match ahead {
            Some(_) if entry.superseded => return Err(End::Conflict),
            Some(written) => written,
            None => {
                entry.written = None;
                entry.superseded = false;
                if cached.stored.record.connector.is_some() {
                    process.pair.bound(cached.uid());
                }
                cached
            }
        };
        let desired = &copy.stored.desired;
        if desired.management != ManagementPolicy::Manage || desired.activity != Activity::Active {
            process.pair.give_back(&desired.uid);
        }
        let mut pass = Pass {
            copy: copy.clone(),
            rivals: Vec::new(),
            credentials: Credentials::Unread,
            claim: Claim::Unasked,
            listing: None,
            definition: Definition::Unread,
            confirmed: None,
            acted: false,
            stage: Stage::Asking,
        };
        self.adopt(seat, &mut pass, copy);
        self.recall_rivals(seat, &mut pass);
        let Pass { copy, .. } = &pass;
        let stored = &copy.stored;
        self.entry(seat).memory.begins(&stored.desired, &stored.record, now);
        Ok(pass)
    }

    fn adopt(&mut self, seat: Seat, pass: &mut Pass, copy: Copy) {
        let now = self.moment();
        let process = self.process(seat);
        let record = &copy.stored.record;
        process.entries[seat.name].bound.clone_from(&record.connector);
        process.pair.recall(record, now);
        pass.copy = copy;
    }

    fn recall_rivals(&mut self, seat: Seat, pass: &mut Pass) {
        let cache = self.process(seat).cache.clone();
        self.note_rivals(seat, pass, &cache);
        let now = self.moment();
        for (rival, _) in &pass.rivals {
            self.process(seat).pair.recall(&rival.stored.record, now);
        }
    }

    fn note_rivals(&mut self, seat: Seat, pass: &mut Pass, all: &[Option<Copy>]) {
        let present = &self.process(seat).present;
        let access = |copy: &Copy| present.get(copy.uid()).copied().unwrap_or_default();
        let others = all.iter().flatten().filter(|other| other.uid() != pass.copy.uid());
        pass.rivals = others.map(|other| (other.clone(), access(other))).collect();
    }

    fn advance(&mut self, rules: &Rules, seat: Seat, pass: &mut Pass, outcome: Outcome) -> Option<Next> {
        match std::mem::replace(&mut pass.stage, Stage::Asking) {
            Stage::About(act) => self.send(rules, seat, pass, act, outcome),
            Stage::Sent(act, answer) => self.answered(rules, seat, pass, act, answer, outcome),
            Stage::Asking => {
                for _ in 0..MOST_ROUNDS {
                    match self.ask(rules, seat, pass, outcome)? {
                        Next::Goes => {}
                        next => return Some(next),
                    }
                }
                self.breaks(Never::GoInCircles);
                Some(Next::Ends(End::Rest(rules.timing.poll_unverified)))
            }
        }
    }

    /// Asks the plan and does what it says, up to one contact.
    fn ask(&mut self, rules: &Rules, seat: Seat, pass: &mut Pass, outcome: Outcome) -> Option<Next> {
        let observed = pass.observed();
        let process = self.processes[seat.process].as_ref().unwrap();
        let memory = &process.entries[seat.name].memory;
        let stored = pass.copy.stored.clone();
        if std::env::var_os("CALM").is_some() { println!("  at {:?}", self.moment()); }
        let next = rules.plan(&World {
            desired: &stored.desired,
            record: &stored.record,
            observed: &observed,
            memory,
            pair: &process.pair,
            now: self.moment(),
            timing: &rules.timing,
        });
        if std::env::var_os("CALM").is_some() { println!("  {next:?}"); }
        match next {
            Plan::Leave => {
                let uid = pass.copy.uid().to_owned();
                self.process(seat).pair.give_back(&uid);
                Some(Next::Ends(End::Rest(rules.timing.poll_unverified)))
            }
            Plan::Mark => self.mark(seat, pass, outcome),
            Plan::Release => self.release(rules, seat, pass, outcome),
            Plan::Look(look) => self.look(rules, seat, pass, look, outcome),
            Plan::Settle {
                then: Then::Act(_), ..
            } if pass.acted => Some(Next::Ends(End::Rest(Duration::ZERO))),
            Plan::Settle {
                verdict,
                guard,
                then,
            } => self.settle(rules, seat, pass, &verdict, guard, then, outcome),
        }
    }

    /// One contact with the API server. What came of it, or how the pass ends.
    fn kubernetes<T>(
        &mut self,
        outcome: Outcome,
        carry_out: impl FnOnce(&mut Self) -> T,
    ) -> Option<Result<T, Next>> {
        self.tick();
        match outcome {
            Outcome::Works => Some(Ok(carry_out(self))),
            Outcome::Fails => Some(Err(Next::Ends(End::Kubernetes))),
            Outcome::Lost => {
                carry_out(self);
                Some(Err(Next::Ends(End::Kubernetes)))
            }
            Outcome::Lags(_) | Outcome::Refused => None,
        }
    }

    fn look(
        &mut self,
        rules: &Rules,
        seat: Seat,
        pass: &mut Pass,
        look: Look,
        outcome: Outcome,
    ) -> Option<Next> {
        pass.confirmed = None;
        match look {
            Look::Credentials => self.read_credentials(seat, pass),
            Look::Claim => {
                self.recall_rivals(seat, pass);
                let now = self.moment();
                let process = self.process(seat);
                let present = &process.present;
                let uid = pass.copy.uid();
                pass.claim = process.pair.claim(uid, |holder| present.contains_key(holder), now);
            }
            Look::Namespace => {}
            Look::Definition => {
                pass.definition = match self.cluster.stands_for(&pass.copy) {
                    true => Definition::Stands,
                    false => Definition::GoesAway,
                };
            }
            Look::Listing { not_before } => return self.list(rules, seat, pass, not_before, outcome),
            Look::Connector(id) => return self.get(rules, seat, pass, id, outcome),
            Look::Object => {
                let found = self.kubernetes(outcome, |universe| universe.cluster.objects.clone())?;
                let all = match found {
                    Ok(all) => all,
                    Err(next) => return Some(next),
                };
                let current = all[seat.name].clone();
                let Some(current) = current.filter(|current| current.uid() == pass.copy.uid()) else {
                    return Some(Next::Ends(End::Rest(rules.timing.backoff)));
                };
                self.adopt(seat, pass, current);
                self.note_rivals(seat, pass, &all);
                pass.confirmed = Some(self.confirmation(seat, pass));
                return Some(Next::Contact);
            }
        }
        Some(Next::Goes)
    }

    fn read_credentials(&mut self, seat: Seat, pass: &mut Pass) {
        let secret = self.secrets[seat.name];
        let kept = pass.copy.stored.desired.terminating && self.entry(seat).token_worked;
        let unusable = |reason| Credentials::Unusable {
            reason,
            problem: "There is no usable token.".to_owned(),
            remedy: None,
        };
        pass.credentials = match secret {
            Secret::Absent if !kept => unusable(Reason::CredentialsUnavailable),
            Secret::Refused => unusable(Reason::Unauthorized),
            Secret::Good | Secret::Absent => {
                if let Some(listing) = self.process(seat).listing.clone() {
                    self.note_listing(seat, pass, listing);
                }
                Credentials::Usable
            }
        };
    }

    fn list(
        &mut self,
        rules: &Rules,
        seat: Seat,
        pass: &mut Pass,
        not_before: Moment,
        outcome: Outcome,
    ) -> Option<Next> {
        let shared = self.process(seat).listing.clone();
        if let Some(listing) = rules.share(shared, not_before, self.moment()) {
            self.entry(seat).memory.succeeded(Endpoint::List);
            self.note_listing(seat, pass, listing);
            return Some(Next::Goes);
        }
        let items = match self.read(seat, outcome)? {
            Ok(items) => items,
            Err(class) => {
                self.note_failure(seat, pass, failure(Endpoint::List, class));
                return Some(Next::Contact);
            }
        };
        let listing = Listing::new(Snapshot {
            begun: self.moment(),
            date: Some(date(self.now)),
            connectors: items.into_iter().map(|item| item.connector).collect(),
            gap: None,
        });
        self.process(seat).listing = Some(listing.clone());
        self.worked(seat, Endpoint::List);
        self.note_listing(seat, pass, listing);
        Some(Next::Contact)
    }

    fn note_listing(&mut self, seat: Seat, pass: &mut Pass, listing: Listing) {
        let process = self.process(seat);
        if !process.pair.attempts.is_empty() {
            let domain = &pass.copy.stored.desired.domain;
            process.pair.listed(&listing.snapshot, domain);
        }
        process.entries[seat.name].memory.listed(&listing.snapshot);
        pass.listing = Some(listing);
    }

    /// What a read at Cloudflare shows.
    fn read(&mut self, seat: Seat, outcome: Outcome) -> Option<Result<Vec<Item>, Class>> {
        self.tick();
        let behind = match outcome {
            _ if seat.process != self.leader => return Some(Err(Class::NotSent)),
            Outcome::Works => 0,
            Outcome::Lags(behind) => behind,
            Outcome::Fails => return Some(Err(Class::Unavailable)),
            Outcome::Refused | Outcome::Lost => return None,
        };
        Some(Ok(self.cloudflare.seen(behind)?.to_vec()))
    }

    fn get(
        &mut self,
        _rules: &Rules,
        seat: Seat,
        pass: &mut Pass,
        id: cloudflare_sso_operator::identity::ConnectorId,
        outcome: Outcome,
    ) -> Option<Next> {
        if let Outcome::Lags(behind) = outcome {
            // Lists may lag for longer than that.
            let (ended, _) = self.cloudflare.past.get(usize::from(behind) - 1)?;
            (*ended + LAG > self.now).then_some(())?;
        }
        let items = match self.read(seat, outcome)? {
            Ok(items) => items,
            Err(class) => {
                self.note_failure(seat, pass, failure(Endpoint::Get, class));
                return Some(Next::Contact);
            }
        };
        let item = items.into_iter().find(|item| item.connector.id == id);
        if let Some(item) = &item {
            self.process(seat).last_look = Some((id.clone(), item.is_verified()));
        }
        let sighting = Sighting {
            id,
            at: self.moment(),
            date: Some(date(self.now)),
            connector: item.map(|item| item.connector),
        };
        self.worked(seat, Endpoint::Get);
        self.entry(seat).memory.saw(sighting);
        Some(Next::Contact)
    }

    /// Records; the call that may follow is the next contact.
    #[allow(clippy::too_many_arguments, reason = "what the plan says, and where")]
    fn settle(
        &mut self,
        rules: &Rules,
        seat: Seat,
        pass: &mut Pass,
        verdict: &Verdict,
        guard: Guard,
        then: Then,
        outcome: Outcome,
    ) -> Option<Next> {
        let acts = matches!(then, Then::Act(_));
        let published = self.publish(rules, seat, pass, verdict, guard, acts, outcome)?;
        if let Next::Ends(_) = published {
            return Some(published);
        }
        match then {
            Then::Act(act) => {
                pass.acted = true;
                pass.stage = Stage::About(act);
                Some(Next::Contact)
            }
            Then::Rest(span) => {
                if verdict.ends_trouble() {
                    self.entry(seat).memory.settled();
                }
                if verdict.gives_way() {
                    let uid = pass.copy.uid().to_owned();
                    self.process(seat).pair.give_back(&uid);
                }
                Some(Next::Ends(End::Rest(span)))
            }
            Then::Continue => Some(published),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what the plan says, and where")]
    fn publish(
        &mut self,
        rules: &Rules,
        seat: Seat,
        pass: &mut Pass,
        verdict: &Verdict,
        guard: Guard,
        acts: bool,
        outcome: Outcome,
    ) -> Option<Next> {
        let before = pass.copy.status();
        let desired = &pass.copy.stored.desired;
        let status = rules.status(verdict.status(&before, desired, Timestamp::UNIX_EPOCH), acts);
        if status == before && !acts {
            return Some(Next::Goes);
        }
        if !self.cluster.stands_for(&pass.copy) {
            return Some(Next::Ends(End::Kubernetes));
        }
        self.writes += 1;
        let basis = pass.copy.clone();
        let written = self.kubernetes(outcome, |universe| {
            let written = universe.cluster.write_status(seat.name, &basis, &status, guard);
            if written.is_ok() {
                universe.check_that_no_id_is_lost(&before, &status);
                universe.check_that_nothing_is_taken(&basis, &status);
            }
            written
        })?;
        match written {
            Err(next) => Some(next),
            Ok(Err(_)) => Some(Next::Ends(End::Conflict)),
            Ok(Ok(copy)) => {
                let lost = &basis.stored.record.connector;
                if let (Some(lost), None) = (lost, &verdict.record.connector) {
                    self.process(seat).pair.lost(lost);
                }
                self.wrote(seat, copy.clone());
                self.adopt(seat, pass, copy);
                Some(Next::Contact)
            }
        }
    }

    fn wrote(&mut self, seat: Seat, copy: Copy) {
        let entry = self.entry(seat);
        entry.written = Some(copy);
        entry.superseded = false;
    }

    fn mark(&mut self, seat: Seat, pass: &mut Pass, outcome: Outcome) -> Option<Next> {
        if !self.cluster.stands_for(&pass.copy) {
            return Some(Next::Ends(End::Kubernetes));
        }
        let basis = pass.copy.clone();
        let marked =
            self.kubernetes(outcome, |universe| universe.cluster.set_finalizer(seat.name, &basis, true))?;
        match marked {
            Err(next) => Some(next),
            Ok(Err(_)) => Some(Next::Ends(End::Conflict)),
            Ok(Ok(copy)) => {
                let copy = copy.expect("a mark removes nothing");
                self.wrote(seat, copy.clone());
                self.adopt(seat, pass, copy);
                Some(Next::Contact)
            }
        }
    }

    fn release(&mut self, rules: &Rules, seat: Seat, pass: &Pass, outcome: Outcome) -> Option<Next> {
        let basis = pass.copy.clone();
        let released = self.kubernetes(outcome, |universe| {
            let before = universe.cluster.clone();
            let released = universe.cluster.set_finalizer(seat.name, &basis, false);
            if released.is_ok() {
                universe.check_that_nothing_is_left_behind(seat, &before);
            }
            released
        })?;
        let rest = match basis.stored.desired.terminating {
            true => rules.timing.backoff,
            false => Duration::ZERO,
        };
        match released {
            Err(next) => Some(next),
            Ok(Err(_)) => Some(Next::Ends(End::Conflict)),
            Ok(Ok(left)) => {
                self.entry(seat).written = left;
                Some(Next::Ends(End::Rest(rest)))
            }
        }
    }

    /// The call reaches Cloudflare, or does not.
    fn send(
        &mut self,
        _rules: &Rules,
        seat: Seat,
        pass: &mut Pass,
        act: Act,
        outcome: Outcome,
    ) -> Option<Next> {
        self.tick();
        let moment = self.moment();
        let mut refused = seat.process != self.leader || outcome == Outcome::Refused;
        let process = self.process(seat);
        let memory = &mut process.entries[seat.name].memory;
        match &act {
            Act::Create {
                attempt, begin_by, ..
            } => {
                refused |= moment >= *begin_by;
                process.pair.attempting(*attempt, moment);
            }
            Act::Update { changes, .. } => memory.updating(*changes, moment),
            Act::Delete(id) => memory.deletion = Some(Deletion::Sent(id.clone())),
            Act::BeginVerification { .. } => {}
        }
        let answer = match outcome {
            Outcome::Lags(_) | Outcome::Lost => return None,
            _ if refused => Err(Class::NotSent),
            Outcome::Fails => Err(Class::Unavailable),
            Outcome::Works | Outcome::Refused => {
                self.check(seat, pass, &act);
                self.carry_out(&act)
            }
        };
        pass.stage = Stage::Sent(act, answer);
        Some(Next::Contact)
    }

    fn carry_out(&mut self, act: &Act) -> Result<Option<Connector>, Class> {
        let now = self.now;
        self.mutations += 1;
        match act {
            Act::Create { creation, .. } => self.creates(creation).map(Some),
            Act::BeginVerification { id, .. } => {
                self.cloudflare.begin_verification(id, now).map(|()| None)
            }
            Act::Update { id, changes } => self.cloudflare.update(id, *changes, now).map(|()| None),
            Act::Delete(id) => self.cloudflare.delete(id, now).map(|()| None),
        }
    }

    fn creates(&mut self, creation: &Creation) -> Result<Connector, Class> {
        let now = self.now;
        let created = self.cloudflare.create(creation, Creator::Operator, now);
        let ours = |item: &&Item| item.creator == Creator::Operator;
        if self.cloudflare.items.iter().filter(ours).count() > 1 {
            self.breaks(Never::CreateTwice);
        }
        created
    }

    /// The answer arrives, or does not.
    fn answered(
        &mut self,
        _rules: &Rules,
        seat: Seat,
        pass: &mut Pass,
        act: Act,
        answer: Result<Option<Connector>, Class>,
        outcome: Outcome,
    ) -> Option<Next> {
        let answer = match outcome {
            Outcome::Works => answer,
            Outcome::Lost if answer.is_ok() => Err(Class::Unavailable),
            Outcome::Lost | Outcome::Lags(_) | Outcome::Fails | Outcome::Refused => return None,
        };
        self.tick();
        let now = self.moment();
        let moment_date = date(self.now);
        let process = self.process(seat);
        let memory = &mut process.entries[seat.name].memory;
        let (endpoint, result) = match act {
            Act::Create { attempt, .. } => {
                let result = answer.map_err(|class| failure(Endpoint::Create, class));
                let result = match result {
                    Ok(connector) => {
                        let connector = connector.expect("a creation is answered with a connector");
                        let id = connector.id.clone();
                        let verification = connector.verification.as_ref();
                        let status = verification.and_then(|found| found.status.as_ref());
                        let verified = status == Some(&VerificationStatus::Verified);
                        process.last_look = Some((id.clone(), verified));
                        let pair = &mut process.pair;
                        pair.created(id.clone(), Some(connector.clone()), now);
                        memory.acted_at = Some(now);
                        memory.saw(Sighting {
                            id,
                            at: now,
                            date: Some(moment_date),
                            connector: Some(connector),
                        });
                        Ok(())
                    }
                    Err(failure) => {
                        if failure.is_definite() {
                            process.pair.void(attempt);
                        }
                        Err(failure)
                    }
                };
                (Endpoint::Create, result)
            }
            Act::BeginVerification { begun, before, .. } => {
                let endpoint = Endpoint::BeginVerification;
                let result = answer.map_err(|class| failure(endpoint, class));
                let refused = result.as_ref().is_err_and(Failure::is_definite);
                memory.refused_begin = refused.then_some((begun, before));
                (endpoint, result.map(|_| ()))
            }
            Act::Update { id, .. } => {
                let result = answer.map_err(|class| failure(Endpoint::Update, class));
                match &result {
                    Ok(_) if pass.copy.stored.desired.terminating => process.pair.disabled(id, now),
                    Ok(_) => {}
                    Err(failure) => memory.update_failed(failure),
                }
                (Endpoint::Update, result.map(|_| ()))
            }
            Act::Delete(id) => {
                let result = answer.map_err(|class| failure(Endpoint::Delete, class));
                if result.is_ok() {
                    memory.deletion = Some(Deletion::Confirmed(id.clone()));
                    process.pair.deleted(id, now);
                }
                (Endpoint::Delete, result.map(|_| ()))
            }
        };
        self.entry(seat).memory.acted_at = Some(now);
        match result {
            Ok(()) => self.worked(seat, endpoint),
            Err(failure) => self.note_failure(seat, pass, failure),
        }
        // What follows from the answer needs no contact of its own.
        Some(Next::Contact)
    }

    fn worked(&mut self, seat: Seat, endpoint: Endpoint) {
        let entry = self.entry(seat);
        entry.memory.succeeded(endpoint);
        entry.token_worked = true;
    }

    fn note_failure(&mut self, seat: Seat, pass: &Pass, failure: Failure) {
        let now = self.moment();
        let edition = pass.copy.stored.desired.edition();
        let memory = &mut self.entry(seat).memory;
        memory.failed(failure, edition, now);
        // Beyond this many, one more changes nothing but the jitter.
        if let Some(trouble) = &mut memory.trouble {
            trouble.failures = trouble.failures.min(4);
        }
    }
}

fn failure(endpoint: Endpoint, class: Class) -> Failure {
    let status = match class {
        Class::Gone => Some(404),
        Class::Rejected => Some(400),
        _ => None,
    };
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
