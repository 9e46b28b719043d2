//! Decides what happens to a connector. Pure: no client, no clock, no runtime, so that it reads like the specification
//! and can be tested to exhaustion.
//!
//! A pass of the controller asks [`plan`] again and again. It answers with something to look at, or with what shall
//! stand in the status and the one call that may follow. The rule that makes every promise hold over a crash is
//! **record, then act**: the status of a [`Plan::Settle`] is stored, under a precondition, before its call is made; so
//! whatever happens in between, the next process finds in the status that a call may have been made, and which.
//!
//! | room | decides |
//! |---|---|
//! | [`finalizer`] | who is marked, and who may leave without any call |
//! | [`suspension`] | who is left alone |
//! | [`pace`] | how long to wait after a failure |
//! | [`credentials`] | what the API token allows |
//! | [`ownership`] | which of several objects for one domain acts, and who inherits its connector |
//! | [`creation`] | whether to create or to bind what exists |
//! | [`upkeep`] | what to do for a connector that the object is bound to, with [`verification`], [`enforcement`] and [`wording`] |
//! | [`publication`] | how the TXT record is published in Cloudflare DNS, and taken away again |
//! | [`txt`] | what follows from what DNS shows |
//! | [`observation`] | what is shown of a connector that is only observed |
//! | [`gone`] | whether a connector that cannot be found is gone, and what then |
//! | [`deletion`] | how a connector is taken down |
//! | [`verdict`] | what follows from what was seen |
//! | [`status`] | how the status says so |

mod creation;
mod credentials;
mod deletion;
mod desired;
mod enforcement;
mod finalizer;
mod gone;
mod memory;
mod messages;
mod observation;
mod ownership;
mod pace;
mod pair;
mod publication;
mod status;
mod suspension;
mod timing;
mod txt;
mod upkeep;
mod verdict;
mod verification;
mod wording;
mod world;

#[cfg(test)]
mod tests;

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::clock::Moment;
use crate::cloudflare::{Changes, Creation, Endpoint, NewTxtRecord};
use crate::identity::{ConnectorId, RecordId, ZoneId};
use crate::resource::ManagementPolicy;

pub use desired::{Activity, Desired, Edition, Publication, Unreadable};
pub use memory::{Deletion, Difference, Memory, Trouble, Update};
pub use pair::{Attempt, Holder, Known, Origin, PairMemory};
pub use publication::{NoZone, Posted, Publishing, RecordsSeen, Search, choose};
pub use timing::{Timing, UnsafeTiming, duration};
pub use verdict::{Finding, Outcome, Said, Synced, Verdict};
pub use world::{
    Access, Begun, Claim, Credentials, Definition, Namespace, Observed, Pause, Placement,
    Publisher, Record, Rival, Sighting, Snapshot, Standing, Told, Txt, Unusable, World,
};

/// What to do next for one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Find something out, then ask again. Nothing is stored.
    Look(Look),
    /// Put the finalizer on the object, then ask again.
    Mark,
    /// Take the finalizer off, so that the object may go.
    Release,
    /// Store what the verdict says if it differs from the status, and then do what follows.
    Settle {
        /// What the status shall say.
        verdict: Box<Verdict>,
        /// Under which condition it may be stored.
        guard: Guard,
        /// What follows once it is stored.
        then: Then,
    },
    /// The object is none of our business any more.
    Leave,
}

/// Something to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The API token.
    Credentials,
    /// Whether this object may create for its account and domain.
    Claim,
    /// The account's connectors, by a list that was begun no earlier than this.
    Listing {
        /// The earliest moment at which the list may have been begun.
        not_before: Moment,
    },
    /// One connector, by its ID.
    Connector(ConnectorId),
    /// What becomes of the object's namespace.
    Namespace,
    /// What becomes of the definition.
    Definition,
    /// The object itself and its rivals, from the API server instead of the cache.
    Object,
    /// The API token that publishes the TXT record.
    Publisher,
    /// The zone in which the domain's records are.
    Zone,
    /// The TXT records at the domain, in that zone.
    Records(ZoneId),
    /// What DNS shows at the domain, by a look-up that was begun no earlier than this. It may still be under way afterwards.
    Txt {
        /// The earliest moment at which the look-up may have been begun.
        not_before: Moment,
    },
}

/// The condition under which a status may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The object is the very version that the decision rests on.
    SameVersion,
    /// The object is the same and its status holds the same attempts: the ID of a connector that we have just created
    /// must not be lost to somebody's unrelated edit.
    SameAttempts,
}

/// What follows once the status is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// One call that changes something at Cloudflare.
    Act(Act),
    /// Nothing until this much time has passed or the object changes.
    Rest(Duration),
    /// Ask again at once.
    Continue,
}

/// A call that changes something at Cloudflare.
#[derive(Debug, Clone, PartialEq, Hash)]
pub enum Act {
    /// Create the connector. Never more than this one POST.
    Create {
        /// What is asked for.
        creation: Creation,
        /// The attempt's time by Cloudflare's clock, already in the status.
        attempt: Timestamp,
        /// When the POST must have begun; it is abandoned otherwise.
        begin_by: Moment,
    },
    /// Begin the verification.
    BeginVerification {
        /// The connector.
        id: ConnectorId,
        /// What the status says of it by now.
        begun: Begun,
        /// What it said before, and says again if Cloudflare refuses.
        before: Begun,
    },
    /// Change some fields.
    Update {
        /// The connector.
        id: ConnectorId,
        /// Only what differs.
        changes: Changes,
    },
    /// Delete the connector.
    Delete(ConnectorId),
    /// Create the TXT record.
    Publish {
        /// In which zone.
        zone: ZoneId,
        /// The record.
        record: NewTxtRecord,
    },
    /// Delete a TXT record that the operator has created.
    Unpublish {
        /// In which zone.
        zone: ZoneId,
        /// Which.
        record: RecordId,
    },
}

fn look_after(world: &World<'_>) -> Plan {
    let desired = world.desired;
    match (desired.management, &world.record.connector) {
        _ if desired.terminating => deletion::plan(world),
        (ManagementPolicy::Observe, _) => observation::plan(world),
        (ManagementPolicy::Manage, Some(id)) => upkeep::plan(world, id),
        (ManagementPolicy::Manage, None) => creation::plan(world),
    }
}

/// The look that was requested has been taken: what is decided now rests on it, or on the failure that it came to.
fn handled(world: &World<'_>, mut plan: Plan) -> Plan {
    let waits = world.memory.trouble.as_ref().is_some_and(|trouble| {
        trouble.edition != world.desired.edition() && pace::plan(world).is_some()
    });
    if waits || world.desired.activity == Activity::Suspended {
        return plan;
    }
    if let Plan::Settle {
        verdict,
        then: Then::Rest(_),
        ..
    } = &mut plan
        && matches!(verdict.outcome, Outcome::Decided { .. })
    {
        let asked = &world.desired.reconcile_at;
        verdict.record.handled_reconcile_at.clone_from(asked);
    }
    plan
}

impl Act {
    /// The endpoint that is called.
    const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Create { .. } => Endpoint::Create,
            Self::BeginVerification { .. } => Endpoint::BeginVerification,
            Self::Update { .. } => Endpoint::Update,
            Self::Delete(_) => Endpoint::Delete,
            Self::Publish { .. } => Endpoint::CreateRecord,
            Self::Unpublish { .. } => Endpoint::DeleteRecord,
        }
    }
}

/// Decides the next step for one object.
#[must_use]
pub fn plan(world: &World<'_>) -> Plan {
    let next = finalizer::plan(world)
        .or_else(|| suspension::plan(world))
        .or_else(|| deletion::withdrawal(world))
        .or_else(|| pace::plan(world))
        .or_else(|| credentials::plan(world))
        .or_else(|| ownership::plan(world))
        .unwrap_or_else(|| look_after(world));
    handled(
        world,
        pace::once_more(world, credentials::permit(world, next)),
    )
}

impl Guard {
    /// The guard for storing a connector's ID.
    fn for_binding(record: &Record) -> Self {
        if record.attempts.is_empty() {
            Self::SameVersion
        } else {
            Self::SameAttempts
        }
    }
}

impl Plan {
    /// Store the verdict and come back later.
    fn rest(verdict: Verdict, span: Duration) -> Self {
        Self::settle(verdict, Then::Rest(span))
    }

    /// Store the verdict and make the call.
    fn act(verdict: Verdict, act: Act) -> Self {
        Self::settle(verdict, Then::Act(act))
    }

    fn settle(verdict: Verdict, then: Then) -> Self {
        Self::Settle {
            verdict: Box::new(verdict),
            guard: Guard::SameVersion,
            then,
        }
    }
}
