//! The oracle itself: where a faithful operator rests after each chapter of a history, and what it has changed on the way.

use cloudflare_sso_operator::resource::{DeletionPolicy, ExternalChangePolicy, ManagementPolicy};
use k8s_openapi::jiff::Timestamp;

use super::super::step::Who;
use super::{Change, Deed, Id, Secret, Spec, Stage, State, Verification, reachable};

/// A history, rest by rest. The oracle knows one end of each chapter here.
struct History(State);

impl History {
    /// An object with this spec was applied, and came to rest.
    fn of(spec: Spec) -> Self {
        let mut history = Self(State::new());
        history.then(&[applied(Who::First, spec)], &[Change::Create]);
        history
    }

    /// The same for one that was verified, too.
    fn enabled(spec: Spec) -> Self {
        let mut history = Self::of(Spec {
            enabled: Some(true),
            ..spec
        });
        history.then(&[Deed::Published(ID.to_owned())], &[Change::Enable]);
        history
    }

    /// After these deeds it rests where exactly this was changed.
    fn then(&mut self, deeds: &[Deed], changes: &[Change]) {
        let ends = self.ends(deeds);
        let [end] = ends.as_slice() else {
            panic!("{} ends: {ends:#?}", ends.len());
        };
        assert_eq!(end.trail, changes, "{end:#?}");
        self.0 = end.clone();
        self.0.trail.clear();
        if let Some(state) = self.0.identified(ID) {
            self.0 = state;
        }
    }

    /// Where it may rest after these deeds.
    fn ends(&self, deeds: &[Deed]) -> Vec<State> {
        let mut states = vec![self.0.clone()];
        for deed in deeds {
            states = states.iter().filter_map(|state| state.done(deed)).collect();
        }
        let mut all = reachable(states);
        all.retain(State::rests);
        all
    }

    fn stage(&self) -> Option<Stage> {
        self.0.object(Who::First).and_then(super::Object::stage)
    }
}

const ID: &str = "0123456789abcdef0123456789abcdef";

fn silent() -> Spec {
    Spec::silent(Who::First)
}

fn deleting() -> Spec {
    Spec {
        deletion: DeletionPolicy::Delete,
        ..silent()
    }
}

fn wanting(spec: Spec) -> Spec {
    Spec {
        enabled: Some(true),
        ..spec
    }
}

fn applied(who: Who, spec: Spec) -> Deed {
    let born = Timestamp::from_second(who as i64).unwrap();
    Deed::Applied {
        who,
        born: (born, who.name().to_owned()),
        spec,
    }
}

fn edited(spec: Spec) -> Deed {
    Deed::Edited {
        who: Who::First,
        spec,
    }
}

fn switched(enabled: bool) -> Deed {
    Deed::Changed {
        id: ID.to_owned(),
        enabled: Some(enabled),
        wording: None,
        verification: None,
    }
}

#[test]
fn what_somebody_has_disabled_stays_so_until_asked_for() {
    let mut history = History::enabled(silent());
    assert_eq!(history.stage(), Some(Stage::Satisfied));
    history.then(&[switched(false)], &[]);
    assert_eq!(history.stage(), Some(Stage::Held));
    let worded = Spec {
        wording: Some(true),
        ..wanting(silent())
    };
    history.then(&[edited(worded)], &[Change::Reword(true)]);
    assert_eq!(history.stage(), Some(Stage::Held));
    history.then(&[Deed::Asked(Who::First)], &[Change::Enable]);
    assert_eq!(history.stage(), Some(Stage::Satisfied));
}

#[test]
fn under_enforce_it_comes_back() {
    let mut history = History::enabled(Spec {
        on_external_change: ExternalChangePolicy::Enforce,
        ..silent()
    });
    history.then(&[switched(false)], &[Change::Enable]);
    history.then(&[Deed::Removed(ID.to_owned())], &[Change::Create]);
}

#[test]
fn what_somebody_has_deleted_comes_back_only_if_nothing_was_applied() {
    let mut history = History::of(wanting(silent()));
    history.then(&[Deed::Removed(ID.to_owned())], &[Change::Create]);
    let mut history = History::enabled(silent());
    history.then(&[Deed::Removed(ID.to_owned())], &[]);
    assert_eq!(history.stage(), Some(Stage::Held));
    history.then(&[Deed::Asked(Who::First)], &[Change::Create]);
}

#[test]
fn a_connector_is_deleted_only_if_the_object_says_so() {
    let mut history = History::enabled(silent());
    history.then(&[Deed::Gone(Who::First)], &[]);
    let mut history = History::enabled(deleting());
    let deleted = [Change::Disable, Change::Delete];
    history.then(&[Deed::Condemned(Who::First)], &deleted);
    let mut history = History::enabled(deleting());
    let kept = edited(wanting(silent()));
    history.then(&[Deed::Token(Who::First, Secret::Wrong)], &[]);
    history.then(&[Deed::Condemned(Who::First)], &[]);
    assert!(history.0.object(Who::First).is_some(), "it has no token");
    history.then(&[kept], &[]);
    assert!(history.0.object(Who::First).is_none());
}

#[test]
fn an_heir_gets_the_connector_as_it_is() {
    let mut history = History::enabled(deleting());
    let heir = wanting(Spec::silent(Who::Second));
    history.then(&[applied(Who::Second, heir)], &[]);
    history.then(&[Deed::Condemned(Who::First)], &[]);
    let heir = history.0.object(Who::Second).unwrap();
    assert_eq!(heir.bound, Some(Id::Known(ID.to_owned())));
    assert_eq!(heir.stage(), Some(Stage::Satisfied));
}

#[test]
fn who_only_observes_or_is_suspended_changes_nothing() {
    for spec in [
        Spec {
            management: ManagementPolicy::Observe,
            ..wanting(silent())
        },
        Spec {
            suspended: true,
            ..wanting(silent())
        },
    ] {
        let nothing = History(State::new());
        for end in nothing.ends(&[applied(Who::First, spec)]) {
            assert_eq!(end.trail, []);
        }
    }
}

#[test]
fn a_verified_connector_that_is_found_disabled_is_not_enabled() {
    let mut history = History(State::new());
    let found = Deed::Created {
        id: ID.to_owned(),
        enabled: false,
        verification: Verification::Verified,
    };
    history.then(&[found, applied(Who::First, wanting(silent()))], &[]);
    assert_eq!(history.stage(), Some(Stage::Held));
}

/// Whoever does not wait may find the operator anywhere on its way.
#[test]
fn in_a_hurry_more_than_one_end_is_right() {
    let mut history = History::of(wanting(deleting()));
    history.0 = State {
        trail: Vec::new(),
        ..history.0
    };
    let published = history.0.done(&Deed::Published(ID.to_owned())).unwrap();
    let states = reachable(vec![published]);
    let condemned: Vec<State> = states
        .iter()
        .filter_map(|state| state.done(&Deed::Condemned(Who::First)))
        .collect();
    let mut trails: Vec<Vec<Change>> = reachable(condemned)
        .into_iter()
        .filter(State::rests)
        .map(|state| state.trail)
        .collect();
    trails.sort();
    trails.dedup();
    let enabled_before = vec![Change::Enable, Change::Disable, Change::Delete];
    assert_eq!(trails, [enabled_before, vec![Change::Delete]]);
}
