//! Everything that there is: two names in a cluster, an account at Cloudflare, up to two processes of the operator of which
//! one leads, people, and time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use cloudflare_sso_operator::resource::SsoConnectorSpec;

use crate::axis::{Axis, INSTANT, START};
use crate::cloudflare::{Cloudflare, Creator, Item};
use crate::cluster::{Cluster, NAMES, Name};
use crate::events::{Event, Secret};
use crate::nevers::{Ledger, Never};
use crate::pass::{Contact, Outcome, Seat};
use crate::process::{Entry, Process};
use crate::scene::{Before, Kind, Rules, Scene};

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
        let now = universe.moment();
        universe.processes[0] = Some(Process::start(&universe.cluster.objects, now));
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
        let (leader, now) = (self.leader, self.moment());
        let objects = &self.cluster.objects;
        if let Some(process) = self.processes[leader]
            .as_mut()
            .filter(|process| !process.frozen)
        {
            process.brought(objects, now);
        }
        Some(())
    }

    pub fn start(&mut self) {
        self.processes[self.leader] = Some(Process::start(&self.cluster.objects, self.moment()));
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
