//! One sequence, played: each step is done for real, and when the operator has come to rest, what stands must be a state that
//! the oracle knows.

use std::time::{Duration, Instant};

use simulator::{Calls, Effect, Operation};

use super::ground::Ground;
use super::hand::Hand;
use super::nevers::{self, Window};
use super::oracle::{self, Change, Deed, Sight, State};
use super::step::Scene;

/// What the operator must have shown of itself before it counts as resting: so many renewals of its Lease …
const HEARTBEATS: usize = 3;
/// … and so many looks at Cloudflare, where it is to look.
const LOOKS: usize = 2;

/// A sequence in play.
pub(crate) struct Case<'a> {
    hand: Hand<'a>,
    /// Every state in which a faithful operator may be.
    states: Vec<State>,
    /// What was done since the last rest, and the call and the states with which that ended.
    deeds: Vec<Deed>,
    rested: u64,
    before: Vec<State>,
    stood: usize,
}

/// What a sequence came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) steps: usize,
    /// Steps that found nothing to do.
    pub(crate) idle: usize,
    pub(crate) rests: usize,
    pub(crate) changes: usize,
}

/// Plays a sequence under names of its own. `patience` is how long the operator may take to come to rest.
///
/// # Errors
/// In words, what the operator did that the design does not.
pub(crate) async fn play(
    ground: &Ground,
    scenes: &[Scene],
    patience: Duration,
) -> Result<Tally, String> {
    let mut case = Case {
        hand: Hand::new(ground).await,
        states: vec![State::new()],
        deeds: Vec::new(),
        rested: 0,
        before: vec![State::new()],
        stood: 0,
    };
    let mut tally = Tally::default();
    let mut outcome = Ok(());
    for (place, scene) in scenes.iter().enumerate() {
        let deeds = case.hand.takes(scene.step()).await;
        tally.steps += 1;
        tally.idle += usize::from(deeds.is_empty());
        outcome = case.done(deeds);
        let settles = matches!(scene, Scene::Settled(_)) || place + 1 == scenes.len();
        if outcome.is_ok() && settles {
            tally.rests += 1;
            outcome = case
                .rest(patience)
                .await
                .map(|changes| tally.changes += changes);
        }
        if let Err(flaw) = &mut outcome {
            *flaw = format!("after step {place}, {:?}: {flaw}", scene.step());
            break;
        }
    }
    case.hand.cleans_up().await;
    outcome.map(|()| tally)
}

impl Case<'_> {
    /// What the deeds make of every state.
    fn done(&mut self, deeds: Vec<Deed>) -> Result<(), String> {
        for deed in deeds {
            let mut states: Vec<State> = Vec::new();
            for state in oracle::reachable(std::mem::take(&mut self.states)) {
                if let Some(state) = state.done(&deed).filter(|state| !states.contains(state)) {
                    states.push(state);
                }
            }
            if states.is_empty() {
                return Err(format!("no faithful operator leaves this to do: {deed:?}"));
            }
            self.states = states;
            self.deeds.push(deed);
        }
        Ok(())
    }

    /// Waits until the operator rests in one of the states that the oracle knows. How much it has changed since the last
    /// rest.
    async fn rest(&mut self, patience: Duration) -> Result<usize, String> {
        let states = oracle::reachable(std::mem::take(&mut self.states));
        let mut seen: Option<(Sight, Vec<State>)> = None;
        let mut since: Option<(usize, usize)> = None;
        let begun = Instant::now();
        let sight = loop {
            let calls = self.hand.calls_after(self.rested);
            let sight = self.hand.sight(changes(&calls));
            self.judge(&calls, &sight, &states)?;
            let is_new = seen.as_ref().is_none_or(|(known, _)| *known != sight);
            if is_new {
                let resting = resting(&states, &sight);
                seen = Some((sight, resting));
                since = None;
            }
            let Some((sight, resting)) = &seen else {
                continue;
            };
            let heard = (self.hand.ground.heartbeats(), looks(&calls));
            if let Some(state) = resting.first() {
                let (heartbeats, looked) = *since.get_or_insert(heard);
                let polled = !state.is_polled() || heard.1 >= looked + LOOKS;
                if polled && heard.0 >= heartbeats + HEARTBEATS {
                    break sight.clone();
                }
            }
            if begun.elapsed() > patience {
                return Err(self.at_a_loss(sight, &states));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        self.states = seen.map(|(_, resting)| resting).unwrap_or_default();
        self.before.clone_from(&self.states);
        self.deeds.clear();
        self.stood = sight.connectors.len();
        self.rested = self.hand.last_call(self.rested);
        Ok(sight.changes.len())
    }

    /// What is wrong at any moment, at rest or not.
    fn judge(&self, calls: &Calls, sight: &Sight, states: &[State]) -> Result<(), String> {
        nevers::check(&Window {
            before: &self.before,
            deeds: &self.deeds,
            calls: calls.as_slice(),
            stood: self.stood,
        })?;
        let allowed = states.iter().any(|state| state.allows(&sight.changes));
        if allowed {
            Ok(())
        } else {
            Err(format!(
                "no faithful operator makes these changes: {:?}; {}",
                sight.changes,
                self.at_a_loss(sight, states)
            ))
        }
    }

    /// For a person who has to find out what went wrong.
    fn at_a_loss(&self, sight: &Sight, states: &[State]) -> String {
        let ends: Vec<&State> = states.iter().filter(|state| state.rests()).collect();
        format!(
            "in {} is seen\n{sight:#?}\nand a faithful operator rests in one of\n{ends:#?}",
            self.hand.namespace
        )
    }
}

fn resting(states: &[State], sight: &Sight) -> Vec<State> {
    let mut all: Vec<State> = Vec::new();
    for state in states.iter().filter_map(|state| state.resting_as(sight)) {
        if !all.contains(&state) {
            all.push(state);
        }
    }
    all
}

/// What the operator has changed, sorted; a PATCH of two fields is two changes.
fn changes(calls: &Calls) -> Vec<Change> {
    let committed = calls
        .as_slice()
        .iter()
        .filter(|call| call.effect == Effect::Committed);
    let mut changes: Vec<Change> = committed
        .flat_map(|call| match call.operation {
            Operation::Create => vec![Change::Create],
            Operation::Delete => vec![Change::Delete],
            Operation::BeginVerification => vec![Change::Begin],
            Operation::Update => {
                let switched = nevers::asks_for(call).map(|enabled| {
                    if enabled {
                        Change::Enable
                    } else {
                        Change::Disable
                    }
                });
                let worded = call
                    .body
                    .as_ref()
                    .and_then(|body| body["use_fedramp_language"].as_bool());
                switched
                    .into_iter()
                    .chain(worded.map(Change::Reword))
                    .collect()
            }
            _ => Vec::new(),
        })
        .collect();
    changes.sort_unstable();
    changes
}

/// How often the operator has looked at the account.
fn looks(calls: &Calls) -> usize {
    let all = calls.as_slice().iter();
    all.filter(|call| matches!(call.operation, Operation::List | Operation::Get))
        .count()
}
