//! What the design says must be true, as a small world of its own: which connectors stand at Cloudflare, what the objects
//! say, and what the operator must not forget. It is written from the design and shares no code with the operator.
//!
//! The operator may be found anywhere between what people did and its rest, so the oracle does not predict: it keeps every
//! [`State`] in which a faithful operator may be. [`deeds`] says what people's deeds make of a state, [`moves`] what a faithful
//! operator does next, and [`rest`] which states are at rest and whether what is seen is one of them. Where the design leaves
//! a choice there are several moves, and a comment that says so.

mod deeds;
mod moves;
mod rest;
mod tests;

use cloudflare_sso_operator::resource::{
    AdoptionPolicy, DeletionPolicy, ExternalChangePolicy, ManagementPolicy,
};
use k8s_openapi::jiff::Timestamp;

use super::step::Who;
pub(crate) use deeds::Deed;
pub(crate) use rest::{ObjectSight, Sight};

/// More states than any sequence needs; a loop in the oracle would make more.
const MOST_STATES: usize = 20_000;

/// A world, as far as the design speaks of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// The connectors for the domain in the account, oldest first.
    pub(crate) connectors: Vec<Connector>,
    /// The two objects.
    pub(crate) objects: [Option<Object>; 2],
    /// What the two Secrets hold.
    pub(crate) secrets: [Secret; 2],
    /// What the operator has changed at Cloudflare since it last rested, sorted.
    pub(crate) trail: Vec<Change>,
    /// How many connectors the operator has created since it last rested.
    created: u8,
}

/// A connector's name: its ID, or one that is not known yet because the operator has created it just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Id {
    Known(String),
    New(u8),
}

/// A connector.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is known, and no two exclude each other"
)]
pub(crate) struct Connector {
    pub(crate) id: Id,
    pub(crate) enabled: bool,
    pub(crate) wording: bool,
    pub(crate) verification: Verification,
    /// The TXT record that it asks for is published.
    pub(crate) proved: bool,
    /// It was verified once.
    pub(crate) was_verified: bool,
    /// Its verification has failed once.
    pub(crate) has_failed: bool,
    /// The operator has disabled it on the way to deleting it.
    pub(crate) taken_down: bool,
}

/// Where a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    Awaiting,
    Pending,
    Failed,
    Verified,
}

/// What a Secret holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret {
    Good,
    Wrong,
    Absent,
}

/// An object, with what its status remembers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Object {
    /// Its age, and its UID.
    pub(crate) born: (Timestamp, String),
    pub(crate) spec: Spec,
    pub(crate) terminating: bool,
    pub(crate) finalizer: bool,
    pub(crate) bound: Option<Id>,
    /// An attempt to create is recorded.
    pub(crate) intent: bool,
    pub(crate) enforcement: Option<Enforcement>,
    /// The newest value of `enable-at`, and the one that was handled.
    pub(crate) asked: u32,
    pub(crate) handled: u32,
}

/// A spec, absent fields as what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) enabled: Option<bool>,
    pub(crate) wording: Option<bool>,
    pub(crate) begin_verification: bool,
    pub(crate) on_external_change: ExternalChangePolicy,
    pub(crate) adoption: AdoptionPolicy,
    pub(crate) management: ManagementPolicy,
    pub(crate) deletion: DeletionPolicy,
    pub(crate) suspended: bool,
    pub(crate) named: Option<String>,
    /// Whose Secret holds the token.
    pub(crate) token: Who,
}

/// How far a wanted value was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enforcement {
    pub(crate) wanted: Option<bool>,
    pub(crate) stage: Stage,
}

/// The stages of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Armed,
    /// Whether somebody else has changed the connector since.
    Applying {
        disturbed: bool,
    },
    Satisfied,
    Held,
}

/// What the operator changes at Cloudflare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Create,
    Begin,
    Enable,
    Disable,
    Reword(bool),
    Delete,
}

impl Spec {
    /// What a spec means that says nothing, for the object that has its own Secret.
    pub(crate) const fn silent(who: Who) -> Self {
        Self {
            enabled: None,
            wording: None,
            begin_verification: true,
            on_external_change: ExternalChangePolicy::Hold,
            adoption: AdoptionPolicy::Adopt,
            management: ManagementPolicy::Manage,
            deletion: DeletionPolicy::Retain,
            suspended: false,
            named: None,
            token: who,
        }
    }

    /// Whether deleting the object deletes the connector.
    pub(crate) fn deletes(&self) -> bool {
        self.management == ManagementPolicy::Manage && self.deletion == DeletionPolicy::Delete
    }

    /// Whether the operator may change anything for it.
    pub(crate) fn acts(&self) -> bool {
        self.management == ManagementPolicy::Manage && !self.suspended
    }
}

impl Object {
    /// One that was just applied.
    pub(crate) const fn new(born: (Timestamp, String), spec: Spec) -> Self {
        Self {
            born,
            spec,
            terminating: false,
            finalizer: false,
            bound: None,
            intent: false,
            enforcement: None,
            asked: 0,
            handled: 0,
        }
    }

    pub(crate) fn stage(&self) -> Option<Stage> {
        self.enforcement.map(|enforcement| enforcement.stage)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.stage() == Some(Stage::Held)
    }
}

impl State {
    /// An empty account, and two Secrets that work.
    pub(crate) const fn new() -> Self {
        Self {
            connectors: Vec::new(),
            objects: [None, None],
            secrets: [Secret::Good, Secret::Good],
            trail: Vec::new(),
            created: 0,
        }
    }

    pub(crate) const fn object(&self, who: Who) -> Option<&Object> {
        self.objects[who as usize].as_ref()
    }

    /// The objects that are there.
    pub(crate) fn living(&self) -> impl Iterator<Item = (Who, &Object)> {
        Who::ALL
            .into_iter()
            .filter_map(|who| Some((who, self.object(who)?)))
    }

    fn connector(&self, id: &Id) -> Option<&Connector> {
        self.connectors.iter().find(|standing| standing.id == *id)
    }

    /// The connector that the object is bound to, if it stands.
    fn bound(&self, object: &Object) -> Option<&Connector> {
        self.connector(object.bound.as_ref()?)
    }

    const fn secret(&self, object: &Object) -> Secret {
        self.secrets[object.spec.token as usize]
    }

    fn has_token(&self, object: &Object) -> bool {
        self.secret(object) == Secret::Good
    }

    /// The same with the object changed.
    fn with(&self, who: Who, change: impl FnOnce(&mut Object)) -> Self {
        let mut state = self.clone();
        if let Some(object) = &mut state.objects[who as usize] {
            change(object);
        }
        state
    }

    /// The same without the object.
    fn without(&self, who: Who) -> Self {
        let mut state = self.clone();
        state.objects[who as usize] = None;
        state
    }

    /// The same with the connector changed.
    fn changed(&self, id: &Id, change: impl FnOnce(&mut Connector)) -> Self {
        let mut state = self.clone();
        if let Some(connector) = state.connectors.iter_mut().find(|it| it.id == *id) {
            change(connector);
        }
        state
    }

    /// The same after a change that the operator has made.
    fn after(mut self, change: Change) -> Self {
        self.trail.push(change);
        self.trail.sort_unstable();
        self
    }

    /// The same, in which this ID belongs to a connector that stands: to the oldest new one if it is not known yet. None if
    /// there is no such connector.
    fn identified(&self, id: &str) -> Option<Self> {
        let known = Id::Known(id.to_owned());
        if self.connector(&known).is_some() {
            return Some(self.clone());
        }
        let mut standing = self.connectors.iter().map(|connector| &connector.id);
        let new = standing.find(|id| matches!(id, Id::New(_)))?.clone();
        let mut state = self.clone();
        for connector in &mut state.connectors {
            if connector.id == new {
                connector.id = known.clone();
            }
        }
        for object in state.objects.iter_mut().flatten() {
            if object.bound.as_ref() == Some(&new) {
                object.bound = Some(known.clone());
            }
        }
        Some(state)
    }
}

/// All states in which the operator may be found that has begun in one of these.
pub(crate) fn reachable(mut states: Vec<State>) -> Vec<State> {
    let mut next = 0;
    while let Some(state) = states.get(next).cloned() {
        for owner in state.owners() {
            let moves = state.moves(owner);
            for state in moves.must.into_iter().chain(moves.may) {
                if !states.contains(&state) {
                    states.push(state);
                }
            }
        }
        next += 1;
        assert!(
            states.len() < MOST_STATES,
            "the oracle gets lost in {state:?}"
        );
    }
    states
}
