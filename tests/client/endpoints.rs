//! Every endpoint as it should work.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Class, Client, ClientOptions, Completeness, Creation, Endpoint, VerificationCode,
    VerificationStatus,
};
use cloudflare_sso_operator::lease::Authority;
use serde_json::json;
use simulator::{ConnectorDraft, Knobs, Operation, Simulator};

use crate::setting::{ENDPOINTS, OTHER_ACCOUNT, Setting, creation, enable, fedramp, in_a_minute};

#[tokio::test]
async fn a_connector_lives_through_all_endpoints() {
    let setting = Setting::new(Knobs::default()).await;
    let empty = setting.list().await.unwrap();
    assert_eq!(
        (empty.items.len(), empty.complete),
        (0, Completeness::Complete)
    );

    let wanted = Creation {
        use_fedramp_language: Some(true),
        begin_verification: false,
        ..creation("example.com")
    };
    let answer = setting
        .client
        .create_connector(&setting.token, &setting.account, &wanted, in_a_minute())
        .await
        .unwrap();
    let created = answer.value.connector.unwrap();
    let lag = answer
        .date
        .unwrap()
        .duration_since(created.created_on.unwrap());
    assert!(
        lag.unsigned_abs() < Duration::from_secs(5),
        "both are Cloudflare's clock: {lag}"
    );
    assert_eq!(created.email_domain, "example.com");
    assert_eq!(
        (created.enabled, created.use_fedramp_language),
        (Some(false), Some(true))
    );
    let verification = created.verification.clone().unwrap();
    assert_eq!(verification.status, Some(VerificationStatus::Awaiting));
    assert!(VerificationCode::parse(&verification.code.unwrap()).is_some());

    assert_eq!(setting.get(&created.id).await.unwrap(), created);
    let listing = setting.list().await.unwrap();
    assert_eq!(listing.items.iter().collect::<Vec<_>>(), [&created]);

    setting.begin(&created.id).await.unwrap();
    let pending = setting.get(&created.id).await.unwrap();
    assert_eq!(
        pending.verification.unwrap().status,
        Some(VerificationStatus::Pending)
    );

    setting
        .simulator
        .admin()
        .set_verification(created.id.as_str(), simulator::VerificationStatus::Verified)
        .unwrap();
    let enabled = setting
        .update(&created.id, enable())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(enabled.enabled, Some(true));
    assert_eq!(setting.get(&created.id).await.unwrap(), enabled);

    setting
        .simulator
        .admin()
        .set_enabled(created.id.as_str(), false)
        .unwrap();
    setting.delete(&created.id).await.unwrap();
    let gone = setting.delete(&created.id).await.unwrap_err();
    assert_eq!((gone.class, gone.is_definite()), (Class::Gone, true));
}

#[tokio::test]
async fn requests_carry_what_cloudflare_documents_and_no_more() {
    let setting = Setting::new(Knobs::default()).await;
    for endpoint in ENDPOINTS {
        let id = setting.existing("example.com");
        setting
            .call(endpoint, &id)
            .await
            .unwrap_or_else(|failure| panic!("{endpoint}: {failure}"));
    }
    let calls = setting.simulator.calls();
    let bodies: Vec<_> = calls
        .as_slice()
        .iter()
        .map(|call| (call.operation, call.body.clone()))
        .collect();
    assert_eq!(
        bodies,
        [
            (Operation::List, None),
            (
                Operation::Create,
                Some(json!({"email_domain": "new.example.com", "begin_verification": true}))
            ),
            (Operation::Get, None),
            (
                Operation::Update,
                Some(json!({"use_fedramp_language": true}))
            ),
            (Operation::Delete, None),
            (Operation::BeginVerification, None),
        ]
    );
    let agent = concat!("cloudflare-sso-operator/", env!("CARGO_PKG_VERSION"));
    assert!(
        calls
            .as_slice()
            .iter()
            .all(|call| call.user_agent.as_deref() == Some(agent))
    );
}

#[tokio::test]
async fn an_unknown_connector_is_gone_and_an_unknown_account_is_not() {
    let setting = Setting::new(Knobs::default()).await;
    let foreign = setting.drafted(ConnectorDraft::new(OTHER_ACCOUNT, "example.com"));
    let unknown = "0".repeat(32).parse().unwrap();
    for id in [foreign, unknown] {
        for endpoint in [
            Endpoint::Get,
            Endpoint::Update,
            Endpoint::Delete,
            Endpoint::BeginVerification,
        ] {
            let failure = setting.call(endpoint, &id).await.unwrap_err();
            assert_eq!(
                (failure.class, failure.status),
                (Class::Gone, Some(404)),
                "{endpoint}"
            );
        }
    }
    let elsewhere = OTHER_ACCOUNT.parse().unwrap();
    let failure = setting
        .client
        .list_connectors(&setting.token, &elsewhere)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.class, failure.status),
        (Class::Unauthorized, Some(403))
    );
}

#[tokio::test]
async fn a_path_that_cloudflare_does_not_route_proves_nothing_about_a_connector() {
    let setting = Setting::new(Knobs::default()).await;
    let client = Client::new(ClientOptions {
        base_url: format!("{}/elsewhere", setting.simulator.base_url())
            .parse()
            .unwrap(),
        call_timeout: Duration::from_mins(1),
        connect_timeout: Duration::from_mins(1),
        authority: Authority::unlimited(),
    });
    let id = setting.existing("example.com");
    let failure = client
        .unwrap()
        .get_connector(&setting.token, &setting.account, &id)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.class, failure.status),
        (Class::Rejected, Some(404))
    );
    assert!(failure.codes.contains(&7003), "{failure:?}");
}

#[tokio::test]
async fn nothing_reaches_a_server_that_does_not_listen() {
    let mut setting = Setting::new(Knobs::default()).await;
    let id = setting.existing("example.com");
    let other = Simulator::start(Knobs::default()).await.unwrap();
    drop(std::mem::replace(&mut setting.simulator, other));
    for endpoint in ENDPOINTS {
        // The old server's socket closes a moment after its owner is gone.
        let deadline = in_a_minute();
        let failure = loop {
            let failure = setting.call(endpoint, &id).await.unwrap_err();
            if failure.class == Class::NotSent || tokio::time::Instant::now() > deadline {
                break failure;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(
            (failure.class, failure.is_definite()),
            (Class::NotSent, true),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_creation_that_cannot_begin_in_time_is_not_sent() {
    let setting = Setting::new(Knobs::default()).await;
    let now = tokio::time::Instant::now();
    let failure = setting
        .client
        .create_connector(
            &setting.token,
            &setting.account,
            &creation("example.com"),
            now,
        )
        .await
        .unwrap_err();
    assert_eq!(
        (failure.class, failure.is_definite()),
        (Class::NotSent, true)
    );
    assert!(setting.list().await.unwrap().items.is_empty());
    assert!(setting.simulator.calls().of(Operation::Create).is_empty());
    assert!(
        setting
            .update(&setting.existing("a.b"), fedramp())
            .await
            .is_ok(),
        "others go on"
    );
}
