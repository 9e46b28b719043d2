//! What DNS has to do with verifications and tokens.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_record_in_a_zone_verifies_as_one_elsewhere_does() {
    let mut scene = Scene::new();
    let created = scene.create(&json!({"email_domain": DOMAIN})).unwrap();
    let zone = scene.model.dns.add_zone(ACCOUNT, DOMAIN).id;
    let quoted = format!("\"{}\"", created.verification_code);
    let draft = RecordDraft::txt(DOMAIN, &quoted);
    scene.model.dns.insert(&zone, draft, scene.now).unwrap();
    scene.pass(9);
    assert_eq!(scene.status(&created.id), VerificationStatus::Pending);
    scene.pass(1);
    assert_eq!(scene.status(&created.id), VerificationStatus::Verified);
}

#[test]
fn where_a_name_server_is_the_truth_polls_wait_for_what_it_says() {
    let mut scene = Scene::new();
    scene.model.truth = DnsTruth::NameServer(([127, 0, 0, 1], 53).into());
    let created = scene
        .create(&json!({"email_domain": "Cool.Cats."}))
        .unwrap();
    scene.publish(&created);
    let deadline = created.created_on + scene.knobs.verify_timeout;
    assert_eq!(scene.model.next_event(&scene.knobs), Some(deadline));
    let first_poll = created.created_on + scene.knobs.poll_interval;
    assert_eq!(
        scene.model.polls(scene.now),
        (BTreeSet::new(), Some(first_poll))
    );

    scene.pass(12);
    let due = BTreeSet::from([DOMAIN.to_owned()]);
    assert_eq!(scene.model.polls(scene.now), (due.clone(), None));
    assert_eq!(scene.status(&created.id), VerificationStatus::Pending);
    let Scene { model, knobs, now } = &mut scene;
    let nothing = BTreeSet::new();
    assert_eq!(model.saw(DOMAIN, &nothing, *now, knobs), Effect::Unchanged);
    let next = *now + knobs.poll_interval;
    assert_eq!(model.polls(*now), (BTreeSet::new(), Some(next)));

    let values = BTreeSet::from([created.verification_code.clone()]);
    let saw =
        |scene: &mut Scene, domain: &str| scene.model.saw(domain, &values, scene.now, &scene.knobs);
    assert_eq!(saw(&mut scene, DOMAIN), Effect::Unchanged, "not due");
    scene.pass(10);
    assert_eq!(saw(&mut scene, "cool.dogs"), Effect::Unchanged);
    assert_eq!(saw(&mut scene, DOMAIN), Effect::Committed);
    assert_eq!(scene.status(&created.id), VerificationStatus::Verified);
    assert_eq!(scene.model.polls(scene.now), (BTreeSet::new(), None));
}

#[test]
fn a_name_server_that_says_nothing_fails_a_verification_in_time() {
    let mut scene = Scene::new();
    scene.model.truth = DnsTruth::NameServer(([127, 0, 0, 1], 53).into());
    let created = scene.create(&json!({"email_domain": DOMAIN})).unwrap();
    scene.pass(60);
    assert_eq!(scene.status(&created.id), VerificationStatus::Failed);
}

#[test]
fn a_token_may_be_for_an_account_or_for_single_zones() {
    let mut scene = Scene::new();
    let first = scene.model.dns.add_zone(ACCOUNT, DOMAIN);
    let second = scene.model.dns.add_zone(ACCOUNT, "cool.dogs");
    let foreign = scene.model.dns.add_zone(OTHER_ACCOUNT, DOMAIN);
    let read = [Permission::ZoneRead];
    let in_account = TokenRequest::new("account").grant(ACCOUNT, read);
    let in_zone = TokenRequest::new("zone").grant_in_zone(&first.id, read);
    for (request, anywhere, expected) in [
        (in_account, true, [true, true, false]),
        (in_zone, false, [true, false, false]),
    ] {
        let text = scene.model.issue_token(request, scene.now);
        let token = scene.model.token(&text).unwrap();
        let may = [&first, &second, &foreign].map(|zone| token.may_in(zone, &read));
        assert_eq!(may, expected);
        assert_eq!(token.may_anywhere(&read), anywhere);
        assert!(!token.may_in(&first, &[Permission::DnsWrite]));
    }
}
