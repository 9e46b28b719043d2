//! What a candidate does next, given what it has seen of the Lease. Pure, and without anybody else's clock: whether
//! another's lease has expired is judged by how long this process has seen it unchanged.

use std::time::Duration;

use crate::clock::Moment;

/// The durations of the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a lease lasts that is not renewed.
    pub duration: Duration,
    /// How long after the last successful renewal was sent a leader may act.
    pub deadline: Duration,
    /// How often a leader renews.
    pub interval: Duration,
}

/// The Lease as somebody wrote it. Two that are equal are the very same writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// Who holds it; empty if it was released.
    pub holder: String,
    /// What tells one renewal from the next.
    pub stamp: String,
    /// For how long the holder asked.
    pub duration: Duration,
}

/// What was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// The Lease, if there is one, and the version that a write must rest on.
    pub lease: Option<(Writing, String)>,
    /// When this process first saw this very writing.
    pub since: Moment,
}

impl Sight {
    /// A look at the Lease, after this one.
    #[must_use]
    pub fn then(before: Option<&Self>, lease: Option<(Writing, String)>, now: Moment) -> Self {
        let writing = |sight: &Self| sight.lease.as_ref().map(|(writing, _)| writing.clone());
        let unchanged = before.filter(|before| {
            writing(before).as_ref() == lease.as_ref().map(|(writing, _)| writing)
        });
        Self {
            since: unchanged.map_or(now, |before| before.since),
            lease,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write the first Lease.
    Create,
    /// Write the Lease, if it still has this version.
    Write(String),
    /// Nothing before then.
    Wait(Moment),
    /// Stop at once: somebody else leads, or may lead soon.
    Lost,
}

/// Decides. `held` is when the last successful write of this process was sent, while it leads.
#[must_use]
pub fn decide(sight: &Sight, own: &str, held: Option<Moment>, now: Moment, terms: &Terms) -> Step {
    match (held, &sight.lease) {
        (Some(sent), _) if now >= sent + terms.deadline => Step::Lost,
        (Some(_), Some((writing, _))) if writing.holder != own => Step::Lost,
        (Some(sent), _) if now < sent + terms.interval => Step::Wait(sent + terms.interval),
        (_, None) => Step::Create,
        (Some(_), Some((_, version))) => Step::Write(version.clone()),
        (None, Some((writing, version))) => {
            let expires = sight.since + writing.duration.max(terms.duration);
            if writing.holder.is_empty() || writing.holder == own || now >= expires {
                Step::Write(version.clone())
            } else {
                Step::Wait(expires)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        duration: Duration::from_secs(30),
        deadline: Duration::from_secs(15),
        interval: Duration::from_secs(3),
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn lease(holder: &str, stamp: &str) -> (Writing, String) {
        let writing = Writing {
            holder: holder.to_owned(),
            stamp: stamp.to_owned(),
            duration: Duration::from_secs(30),
        };
        (writing, format!("v{stamp}"))
    }

    fn seen(lease: Option<(Writing, String)>, since: u64) -> Sight {
        Sight {
            lease,
            since: at(since),
        }
    }

    #[test]
    fn a_candidate_takes_what_is_free_released_or_expired_and_nothing_else() {
        let rows = [
            (seen(None, 0), 0, Step::Create),
            (
                seen(Some(lease("", "1")), 0),
                0,
                Step::Write("v1".to_owned()),
            ),
            (
                seen(Some(lease("own", "1")), 0),
                0,
                Step::Write("v1".to_owned()),
            ),
            (seen(Some(lease("other", "1")), 10), 39, Step::Wait(at(40))),
            (
                seen(Some(lease("other", "1")), 10),
                40,
                Step::Write("v1".to_owned()),
            ),
        ];
        for (sight, now, step) in rows {
            assert_eq!(
                decide(&sight, "own", None, at(now), &TERMS),
                step,
                "{sight:?}"
            );
        }
    }

    #[test]
    fn a_holder_who_asked_for_longer_gets_longer_and_shorter_is_no_shorter() {
        for (asked, expires) in [(60, 60), (1, 30)] {
            let (mut writing, version) = lease("other", "1");
            writing.duration = Duration::from_secs(asked);
            let sight = seen(Some((writing, version)), 0);
            assert_eq!(
                decide(&sight, "own", None, at(0), &TERMS),
                Step::Wait(at(expires))
            );
        }
    }

    #[test]
    fn a_leader_renews_in_time_and_stops_when_it_cannot() {
        let sight = seen(Some(lease("own", "7")), 0);
        let leading = |now| decide(&sight, "own", Some(at(100)), at(now), &TERMS);
        assert_eq!(leading(101), Step::Wait(at(103)));
        assert_eq!(leading(103), Step::Write("v7".to_owned()));
        assert_eq!(leading(114), Step::Write("v7".to_owned()));
        assert_eq!(leading(115), Step::Lost);
        let deleted = decide(&seen(None, 100), "own", Some(at(100)), at(104), &TERMS);
        assert_eq!(deleted, Step::Create, "somebody deleted the Lease");
        let taken = seen(Some(lease("other", "8")), 101);
        assert_eq!(
            decide(&taken, "own", Some(at(100)), at(101), &TERMS),
            Step::Lost
        );
    }

    #[test]
    fn a_look_that_shows_the_same_writing_does_not_start_the_count_again() {
        let first = Sight::then(None, Some(lease("other", "1")), at(5));
        // Somebody has labelled it: another version, the same writing.
        let labelled = (lease("other", "1").0, "v99".to_owned());
        let again = Sight::then(Some(&first), Some(labelled), at(20));
        assert_eq!(again.since, at(5));
        assert_eq!(
            decide(&again, "own", None, at(35), &TERMS),
            Step::Write("v99".to_owned())
        );
        let renewed = Sight::then(Some(&again), Some(lease("other", "2")), at(21));
        assert_eq!(renewed.since, at(21));
    }
}
