//! The model: accounts, identity providers, connectors, tokens and DNS truth, and the rules between them.
//!
//! It is pure. Every method that depends on time takes `now`, and nothing here knows HTTP. Before any other method is
//! called for a moment, `Model::advance` must have caught up with it: the polls that lie in the past look at DNS as it is,
//! so they have to be done before it changes.

mod connector;
pub(crate) mod dns;
mod domain;
mod history;
mod identifier;
mod rules;
mod token;
mod verification;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};

pub use connector::{Connector, VerificationStatus};
pub(crate) use dns::canonical;
pub use dns::{DnsRecord, RecordChange, RecordDraft, RecordType, Zone, ZoneStatus, ZoneType};
pub(crate) use identifier::fresh_seed;
pub use rules::{ConnectorChange, ConnectorDraft};
pub(crate) use rules::{CreateRequest, UpdateRequest};
pub(crate) use token::Token;
pub use token::{Permission, TokenOwner, TokenRequest};

use connector::StoredConnector;
use dns::Dns;
use identifier::Identifiers;

/// Whether an operation changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It did.
    Committed,
    /// It only read, or it was refused, or it asked for what already was.
    Unchanged,
}

/// Where verification looks for the TXT record of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsTruth {
    /// In the simulator's own active zones, and in what was published by hand for domains elsewhere.
    #[default]
    OwnZones,
    /// At the name server with this address, over UDP and TCP; what the simulator has itself does not count.
    NameServer(SocketAddr),
}

/// Everything that the simulated Cloudflare stores.
#[derive(Debug)]
pub(crate) struct Model {
    identifiers: Identifiers,
    identity_providers: BTreeMap<String, Vec<Map<String, Value>>>,
    connectors: Vec<StoredConnector>,
    tokens: Vec<Token>,
    truth: DnsTruth,
    /// Zones, their records, and TXT values elsewhere.
    pub(crate) dns: Dns,
}

impl Model {
    pub(crate) fn new(seed: u64, truth: DnsTruth) -> Self {
        Self {
            identifiers: Identifiers::new(seed),
            identity_providers: BTreeMap::new(),
            connectors: Vec::new(),
            tokens: Vec::new(),
            truth,
            // IDs of zones and records are drawn apart from the others, so the two never meet.
            dns: Dns::new(!seed),
        }
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
        self.connectors.iter().filter_map(StoredConnector::latest)
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
