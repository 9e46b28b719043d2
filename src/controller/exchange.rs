//! Calls Cloudflare, each in its token's turn, and takes note of what came back.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use tracing::{debug, warn};

use super::pass::{Interrupt, Pass};
use crate::account::{Right, Site};
use crate::clock::Moment;
use crate::cloudflare::{
    Answer, ApiToken, Changes, Class, Connector, Created, Creation, Endpoint, Failure,
};
use crate::identity::ConnectorId;
use crate::plan::{Act, Deletion, Sighting, Snapshot, Trouble};

impl Pass<'_> {
    /// Lists the account, or shares a list that is new enough.
    pub(super) async fn list(&mut self, not_before: Moment) -> Result<(), Interrupt> {
        let context = self.context;
        let (token, fingerprint) = self.token()?;
        let account = self.desired.account.clone();
        if let Some(snapshot) = context.listings.newest(&account, fingerprint)
            && snapshot.begun >= not_before
        {
            self.entry.memory.succeeded(Endpoint::List);
            self.note_listing(snapshot);
            return Ok(());
        }
        if !self.take_turn(Right::Read)? {
            return Ok(());
        }
        let started = context.clock.now();
        let list = || context.cloudflare.list_connectors(&token, &account);
        let listings = &context.listings;
        let (outcome, ours) = listings
            .take(&account, fingerprint, not_before, &context.clock, list)
            .await;
        if ours {
            self.count(Endpoint::List, outcome.as_ref().err(), started);
        }
        match outcome {
            Ok(snapshot) => {
                self.worked(Endpoint::List);
                self.observed.credentials = self.judge_token(fingerprint).unwrap_or_default();
                self.note_listing(snapshot);
            }
            Err(failure) => self.note_failure(failure),
        }
        Ok(())
    }

    pub(super) fn note_listing(&mut self, snapshot: Arc<Snapshot>) {
        let domain = &self.desired.domain;
        let pair = self.context.objects.pair(&self.pair);
        if !pair.attempts.is_empty() {
            self.context
                .objects
                .with_pair(&self.pair, |pair| pair.listed(&snapshot, domain));
        }
        self.entry.memory.listed(&snapshot);
        self.observed.listing = Some(snapshot);
    }

    /// Looks at one connector by its ID.
    pub(super) async fn get(&mut self, id: ConnectorId) -> Result<(), Interrupt> {
        if !self.take_turn(Right::Read)? {
            return Ok(());
        }
        let (token, _) = self.token()?;
        let at = self.context.clock.now();
        let result = self
            .context
            .cloudflare
            .get_connector(&token, &self.desired.account, &id)
            .await;
        self.count(Endpoint::Get, result.as_ref().err(), at);
        let sighting = match result {
            Ok(Answer { value, date }) => Sighting {
                id,
                at,
                date,
                connector: Some(value),
            },
            Err(failure) if failure.class == Class::Gone => Sighting {
                id,
                at,
                date: failure.date,
                connector: None,
            },
            Err(failure) => {
                self.note_failure(failure);
                return Ok(());
            }
        };
        self.worked(Endpoint::Get);
        self.entry.memory.saw(sighting);
        Ok(())
    }

    /// Makes the one call that changes something.
    pub(super) async fn act(&mut self, act: Act) {
        match act {
            Act::Publish { zone, record } => self.create_record(zone, record).await,
            Act::Unpublish { zone, record } => self.delete_record(zone, record).await,
            Act::Create { .. }
            | Act::BeginVerification { .. }
            | Act::Update { .. }
            | Act::Delete(_) => self.change_connector(act).await,
        }
    }

    async fn change_connector(&mut self, act: Act) {
        let Ok((token, _)) = self.token() else { return };
        let started = self.context.clock.now();
        let account = self.desired.account.clone();
        let cloudflare = &self.context.cloudflare;
        let mut sighting = None;
        let (endpoint, result) = match act {
            Act::Create {
                creation,
                attempt,
                begin_by,
            } => {
                let result = self.create(&token, &creation, attempt, begin_by).await;
                (
                    Endpoint::Create,
                    result.map(|created| sighting = Some(created)),
                )
            }
            Act::BeginVerification { id, begun, before } => {
                let result = cloudflare.begin_verification(&token, &account, &id).await;
                let refused = result.as_ref().is_err_and(Failure::is_definite);
                self.entry.memory.refused_begin = refused.then_some((begun, before));
                if !refused {
                    self.entry.memory.begun_with = Some(self.observed.txt.clone());
                }
                (Endpoint::BeginVerification, result.map(|_| ()))
            }
            Act::Update { id, changes } => {
                (Endpoint::Update, self.update(&token, &id, &changes).await)
            }
            Act::Delete(id) => {
                self.entry.memory.deletion = Some(Deletion::Sent(id.clone()));
                let result = cloudflare.delete_connector(&token, &account, &id).await;
                if result.is_ok() {
                    self.entry.memory.deletion = Some(Deletion::Confirmed(id.clone()));
                    let now = self.context.clock.now();
                    self.context
                        .objects
                        .with_pair(&self.pair, |pair| pair.deleted(id, now));
                }
                (Endpoint::Delete, result.map(|_| ()))
            }
            Act::Publish { .. } | Act::Unpublish { .. } => return,
        };
        self.count(endpoint, result.as_ref().err(), started);
        let acted = self.context.clock.now();
        self.entry.memory.acted_at = Some(acted);
        let answer = sighting.filter(shows_verification);
        self.entry
            .memory
            .answered(answer.map(|seen| Sighting { at: acted, ..seen }));
        match result {
            Ok(()) => self.worked(endpoint),
            Err(failure) => self.note_failure(failure),
        }
    }

    async fn create(
        &mut self,
        token: &ApiToken,
        creation: &Creation,
        attempt: Timestamp,
        begin_by: Moment,
    ) -> Result<Sighting, Failure> {
        let context = self.context;
        let objects = &context.objects;
        objects.with_pair(&self.pair, |pair| {
            pair.attempting(attempt, context.clock.now());
        });
        let begin_by = context.clock.instant(begin_by);
        let account = &self.desired.account;
        let answer = context
            .cloudflare
            .create_connector(token, account, creation, begin_by)
            .await;
        match answer {
            Ok(Answer {
                value: Created {
                    connector: Some(connector),
                },
                date,
            }) if self.desired.domain.is_named(&connector.email_domain) => {
                let id = connector.id.clone();
                let now = context.clock.now();
                let created = Some(connector.clone());
                objects.with_pair(&self.pair, |pair| pair.created(id.clone(), created, now));
                Ok(Sighting {
                    id,
                    at: now,
                    date,
                    connector: Some(connector),
                })
            }
            Ok(Answer {
                value: Created { connector },
                ..
            }) => Err(unclear(connector.as_ref())),
            Err(failure) => {
                if failure.is_definite() {
                    objects.with_pair(&self.pair, |pair| pair.void(attempt));
                }
                Err(failure)
            }
        }
    }

    async fn update(
        &mut self,
        token: &ApiToken,
        id: &ConnectorId,
        changes: &Changes,
    ) -> Result<(), Failure> {
        let now = self.context.clock.now();
        self.entry.memory.updating(*changes, now);
        let account = &self.desired.account;
        let result = self
            .context
            .cloudflare
            .update_connector(token, account, id, changes)
            .await;
        match &result {
            Ok(_) if self.desired.terminating => self
                .context
                .objects
                .with_pair(&self.pair, |pair| pair.disabled(id.clone(), now)),
            Ok(_) => {}
            Err(failure) => self.entry.memory.update_failed(failure),
        }
        // The answer may show the state before the change; only a look by ID counts.
        result.map(|_| ())
    }

    fn worked(&mut self, endpoint: Endpoint) {
        self.entry.memory.succeeded(endpoint);
        if let Some(bearer) = &self.bearer {
            let right = Right::for_endpoint(endpoint, &Site::of(&self.desired));
            bearer.worked(self.context, right);
            let found = self.desired.api_token.clone();
            self.entry.token = found.map(|found| (found, bearer.token.clone()));
        }
    }

    /// Takes note of a call that has failed.
    pub(super) fn note_failure(&mut self, failure: Failure) {
        let Some(mut bearer) = self.bearer.take() else {
            return;
        };
        self.log_failure(&failure, self.entry.memory.trouble.as_deref());
        let right = Right::for_endpoint(failure.endpoint, &Site::of(&self.desired));
        bearer.failed(self.context, right, &failure);
        let fingerprint = bearer.fingerprint;
        self.bearer = Some(bearer);
        // If it cannot be said, the plan asks.
        self.observed.credentials = self.judge_token(fingerprint).unwrap_or_default();
        if failure.class == Class::Unauthorized {
            self.entry.token = None;
        }
        self.note_refusal(&failure, fingerprint);
        let now = self.context.clock.now();
        self.entry
            .memory
            .failed(failure, self.desired.edition(), now);
    }

    /// Of a run of failures by which nothing can be looked at, the first says enough.
    pub(super) fn log_failure(&self, failure: &Failure, before: Option<&Trouble>) {
        let namespace = self.object.namespace().unwrap_or_default();
        let name = self.object.name_any();
        let endpoint = failure.endpoint;
        match Right::for_endpoint(endpoint, &Site::of(&self.desired)) {
            Right::Read | Right::Publish(_) if before.is_some() => {
                debug!(namespace, name, %endpoint, cause = %failure, "the call failed again");
            }
            Right::Read | Right::Change | Right::Publish(_) => {
                warn!(namespace, name, %endpoint, cause = %failure, "the call failed");
            }
        }
    }

    pub(super) fn count(&self, endpoint: Endpoint, failure: Option<&Failure>, started: Moment) {
        let took = self.context.clock.now().since(started);
        self.context.metrics.called(endpoint, failure, took);
    }
}

/// Whether an answer to a POST says enough.
fn shows_verification(sighting: &Sighting) -> bool {
    sighting
        .connector
        .as_ref()
        .is_some_and(|connector| connector.verification.is_some())
}

/// Cloudflare accepted a creation without naming a connector for the domain: there may be one.
fn unclear(connector: Option<&Connector>) -> Failure {
    let what = if connector.is_some() {
        "for another domain"
    } else {
        "without an ID"
    };
    Failure {
        class: Class::Unavailable,
        endpoint: Endpoint::Create,
        status: Some(200),
        codes: Vec::new(),
        message: format!("Cloudflare answered the creation with a connector {what}."),
        retry_after: None,
        date: None,
    }
}
