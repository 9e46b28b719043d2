//! Each situation of a candidate, and what is to be done in it.

use super::*;

const TERMS: Terms = Terms {
    duration: Duration::from_secs(30),
    renew_deadline: Duration::from_secs(15),
    interval: Duration::from_secs(3),
};

fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}

fn lease(holder: &str, version: &str) -> Record {
    Record {
        holder: (!holder.is_empty()).then(|| holder.to_owned()),
        version: version.to_owned(),
        duration: Some(TERMS.duration),
    }
}

fn acquire(version: &str) -> Decision {
    Decision::Acquire {
        version: version.to_owned(),
    }
}

fn renew(version: &str) -> Decision {
    Decision::Renew {
        version: version.to_owned(),
    }
}

fn candidate() -> Candidate {
    Candidate::new("we".to_owned(), TERMS)
}

/// A candidate that saw this at this second.
fn seeing(found: Option<Record>, second: u64) -> Candidate {
    let mut candidate = candidate();
    candidate.saw(found, at(second), at(second));
    candidate
}

/// A leader whose last renewal was sent at this second.
fn leading(second: u64) -> Candidate {
    let mut candidate = candidate();
    candidate.wrote(lease("we", "1"), at(second));
    candidate
}

#[test]
fn what_a_standby_does() {
    let vanished = || {
        let mut candidate = seeing(Some(lease("other", "1")), 100);
        candidate.saw(None, at(103), at(103));
        candidate
    };
    let short = Some(Record {
        duration: Some(Duration::from_secs(7)),
        ..lease("other", "1")
    });
    let silent = Some(Record {
        duration: None,
        ..lease("other", "1")
    });
    let table = [
        ("knows nothing", candidate(), 0, Decision::Look),
        (
            "no Lease was ever there",
            seeing(None, 100),
            100,
            Decision::Create,
        ),
        (
            "the Lease is free",
            seeing(Some(lease("", "1")), 100),
            100,
            acquire("1"),
        ),
        (
            "our own write, whose answer was lost",
            seeing(Some(lease("we", "1")), 100),
            100,
            acquire("1"),
        ),
        (
            "held by another",
            seeing(Some(lease("other", "1")), 100),
            100,
            Decision::Wait(at(103)),
        ),
        (
            "due to look",
            seeing(Some(lease("other", "1")), 100),
            103,
            Decision::Look,
        ),
        (
            "not quite expired",
            seeing(Some(lease("other", "1")), 100),
            129,
            Decision::Look,
        ),
        (
            "expired",
            seeing(Some(lease("other", "1")), 100),
            130,
            acquire("1"),
        ),
        (
            "the holder was promised less",
            seeing(short, 100),
            107,
            acquire("1"),
        ),
        (
            "the Lease says no duration",
            seeing(silent, 100),
            130,
            acquire("1"),
        ),
        (
            "deleted under a holder",
            vanished(),
            103,
            Decision::Wait(at(106)),
        ),
        (
            "deleted, and the holder's time is over",
            vanished(),
            133,
            Decision::Create,
        ),
    ];
    for (situation, candidate, second, decision) in table {
        assert_eq!(candidate.decide(at(second)), decision, "{situation}");
    }
}

#[test]
fn what_a_leader_does() {
    let seeing = |found| {
        let mut leader = leading(100);
        leader.saw(found, at(101), at(101));
        leader
    };
    let failed = |second| {
        let mut leader = leading(100);
        leader.has_failed(at(second));
        leader
    };
    let refused = || {
        let mut leader = leading(100);
        leader.was_refused();
        leader
    };
    let late = Decision::StepDown(Lost::NotRenewed(TERMS.renew_deadline));
    let taken = Decision::StepDown(Lost::Taken("other".to_owned()));
    let table = [
        (
            "has just renewed",
            leading(100),
            100,
            Decision::Wait(at(103)),
        ),
        ("is due to renew", leading(100), 103, renew("1")),
        (
            "a renewal has failed",
            failed(103),
            104,
            Decision::Wait(at(106)),
        ),
        ("and is tried again", failed(103), 106, renew("1")),
        (
            "one that took its time, at once",
            failed(103),
            108,
            renew("1"),
        ),
        (
            "the deadline comes before the next try",
            failed(114),
            114,
            Decision::Wait(at(115)),
        ),
        ("the last moment", leading(100), 114, renew("1")),
        ("the deadline", leading(100), 115, late.clone()),
        ("woken up long after", leading(100), 1_000, late),
        ("a renewal was refused", refused(), 103, Decision::Look),
        (
            "by the lost answer to its own",
            seeing(Some(lease("we", "2"))),
            103,
            renew("2"),
        ),
        (
            "by another holder",
            seeing(Some(lease("other", "2"))),
            101,
            taken,
        ),
        (
            "released by a person",
            seeing(Some(lease("", "2"))),
            101,
            Decision::StepDown(Lost::Removed),
        ),
        (
            "deleted by a person",
            seeing(None),
            101,
            Decision::StepDown(Lost::Removed),
        ),
    ];
    for (situation, leader, second, decision) in table {
        assert_eq!(leader.decide(at(second)), decision, "{situation}");
    }
}

#[test]
fn only_an_unchanged_version_expires() {
    let mut standby = seeing(Some(lease("other", "1")), 100);
    standby.saw(Some(lease("other", "1")), at(110), at(110));
    assert_eq!(standby.decide(at(130)), acquire("1"), "seen first at 100");
    standby.saw(Some(lease("other", "2")), at(129), at(129));
    assert_eq!(standby.decide(at(130)), Decision::Wait(at(132)), "renewed");
    assert_eq!(standby.decide(at(159)), acquire("2"));
}

#[test]
fn a_refused_write_is_followed_by_a_look_and_a_failed_one_by_another_try() {
    let mut standby = seeing(Some(lease("other", "1")), 100);
    standby.was_refused();
    assert_eq!(standby.decide(at(130)), Decision::Look);
    standby.saw(Some(lease("other", "1")), at(130), at(130));
    standby.has_failed(at(130));
    assert_eq!(standby.decide(at(131)), Decision::Wait(at(133)));
    assert_eq!(standby.decide(at(133)), acquire("1"));
}

#[test]
fn whoever_hears_of_a_change_looks_at_once() {
    let mut standby = seeing(Some(lease("other", "1")), 100);
    standby.has_heard();
    assert_eq!(standby.decide(at(101)), Decision::Look);
    let mut leader = leading(100);
    leader.has_heard();
    assert_eq!(leader.decide(at(101)), Decision::Look);
}

#[test]
fn authority_counts_from_when_the_renewal_was_sent() {
    let mut leader = leading(100);
    assert_eq!(leader.leads_until(), Some(at(115)));
    leader.has_failed(at(103));
    assert_eq!(leader.leads_until(), Some(at(115)));
    leader.wrote(lease("we", "2"), at(106));
    assert_eq!(leader.leads_until(), Some(at(121)));
    assert_eq!(candidate().leads_until(), None);
}
