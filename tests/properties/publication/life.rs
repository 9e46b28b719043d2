//! The life of one object and of its zone, as a random script has it: the real plan and the real status, with a zone that
//! lags and calls that fail.

use std::collections::BTreeMap;
use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{
    Class, Connector, Endpoint, Failure, TimeToLive, TxtRecord, Verification, VerificationCode,
    VerificationStatus,
};
use cloudflare_sso_operator::identity::{RecordId, ZoneId};
use cloudflare_sso_operator::plan::{
    Act, Credentials, Definition, Desired, Look, Memory, Namespace, Observed, PairMemory,
    Placement, Plan, Posted, Publication, Publisher, Record, RecordsSeen, Search, Sighting,
    Standing, Then, Timing, Txt, Verdict, World, plan,
};
use cloudflare_sso_operator::resource::{ConditionType, SsoConnectorStatus, find_condition};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::{TestCaseError, prop_assert, prop_assert_eq};
use serde_json::json;

const DOMAIN: &str = "example.com";
const ZONE: &str = "372e67954025e0ba6aaa6d586b9e0b59";
pub const CONNECTOR: &str = "023e105f4ecef8ad9ca31a8372d0c353";

/// How far reads of the zone lag where they do: less than it takes until absence counts.
const LAG: Duration = Duration::from_secs(20);

/// As many as the operator takes in one pass.
const MOST_ROUNDS: usize = 32;

/// What happens between two passes, or in one.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// Time passes, in seconds.
    Wait(u16),
    /// The process ends, and another one begins.
    Crash,
    /// Cloudflare reports another code.
    NewCode,
    /// Somebody removes our record, or writes something else into it.
    RemoveOurs,
    RewriteOurs,
    /// Somebody creates the very record that is wanted.
    CreateSame,
    /// The next call that changes a record is carried out, and its answer lost; or it is not, and fails.
    LoseAnswer,
    FailCall,
    /// The next such call is refused, for no reason that lies in the zone.
    RefuseCall,
    /// The process ends right after the next such call, before anything is stored of it.
    CrashAfterCall,
    /// Reads of the zone begin to lag, or do not any more.
    Lag(bool),
    /// Lists of the zone's records begin to be of no proof, or are whole again.
    Gap(bool),
    /// Cloudflare has verified the domain, by whichever record.
    Verify,
}

/// A record of the zone, and what became of it.
#[derive(Debug, Clone)]
pub struct Stored {
    pub text: String,
    comment: String,
    by_operator: bool,
    created: Moment,
    /// When somebody wrote something else into it.
    rewritten: Option<Moment>,
    deleted: Option<Moment>,
}

/// What is to come of the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    None,
    LoseAnswer,
    FailCall,
    RefuseCall,
    CrashAfterCall,
}

pub struct Life {
    pub desired: Desired,
    pub status: SsoConnectorStatus,
    pub memory: Memory,
    pub now: Moment,
    timing: Timing,
    pub zone: BTreeMap<String, Stored>,
    codes: u32,
    verified: bool,
    lags: bool,
    gap: bool,
    trick: Trick,
    pub calls: u32,
}

impl Life {
    pub fn new() -> Self {
        let object = json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
            "metadata": { "name": "example", "uid": "11111111-1111-1111-1111-111111111111", "generation": 1 },
            "spec": {
                "accountID": "0".repeat(32), "emailDomain": DOMAIN, "dns": { "cloudflare": {} },
                "apiTokenSecretRef": { "name": "token" },
            },
            "status": { "connectorID": CONNECTOR, "verification": { "lastBegunAt": "2026-01-01T00:00:00Z" } },
        });
        let object = serde_json::from_value(object).unwrap();
        let desired = Desired::parse(&object).unwrap();
        assert!(
            matches!(desired.publication, Some(Publication { ttl, .. }) if ttl == TimeToLive::AUTOMATIC)
        );
        let mut life = Self {
            desired,
            status: object.status.unwrap(),
            memory: Memory::default(),
            now: Moment::from_start(Duration::from_hours(1)),
            timing: Timing::default(),
            zone: BTreeMap::new(),
            codes: 0,
            verified: false,
            lags: false,
            gap: false,
            trick: Trick::None,
            calls: 0,
        };
        for text in ["v=spf1 -all", "cloudflare_dashboard_sso=another-account"] {
            life.store(text, "", false);
        }
        life
    }

    pub fn code(&self) -> String {
        format!("cloudflare_dashboard_sso=code-{}", self.codes)
    }

    fn connector(&self) -> Connector {
        Connector {
            id: CONNECTOR.parse().unwrap(),
            email_domain: DOMAIN.to_owned(),
            enabled: Some(false),
            use_fedramp_language: Some(false),
            created_on: Some(self.date()),
            updated_on: None,
            verification: Some(Verification {
                code: Some(self.code()),
                status: Some(if self.verified {
                    VerificationStatus::Verified
                } else {
                    VerificationStatus::Pending
                }),
            }),
        }
    }

    fn date(&self) -> Timestamp {
        let since = self.now.since(Moment::default());
        Timestamp::from_second(1_767_225_600).unwrap() + SignedDuration::try_from(since).unwrap()
    }

    fn store(&mut self, text: &str, comment: &str, by_operator: bool) -> RecordId {
        let id = format!("record-{}", self.zone.len());
        let record = Stored {
            text: text.to_owned(),
            comment: comment.to_owned(),
            by_operator,
            created: self.now,
            rewritten: None,
            deleted: None,
        };
        self.zone.insert(id.clone(), record);
        id.parse().unwrap()
    }

    /// Those that are there at that moment.
    pub fn standing(&self, at: Moment) -> impl Iterator<Item = (&String, &Stored)> {
        self.zone.iter().filter(move |(_, it)| {
            it.created <= at && it.deleted.is_none_or(|deleted| deleted > at)
        })
    }

    /// What the operator has put there, and nobody has made something else of.
    pub fn ours(&self) -> Vec<&Stored> {
        self.standing(self.now)
            .map(|(_, it)| it)
            .filter(|it| it.by_operator && VerificationCode::parse(&it.text).is_some())
            .collect()
    }

    fn each_of_ours(&mut self, change: impl Fn(&mut Stored)) {
        let ours = self.zone.values_mut();
        ours.filter(|it| it.by_operator && it.deleted.is_none())
            .for_each(change);
    }

    pub fn happens(&mut self, event: Event) {
        match event {
            Event::Wait(seconds) => self.now = self.now + Duration::from_secs(seconds.into()),
            Event::Crash => self.memory = Memory::default(),
            Event::NewCode => self.codes += 1,
            Event::RemoveOurs => {
                let now = self.now;
                self.each_of_ours(|record| record.deleted = Some(now));
            }
            Event::RewriteOurs => {
                let now = self.now;
                self.each_of_ours(|record| {
                    "v=spf1 mx -all".clone_into(&mut record.text);
                    record.rewritten.get_or_insert(now);
                });
            }
            Event::CreateSame => {
                let code = self.code();
                if !self.standing(self.now).any(|(_, it)| it.text == code) {
                    self.store(&code, "by hand", false);
                }
            }
            Event::LoseAnswer => self.trick = Trick::LoseAnswer,
            Event::FailCall => self.trick = Trick::FailCall,
            Event::RefuseCall => self.trick = Trick::RefuseCall,
            Event::CrashAfterCall => self.trick = Trick::CrashAfterCall,
            Event::Lag(lags) => self.lags = lags,
            Event::Gap(gap) => self.gap = gap,
            Event::Verify => self.verified = true,
        }
        self.now = self.now + Duration::from_millis(1);
    }

    /// One pass, as the shell makes it. `None` if the object may go.
    pub fn pass(&mut self) -> Option<Duration> {
        let record = Record::read(Some(&self.status));
        self.memory.begins(&self.desired, &record, self.now);
        let mut observed = Observed {
            credentials: Credentials::Usable,
            publisher: Publisher::Usable,
            txt: Txt::Off,
            definition: Definition::Stands,
            namespace: Namespace::Stays,
            ..Observed::default()
        };
        let pair = PairMemory::default();
        for _ in 0..MOST_ROUNDS {
            let record = Record::read(Some(&self.status));
            let next = plan(&World {
                desired: &self.desired,
                record: &record,
                observed: &observed,
                memory: &self.memory,
                pair: &pair,
                now: self.now,
                timing: &self.timing,
            });
            self.now = self.now + Duration::from_millis(10);
            match next {
                Plan::Look(look) => self.look(&mut observed, look),
                Plan::Release | Plan::Leave => return None,
                Plan::Mark => panic!("marked already"),
                Plan::Settle { verdict, then, .. } => {
                    self.publish(&verdict);
                    match then {
                        Then::Continue => {}
                        Then::Rest(span) => {
                            assert!(span > Duration::ZERO, "it does not rest");
                            self.memory.rested(&verdict);
                            return Some(span);
                        }
                        Then::Act(act) => {
                            self.act(&act);
                            return Some(Duration::ZERO);
                        }
                    }
                }
            }
        }
        panic!("the plan goes in circles");
    }

    /// What is said of the record.
    pub fn published(&self) -> Option<&str> {
        let published = find_condition(&self.status.conditions, ConditionType::DnsRecordPublished);
        published.map(|it| it.status.as_str())
    }

    fn publish(&mut self, verdict: &Verdict) {
        let before = Record::read(Some(&self.status)).placement;
        let was_published = self.published() == Some("True");
        let status = verdict.status(&self.status, &self.desired, self.date());
        let stored = serde_json::to_value(&status).unwrap();
        self.status = serde_json::from_value(stored).unwrap();
        let record = Record::read(Some(&self.status));
        assert_eq!(
            record.placement, verdict.record.placement,
            "the placement is not stored"
        );
        let named = |placement: Option<Placement>| placement.and_then(|known| known.record);
        let (known, found) = (named(before), named(record.placement));
        let says_the_code = |id: &RecordId| self.zone[&id.to_string()].text == self.code();
        let finds_it = found != known && found.as_ref().is_some_and(says_the_code);
        let stays = was_published && record.standing == Standing::Verified;
        if finds_it || stays {
            assert_eq!(self.published(), Some("True"), "{:#?}", self.status);
        }
    }

    fn look(&mut self, observed: &mut Observed, look: Look) {
        observed.object_confirmed = false;
        match look {
            Look::Connector(id) => {
                let gone = self.desired.terminating;
                self.memory.saw(Sighting {
                    id,
                    at: self.now,
                    date: Some(self.date()),
                    connector: (!gone).then(|| self.connector()),
                });
            }
            Look::Listing { .. } => {
                let id = CONNECTOR.parse().unwrap();
                self.look(observed, Look::Connector(id));
            }
            Look::Zone => {
                self.memory.publishing.found(Search {
                    named: None,
                    at: self.now,
                    result: Ok(zone()),
                });
            }
            Look::Records(of) => {
                let shown = if self.lags {
                    self.now.before(LAG)
                } else {
                    self.now
                };
                let records = self.standing(shown).map(|(id, it)| TxtRecord {
                    id: id.parse().unwrap(),
                    name: DOMAIN.to_owned(),
                    text: Some(it.text.clone()),
                    comment: it.comment.clone(),
                });
                let seen = RecordsSeen {
                    records: records.collect(),
                    zone: of,
                    at: self.now,
                    gap: self.gap.then_some("something is missing"),
                };
                self.memory.publishing.succeeded(Endpoint::ListRecords);
                self.memory.publishing.saw(seen);
            }
            Look::Object => observed.object_confirmed = true,
            other => panic!("{other:?}"),
        }
    }

    fn act(&mut self, act: &Act) {
        let trick = std::mem::replace(&mut self.trick, Trick::None);
        self.calls += 1;
        let standing = Record::read(Some(&self.status)).standing;
        assert!(
            standing == Standing::Unproven || self.desired.terminating,
            "nobody looks after the record any more"
        );
        match act {
            Act::Publish { record, .. } => {
                let body = serde_json::to_value(record).unwrap();
                let text = body["content"]
                    .as_str()
                    .unwrap()
                    .trim_matches('"')
                    .to_owned();
                let comment = body["comment"].as_str().unwrap().to_owned();
                assert_eq!(body["name"], DOMAIN);
                assert!(
                    Record::read(Some(&self.status)).placement.is_some(),
                    "not written down"
                );
                let endpoint = Endpoint::CreateRecord;
                let outcome = if trick == Trick::FailCall {
                    Err(failure(Class::Unavailable, endpoint))
                } else if trick == Trick::RefuseCall {
                    Err(failure(Class::Rejected, endpoint))
                } else if self.standing(self.now).any(|(_, it)| it.text == text) {
                    // Cloudflare refuses it, so nothing stands there twice.
                    Err(Failure {
                        codes: vec![81058],
                        ..failure(Class::Rejected, endpoint)
                    })
                } else {
                    Ok(self.store(&text, &comment, true))
                };
                self.now = self.now + Duration::from_millis(10);
                let outcome = match self.answered(trick, endpoint, outcome) {
                    Ok(id) => Posted::Created(id),
                    Err(failure) if failure.is_definite() && !failure.is_duplicate_record() => {
                        Posted::Refused
                    }
                    Err(_) => Posted::Unknown,
                };
                self.memory.publishing.posted(&zone(), outcome, self.now);
            }
            Act::Unpublish { record, .. } => {
                let now = self.now;
                let stored = self.zone.get_mut(&record.to_string()).unwrap();
                assert!(stored.by_operator, "somebody else's record is deleted");
                // Cloudflare knows no condition for a DELETE, so what was written just now may go.
                let unseen = self.timing.observation_limit + LAG;
                let is_new = |at: Moment| now.since(at) <= unseen;
                assert!(
                    stored.rewritten.is_none_or(is_new),
                    "what somebody wrote is deleted"
                );
                let endpoint = Endpoint::DeleteRecord;
                let outcome = match trick {
                    Trick::FailCall => Err(failure(Class::Unavailable, endpoint)),
                    Trick::RefuseCall => Err(failure(Class::Rejected, endpoint)),
                    Trick::None | Trick::LoseAnswer | Trick::CrashAfterCall => {
                        stored.deleted.get_or_insert(now);
                        Ok(record.clone())
                    }
                };
                self.now = self.now + Duration::from_millis(10);
                let gone = self.answered(trick, endpoint, outcome).ok();
                self.memory.publishing.deleted(gone, self.now);
            }
            other => panic!("{other:?}"),
        }
        if trick == Trick::CrashAfterCall {
            self.memory = Memory::default();
        }
    }

    fn answered(
        &mut self,
        trick: Trick,
        endpoint: Endpoint,
        outcome: Result<RecordId, Failure>,
    ) -> Result<RecordId, Failure> {
        let outcome = match trick {
            Trick::LoseAnswer => Err(failure(Class::Unavailable, endpoint)),
            _ => outcome,
        };
        let publishing = &mut self.memory.publishing;
        match &outcome {
            Ok(_) => publishing.succeeded(endpoint),
            Err(failure) => {
                publishing.failed(failure.clone(), self.desired.edition(), self.now);
            }
        }
        outcome
    }

    /// What must hold at every moment.
    pub fn check(&self) -> Result<(), TestCaseError> {
        for (id, record) in &self.zone {
            prop_assert!(
                record.by_operator || record.deleted.is_none(),
                "{id} is somebody else's"
            );
        }
        let mut texts: Vec<_> = self.ours().iter().map(|it| it.text.clone()).collect();
        texts.sort();
        let all = texts.len();
        texts.dedup();
        prop_assert_eq!(texts.len(), all, "a record of ours stands there twice");
        Ok(())
    }

    /// Nothing happens any more, for long enough.
    pub fn calms_down(&mut self) -> Result<(), TestCaseError> {
        self.lags = false;
        self.gap = false;
        self.trick = Trick::None;
        let end = self.now + Duration::from_mins(45);
        while self.now < end {
            let Some(span) = self.pass() else {
                return Ok(());
            };
            self.check()?;
            self.now = self.now + span.max(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn zone() -> ZoneId {
    ZONE.parse().unwrap()
}

fn failure(class: Class, endpoint: Endpoint) -> Failure {
    let is_refusal = class == Class::Rejected;
    Failure {
        class,
        endpoint,
        status: is_refusal.then_some(400),
        codes: is_refusal.then_some(9005).into_iter().collect(),
        message: "No.".to_owned(),
        retry_after: None,
        date: None,
    }
}
