//! The contacts with Cloudflare, and what is remembered of each. Every step has its like in `controller::exchange`.

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{Class, Connector, Creation, Endpoint, Failure};
use cloudflare_sso_operator::identity::ConnectorId;
use cloudflare_sso_operator::plan::{Act, Credentials, Deletion, Sighting, Snapshot, Unusable};
use cloudflare_sso_operator::resource::Reason;

use crate::axis::date;
use crate::cloudflare::{Creator, DOMAIN, Item};
use crate::events::Secret;
use crate::nevers::Never;
use crate::pass::{Contact, Next, Outcome, Pass, Seat, Stage};
use crate::process::Listing;
use crate::scene::LAG;
use crate::universe::Universe;

impl Universe {
    pub fn read_credentials(&mut self, seat: Seat, pass: &mut Pass) {
        let secret = self.secrets[seat.name];
        let kept = pass.copy.stored.desired.terminating && self.entry(seat).token_worked;
        let unusable = |reason| {
            Credentials::Unusable(Unusable {
                reason,
                problem: "There is no usable token.".to_owned(),
                remedy: None,
            })
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

    pub fn list(
        &mut self,
        contact: Contact<'_>,
        pass: &mut Pass,
        not_before: Moment,
    ) -> Option<Next> {
        let Contact {
            rules,
            seat,
            outcome,
        } = contact;
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

    pub fn get(&mut self, contact: Contact<'_>, pass: &mut Pass, id: ConnectorId) -> Option<Next> {
        let Contact { seat, outcome, .. } = contact;
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

    /// The call reaches Cloudflare, or does not.
    pub fn send(&mut self, contact: Contact<'_>, pass: &mut Pass, act: Act) -> Option<Next> {
        let Contact { seat, outcome, .. } = contact;
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
            Act::Publish { .. } | Act::Unpublish { .. } => {
                unreachable!("a person publishes the record")
            }
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
            Act::Publish { .. } | Act::Unpublish { .. } => Err(Class::NotSent),
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
    pub fn answered(
        &mut self,
        contact: Contact<'_>,
        pass: &mut Pass,
        act: Act,
        answer: Result<Option<Connector>, Class>,
    ) -> Option<Next> {
        let Contact { seat, outcome, .. } = contact;
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
        let mut shown = None;
        let (endpoint, result) = match act {
            Act::Create { attempt, .. } => {
                let result = answer.map_err(|class| failure(Endpoint::Create, class));
                let result = match result {
                    Ok(connector) => {
                        let connector = connector.expect("a creation is answered with a connector");
                        let id = connector.id.clone();
                        let pair = &mut process.pair;
                        pair.created(id.clone(), Some(connector.clone()), now);
                        shown = Some(Sighting {
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
            Act::Publish { .. } | Act::Unpublish { .. } => return None,
        };
        let memory = &mut self.entry(seat).memory;
        memory.acted_at = Some(now);
        memory.answered(shown);
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
