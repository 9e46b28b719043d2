//! A pass over one object, contact by contact: each step asks the real plan and makes one contact with the API server or
//! with Cloudflare, so that anything may happen between any two of them. Each step here has its like in `controller::pass`
//! and `controller::exchange`. Left out are the limiter and what is remembered of refused tokens, which decide only when a
//! call is made; see `tests/properties`.

use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{Class, Connector};
use cloudflare_sso_operator::plan::{
    Access, Act, Activity, Claim, Credentials, Definition, Guard, Look, Namespace, Observed, Plan,
    Rival, Then, Verdict, World,
};
use cloudflare_sso_operator::resource::ManagementPolicy;
use k8s_openapi::jiff::Timestamp;

use crate::axis::{Axis, INSTANT};
use crate::cluster::{Copy, Name};
use crate::nevers::{Confirmation, Never};
use crate::process::Listing;
use crate::scene::Rules;
use crate::universe::Universe;

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
    pub rivals: Vec<(Copy, Access)>,
    pub credentials: Credentials,
    pub claim: Claim,
    pub listing: Option<Listing>,
    pub definition: Definition,
    /// What the API server said of the object and of its heirs, if nothing was looked at since.
    pub confirmed: Option<Confirmation>,
    pub acted: bool,
    pub stage: Stage,
}

#[derive(Debug, Clone, Hash)]
pub enum Stage {
    /// The plan is asked.
    Asking,
    /// What the plan said is stored, and the call is about to be made.
    About(Act),
    /// Cloudflare has done what it does, and the answer is on its way.
    Sent(Act, Result<Option<Connector>, Class>),
}

/// How a pass ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Rest(Duration),
    Conflict,
    Kubernetes,
}

/// What follows from a step.
pub enum Next {
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

/// One contact that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Contact<'r> {
    pub rules: &'r Rules,
    pub seat: Seat,
    pub outcome: Outcome,
}

impl Pass {
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
        std::iter::once(&mut self.copy)
            .chain(rivals)
            .chain(confirmed)
    }

    pub fn retime(&mut self, axis: &mut Axis) {
        axis.claim(&mut self.claim);
        self.listing
            .iter_mut()
            .for_each(|listing| listing.retime(axis));
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
                axis.begun(begun);
                axis.begun(before);
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
            listing: self
                .listing
                .as_ref()
                .map(|listing| listing.snapshot.clone()),
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
    pub fn tick(&mut self) {
        self.now += INSTANT;
    }

    /// One contact of a pass, which begins if there is none. None if that contact cannot end so.
    pub fn step(&mut self, contact: Contact<'_>) -> Option<()> {
        let Contact { seat, outcome, .. } = contact;
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
        match self.advance(contact, &mut pass)? {
            Next::Ends(end) => {
                let access = pass.observed().access();
                let uid = pass.copy.uid().to_owned();
                if let (Some(access), Some(known)) =
                    (access, self.process(seat).present.get_mut(&uid))
                {
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
        let due =
            self.now + Duration::from_secs(span.as_secs() + u64::from(span.subsec_nanos() > 0));
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
            let uid = &mut process.entries[seat.name].uid;
            cached.uid().clone_into(uid);
            process
                .present
                .insert(cached.uid().to_owned(), Access::Untried);
        }
        let entry = &mut process.entries[seat.name];
        entry.passed = cached.version;
        entry.due = None;
        let ahead = entry
            .written
            .clone()
            .filter(|written| written.uid() == cached.uid() && written.version > cached.version);
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
        self.entry(seat)
            .memory
            .begins(&stored.desired, &stored.record, now);
        Ok(pass)
    }

    pub fn adopt(&mut self, seat: Seat, pass: &mut Pass, copy: Copy) {
        let now = self.moment();
        let process = self.process(seat);
        let record = &copy.stored.record;
        process.entries[seat.name]
            .bound
            .clone_from(&record.connector);
        process.pair.recall(record, now);
        pass.copy = copy;
    }

    pub fn recall_rivals(&mut self, seat: Seat, pass: &mut Pass) {
        let cache = self.process(seat).cache.clone();
        self.note_rivals(seat, pass, &cache);
        let now = self.moment();
        for (rival, _) in &pass.rivals {
            self.process(seat).pair.recall(&rival.stored.record, now);
        }
    }

    pub fn note_rivals(&mut self, seat: Seat, pass: &mut Pass, all: &[Option<Copy>]) {
        let present = &self.process(seat).present;
        let access = |copy: &Copy| present.get(copy.uid()).copied().unwrap_or_default();
        let others = all
            .iter()
            .flatten()
            .filter(|other| other.uid() != pass.copy.uid());
        pass.rivals = others.map(|other| (other.clone(), access(other))).collect();
    }

    fn advance(&mut self, contact: Contact<'_>, pass: &mut Pass) -> Option<Next> {
        match std::mem::replace(&mut pass.stage, Stage::Asking) {
            Stage::About(act) => self.send(contact, pass, act),
            Stage::Sent(act, answer) => self.answered(contact, pass, act, answer),
            Stage::Asking => {
                for _ in 0..MOST_ROUNDS {
                    match self.ask(contact, pass)? {
                        Next::Goes => {}
                        next => return Some(next),
                    }
                }
                self.breaks(Never::GoInCircles);
                Some(Next::Ends(End::Rest(contact.rules.timing.poll_unverified)))
            }
        }
    }

    /// Asks the plan and does what it says, up to one contact.
    fn ask(&mut self, contact: Contact<'_>, pass: &mut Pass) -> Option<Next> {
        let Contact { rules, seat, .. } = contact;
        let observed = pass.observed();
        let process = self.processes[seat.process].as_ref().unwrap();
        let memory = &process.entries[seat.name].memory;
        let stored = pass.copy.stored.clone();
        let next = rules.plan(&World {
            desired: &stored.desired,
            record: &stored.record,
            observed: &observed,
            memory,
            pair: &process.pair,
            now: self.moment(),
            timing: &rules.timing,
        });
        match next {
            Plan::Leave => {
                let uid = pass.copy.uid().to_owned();
                self.process(seat).pair.give_back(&uid);
                Some(Next::Ends(End::Rest(rules.timing.poll_unverified)))
            }
            Plan::Mark => self.mark(contact, pass),
            Plan::Release => self.release(contact, pass),
            Plan::Look(look) => self.look(contact, pass, look),
            Plan::Settle {
                then: Then::Act(_), ..
            } if pass.acted => Some(Next::Ends(End::Rest(Duration::ZERO))),
            Plan::Settle {
                verdict,
                guard,
                then,
            } => self.settle(contact, pass, &verdict, guard, then),
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

    fn look(&mut self, contact: Contact<'_>, pass: &mut Pass, look: Look) -> Option<Next> {
        let Contact {
            rules,
            seat,
            outcome,
        } = contact;
        pass.confirmed = None;
        match look {
            Look::Credentials => self.read_credentials(seat, pass),
            Look::Claim => {
                self.recall_rivals(seat, pass);
                let now = self.moment();
                let process = self.process(seat);
                let present = &process.present;
                let uid = pass.copy.uid();
                pass.claim = process
                    .pair
                    .claim(uid, |holder| present.contains_key(holder), now);
            }
            Look::Namespace => {}
            Look::Definition => {
                pass.definition = if self.cluster.stands_for(&pass.copy) {
                    Definition::Stands
                } else {
                    Definition::GoesAway
                };
            }
            Look::Listing { not_before } => return self.list(contact, pass, not_before),
            Look::Connector(id) => return self.get(contact, pass, id),
            Look::Object => {
                let found =
                    self.kubernetes(outcome, |universe| universe.cluster.objects.clone())?;
                let all = match found {
                    Ok(all) => all,
                    Err(next) => return Some(next),
                };
                let current = all[seat.name].clone();
                let Some(current) = current.filter(|current| current.uid() == pass.copy.uid())
                else {
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

    /// Records; the call that may follow is the next contact.
    fn settle(
        &mut self,
        contact: Contact<'_>,
        pass: &mut Pass,
        verdict: &Verdict,
        guard: Guard,
        then: Then,
    ) -> Option<Next> {
        let seat = contact.seat;
        let acts = matches!(then, Then::Act(_));
        let published = self.publish(contact, pass, verdict, guard, acts)?;
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

    fn publish(
        &mut self,
        contact: Contact<'_>,
        pass: &mut Pass,
        verdict: &Verdict,
        guard: Guard,
        acts: bool,
    ) -> Option<Next> {
        let Contact {
            rules,
            seat,
            outcome,
        } = contact;
        let before = pass.copy.status();
        let desired = &pass.copy.stored.desired;
        let status = rules.status(
            verdict.status(&before, desired, Timestamp::UNIX_EPOCH),
            acts,
        );
        if status == before && !acts {
            return Some(Next::Goes);
        }
        if !self.cluster.stands_for(&pass.copy) {
            return Some(Next::Ends(End::Kubernetes));
        }
        self.writes += 1;
        let basis = pass.copy.clone();
        let written = self.kubernetes(outcome, |universe| {
            let written = universe
                .cluster
                .write_status(seat.name, &basis, &status, guard);
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

    fn mark(&mut self, contact: Contact<'_>, pass: &mut Pass) -> Option<Next> {
        let Contact { seat, outcome, .. } = contact;
        if !self.cluster.stands_for(&pass.copy) {
            return Some(Next::Ends(End::Kubernetes));
        }
        let basis = pass.copy.clone();
        let marked = self.kubernetes(outcome, |universe| {
            universe.cluster.set_finalizer(seat.name, &basis, true)
        })?;
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

    fn release(&mut self, contact: Contact<'_>, pass: &Pass) -> Option<Next> {
        let Contact {
            rules,
            seat,
            outcome,
        } = contact;
        let basis = pass.copy.clone();
        let released = self.kubernetes(outcome, |universe| {
            let before = universe.cluster.clone();
            let released = universe.cluster.set_finalizer(seat.name, &basis, false);
            if released.is_ok() {
                universe.check_that_nothing_is_left_behind(seat, &before);
            }
            released
        })?;
        let rest = if basis.stored.desired.terminating {
            rules.timing.backoff
        } else {
            Duration::ZERO
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
}
