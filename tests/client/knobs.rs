//! Every knob: whatever Cloudflare turns out to do, the client reads it for what it is.

use std::num::NonZeroUsize;
use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Class, Completeness, Connector, Failure, VerificationStatus,
};
use simulator::knobs::{
    BeginVerified, DeleteEnabled, DeleteResult, DuplicateCreate, OmittableField, PageParameter,
    PatchResult, Switch, TimestampFraction,
};
use simulator::{ConnectorDraft, Knobs, Permission, Timestamp, TokenRequest};

use crate::setting::{ACCOUNT, OTHER_ACCOUNT, Setting, enable, fedramp, in_a_minute, token};

fn judged<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> (Class, bool, Option<u16>) {
    let failure = outcome.unwrap_err();
    (failure.class, failure.is_definite(), failure.status)
}

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
            .turn_knobs(|knobs| knobs.duplicate_create = choice)
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
async fn patch_result() {
    for (patch_result, shown) in [
        (PatchResult::Object, true),
        (PatchResult::Array, true),
        (PatchResult::Null, false),
    ] {
        let setting = Setting::new(Knobs {
            patch_result,
            ..Knobs::default()
        })
        .await;
        let id = setting.existing("example.com");
        let updated = setting.update(&id, fedramp()).await.unwrap();
        assert_eq!(
            updated.map(|it| it.use_fedramp_language),
            shown.then_some(Some(true))
        );
        assert_eq!(
            setting.get(&id).await.unwrap().use_fedramp_language,
            Some(true)
        );
    }
}

#[tokio::test]
async fn omit_fields() {
    let setting = Setting::new(Knobs::default()).await;
    let id = setting.existing("example.com");
    let whole = setting.get(&id).await.unwrap();
    for (field, expected) in [
        (
            OmittableField::CreatedOn,
            Connector {
                created_on: None,
                ..whole.clone()
            },
        ),
        (
            OmittableField::UpdatedOn,
            Connector {
                updated_on: None,
                ..whole.clone()
            },
        ),
        (
            OmittableField::UseFedrampLanguage,
            Connector {
                use_fedramp_language: None,
                ..whole.clone()
            },
        ),
        (OmittableField::ResultInfo, whole.clone()),
        (OmittableField::Messages, whole.clone()),
    ] {
        setting
            .simulator
            .admin()
            .turn_knobs(|knobs| knobs.omit_fields = vec![field]);
        assert_eq!(setting.get(&id).await.unwrap(), expected, "{field:?}");
        let listing = setting.list().await.unwrap();
        assert_eq!(listing.connectors, [expected], "{field:?}");
        assert_eq!(listing.complete, Completeness::Complete);
    }
}

#[tokio::test]
async fn timestamp_fraction() {
    let setting = Setting::new(Knobs::default()).await;
    let moment: Timestamp = "2025-09-25T21:05:20.462622Z".parse().unwrap();
    let draft = ConnectorDraft {
        created_on: Some(moment),
        ..ConnectorDraft::new(ACCOUNT, "a.b")
    };
    let id = setting.drafted(draft);
    for (fraction, shown) in [
        (TimestampFraction::None, "2025-09-25T21:05:20Z"),
        (TimestampFraction::Four, "2025-09-25T21:05:20.4626Z"),
        (TimestampFraction::Six, "2025-09-25T21:05:20.462622Z"),
    ] {
        setting
            .simulator
            .admin()
            .turn_knobs(|knobs| knobs.timestamp_fraction = fraction);
        let created_on = setting.get(&id).await.unwrap().created_on;
        assert_eq!(created_on, Some(shown.parse().unwrap()));
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
async fn result_info_page_size_and_page_parameter() {
    let setting = Setting::new(Knobs::default()).await;
    for number in 0..7 {
        setting.existing(&format!("{number}.example.com"));
    }
    for (result_info, page_size, page_parameter, found, complete, calls) in [
        (Switch::Off, None, PageParameter::Honoured, 7, true, 1),
        (Switch::On, None, PageParameter::Honoured, 7, true, 1),
        (
            Switch::On,
            NonZeroUsize::new(3),
            PageParameter::Honoured,
            7,
            true,
            3,
        ),
        (
            Switch::On,
            NonZeroUsize::new(7),
            PageParameter::Honoured,
            7,
            true,
            1,
        ),
        (
            Switch::On,
            NonZeroUsize::new(3),
            PageParameter::Ignored,
            3,
            false,
            2,
        ),
        // Without a count nothing tells that there is more; only a GET by ID can show it.
        (
            Switch::Off,
            NonZeroUsize::new(3),
            PageParameter::Honoured,
            3,
            true,
            1,
        ),
    ] {
        setting.simulator.admin().turn_knobs(|knobs| {
            knobs.result_info = result_info;
            knobs.page_size = page_size;
            knobs.page_parameter = page_parameter;
        });
        let before = setting.simulator.calls().count();
        let listing = setting.list().await.unwrap();
        assert_eq!(listing.connectors.len(), found);
        assert_eq!(listing.complete == Completeness::Complete, complete);
        assert_eq!(setting.simulator.calls().count() - before, calls);
    }
}

#[tokio::test]
async fn list_lag_and_get_lag() {
    let setting = Setting::new(Knobs::default()).await;
    setting.simulator.admin().turn_knobs(|knobs| {
        knobs.list_lag = Duration::from_mins(5);
        knobs.get_lag = Duration::from_mins(5);
    });
    let created = setting.create("example.com").await.unwrap().unwrap();
    let listing = setting.list().await.unwrap();
    assert_eq!(
        (listing.connectors.len(), listing.complete),
        (0, Completeness::Complete)
    );
    assert_eq!(
        judged(setting.get(&created.id).await),
        (Class::Gone, true, Some(404))
    );
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.get_lag = Duration::ZERO);
    assert_eq!(setting.get(&created.id).await.unwrap(), created);
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

#[tokio::test]
async fn date_header_and_clock_offset() {
    let knobs = Knobs {
        clock_offset_seconds: 86_400,
        ..Knobs::default()
    };
    let setting = Setting::new(knobs).await;
    let date = || async {
        setting
            .client
            .list_connectors(&setting.token, &setting.account)
            .await
            .unwrap()
            .date
    };
    let ahead = date().await.unwrap().duration_since(Timestamp::now());
    assert!((86_000..87_000).contains(&ahead.as_secs()), "{ahead}");
    let request = crate::setting::creation("example.com");
    let created = setting
        .client
        .create_connector(&setting.token, &setting.account, &request, in_a_minute())
        .await
        .unwrap();
    let connector = created.value.connector.unwrap();
    let apart = created
        .date
        .unwrap()
        .duration_since(connector.created_on.unwrap());
    assert!(apart.as_secs().abs() < 5, "the same clock: {apart}");
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.date_header = Switch::Off);
    assert_eq!(date().await, None);
}
