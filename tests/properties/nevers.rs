//! What must never happen, each in the words of the specification, and the ledger of evidence for it. The ledger is
//! kept from what truly happened in the model; it never asks the plan.

use std::collections::HashMap;
use std::time::Duration;

use cloudflare_sso_operator::identity::ConnectorId;
use cloudflare_sso_operator::plan::{Desired, Verdict};
use cloudflare_sso_operator::resource::{
    Enforcement, EnforcementState, ManagementPolicy, SsoConnector, SsoConnectorStatus,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::cloudflare::{Creator, Item};
use crate::cluster::{has_finalizer, is_terminating, says_delete};
use crate::model::Model;
use crate::script::MOST_LAG;

/// What is left to a create between the list that it rests on and its end: the age of the list, the start, the call.
const LONGEST_CREATE: Duration = Duration::from_secs(15 + 5 + 10);

/// How old what a look shows may be when something is decided on it: a lagging answer, used as long as it may be.
const OLDEST_LOOK: Duration = Duration::from_secs(25 + 15 + 10);

/// A change made by hand against what the operator had applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hand {
    /// What the spec wanted then and what the operator had seen fulfilled.
    pub wanted: bool,
    pub what: Deed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Changed,
    Deleted,
}

/// The evidence.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Calls that change something, made by the operator.
    pub mutations: u32,
    /// The attempts to create whose outcome the operator cannot know, and the UID of the object that each was for.
    pub attempts: Vec<(Timestamp, String)>,
    /// When this process first saw each attempt.
    pub first_seen: HashMap<Timestamp, Duration>,
    /// When the complete lists without a connector were begun that this process has had.
    pub blank_lists: Vec<Duration>,
    /// The last POST that was carried out, and when.
    pub posted: Option<(Timestamp, Duration)>,
    /// What the last look by ID showed to this process: which connector, and whether it is verified.
    pub last_get: Option<(ConnectorId, bool)>,
    /// The change by hand that stands.
    pub hand: Option<Hand>,
    /// Whether the memory of what was applied is lost, so that only a verified connector still tells of the hand.
    pub fragile: bool,
    /// When the connector was last not verified.
    unverified_at: Duration,
    /// Whether anything has happened that may end in `Held`.
    pub excuse: bool,
}

impl Ledger {
    pub fn saw_attempts(&mut self, attempts: &[Timestamp], now: Duration) {
        for time in attempts {
            self.first_seen.entry(*time).or_insert(now);
        }
    }

    pub fn attempting(&mut self, time: Timestamp, uid: &str, now: Duration) {
        self.refused(time);
        self.attempts.push((time, uid.to_owned()));
        self.first_seen.insert(time, now);
    }

    /// The attempt has certainly created nothing.
    pub fn refused(&mut self, time: Timestamp) {
        self.attempts.retain(|(known, _)| *known != time);
    }

    pub fn process_died(&mut self) {
        self.first_seen.clear();
        self.blank_lists.clear();
        self.last_get = None;
        self.excuse = true;
    }

    /// Somebody changes `enabled` at Cloudflare by hand.
    pub fn hand_changes(&mut self, object: Option<&SsoConnector>, enabled: bool) {
        self.excuse = true;
        if self.hand.is_some_and(|hand| hand.wanted == enabled) {
            self.hand = None;
        } else if let Some(wanted) = object.and_then(applied)
            && wanted != enabled
        {
            self.fragile = false;
            self.hand = Some(Hand {
                wanted,
                what: Deed::Changed,
            });
        }
    }

    /// Somebody deletes the connector by hand.
    pub fn hand_deletes(&mut self, object: Option<&SsoConnector>) {
        self.excuse = true;
        self.hand = object.and_then(applied).map(|wanted| Hand {
            wanted,
            what: Deed::Deleted,
        });
    }

    /// The spec was edited.
    pub fn wants(&mut self, enabled: Option<bool>) {
        self.hand.take_if(|hand| Some(hand.wanted) != enabled);
    }

    /// The status is lost. A look that is still in use may show the connector as not verified.
    pub fn status_lost(&mut self, now: Duration) {
        self.excuse = true;
        self.fragile = true;
        let verified = self.unverified_at + OLDEST_LOOK < now;
        self.hand
            .take_if(|hand| hand.what == Deed::Deleted || !verified);
    }

    /// Cloudflare does not hold the domain for verified.
    pub fn not_verified(&mut self, now: Duration) {
        self.unverified_at = now;
        self.hand.take_if(|_| self.fragile);
    }
}

/// What the operator has seen fulfilled, according to the stored status.
fn applied(object: &SsoConnector) -> Option<bool> {
    let status = object.status.as_ref()?;
    let Enforcement {
        state,
        enabled,
        object_uid,
        ..
    } = status.enforcement.as_ref()?;
    let asked = object.metadata.annotations.as_ref();
    let asked = asked.and_then(|all| all.get(cloudflare_sso_operator::resource::ENABLE_AT));
    let counts = match state {
        EnforcementState::Satisfied => true,
        EnforcementState::Held => {
            asked.is_none() || asked == status.last_handled_enable_at.as_ref()
        }
        EnforcementState::Armed | EnforcementState::Applying => false,
    };
    let same = Some(object_uid) == object.metadata.uid.as_ref() && *enabled == object.spec.enabled;
    enabled.filter(|_| counts && same)
}

/// "Never create twice": while the outcome of an attempt is unknown, "the next attempt needs two complete lists
/// without a match, the second at least a grace period after this process first saw the attempt". And whatever the
/// lists say, nothing that the operator has created may be there. Of the attempts of an object that is gone, the process
/// knows "for the grace" only: then one such list has to do.
pub fn never_create_twice(model: &Model, uid: &str, attempt: Timestamp) {
    let ledger = &model.ledger;
    for (time, maker) in ledger.attempts.iter().filter(|(time, _)| *time != attempt) {
        let Some(&seen) = ledger.first_seen.get(time) else {
            continue;
        };
        let due = seen + model.timing.creation_grace;
        let proved = ledger.blank_lists.iter().any(|second| {
            let first = |first: &Duration| *first > seen && first < second;
            *second >= due && (maker != uid || ledger.blank_lists.iter().any(first))
        });
        assert!(
            proved,
            "never create twice: the outcome of {time} is unknown, seen {seen:?}, lists {:?}",
            ledger.blank_lists
        );
    }
    let items = model.cloudflare.items();
    let visible = |item: &&Item| {
        item.creator == Creator::Operator || item.born + MOST_LAG + LONGEST_CREATE < model.now
    };
    let there = items.iter().find(visible);
    assert!(
        there.is_none(),
        "never create twice: {there:?} is there at {:?}",
        model.now
    );
}

/// "Never enable what is not verified."
pub fn never_enable_what_is_not_verified(model: &Model, id: &ConnectorId) {
    assert_eq!(
        model.ledger.last_get,
        Some((id.clone(), true)),
        "never enable what is not verified"
    );
}

/// "Never fight a person who changes SSO by hand in an emergency": `Held` ends only when `spec.enabled` is seen absent
/// or different, the value is seen as wanted, or a new `enable-at` appears.
pub fn never_fight_a_person(model: &Model, desired: &Desired, enabled: bool) {
    assert_eq!(desired.enabled, Some(enabled), "only what is asked for");
    let fought = model
        .ledger
        .hand
        .filter(|hand| hand.wanted == enabled && hand.what == Deed::Changed);
    assert_eq!(fought, None, "never fight a person at {:?}", model.now);
}

/// A gone connector is "an emergency exit somebody took: stored as `Held`, no POST until re-armed".
pub fn never_undo_a_deletion_by_hand(model: &Model, desired: &Desired) {
    let undone = model
        .ledger
        .hand
        .filter(|hand| hand.what == Deed::Deleted && desired.enabled == Some(hand.wanted));
    assert_eq!(undone, None, "never undo a deletion made by hand");
}

/// "Never delete unless the object says so in writing": it is going away, says `Delete`, carries the finalizer, and its
/// status names this very connector, as read from the API server right before.
pub fn never_delete_unless_it_says_so(confirmed: Option<&SsoConnector>, id: &ConnectorId) {
    let object = confirmed.expect("never delete without a look at the object right before");
    let status = object.status.as_ref();
    let bound = status.and_then(|status| status.connector_id.as_deref());
    assert!(
        is_terminating(object)
            && says_delete(object)
            && has_finalizer(object)
            && bound == Some(id.as_str()),
        "never delete unless the object says so in writing: {object:?}"
    );
}

/// "`Observe` never calls a mutating endpoint"; suspended: "no calls".
pub fn never_touch_what_is_left_alone(object: &SsoConnector) {
    let spec = &object.spec;
    assert_ne!(spec.suspend, Some(true), "it is suspended");
    assert_ne!(spec.management_policy, Some(ManagementPolicy::Observe));
}

/// "Append the attempt to `status.pendingCreate`", then POST.
pub fn intent_precedes_the_post(object: &SsoConnector, attempt: Timestamp) {
    let status = object.status.clone().unwrap_or_default();
    let attempts = status.pending_create.unwrap_or_default().attempts;
    assert!(
        attempts.contains(&attempt),
        "the intent {attempt} is stored before its POST: {attempts:?}"
    );
}

/// "Each step is stored before its call: `Armed` → `Applying` → PATCH."
pub fn applying_precedes_the_patch(object: &SsoConnector, enabled: bool) {
    let status = object.status.clone().unwrap_or_default();
    let stored = status.enforcement.map(|known| {
        let own = Some(&known.object_uid) == object.metadata.uid.as_ref();
        (known.state, known.enabled, own)
    });
    assert_eq!(
        stored,
        Some((EnforcementState::Applying, Some(enabled), true)),
        "Applying is stored before the PATCH"
    );
}

/// "Nothing Cloudflare answers may lose an ID": a status forgets a connector only if there is none.
pub fn never_lose_an_id(model: &Model, before: &SsoConnectorStatus, after: &SsoConnectorStatus) {
    if let Some(id) = before
        .connector_id
        .as_ref()
        .filter(|_| before.connector_id != after.connector_id)
    {
        let there = model.cloudflare.item(id);
        assert!(there.is_none(), "the ID of {there:?} is lost");
    }
}

/// "The same situation gives the same bytes."
pub fn the_same_verdict_gives_the_same_bytes(
    verdict: &Verdict,
    status: &SsoConnectorStatus,
    desired: &Desired,
    now: Timestamp,
) {
    let later = now + SignedDuration::from_secs(3600);
    assert_eq!(
        verdict.status(status, desired, later),
        *status,
        "the same situation gives the same bytes"
    );
}
