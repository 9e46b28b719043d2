//! What must never happen, each in the words of the specification, and the evidence for it. It is kept from what truly
//! happened in the universe, and never asks the plan.

use std::hash::Hash;
use std::time::Duration;

use cloudflare_sso_operator::identity::ConnectorId;
use cloudflare_sso_operator::plan::{Access, Act, Activity, Desired};
use cloudflare_sso_operator::resource::{
    AdoptionPolicy, DeletionPolicy, EnforcementState, ManagementPolicy, SsoConnectorStatus,
};

use crate::axis::{Axis, point};
use crate::cloudflare::{Creator, Item};
use crate::cluster::{Cluster, Copy};
use crate::pass::{Pass, Seat};
use crate::scene::{LAG, TIMING};
use crate::universe::Universe;

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Never {
    /// "Never create twice."
    CreateTwice,
    /// "Append the attempt to `status.pendingCreate`", then POST.
    CreateWithoutIntent,
    /// "One match → … it is *ours* if its `created_on` lies in the window of an attempt, else `adoptionPolicy` decides."
    TakeWhatIsTheirs,
    /// "Never enable what is not verified."
    EnableTheUnverified,
    /// "`Armed` → `Applying` → PATCH", each stored before.
    PatchWithoutApplying,
    /// "Never fight a person who changes SSO by hand in an emergency."
    FightAPerson,
    /// A gone connector is "an emergency exit somebody took … no POST until re-armed".
    UndoADeletionByHand,
    /// "Never delete unless the object says so in writing", as read right before.
    DeleteUnasked,
    /// "If an heir exists when the owner goes, the connector is handed over untouched."
    DeleteWhatHasAnHeir,
    /// "Reads the CRD right before: terminating, or created after the object's deletion → retain."
    DeleteBecauseTheDefinitionWent,
    /// "`Observe` never calls a mutating endpoint"; suspended: "no calls".
    TouchWhatIsLeftAlone,
    /// The others "make no mutating call": several objects for a pair, and one owns it.
    ActBesideTheOwner,
    /// "Nothing Cloudflare answers may lose an ID."
    LoseAnId,
    /// With `Delete`, the finalizer goes only once the connector is gone.
    LeaveAConnectorBehind,
    /// Each question is answered once.
    GoInCircles,
}

/// A change made by hand against what the operator had applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hand {
    /// What the spec wanted then and what the operator had seen fulfilled.
    pub wanted: bool,
    pub deed: Deed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    Changed,
    Deleted,
}

/// The evidence.
#[derive(Debug, Clone, Default, Hash)]
pub struct Ledger {
    /// The change by hand that stands.
    pub hand: Option<Hand>,
    /// Whether the memory of what was applied is lost, so that only a verified connector still tells of the hand.
    pub fragile: bool,
    /// When the connector was last not verified.
    unverified_at: Option<Duration>,
    /// Whether anything has happened that may end in `Held`.
    pub excuse: bool,
    /// Whether a status was lost that may have named a connector.
    pub forgotten: bool,
}

/// How old what a look shows may be when something is decided on it: a lagging answer, used as long as it may be.
const OLDEST_LOOK: Duration = LAG
    .saturating_add(TIMING.observation_limit)
    .saturating_add(TIMING.call_timeout);

/// What is left to a create between the list that it rests on and its start.
const LONGEST_CREATE: Duration = TIMING
    .observation_limit
    .saturating_add(TIMING.creation_start_limit);

impl Ledger {
    pub fn retime(&mut self, axis: &mut Axis) {
        self.unverified_at.iter_mut().for_each(|at| axis.visit(at));
    }

    /// Somebody changes `enabled` at Cloudflare by hand.
    pub fn hand_changes(&mut self, applied: Option<bool>, enabled: bool) {
        self.excuse = true;
        if self.hand.is_some_and(|hand| hand.wanted == enabled) {
            self.hand = None;
        } else if let Some(wanted) = applied.filter(|wanted| *wanted != enabled) {
            self.fragile = false;
            let deed = Deed::Changed;
            self.hand = Some(Hand { wanted, deed });
        }
    }

    /// Somebody deletes the connector by hand.
    pub fn hand_deletes(&mut self, applied: Option<bool>) {
        self.excuse = true;
        let deed = Deed::Deleted;
        self.hand = applied.map(|wanted| Hand { wanted, deed });
    }

    /// The spec was edited.
    pub fn wants(&mut self, enabled: Option<bool>) {
        self.hand.take_if(|hand| Some(hand.wanted) != enabled);
    }

    /// The status is lost. A look that is still in use may show the connector as not verified.
    pub fn status_lost(&mut self, now: Duration) {
        self.excuse = true;
        self.fragile = true;
        let verified = self.unverified_at.is_none_or(|at| at + OLDEST_LOOK < now);
        self.hand
            .take_if(|hand| hand.deed == Deed::Deleted || !verified);
    }

    /// Whether Cloudflare holds the domain for verified.
    pub fn verified(&mut self, verified: bool, now: Duration) {
        match (verified, self.unverified_at) {
            (false, _) => {
                self.unverified_at = Some(now);
                self.hand.take_if(|_| self.fragile);
            }
            (true, Some(at)) if at + OLDEST_LOOK < now => self.unverified_at = None,
            (true, _) => {}
        }
    }
}

/// What the operator has seen fulfilled, according to the stored status.
pub fn applied(copy: &Copy) -> Option<bool> {
    let stored = &copy.stored;
    let known = stored.record.enforcement.as_ref()?;
    let asked = &stored.desired.enable_at;
    let counts = match known.state {
        EnforcementState::Satisfied => true,
        EnforcementState::Held => asked.is_none() || *asked == stored.record.handled_enable_at,
        EnforcementState::Armed | EnforcementState::Applying => false,
    };
    let same = known.object_uid == stored.desired.uid && known.enabled == stored.desired.enabled;
    known.enabled.filter(|_| counts && same)
}

/// What the API server said right before a destructive call.
#[derive(Debug, Clone, Hash)]
pub struct Confirmation {
    pub copy: Copy,
    heir: bool,
    stands: bool,
}

fn is_at_work(desired: &Desired) -> bool {
    !desired.terminating
        && desired.activity == Activity::Active
        && desired.management == ManagementPolicy::Manage
}

/// "A live, unsuspended `Manage` object for the pair that could bind this connector."
fn could_inherit(other: &Copy, id: Option<&ConnectorId>) -> bool {
    let stored = &other.stored;
    let bound = stored.record.connector.as_ref();
    let may_adopt = stored.desired.adoption == AdoptionPolicy::Adopt;
    is_at_work(&stored.desired) && may_adopt && (bound.is_none() || bound == id)
}

impl Universe {
    pub fn breaks(&mut self, never: Never) {
        self.broken.get_or_insert(never);
    }

    fn others<'c>(cluster: &'c Cluster, uid: &'c str) -> impl Iterator<Item = &'c Copy> {
        let objects = cluster.objects.iter().flatten();
        objects.filter(move |other| other.uid() != uid)
    }

    pub fn confirmation(&self, seat: Seat, pass: &Pass) -> Confirmation {
        let id = pass.copy.stored.record.connector.as_ref();
        let process = self.processes[seat.process].as_ref().unwrap();
        let listed = |other: &Copy| process.present.get(other.uid()) == Some(&Access::Listed);
        let mut others = Self::others(&self.cluster, pass.copy.uid());
        Confirmation {
            copy: pass.copy.clone(),
            heir: others.any(|other| could_inherit(other, id) && listed(other)),
            stands: self.cluster.stands_for(&pass.copy),
        }
    }

    /// A call that changes something is about to be carried out.
    pub fn check(&mut self, seat: Seat, pass: &Pass, act: &Act) {
        let desired = &pass.copy.stored.desired;
        if desired.activity == Activity::Suspended
            || desired.management == ManagementPolicy::Observe
        {
            self.breaks(Never::TouchWhatIsLeftAlone);
        }
        let age = |copy: &Copy| (copy.stored.desired.created, copy.uid().to_owned());
        let owns = |other: &Copy| {
            let stored = &other.stored;
            let gone = stored.desired.terminating && !stored.desired.finalizer;
            let holds = stored.record.connector.is_some() || !stored.record.attempts.is_empty();
            let mine = &pass.copy.stored.record;
            let free = mine.connector.is_none() && mine.attempts.is_empty();
            let manages = stored.desired.management == ManagementPolicy::Manage;
            manages && !gone && holds && (free || age(other) < age(&pass.copy))
        };
        if pass.rivals().any(owns) {
            self.breaks(Never::ActBesideTheOwner);
        }
        match act {
            Act::Create { .. } => self.check_creation(pass),
            Act::BeginVerification { .. } | Act::Publish { .. } | Act::Unpublish { .. } => {}
            Act::Update { changes, .. }
                if desired.terminating && changes.enabled == Some(false) =>
            {
                self.check_destruction(pass);
            }
            Act::Update { id, changes } => {
                if let Some(enabled) = changes.enabled {
                    self.check_enforcement(seat, pass, id, enabled);
                }
            }
            Act::Delete(_) => self.check_destruction(pass),
        }
    }

    fn check_creation(&mut self, pass: &Pass) {
        let stored = &pass.copy.stored;
        let now = self.now;
        if stored.record.attempts.is_empty() {
            self.breaks(Never::CreateWithoutIntent);
        }
        let lag = self.cloudflare.lag;
        let visible = |item: &Item| item.born + lag + LONGEST_CREATE < now;
        if self.cloudflare.items.iter().any(visible) {
            self.breaks(Never::CreateTwice);
        }
        let undone =
            |hand: Hand| hand.deed == Deed::Deleted && stored.desired.enabled == Some(hand.wanted);
        if self.ledger.hand.is_some_and(undone) {
            self.breaks(Never::UndoADeletionByHand);
        }
    }

    fn check_enforcement(&mut self, seat: Seat, pass: &Pass, id: &ConnectorId, enabled: bool) {
        let process = self.processes[seat.process].as_ref().unwrap();
        if enabled && process.last_look != Some((id.clone(), true)) {
            self.breaks(Never::EnableTheUnverified);
        }
        let stored = &pass.copy.stored;
        let applying = stored.record.enforcement.as_ref().is_some_and(|known| {
            known.state == EnforcementState::Applying
                && known.enabled == Some(enabled)
                && known.object_uid == stored.desired.uid
        });
        if !applying {
            self.breaks(Never::PatchWithoutApplying);
        }
        let fought = |hand: Hand| hand.deed == Deed::Changed && hand.wanted == enabled;
        if self.ledger.hand.is_some_and(fought) || stored.desired.enabled != Some(enabled) {
            self.breaks(Never::FightAPerson);
        }
    }

    fn check_destruction(&mut self, pass: &Pass) {
        let Some(confirmed) = &pass.confirmed else {
            return self.breaks(Never::DeleteUnasked);
        };
        let (heir, stands) = (confirmed.heir, confirmed.stands);
        let desired = &confirmed.copy.stored.desired;
        let in_writing = desired.terminating
            && desired.deletion_policy == DeletionPolicy::Delete
            && desired.management == ManagementPolicy::Manage
            && desired.activity == Activity::Active
            && desired.finalizer;
        let bound = confirmed.copy.stored.record.connector.is_some();
        if !in_writing || !bound {
            self.breaks(Never::DeleteUnasked);
        }
        if heir {
            self.breaks(Never::DeleteWhatHasAnHeir);
        }
        if !stands {
            self.breaks(Never::DeleteBecauseTheDefinitionWent);
        }
    }

    /// A status was written.
    pub fn check_that_no_id_is_lost(
        &mut self,
        before: &SsoConnectorStatus,
        after: &SsoConnectorStatus,
    ) {
        let gone = |id: &Option<String>| {
            let id = id.as_ref().and_then(|id| id.parse().ok());
            id.is_none_or(|id: ConnectorId| self.cloudflare.item(&id).is_none())
        };
        if before.connector_id != after.connector_id && !gone(&before.connector_id) {
            self.breaks(Never::LoseAnId);
        }
    }

    /// An object that refuses adoption was bound.
    pub fn check_that_nothing_is_taken(&mut self, basis: &Copy, after: &SsoConnectorStatus) {
        let stored = &basis.stored;
        let id: Option<ConnectorId> = after.connector_id.as_ref().and_then(|id| id.parse().ok());
        let refuses = stored.desired.adoption == AdoptionPolicy::Refuse;
        let Some(id) = id.filter(|_| refuses && stored.record.connector.is_none()) else {
            return;
        };
        let Some(item) = self.cloudflare.item(&id) else {
            return;
        };
        let known = self.processes.iter().flatten();
        let known = known.flat_map(|process| process.pair.attempts.iter().map(|made| made.time));
        let is_near = |attempt: Duration| {
            item.born + TIMING.ours_before >= attempt && item.born <= attempt + TIMING.ours_after
        };
        let mut attempts = stored.record.attempts.iter().copied().chain(known);
        let ours = attempts.any(|attempt| is_near(point(attempt)));
        if item.creator == Creator::Person && !ours {
            self.breaks(Never::TakeWhatIsTheirs);
        }
    }

    /// The finalizer was taken off.
    pub fn check_that_nothing_is_left_behind(&mut self, seat: Seat, before: &Cluster) {
        let Some(copy) = &before.objects[seat.name] else {
            return;
        };
        let desired = &copy.stored.desired;
        let asks = desired.terminating && desired.deletes() && desired.activity == Activity::Active;
        let alone = Self::others(before, copy.uid())
            .all(|other| other.stored.desired.management != ManagementPolicy::Manage);
        if !asks || !alone || !before.stands_for(copy) || self.ledger.forgotten {
            return;
        }
        let bound = copy.stored.record.connector.as_ref();
        let left =
            |item: &Item| item.creator == Creator::Operator || Some(&item.connector.id) == bound;
        if self.cloudflare.items.iter().any(left) {
            self.breaks(Never::LeaveAConnectorBehind);
        }
    }
}
