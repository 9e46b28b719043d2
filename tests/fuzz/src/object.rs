//! An object as it is stored, with a status and annotations that anybody may have written, and what follows from it: the
//! real plan decides about it, in a small world where every look succeeds and shows what the input says.

use std::sync::Arc;
use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{Connector, Verification, VerificationStatus};
use cloudflare_sso_operator::dns::Sight;
use cloudflare_sso_operator::identity::{ConnectorId, EmailDomain};
use cloudflare_sso_operator::plan::{
    Act, Activity, Claim, Credentials, Definition, Desired, Look, Memory, Namespace, Observed,
    PairMemory, Plan, Publisher, Record, Sighting, Snapshot, Then, Timing, Txt, Unusable, Verdict,
    World, plan,
};
use cloudflare_sso_operator::resource::{
    FINALIZER, ManagementPolicy, SsoConnector, SsoConnectorStatus,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::answer::assert_is_storable;
use crate::text::assert_is_sentence;

/// As many as the operator takes in one pass.
const MOST_ROUNDS: usize = 32;

/// Enough for everything that takes several looks.
const PASSES: usize = 6;

/// A process that has run for a while.
const UPTIME: Duration = Duration::from_hours(24);

/// How long a look takes.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) fn check(input: &str) {
    let (object, listed) = input.split_once("\n---\n").unwrap_or((input, "[]"));
    let Ok(object) = serde_json::from_str::<SsoConnector>(object) else {
        return;
    };
    let Ok(desired) = Desired::parse(&object) else {
        return;
    };
    assert_eq!(desired.account.as_str(), object.spec.account_id);
    assert_eq!(desired.domain.as_str(), object.spec.email_domain);
    let status = object.status.clone().unwrap_or_default();
    if times(&status).iter().all(|time| is_stored(*time)) {
        let listed = serde_json::from_str(listed).unwrap_or_default();
        Life::new(object, &listed).live();
    }
}

/// An object, what is at Cloudflare, and what the process knows.
struct Life {
    object: SsoConnector,
    connectors: Vec<Connector>,
    memory: Memory,
    pair: PairMemory,
    now: Moment,
    timing: Timing,
}

impl Life {
    fn new(object: SsoConnector, listed: &Value) -> Self {
        let listed = listed.as_array().into_iter().flatten();
        Self {
            object,
            connectors: listed.filter_map(connector).collect(),
            memory: Memory::default(),
            pair: PairMemory::default(),
            now: Moment::from_start(UPTIME),
            timing: Timing::default(),
        }
    }

    fn live(mut self) {
        for _ in 0..PASSES {
            match self.pass() {
                Some(rest) => self.now = self.now + rest,
                None => return,
            }
        }
    }

    /// One pass; how long the object rests then, unless a change was to be made or there is nothing more to do.
    fn pass(&mut self) -> Option<Duration> {
        let mut observed = Observed::default();
        for _ in 0..MOST_ROUNDS {
            let desired = Desired::parse(&self.object).unwrap();
            let record = Record::read(self.object.status.as_ref());
            self.memory.begins(&desired, &record, self.now);
            self.pair.recall(&record, self.now);
            let next = plan(&World {
                desired: &desired,
                record: &record,
                observed: &observed,
                memory: &self.memory,
                pair: &self.pair,
                now: self.now,
                timing: &self.timing,
            });
            match next {
                Plan::Look(look) => self.look(&mut observed, look, &desired.domain),
                Plan::Mark => self.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]),
                Plan::Release | Plan::Leave => return None,
                Plan::Settle {
                    verdict,
                    then,
                    guard: _,
                } => {
                    self.store(&verdict, &desired);
                    match then {
                        Then::Continue => {}
                        Then::Rest(span) => return Some(span),
                        Then::Act(act) => {
                            self.assert_is_allowed(&act, &desired, &record);
                            return None;
                        }
                    }
                }
            }
        }
        panic!("the plan goes in circles");
    }

    fn look(&mut self, observed: &mut Observed, look: Look, domain: &EmailDomain) {
        match look {
            Look::Credentials => observed.credentials = Credentials::Usable,
            Look::Claim => observed.claim = Claim::Held(self.now),
            Look::Listing { .. } => {
                let listing = Snapshot {
                    begun: self.now,
                    date: Some(self.date()),
                    connectors: self.connectors.clone(),
                    gap: None,
                };
                self.pair.listed(&listing, domain);
                self.memory.listed(&listing);
                observed.listing = Some(Arc::new(listing));
            }
            Look::Connector(id) => self.memory.saw(Sighting {
                connector: self.connectors.iter().find(|shown| shown.id == id).cloned(),
                id,
                at: self.now,
                date: Some(self.date()),
            }),
            Look::Namespace => observed.namespace = Namespace::Stays,
            Look::Definition => observed.definition = Definition::Stands,
            Look::Object => observed.object_confirmed = true,
            Look::Txt { .. } => observed.txt = Txt::Seen(Sight::Nothing),
            // What is published is the business of another target.
            Look::Publisher => {
                observed.publisher = Publisher::Unusable(Unusable::unavailable(
                    "There is no token.".to_owned(),
                    "Add one.".to_owned(),
                ));
            }
            Look::Zone | Look::Records(_) => panic!("looked at without a token"),
        }
        self.now = self.now + LOOK;
    }

    /// Cloudflare's clock, in 2026.
    fn date(&self) -> Timestamp {
        let start = Timestamp::from_second(1_767_225_600).unwrap();
        start
            .checked_add(self.now.since(Moment::default()))
            .unwrap()
    }

    /// Puts into the status what the verdict says, which must be something that the API server takes, that people may read,
    /// and that says the same to the next process.
    fn store(&mut self, verdict: &Verdict, desired: &Desired) {
        let before = self.object.status.clone().unwrap_or_default();
        let status = verdict.status(&before, desired, self.date());
        times(&status).iter().for_each(assert_is_storable);
        for condition in &status.conditions {
            if !before.conditions.contains(condition) && !is_kept(&condition.message, &before) {
                assert_is_sentence(&condition.message);
            }
        }
        let status = stored(&status);
        let again = Verdict {
            record: Record::read(Some(&status)),
            ..verdict.clone()
        };
        let again = again.status(&status, desired, self.date());
        assert_eq!(stored(&again), status, "written twice");
        self.object.status = Some(status);
    }

    /// What must never happen, whatever the status says.
    fn assert_is_allowed(&self, act: &Act, desired: &Desired, record: &Record) {
        let manages = desired.management == ManagementPolicy::Manage;
        assert!(manages && desired.activity == Activity::Active, "{act:?}");
        let known = |id: &ConnectorId| {
            self.connectors
                .iter()
                .find(|shown| shown.id == *id)
                .expect("seen")
        };
        let belongs = |id: &ConnectorId| desired.domain.is_named(&known(id).email_domain);
        match act {
            Act::Create { attempt, .. } => {
                let stored = Record::read(self.object.status.as_ref());
                assert!(stored.attempts.contains(attempt), "not written down");
                assert!(record.connector.is_none() && desired.named.is_none());
                assert!(!desired.terminating, "created for one that goes");
                let is_there = |shown: &Connector| desired.domain.is_named(&shown.email_domain);
                assert!(!self.connectors.iter().any(is_there), "created twice");
            }
            Act::Update { id, changes } => {
                assert!(belongs(id), "somebody else's connector is changed");
                let verification = known(id).verification.clone().unwrap_or_default();
                let verified = verification.status == Some(VerificationStatus::Verified);
                assert!(
                    changes.enabled != Some(true) || verified,
                    "enabled unverified"
                );
            }
            Act::BeginVerification { id, .. } => {
                assert!(belongs(id) && desired.begin_verification);
            }
            Act::Delete(id) => {
                assert!(belongs(id), "somebody else's connector is deleted");
                assert!(desired.terminating && desired.finalizer && desired.deletes());
            }
            Act::Publish { .. } | Act::Unpublish { .. } => panic!("published without a token"),
        }
    }
}

/// The status as it comes back from the API server.
fn stored(status: &SsoConnectorStatus) -> SsoConnectorStatus {
    serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap()
}

/// Whether a condition repeats what another one said before.
fn is_kept(message: &str, before: &SsoConnectorStatus) -> bool {
    before
        .conditions
        .iter()
        .any(|condition| condition.message == message)
}

fn times(status: &SsoConnectorStatus) -> Vec<Timestamp> {
    let attempts = status
        .pending_create
        .iter()
        .flat_map(|pending| pending.attempts.clone());
    let verification = status.verification.iter();
    let enforcement = status.enforcement.iter();
    attempts
        .chain(status.created_on)
        .chain(status.updated_on)
        .chain(verification.filter_map(|verification| verification.last_begun_at))
        .chain(enforcement.filter_map(|enforcement| enforcement.updated_on))
        .collect()
}

/// Whether the API server stores it, so that it can stand in a status.
fn is_stored(time: Timestamp) -> bool {
    (0..=9999).contains(
        &time
            .to_string()
            .split('-')
            .next()
            .and_then(|year| year.parse().ok())
            .unwrap_or(-1),
    )
}

/// A connector as the client hands it on.
fn connector(value: &Value) -> Option<Connector> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let time = |value: &Value| value.as_str()?.parse().ok().filter(|time| is_stored(*time));
    let verification = &value["verification"];
    Some(Connector {
        id: value["id"].as_str()?.parse().ok()?,
        email_domain: text(&value["email_domain"]).unwrap_or_default(),
        enabled: value["enabled"].as_bool(),
        use_fedramp_language: value["use_fedramp_language"].as_bool(),
        created_on: time(&value["created_on"]),
        updated_on: time(&value["updated_on"]),
        verification: verification.is_object().then(|| Verification {
            code: text(&verification["code"]),
            status: verification["status"]
                .as_str()
                .map(VerificationStatus::parse),
        }),
    })
}
