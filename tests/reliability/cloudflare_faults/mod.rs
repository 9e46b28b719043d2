//! Every class of faults, on every endpoint, in every phase of an object's life, once and lasting. However it goes, the phase
//! ends where it would have ended without the fault, with one connector, with exactly the changes that it takes, and no call
//! is made in vain but those that the fault has struck.

mod classes;
mod dns;
mod life;
mod published;

use std::time::Duration;

use futures::{StreamExt as _, stream};
use simulator::{Call, Fault, FaultHandle, Knobs, Operation, Repeat};

use crate::PATIENT_LEASE;
use crate::stage::{Stage, condition};
use crate::tally;
use classes::{FaultClass, Repetition, classes};
use life::{LIVES, Life, Phase, Subject, has_changed};

/// How long a phase may take: many objects share one machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// How many objects live at the same time.
const AT_ONCE: usize = 48;

/// How many rows each class has, so that none gets lost unseen: every endpoint in every phase that calls it, once and lasting.
const ROWS_OF_A_CLASS: usize = 18 * 2;

/// Names the classes to try, by commas; all if it is not set.
const CHOICE: &str = "FAULT_CLASSES";

/// So many objects need not be looked at all the time, and what is refused or rejected is tried again soon.
const FLAGS: [&str; 14] = [
    "--poll-unverified",
    "2s",
    "--poll-settled",
    "5s",
    "--restart-backoff",
    "1s",
    "--refused-token-retry",
    "300ms",
    "--namespace-refusal-interval",
    "20ms",
    "--refusal-window",
    "100ms",
    "--changed-token-window",
    "100ms",
];

/// The classes to try.
fn chosen() -> Vec<FaultClass> {
    let mut all = classes();
    assert_eq!(all.len(), 39, "in docs/reliability.md, too");
    if let Ok(choice) = std::env::var(CHOICE) {
        let names: Vec<_> = choice.split(',').collect();
        all.retain(|class| names.contains(&class.name));
    }
    all
}

/// One class that strikes an object through its life.
struct Course<'a> {
    subject: Subject<'a>,
    stage: &'a Stage,
    class: FaultClass,
    repetition: Repetition,
    life: Life,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_class_on_every_endpoint_in_every_phase_ends_as_if_it_had_not_been() {
    let knobs = Knobs {
        poll_interval: Duration::from_millis(500),
        ..Knobs::default()
    };
    let stage = Stage::with(harness::Options::default(), knobs).await;
    let flags = [&FLAGS, PATIENT_LEASE].concat();
    let mut operator = stage.operator(&flags).await;
    let mut courses = Vec::new();
    let chosen = chosen();
    for class in &chosen {
        for repetition in [Repetition::Single, Repetition::Lasting] {
            for life in LIVES {
                courses.push((class.clone(), repetition, life));
            }
        }
    }
    let stage = &stage;
    let run =
        courses
            .into_iter()
            .enumerate()
            .map(|(number, (class, repetition, life))| async move {
                let subject = Subject::born(stage, number).await;
                let course = Course {
                    subject,
                    stage,
                    class,
                    repetition,
                    life,
                };
                course.run().await
            });
    let outcomes: Vec<_> = stream::iter(run).buffer_unordered(AT_ONCE).collect().await;
    let rows = outcomes.iter().flatten().count();
    let failed: Vec<_> = outcomes
        .iter()
        .flatten()
        .filter_map(|row| row.as_ref().err())
        .collect();
    tally::tell(&format!(
        "Cloudflare's faults: {rows} rows, {} of them failed",
        failed.len()
    ));
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(rows, chosen.len() * ROWS_OF_A_CLASS);
    assert!(operator.process().is_running().unwrap());
    assert_eq!(operator.get("/readyz").await.unwrap(), "ok\n");
}

async fn until_struck(fault: &FaultHandle, times: u32) -> Result<(), String> {
    let struck = harness::until("the fault to strike", PATIENCE, async || {
        let struck = fault.struck();
        (struck >= times).then_some(()).ok_or(struck)
    });
    struck.await.map_err(|timeout| timeout.to_string())
}

impl Course<'_> {
    /// Lives to the end, or to the first phase that goes wrong; what came of each row.
    async fn run(self) -> Vec<Result<(), String>> {
        let mut rows = Vec::new();
        for (round, (phase, struck)) in self.life.iter().enumerate() {
            let outcome = self.pass(*phase, *struck, round).await;
            let Self {
                class, repetition, ..
            } = &self;
            let described = outcome.map_err(|problem| {
                let name = &self.subject.name;
                format!(
                    "{} ({repetition:?}) on {struck:?} in {phase:?}, {name}: {problem}",
                    class.name
                )
            });
            let is_over = described.is_err();
            if struck.is_some() || is_over {
                rows.push(described);
            }
            if is_over {
                break;
            }
        }
        rows
    }

    /// One row: the phase with the fault.
    async fn pass(
        &self,
        phase: Phase,
        struck: Option<Operation>,
        round: usize,
    ) -> Result<(), String> {
        let subject = &self.subject;
        let was_enabled = subject
            .connector()
            .is_some_and(|connector| connector.enabled);
        let before = self.changes(0).last().map_or(0, |call| call.sequence);
        let fault = struck.map(|operation| (operation, self.arrange(operation)));
        subject.enter(phase, round).await;
        if let Some((operation, fault)) = &fault {
            self.suffer(*operation, fault).await?;
        }
        let ended = async || {
            let ended = subject.until_ended(phase, round).await;
            ended.map_err(|timeout| timeout.to_string())
        };
        ended().await?;
        let mut strikes = None;
        if let Some((operation, fault)) = fault {
            // What was seen just now need not be listed for a while; then the phase lasts until it is.
            until_struck(&fault, 1).await?;
            ended().await?;
            strikes = Some((operation, fault.struck() as usize));
            fault.remove();
        }
        self.expect(phase, was_enabled, strikes, before)
    }

    /// Puts the fault in place, before the phase begins.
    fn arrange(&self, operation: Operation) -> FaultHandle {
        let repeat = match (self.repetition, self.class.shows(operation)) {
            (Repetition::Single, _) => Repeat::Times(1),
            (Repetition::Lasting, Some(_)) => Repeat::Forever,
            // A second creation takes a grace period, a third one another.
            (Repetition::Lasting, None) => Repeat::Times(2),
        };
        let fault = Fault::new(self.class.failure())
            .on(operation)
            .repeat(repeat);
        let fault = fault.on_account(&self.subject.account);
        self.stage.simulator.admin().push_fault(fault)
    }

    /// What lasts is shown, and then it ends.
    async fn suffer(&self, operation: Operation, fault: &FaultHandle) -> Result<(), String> {
        let Some((kind, reason)) = self.class.shows(operation) else {
            return Ok(());
        };
        if self.repetition == Repetition::Single {
            return Ok(());
        }
        let shown = self.subject.until(reason, |object| {
            let (_, found, _) = condition(object, kind);
            found == reason
        });
        shown.await.map_err(|timeout| timeout.to_string())?;
        fault.release();
        Ok(())
    }

    /// The calls for this object since then that could change something.
    fn changes(&self, after: u64) -> simulator::Calls {
        let account = &self.subject.account;
        let admin = self.stage.simulator.admin();
        admin.calls_that(|call| {
            call.operation.is_mutation()
                && call.sequence > after
                && call.account.as_ref() == Some(account)
        })
    }

    /// Exactly what the phase takes has been changed, and only what was struck was called in vain.
    fn expect(
        &self,
        phase: Phase,
        was_enabled: bool,
        strikes: Option<(Operation, usize)>,
        before: u64,
    ) -> Result<(), String> {
        let calls = self.changes(before);
        let lied = strikes.is_some_and(|(operation, _)| self.class.lies_about(operation));
        for operation in [
            Operation::Create,
            Operation::BeginVerification,
            Operation::Update,
            Operation::Delete,
        ] {
            let these = calls.clone().of(operation);
            let done = these.clone().filter(has_changed).count();
            let vain = these.count() - done;
            let expected = match phase.takes(operation, was_enabled) {
                1 if lied && operation == Operation::Delete => 0,
                takes => takes,
            };
            let struck = strikes.filter(|(suffering, _)| *suffering == operation);
            let struck = struck.map_or(0, |(_, struck)| struck);
            let is_right = match (self.class.takes_effect(), self.class.takes_effect_late()) {
                (false, _) => done == expected && vain == struck,
                (true, false) => done == expected && vain == 0,
                // Sent again before the first one has taken effect; but nothing is created again.
                (true, true) if operation == Operation::Update => {
                    (expected..=expected + struck).contains(&(done + vain))
                }
                (true, true) => done == expected && vain <= struck,
            };
            if !is_right {
                let shown: Vec<&Call> = calls.as_slice().iter().collect();
                return Err(format!(
                    "{done} {operation:?} for {expected}, {vain} in vain, {struck} struck: {shown:#?}"
                ));
            }
        }
        let expected = phase != Phase::Delete || lied;
        if self.subject.connector().is_some() == expected {
            Ok(())
        } else {
            Err("the connector is not as it should be".to_owned())
        }
    }
}
