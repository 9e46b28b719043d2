//! A world that a test fills in with a few words.

use std::sync::Arc;

use super::*;
use crate::plan::Observed;

/// A world under construction.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) desired: Desired,
    pub(super) record: Record,
    pub(super) observed: Observed,
    pub(super) memory: Memory,
    pub(super) pair: PairMemory,
    pub(super) now: f64,
    pub(super) timing: Timing,
}

impl Scene {
    /// An object that was just applied, with a token that works.
    pub(super) fn new() -> Self {
        Self {
            desired: Desired {
                uid: UID.to_owned(),
                created: Some(date(1000.0)),
                generation: 3,
                account: "1234567890abcdef1234567890abcdef".parse().unwrap(),
                domain: DOMAIN.parse().unwrap(),
                enabled: None,
                use_fedramp_language: None,
                begin_verification: true,
                deletion_policy: DeletionPolicy::Retain,
                terminating: false,
                finalizer: false,
                on_external_change: ExternalChangePolicy::Hold,
                named: None,
                adoption: AdoptionPolicy::Adopt,
                management: ManagementPolicy::Manage,
                activity: Activity::Active,
                reconcile_at: None,
                enable_at: None,
                api_token: None,
                publication: None,
            },
            record: Record::default(),
            observed: Observed {
                credentials: Credentials::Usable,
                txt: Txt::Off,
                ..Observed::default()
            },
            memory: Memory::default(),
            pair: PairMemory::default(),
            now: NOW,
            timing: Timing::default(),
        }
    }

    /// An object that is bound to the connector, in this state of its enforcement of the wanted value.
    pub(super) fn bound(wanted: Option<bool>, state: EnforcementState) -> Self {
        let mut scene = Self::new();
        scene.desired.enabled = wanted;
        scene.record.connector = Some(id());
        scene.record.created_on = Some(date(1000.0));
        scene.record.begun.last = Some(date(1000.0));
        scene.record.enforcement = Some(Enforcement {
            state,
            enabled: wanted,
            object_uid: UID.to_owned(),
            updated_on: None,
        });
        scene
    }

    /// An object that is going away and says `Delete`.
    pub(super) fn deleting(mut self) -> Self {
        self.desired.deletion_policy = DeletionPolicy::Delete;
        self.desired.finalizer = true;
        self.desired.terminating = true;
        self.memory.deletion_seen = Some(at(self.now - 3600.0));
        self.observed.definition = Definition::Stands;
        self
    }

    /// Changes the scene in a way that needs no name.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// A GET at that second showed the connector.
    pub(super) fn seen(mut self, second: f64, connector: Connector) -> Self {
        self.memory.saw(Sighting {
            id: connector.id.clone(),
            at: at(second),
            date: Some(date(second)),
            connector: Some(connector),
        });
        self
    }

    /// The answer to our POST showed the connector at that second.
    pub(super) fn answered(mut self, second: f64, connector: Connector) -> Self {
        self.memory.answered(Some(Sighting {
            id: connector.id.clone(),
            at: at(second),
            date: Some(date(second)),
            connector: Some(connector),
        }));
        self
    }

    /// A GET at that second said that there is no such connector.
    pub(super) fn missing(mut self, second: f64) -> Self {
        self.memory.saw(Sighting {
            id: id(),
            at: at(second),
            date: Some(date(second)),
            connector: None,
        });
        self
    }

    /// The newest list, which the pair's memory has taken note of, as the shell does.
    pub(super) fn listed(mut self, snapshot: Snapshot) -> Self {
        self.pair.listed(&snapshot, &self.desired.domain);
        self.memory.listed(&snapshot);
        self.observed.listing = Some(Arc::new(snapshot));
        self
    }

    /// The claim was given at that second.
    pub(super) fn claimed(mut self, second: f64) -> Self {
        self.observed.claim = Claim::Held(at(second));
        self
    }

    /// An attempt of that second by Cloudflare's clock, which this process saw first at `first_seen`.
    pub(super) fn attempted(mut self, time: f64, first_seen: f64) -> Self {
        self.record.attempts.push(date(time));
        self.pair.attempting(date(time), at(first_seen));
        self
    }

    /// A call failed at that second.
    pub(super) fn troubled(mut self, second: f64, failure: Failure) -> Self {
        let edition = self.desired.edition();
        self.memory.failed(failure, edition, at(second));
        self
    }

    pub(super) fn at(mut self, second: f64) -> Self {
        self.now = second;
        self
    }

    pub(super) fn world(&self) -> World<'_> {
        World {
            desired: &self.desired,
            record: &self.record,
            observed: &self.observed,
            memory: &self.memory,
            pair: &self.pair,
            now: at(self.now),
            timing: &self.timing,
        }
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.world())
    }

    /// Plays a pass: answers what the plan asks from `cloudflare`, a millisecond each, and stores what it decides, until
    /// it acts, rests or leaves.
    pub(super) fn pass(&mut self, cloudflare: &Cloudflare) -> Plan {
        let mut looks = Vec::new();
        for _ in 0..12 {
            let next = self.plan();
            self.now += 0.001;
            match &next {
                Plan::Look(look) => {
                    looks.push(look.clone());
                    self.answer(look, cloudflare);
                }
                Plan::Settle {
                    verdict,
                    then: Then::Continue,
                    ..
                } => self.record = verdict.record.clone(),
                Plan::Settle { .. } | Plan::Mark | Plan::Release | Plan::Leave => return next,
            }
        }
        panic!("the plan goes in circles: {looks:#?}")
    }

    pub(super) fn answer(&mut self, look: &Look, cloudflare: &Cloudflare) {
        self.observed.object_confirmed = false;
        match look {
            Look::Credentials => self.observed.credentials = Credentials::Usable,
            Look::Claim => self.observed.claim = Claim::Held(at(self.now)),
            Look::Definition => self.observed.definition = Definition::Stands,
            Look::Namespace => self.observed.namespace = Namespace::Stays,
            Look::Object => self.observed.object_confirmed = true,
            Look::Listing { .. } => {
                let snapshot = Snapshot {
                    gap: cloudflare.gap,
                    ..list(self.now, &cloudflare.list)
                };
                *self = self.clone().listed(snapshot);
            }
            Look::Connector(id) => self.memory.saw(Sighting {
                id: id.clone(),
                at: at(self.now),
                date: Some(date(self.now)),
                connector: cloudflare.page.clone(),
            }),
            Look::Publisher => self.observed.publisher = Publisher::Usable,
            Look::Zone => {
                let publication = self.desired.publication.as_ref();
                self.memory.publishing.found(Search {
                    named: publication.and_then(|publication| publication.zone.clone()),
                    at: at(self.now),
                    result: cloudflare.zone.clone().ok_or(NoZone::NotFound),
                });
            }
            Look::Records(zone) => self.memory.publishing.saw(RecordsSeen {
                zone: zone.clone(),
                at: at(self.now),
                records: cloudflare.records.clone(),
                gap: cloudflare.gap,
            }),
            Look::Txt { .. } => self.observed.txt = Txt::Unknown,
        }
    }
}

/// What Cloudflare answers during a pass.
#[derive(Debug, Clone, Default)]
pub(super) struct Cloudflare {
    pub(super) page: Option<Connector>,
    pub(super) list: Vec<Connector>,
    pub(super) gap: Option<&'static str>,
    pub(super) zone: Option<ZoneId>,
    pub(super) records: Vec<TxtRecord>,
}

impl Cloudflare {
    pub(super) fn shows(connector: &Connector) -> Self {
        Self {
            page: Some(connector.clone()),
            list: vec![connector.clone()],
            ..Self::default()
        }
    }
}
