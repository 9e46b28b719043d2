//! The election, over random troubles: never two that act at once, and in the end somebody leads.
//!
//! Several candidates with the real [`Candidate`] share one Lease, which the model keeps as the API server would: a write
//! succeeds if it carries the newest version. Their clocks start anywhere and run a little too fast or too slow. Calls are
//! delivered late or never, and so are answers; processes are paused in any state, killed, and started again.

use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::lease::{Candidate, Decision, Record, Terms};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::random_worlds::fixed;

const TERMS: Terms = Terms {
    duration: Duration::from_secs(30),
    renew_deadline: Duration::from_secs(15),
    interval: Duration::from_secs(3),
};
/// The longest call to Cloudflare that may be configured.
const CALL: u64 = 12_000;
/// When the shell gives a call for the Lease up.
const LEASE_CALL: Duration = Duration::from_secs(5);
const CANDIDATES: usize = 3;

/// What happens next. Times are milliseconds of the true time, which nobody in the model can see.
#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    /// The candidate does what it has to, unless it is paused.
    Run(usize),
    /// It does so, and its call is answered at once.
    Serve(usize),
    /// Its call reaches the API server.
    Arrive(usize),
    /// The answer reaches it.
    Answer(usize),
    LoseCall(usize),
    LoseAnswer(usize),
    Pause(usize),
    Resume(usize),
    Kill(usize),
    /// It is asked to end and releases the Lease.
    Release(usize),
    /// What a process that is no more has sent reaches the API server after all.
    ArriveLate,
}

/// Any span, and those after which something is due.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4_000u64,
        0..31_000u64,
        14_000..15_500u64,
        29_500..31_000u64
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..CANDIDATES;
    prop_oneof![
        6 => span().prop_map(Step::Pass),
        10 => who.clone().prop_map(Step::Serve),
        4 => who.clone().prop_map(Step::Run),
        3 => who.clone().prop_map(Step::Arrive),
        3 => who.clone().prop_map(Step::Answer),
        1 => who.clone().prop_map(Step::LoseCall),
        1 => who.clone().prop_map(Step::LoseAnswer),
        1 => who.clone().prop_map(Step::Pause),
        2 => who.clone().prop_map(Step::Resume),
        1 => who.clone().prop_map(Step::Kill),
        1 => who.prop_map(Step::Release),
        1 => Just(Step::ArriveLate),
    ]
}

/// By how many thousandths a clock runs wrong, and what it showed at first.
fn clock() -> impl Strategy<Value = (i64, u64)> {
    (-20..=20i64, 0..10_000_000u64)
}

#[derive(Debug, Clone)]
enum Call {
    Look,
    /// Puts the caller's identity there if the version is still this; `None`: if there is no Lease.
    Write(Option<u64>),
}

#[derive(Debug, Clone)]
enum Flight {
    Sent(Call),
    /// The answer: what was found, what was written, or that it was refused.
    Found(Option<Record>),
    Written(Record),
    Refused,
    Lost,
}

struct Process {
    candidate: Candidate,
    clock: (i64, u64),
    paused: bool,
    /// The one call for the Lease that is under way, and when it was sent by the process's own clock.
    call: Option<(Flight, Moment)>,
    /// When the last of its calls to Cloudflare ends, in true time.
    acts_until: u64,
    starts: u32,
    seat: usize,
}

impl Process {
    fn start(seat: usize, starts: u32, clock: (i64, u64)) -> Self {
        Self {
            candidate: Candidate::new(format!("candidate {seat}, start {starts}"), TERMS),
            clock,
            paused: false,
            call: None,
            acts_until: 0,
            starts,
            seat,
        }
    }

    fn now(&self, time: u64) -> Moment {
        let (wrong, start) = self.clock;
        let rate = u64::try_from(1_000 + wrong).unwrap();
        Moment::from_start(Duration::from_millis(start + time * rate / 1_000))
    }

    /// Whether what is checked right before the bytes go out would let a call pass.
    fn may_act(&self, time: u64) -> bool {
        let until = self.candidate.leads_until();
        until.is_some_and(|until| self.now(time) < until)
    }
}

struct World {
    time: u64,
    lease: Option<Record>,
    versions: u64,
    processes: Vec<Process>,
    acts: usize,
    /// Writes of processes that are no more: who is to hold the Lease, and the version that they rest on.
    late: Vec<(String, Option<u64>)>,
}

impl World {
    fn new(clocks: &[(i64, u64)]) -> Self {
        let processes = clocks.iter().enumerate();
        Self {
            time: 0,
            lease: None,
            versions: 0,
            processes: processes
                .map(|(seat, clock)| Process::start(seat, 0, *clock))
                .collect(),
            acts: 0,
            late: Vec::new(),
        }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Pass(span) => self.time += span,
            Step::Run(who) => self.run(who),
            Step::Serve(who) => {
                self.run(who);
                self.arrive(who);
                self.answer(who);
            }
            Step::Arrive(who) => self.arrive(who),
            Step::Answer(who) => self.answer(who),
            Step::LoseCall(who) | Step::LoseAnswer(who) => {
                if let Some((flight, _)) = &mut self.processes[who].call {
                    let is_sent = matches!(flight, Flight::Sent(_));
                    if is_sent == matches!(step, Step::LoseCall(_)) {
                        *flight = Flight::Lost;
                    }
                }
            }
            Step::Pause(who) => self.processes[who].paused = true,
            Step::Resume(who) => self.processes[who].paused = false,
            Step::Kill(who) => self.restart(who),
            Step::Release(who) => self.release(who),
            Step::ArriveLate => {
                if let Some((identity, version)) = self.late.pop() {
                    self.commit(&identity, version);
                }
            }
        }
    }

    /// What its calls have begun goes on without it.
    fn restart(&mut self, who: usize) {
        let process = &mut self.processes[who];
        let acts_until = process.acts_until;
        if let Some((Flight::Sent(Call::Write(version)), _)) = process.call {
            let identity = process.candidate.identity().to_owned();
            self.late.push((identity, version));
        }
        *process = Process::start(process.seat, process.starts + 1, process.clock);
        process.acts_until = acts_until;
    }

    /// A process that was asked to end makes no call any more, waits for the last one, and then writes.
    fn release(&mut self, who: usize) {
        let process = &self.processes[who];
        if process.paused || process.acts_until > self.time {
            return;
        }
        let ours = process.candidate.identity();
        if let Some(lease) = &mut self.lease
            && lease.holder.as_deref() == Some(ours)
        {
            self.versions += 1;
            lease.holder = None;
            lease.version = self.versions.to_string();
            self.restart(who);
        }
    }

    fn run(&mut self, who: usize) {
        let time = self.time;
        let process = &mut self.processes[who];
        if process.paused {
            return;
        }
        let now = process.now(time);
        if let Some((_, sent)) = process.call
            && now >= sent + LEASE_CALL
        {
            process.call = None;
            process.candidate.has_failed(sent);
        }
        match process.candidate.decide(now) {
            Decision::StepDown(_) => return self.restart(who),
            Decision::Wait(_) => {}
            _ if process.call.is_some() => {}
            Decision::Look => process.call = Some((Flight::Sent(Call::Look), now)),
            Decision::Create => process.call = Some((Flight::Sent(Call::Write(None)), now)),
            Decision::Acquire { version } | Decision::Renew { version } => {
                let version = version.parse().ok();
                process.call = Some((Flight::Sent(Call::Write(version)), now));
            }
        }
        self.act(who);
    }

    /// The work of a leader: whenever it may, it begins a call that takes as long as one may.
    fn act(&mut self, who: usize) {
        if !self.processes[who].may_act(self.time) {
            return;
        }
        for (other, process) in self.processes.iter().enumerate().filter(|(n, _)| *n != who) {
            assert!(
                process.acts_until <= self.time,
                "{who} acts at {} while a call of {other} is under way until {}",
                self.time,
                process.acts_until
            );
            assert!(
                !process.may_act(self.time),
                "{who} and {other} lead at {}",
                self.time
            );
        }
        self.acts += 1;
        // By a clock that runs slow a call takes longer.
        self.processes[who].acts_until = self.time + CALL * 1_000 / 980;
    }

    fn arrive(&mut self, who: usize) {
        let process = &self.processes[who];
        let Some((Flight::Sent(call), sent)) = process.call.clone() else {
            return;
        };
        let identity = process.candidate.identity().to_owned();
        let answer = match call {
            Call::Look => Flight::Found(self.lease.clone()),
            Call::Write(version) => self
                .commit(&identity, version)
                .map_or(Flight::Refused, Flight::Written),
        };
        self.processes[who].call = Some((answer, sent));
    }

    /// The API server makes a write, if it carries the newest version.
    fn commit(&mut self, identity: &str, version: Option<u64>) -> Option<Record> {
        let newest = self.lease.as_ref();
        if newest.map(|lease| lease.version.parse().unwrap()) != version {
            return None;
        }
        self.versions += 1;
        self.lease = Some(Record {
            holder: Some(identity.to_owned()),
            version: self.versions.to_string(),
            duration: Some(TERMS.duration),
        });
        self.lease.clone()
    }

    fn answer(&mut self, who: usize) {
        let time = self.time;
        let process = &mut self.processes[who];
        if process.paused || matches!(process.call, Some((Flight::Sent(_) | Flight::Lost, _))) {
            return;
        }
        let now = process.now(time);
        let Some((flight, sent)) = process.call.take() else {
            return;
        };
        match flight {
            Flight::Found(found) => process.candidate.saw(found, sent, now),
            Flight::Written(record) => process.candidate.wrote(record, sent),
            Flight::Refused => process.candidate.was_refused(),
            Flight::Sent(_) | Flight::Lost => {}
        }
        self.act(who);
    }

    /// The trouble is over: everybody runs, and every call is answered at once.
    fn calm_down(&mut self, span: u64) {
        let end = self.time + span;
        while self.time < end {
            self.time += 500;
            self.play(&Step::ArriveLate);
            for who in 0..self.processes.len() {
                self.play(&Step::Resume(who));
                self.play(&Step::Serve(who));
            }
        }
    }
}

proptest! {
    #![proptest_config(fixed(2_000, 11))]

    #[test]
    fn never_two_act_at_once_and_in_the_end_somebody_does(
        clocks in vec(clock(), CANDIDATES),
        steps in vec(step(), 0..200),
    ) {
        let mut world = World::new(&clocks);
        for step in &steps {
            world.play(step);
        }
        // Long enough for a Lease that somebody who is no more has just renewed, by the slowest clock.
        world.calm_down(45_000);
        let before = world.acts;
        world.calm_down(5_000);
        prop_assert!(world.acts > before, "nobody leads");
    }
}
