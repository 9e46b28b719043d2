mod dns;

use std::time::Duration;

use super::*;
use crate::knobs::{BeginVerified, DeleteEnabled, DuplicateCreate, Knobs, Switch};
use crate::refusal::Refusal;
use serde_json::json;

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const OTHER_ACCOUNT: &str = "ffffffffffffffffffffffffffffffff";
const DOMAIN: &str = "cool.cats";

/// A model, its knobs, and a clock that only moves by hand. Polls every 10 s, gives up after 60 s.
struct Scene {
    model: Model,
    knobs: Knobs,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let mut model = Model::new(1, DnsTruth::OwnZones);
        for account in [ACCOUNT, OTHER_ACCOUNT] {
            model.add_account(account);
            let provider = json!({"type": "azureAD"}).as_object().cloned().unwrap();
            model.create_identity_provider(account, provider).unwrap();
        }
        let knobs = Knobs {
            poll_interval: Duration::from_secs(10),
            verify_timeout: Duration::from_mins(1),
            ..Knobs::default()
        };
        Self {
            model,
            knobs,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.model.advance(self.now, &self.knobs);
    }

    fn create(&mut self, body: &Value) -> Result<Connector, Refusal> {
        let request = serde_json::from_value(body.clone()).unwrap();
        let created = self.model.create(ACCOUNT, &request, self.now, &self.knobs);
        created.map(|(connector, _)| connector)
    }

    fn by_hand(&mut self, account: &str, status: VerificationStatus) -> Connector {
        let draft = ConnectorDraft {
            verification_status: status,
            ..ConnectorDraft::new(account, DOMAIN)
        };
        self.model.insert(draft, self.now, &self.knobs)
    }

    fn update(&mut self, id: &str, body: &Value) -> Result<Connector, Refusal> {
        let request = serde_json::from_value(body.clone()).unwrap();
        self.model
            .update(ACCOUNT, id, &request, self.now, &self.knobs)
    }

    fn begin(&mut self, id: &str) -> Result<Effect, Refusal> {
        self.model
            .begin_verification(ACCOUNT, id, self.now, &self.knobs)
    }

    fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        self.model.delete(ACCOUNT, id, self.now, &self.knobs)
    }

    fn publish(&mut self, connector: &Connector) {
        self.model
            .dns
            .publish(&connector.email_domain, &connector.verification_code);
    }

    fn status(&self, id: &str) -> VerificationStatus {
        self.model
            .connector(id)
            .unwrap()
            .verification_status
            .clone()
    }
}

#[test]
fn begin_verification_follows_the_state_machine() {
    use VerificationStatus::{Awaiting, Failed, Other, Pending, Verified};
    let expired = Other("expired".to_owned());
    for (from, begin_verified, expected, to) in [
        (Awaiting, BeginVerified::Ok, Ok(Effect::Committed), Pending),
        (Failed, BeginVerified::Ok, Ok(Effect::Committed), Pending),
        (
            expired,
            BeginVerified::Error,
            Ok(Effect::Committed),
            Pending,
        ),
        (
            Pending,
            BeginVerified::Error,
            Ok(Effect::Unchanged),
            Pending,
        ),
        (Verified, BeginVerified::Ok, Ok(Effect::Unchanged), Verified),
        (
            Verified,
            BeginVerified::Error,
            Err(Refusal::BeginVerified),
            Verified,
        ),
    ] {
        let mut scene = Scene::new();
        scene.knobs.begin_verified = begin_verified;
        let id = scene.by_hand(ACCOUNT, from.clone()).id;
        assert_eq!(scene.begin(&id), expected, "from {from:?}");
        assert_eq!(scene.status(&id), to, "from {from:?}");
    }
}

#[test]
fn a_create_begins_the_verification_unless_told_not_to() {
    for (body, status) in [
        (json!({"email_domain": DOMAIN}), VerificationStatus::Pending),
        (
            json!({"email_domain": DOMAIN, "begin_verification": true}),
            VerificationStatus::Pending,
        ),
        (
            json!({"email_domain": DOMAIN, "begin_verification": false}),
            VerificationStatus::Awaiting,
        ),
    ] {
        assert_eq!(
            Scene::new().create(&body).unwrap().verification_status,
            status,
            "{body}"
        );
    }
}

#[test]
fn a_published_record_verifies_at_the_next_poll() {
    let mut scene = Scene::new();
    let created = scene.create(&json!({"email_domain": DOMAIN})).unwrap();
    scene.pass(3);
    scene.publish(&created);
    scene.pass(6);
    assert_eq!(
        scene.status(&created.id),
        VerificationStatus::Pending,
        "not polled yet"
    );
    scene.pass(5);
    let verified = scene.model.connector(&created.id).unwrap();
    assert_eq!(verified.verification_status, VerificationStatus::Verified);
    assert_eq!(
        verified.updated_on,
        created.created_on + Duration::from_secs(10)
    );
}

#[test]
fn a_wrong_or_late_record_fails_at_the_timeout() {
    let mut scene = Scene::new();
    let created = scene.create(&json!({"email_domain": DOMAIN})).unwrap();
    scene
        .model
        .dns
        .publish(DOMAIN, "cloudflare_dashboard_sso=0000");
    scene.pass(59);
    assert_eq!(scene.status(&created.id), VerificationStatus::Pending);
    scene.pass(1);
    assert_eq!(scene.status(&created.id), VerificationStatus::Failed);
    scene.publish(&created);
    scene.pass(100);
    assert_eq!(
        scene.status(&created.id),
        VerificationStatus::Failed,
        "nobody polls any more"
    );
    scene.begin(&created.id).unwrap();
    scene.pass(10);
    assert_eq!(scene.status(&created.id), VerificationStatus::Verified);
}

#[test]
fn a_shortened_interval_and_timeout_count_at_once() {
    let mut scene = Scene::new();
    let first = scene.create(&json!({"email_domain": DOMAIN})).unwrap();
    let second = scene.create(&json!({"email_domain": "cool.dogs"})).unwrap();
    scene.publish(&first);
    scene.knobs.poll_interval = Duration::from_secs(1);
    scene.knobs.verify_timeout = Duration::from_secs(5);
    scene.pass(0);
    assert_eq!(
        scene.model.next_event(&scene.knobs),
        Some(scene.now + Duration::from_secs(1))
    );
    scene.pass(1);
    assert_eq!(scene.status(&first.id), VerificationStatus::Verified);
    scene.pass(4);
    assert_eq!(scene.status(&second.id), VerificationStatus::Failed);
    assert_eq!(scene.model.next_event(&scene.knobs), None);
}

#[test]
fn only_rotation_makes_a_new_code() {
    for (rotates, same) in [(Switch::Off, true), (Switch::On, false)] {
        let mut scene = Scene::new();
        scene.knobs.begin_verification_rotates_code = rotates;
        let before = scene.by_hand(ACCOUNT, VerificationStatus::Awaiting);
        scene.begin(&before.id).unwrap();
        let after = scene.model.connector(&before.id).unwrap();
        assert_eq!(after.verification_code == before.verification_code, same);
    }
}

#[test]
fn create_checks_its_domain() {
    for (domain, expected) in [
        ("", Refusal::InvalidDomain),
        ("<script>alert(1)</script>", Refusal::InvalidDomain),
        ("localhost", Refusal::InvalidDomain),
        ("a..b", Refusal::InvalidDomain),
        ("-a.example", Refusal::InvalidDomain),
        ("GMail.com", Refusal::ProhibitedDomain),
        ("gmail.com.", Refusal::ProhibitedDomain),
        ("some.edu", Refusal::ProhibitedDomain),
    ] {
        let refused = Scene::new().create(&json!({"email_domain": domain}));
        assert_eq!(refused, Err(expected), "{domain}");
    }
    let mut lenient = Scene::new();
    lenient.knobs.refuse_edu = Switch::Off;
    for domain in ["some.edu", "a.B.example", "xn--bcher-kva.example"] {
        assert_eq!(
            lenient
                .create(&json!({"email_domain": domain}))
                .unwrap()
                .email_domain,
            domain
        );
    }
}

#[test]
fn create_tolerates_only_a_false_enabled() {
    let mut scene = Scene::new();
    let body = json!({"email_domain": DOMAIN, "enabled": true});
    assert_eq!(scene.create(&body), Err(Refusal::EnableUnverified));
    assert!(
        scene
            .create(&json!({"email_domain": DOMAIN, "enabled": false}))
            .is_ok()
    );
}

#[test]
fn create_needs_an_identity_provider_if_the_knob_says_so() {
    for (require_idp, refused) in [(Switch::On, true), (Switch::Off, false)] {
        let mut scene = Scene::new();
        scene.model = Model::new(2, DnsTruth::OwnZones);
        scene.knobs.require_idp = require_idp;
        let created = scene.create(&json!({"email_domain": DOMAIN}));
        assert_eq!(created == Err(Refusal::NoIdentityProvider), refused);
    }
}

#[test]
fn a_duplicate_create_follows_its_knob() {
    for (knob, refused, connectors) in [
        (DuplicateCreate::Reject409, true, 1),
        (DuplicateCreate::Reject400, true, 1),
        (DuplicateCreate::ReturnExisting, false, 1),
        (DuplicateCreate::Allow, false, 2),
    ] {
        let mut scene = Scene::new();
        scene.knobs.duplicate_create = knob;
        let first = scene.create(&json!({"email_domain": DOMAIN})).unwrap();
        let second = scene.create(&json!({"email_domain": "Cool.Cats."}));
        assert_eq!(second == Err(Refusal::DuplicateCreate), refused, "{knob:?}");
        assert_eq!(
            scene.model.connectors(ACCOUNT).len(),
            connectors,
            "{knob:?}"
        );
        if knob == DuplicateCreate::ReturnExisting {
            assert_eq!(second, Ok(first));
        }
    }
}

#[test]
fn enabling_needs_verification() {
    use VerificationStatus::{Awaiting, Failed, Other, Pending, Verified};
    for (status, expected) in [
        (Awaiting, Err(Refusal::EnableUnverified)),
        (Pending, Err(Refusal::EnableUnverified)),
        (Failed, Err(Refusal::EnableUnverified)),
        (Other("expired".to_owned()), Err(Refusal::EnableUnverified)),
        (Verified, Ok(true)),
    ] {
        let mut scene = Scene::new();
        let id = scene.by_hand(ACCOUNT, status.clone()).id;
        let enabled = scene.update(&id, &json!({"enabled": true}));
        assert_eq!(
            enabled.map(|connector| connector.enabled),
            expected,
            "{status:?}"
        );
        assert!(
            scene.update(&id, &json!({"enabled": false})).is_ok(),
            "disabling always works"
        );
    }
}

#[test]
fn a_domain_is_enabled_in_one_account_only_if_the_knob_says_so() {
    for (knob, refused) in [(Switch::On, true), (Switch::Off, false)] {
        let mut scene = Scene::new();
        scene.knobs.other_account_enabled = knob;
        let other = scene
            .by_hand(OTHER_ACCOUNT, VerificationStatus::Verified)
            .id;
        let change = ConnectorChange {
            enabled: Some(true),
            ..ConnectorChange::default()
        };
        scene
            .model
            .change(&other, change, scene.now, &scene.knobs)
            .unwrap();
        let id = scene.by_hand(ACCOUNT, VerificationStatus::Verified).id;
        let enabled = scene.update(&id, &json!({"enabled": true}));
        assert_eq!(enabled == Err(Refusal::EnabledElsewhere), refused);
    }
}

#[test]
fn an_update_changes_what_it_names_and_moves_updated_on() {
    let mut scene = Scene::new();
    let before = scene.by_hand(ACCOUNT, VerificationStatus::Awaiting);
    let after = scene
        .update(&before.id, &json!({"use_fedramp_language": true}))
        .unwrap();
    assert!(after.use_fedramp_language && !after.enabled);
    assert!(
        after.updated_on > before.updated_on,
        "even within one moment"
    );
    assert_eq!(after.created_on, before.created_on);
}

#[test]
fn a_delete_of_an_enabled_connector_follows_its_knob() {
    for (knob, expected) in [
        (DeleteEnabled::Reject, Err(Refusal::DeleteEnabled)),
        (DeleteEnabled::Allow, Ok(())),
    ] {
        let mut scene = Scene::new();
        scene.knobs.delete_enabled = knob;
        let id = scene.by_hand(ACCOUNT, VerificationStatus::Verified).id;
        scene.update(&id, &json!({"enabled": true})).unwrap();
        assert_eq!(scene.delete(&id), expected);
    }
}

#[test]
fn a_deleted_or_foreign_connector_is_unknown() {
    let mut scene = Scene::new();
    let deleted = scene.by_hand(ACCOUNT, VerificationStatus::Pending).id;
    scene.delete(&deleted).unwrap();
    let foreign = scene
        .by_hand(OTHER_ACCOUNT, VerificationStatus::Awaiting)
        .id;
    for id in [
        deleted.as_str(),
        foreign.as_str(),
        "00000000000000000000000000000000",
    ] {
        let unknown = Refusal::UnknownConnector;
        assert_eq!(
            scene.model.get(ACCOUNT, id, scene.now, &scene.knobs),
            Err(unknown)
        );
        assert_eq!(scene.update(id, &json!({})), Err(unknown));
        assert_eq!(scene.begin(id), Err(unknown));
        assert_eq!(scene.delete(id), Err(unknown));
    }
}

#[test]
fn lists_and_gets_lag_writes_each_by_its_own_knob() {
    let mut scene = Scene::new();
    scene.knobs.list_lag = Duration::from_secs(20);
    scene.knobs.get_lag = Duration::from_secs(5);
    let id = scene.by_hand(ACCOUNT, VerificationStatus::Awaiting).id;
    let listed = |scene: &Scene| scene.model.list(ACCOUNT, scene.now, &scene.knobs).len();
    let got = |scene: &Scene| {
        scene
            .model
            .get(ACCOUNT, &id, scene.now, &scene.knobs)
            .map(|it| it.use_fedramp_language)
    };
    assert_eq!(
        (listed(&scene), got(&scene)),
        (0, Err(Refusal::UnknownConnector))
    );
    scene.pass(5);
    assert_eq!((listed(&scene), got(&scene)), (0, Ok(false)));
    scene
        .update(&id, &json!({"use_fedramp_language": true}))
        .unwrap();
    assert_eq!(got(&scene), Ok(false), "the old state");
    scene.pass(15);
    assert_eq!((listed(&scene), got(&scene)), (1, Ok(true)));
    scene.delete(&id).unwrap();
    assert_eq!((listed(&scene), got(&scene)), (1, Ok(true)), "the ghost");
    scene.pass(5);
    assert_eq!(
        (listed(&scene), got(&scene)),
        (1, Err(Refusal::UnknownConnector))
    );
    scene.pass(15);
    assert_eq!(listed(&scene), 0);
}

#[test]
fn a_connector_by_hand_may_claim_any_creation() {
    let mut scene = Scene::new();
    let created_on = "2020-02-02T02:02:02Z".parse().unwrap();
    let draft = ConnectorDraft {
        created_on: Some(created_on),
        ..ConnectorDraft::new(ACCOUNT, "Not A Domain.")
    };
    let made = scene.model.insert(draft, scene.now, &scene.knobs);
    assert_eq!(
        (made.created_on, made.email_domain.as_str()),
        (created_on, "Not A Domain.")
    );
    assert_eq!(scene.model.list(ACCOUNT, scene.now, &scene.knobs), [&made]);
}

#[test]
fn tokens_work_until_they_expire_or_are_revoked() {
    let mut scene = Scene::new();
    let end = scene.now + Duration::from_mins(1);
    let request = TokenRequest::new("operator")
        .grant(ACCOUNT, [Permission::SsoConnectorRead])
        .expires_on(end);
    let text = scene.model.issue_token(request, scene.now);
    let token = scene.model.token(&text).unwrap();
    assert!(token.works(scene.now) && !token.works(end));
    assert!(token.may(ACCOUNT, &[Permission::SsoConnectorRead]));
    assert!(!token.may(ACCOUNT, &[Permission::SsoConnectorWrite]));
    assert!(!token.may(OTHER_ACCOUNT, &[Permission::SsoConnectorRead]));
    scene.model.revoke_tokens("operator");
    assert!(!scene.model.token(&text).unwrap().works(scene.now));
}

#[test]
fn an_account_has_one_one_time_pin_at_most() {
    let mut scene = Scene::new();
    let one_time_pin = json!({"type": "onetimepin", "config": {}})
        .as_object()
        .cloned()
        .unwrap();
    assert!(
        scene
            .model
            .create_identity_provider(ACCOUNT, one_time_pin.clone())
            .is_ok()
    );
    let second = scene.model.create_identity_provider(ACCOUNT, one_time_pin);
    assert_eq!(second, Err(Refusal::DuplicateOneTimePin));
}

#[test]
fn names_look_random_and_never_repeat() {
    let mut identifiers = Identifiers::new(7);
    let drawn: std::collections::BTreeSet<String> = (0..1_000).map(|_| identifiers.hex()).collect();
    assert_eq!(drawn.len(), 1_000);
    let is_hex = |text: &String| {
        text.len() == 32
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    assert!(drawn.iter().all(is_hex));
}
