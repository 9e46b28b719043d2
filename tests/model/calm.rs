//! How a universe must end: from whatever has happened, once nobody interferes any more and the trouble is over, the world
//! comes to what the objects say and stays so, without another write. That is eventually stable reconciliation. The calm
//! has one course only, so it is followed until it comes back to where it was; what it passes through is remembered, and
//! the next universe need be followed only until its course joins a known one.

use std::collections::{HashMap, HashSet};

use cloudflare_sso_operator::cloudflare::VerificationStatus;
use cloudflare_sso_operator::plan::Activity;
use cloudflare_sso_operator::resource::{
    ConditionType, EnforcementState, ManagementPolicy, find_condition,
};

use crate::axis::INSTANT;
use crate::cloudflare::Item;
use crate::cluster::{Copy, Crd, NAMES, Name};
use crate::events::{Event, Secret};
use crate::pass::{Contact, Outcome, Seat};
use crate::scene::Scene;
use crate::universe::Universe;

/// More steps than any trouble takes.
const MOST_STEPS: usize = 2_000;

impl Universe {
    /// Whether everything comes to a good end in a calm.
    ///
    /// # Errors
    /// What is wrong with the end.
    pub fn ends_well(&self, scene: &Scene) -> Result<(), String> {
        let mut universe = self.clone();
        universe.calm_down(scene);
        let mut passed: HashMap<u64, (u32, u32)> = HashMap::new();
        let mut verdict = Err("there is no end".to_owned());
        for _ in 0..MOST_STEPS {
            if let Some(never) = universe.broken {
                return Err(format!("{never:?} in a calm"));
            }
            let fingerprint = universe.fingerprint();
            if scene.known.lock().unwrap().contains(&fingerprint) {
                verdict = Ok(());
                break;
            }
            let done = (universe.writes, universe.mutations);
            if let Some(before) = passed.insert(fingerprint, done) {
                verdict = if before == done {
                    universe.rests(scene)
                } else {
                    Err("it never comes to rest".to_owned())
                };
                break;
            }
            if !universe.goes_on(scene) {
                verdict = universe.end();
                break;
            }
        }
        if verdict.is_ok() {
            scene.known.lock().unwrap().extend(passed.keys());
        }
        verdict
    }

    /// The trouble ends.
    fn calm_down(&mut self, scene: &Scene) {
        self.disturbances = 0;
        let leader = self.leader;
        self.processes[1 - leader] = None;
        if self.processes[leader].is_none() {
            self.start();
        }
        self.secrets = [Secret::Good; NAMES];
        if self.cluster.crd != Crd::Stands {
            self.happens(scene, Event::CrdReturns);
        }
        for name in 0..NAMES {
            if self.is_left_alone(name) {
                self.happens(scene, Event::Suspend(name, false));
                self.happens(scene, Event::Observe(name, false));
            }
        }
        self.happens(scene, Event::Thaw);
        self.happens(scene, Event::Txt);
        self.settle_down();
    }

    fn is_left_alone(&self, name: Name) -> bool {
        self.cluster.objects[name].as_ref().is_some_and(|copy| {
            let desired = &copy.stored.desired;
            let observes = desired.management == ManagementPolicy::Observe;
            observes || desired.activity == Activity::Suspended
        })
    }

    /// Nothing happens until the operator has come to rest.
    pub fn calms(&mut self, scene: &Scene) {
        let mut passed = HashSet::new();
        while passed.insert(self.fingerprint()) && self.goes_on(scene) {}
        while !self.is_quiet() && self.goes_on(scene) {}
    }

    fn is_quiet(&self) -> bool {
        let leader = self.processes[self.leader].as_ref().unwrap();
        leader.is_at_rest() && !(0..NAMES).any(|name| leader.is_due(name, self.now))
    }

    pub fn settle_down(&mut self) {
        let objects = self.cluster.objects.clone();
        let now = self.moment();
        if let Some(process) = &mut self.processes[self.leader] {
            process.brought(&objects, now);
        }
        self.normalise();
    }

    /// The next step of the calm; false if there is none.
    fn goes_on(&mut self, scene: &Scene) -> bool {
        let process = self.leader;
        let leader = self.processes[process].as_ref().unwrap();
        let under_way =
            |name: &usize| leader.entries[*name].pass.is_some() || leader.is_due(*name, self.now);
        if let Some(name) = (0..NAMES).find(under_way) {
            let seat = Seat { process, name };
            self.step(Contact {
                rules: &scene.rules,
                seat,
                outcome: Outcome::Works,
            });
        } else if let Some(due) = self.next_due() {
            let span = due.saturating_sub(self.now) + INSTANT;
            self.elapse(&scene.rules, span);
        } else {
            return false;
        }
        self.settle_down();
        true
    }

    /// Nothing is done any more; time passes, and all is as it should be.
    fn rests(&mut self, scene: &Scene) -> Result<(), String> {
        for _ in 0..MOST_STEPS {
            if self.is_quiet() {
                return self.end();
            }
            self.goes_on(scene);
        }
        Err("it never stops looking".to_owned())
    }

    /// Whether every object has come to the end that is right for it, or what is wrong.
    fn end(&self) -> Result<(), String> {
        let owners = self.cluster.objects.iter().flatten();
        let owners = owners
            .filter(|copy| reason(copy) != "DuplicateDomain")
            .count();
        for copy in self.cluster.objects.iter().flatten() {
            let fine = match reason(copy).as_str() {
                "DuplicateDomain" => owners == 1 && !copy.stored.desired.terminating,
                reason => self.is_right(copy, reason),
            };
            let spoken =
                copy.status().observed_generation == copy.stored.object.metadata.generation;
            if !fine || !spoken {
                let status = copy.status();
                return Err(format!(
                    "{} with {:?}; {status:?}",
                    reason(copy),
                    self.cloudflare.items
                ));
            }
        }
        Ok(())
    }

    fn is_right(&self, copy: &Copy, reason: &str) -> bool {
        let stored = &copy.stored;
        let bound = stored.record.connector.as_ref();
        let item = bound.and_then(|id| self.cloudflare.item(id));
        let wanted = stored.desired.enabled;
        let held = stored.record.enforcement.as_ref().is_some_and(|known| {
            known.state == EnforcementState::Held
                && stored.desired.enable_at == stored.record.handled_enable_at
        });
        let excused = self.ledger.excuse && held;
        match (reason, item) {
            _ if stored.desired.terminating => false,
            ("Available", Some(item)) => {
                item.is_verified() && wanted.is_none_or(|wanted| wanted == item.is_enabled())
            }
            ("HeldByExternalChange", Some(item)) => {
                excused && wanted.is_some_and(|wanted| wanted != item.is_enabled())
            }
            ("DeletedExternally", None) => excused && self.cloudflare.items.is_empty(),
            ("AmbiguousMatch", None) => self.cloudflare.items.len() > 1,
            ("AdoptionRefused", None) => !self.cloudflare.items.is_empty(),
            ("VerificationFailed" | "AwaitingVerification", Some(item)) => awaits_a_person(item),
            _ => false,
        }
    }
}

/// The spec leaves it to people to begin the verification.
fn awaits_a_person(item: &Item) -> bool {
    item.status() == Some(&VerificationStatus::Awaiting)
}

/// The reason of Ready.
pub fn reason(copy: &Copy) -> String {
    let status = copy.status();
    let ready = find_condition(&status.conditions, ConditionType::Ready);
    ready.map(|ready| ready.reason.clone()).unwrap_or_default()
}
