//! Whether what is seen is a state in which a faithful operator rests, and what its objects then say.

use cloudflare_sso_operator::resource::{AdoptionPolicy, ManagementPolicy};

use super::super::step::Who;
use super::{Change, Connector, Id, Object, Secret, Stage, State, Verification};

/// What is seen of the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sight {
    /// The connectors that stand, oldest first.
    pub(crate) connectors: Vec<Connector>,
    pub(crate) objects: [Option<ObjectSight>; 2],
    /// What the operator has changed since it last rested, sorted.
    pub(crate) changes: Vec<Change>,
}

/// What is seen of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is seen, and no two exclude each other"
)]
pub(crate) struct ObjectSight {
    pub(crate) terminating: bool,
    pub(crate) finalizer: bool,
    pub(crate) bound: Option<String>,
    /// What the status says of the connector.
    pub(crate) enabled: Option<bool>,
    /// Whether every observed generation is the current one.
    pub(crate) current: bool,
    /// Status and reason of `Ready`.
    pub(crate) ready: (String, String),
    pub(crate) reconciling: bool,
    pub(crate) stalled: bool,
    /// Whether the newest `reconcile-at` was handled.
    pub(crate) looked: bool,
}

impl State {
    /// The state as it goes on from here, if it is at rest and what is seen is it.
    pub(crate) fn resting_as(&self, sight: &Sight) -> Option<Self> {
        let state = self.with_ids_of(sight)?;
        let is_it = state.connectors.len() == sight.connectors.len()
            && state.trail == sight.changes
            && state
                .connectors
                .iter()
                .zip(&sight.connectors)
                .all(|(known, seen)| known.looks_like(seen));
        if !is_it {
            return None;
        }
        let owners = state.owners();
        let rests = owners.into_iter().any(|owner| {
            state.moves(owner).must.is_empty()
                && Who::ALL.into_iter().all(|who| {
                    let seen = sight.objects[who as usize].as_ref();
                    match (state.object(who), seen) {
                        (None, None) => true,
                        (Some(object), Some(seen)) => state.shows(who, object, owner, seen),
                        (Some(_), None) | (None, Some(_)) => false,
                    }
                })
        });
        rests.then(|| state.refreshed(sight))
    }

    /// Whether nothing is left to do.
    pub(crate) fn rests(&self) -> bool {
        let owners = self.owners().into_iter();
        owners
            .map(|owner| self.moves(owner))
            .any(|moves| moves.must.is_empty())
    }

    /// Whether these changes lead here, or have not led farther.
    pub(crate) fn allows(&self, changes: &[Change]) -> bool {
        let mut trail = self.trail.iter();
        changes
            .iter()
            .all(|change| trail.by_ref().any(|known| known == change))
    }

    /// Whether the operator looks at Cloudflare again and again: for whoever owns the domain or only observes.
    pub(crate) fn is_polled(&self) -> bool {
        let owners = self.owners();
        self.living().any(|(who, object)| {
            let observes = object.spec.management == ManagementPolicy::Observe;
            self.is_looked_after(object) && (observes || owners == [Some(who)])
        })
    }

    fn is_looked_after(&self, object: &Object) -> bool {
        !object.terminating && !object.spec.suspended && self.has_token(object)
    }

    /// The new connectors get their IDs from what is seen.
    fn with_ids_of(&self, sight: &Sight) -> Option<Self> {
        let unknown = sight.connectors.iter().filter(|seen| {
            let known = self.connectors.iter();
            known.clone().all(|known| known.id != seen.id)
        });
        let mut state = self.clone();
        for seen in unknown {
            let Id::Known(id) = &seen.id else {
                return None;
            };
            state = state.identified(id)?;
        }
        Some(state)
    }

    /// Nothing is under way any more. What the status says of a connector that is gone is as good as what was thought.
    fn refreshed(mut self, sight: &Sight) -> Self {
        self.trail.clear();
        self.created = 0;
        for who in Who::ALL {
            let seen = sight.objects[who as usize].as_ref();
            let bound = seen.and_then(|seen| seen.bound.clone()).map(Id::Known);
            if let Some(object) = &mut self.objects[who as usize] {
                object.bound = bound;
            }
        }
        self
    }

    fn shows(&self, who: Who, object: &Object, owner: Option<Who>, seen: &ObjectSight) -> bool {
        let standing = self.bound(object);
        let bound = match standing {
            Some(connector) => seen.bound.clone().map(Id::Known).as_ref() == Some(&connector.id),
            None => seen.bound.as_ref().is_none_or(|id| {
                let id = Id::Known(id.clone());
                self.connectors.iter().all(|standing| standing.id != id)
            }),
        };
        let acts = self.is_looked_after(object) && owner == Some(who) && object.spec.acts();
        let mirrored =
            !acts || standing.is_none_or(|connector| seen.enabled == Some(connector.enabled));
        let reason = seen.ready.1.as_str();
        let observes = object.spec.management == ManagementPolicy::Observe;
        bound
            && mirrored
            && seen.current
            && seen.terminating == object.terminating
            && seen.finalizer == object.finalizer
            && (seen.looked || !acts)
            && self.reasons(who, object, owner).contains(&reason)
            && seen.ready.0 == readiness(reason)
            && !seen.reconciling
            && seen.stalled == is_dead_end(reason, observes)
    }

    /// The reasons of `Ready` that fit. Where more than one situation is the case, the design does not say which is told.
    fn reasons(&self, who: Who, object: &Object, owner: Option<Who>) -> Vec<&'static str> {
        if object.spec.suspended && !object.terminating {
            return vec!["Suspended"];
        }
        let manages = object.spec.management == ManagementPolicy::Manage;
        let duplicate = manages && owner.is_some_and(|owner| owner != who);
        match self.secret(object) {
            Secret::Absent if duplicate => {
                return vec!["CredentialsUnavailable", "DuplicateDomain"];
            }
            Secret::Wrong if duplicate => return vec!["Unauthorized", "DuplicateDomain"],
            Secret::Absent => return vec!["CredentialsUnavailable"],
            Secret::Wrong => return vec!["Unauthorized"],
            Secret::Good => {}
        }
        match self.bound(object) {
            _ if duplicate => vec!["DuplicateDomain"],
            Some(connector) if manages => kept(object, connector),
            None if manages => self.missing(object),
            standing => self.observed(object, standing),
        }
    }

    /// An object that acts, and has no connector.
    fn missing(&self, object: &Object) -> Vec<&'static str> {
        match self.connectors.as_slice() {
            _ if object.spec.named.is_some() => vec!["ConnectorNotFound"],
            [] => vec!["DeletedExternally"],
            [_] if object.spec.adoption == AdoptionPolicy::Refuse => vec!["AdoptionRefused"],
            [_] => Vec::new(),
            [_, _, ..] => vec!["AmbiguousMatch"],
        }
    }

    fn observed(&self, object: &Object, standing: Option<&Connector>) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if standing.is_none() {
            reasons.push("ConnectorNotFound");
        }
        if self.connectors.len() > 1 {
            reasons.push("AmbiguousMatch");
        }
        if let Some(connector) = standing {
            let spec = &object.spec;
            let as_wanted = |wanted: Option<bool>, is| wanted.is_none_or(|wanted| wanted == is);
            let differs = !as_wanted(spec.enabled, connector.enabled)
                || !as_wanted(spec.wording, connector.wording);
            if differs {
                reasons.push("DriftObserved");
            }
            let unverified = awaited(object, connector);
            if unverified.is_empty() && !differs {
                reasons.push("Available");
            }
            reasons.extend(unverified);
        }
        reasons
    }
}

impl Connector {
    fn looks_like(&self, seen: &Self) -> bool {
        self.id == seen.id
            && self.enabled == seen.enabled
            && self.wording == seen.wording
            && self.verification == seen.verification
    }
}

/// An object that acts, and has its connector.
fn kept(object: &Object, connector: &Connector) -> Vec<&'static str> {
    let mut reasons = awaited(object, connector);
    if object.stage() == Some(Stage::Held) {
        reasons.push("HeldByExternalChange");
    }
    if reasons.is_empty() {
        reasons.push("Available");
    }
    reasons
}

/// What is said of a verification that is waited for.
fn awaited(object: &Object, connector: &Connector) -> Vec<&'static str> {
    let spec = &object.spec;
    let wanted = spec.begin_verification || spec.enabled == Some(true);
    if connector.verification == Verification::Verified || !wanted {
        return Vec::new();
    }
    let mut reasons = vec!["AwaitingVerification"];
    if connector.has_failed {
        reasons.push("VerificationFailed");
    }
    if connector.was_verified {
        reasons.push("VerificationLapsed");
    }
    reasons
}

fn readiness(reason: &str) -> &'static str {
    match reason {
        "Available" => "True",
        "Suspended" => "Unknown",
        _ => "False",
    }
}

/// Whether only a person can help.
fn is_dead_end(reason: &str, observes: bool) -> bool {
    match reason {
        "HeldByExternalChange"
        | "DeletedExternally"
        | "Unauthorized"
        | "CredentialsUnavailable"
        | "ConnectorMismatch"
        | "AmbiguousMatch"
        | "AdoptionRefused"
        | "DuplicateDomain" => true,
        "ConnectorNotFound" => !observes,
        _ => false,
    }
}
