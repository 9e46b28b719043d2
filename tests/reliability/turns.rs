//! However much there is to do, everybody has a turn.

use std::collections::BTreeMap;
use std::time::Duration;

use simulator::{Failure, Fault, Operation, Repeat, When};

use crate::PATIENT_LEASE;
use crate::crowd::{CALM, account, bind};
use crate::stage::{PATIENCE, Stage};
use crate::witness::last_call;

const OBJECTS: usize = 60;
/// How long each look takes: with eight at a time a round takes three seconds, and everybody is to be looked at every second.
const SLOW: Duration = Duration::from_millis(400);
/// How often each object has been looked at when it is seen who got how much.
const TURNS: usize = 3;

#[tokio::test]
async fn objects_that_always_have_something_to_do_keep_nobody_waiting() {
    let stage = Stage::set().await;
    bind(&stage, OBJECTS).await;
    let slow = Failure::Delay {
        when: When::AfterCommit,
        time: SLOW,
    };
    let slow = Fault::new(slow).on(Operation::List);
    let admin = stage.simulator.admin();
    admin.push_fault(slow.repeat(Repeat::Forever));
    let before = last_call(&stage);
    let flags = [&["--poll-unverified", "1s"], &CALM[..], PATIENT_LEASE].concat();
    let _operator = stage.operator(&flags).await;
    // A token is tried with care in each account first.
    until_looked_at(&stage, before, 1).await;
    let turns = until_looked_at(&stage, last_call(&stage), TURNS).await;
    let most = turns.values().max().copied().unwrap_or_default();
    assert!(most <= 3 * TURNS, "{turns:?}");
}

/// Waits until each object was looked at so often after that call; how often each was then, by account.
async fn until_looked_at(stage: &Stage, before: u64, times: usize) -> BTreeMap<String, usize> {
    let awaited = format!("everybody to be looked at {times} times");
    let admin = stage.simulator.admin();
    harness::until(&awaited, 3 * PATIENCE, async || {
        let looks =
            admin.calls_that(|call| call.operation == Operation::List && call.sequence > before);
        let nobody = (0..OBJECTS).map(|number| (account(number), 0));
        let mut turns: BTreeMap<String, usize> = nobody.collect();
        for look in looks.as_slice() {
            *turns.entry(look.account.clone().unwrap()).or_default() += 1;
        }
        let all = turns.values().all(|count| *count >= times);
        if all {
            Ok(turns)
        } else {
            Err(format!("{turns:?}"))
        }
    })
    .await
    .unwrap()
}
