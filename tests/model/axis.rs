//! One axis of time for everything in a universe, and its normal form.
//!
//! The process's clock and Cloudflare's run at the same pace, so every [`Moment`] and every [`Timestamp`] is a point on one
//! axis. Decisions compare points with each other and their distances with durations, never with a calendar: two universes
//! whose points lie in the same order and whose distances agree, or are both longer than any duration, have the same future.
//! So the checker lets every universe begin at one point and cuts its longer silences to one length, which makes the
//! universes finitely many.

use std::collections::BTreeMap;
use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::Connector;
use cloudflare_sso_operator::plan::{Begun, Claim, Memory, PairMemory, Snapshot};
use cloudflare_sso_operator::resource::SsoConnectorStatus;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Where on Cloudflare's calendar the axis begins.
const EPOCH: Timestamp = Timestamp::constant(1_790_000_000, 0);

/// The first point of every universe in normal form.
pub const START: Duration = Duration::from_secs(1_000_000);

/// Longer than any duration of the model's [`Timing`](cloudflare_sso_operator::plan::Timing).
const SILENCE: Duration = Duration::from_secs(32);

/// How long a contact takes: shorter than any of them.
pub const INSTANT: Duration = Duration::from_micros(1);

/// What lies less far apart is apart by instants.
const BLINK: Duration = Duration::from_millis(1);

/// The distance that stands for this one.
fn normal(distance: Duration) -> Duration {
    if distance < BLINK {
        INSTANT
    } else {
        distance.min(SILENCE)
    }
}

/// Cloudflare's clock at that point.
pub fn date(point: Duration) -> Timestamp {
    EPOCH + SignedDuration::try_from(point).unwrap()
}

/// The point that Cloudflare's clock shows.
pub fn point(date: Timestamp) -> Duration {
    Duration::try_from(date.duration_since(EPOCH)).unwrap()
}

/// What is done at each point that is visited.
#[derive(Debug)]
pub enum Axis {
    /// It is noted.
    Survey(Vec<Duration>),
    /// It is moved.
    Move(BTreeMap<Duration, Duration>),
}

impl Axis {
    /// The moves that bring the points that were noted into normal form.
    pub fn normal_form(mut points: Vec<Duration>, now: Duration) -> Self {
        points.push(now);
        points.sort_unstable();
        points.dedup();
        let mut place = START;
        let mut moves = BTreeMap::from([(points[0], place)]);
        for pair in points.windows(2) {
            place += normal(pair[1].saturating_sub(pair[0]));
            moves.insert(pair[1], place);
        }
        Self::Move(moves)
    }

    /// Whether nothing moves.
    pub fn is_still(&self) -> bool {
        match self {
            Self::Survey(_) => true,
            Self::Move(moves) => moves.iter().all(|(from, to)| from == to),
        }
    }

    pub fn visit(&mut self, point: &mut Duration) {
        match self {
            Self::Survey(points) => points.push(*point),
            Self::Move(moves) => *point = moves[point],
        }
    }

    /// Visits points that something shared holds. Whether it has to be made anew.
    pub fn visit_shared(&mut self, points: &[Duration]) -> bool {
        match self {
            Self::Survey(seen) => {
                seen.extend(points);
                false
            }
            Self::Move(moves) => points.iter().any(|point| moves[point] != *point),
        }
    }

    pub fn moment(&mut self, moment: &mut Moment) {
        let mut point = moment.since(Moment::default());
        self.visit(&mut point);
        *moment = Moment::from_start(point);
    }

    pub fn timestamp(&mut self, timestamp: &mut Timestamp) {
        let mut at = point(*timestamp);
        self.visit(&mut at);
        *timestamp = date(at);
    }

    fn timestamps<'t>(&mut self, timestamps: impl IntoIterator<Item = &'t mut Timestamp>) {
        for timestamp in timestamps {
            self.timestamp(timestamp);
        }
    }

    pub fn moments<'m>(&mut self, moments: impl IntoIterator<Item = &'m mut Moment>) {
        for moment in moments {
            self.moment(moment);
        }
    }

    pub fn connector(&mut self, connector: &mut Connector) {
        self.timestamps(&mut connector.created_on);
        self.timestamps(&mut connector.updated_on);
    }

    fn connectors<'c>(&mut self, connectors: impl IntoIterator<Item = &'c mut Connector>) {
        for connector in connectors {
            self.connector(connector);
        }
    }

    pub fn snapshot(&mut self, snapshot: &mut Snapshot) {
        self.moment(&mut snapshot.begun);
        self.timestamps(&mut snapshot.date);
        self.connectors(&mut snapshot.connectors);
    }

    pub fn claim(&mut self, claim: &mut Claim) {
        match claim {
            Claim::Held(since) => self.moment(since),
            Claim::Unasked | Claim::Elsewhere => {}
        }
    }

    pub fn begun(&mut self, begun: &mut Begun) {
        self.timestamps(&mut begun.last);
    }

    /// All times of a status but those of its conditions, which the model keeps still.
    pub fn status(&mut self, status: &mut SsoConnectorStatus) {
        self.timestamps(&mut status.created_on);
        self.timestamps(&mut status.updated_on);
        if let Some(verification) = &mut status.verification {
            self.timestamps(&mut verification.last_begun_at);
        }
        if let Some(pending) = &mut status.pending_create {
            self.timestamps(&mut pending.attempts);
        }
        if let Some(enforcement) = &mut status.enforcement {
            self.timestamps(&mut enforcement.updated_on);
        }
    }

    pub fn memory(&mut self, memory: &mut Memory) {
        let Memory {
            sighting,
            answer,
            difference,
            unverified_since,
            gone_since,
            unproved_since,
            update,
            refused_begin,
            acted_at,
            deletion_seen,
            requested,
            deletion: _,
            trouble,
            begun_with: _,
            first_txt: _,
            publishing: _,
        } = memory;
        for seen in [sighting, answer].into_iter().flatten() {
            self.moment(&mut seen.at);
            self.timestamps(&mut seen.date);
            self.connectors(&mut seen.connector);
        }
        self.moments(difference.iter_mut().map(|seen| &mut seen.since));
        let first = [unverified_since, gone_since, unproved_since];
        let others = [acted_at, deletion_seen];
        self.moments(first.into_iter().chain(others).flatten());
        self.moments(update.iter_mut().map(|update| &mut update.at));
        if let Some((begun, before)) = refused_begin {
            self.begun(begun);
            self.begun(before);
        }
        self.moments(requested.iter_mut().map(|(_, since)| since));
        if let Some(trouble) = trouble {
            self.moment(&mut trouble.since);
            self.moment(&mut trouble.last);
        }
    }

    pub fn pair(&mut self, pair: &mut PairMemory) {
        let PairMemory {
            holder,
            attempts,
            known,
            first_blank,
            disabled,
            lost_at,
            deleted,
        } = pair;
        self.moments(holder.iter_mut().map(|holder| &mut holder.since));
        for attempt in attempts {
            self.timestamp(&mut attempt.time);
            self.moment(&mut attempt.first_seen);
        }
        if let Some(known) = known {
            self.moment(&mut known.since);
            self.connectors(known.created.as_deref_mut());
        }
        self.moments(first_blank);
        self.moments(disabled.iter_mut().map(|(_, when)| when));
        self.moments(lost_at.iter_mut());
        self.moments(deleted.iter_mut().map(|(_, when)| when));
    }
}
