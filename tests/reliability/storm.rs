//! Five hundred objects on one token when Cloudflare has had enough of it: everybody pauses, whoever was edited meanwhile goes
//! first afterwards, and the process stays up and ready.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use harness::Operator;
use serde_json::json;
use simulator::{Call, Effect, Failure, Fault, Knobs, Operation, Repeat};

use crate::PATIENT_LEASE;
use crate::crowd::{CALM, account, bind, name};
use crate::stage::{PATIENCE, Stage};
use crate::tally;

const OBJECTS: usize = 500;
const EDITED: usize = 20;
/// Calls per second, and at once after a rest, as they stand in [`SLOW`].
const RATE: usize = 4;
const BURST: usize = 10;
const SLOW: [&str; 6] = [
    "--calls-per-second",
    "4",
    "--call-burst",
    "10",
    "--poll-unverified",
    "5s",
];
/// How many passes are under way at the same time, each of which may be making a call when the pause begins.
const UNDER_WAY: usize = 8;
/// What Cloudflare asks for, again and again.
const PAUSE: Duration = Duration::from_secs(4);
const PAUSES: usize = 3;
/// A call that arrives so soon after the first refusal had been sent before that was read.
const READING: Duration = Duration::from_secs(1);
/// In which the edited ones are served. If all took their turns alike, the last of them would come after two minutes.
const SERVED: Duration = Duration::from_secs(45);

/// Spread over all of them.
fn edited() -> impl Iterator<Item = usize> {
    (0..OBJECTS).step_by(OBJECTS / EDITED)
}

#[tokio::test]
async fn a_pause_holds_for_five_hundred_objects_and_the_edited_ones_go_first_afterwards() {
    let knobs = Knobs {
        rate_limit: u32::MAX,
        ..Knobs::default()
    };
    let stage = Stage::with(harness::Options::default(), knobs).await;
    bind(&stage, OBJECTS).await;
    let flags = [&SLOW, &CALM[..], PATIENT_LEASE].concat();
    let mut operator = stage.operator(&flags).await;
    let admin = stage.simulator.admin();
    let fault = Fault::new(Failure::limit_reached(Some(PAUSE))).repeat(Repeat::Forever);
    let storm = admin.push_fault(fault);
    storm.arrived(PATIENCE).await.unwrap();
    for number in edited() {
        let spec = json!({ "useFedrampLanguage": true });
        stage.patch_spec(&name(number), spec).await;
    }
    let refused = || admin.calls_that(|call| call.status() == Some(429));
    harness::until("the pauses", PATIENCE, async || {
        let pauses = pauses(refused().as_slice()).len();
        (pauses >= PAUSES).then_some(()).ok_or(pauses)
    })
    .await
    .unwrap();
    expect_well(&mut operator).await;
    storm.release();

    let is_done =
        |call: &Call| call.operation == Operation::Update && call.effect == Effect::Committed;
    harness::until("the edits to be applied", 3 * PATIENCE, async || {
        let done = admin.calls_that(is_done).count();
        (done == EDITED).then_some(()).ok_or(done)
    })
    .await
    .unwrap();
    expect_well(&mut operator).await;
    let refused = refused();
    expect_pauses(refused.as_slice(), admin.calls().as_slice());
    let last = pauses(refused.as_slice()).last().copied().unwrap();
    let after = admin.calls_that(|call| call.arrived >= last + PAUSE);
    expect_order(after.as_slice());
    tally::tell(&format!(
        "storm: {OBJECTS} objects, {} calls refused in {PAUSES} pauses or more",
        refused.count()
    ));
}

async fn expect_well(operator: &mut Operator) {
    assert!(operator.process().is_running().unwrap());
    assert_eq!(operator.get("/readyz").await.unwrap(), "ok\n");
}

/// When each pause was asked for first.
fn pauses(refused: &[Call]) -> Vec<Duration> {
    let mut pauses: Vec<Duration> = Vec::new();
    for call in refused {
        let is_new = pauses
            .last()
            .is_none_or(|last| call.arrived >= *last + PAUSE / 2);
        if is_new {
            pauses.push(call.arrived);
        }
    }
    pauses
}

/// Nothing is called in a pause but what was under way when it began.
fn expect_pauses(refused: &[Call], calls: &[Call]) {
    for begun in pauses(refused) {
        let within = |call: &&Call| call.arrived > begun && call.arrived < begun + PAUSE;
        let during: Vec<_> = calls.iter().filter(within).collect();
        assert!(during.len() < UNDER_WAY, "{during:#?}");
        let late = during.iter().find(|call| call.arrived > begun + READING);
        assert!(late.is_none(), "{late:#?}");
    }
}

/// Until all edited ones have been served for the first time, hardly any other was.
fn expect_order(calls: &[Call]) {
    let begun = calls[0].arrived;
    let mut first: HashMap<&str, Duration> = HashMap::new();
    for call in calls {
        first
            .entry(call.account.as_deref().unwrap())
            .or_insert(call.arrived);
    }
    let edited: BTreeSet<String> = edited().map(account).collect();
    let served = edited
        .iter()
        .map(|account| first[account.as_str()])
        .max()
        .unwrap();
    let took = served.saturating_sub(begun);
    let others = first
        .iter()
        .filter(|(account, when)| !edited.contains(**account) && **when < served);
    let others = others.count();
    tally::tell(&format!(
        "storm: the {EDITED} edited ones were served within {took:?}, {others} others before the last of them"
    ));
    assert!(took < SERVED, "{took:?}");
    let seconds = usize::try_from(took.as_secs()).unwrap() + 1;
    assert!(
        others <= BURST + UNDER_WAY + RATE * seconds / 2,
        "{others} in {took:?}"
    );
}
