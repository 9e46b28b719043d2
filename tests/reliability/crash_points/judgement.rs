//! Whether a row ended as if nothing had happened.
//!
//! What must be the same as in the undisturbed run: all that can be seen whenever the operator has come to rest, and the
//! calls by which Cloudflare was changed, to the last byte and in their order. The operator may *send* one of them a second
//! time in just one case: it was killed right before the call went on its way, so Cloudflare has not heard of it. Where that
//! is a POST, or where the operator was killed between storing its intent and sending it, the successor cannot tell whether
//! it was carried out: it must have seen two lists without what it creates, the second past a grace, before its own. So there
//! is never a second connector nor a second record, and none is asked for where one stands.

use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::{Call, Calls, Operation};

use super::row::{CONFIRMATION, Crash, GRACE, Side};
use super::scene::Scene;
use super::trail::{Point, Sent};
use crate::step::Step;

/// What a row has come to.
pub(super) struct Account {
    /// What was to be seen whenever the operator had come to rest.
    pub(super) scenes: Vec<Scene>,
    /// The calls that reached Cloudflare.
    pub(super) calls: Calls,
    /// The calls that the operator sent.
    pub(super) sent: Vec<Sent>,
    /// The points that it passed.
    pub(super) points: Vec<Point>,
    /// When the operator was started again.
    pub(super) restarted: Option<Instant>,
}

impl Account {
    /// Whether the operator was killed as it should be, after the same changes as in the undisturbed run.
    pub(super) fn came_to(&self, crash: Crash, undisturbed: &Self) -> bool {
        let way = |account: &Self| -> Vec<Point> {
            let points = account.points.iter().copied();
            let is_on_it =
                |point: &Point| point.step.changes() && point.chapter <= crash.point.chapter;
            points.filter(is_on_it).collect()
        };
        self.restarted.is_some() && way(self) == way(undisturbed)
    }
}

const BEGIN: Step = Step::Cloudflare(Operation::BeginVerification);

/// A creation whose intent is stored before it, the list that shows whether it was carried out, and how long one that does
/// not may be behind.
const CREATIONS: [(Step, Step, Duration); 2] = [
    (
        Step::Cloudflare(Operation::Create),
        Step::Cloudflare(Operation::List),
        GRACE,
    ),
    (
        Step::Cloudflare(Operation::CreateRecord),
        Step::Cloudflare(Operation::ListRecords),
        CONFIRMATION,
    ),
];

/// Compares a row with the undisturbed run.
///
/// # Errors
/// What differs.
pub(super) fn judge(undisturbed: &Account, crash: Crash, row: &Account) -> Result<(), String> {
    same(
        "the scenes",
        &expected_scenes(undisturbed, crash),
        &row.scenes,
    )?;
    same(
        "the changes at Cloudflare",
        &changes(&undisturbed.calls),
        &changes(&row.calls),
    )?;
    same(
        "the changes that were sent",
        &expected_sent(undisturbed, crash),
        &changes_sent(&row.sent),
    )?;
    for (post, list, grace) in CREATIONS {
        // The successor finds an intent and cannot know whether the POST was carried out, which it was not.
        if falls_between_record_and(post, undisturbed, crash) {
            is_justified(row, post, list, grace)?;
        }
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!(
            "{what} should be {expected:#?}, and are {found:#?}"
        ))
    }
}

/// A beginning of the verification is counted when it is recorded. One that was recorded and never sent counts, too.
fn expected_scenes(undisturbed: &Account, crash: Crash) -> Vec<Scene> {
    let mut scenes = undisturbed.scenes.clone();
    if falls_between_record_and(BEGIN, undisturbed, crash) {
        scenes.iter_mut().for_each(Scene::count_one_more_restart);
    }
    scenes
}

fn expected_sent(undisturbed: &Account, crash: Crash) -> Vec<Step> {
    let mut sent = changes_sent(&undisturbed.sent);
    let Step::Cloudflare(_) = crash.point.step else {
        return sent;
    };
    if crash.side == Side::Before && crash.point.step.changes() {
        let is_earlier = |point: &&Point| point.chapter <= crash.point.chapter;
        let is_change = |point: &&Point| is_change(point.step);
        let points = undisturbed.points.iter();
        let place = points.filter(is_earlier).filter(is_change).count();
        sent.insert(place, crash.point.step);
    }
    sent
}

/// Whether the operator dies after it has recorded that it is about to send this, and before anybody has heard of it.
fn falls_between_record_and(step: Step, undisturbed: &Account, crash: Crash) -> bool {
    let points = &undisturbed.points;
    let Some(place) = points.iter().position(|point| point.step == step) else {
        return false;
    };
    match crash.side {
        Side::Before => crash.point == points[place],
        // The record is what was sent right before.
        Side::After => crash.point == points[place - 1],
    }
}

/// A second POST rests on two lists, the second a grace after the process can have seen the attempt.
fn is_justified(row: &Account, post: Step, list: Step, grace: Duration) -> Result<(), String> {
    let restarted = row.restarted.ok_or("it was not started again")?;
    let since: Vec<_> = row.sent.iter().filter(|sent| sent.at > restarted).collect();
    let place = since
        .iter()
        .position(|sent| sent.step == post)
        .ok_or("there is no second POST")?;
    let lists: Vec<_> = since[..place]
        .iter()
        .filter(|sent| sent.step == list)
        .map(|sent| sent.at.duration_since(restarted))
        .collect();
    match lists[..] {
        [_, .., newest] if newest >= grace => Ok(()),
        _ => Err(format!("the second POST rests on lists after {lists:?}")),
    }
}

/// What changed Cloudflare, or could have.
fn changes(calls: &Calls) -> Vec<(Operation, Option<Value>)> {
    let change = |call: &Call| (call.operation, call.body.clone().map(nameless));
    let calls = calls.clone().mutations();
    calls.as_slice().iter().map(change).collect()
}

/// The body without what differs from one row to the next: the code and the object's UID in a record. The scenes show them.
fn nameless(mut body: Value) -> Value {
    for (field, before) in [("content", '='), ("comment", ' ')] {
        let known = body.get_mut(field).and_then(|value| {
            let (known, _) = value.as_str()?.split_once(before)?;
            let known = known.to_owned();
            Some((value, known))
        });
        if let Some((value, known)) = known {
            *value = known.into();
        }
    }
    body
}

fn changes_sent(sent: &[Sent]) -> Vec<Step> {
    let steps = sent.iter().map(|sent| sent.step);
    steps.filter(|step| is_change(*step)).collect()
}

fn is_change(step: Step) -> bool {
    matches!(step, Step::Cloudflare(_)) && step.changes()
}
