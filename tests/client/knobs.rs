//! Every knob about Cloudflare's rules: whatever it turns out to refuse, the refusal is read for what it is.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Class, Connector, VerificationStatus};
use simulator::knobs::{BeginVerified, DeleteEnabled, DeleteResult, DuplicateCreate, Switch};
use simulator::{ConnectorDraft, Knobs, Permission, TokenRequest};

use crate::setting::{ACCOUNT, OTHER_ACCOUNT, Setting, enable, fedramp, judged, token};

fn verified(account: &str, domain: &str) -> ConnectorDraft {
    let verification_status = simulator::VerificationStatus::Verified;
    ConnectorDraft {
        verification_status,
        ..ConnectorDraft::new(account, domain)
    }
}

#[tokio::test]
async fn duplicate_create() {
    let setting = Setting::new(Knobs::default()).await;
    let first = setting.create("example.com").await.unwrap().unwrap();
    let turn = |choice| {
        setting
            .simulator
            .admin()
            .turn_knobs(|knobs| knobs.duplicate_create = choice);
    };

    turn(DuplicateCreate::Reject409);
    assert_eq!(
        judged(setting.create("example.com").await),
        (Class::Unavailable, false, Some(409))
    );
    turn(DuplicateCreate::Reject400);
    assert_eq!(
        judged(setting.create("example.com").await),
        (Class::Rejected, true, Some(400))
    );
    turn(DuplicateCreate::ReturnExisting);
    assert_eq!(
        setting.create("example.com").await.unwrap().unwrap().id,
        first.id
    );
    turn(DuplicateCreate::Allow);
    assert_ne!(
        setting.create("example.com").await.unwrap().unwrap().id,
        first.id
    );
}

#[tokio::test]
async fn delete_enabled_and_delete_result() {
    let setting = Setting::new(Knobs::default()).await;
    let enabled = || ConnectorDraft {
        enabled: true,
        ..verified(ACCOUNT, "example.com")
    };
    let id = setting.drafted(enabled());
    assert_eq!(
        judged(setting.delete(&id).await),
        (Class::Unavailable, false, Some(409))
    );
    for delete_result in [DeleteResult::Object, DeleteResult::Null] {
        setting.simulator.admin().turn_knobs(|knobs| {
            knobs.delete_enabled = DeleteEnabled::Allow;
            knobs.delete_result = delete_result;
        });
        setting.delete(&setting.drafted(enabled())).await.unwrap();
    }
}

#[tokio::test]
async fn begin_verified() {
    for (begin_verified, outcome) in [
        (BeginVerified::Ok, None),
        (
            BeginVerified::Error,
            Some((Class::Rejected, true, Some(400))),
        ),
    ] {
        let setting = Setting::new(Knobs {
            begin_verified,
            ..Knobs::default()
        })
        .await;
        let id = setting.drafted(verified(ACCOUNT, "example.com"));
        let begun = setting.begin(&id).await;
        assert_eq!(begun.is_err().then(|| judged(begun)), outcome);
    }
}

#[tokio::test]
async fn enable_unverified() {
    for (status, code, class, definite) in [
        (400, 990_006, Class::Rejected, true),
        (403, 990_006, Class::Unauthorized, true),
        (409, 990_006, Class::Unavailable, false),
        (422, 1001, Class::Rejected, true),
        (404, 990_006, Class::Gone, true),
        (429, 971, Class::RateLimited, true),
    ] {
        let knobs = Knobs {
            enable_unverified_status: status,
            enable_unverified_code: code,
            ..Knobs::default()
        };
        let setting = Setting::new(knobs).await;
        let id = setting.existing("example.com");
        let failure = setting.update(&id, enable()).await.unwrap_err();
        assert_eq!(
            (failure.class, failure.is_definite(), failure.codes),
            (class, definite, vec![code])
        );
    }
}

#[tokio::test]
async fn other_account_enabled() {
    let setting = Setting::new(Knobs::default()).await;
    setting.drafted(ConnectorDraft {
        enabled: true,
        ..verified(OTHER_ACCOUNT, "example.com")
    });
    let id = setting.drafted(verified(ACCOUNT, "example.com"));
    assert_eq!(
        judged(setting.update(&id, enable()).await),
        (Class::Unavailable, false, Some(409))
    );
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.other_account_enabled = Switch::Off);
    assert_eq!(
        setting
            .update(&id, enable())
            .await
            .unwrap()
            .unwrap()
            .enabled,
        Some(true)
    );
}

#[tokio::test]
async fn require_idp_and_refuse_edu() {
    let mut setting = Setting::new(Knobs::default()).await;
    assert_eq!(
        judged(setting.create("example.edu").await),
        (Class::Rejected, true, Some(400))
    );
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.refuse_edu = Switch::Off);
    assert!(setting.create("example.edu").await.unwrap().is_some());

    let admin = setting.simulator.admin();
    admin.add_account(OTHER_ACCOUNT);
    let request = TokenRequest::new("elsewhere").grant(OTHER_ACCOUNT, Permission::ALL);
    setting.token = token(&admin.issue_token(request));
    setting.account = OTHER_ACCOUNT.parse().unwrap();
    assert_eq!(
        judged(setting.create("example.com").await),
        (Class::Rejected, true, Some(400))
    );
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.require_idp = Switch::Off);
    assert!(setting.create("example.com").await.unwrap().is_some());
}

fn code(connector: Connector) -> String {
    connector.verification.unwrap().code.unwrap()
}

#[tokio::test]
async fn begin_verification_rotates_code() {
    for (switch, rotates) in [(Switch::Off, false), (Switch::On, true)] {
        let knobs = Knobs {
            begin_verification_rotates_code: switch,
            ..Knobs::default()
        };
        let setting = Setting::new(knobs).await;
        let id = setting.existing("example.com");
        let before = code(setting.get(&id).await.unwrap());
        setting.begin(&id).await.unwrap();
        assert_eq!(code(setting.get(&id).await.unwrap()) != before, rotates);
    }
}

#[tokio::test]
async fn poll_interval_and_verify_timeout() {
    let knobs = Knobs {
        poll_interval: Duration::from_millis(20),
        ..Knobs::default()
    };
    let setting = Setting::new(knobs).await;
    let found = setting.create("found.example.com").await.unwrap().unwrap();
    setting
        .simulator
        .admin()
        .publish_txt("found.example.com", &code(found.clone()));
    assert_eq!(
        settled(&setting, &found).await,
        VerificationStatus::Verified
    );

    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.verify_timeout = Duration::from_millis(50));
    let missing = setting
        .create("missing.example.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        settled(&setting, &missing).await,
        VerificationStatus::Failed
    );
}

/// The first status after `pending`.
async fn settled(setting: &Setting, connector: &Connector) -> VerificationStatus {
    let pending = |world: &simulator::World| {
        let now = world.connector(connector.id.as_str()).unwrap();
        now.verification_status == simulator::VerificationStatus::Pending
    };
    let settled = setting
        .simulator
        .until(|world| !pending(world), Duration::from_mins(1));
    settled.await.unwrap();
    let connector = setting.get(&connector.id).await.unwrap();
    connector.verification.unwrap().status.unwrap()
}

#[tokio::test]
async fn write_implies_read() {
    let mut setting = Setting::new(Knobs::default()).await;
    let id = setting.existing("example.com");
    let writer = TokenRequest::new("writer").grant(ACCOUNT, [Permission::SsoConnectorWrite]);
    setting.token = token(&setting.simulator.admin().issue_token(writer));
    assert_eq!(
        judged(setting.list().await),
        (Class::Unauthorized, true, Some(403))
    );
    assert_eq!(
        judged(setting.get(&id).await),
        (Class::Unauthorized, true, Some(403))
    );
    assert!(setting.update(&id, fedramp()).await.is_ok());
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.write_implies_read = Switch::On);
    assert!(setting.list().await.is_ok());
    assert!(setting.get(&id).await.is_ok());
}

#[tokio::test]
async fn unknown_token_status() {
    let mut setting = Setting::new(Knobs::default()).await;
    setting.token = token("never-issued");
    let id = setting.existing("example.com");
    for status in [400, 401, 403, 404] {
        setting
            .simulator
            .admin()
            .turn_knobs(|knobs| knobs.unknown_token_status = status);
        assert_eq!(
            judged(setting.get(&id).await),
            (Class::Unauthorized, true, Some(status))
        );
    }
    setting.token = token("not:a:cloudflare:token");
    assert_eq!(
        judged(setting.get(&id).await),
        (Class::Unauthorized, true, Some(400))
    );
}

#[tokio::test]
async fn rate_limit_and_rate_window() {
    let knobs = Knobs {
        rate_limit: 2,
        rate_window: Duration::from_mins(3),
        ..Knobs::default()
    };
    let setting = Setting::new(knobs).await;
    setting.list().await.unwrap();
    setting.list().await.unwrap();
    let failure = setting.create("example.com").await.unwrap_err();
    assert_eq!(
        (failure.class, failure.is_definite()),
        (Class::RateLimited, true)
    );
    let pause = failure.retry_after.unwrap();
    assert!(
        pause > Duration::from_mins(1) && pause <= Duration::from_mins(3),
        "{pause:?}"
    );
    assert!(setting.simulator.admin().connectors(ACCOUNT).is_empty());
}
