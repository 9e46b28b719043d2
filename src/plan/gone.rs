//! When a connector counts as gone, and what follows.
//!
//! Absence is proved, never assumed: Cloudflare must say twice, some time apart, that the ID does not exist, not soon
//! after the connector's creation (reads lag writes), and a fresh complete list must hold nothing for the domain.
//! Deleting the connector is the hardest form of switching SSO off by hand, so it is undone only while the operator had
//! not yet applied anything.

use std::time::Duration;

use super::enforcement;
use super::verdict::{Finding, Verdict};
use super::world::{Begun, Record, Sighting, Standing};
use super::{Look, Plan, Then, World, messages, observation, pace};
use crate::identity::ConnectorId;
use crate::resource::{EnforcementState, ExternalChangePolicy, ManagementPolicy, Reason};

pub(super) fn plan(world: &World<'_>, id: &ConnectorId, sighting: &Sighting) -> Plan {
    if world.desired.management == ManagementPolicy::Observe {
        return observation::missing(world, id, sighting);
    }
    let timing = world.timing;
    let since = world.memory.gone_since.unwrap_or(sighting.at);
    let confirmed = since + timing.absence_confirmation;
    if may_be_lag(world, sighting) {
        return look_again(world, id, sighting.at + timing.poll_unverified);
    }
    if sighting.at < confirmed {
        return look_again(world, id, confirmed);
    }
    let Some(listing) = world
        .observed
        .listing
        .as_ref()
        .filter(|list| list.begun > sighting.at)
    else {
        return Plan::Look(Look::Listing {
            not_before: world.now,
        });
    };
    if let Err(gap) = listing.proof() {
        return pace::unproved(world, gap);
    }
    if listing.connectors.iter().any(|listed| listed.id == *id) {
        // The list and the page do not agree: one of them lags.
        if world.now.since(since) >= timing.trouble_shows_after + timing.absence_confirmation {
            let problem = messages::list_and_page_differ();
            let problem = Finding::new(Reason::CloudflareUnavailable, problem);
            let verdict = Verdict::undecided(world.record.clone(), Some(problem));
            let due = sighting.at + timing.poll_unverified;
            if due > world.now {
                return Plan::rest(verdict, world.now.until(due));
            }
        }
        return look_again(world, id, sighting.at + timing.poll_unverified);
    }
    let record = enforcement::normalised_without_connector(world, world.record);
    let replaced = listing.matches(&world.desired.domain).next().is_some();
    let state = match world.desired.on_external_change {
        ExternalChangePolicy::Hold => enforcement::state(&record),
        ExternalChangePolicy::Enforce => EnforcementState::Armed,
    };
    match state {
        _ if world.desired.named.is_some() => {
            let record = enforcement::held(world, &record);
            let problem = Finding::new(Reason::ConnectorNotFound, messages::named_not_found(id));
            Plan::rest(Verdict::gone(record, problem), timing.poll_settled)
        }
        EnforcementState::Armed => {
            let record = Record {
                enforcement: None,
                ..record
            };
            unbind(record, messages::vanished(world.desired))
        }
        // What a person put in its place is bound, but that does not end the emergency.
        _ if replaced => unbind(enforcement::held(world, &record), messages::replaced()),
        EnforcementState::Applying | EnforcementState::Satisfied | EnforcementState::Held => {
            let record = enforcement::held(world, &record);
            let problem = Finding::new(Reason::DeletedExternally, messages::deleted_externally());
            Plan::rest(Verdict::gone(record, problem), timing.poll_settled)
        }
    }
}

/// Forget the connector, say so, and start from the beginning.
fn unbind(record: Record, message: String) -> Plan {
    let record = Record {
        connector: None,
        created_on: None,
        begun: Begun {
            last: None,
            ..record.begun
        },
        standing: Standing::Unproven,
        ..record
    };
    let notice = Finding::new(Reason::ConnectorNotFound, message.clone());
    let finding = Finding::new(Reason::Creating, message);
    let verdict = Verdict::gone(record, finding).with_notice(notice);
    Plan::settle(verdict, Then::Continue)
}

/// Whether Cloudflare created it so recently that its reads may not show it yet, by Cloudflare's own clock.
pub(super) fn may_be_lag(world: &World<'_>, sighting: &Sighting) -> bool {
    if let (Some(created), Some(date)) = (world.record.created_on, sighting.date) {
        let age = Duration::try_from(date.duration_since(created)).unwrap_or_default();
        return age < world.timing.creation_lag;
    }
    // Without both clocks only our own time since the first such answer counts.
    let since = world.memory.gone_since.unwrap_or(sighting.at);
    world.now.since(since) < world.timing.creation_lag
}

fn look_again(world: &World<'_>, id: &ConnectorId, due: crate::clock::Moment) -> Plan {
    if due <= world.now {
        return Plan::Look(Look::Connector(id.clone()));
    }
    Plan::rest(
        Verdict::undecided(world.record.clone(), None),
        world.now.until(due),
    )
}
