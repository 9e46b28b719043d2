//! The claim: of all objects of this process for one account and domain, one may create, until what it has created is
//! stored and known.

use super::*;

/// What happens to a pair, in words and in deed.
type Event = (&'static str, fn(&mut PairMemory));

fn claims(pair: &mut PairMemory, uid: &str, alive: &[&str], second: f64) -> Claim {
    claims_as_seen_at(second, pair, uid, alive, second)
}

/// The same for an object whose spec was first seen at that second.
fn claims_as_seen_at(
    seen: f64,
    pair: &mut PairMemory,
    uid: &str,
    alive: &[&str],
    second: f64,
) -> Claim {
    let is_there = |holder: &str| alive.contains(&holder);
    pair.claim(uid, at(seen), is_there, at(second))
}

/// A pair that the object of every scene holds since second 1.
fn held() -> PairMemory {
    let mut pair = PairMemory::default();
    claims(&mut pair, UID, &[UID, OTHER_UID], 1.0);
    pair
}

/// Whether the other object gets the claim at second 9, both being there.
fn passes_on(pair: &PairMemory) -> bool {
    claims(&mut pair.clone(), OTHER_UID, &[UID, OTHER_UID], 9.0) == Claim::Held(at(9.0))
}

fn attempt(pair: &mut PairMemory) {
    pair.attempting(date(2.0), at(2.0));
}

fn create(pair: &mut PairMemory) {
    pair.created(id(), Some(pending()), at(2.0));
}

#[test]
fn one_object_holds_it_since_it_asked_first_and_the_others_wait() {
    let mut pair = held();
    let both = [UID, OTHER_UID];
    assert_eq!(claims(&mut pair, OTHER_UID, &both, 2.0), Claim::Elsewhere);
    assert_eq!(
        claims(&mut pair, UID, &both, 3.0),
        Claim::Held(at(1.0)),
        "a list since then counts"
    );
    assert_eq!(
        claims(&mut pair, OTHER_UID, &[OTHER_UID], 4.0),
        Claim::Held(at(4.0)),
        "a holder that is gone holds nothing"
    );
}

#[test]
fn it_is_free_once_the_cache_shows_the_id_or_the_object_is_gone() {
    assert!(!passes_on(&held()));
    let mut pair = held();
    attempt(&mut pair);
    create(&mut pair);
    assert!(!passes_on(&pair), "its ID may not be stored yet");
    pair.bound(OTHER_UID);
    assert!(!passes_on(&pair), "another object's ID is no news of it");
    let mut gone = pair.clone();
    pair.bound(UID);
    assert!(passes_on(&pair));
    assert_eq!(pair.attempts, [], "their outcome is known");
    gone.departed(UID, None, &Memory::default(), at(4.0));
    assert!(passes_on(&gone));
    assert_eq!(gone.open_attempts().count(), 1, "and binds its successor");
}

#[test]
fn who_cannot_go_on_gives_it_back_and_what_it_may_have_created_is_remembered() {
    let rows: [(Event, usize); 5] = [
        (("nothing was sent", |_| {}), 0),
        (("an attempt is open", attempt), 1),
        (
            ("a former object has left an attempt", |pair| {
                pair.attempting(date(1.0), at(1.0));
                pair.departed("a former object", None, &Memory::default(), at(2.0));
            }),
            1,
        ),
        (
            ("its attempt certainly created nothing", |pair| {
                attempt(pair);
                pair.void(date(2.0));
            }),
            0,
        ),
        (("it has created a connector", create), 0),
    ];
    for ((name, change), open) in rows {
        let mut pair = held();
        change(&mut pair);
        let known = pair.known.clone().map(|known| known.id);
        pair.give_back(OTHER_UID);
        assert!(!passes_on(&pair), "{name}: it is not the other's");
        pair.give_back(UID);
        assert!(passes_on(&pair), "{name}");
        assert_eq!(pair.open_attempts().count(), open, "{name}");
        assert_eq!(pair.known.clone().map(|known| known.id), known, "{name}");
        let answer = pair.known.and_then(|known| known.created);
        assert_eq!(answer, None, "{name}: what was answered is out of date");
    }
}

#[test]
fn a_list_since_the_object_was_seen_counts_if_nothing_was_ever_done_for_the_pair() {
    let late = |pair: &mut PairMemory| claims_as_seen_at(3.0, pair, UID, &[UID], 9.0);
    assert_eq!(late(&mut PairMemory::default()), Claim::Held(at(3.0)));
    let mut returned = PairMemory::default();
    claims(&mut returned, OTHER_UID, &[OTHER_UID], 1.0);
    returned.give_back(OTHER_UID);
    assert_eq!(late(&mut returned), Claim::Held(at(3.0)), "it did nothing");
    let rows: [Event; 7] = [
        ("another one holds it and is gone", |pair| {
            claims(pair, OTHER_UID, &[OTHER_UID], 1.0);
        }),
        ("an attempt is open", attempt),
        ("an attempt has created nothing", |pair| {
            attempt(pair);
            pair.void(date(2.0));
        }),
        ("a connector is known", create),
        ("one was disabled", |pair| pair.disabled(id(), at(2.0))),
        ("one was deleted", |pair| pair.deleted(id(), at(2.0))),
        ("one is gone", |pair| {
            create(pair);
            pair.lost(&id(), at(2.0));
        }),
    ];
    for (name, change) in rows {
        let mut pair = PairMemory::default();
        change(&mut pair);
        assert_eq!(late(&mut pair), Claim::Held(at(9.0)), "{name}");
    }
}

#[test]
fn what_an_object_leaves_behind_is_remembered_for_the_grace_and_no_longer() {
    let grace = seconds(120.0);
    let rows: [Event; 4] = [
        ("what is gone", |pair| pair.lost(&id(), at(5.0))),
        ("an attempt", |pair| pair.attempting(date(5.0), at(5.0))),
        ("a connector", |pair| pair.created(id(), None, at(5.0))),
        ("a deletion", |pair| pair.deleted(id(), at(5.0))),
    ];
    for (name, change) in rows {
        let mut pair = PairMemory::default();
        change(&mut pair);
        assert!(!pair.is_spent(at(125.0), grace), "{name}");
        assert!(pair.is_spent(at(125.001), grace), "{name}");
        claims(&mut pair, UID, &[UID], 6.0);
        assert!(!pair.is_spent(at(9000.0), grace), "{name}, while claimed");
    }
}
