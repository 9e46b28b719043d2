//! A scene: what there is at first, what may happen in it and how often, and the rules by which the operator acts, with
//! or without a bug that was put in on purpose.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{Connector, VerificationStatus};
use cloudflare_sso_operator::plan::{
    Memory, Observed, Plan, Record, Snapshot, Timing, World, plan,
};
use cloudflare_sso_operator::resource::{EnforcementState, SsoConnectorSpec, SsoConnectorStatus};
use stateright::{Model, Property};

use crate::cloudflare::Second;
use crate::cluster::NAMES;
use crate::events::Event;
use crate::process::Listing;
use crate::universe::{Action, Universe};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Durations in the order of the real ones, so short that there are few moments between them. They would pass
/// [`Timing::check`], as a test shows.
pub const TIMING: Timing = Timing {
    call_timeout: seconds(2),
    creation_grace: seconds(9),
    observation_limit: seconds(2),
    creation_start_limit: seconds(1),
    ours_before: seconds(1),
    ours_after: seconds(5),
    poll_unverified: seconds(5),
    poll_settled: seconds(10),
    difference_confirmation: seconds(5),
    absence_confirmation: seconds(5),
    creation_lag: seconds(10),
    deletion_delay: seconds(2),
    heir_wait: seconds(10),
    restart_backoff: seconds(5),
    restart_backoff_limit: seconds(10),
    dns_interval: seconds(5),
    dns_timeout: seconds(1),
    backoff: seconds(1),
    backoff_limit: seconds(2),
    trouble_shows_after: seconds(10),
    rejected_retry: seconds(10),
    secret_retry: seconds(5),
    refused_token_retry: seconds(10),
    changed_token_window: seconds(5),
    namespace_refusal_interval: seconds(5),
    refusal_window: seconds(10),
    lease_duration: seconds(30),
    renew_deadline: seconds(15),
    renew_interval: seconds(3),
    definition_settling: seconds(1),
    watch_failure_limit: seconds(10),
    default_pause: seconds(5),
};

/// How far reads lag where they do: less than it takes until a difference counts.
pub const LAG: Duration = seconds(3);

/// A mistake that the checker must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The attempt to create is not recorded before its POST.
    DropsTheIntent,
    /// A list that was taken before counts as taken now.
    SkipsTheFreshList,
    /// A domain that is pending counts as verified.
    EnablesOnPending,
    /// Any edit ends a hold.
    RearmsOnAnyEdit,
    /// The other objects for the domain are not looked at.
    IgnoresTheOthers,
    /// Any attempt was made in vain after one list that shows nothing.
    TrustsOneList,
    /// Suspension and policy are not read again before a destructive call.
    TrustsTheCache,
}

/// By which rules the operator acts.
#[derive(Debug, Clone)]
pub struct Rules {
    pub timing: Timing,
    pub bug: Option<Bug>,
}

impl Rules {
    pub fn plan(&self, world: &World<'_>) -> Plan {
        match self.bug {
            None | Some(Bug::DropsTheIntent | Bug::SkipsTheFreshList) => plan(world),
            Some(Bug::EnablesOnPending) => {
                let (mut memory, mut observed) = (world.memory.clone(), world.observed.clone());
                verify(&mut memory, &mut observed);
                plan(&World {
                    memory: &memory,
                    observed: &observed,
                    ..*world
                })
            }
            Some(Bug::RearmsOnAnyEdit) => {
                let record = rearmed(world);
                plan(&World {
                    record: &record,
                    ..*world
                })
            }
            Some(Bug::IgnoresTheOthers) => {
                let mut observed = world.observed.clone();
                observed.rivals.clear();
                plan(&World {
                    observed: &observed,
                    ..*world
                })
            }
            Some(Bug::TrustsOneList) => {
                let mut pair = world.pair.clone();
                pair.attempts.clear();
                plan(&World {
                    pair: &pair,
                    ..*world
                })
            }
            Some(Bug::TrustsTheCache) => {
                let mut observed = world.observed.clone();
                observed.object_confirmed = true;
                plan(&World {
                    observed: &observed,
                    ..*world
                })
            }
        }
    }

    /// The status that is written, before a call or without one.
    pub fn status(&self, mut status: SsoConnectorStatus, acts: bool) -> SsoConnectorStatus {
        if self.bug == Some(Bug::DropsTheIntent) && acts {
            status.pending_create = None;
        }
        status
    }

    /// The list that passes share, if it was begun late enough.
    pub fn share(
        &self,
        shared: Option<Listing>,
        not_before: Moment,
        now: Moment,
    ) -> Option<Listing> {
        let listing = shared?;
        if self.bug == Some(Bug::SkipsTheFreshList) {
            return Some(Listing::new(Snapshot {
                begun: now,
                ..Snapshot::clone(&listing.snapshot)
            }));
        }
        (listing.snapshot.begun >= not_before).then_some(listing)
    }
}

fn verify(memory: &mut Memory, observed: &mut Observed) {
    let verified = |connector: &mut Connector| {
        if let Some(verification) = &mut connector.verification {
            verification.status = Some(VerificationStatus::Verified);
        }
    };
    let seen = memory
        .sighting
        .iter_mut()
        .filter_map(|seen| seen.connector.as_mut());
    seen.for_each(verified);
    if let Some(listing) = &mut observed.listing {
        Arc::make_mut(listing)
            .connectors
            .iter_mut()
            .for_each(verified);
    }
}

fn rearmed(world: &World<'_>) -> Record {
    let mut record = world.record.clone();
    if let Some(trouble) = &mut record.enforcement
        && world.desired.generation > 1
    {
        trouble.state = EnforcementState::Armed;
    }
    record
}

/// A kind of disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody does something.
    Event,
    /// A contact fails.
    Fault,
    Crash,
    /// A read shows an earlier state.
    Lag,
    /// Time passes in the middle of something.
    Delay,
}

/// What has happened before a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Happens(Event),
    /// Nothing, until the operator has come to rest.
    Calm,
}

/// Something that must be reached, or the scene shows less than it seems to.
pub type Sight = (&'static str, fn(&Scene, &Universe) -> bool);

#[derive(Debug, Clone)]
pub struct Scene {
    pub rules: Rules,
    /// What is applied under each name.
    pub specs: [SsoConnectorSpec; NAMES],
    /// How many of them are there at first.
    pub there: usize,
    /// What has happened before.
    pub before: Vec<Before>,
    pub events: Vec<Event>,
    /// How many disturbances there may be, of these kinds.
    pub disturbances: u8,
    pub kinds: Vec<Kind>,
    /// By how many seconds time may pass while passes are under way or nobody works.
    pub delays: Vec<u8>,
    pub lag: Duration,
    pub second: Second,
    pub sights: Vec<Sight>,
    /// The universes of which it is known that they end well.
    pub known: Arc<Mutex<HashSet<u64>>>,
}

impl Scene {
    pub fn new(specs: [SsoConnectorSpec; NAMES], there: usize) -> Self {
        Self {
            rules: Rules {
                timing: TIMING,
                bug: None,
            },
            specs,
            there,
            before: Vec::new(),
            events: Vec::new(),
            disturbances: 0,
            kinds: Vec::new(),
            delays: vec![2, 6],
            lag: Duration::ZERO,
            second: Second::Allowed,
            sights: Vec::new(),
            known: Arc::default(),
        }
    }
}

impl Model for Scene {
    type State = Universe;
    type Action = Action;

    fn init_states(&self) -> Vec<Universe> {
        vec![Universe::new(self)]
    }

    fn actions(&self, universe: &Universe, actions: &mut Vec<Action>) {
        if universe.broken.is_none() {
            universe.actions(self, actions);
        }
    }

    fn next_state(&self, universe: &Universe, action: Action) -> Option<Universe> {
        universe.after(self, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("never", |_: &Self, universe: &Universe| {
                universe.broken.is_none()
            }),
            Property::always("ends well", |scene: &Self, universe: &Universe| {
                universe.broken.is_some() || universe.ends_well(scene).is_ok()
            }),
        ];
        let sights = self.sights.iter();
        properties.extend(sights.map(|(name, seen)| Property::sometimes(name, *seen)));
        properties
    }
}
