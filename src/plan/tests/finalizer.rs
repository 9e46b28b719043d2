//! Who carries the finalizer, and who may leave without any call.

use super::*;

#[test]
fn the_finalizer_is_on_the_object_exactly_while_it_says_delete() {
    let rows = [
        (DeletionPolicy::Delete, false, Some(Plan::Mark)),
        (DeletionPolicy::Delete, true, None),
        (DeletionPolicy::Retain, true, Some(Plan::Release)),
        (DeletionPolicy::Retain, false, None),
    ];
    for bound in [false, true] {
        for (policy, finalizer, expected) in &rows {
            let mut scene = Scene::new();
            scene.record.connector = bound.then(id);
            scene.desired.deletion_policy = *policy;
            scene.desired.finalizer = *finalizer;
            // Neither needs a call or credentials.
            scene.observed.credentials = Credentials::Unread;
            let expected = expected.clone().unwrap_or(Plan::Look(Look::Credentials));
            assert_eq!(scene.plan(), expected, "{policy:?} {finalizer} {bound}");
        }
    }
}

#[test]
fn the_finalizer_comes_before_everything_else_even_while_calls_fail() {
    let plan = Scene::new()
        .with(|scene| scene.desired.deletion_policy = DeletionPolicy::Delete)
        .troubled(NOW, failure(Class::Unavailable, Endpoint::List))
        .plan();
    assert_eq!(plan, Plan::Mark);
}

#[test]
fn an_object_that_goes_without_the_finalizer_is_left_alone() {
    let plan = Scene::bound(Some(true), EnforcementState::Satisfied)
        .deleting()
        .with(|scene| scene.desired.finalizer = false)
        .plan();
    assert_eq!(
        plan,
        Plan::Leave,
        "Delete counts only once the finalizer is on"
    );
}

#[test]
fn a_change_to_retain_releases_with_no_call_and_no_credentials() {
    let unusable = unusable(Reason::CredentialsUnavailable);
    for credentials in [Credentials::Unread, unusable] {
        let plan = Scene::bound(Some(true), EnforcementState::Satisfied)
            .deleting()
            .troubled(NOW, failure(Class::Rejected, Endpoint::Delete))
            .with(|scene| {
                scene.desired.deletion_policy = DeletionPolicy::Retain;
                scene.observed.credentials = credentials;
            })
            .plan();
        assert_eq!(plan, Plan::Release);
    }
}

#[test]
fn nothing_bound_and_no_intent_releases_with_no_call_and_no_credentials() {
    let mut scene = Scene::new().deleting();
    scene.observed.credentials = Credentials::Unread;
    assert_eq!(scene.plan(), Plan::Release);
    let intent = scene.clone().attempted(NOW - 1.0, NOW - 1.0);
    assert_eq!(intent.plan(), Plan::Look(Look::Credentials));
    let void = intent.with(|scene| scene.pair.void(date(NOW - 1.0)));
    assert_eq!(void.plan(), Plan::Release, "that attempt created nothing");
}

#[test]
fn an_object_that_goes_because_its_definition_went_leaves_its_connector_alone() {
    let scene = |definition| {
        Scene::bound(Some(true), EnforcementState::Satisfied)
            .deleting()
            .seen(NOW, verified(true))
            .with(|scene| {
                scene.observed.definition = definition;
                scene.observed.credentials = Credentials::Unread;
            })
            .plan()
    };
    assert_eq!(scene(Definition::Unread), Plan::Look(Look::Definition));
    assert_eq!(scene(Definition::GoesAway), Plan::Release, "without a call");
    assert_eq!(scene(Definition::Stands), Plan::Look(Look::Credentials));
}
