//! Every fault, on every endpoint: how it is judged, that it costs one call only, and that "definite" is never wrong.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Class, Completeness, Endpoint, Failure, VerificationStatus,
};
use cloudflare_sso_operator::identity::ConnectorId;
use serde_json::{Value, json};
use simulator::{Effect, Failure as Injected, Fault, Knobs, When};

use crate::cases::{Case, cases};
use crate::setting::{ENDPOINTS, Setting, fedramp, operation};

impl Setting {
    /// Lets `endpoint` suffer the fault on a connector of its own.
    pub(crate) async fn suffer(
        &self,
        endpoint: Endpoint,
        injected: Injected,
    ) -> Result<(), Failure> {
        let id = self.existing("example.com");
        let fault = self
            .simulator
            .admin()
            .push_fault(Fault::new(injected).on(operation(endpoint)));
        let outcome = self.call(endpoint, &id).await;
        assert_eq!(fault.struck(), 1, "{endpoint} met the fault once");
        outcome
    }

    fn last_effect(&self) -> Effect {
        self.simulator.calls().last().unwrap().effect
    }
}

#[tokio::test]
async fn every_fault_is_judged_alike_on_every_endpoint() {
    let setting = Setting::new(Knobs {
        duplicate_create: simulator::knobs::DuplicateCreate::Allow,
        ..Knobs::default()
    })
    .await;
    for Case {
        name,
        injected,
        class,
        definite,
        status,
        retry_after,
    } in cases()
    {
        for endpoint in ENDPOINTS {
            let calls = setting.simulator.calls().count();
            let failure = setting
                .suffer(endpoint, injected.clone())
                .await
                .expect_err(&name);
            let judged = (
                failure.class,
                failure.is_definite(),
                failure.status,
                failure.retry_after,
            );
            assert_eq!(
                judged,
                (class, definite, status, retry_after),
                "{name} on {endpoint}"
            );
            assert_eq!(failure.endpoint, endpoint);
            assert_eq!(
                setting.simulator.calls().count(),
                calls + 1,
                "{name}: no retry"
            );
            assert!(
                !definite || setting.last_effect() != Effect::Committed,
                "{name} on {endpoint}"
            );
        }
    }
}

#[tokio::test]
async fn a_404_in_the_envelope_says_that_the_connector_is_gone() {
    let setting = Setting::new(Knobs::default()).await;
    for endpoint in ENDPOINTS {
        let failure = setting
            .suffer(endpoint, Injected::envelope(404, 1234, "no"))
            .await
            .unwrap_err();
        let class = match endpoint {
            Endpoint::List | Endpoint::Create => Class::Rejected,
            _ => Class::Gone,
        };
        assert_eq!(
            (failure.class, failure.is_definite()),
            (class, true),
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn a_slow_answer_is_awaited_until_the_call_has_lasted_too_long() {
    let patient = Setting::new(Knobs::default()).await;
    let hasty = Setting::with_timeout(Knobs::default(), Duration::from_millis(200)).await;
    for endpoint in ENDPOINTS {
        for when in [When::BeforeCommit, When::AfterCommit] {
            let short = Injected::Delay {
                when,
                time: Duration::from_millis(20),
            };
            let outcome = patient.suffer(endpoint, short).await;
            // The create of the second round meets the connector of the first one.
            assert!(
                outcome.is_ok() || endpoint == Endpoint::Create,
                "{endpoint}: {outcome:?}"
            );

            let failure = hasty
                .suffer(endpoint, Injected::Hold { when })
                .await
                .unwrap_err();
            assert_eq!(
                (failure.class, failure.is_definite()),
                (Class::Unavailable, false)
            );
            assert_eq!(failure.message, "Cloudflare did not answer in time");
        }
    }
}

#[tokio::test]
async fn a_held_call_goes_on_or_breaks() {
    for endpoint in ENDPOINTS {
        for when in [When::BeforeCommit, When::AfterCommit] {
            let setting = Setting::new(Knobs::default()).await;
            let id = setting.existing("example.com");
            let holding = || Fault::new(Injected::Hold { when }).on(operation(endpoint));

            let held = setting.simulator.admin().push_fault(holding());
            let (broken, ()) = tokio::join!(setting.call(endpoint, &id), async {
                held.arrived(Duration::from_mins(1)).await.unwrap();
                held.drop_connection();
            });
            let failure = broken.unwrap_err();
            assert_eq!(
                (failure.class, failure.is_definite()),
                (Class::Unavailable, false)
            );

            let id = setting.existing("another.example.com");
            setting.simulator.admin().turn_knobs(|knobs| {
                knobs.duplicate_create = simulator::knobs::DuplicateCreate::Allow;
            });
            let held = setting.simulator.admin().push_fault(holding());
            let (outcome, ()) = tokio::join!(setting.call(endpoint, &id), async {
                held.arrived(Duration::from_mins(1)).await.unwrap();
                held.release();
            });
            outcome.unwrap_or_else(|failure| panic!("{endpoint}: {failure}"));
        }
    }
}

/// The connector exists and nobody was told which: the next list shows it.
#[tokio::test]
async fn a_creation_answered_without_an_id_is_neither_lost_nor_named() {
    let setting = Setting::new(Knobs::default()).await;
    setting
        .simulator
        .admin()
        .push_fault(Fault::new(Injected::WithoutId));
    assert_eq!(setting.create("example.com").await.unwrap(), None);
    assert_eq!(setting.list().await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn other_answers_without_an_id_are_read_for_what_they_say() {
    let setting = Setting::new(Knobs::default()).await;
    for (endpoint, class) in [
        (Endpoint::Get, Some(Class::Unavailable)),
        (Endpoint::Update, None),
        (Endpoint::Delete, None),
        (Endpoint::BeginVerification, None),
    ] {
        let outcome = setting.suffer(endpoint, Injected::WithoutId).await;
        assert_eq!(
            outcome.err().map(|failure| failure.class),
            class,
            "{endpoint}"
        );
    }
}

fn rewrite_next(setting: &Setting, pointer: &str, value: Value) -> ConnectorId {
    let rewrite = Injected::Rewrite {
        pointer: pointer.to_owned(),
        value,
    };
    setting.simulator.admin().push_fault(Fault::new(rewrite));
    let all = setting
        .simulator
        .admin()
        .connectors(setting.account.as_str());
    all[0].id.parse().unwrap()
}

#[tokio::test]
async fn a_list_that_was_tampered_with_is_incomplete() {
    let setting = Setting::new(Knobs::default()).await;
    setting.existing("example.com");
    for (pointer, value, found) in [
        ("/result", json!(null), 0),
        ("/result", json!({}), 0),
        ("/result/0", json!("x"), 0),
        ("/result/0/id", json!(null), 0),
        ("/result/0/id", json!("../x"), 0),
        ("/result/0/email_domain", json!(null), 1),
        ("/result_info", json!({"total_count": 2}), 1),
        ("/result_info", json!({"total_pages": 2}), 1),
    ] {
        rewrite_next(&setting, pointer, value.clone());
        let listing = setting.list().await.unwrap();
        assert!(
            matches!(listing.complete, Completeness::Incomplete(_)),
            "{pointer} {value}"
        );
        assert_eq!(listing.items.len(), found, "{pointer} {value}");
    }
    for (pointer, value) in [
        ("/messages", json!(["text"])),
        ("/errors", json!(null)),
        ("/new", json!({})),
    ] {
        rewrite_next(&setting, pointer, value);
        let listing = setting.list().await.unwrap();
        assert_eq!(
            (listing.items.len(), listing.complete),
            (1, Completeness::Complete)
        );
    }
}

#[tokio::test]
async fn a_connector_that_was_tampered_with_loses_only_that_field() {
    let setting = Setting::new(Knobs::default()).await;
    setting.existing("example.com");
    let id = rewrite_next(&setting, "/result/verification/status", json!("expired"));
    let status = setting.get(&id).await.unwrap().verification.unwrap().status;
    assert_eq!(
        status,
        Some(VerificationStatus::Unknown("expired".to_owned()))
    );

    for field in [
        "email_domain",
        "enabled",
        "use_fedramp_language",
        "created_on",
        "updated_on",
        "verification",
    ] {
        let plain = setting.get(&id).await.unwrap();
        rewrite_next(&setting, &format!("/result/{field}"), json!(12));
        let odd = setting.get(&id).await.unwrap();
        assert_ne!(odd, plain, "{field}");
        assert_eq!(odd.id, plain.id);
    }
}

#[tokio::test]
async fn an_answer_about_another_connector_is_not_taken() {
    let setting = Setting::new(Knobs::default()).await;
    setting.existing("example.com");
    let id = rewrite_next(&setting, "/result/id", json!("0".repeat(32)));
    assert_eq!(
        setting.get(&id).await.unwrap_err().class,
        Class::Unavailable
    );
    rewrite_next(&setting, "/result/id", json!("0".repeat(32)));
    assert_eq!(setting.update(&id, fedramp()).await.unwrap(), None);
}
