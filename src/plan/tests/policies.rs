//! What the spec says about whether, and how far, the operator may act: suspension, observation, adoption, the connector
//! that is named, external changes, and the look that is asked for.

use EnforcementState::{Armed, Held, Satisfied};

use super::creation::{creates, waiting};
use super::*;
use crate::plan::Synced;

fn observing(scene: Scene) -> Scene {
    scene.with(|scene| scene.desired.management = ManagementPolicy::Observe)
}

fn enforcing(scene: Scene) -> Scene {
    scene.with(|scene| scene.desired.on_external_change = ExternalChangePolicy::Enforce)
}

fn naming(scene: Scene, named: ConnectorId) -> Scene {
    scene.with(|scene| scene.desired.named = Some(named))
}

/// A look now that agrees with one so long ago that the difference counts.
fn seen_twice(scene: Scene, connector: &Connector) -> Scene {
    scene
        .seen(NOW - 40.0, connector.clone())
        .seen(NOW, connector.clone())
}

#[test]
fn a_suspended_object_is_left_alone_and_nothing_of_it_is_forgotten() {
    let rows = vec![
        waiting().listed(list(NOW, &[])),
        waiting().attempted(NOW - 5.0, NOW - 5.0),
        Scene::bound(Some(true), Armed).seen(NOW, verified(false)),
        Scene::bound(Some(true), Held).seen(NOW, verified(false)),
        Scene::bound(Some(true), Satisfied)
            .with(|scene| scene.observed.credentials = Credentials::Unread),
        Scene::bound(Some(true), Satisfied)
            .troubled(NOW, failure(Class::Unavailable, Endpoint::List)),
        Scene::bound(Some(true), Satisfied).with(|scene| {
            scene.desired.reconcile_at = Some("now".to_owned());
            scene.desired.enable_at = Some("now".to_owned());
        }),
    ];
    for scene in rows {
        let record = scene.record.clone();
        let plan = scene
            .with(|scene| scene.desired.activity = Activity::Suspended)
            .plan();
        assert_eq!(act(&plan), None);
        assert_eq!(reason(&plan), Some(Reason::Suspended));
        assert_eq!(verdict(&plan).record, record);
        assert!(verdict(&plan).gives_way(), "others need not wait for it");
    }
}

#[test]
fn a_suspended_object_keeps_what_its_other_conditions_say() {
    let before =
        super::status::status_of(&Scene::bound(Some(true), Satisfied).seen(NOW, verified(true)));
    let suspended = Scene::bound(Some(true), Satisfied).with(|scene| {
        scene.desired.activity = Activity::Suspended;
        scene.desired.generation += 1;
    });
    let plan = suspended.plan();
    let after = verdict(&plan).status(&before, &suspended.desired, date(NOW));
    let status =
        |kind| super::status::condition(&after, kind).map(|found| found.status.as_str().to_owned());
    assert_eq!(status(ConditionType::Ready).as_deref(), Some("Unknown"));
    for kind in [
        ConditionType::Synced,
        ConditionType::Verified,
        ConditionType::Enabled,
    ] {
        assert_eq!(status(kind).as_deref(), Some("True"), "{kind:?}");
    }
    assert_eq!(status(ConditionType::Stalled), None);
    assert_eq!(status(ConditionType::Reconciling), None);
    assert_eq!(after.observed_generation, Some(4));
}

#[test]
fn deleting_a_suspended_or_observing_object_needs_no_call_and_no_credentials() {
    for change in [
        (|scene: &mut Scene| scene.desired.activity = Activity::Suspended) as fn(&mut Scene),
        |scene| scene.desired.management = ManagementPolicy::Observe,
    ] {
        let plan = Scene::bound(Some(true), Satisfied)
            .deleting()
            .with(change)
            .with(|scene| scene.observed.credentials = Credentials::Unread)
            .plan();
        assert_eq!(plan, Plan::Release);
    }
}

#[test]
fn the_finalizer_is_on_while_it_says_manage_and_delete() {
    let scene = |management, suspended, finalizer| {
        Scene::bound(Some(true), Satisfied)
            .with(|scene| {
                scene.desired.deletion_policy = DeletionPolicy::Delete;
                scene.desired.management = management;
                if suspended {
                    scene.desired.activity = Activity::Suspended;
                }
                scene.desired.finalizer = finalizer;
            })
            .plan()
    };
    assert_eq!(scene(ManagementPolicy::Manage, true, false), Plan::Mark);
    assert_eq!(scene(ManagementPolicy::Observe, false, true), Plan::Release);
    assert_ne!(scene(ManagementPolicy::Observe, false, false), Plan::Mark);
    assert_ne!(scene(ManagementPolicy::Manage, true, true), Plan::Release);
}

#[test]
fn observing_never_acts_whatever_is_there() {
    let statuses = [
        VerificationStatus::Awaiting,
        VerificationStatus::Pending,
        VerificationStatus::Failed,
        VerificationStatus::Verified,
        VerificationStatus::Unknown("new".to_owned()),
    ];
    for status in statuses {
        for enabled in [true, false] {
            for wanted in [Some(true), Some(false), None] {
                for state in [Armed, EnforcementState::Applying, Satisfied, Held] {
                    let found = connector(status.clone(), enabled);
                    let mut scene = observing(Scene::bound(wanted, state));
                    scene.desired.use_fedramp_language = Some(true);
                    let known = scene.record.enforcement.clone();
                    for cloudflare in [Cloudflare::shows(&found), Cloudflare::default()] {
                        let plan = scene.pass(&cloudflare);
                        assert_eq!(act(&plan), None);
                        assert_eq!(verdict(&plan).record.enforcement, known);
                        scene.now += 1000.0;
                    }
                }
            }
        }
    }
    let mut nothing = observing(Scene::new());
    assert_eq!(act(&nothing.pass(&Cloudflare::default())), None);
}

#[test]
fn observing_finds_its_connector_and_follows_what_takes_its_place() {
    let mut scene = observing(Scene::new());
    scene.desired.enabled = Some(true);
    let plan = scene.pass(&Cloudflare::shows(&verified(true)));
    assert_eq!(reason(&plan), Some(Reason::Available));
    assert_eq!(verdict(&plan).record.connector, Some(id()));
    assert_eq!(
        verdict(&plan).record.enforcement,
        None,
        "it was not managed"
    );
    scene.record = verdict(&plan).record.clone();
    scene.now += 700.0;
    let other = Connector {
        id: other_id(),
        ..verified(true)
    };
    let plan = scene.pass(&Cloudflare::shows(&other));
    assert_eq!(verdict(&plan).record.connector, Some(other_id()));
}

#[test]
fn observing_looks_again_and_again_for_what_is_not_there() {
    let rows = [
        naming(observing(Scene::new()), id()),
        observing(Scene::bound(Some(true), Satisfied)),
    ];
    for mut scene in rows {
        let plan = scene.pass(&Cloudflare::default());
        assert_eq!(reason(&plan), Some(Reason::ConnectorNotFound));
        scene.now += 31.0;
        let plan = scene.pass(&Cloudflare::shows(&verified(true)));
        assert_eq!(reason(&plan), Some(Reason::Available));
    }
}

#[test]
fn observing_says_what_differs_and_that_nothing_is_done() {
    let plan = observing(Scene::bound(Some(true), Satisfied))
        .with(|scene| scene.desired.use_fedramp_language = Some(true))
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(reason(&plan), Some(Reason::DriftObserved));
    assert_eq!(
        message(&plan),
        "At Cloudflare enabled is false, not true, and useFedrampLanguage is false, not true. \
         Nothing is changed, as managementPolicy is Observe."
    );
    let absent = observing(Scene::new()).listed(list(NOW, &[])).plan();
    let Outcome::Decided {
        ready, progress, ..
    } = &verdict(&absent).outcome
    else {
        panic!("{absent:?}")
    };
    assert_eq!(ready.reason, Reason::ConnectorNotFound);
    assert_eq!(*progress, crate::resource::Progress::Resting, "not stalled");
}

#[test]
fn what_was_managed_is_judged_as_before_when_it_is_managed_again() {
    let observed = observing(Scene::bound(Some(true), Held)).seen(NOW, verified(false));
    let record = verdict(&observed.plan()).record.clone();
    let again = observed.with(|scene| {
        scene.record = record;
        scene.desired.management = ManagementPolicy::Manage;
    });
    assert_eq!(reason(&again.plan()), Some(Reason::HeldByExternalChange));
}

#[test]
fn what_exists_is_not_adopted_against_the_spec_unless_it_is_ours() {
    let refusing =
        |scene: Scene| scene.with(|scene| scene.desired.adoption = AdoptionPolicy::Refuse);
    let found = verified(true);
    let scene = refusing(waiting())
        .listed(list(NOW - 1.0, std::slice::from_ref(&found)))
        .seen(NOW, found.clone());
    let plan = scene.plan();
    assert_eq!(reason(&plan), Some(Reason::AdoptionRefused));
    assert_eq!(verdict(&plan).record.connector, None);
    assert!(message(&plan).contains("spec.connectorID"));

    let ours = created_on(NOW - 60.0, found.clone());
    let scene = refusing(waiting())
        .attempted(NOW - 61.0, NOW - 61.0)
        .listed(list(NOW - 1.0, std::slice::from_ref(&ours)))
        .seen(NOW, ours);
    assert_eq!(verdict(&scene.plan()).record.connector, Some(id()));

    let named = naming(refusing(waiting()), id()).seen(NOW, found);
    assert_eq!(
        verdict(&named.plan()).record.connector,
        Some(id()),
        "it is named"
    );
    creates(&refusing(waiting()).listed(list(NOW, &[])).plan());
}

#[test]
fn a_named_connector_is_bound_by_its_page_and_none_is_ever_created() {
    let scene = naming(waiting(), id()).listed(list(NOW, &[]));
    assert_eq!(scene.plan(), look_closer());
    let bound = scene.clone().seen(NOW, verified(true)).plan();
    assert_eq!(verdict(&bound).record.connector, Some(id()));
    let missing = scene.clone().missing(NOW).plan();
    assert_eq!(reason(&missing), Some(Reason::ConnectorNotFound));
    assert_eq!(act(&missing), None);
    let foreign = scene
        .clone()
        .seen(NOW, for_domain("example.net", verified(true)))
        .plan();
    assert_eq!(reason(&foreign), Some(Reason::ConnectorMismatch));
    assert_eq!(verdict(&foreign).record.connector, None);
    let later = scene.missing(NOW).at(NOW + 600.0).plan();
    assert_eq!(later, look_closer(), "it is looked for again");
}

#[test]
fn a_name_that_is_not_the_bound_connectors_stops_everything() {
    let plan = naming(Scene::bound(Some(true), Armed), other_id())
        .seen(NOW, verified(false))
        .plan();
    assert_eq!(reason(&plan), Some(Reason::ConnectorMismatch));
    assert_eq!(act(&plan), None);
    let same = naming(Scene::bound(Some(true), Armed), id()).seen(NOW, verified(false));
    assert_eq!(act(&same.plan()), Some(&set_enabled(true)));
}

#[test]
fn a_named_connector_that_is_gone_is_reported_and_never_created_again() {
    for state in [Armed, Satisfied, Held] {
        let mut scene = naming(Scene::bound(Some(true), state), id());
        let plan = loop {
            let plan = scene.pass(&Cloudflare::default());
            if reason(&plan).is_some() {
                break plan;
            }
            scene.now += rest(&plan).as_secs_f64();
        };
        assert_eq!(reason(&plan), Some(Reason::ConnectorNotFound), "{state:?}");
        assert_eq!(super::state(&plan), Held, "{state:?}");
        assert_eq!(verdict(&plan).record.connector, Some(id()));
        scene.record = verdict(&plan).record.clone();
        scene.desired.named = None;
        assert_eq!(reason(&scene.plan()), Some(Reason::DeletedExternally));
    }
}

#[test]
fn under_enforce_a_change_by_hand_is_undone_once_it_is_confirmed_and_announced() {
    let scene = enforcing(Scene::bound(Some(true), Satisfied));
    let once = scene.clone().seen(NOW, verified(false)).plan();
    assert_eq!(act(&once), None, "it may be a read that lags");
    let twice = seen_twice(scene, &verified(false)).plan();
    assert_eq!(act(&twice), Some(&set_enabled(true)));
    let notice = verdict(&twice).notice.as_ref().expect("an Event");
    assert_eq!(notice.reason, Reason::ExternalChangeReverted);
    let unverified = connector(VerificationStatus::Pending, false);
    let scene = enforcing(Scene::bound(Some(true), Satisfied));
    assert_eq!(
        act(&seen_twice(scene, &unverified).plan()),
        None,
        "never unverified"
    );
}

#[test]
fn under_enforce_no_hold_outlives_the_policy_and_none_begins_at_binding() {
    let held = enforcing(Scene::bound(Some(true), Held)).seen(NOW, verified(false));
    assert_eq!(act(&held.plan()), Some(&set_enabled(true)));
    let adopted = enforcing(waiting())
        .with(|scene| scene.desired.enabled = Some(true))
        .listed(list(NOW - 1.0, &[verified(false)]))
        .seen(NOW, verified(false));
    assert_eq!(state(&adopted.plan()), Armed);
}

#[test]
fn under_enforce_what_somebody_deleted_is_created_again() {
    let mut scene = enforcing(Scene::bound(Some(true), Satisfied));
    let plan = loop {
        let plan = scene.pass(&Cloudflare::default());
        if act(&plan).is_some() {
            break plan;
        }
        scene.now += rest(&plan).as_secs_f64();
        assert!(scene.now < NOW + 10_000.0, "{plan:?}");
    };
    creates(&plan);
}

#[test]
fn a_look_that_is_asked_for_bypasses_what_was_seen_before_and_changes_nothing_else() {
    let mut scene = Scene::bound(Some(true), Satisfied)
        .seen(NOW - 5.0, verified(true))
        .listed(list(NOW - 4.0, &[verified(true)]));
    scene.desired.reconcile_at = Some("monday".to_owned());
    scene.memory.begins(&scene.desired, &scene.record, at(NOW));
    assert_eq!(scene.plan(), look_at_list(NOW));
    let plan = scene.pass(&Cloudflare::shows(&verified(true)));
    assert_eq!(reason(&plan), Some(Reason::Available));
    let handled = &verdict(&plan).record.handled_reconcile_at;
    assert_eq!(handled.as_deref(), Some("monday"));
    scene.record = verdict(&plan).record.clone();
    scene
        .memory
        .begins(&scene.desired, &scene.record, at(NOW + 1.0));
    assert_eq!(scene.memory.requested, None, "it is handled");
    assert!(rest(&scene.plan()) >= seconds(500.0));

    let mut held = Scene::bound(Some(true), Held).seen(NOW - 40.0, verified(false));
    held.desired.reconcile_at = Some("monday".to_owned());
    held.memory.begins(&held.desired, &held.record, at(NOW));
    let plan = held.pass(&Cloudflare::shows(&verified(false)));
    assert_eq!(reason(&plan), Some(Reason::HeldByExternalChange));
}

#[test]
fn a_look_that_is_asked_for_cuts_a_back_off_but_is_not_handled_by_trouble() {
    let mut scene = Scene::bound(Some(true), Satisfied);
    for _ in 0..10 {
        scene = scene.troubled(NOW, failure(Class::Unavailable, Endpoint::List));
    }
    assert!(rest(&scene.plan()) > seconds(100.0));
    scene.desired.reconcile_at = Some("monday".to_owned());
    let plan = scene.plan();
    assert!(rest(&plan) <= seconds(1.0));
    assert_eq!(verdict(&plan).record.handled_reconcile_at, None);
}

#[test]
fn what_is_said_of_the_work_with_cloudflare_follows_the_table() {
    let synced = |scene: Scene| match &verdict(&scene.plan()).outcome {
        Outcome::Decided { synced, .. } => *synced,
        Outcome::Undecided { .. } => panic!("undecided"),
    };
    let held = Scene::bound(Some(true), Held).seen(NOW, verified(false));
    assert_eq!(synced(held), Synced::Succeeded, "also while held");
    let absent = observing(Scene::new()).listed(list(NOW, &[]));
    assert_eq!(synced(absent), Synced::Failed);
}
