//! The election over random candidates: clocks that started at different times, lost and late writes, deaths, pauses.

use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::lease::{Sight, Step, Terms, Writing, decide};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::random_worlds::fixed;

const TERMS: Terms = Terms {
    duration: Duration::from_secs(30),
    deadline: Duration::from_secs(15),
    interval: Duration::from_secs(3),
};

/// The longest call that may still be under way when a leader must not begin another.
const LONGEST_CALL: Duration = Duration::from_secs(12);

const CANDIDATES: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Time goes on, by milliseconds.
    Tick(u64),
    /// The candidate reads the Lease.
    Look(usize),
    /// It decides, and sends what it decided on.
    Send(usize),
    /// What it sent arrives at the API server.
    Arrive(usize),
    /// The answer arrives.
    Answer(usize),
    /// What it sent, or the answer, is lost.
    Lose(usize),
    /// It lets go, in order.
    Release(usize),
    /// It is killed and started anew.
    Kill(usize),
}

#[derive(Debug, Default)]
struct Candidate {
    identity: String,
    /// When its process started, by the model's time.
    started: Duration,
    sight: Option<Sight>,
    held: Option<Moment>,
    /// A write under way: when it was sent, what it rests on, and whether it succeeded once it has arrived.
    write: Option<(Moment, Option<String>, Option<bool>)>,
    /// Until when a call that it has begun may be under way, by the model's time.
    acts_until: Duration,
}

#[derive(Debug, Default)]
struct World {
    now: Duration,
    lease: Option<(Writing, String)>,
    writes: u32,
    candidates: Vec<Candidate>,
}

impl World {
    fn new() -> Self {
        let candidates = (0..CANDIDATES).map(|number| Candidate {
            identity: format!("first {number}"),
            started: Duration::from_secs(number as u64 * 1000),
            ..Candidate::default()
        });
        Self {
            now: Duration::from_secs(10_000),
            candidates: candidates.collect(),
            ..Self::default()
        }
    }

    fn moment(&self, who: usize) -> Moment {
        Moment::from_start(self.now.saturating_sub(self.candidates[who].started))
    }

    fn step(&self, who: usize) -> Option<Step> {
        let candidate = &self.candidates[who];
        let sight = candidate.sight.as_ref()?;
        let now = self.moment(who);
        Some(decide(
            sight,
            &candidate.identity,
            candidate.held,
            now,
            &TERMS,
        ))
    }

    fn play(&mut self, turn: Turn) {
        match turn {
            Turn::Tick(span) => self.now += Duration::from_millis(span),
            Turn::Look(who) => {
                let now = self.moment(who);
                let lease = self.lease.clone();
                let candidate = &mut self.candidates[who];
                candidate.sight = Some(Sight::then(candidate.sight.as_ref(), lease, now));
            }
            Turn::Send(who) => self.send(who),
            Turn::Arrive(who) => self.arrive(who),
            Turn::Answer(who) => self.answer(who),
            Turn::Lose(who) => self.candidates[who].write = None,
            Turn::Release(who) => self.release(who),
            Turn::Kill(who) => self.kill(who),
        }
    }

    fn send(&mut self, who: usize) {
        let now = self.moment(who);
        let step = self.step(who);
        let candidate = &mut self.candidates[who];
        match step {
            Some(Step::Create) if candidate.write.is_none() => {
                candidate.write = Some((now, None, None));
            }
            Some(Step::Write(version)) if candidate.write.is_none() => {
                candidate.write = Some((now, Some(version), None));
            }
            Some(Step::Lost) => self.kill(who),
            _ => {}
        }
    }

    fn arrive(&mut self, who: usize) {
        let Some((_, basis, outcome @ None)) = &mut self.candidates[who].write else {
            return;
        };
        let version = self.lease.as_ref().map(|(_, version)| version);
        let accepted = version == basis.as_ref();
        *outcome = Some(accepted);
        if accepted {
            let holder = self.candidates[who].identity.clone();
            self.store(holder, TERMS.duration);
        }
    }

    fn store(&mut self, holder: String, duration: Duration) {
        self.writes += 1;
        let writing = Writing {
            holder,
            stamp: self.writes.to_string(),
            duration,
        };
        self.lease = Some((writing, self.writes.to_string()));
    }

    fn answer(&mut self, who: usize) {
        let Some((sent, _, Some(accepted))) = self.candidates[who].write.take() else {
            return;
        };
        self.play(Turn::Look(who));
        let ends = TERMS.deadline + LONGEST_CALL;
        let age = self.moment(who).since(sent);
        let begun = self.now.saturating_sub(age);
        let candidate = &mut self.candidates[who];
        if !accepted {
            return;
        }
        candidate.held = Some(sent);
        candidate.acts_until = candidate.acts_until.max(begun + ends);
        self.one_acts(who);
    }

    /// Nobody else may have a call under way when a candidate may begin one.
    fn one_acts(&self, who: usize) {
        let candidate = &self.candidates[who];
        let may_act = candidate
            .held
            .is_some_and(|sent| self.moment(who) < sent + TERMS.deadline);
        for (other, rival) in self.candidates.iter().enumerate() {
            assert!(
                !may_act || other == who || rival.acts_until <= self.now,
                "{who} acts while {other} may: {self:#?}"
            );
        }
    }

    fn release(&mut self, who: usize) {
        let holds = self.candidates[who].held.is_some();
        let holder = self
            .lease
            .as_ref()
            .map(|(writing, _)| writing.holder.clone());
        // It ends all its calls before it lets go.
        if holds && holder.as_ref() == Some(&self.candidates[who].identity) {
            self.store(String::new(), Duration::from_secs(1));
            self.candidates[who].acts_until = self.now;
        }
        self.restart(who);
    }

    /// What was under way at Cloudflare may still be.
    fn kill(&mut self, who: usize) {
        self.restart(who);
    }

    fn restart(&mut self, who: usize) {
        let acts_until = self.candidates[who].acts_until;
        self.candidates[who] = Candidate {
            identity: format!("{who} since {:?} after {}", self.now, self.writes),
            started: self.now,
            acts_until,
            ..Candidate::default()
        };
    }
}

fn turn() -> impl Strategy<Value = Turn> {
    let who = || 0..CANDIDATES;
    prop_oneof![
        4 => prop_oneof![0..500u64, 500..4_000u64].prop_map(Turn::Tick),
        1 => (4_000..40_000u64).prop_map(Turn::Tick),
        6 => who().prop_map(Turn::Look),
        8 => who().prop_map(Turn::Send),
        8 => who().prop_map(Turn::Arrive),
        8 => who().prop_map(Turn::Answer),
        1 => who().prop_map(Turn::Lose),
        1 => who().prop_map(Turn::Release),
        1 => who().prop_map(Turn::Kill),
    ]
}

proptest! {
    #![proptest_config(fixed(1000, 9))]

    /// Never two at once; and once nothing goes wrong any more, one leads.
    #[test]
    fn never_two_lead_and_in_the_end_one_does(turns in vec(turn(), 1..200)) {
        let mut world = World::new();
        for turn in turns {
            world.play(turn);
        }
        for _ in 0..80 {
            for who in 0..CANDIDATES {
                for turn in [Turn::Look(who), Turn::Send(who), Turn::Arrive(who), Turn::Answer(who)] {
                    world.play(turn);
                }
            }
            world.play(Turn::Tick(1_000));
        }
        let leading = (0..CANDIDATES).filter(|who| {
            let held = world.candidates[*who].held;
            held.is_some_and(|sent| world.moment(*who) < sent + TERMS.deadline)
        });
        prop_assert_eq!(leading.count(), 1);
    }
}
