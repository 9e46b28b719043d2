//! What people's deeds make of a state. A deed is what has truly been done, as the API server and Cloudflare have answered, so a
//! state in which it could not have been done so was none.

use k8s_openapi::jiff::Timestamp;

use super::super::step::Who;
use super::{Connector, Id, Object, Secret, Spec, Stage, State, Verification};

/// What somebody has done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Deed {
    /// An object was created.
    Applied {
        who: Who,
        born: (Timestamp, String),
        spec: Spec,
    },
    /// An object has this spec now.
    Edited {
        who: Who,
        spec: Spec,
    },
    /// `enable-at` has a new value.
    Asked(Who),
    /// An object was deleted, and stays until its finalizer goes.
    Condemned(Who),
    /// An object was deleted, and is gone.
    Gone(Who),
    Token(Who, Secret),
    /// Somebody has changed a connector at Cloudflare.
    Changed {
        id: String,
        enabled: Option<bool>,
        wording: Option<bool>,
        verification: Option<Verification>,
    },
    /// Somebody has deleted one.
    Removed(String),
    /// Somebody has created one.
    Created {
        id: String,
        enabled: bool,
        verification: Verification,
    },
    /// The TXT record that this connector asks for was published.
    Published(String),
    /// All TXT records are gone.
    Withdrawn,
}

impl State {
    /// The state after the deed, if the deed can have been done in it.
    pub(crate) fn done(&self, deed: &Deed) -> Option<Self> {
        match deed {
            Deed::Applied { who, born, spec } => self.object(*who).is_none().then(|| {
                let mut state = self.clone();
                state.objects[*who as usize] = Some(Object::new(born.clone(), spec.clone()));
                state
            }),
            Deed::Edited { who, spec } => self.if_there(*who, |object| {
                object.spec = spec.clone();
            }),
            Deed::Asked(who) => self.if_there(*who, |object| object.asked += 1),
            Deed::Condemned(who) => self
                .object(*who)
                .filter(|object| object.finalizer)
                .map(|_| self.with(*who, |object| object.terminating = true)),
            Deed::Gone(who) => self
                .object(*who)
                .filter(|object| !object.finalizer)
                .map(|_| self.without(*who)),
            Deed::Token(who, secret) => {
                let mut state = self.clone();
                state.secrets[*who as usize] = *secret;
                Some(state)
            }
            Deed::Withdrawn => {
                let mut state = self.clone();
                for connector in &mut state.connectors {
                    connector.proved = false;
                }
                Some(state)
            }
            Deed::Changed { .. } | Deed::Removed(_) | Deed::Created { .. } | Deed::Published(_) => {
                self.done_at_cloudflare(deed)
            }
        }
    }

    fn done_at_cloudflare(&self, deed: &Deed) -> Option<Self> {
        match deed {
            Deed::Changed {
                id,
                enabled,
                wording,
                verification,
            } => self.by_hand(id, |connector| {
                connector.enabled = enabled.unwrap_or(connector.enabled);
                connector.wording = wording.unwrap_or(connector.wording);
                connector.verification = verification.unwrap_or(connector.verification);
                connector.has_failed |= connector.verification == Verification::Failed;
            }),
            Deed::Removed(id) => self.identified(id).map(|mut state| {
                let id = Id::Known(id.clone());
                state.connectors.retain(|connector| connector.id != id);
                state
            }),
            Deed::Created {
                id,
                enabled,
                verification,
            } => {
                let mut state = self.clone();
                state.connectors.push(Connector {
                    enabled: *enabled,
                    verification: *verification,
                    was_verified: *verification == Verification::Verified,
                    ..Connector::new(Id::Known(id.clone()))
                });
                Some(state)
            }
            Deed::Published(id) => self.identified(id).map(|state| {
                state.changed(&Id::Known(id.clone()), |connector| connector.proved = true)
            }),
            _ => None,
        }
    }

    fn if_there(&self, who: Who, change: impl FnOnce(&mut Object)) -> Option<Self> {
        self.object(who).map(|_| self.with(who, change))
    }

    /// Somebody changes a connector that the operator may just be about to change.
    fn by_hand(&self, id: &str, change: impl FnOnce(&mut Connector)) -> Option<Self> {
        let mut state = self.identified(id)?;
        let id = Id::Known(id.to_owned());
        for object in state.objects.iter_mut().flatten() {
            if let Some(enforcement) = &mut object.enforcement
                && let Stage::Applying { disturbed } = &mut enforcement.stage
                && object.bound.as_ref() == Some(&id)
            {
                *disturbed = true;
            }
        }
        Some(state.changed(&id, change))
    }
}

impl Connector {
    /// A disabled one whose verification has not begun.
    pub(crate) const fn new(id: Id) -> Self {
        Self {
            id,
            enabled: false,
            wording: false,
            verification: Verification::Awaiting,
            proved: false,
            was_verified: false,
            has_failed: false,
            taken_down: false,
        }
    }
}
