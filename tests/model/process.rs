//! What one process of the operator holds, all of which dies with it. Each part has its like in `controller::objects`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::identity::ConnectorId;
use cloudflare_sso_operator::plan::{Access, Memory, PairMemory, Snapshot};

use crate::axis::Axis;
use crate::cluster::{Copy, NAMES};
use crate::pass::Pass;

/// A list that passes share.
#[derive(Debug, Clone, Hash)]
pub struct Listing {
    pub snapshot: Arc<Snapshot>,
    points: Vec<Duration>,
}

impl Listing {
    pub fn new(mut snapshot: Snapshot) -> Self {
        let mut survey = Axis::Survey(Vec::new());
        survey.snapshot(&mut snapshot);
        let Axis::Survey(points) = survey else {
            unreachable!("a survey stays one")
        };
        Self {
            snapshot: Arc::new(snapshot),
            points,
        }
    }

    pub fn retime(&mut self, axis: &mut Axis) {
        if axis.visit_shared(&self.points) {
            let mut snapshot = Snapshot::clone(&self.snapshot);
            axis.snapshot(&mut snapshot);
            *self = Self::new(snapshot);
        }
    }
}

#[derive(Debug, Clone, Default, Hash)]
pub struct Process {
    /// What the watch has brought.
    pub cache: [Option<Copy>; NAMES],
    /// Since when it has what those objects want.
    pub seen: [Option<Seen>; NAMES],
    /// Whether the watch brings nothing, although all else works.
    pub frozen: bool,
    pub entries: [Entry; NAMES],
    pub pair: PairMemory,
    /// The objects that are there, and whether the account was listed with their tokens.
    pub present: BTreeMap<String, Access>,
    pub listing: Option<Listing>,
    /// What the last look by ID showed: which connector, and whether it is verified.
    pub last_look: Option<(ConnectorId, bool)>,
}

/// What an object wants, and since when a process knows of it.
#[derive(Debug, Clone, Hash)]
pub struct Seen {
    uid: String,
    generation: i64,
    pub since: Moment,
}

/// What it remembers of the object of one name.
#[derive(Debug, Clone, Default, Hash)]
pub struct Entry {
    pub uid: String,
    pub memory: Memory,
    pub bound: Option<ConnectorId>,
    pub written: Option<Copy>,
    pub superseded: bool,
    pub token_worked: bool,
    /// When the next pass is due; never if only a change of the object brings one.
    pub due: Option<Duration>,
    /// The version that the last pass began with.
    pub passed: u64,
    pub pass: Option<Box<Pass>>,
}

impl Process {
    /// A process that has just listed the objects.
    pub fn start(objects: &[Option<Copy>; NAMES], now: Moment) -> Self {
        let mut process = Self::default();
        process.brought(objects, now);
        process
    }

    /// The watch brings what there is.
    pub fn brought(&mut self, objects: &[Option<Copy>; NAMES], now: Moment) {
        self.cache.clone_from(objects);
        for (copy, seen) in objects.iter().zip(&mut self.seen) {
            let Some(copy) = copy else {
                *seen = None;
                continue;
            };
            let (uid, generation) = (copy.uid(), copy.stored.desired.generation);
            let is_same = |seen: &Seen| seen.uid == uid && seen.generation == generation;
            if !seen.as_ref().is_some_and(is_same) {
                *seen = Some(Seen {
                    uid: uid.to_owned(),
                    generation,
                    since: now,
                });
            }
        }
    }

    pub fn is_at_rest(&self) -> bool {
        self.entries.iter().all(|entry| entry.pass.is_none())
    }

    /// Whether a pass over the object of that name would begin now.
    pub fn is_due(&self, name: usize, now: Duration) -> bool {
        let entry = &self.entries[name];
        let cached = self.cache[name].as_ref().map(|copy| copy.version);
        let changed = cached.is_some_and(|version| version != entry.passed);
        let removed = cached.is_none() && !entry.uid.is_empty();
        let due = entry.due.is_some_and(|due| due <= now) && cached.is_some();
        entry.pass.is_none() && (changed || removed || due)
    }

    /// The object of the entry is gone.
    pub fn forget(&mut self, name: usize, now: Moment) {
        let entry = std::mem::take(&mut self.entries[name]);
        if !entry.uid.is_empty() {
            self.present.remove(&entry.uid);
            let bound = entry.bound.as_ref();
            self.pair.departed(&entry.uid, bound, &entry.memory, now);
        }
    }

    pub fn sweep(&mut self, now: Moment, grace: Duration) {
        if self.present.is_empty() && self.pair.is_spent(now, grace) {
            self.pair = PairMemory::default();
        }
    }

    /// The versions of all copies that it holds, and those that it has seen.
    pub fn versions(&mut self) -> impl Iterator<Item = &mut u64> {
        let entries = self.entries.iter_mut().flat_map(|entry| {
            let pass = entry.pass.as_mut().into_iter();
            let copies = entry
                .written
                .iter_mut()
                .chain(pass.flat_map(|pass| pass.copies()));
            let versions = copies.map(|copy| &mut copy.version);
            versions.chain(std::iter::once(&mut entry.passed))
        });
        let cached = self.cache.iter_mut().flatten();
        cached.map(|copy| &mut copy.version).chain(entries)
    }

    /// All copies that it holds.
    pub fn copies(&mut self) -> impl Iterator<Item = &mut Copy> {
        let entries = self.entries.iter_mut().flat_map(|entry| {
            let pass = entry.pass.as_mut().into_iter();
            entry
                .written
                .iter_mut()
                .chain(pass.flat_map(|pass| pass.copies()))
        });
        self.cache.iter_mut().flatten().chain(entries)
    }

    pub fn retime(&mut self, axis: &mut Axis) {
        for copy in self.copies() {
            copy.retime(axis);
        }
        axis.pair(&mut self.pair);
        for seen in self.seen.iter_mut().flatten() {
            axis.moments([&mut seen.since]);
        }
        self.listing
            .iter_mut()
            .for_each(|listing| listing.retime(axis));
        for entry in &mut self.entries {
            axis.memory(&mut entry.memory);
            entry.due.iter_mut().for_each(|due| axis.visit(due));
            entry.pass.iter_mut().for_each(|pass| pass.retime(axis));
        }
    }
}
