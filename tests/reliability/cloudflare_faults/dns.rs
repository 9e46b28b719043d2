//! Every class of faults, on every endpoint of Cloudflare DNS, where the TXT record is published and where it is taken away,
//! once and lasting. However it goes, the connector is changed and deleted while Cloudflare DNS fails; in the end there is
//! one record of ours, and then none; and the records of others stand untouched.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use simulator::{Call, Failure, Fault, FaultHandle, Knobs, Operation, Repeat, When};

use super::classes::{FaultClass, Repetition};
use super::published::{Found, Phase, Subject};
use super::{AT_ONCE, FLAGS, chosen, until_struck};
use crate::PATIENT_LEASE;
use crate::stage::Stage;
use crate::tally;

/// What suffers while the record is published, and while it is taken away; in some phases nothing does.
type Life = (Operation, Option<Operation>);

/// All lives. Together they meet every endpoint in every phase that calls it.
const LIVES: [Life; 4] = [
    (Operation::ListZones, Some(Operation::DeleteRecord)),
    (Operation::GetZone, Some(Operation::ListRecords)),
    (Operation::ListRecords, None),
    (Operation::CreateRecord, None),
];

/// How many rows each class has.
const ROWS_OF_A_CLASS: usize = 6 * 2;

/// How many calls a fault that lasts strikes at least, unless the phase ends without another.
const LASTS: u32 = 3;

/// One class that strikes an object while its record is published and taken away.
struct Course<'a> {
    subject: Subject<'a>,
    stage: &'a Stage,
    class: FaultClass,
    repetition: Repetition,
    life: Life,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_class_on_every_endpoint_of_dns_keeps_neither_sso_nor_the_records_of_others_from_being_as_they_should()
 {
    let knobs = Knobs {
        // Nothing is verified, so that the record has to be published.
        poll_interval: Duration::from_hours(1),
        ..Knobs::default()
    };
    let stage = Stage::with(harness::Options::default(), knobs).await;
    // No zone counts as gone within the test.
    let zones_stay = ["--absence-confirmation", "10m"];
    let flags = [&FLAGS, PATIENT_LEASE, &zones_stay].concat();
    let mut operator = stage.operator(&flags).await;
    let chosen = chosen();
    let mut courses = Vec::new();
    for class in &chosen {
        for repetition in [Repetition::Single, Repetition::Lasting] {
            for life in LIVES {
                courses.push((class.clone(), repetition, life));
            }
        }
    }
    let stage = &stage;
    let courses = courses.into_iter().enumerate();
    let run = courses.map(|(number, (class, repetition, life))| async move {
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
    let outcomes: Vec<_> = outcomes.into_iter().flatten().collect();
    let rows = outcomes.len();
    let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    let count = failed.len();
    tally::tell(&format!(
        "Faults of Cloudflare DNS: {rows} rows, {count} of them failed"
    ));
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(rows, chosen.len() * ROWS_OF_A_CLASS);
    assert!(operator.process().is_running().unwrap());
    assert_eq!(operator.get("/readyz").await.unwrap(), "ok\n");
}

impl Course<'_> {
    /// Lives to the end, or to the first phase that goes wrong; what came of each row.
    async fn run(self) -> Vec<Result<(), String>> {
        let (publishing, withdrawing) = self.life;
        let named = publishing == Operation::GetZone;
        let mut rows = Vec::new();
        for (phase, struck) in [
            (Phase::Publish { named }, Some(publishing)),
            (Phase::Withdraw, withdrawing),
        ] {
            let outcome = self.pass(phase, struck).await;
            let described = outcome.map_err(|problem| {
                let (class, repetition) = (self.class.name, self.repetition);
                let name = &self.subject.name;
                format!("{class} ({repetition:?}) on {struck:?} in {phase:?}, {name}: {problem}")
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
    async fn pass(&self, phase: Phase, struck: Option<Operation>) -> Result<(), String> {
        let subject = &self.subject;
        let before = self.changes(0).last().map_or(0, |call| call.sequence);
        let fault = struck.map(|operation| (operation, self.arrange(phase, operation)));
        subject.enter(phase).await;
        let ended = async || {
            let ended = subject.until_ended(phase).await;
            ended.map_err(|timeout| timeout.to_string())
        };
        let mut strikes = None;
        if let Some((operation, fault)) = fault {
            until_struck(&fault, 1).await?;
            subject.ask_for_more(phase).await;
            self.goes_on(phase, &fault).await?;
            fault.release();
            ended().await?;
            strikes = Some((operation, fault.struck() as usize));
            fault.remove();
        } else {
            ended().await?;
        }
        self.expect(phase, strikes, before)
    }

    /// Puts the fault in place, before the phase begins.
    fn arrange(&self, phase: Phase, operation: Operation) -> FaultHandle {
        let admin = self.stage.simulator.admin();
        if loses_a_deletion(phase, operation) {
            let lost = Failure::Reset {
                when: When::BeforeCommit,
            };
            let lost = Fault::new(lost).on(Operation::DeleteRecord);
            admin.push_fault(lost.on_domain(&self.subject.domain));
        }
        let repeat = match self.repetition {
            Repetition::Single => Repeat::Times(1),
            Repetition::Lasting => Repeat::Forever,
        };
        let fault = Fault::new(self.class.failure())
            .on(operation)
            .on_domain(&self.subject.domain)
            .repeat(repeat);
        admin.push_fault(fault)
    }

    /// While DNS fails, the connector gets what it is to get; and whoever looks is told that with Cloudflare's connectors all
    /// is well.
    async fn goes_on(&self, phase: Phase, fault: &FaultHandle) -> Result<(), String> {
        let subject = &self.subject;
        let enough = match self.repetition {
            Repetition::Single => 1,
            Repetition::Lasting => LASTS,
        };
        tokio::select! {
            struck = until_struck(fault, enough) => struck?,
            ended = subject.until_ended(phase) => ended.map_err(|timeout| timeout.to_string())?,
        }
        let served = subject.until_served(phase).await;
        served.map_err(|timeout| timeout.to_string())
    }

    /// The calls for this object since then that could change something.
    fn changes(&self, after: u64) -> simulator::Calls {
        let domain = &self.subject.domain;
        let admin = self.stage.simulator.admin();
        admin.calls_that(|call| {
            call.operation.is_mutation()
                && call.sequence > after
                && call.domain.as_ref() == Some(domain)
        })
    }

    /// Exactly what the phase takes has been changed, and only what was struck was called in vain.
    fn expect(
        &self,
        phase: Phase,
        strikes: Option<(Operation, usize)>,
        before: u64,
    ) -> Result<(), String> {
        let calls = self.changes(before);
        let struck = |operation| match strikes {
            Some((suffering, struck)) if suffering == operation => struck,
            _ => 0,
        };
        let loses = strikes.is_some_and(|(suffering, _)| loses_a_deletion(phase, suffering));
        let stays = strikes.is_some_and(|(operation, _)| self.is_left(phase, operation));
        for operation in [
            Operation::Create,
            Operation::BeginVerification,
            Operation::Update,
            Operation::Delete,
            Operation::CreateRecord,
            Operation::UpdateRecord,
            Operation::DeleteRecord,
        ] {
            let these = calls.clone().of(operation);
            let done = these.clone().committed().count();
            let vain = these.count() - done;
            let is_spared = stays && operation == Operation::DeleteRecord;
            let expected = if is_spared { 0 } else { phase.takes(operation) };
            let lost = usize::from(loses && operation == Operation::DeleteRecord);
            let least = if self.class.takes_effect() {
                lost
            } else {
                lost + struck(operation)
            };
            // Perhaps sent again before the first one has taken effect.
            let most = if self.class.takes_effect_late() {
                lost + struck(operation) + 1
            } else {
                least
            };
            let is_right = (least..=most).contains(&vain);
            if done != expected || !is_right {
                let shown: Vec<&Call> = calls.as_slice().iter().collect();
                return Err(format!(
                    "{done} {operation:?} for {expected}, {vain} in vain, {} struck: {shown:#?}",
                    struck(operation)
                ));
            }
        }
        let expected = match phase {
            Phase::Publish { .. } => 1,
            Phase::Withdraw => usize::from(stays),
        };
        match self.subject.records() {
            Found::Ours(count) if count == expected => Ok(()),
            found => Err(format!("{found:?} for {expected} of ours")),
        }
    }

    /// Whether our record is left behind, as Cloudflare says that it is gone, which nobody can tell from the truth.
    fn is_left(&self, phase: Phase, operation: Operation) -> bool {
        let lies = self.class.lies_about(Operation::Delete);
        phase == Phase::Withdraw && operation == Operation::DeleteRecord && lies
    }
}

/// What was seen just now is not listed again to delete the record, but for a deletion of which nobody knows what came of it.
fn loses_a_deletion(phase: Phase, suffering: Operation) -> bool {
    phase == Phase::Withdraw && suffering == Operation::ListRecords
}
