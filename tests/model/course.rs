//! The course of a pass: each step asks the real plan and makes one contact with the API server or with Cloudflare, so that
//! anything may happen between any two of them. Each step here has its like in `controller::pass`. Left out are the limiter
//! and what is remembered of refused tokens, which decide only when a call is made; see `tests/properties`.

use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::plan::{
    Access, Activity, Claim, Credentials, Definition, Look, Plan, Then, World,
};
use cloudflare_sso_operator::resource::ManagementPolicy;

use crate::axis::INSTANT;
use crate::cluster::Copy;
use crate::nevers::Never;
use crate::pass::{Contact, End, Next, Outcome, Pass, Seat, Stage};
use crate::universe::Universe;

/// As in the shell.
const MOST_ROUNDS: usize = 32;

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

    fn look(&mut self, contact: Contact<'_>, pass: &mut Pass, look: Look) -> Option<Next> {
        let Contact { seat, outcome, .. } = contact;
        pass.confirmed = None;
        match look {
            Look::Credentials => self.read_credentials(seat, pass),
            Look::Claim => {
                self.recall_rivals(seat, pass);
                let now = self.moment();
                let process = self.process(seat);
                let present = &process.present;
                let uid = pass.copy.uid();
                let seen = process.seen[seat.name].as_ref();
                let seen = seen.map_or(now, |seen| seen.since);
                let is_there = |holder: &str| present.contains_key(holder);
                pass.claim = process.pair.claim(uid, seen, is_there, now);
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
                    return Some(Next::Ends(End::Conflict));
                };
                self.adopt(seat, pass, current);
                self.note_rivals(seat, pass, &all);
                pass.confirmed = Some(self.confirmation(seat, pass));
                return Some(Next::Contact);
            }
            Look::Publisher | Look::Zone | Look::Records(_) | Look::Txt { .. } => {
                unreachable!("a person publishes the record, and nobody asks DNS")
            }
        }
        Some(Next::Goes)
    }
}
