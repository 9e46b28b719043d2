//! The model world: one name in the cluster, one account at Cloudflare, one process of the operator, and time.

use std::collections::VecDeque;
use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{Changes, Creation, VerificationStatus};
use cloudflare_sso_operator::plan::Timing;
use cloudflare_sso_operator::resource::{
    ENABLE_AT, ManagementPolicy, RECONCILE_AT, SsoConnectorSpec,
};

use crate::cloudflare::{Cloudflare, Creator, DOMAIN, Item};
use crate::cluster::Cluster;
use crate::nevers::{Deed, Ledger};
use crate::pass::{End, Stop};
use crate::process::Process;
use crate::script::{Beat, Event, MOST_LAG, Script, Sky, Turn};

/// How long the API server's trouble is waited out.
const KUBERNETES_RETRY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Model {
    /// The time since the model began.
    pub now: Duration,
    pub cluster: Cluster,
    pub cloudflare: Cloudflare,
    pub process: Process,
    pub ledger: Ledger,
    pub timing: Timing,
    pub sky: Sky,
    pub secret: bool,
    /// Which token is in it.
    pub token: u32,
    /// What happens at the next contacts.
    pub beats: VecDeque<Beat>,
    /// When the next pass is due; never if only a change of the object brings one.
    due: Option<Duration>,
    /// The version of the object that the last pass began with.
    passed: usize,
    /// Neither lists nor looks by ID go back in time.
    read_to: [Duration; 2],
}

impl Model {
    pub fn new(spec: SsoConnectorSpec) -> Self {
        let cluster = Cluster::new(spec);
        Self {
            now: Duration::ZERO,
            process: Process::new(Duration::ZERO, cluster.versions.len() - 1),
            cluster,
            cloudflare: Cloudflare::new(),
            ledger: Ledger::default(),
            timing: Timing::default(),
            sky: Sky::default(),
            secret: true,
            token: 0,
            beats: VecDeque::new(),
            due: Some(Duration::ZERO),
            passed: 0,
            read_to: [Duration::ZERO; 2],
        }
    }

    /// Plays a whole script.
    pub fn played(script: Script) -> Self {
        let mut model = Self::new(script.spec);
        for turn in script.turns {
            model.play(turn);
        }
        model
    }

    pub fn play(&mut self, turn: Turn) {
        match turn {
            Turn::Pass { lag, beats } => self.pass_with(lag, beats),
            Turn::Due { beats } => {
                self.wait_until_due();
                self.pass_with(0, beats);
            }
            Turn::Calm(passes) => {
                for _ in 0..passes {
                    self.wait_until_due();
                    self.pass_with(0, Vec::new());
                }
            }
            Turn::Wait(milliseconds) => self.advance(Duration::from_millis(milliseconds)),
            Turn::Restart => self.restart(),
            Turn::Outside(event) => self.happens(event),
        }
    }

    /// The process's clock.
    pub fn moment(&self) -> Moment {
        Moment::from_start(self.now.saturating_sub(self.process.started))
    }

    pub fn advance(&mut self, span: Duration) {
        self.now += span;
        if !self.cloudflare.items().iter().all(Item::is_verified) {
            self.ledger.not_verified(self.now);
        }
        self.cloudflare.look_for_txt(self.now);
        let (now, grace) = (self.moment(), self.timing.creation_grace);
        self.process.sweep(now, grace);
    }

    /// The time that a read shows.
    pub fn read_time(&mut self, list: bool) -> Duration {
        let lag = if list {
            self.sky.list_lag
        } else {
            self.sky.get_lag
        };
        let time = self.now.saturating_sub(Duration::from_millis(lag));
        let place = &mut self.read_to[usize::from(list)];
        *place = time.max(*place);
        *place
    }

    /// A change of the object brings a pass at once; its removal does not.
    fn wait_until_due(&mut self) {
        let changed = self.passed + 1 < self.cluster.versions.len();
        if changed && self.cluster.object().is_some() {
            return;
        }
        let due = self.due.unwrap_or(self.now);
        self.advance(due.saturating_sub(self.now));
    }

    fn pass_with(&mut self, lag: usize, beats: Vec<Beat>) {
        let newest = self.cluster.versions.len() - 1;
        self.process.cache = self.process.cache.max(newest.saturating_sub(lag));
        self.passed = self.process.cache;
        if self.cluster.versions[self.process.cache].is_none() && self.due.is_none() {
            return;
        }
        self.beats = beats.into();
        let mutations = self.ledger.mutations;
        let end = self.pass();
        self.beats.clear();
        assert!(
            self.ledger.mutations <= mutations + 1,
            "one mutation per pass"
        );
        self.due = match end {
            Ok(End::Rest(span)) => Some(self.now + span),
            Ok(End::Conflict) => Some(self.now + Duration::from_millis(200)),
            Err(Stop::Dies) => return self.restart(),
            Err(_) => Some(self.now + KUBERNETES_RETRY),
        };
    }

    pub fn restart(&mut self) {
        self.ledger.process_died();
        self.advance(Duration::from_millis(1));
        self.process = Process::new(self.now, self.cluster.versions.len() - 1);
        self.passed = 0;
        self.due = Some(self.now);
        self.wait_out_what_nobody_remembers();
    }

    /// What was just created and is remembered neither by a status nor by the process can be found only in a list. The
    /// operator does not promise to, while lists lag.
    fn wait_out_what_nobody_remembers(&mut self) {
        let Some((attempt, posted)) = self.ledger.posted else {
            return;
        };
        let status = self
            .cluster
            .object()
            .and_then(|object| object.status.clone());
        let status = status.unwrap_or_default();
        let intents = status.pending_create.unwrap_or_default().attempts;
        let pair = &self.process.pair;
        let remembered = status.connector_id.is_some()
            || intents.contains(&attempt)
            || pair.known.is_some()
            || pair.open_attempts().any(|known| known.time == attempt);
        if !remembered {
            let visible = posted + MOST_LAG + Duration::from_secs(10);
            self.advance(visible.saturating_sub(self.now));
        }
    }

    pub fn happens(&mut self, event: Event) {
        match event {
            Event::SetEnabled(_)
            | Event::SetFedramp(_)
            | Event::SetBegin(_)
            | Event::SetPolicy(_)
            | Event::Suspend(_)
            | Event::Observe(_)
            | Event::ReconcileAt(_)
            | Event::EnableAt(_)
            | Event::Label(_)
            | Event::DeleteObject
            | Event::Recreate
            | Event::WipeStatus => self.user_acts(event),
            Event::Secret(there) => self.secret = there,
            Event::Rotate => self.token += 1,
            Event::Enable(_)
            | Event::DeleteConnector
            | Event::CreateConnector
            | Event::PersonFedramp(_) => self.person_acts(&event),
            Event::Txt(published) => {
                self.cloudflare.txt = published;
                self.advance(Duration::ZERO);
            }
            Event::VerificationFails => self.lose_verification(VerificationStatus::Failed),
            Event::VerificationLapses => self.lose_verification(VerificationStatus::Pending),
            Event::Sky(sky) => self.sky = sky,
        }
        self.wait_out_what_nobody_remembers();
    }

    fn lose_verification(&mut self, status: VerificationStatus) {
        self.cloudflare.lose_verification(status, self.now);
        self.advance(Duration::ZERO);
    }

    fn user_acts(&mut self, event: Event) {
        match event {
            Event::SetEnabled(enabled) => {
                self.ledger.wants(enabled);
                self.cluster.edit(|object| object.spec.enabled = enabled);
            }
            Event::SetFedramp(wording) => {
                self.cluster
                    .edit(|object| object.spec.use_fedramp_language = wording);
            }
            Event::SetBegin(begin) => {
                self.cluster
                    .edit(|object| object.spec.begin_verification = begin);
            }
            Event::SetPolicy(policy) => {
                self.cluster
                    .edit(|object| object.spec.deletion_policy = policy);
            }
            Event::Suspend(suspend) => {
                self.cluster
                    .edit(|object| object.spec.suspend = suspend.then_some(true));
            }
            Event::Observe(observe) => {
                let policy = observe.then_some(ManagementPolicy::Observe);
                self.cluster
                    .edit(|object| object.spec.management_policy = policy);
            }
            Event::ReconcileAt(value) => self.cluster.edit(|object| {
                let annotations = object.metadata.annotations.get_or_insert_default();
                annotations.insert(RECONCILE_AT.to_owned(), value.to_string());
            }),
            Event::EnableAt(value) => self.annotate(value),
            Event::Label(value) => self.cluster.edit(|object| {
                let labels = object.metadata.labels.get_or_insert_default();
                labels.insert("label".to_owned(), value.to_string());
            }),
            Event::DeleteObject => self.cluster.delete(),
            Event::Recreate if self.cluster.object().is_none() => {
                let before = self.cluster.versions.iter().rev().flatten().next();
                let spec = before.expect("there was an object").spec.clone();
                self.ledger.status_lost(self.now);
                self.cluster.create(spec);
            }
            Event::WipeStatus => {
                self.ledger.status_lost(self.now);
                self.cluster.wipe_status();
            }
            _ => {}
        }
    }

    fn annotate(&mut self, value: u8) {
        let versions = self.cluster.versions.len();
        self.cluster.edit(|object| {
            let annotations = object.metadata.annotations.get_or_insert_default();
            annotations.insert(ENABLE_AT.to_owned(), value.to_string());
        });
        if self.cluster.versions.len() > versions {
            self.ledger.hand = None;
        }
    }

    fn person_acts(&mut self, event: &Event) {
        let object = self.cluster.object();
        let first = self.cloudflare.items().first().cloned();
        match (event, first) {
            (Event::Enable(enabled), Some(item)) => {
                let changes = Changes {
                    enabled: Some(*enabled),
                    ..Changes::default()
                };
                let differs = item.is_enabled() != *enabled;
                let id = &item.connector.id;
                if self.cloudflare.update(id, changes, self.now).is_ok() && differs {
                    self.ledger.hand_changes(object, *enabled);
                }
                self.ledger.excuse = true;
            }
            (Event::PersonFedramp(wording), Some(item)) => {
                let changes = Changes {
                    use_fedramp_language: Some(*wording),
                    ..Changes::default()
                };
                let id = &item.connector.id;
                let _ = self.cloudflare.update(id, changes, self.now);
                self.ledger.excuse = true;
            }
            (Event::DeleteConnector, Some(item)) => {
                let id = &item.connector.id;
                let bound = object.is_some_and(|object| {
                    let status = object.status.as_ref();
                    status.and_then(|status| status.connector_id.as_deref()) == Some(id.as_str())
                });
                let _ = self.cloudflare.delete(id, self.now);
                if bound {
                    self.ledger.hand_deletes(object);
                }
            }
            (Event::CreateConnector, _) if self.cloudflare.items().len() < 2 => {
                let creation = Creation {
                    email_domain: DOMAIN.parse().unwrap(),
                    begin_verification: true,
                    use_fedramp_language: None,
                };
                self.cloudflare.create(&creation, Creator::Person, self.now);
                self.ledger.excuse = true;
                let hand = &mut self.ledger.hand;
                hand.take_if(|hand| hand.what == Deed::Deleted);
            }
            _ => {}
        }
    }
}
