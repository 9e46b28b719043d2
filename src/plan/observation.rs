//! An object that only observes is a data source: it finds its connector, shows it, and says where it differs from the
//! spec. Nothing is created, changed or deleted, so neither a claim nor a proof is needed.

use super::verdict::{Finding, Verdict};
use super::world::{Record, Sighting, Snapshot};
use super::{Look, Plan, Then, World, messages, pace, upkeep};
use crate::cloudflare::Connector;
use crate::identity::ConnectorId;
use crate::resource::Reason;

pub(super) fn plan(world: &World<'_>) -> Plan {
    match target(world) {
        Target::Known(id) => upkeep::plan(world, &id),
        Target::Unknown(plan) => *plan,
    }
}

enum Target {
    Known(ConnectorId),
    Unknown(Box<Plan>),
}

/// Which connector is meant: the one that the spec names, the one that the object managed before, or else the one that the
/// account has for the domain now.
fn target(world: &World<'_>) -> Target {
    let record = world.record;
    if let Some(named) = &world.desired.named {
        return Target::Known(named.clone());
    }
    if let (Some(bound), Some(_)) = (&record.connector, &record.enforcement) {
        return Target::Known(bound.clone());
    }
    let interval = match &record.connector {
        Some(_) => world.timing.poll_settled,
        None => world.timing.poll_unverified,
    };
    let oldest = world.no_older_than(interval);
    let Some(listing) = world
        .observed
        .listing
        .as_deref()
        .filter(|list| list.begun >= oldest)
    else {
        return Target::Unknown(Box::new(Plan::Look(Look::Listing { not_before: oldest })));
    };
    let matches: Vec<_> = listing.matches(&world.desired.domain).collect();
    match (matches.as_slice(), &record.connector) {
        ([found], Some(bound)) if found.id == *bound => Target::Known(bound.clone()),
        ([found], _) => Target::Unknown(Box::new(bind(world, found))),
        // A list may lack it; its own page tells.
        ([], Some(bound)) => Target::Known(bound.clone()),
        ([], None) => Target::Unknown(Box::new(nothing(world, listing))),
        ([_, _, ..], _) => {
            let problem = Finding::new(Reason::AmbiguousMatch, messages::ambiguous(matches.len()));
            let verdict = Verdict::stalled(record, problem);
            Target::Unknown(Box::new(Plan::rest(verdict, world.timing.poll_unverified)))
        }
    }
}

/// Remember which one it is.
fn bind(world: &World<'_>, found: &Connector) -> Plan {
    let record = Record {
        connector: Some(found.id.clone()),
        created_on: found.created_on,
        ..world.record.clone()
    };
    Plan::settle(Verdict::undecided(record, None), Then::Continue)
}

fn nothing(world: &World<'_>, listing: &Snapshot) -> Plan {
    match listing.gap {
        Some(gap) => pace::unproved(world, gap),
        None => not_found(world),
    }
}

/// The connector that is meant is not there, by its own page, which is looked at again as often as a list would be.
pub(super) fn missing(world: &World<'_>, id: &ConnectorId, sighting: &Sighting) -> Plan {
    let due = sighting.at + world.timing.poll_unverified;
    if due <= world.now {
        return Plan::Look(Look::Connector(id.clone()));
    }
    not_found(world)
}

/// There is no such connector, and that is no trouble.
fn not_found(world: &World<'_>) -> Plan {
    let finding = Finding::new(Reason::ConnectorNotFound, messages::nothing_to_observe());
    let verdict = Verdict::gone(world.record.clone(), finding).at_rest();
    Plan::rest(verdict, world.timing.poll_unverified)
}
