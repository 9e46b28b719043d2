//! The model: accounts, identity providers, connectors, tokens and DNS truth, and the rules between them.
//!
//! It is pure. Every method that depends on time takes `now`, and nothing here knows HTTP. Before any other method is
//! called for a moment, [`Model::advance`] must have caught up with it: the TXT table has no history, so the polls that
//! lie in the past have to be done before it changes.

mod connector;
mod domain;
mod identifier;
mod rules;
mod token;
mod txt;
mod verification;

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};

pub use connector::{Connector, VerificationStatus};
pub(crate) use identifier::fresh_seed;
pub use rules::{ConnectorChange, ConnectorDraft};
pub(crate) use rules::{CreateRequest, UpdateRequest};
pub(crate) use token::Token;
pub use token::{Permission, TokenOwner, TokenRequest};
pub(crate) use txt::canonical;

use crate::knobs::Knobs;
use connector::Record;
use identifier::Identifiers;
use txt::TxtTable;

/// Whether an operation changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It did.
    Committed,
    /// It only read, or it was refused, or it asked for what already was.
    Unchanged,
}

/// Everything that the simulated Cloudflare stores.
#[derive(Debug)]
pub(crate) struct Model {
    identifiers: Identifiers,
    identity_providers: BTreeMap<String, Vec<Map<String, Value>>>,
    records: Vec<Record>,
    tokens: Vec<Token>,
    txt: TxtTable,
}

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            identifiers: Identifiers::new(seed),
            identity_providers: BTreeMap::new(),
            records: Vec::new(),
            tokens: Vec::new(),
            txt: TxtTable::default(),
        }
    }

    /// Catches up with `now`: polls that are due look at DNS, verifications whose time is up fail. Tells whether
    /// anything changed.
    pub(crate) fn advance(&mut self, now: Timestamp, knobs: &Knobs) -> Effect {
        let pending = |records: &[Record]| records.iter().filter(|it| it.clock.is_some()).count();
        let before = pending(&self.records);
        for record in &mut self.records {
            record.advance(now, knobs, &self.txt);
        }
        if pending(&self.records) == before {
            Effect::Unchanged
        } else {
            Effect::Committed
        }
    }

    /// The next moment at which [`Self::advance`] has something to do.
    pub(crate) fn next_event(&self, knobs: &Knobs) -> Option<Timestamp> {
        self.records
            .iter()
            .filter_map(|record| record.next_event(knobs))
            .min()
    }

    pub(crate) fn add_account(&mut self, account: &str) {
        self.identity_providers
            .entry(account.to_owned())
            .or_default();
    }

    pub(crate) fn accounts(&self) -> Vec<String> {
        self.identity_providers.keys().cloned().collect()
    }

    /// The connectors of an account as they are, oldest first.
    pub(crate) fn connectors(&self, account: &str) -> Vec<Connector> {
        self.live()
            .filter(|connector| connector.account == account)
            .cloned()
            .collect()
    }

    /// A connector as it is, in whatever account.
    pub(crate) fn connector(&self, id: &str) -> Option<&Connector> {
        self.live().find(|connector| connector.id == id)
    }

    fn live(&self) -> impl Iterator<Item = &Connector> {
        self.records.iter().filter_map(Record::latest)
    }

    pub(crate) fn publish_txt(&mut self, domain: &str, value: &str) {
        self.txt.publish(domain, value);
    }

    pub(crate) fn remove_txt(&mut self, domain: &str) {
        self.txt.remove(domain);
    }

    pub(crate) fn txt(&self, domain: &str) -> Vec<String> {
        self.txt.values(domain)
    }

    /// Issues a token and returns its text.
    pub(crate) fn issue_token(&mut self, request: TokenRequest, now: Timestamp) -> String {
        let (id, random) = (self.identifiers.hex(), self.identifiers.hex());
        let (token, text) = Token::issue(request, now, id, &random);
        self.tokens.retain(|other| !other.is(&text));
        self.tokens.push(token);
        text
    }

    pub(crate) fn revoke_tokens(&mut self, label: &str) {
        for token in self.tokens.iter_mut().filter(|token| token.label == label) {
            token.revoke();
        }
    }

    /// The token with this text, working or not.
    pub(crate) fn token(&self, text: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.is(text))
    }
}

#[cfg(test)]
mod tests;
