//! Everything that there is: two names in a cluster, an account at Cloudflare, up to two processes of the operator of which
//! one leads, people, and time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Changes, Creation};
use cloudflare_sso_operator::resource::{
    DeletionPolicy, ENABLE_AT, ManagementPolicy, SsoConnectorSpec,
};

use crate::axis::{Axis, INSTANT, START};
use crate::cloudflare::{Cloudflare, Creator, DOMAIN, Item};
use crate::cluster::{Cluster, Copy, Crd, NAMES, Name};
use crate::nevers::{Deed, Ledger, Never, applied};
use crate::pass::{Contact, Outcome, Seat};
use crate::process::{Entry, Process};
use crate::scene::{Before, Kind, Rules, Scene};

/// What is in the Secret that an object names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Secret {
    Good,
    Absent,
    /// A token that Cloudflare does not accept.
    Refused,
}

/// What somebody outside the operator does, or what befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    // The user, at the API server.
    SetEnabled(Name, Option<bool>),
    SetPolicy(Name, DeletionPolicy),
    Suspend(Name, bool),
    Observe(Name, bool),
    /// An edit that is none of the operator's business.
    Label(Name),
    /// A new value of the enable-at annotation.
    EnableAt(Name),
    Delete(Name),
    /// Applies the object if it is not there.
    Apply(Name),
    /// Deletes and applies it again at once.
    Replace(Name),
    WipeStatus(Name),
    Secret(Name, Secret),
    /// The definition is deleted, and with it every object.
    CrdGoes,
    /// What kept it is taken off by force, and it is applied again: objects that still carry a finalizer come back.
    CrdReturns,
    // People, at Cloudflare.
    PersonEnables(bool),
    PersonDeletes,
    PersonCreates,
    Txt,
    // What befalls the operator.
    /// The watch brings nothing any more.
    Freeze,
    Thaw,
    /// The leader is paused beyond its lease, and the other replica takes over.
    TakeOver,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// One contact of a pass.
    Step(Seat, Outcome),
    Crash(usize),
    Start,
    /// Time passes until a pass is due.
    Due,
    /// Time passes by so many seconds.
    Elapse(u8),
    Happens(Event),
}

#[derive(Debug, Clone)]
pub struct Universe {
    pub now: Duration,
    pub cluster: Cluster,
    pub cloudflare: Cloudflare,
    pub processes: [Option<Process>; 2],
    pub leader: usize,
    pub secrets: [Secret; NAMES],
    pub ledger: Ledger,
    /// How many disturbances may still come.
    pub disturbances: u8,
    pub broken: Option<Never>,
    /// Writes of a status, and calls that change something at Cloudflare: only for the silence at the end.
    pub writes: u32,
    pub mutations: u32,
}

impl Hash for Universe {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, &self.cluster, &self.processes, self.leader).hash(state);
        (self.secrets, &self.ledger, self.disturbances, self.broken).hash(state);
        self.cloudflare.hash(state);
    }
}

impl PartialEq for Universe {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Universe {
    pub fn new(scene: &Scene) -> Self {
        let mut universe = Self {
            now: START,
            cluster: Cluster::new(),
            cloudflare: Cloudflare::new(scene.lag, scene.second),
            processes: [None, None],
            leader: 0,
            secrets: [Secret::Good; NAMES],
            ledger: Ledger::default(),
            disturbances: scene.disturbances,
            broken: None,
            writes: 0,
            mutations: 0,
        };
        for name in 0..scene.there {
            universe.cluster.create(name, scene.specs[name].clone());
        }
        universe.processes[0] = Some(Process::start(&universe.cluster.objects));
        for event in &scene.before {
            match event {
                Before::Happens(event) => {
                    universe.happens(scene, *event);
                }
                Before::Calm => universe.calms(scene),
            }
            universe.settle_down();
        }
        universe
    }

    pub fn process(&mut self, seat: Seat) -> &mut Process {
        self.processes[seat.process].as_mut().unwrap()
    }

    pub fn entry(&mut self, seat: Seat) -> &mut Entry {
        &mut self.process(seat).entries[seat.name]
    }

    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// What may happen next.
    pub fn actions(&self, scene: &Scene, actions: &mut Vec<Action>) {
        let may = |kind| self.disturbances > 0 && scene.kinds.contains(&kind);
        let mut is_busy = false;
        for (index, process) in self.processes.iter().enumerate() {
            let Some(process) = process else { continue };
            for name in 0..NAMES {
                let seat = Seat {
                    process: index,
                    name,
                };
                let pass = &process.entries[name].pass;
                let begins = index == self.leader && process.is_due(name, self.now);
                let troubles = match pass {
                    Some(pass) => pass.troubles(),
                    None if begins => &[Outcome::Fails, Outcome::Lost],
                    None => continue,
                };
                is_busy = true;
                let mut outcomes = vec![Outcome::Works];
                if may(Kind::Fault) {
                    outcomes.extend(troubles);
                }
                if may(Kind::Lag) {
                    let earlier = u8::try_from(self.cloudflare.past.len()).unwrap();
                    outcomes.extend((1..=earlier).map(Outcome::Lags));
                }
                actions.extend(
                    outcomes
                        .into_iter()
                        .map(|outcome| Action::Step(seat, outcome)),
                );
            }
            if may(Kind::Crash) {
                actions.push(Action::Crash(index));
            }
        }
        let leads = self.processes[self.leader].is_some();
        if !leads {
            actions.push(Action::Start);
        } else if !is_busy {
            actions.push(Action::Due);
        }
        if may(Kind::Delay) && (is_busy || !leads) {
            actions.extend(scene.delays.iter().map(|span| Action::Elapse(*span)));
        }
        if may(Kind::Event) {
            actions.extend(scene.events.iter().map(|event| Action::Happens(*event)));
        }
    }

    /// What follows from it; none if nothing would.
    pub fn after(&self, scene: &Scene, action: Action) -> Option<Self> {
        let mut next = self.clone();
        next.disturbances -= match action {
            Action::Step(_, Outcome::Works) | Action::Start | Action::Due => 0,
            Action::Step(..) | Action::Crash(_) | Action::Elapse(_) | Action::Happens(_) => 1,
        };
        next.act(scene, action)?;
        next.remember();
        next.normalise();
        Some(next)
    }

    fn act(&mut self, scene: &Scene, action: Action) -> Option<()> {
        match action {
            Action::Step(seat, outcome) => self.step(Contact {
                rules: &scene.rules,
                seat,
                outcome,
            })?,
            Action::Crash(process) => {
                self.processes[process].take()?;
                self.ledger.excuse = true;
            }
            Action::Start => self.start(),
            Action::Due => {
                let due = self.next_due()?;
                let span = due.saturating_sub(self.now) + INSTANT;
                self.elapse(&scene.rules, span);
            }
            Action::Elapse(seconds) => {
                self.elapse(&scene.rules, Duration::from_secs(u64::from(seconds)));
            }
            Action::Happens(event) => {
                self.happens(scene, event).then_some(())?;
            }
        }
        let leader = self.leader;
        let objects = &self.cluster.objects;
        if let Some(process) = self.processes[leader]
            .as_mut()
            .filter(|process| !process.frozen)
        {
            process.cache.clone_from(objects);
        }
        Some(())
    }

    pub fn start(&mut self) {
        self.processes[self.leader] = Some(Process::start(&self.cluster.objects));
    }

    pub fn next_due(&self) -> Option<Duration> {
        let process = self.processes[self.leader].as_ref()?;
        let cached = |name: &Name| process.cache[*name].is_some();
        let dues = (0..NAMES)
            .filter(cached)
            .filter_map(|name| process.entries[name].due);
        dues.min()
    }

    pub fn elapse(&mut self, rules: &Rules, span: Duration) {
        self.now += span;
        let (now, moment) = (self.now, self.moment());
        self.passes();
        for process in self.processes.iter_mut().flatten() {
            process.sweep(moment, rules.timing.creation_grace);
        }
        self.cloudflare.passes(now);
    }

    fn passes(&mut self) {
        let now = self.now;
        self.cloudflare.passes(now);
        let verified = self.cloudflare.items.iter().all(Item::is_verified);
        self.ledger.verified(verified, now);
    }

    /// Something happens. Whether it makes a difference.
    pub fn happens(&mut self, scene: &Scene, event: Event) -> bool {
        let now = self.now;
        match event {
            Event::SetEnabled(name, enabled) => {
                let edited = self
                    .cluster
                    .edit(name, |object| object.spec.enabled = enabled);
                if edited {
                    self.ledger.wants(enabled);
                }
                edited
            }
            Event::SetPolicy(name, policy) => self
                .cluster
                .edit(name, |object| object.spec.deletion_policy = Some(policy)),
            Event::Suspend(name, suspend) => self
                .cluster
                .edit(name, |object| object.spec.suspend = suspend.then_some(true)),
            Event::Observe(name, observe) => self.cluster.edit(name, |object| {
                object.spec.management_policy = observe.then_some(ManagementPolicy::Observe);
            }),
            Event::Label(name) => self.cluster.edit(name, |object| {
                let labels = object.metadata.labels.get_or_insert_default();
                if labels.remove("label").is_none() {
                    labels.insert("label".to_owned(), "any".to_owned());
                }
            }),
            Event::EnableAt(name) => {
                let edited = self.cluster.edit(name, |object| {
                    let annotations = object.metadata.annotations.get_or_insert_default();
                    let value = annotations.entry(ENABLE_AT.to_owned()).or_default();
                    value.push('x');
                });
                if edited {
                    self.ledger.hand = None;
                }
                edited
            }
            Event::Delete(name) => {
                // Whoever inherits a verified connector that is not enabled does not know why.
                self.ledger.excuse = true;
                self.cluster.delete(name)
            }
            Event::Apply(name) => {
                let free = self.cluster.objects[name].is_none() && self.cluster.crd == Crd::Stands;
                if free {
                    self.ledger.status_lost(now);
                    self.cluster.create(name, scene.specs[name].clone());
                }
                free
            }
            Event::Replace(name) => {
                self.happens(scene, Event::Delete(name)) && self.happens(scene, Event::Apply(name))
            }
            Event::WipeStatus(name) => {
                let wiped = self.cluster.wipe_status(name);
                if wiped {
                    self.ledger.status_lost(now);
                    self.ledger.forgotten = true;
                }
                wiped
            }
            Event::Secret(name, secret) => {
                let before = std::mem::replace(&mut self.secrets[name], secret);
                before != secret
            }
            Event::CrdGoes => {
                let stood = self.cluster.crd == Crd::Stands;
                for name in 0..NAMES {
                    self.cluster.delete(name);
                }
                self.cluster.crd = Crd::GoesAway;
                stood
            }
            Event::CrdReturns => {
                let went = self.cluster.crd != Crd::Stands;
                self.cluster.crd = Crd::Stands;
                self.cluster.edition += u8::from(went);
                went
            }
            Event::PersonEnables(_) | Event::PersonDeletes | Event::PersonCreates => {
                self.person_acts(event)
            }
            Event::Txt => {
                let before = std::mem::replace(&mut self.cloudflare.txt, true);
                self.passes();
                !before
            }
            Event::Freeze => self.freeze(true),
            Event::Thaw => self.freeze(false),
            Event::TakeOver => {
                let other = 1 - self.leader;
                let free = self.processes[other].is_none() && self.processes[self.leader].is_some();
                if free {
                    self.leader = other;
                    self.start();
                    self.ledger.excuse = true;
                }
                free
            }
        }
    }

    fn freeze(&mut self, frozen: bool) -> bool {
        match &mut self.processes[self.leader] {
            Some(process) if process.frozen != frozen => {
                process.frozen = frozen;
                true
            }
            _ => false,
        }
    }

    fn person_acts(&mut self, event: Event) -> bool {
        let now = self.now;
        let first = self.cloudflare.items.first().cloned();
        let mut objects = self.cluster.objects.iter().flatten();
        match (event, first) {
            (Event::PersonEnables(enabled), Some(item)) => {
                let was_applied = objects.find_map(applied);
                let changes = Changes {
                    enabled: Some(enabled),
                    ..Changes::default()
                };
                let differs = item.is_enabled() != enabled;
                let id = &item.connector.id;
                let done = differs && self.cloudflare.update(id, changes, now).is_ok();
                if done {
                    self.ledger.hand_changes(was_applied, enabled);
                }
                done
            }
            (Event::PersonDeletes, Some(item)) => {
                let id = &item.connector.id;
                let bound = |copy: &&Copy| copy.stored.record.connector.as_ref() == Some(id);
                let was_applied = objects.filter(bound).find_map(applied);
                let _ = self.cloudflare.delete(id, now);
                self.ledger.hand_deletes(was_applied);
                true
            }
            (Event::PersonCreates, None) => {
                let creation = Creation {
                    email_domain: DOMAIN.parse().unwrap(),
                    begin_verification: true,
                    use_fedramp_language: None,
                };
                let _ = self.cloudflare.create(&creation, Creator::Person, now);
                self.ledger.excuse = true;
                let hand = &mut self.ledger.hand;
                hand.take_if(|hand| hand.deed == Deed::Deleted);
                true
            }
            _ => false,
        }
    }

    /// What the operator has created and nobody remembers can be found only in a list. The operator does not promise to,
    /// while lists lag.
    fn remember(&mut self) {
        let ours = |item: &Item| item.creator == Creator::Operator;
        if !self.cloudflare.items.iter().any(ours) {
            return;
        }
        let records = self
            .cluster
            .objects
            .iter()
            .flatten()
            .map(|copy| &copy.stored.record);
        let mut records = records;
        let stored =
            records.any(|record| record.connector.is_some() || !record.attempts.is_empty());
        let known = self.processes[self.leader].as_ref().is_some_and(|process| {
            process.pair.known.is_some() || process.pair.open_attempts().next().is_some()
        });
        if !stored && !known {
            self.cloudflare.reveal();
        }
    }

    /// Brings times and versions into normal form: universes with the same future shall be the same.
    pub fn normalise(&mut self) {
        let mut survey = Axis::Survey(Vec::new());
        self.retime(&mut survey);
        let Axis::Survey(points) = survey else {
            unreachable!("a survey stays one")
        };
        let mut moves = Axis::normal_form(points, self.now);
        if !moves.is_still() {
            self.retime(&mut moves);
            moves.visit(&mut self.now);
        }
        self.number_versions();
    }

    fn retime(&mut self, axis: &mut Axis) {
        for copy in self.cluster.objects.iter_mut().flatten() {
            copy.retime(axis);
        }
        self.cloudflare.retime(axis);
        self.ledger.retime(axis);
        for process in self.processes.iter_mut().flatten() {
            process.retime(axis);
        }
    }

    /// Versions count from one, without gaps; those of the past stay in their order.
    fn number_versions(&mut self) {
        let mut versions: Vec<u64> = self.all_versions().map(|version| *version).collect();
        versions.sort_unstable();
        versions.dedup();
        versions.retain(|version| *version != 0);
        let count = versions.len() as u64;
        for version in self.all_versions() {
            if let Ok(place) = versions.binary_search(version) {
                *version = place as u64 + 1;
            }
        }
        self.cluster.versions = count;
    }

    fn all_versions(&mut self) -> impl Iterator<Item = &mut u64> {
        let objects = self.cluster.objects.iter_mut().flatten();
        let objects = objects.map(|copy| &mut copy.version);
        let held = self
            .processes
            .iter_mut()
            .flatten()
            .flat_map(Process::versions);
        objects.chain(held)
    }
}

/// A spec with `enabled`.
pub fn wanting(enabled: Option<bool>) -> SsoConnectorSpec {
    SsoConnectorSpec {
        enabled,
        ..crate::cluster::minimal_spec()
    }
}
