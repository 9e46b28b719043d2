//! The contacts with the API server, and what is written there. Each has its like in `controller::store`.

use std::time::Duration;

use cloudflare_sso_operator::plan::{Guard, Then, Verdict};
use k8s_openapi::jiff::Timestamp;

use crate::cluster::Copy;
use crate::pass::{Contact, End, Next, Outcome, Pass, Seat, Stage};
use crate::universe::Universe;

impl Universe {
    /// One contact with the API server. What came of it, or how the pass ends.
    pub fn kubernetes<T>(
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

    /// Records; the call that may follow is the next contact.
    pub fn settle(
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
                self.entry(seat).memory.rested(verdict);
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
                    let now = self.moment();
                    self.process(seat).pair.lost(lost, now);
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

    pub fn mark(&mut self, contact: Contact<'_>, pass: &mut Pass) -> Option<Next> {
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

    pub fn release(&mut self, contact: Contact<'_>, pass: &Pass) -> Option<Next> {
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
