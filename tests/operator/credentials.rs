//! Tokens: missing, wrong, and never shown.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, Reason, SsoConnector};
use harness::Options;
use kube::api::DeleteParams;
use serde_json::json;
use simulator::{Failure, Fault, Operation, Permission, TokenRequest, When};

use crate::stage::{ACCOUNT, PATIENCE, SECRET, Stage, code, condition, connector_id, quick_knobs};

#[tokio::test]
async fn a_missing_secret_is_named_and_its_arrival_needs_no_restart() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage
        .connector(
            "example",
            "example.com",
            json!({ "apiTokenSecretRef": { "name": "later" } }),
        )
        .await;
    let object = stage
        .until_ready_is("example", "CredentialsUnavailable")
        .await;
    let (truth, _, message) = condition(&object, ConditionType::Stalled);
    assert_eq!(truth, "True");
    assert!(
        message.contains("later") && message.contains("api-token"),
        "{message}"
    );
    assert_eq!(stage.simulator.calls().count(), 0);

    stage.put_token("later", &stage.token).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
}

#[tokio::test]
async fn each_way_in_which_a_token_can_be_unusable_is_named() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage.put_token("empty", " \n").await;
    stage.put_token("two-lines", "one\ntwo").await;
    let cases = [
        (
            "no-reference",
            json!({ "apiTokenSecretRef": null }),
            "spec.apiTokenSecretRef",
        ),
        (
            "no-secret",
            json!({ "apiTokenSecretRef": { "name": "absent" } }),
            "does not exist",
        ),
        (
            "no-key",
            json!({ "apiTokenSecretRef": { "name": SECRET, "key": "other" } }),
            "no key other",
        ),
        (
            "empty",
            json!({ "apiTokenSecretRef": { "name": "empty" } }),
            "empty",
        ),
        (
            "two-lines",
            json!({ "apiTokenSecretRef": { "name": "two-lines" } }),
            "line breaks",
        ),
    ];
    for (name, fields, _) in &cases {
        stage
            .connector(name, &format!("{name}.example"), fields.clone())
            .await;
    }
    for (name, _, expected) in &cases {
        let object = stage.until_ready_is(name, "CredentialsUnavailable").await;
        let (_, _, message) = condition(&object, ConditionType::Ready);
        assert!(message.contains(expected), "{name}: {message}");
    }
    assert_eq!(stage.simulator.calls().count(), 0);
}

#[tokio::test]
async fn a_secret_that_the_operator_may_not_read_is_named_with_the_right_to_grant() {
    let stage = Stage::set().await;
    let role = "clusterrole/cloudflare-sso-operator";
    let without = r#"[{ "op": "test", "path": "/rules/2/resources/0", "value": "secrets" }, { "op": "remove", "path": "/rules/2" }]"#;
    stage
        .kubectl(&["patch", role, "--type=json", "-p", without])
        .await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    let object = stage
        .until_ready_is("example", "CredentialsUnavailable")
        .await;
    let (_, _, message) = condition(&object, ConditionType::Ready);
    assert!(
        message.contains("may not read Secret") && message.contains("verb get"),
        "{message}"
    );

    let with = r#"[{ "op": "add", "path": "/rules/2", "value": { "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] } }]"#;
    stage
        .kubectl(&["patch", role, "--type=json", "-p", with])
        .await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
}

#[tokio::test]
async fn an_object_with_a_bad_token_does_not_keep_a_domain_from_one_with_a_good_token() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--refused-token-retry", "10m"]).await;
    stage.put_token("wrong", "wrong").await;
    let wrong = json!({ "apiTokenSecretRef": { "name": "wrong" } });
    stage.connector("first", "example.com", wrong).await;
    stage.until_ready_is("first", "Unauthorized").await;
    stage.connector("second", "example.com", json!({})).await;
    stage.until_ready_is("second", "AwaitingVerification").await;
}

#[tokio::test]
async fn a_newline_after_the_token_does_no_harm() {
    let stage = Stage::set().await;
    stage.put_token(SECRET, &format!("{}\n", stage.token)).await;
    let _operator = stage.operator(&[]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
}

#[tokio::test]
async fn a_refused_token_rests_and_a_corrected_one_is_used_at_once() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--refused-token-retry", "10m"]).await;
    stage.put_token(SECRET, "wrong").await;
    stage.connector("example", "example.com", json!({})).await;
    stage.until_ready_is("example", "Unauthorized").await;
    // The Secret is looked at again all the time, but the same token is not offered again.
    stage
        .kubectl(&["label", "-n", "team", "sso/example", "edited=meanwhile"])
        .await;
    stage.put_token(SECRET, &stage.token).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let refused = stage.simulator.calls().answered(401);
    assert_eq!(refused.count(), 1, "{refused:#?}");
}

#[tokio::test]
async fn without_credentials_a_deletion_says_so_and_both_ways_out_work() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    for name in ["restored", "retained"] {
        stage
            .connector(
                name,
                &format!("{name}.example"),
                json!({ "deletionPolicy": "Delete" }),
            )
            .await;
        stage.until_ready_is(name, "AwaitingVerification").await;
    }
    // A process that has not seen the token work.
    operator.terminate(PATIENCE).await.unwrap();
    stage
        .kubectl(&["delete", "secret", "-n", "team", SECRET])
        .await;
    let _successor = stage.operator(&[]).await;
    let mut objects = Vec::new();
    for name in ["restored", "retained"] {
        stage
            .objects()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
        let object = stage.until_ready_is(name, "CredentialsUnavailable").await;
        let (_, _, message) = condition(&object, ConditionType::Ready);
        assert!(
            message.contains("restore the Secret") && message.contains("Retain"),
            "{message}"
        );
        objects.push(object);
    }

    let before = stage.simulator.calls().count();
    stage
        .patch_spec("retained", json!({ "deletionPolicy": "Retain" }))
        .await;
    harness::await_gone(&stage.objects(), &objects[1], PATIENCE)
        .await
        .unwrap();
    assert_eq!(stage.simulator.calls().count(), before, "no call was made");
    stage.put_token(SECRET, &stage.token).await;
    harness::await_gone(&stage.objects(), &objects[0], PATIENCE)
        .await
        .unwrap();
    let left = stage.simulator.admin().connectors(ACCOUNT);
    assert_eq!(left.len(), 1);
    assert_eq!(Some(&left[0].id), connector_id(&objects[1]).as_ref());
}

#[tokio::test]
async fn the_token_that_worked_cleans_up_when_the_secret_is_gone_first() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    stage
        .connector(
            "example",
            "example.com",
            json!({ "deletionPolicy": "Delete" }),
        )
        .await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage
        .kubectl(&["delete", "secret", "-n", "team", SECRET])
        .await;
    stage.delete("example").await;
    assert!(stage.simulator.admin().connectors(ACCOUNT).is_empty());
}

#[tokio::test]
async fn a_token_that_the_spec_names_no_more_is_not_used_to_clean_up() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    for name in ["removed", "changed"] {
        let policy = json!({ "deletionPolicy": "Delete" });
        stage
            .connector(name, &format!("{name}.example"), policy)
            .await;
        stage.until_ready_is(name, "AwaitingVerification").await;
    }
    let before = stage.simulator.calls().mutations().count();
    for (name, reference) in [
        ("removed", json!(null)),
        ("changed", json!({ "name": "absent" })),
    ] {
        stage
            .patch_spec(name, json!({ "apiTokenSecretRef": reference }))
            .await;
        stage
            .objects()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
        stage.until_ready_is(name, "CredentialsUnavailable").await;
    }
    assert_eq!(stage.simulator.calls().mutations().count(), before);
}

#[tokio::test]
async fn a_namespace_that_goes_away_without_a_token_names_the_one_way_out() {
    let options = Options::default().with_controller_manager();
    let stage = Stage::with(options, quick_knobs()).await;
    let _operator = stage.operator(&[]).await;
    let policy = json!({ "deletionPolicy": "Delete" });
    stage.connector("example", "example.com", policy).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    stage.simulator.admin().revoke_tokens("good");
    stage
        .kubectl(&["delete", "namespace", "team", "--wait=false"])
        .await;
    let message = |object: &SsoConnector| condition(object, ConditionType::Ready).2;
    let object = stage
        .until("example", "a way out", |object| {
            message(object).contains("cannot be deleted")
        })
        .await;
    let message = message(&object);
    assert!(
        message.contains("Retain") && !message.contains("restore the Secret"),
        "{message}"
    );
    stage
        .patch_spec("example", json!({ "deletionPolicy": "Retain" }))
        .await;
    harness::await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT).len(), 1);
}

#[tokio::test]
async fn a_token_that_may_only_read_hinders_only_who_needs_a_change() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--refused-token-retry", "10m"]).await;
    stage
        .connector("settled", "settled.example", json!({}))
        .await;
    let settled = stage
        .until_ready_is("settled", "AwaitingVerification")
        .await;
    let admin = stage.simulator.admin();
    let request = TokenRequest::new("reader").grant(ACCOUNT, [Permission::SsoConnectorRead]);
    let reader = admin.issue_token(request);
    stage.put_token(SECRET, &reader).await;
    stage.connector("new", "new.example", json!({})).await;
    let refused = stage.until_ready_is("new", "Unauthorized").await;
    assert!(
        refused.status.unwrap().pending_create.is_none(),
        "nothing is open"
    );

    // The settled one goes on as if nothing had happened, and so it shows what happens at Cloudflare.
    admin.publish_txt("settled.example", &code(&settled).unwrap());
    stage.until_ready_is("settled", "Available").await;
    let calls = stage.simulator.calls().by_token("reader");
    assert_eq!(calls.mutations().count(), 1, "offered once");

    stage.put_token(SECRET, &stage.token).await;
    stage.until_ready_is("new", "AwaitingVerification").await;
}

#[tokio::test]
async fn a_pause_that_cloudflare_asks_for_is_the_tokens_and_another_token_need_not_wait() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--trouble-shows-after", "1s"]).await;
    let hour = Failure::limit_reached(Some(Duration::from_hours(1)));
    let fault = Fault::new(hour).on(Operation::List);
    stage.simulator.admin().push_fault(fault);
    stage.connector("example", "example.com", json!({})).await;
    let paused = |object: &SsoConnector| {
        condition(object, ConditionType::Synced).1 == Reason::RateLimited.as_str()
    };
    stage.until("example", "to be paused", paused).await;
    assert_eq!(stage.simulator.calls().count(), 1, "nothing passes it");

    let fresh = stage.simulator.admin().add_ready_account(ACCOUNT, "fresh");
    stage.put_token(SECRET, &fresh).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
}

#[tokio::test]
async fn no_byte_of_a_token_is_shown_anywhere() {
    let stage = Stage::set().await;
    let operator = stage
        .operator(&[
            "--log-filter",
            "trace",
            "--backoff",
            "50ms",
            "--refused-token-retry",
            "20s",
        ])
        .await;
    stage
        .put_token("wrong", "wrong-token-0123456789abcdef")
        .await;
    stage
        .connector(
            "wrong",
            "wrong.example",
            json!({ "apiTokenSecretRef": { "name": "wrong" } }),
        )
        .await;
    stage.until_ready_is("wrong", "Unauthorized").await;

    // Answers that quote the token, as a broken proxy might.
    let echo = format!("invalid token Bearer {}", stage.token);
    let failures = [
        Failure::throttled(Some(Duration::from_secs(1))),
        Failure::limit_reached(None),
        Failure::html(502),
        Failure::problem_json(520),
        Failure::unsuccessful(971),
        Failure::Truncate,
        Failure::Reset {
            when: When::AfterCommit,
        },
        Failure::envelope(500, 1000, &echo),
        Failure::envelope(400, 1001, &echo),
    ];
    // Every failure strikes a list, and every call about an object of its own.
    let admin = stage.simulator.admin();
    for (n, failure) in failures.iter().enumerate() {
        let later = u32::try_from(n).unwrap();
        admin.push_fault(
            Fault::new(failure.clone())
                .on(Operation::List)
                .skipping(later),
        );
        let domain = format!("d{n}.example");
        for operation in [Operation::Create, Operation::Get, Operation::Update] {
            admin.push_fault(Fault::new(failure.clone()).on(operation).on_domain(&domain));
        }
        let fields =
            json!({ "enabled": true, "useFedrampLanguage": false, "deletionPolicy": "Delete" });
        stage.connector(&format!("c{n}"), &domain, fields).await;
    }
    for n in 0..failures.len() {
        let object = stage
            .until(&format!("c{n}"), "its code", |object| {
                code(object).is_some()
            })
            .await;
        admin.publish_txt(&format!("d{n}.example"), &code(&object).unwrap());
    }
    for n in 0..failures.len() {
        stage.until_ready_is(&format!("c{n}"), "Available").await;
    }
    admin
        .until(
            |world| world.faults().iter().all(|fault| fault.struck > 0),
            PATIENCE,
        )
        .await
        .unwrap();
    // Its calls would otherwise take the next fault.
    stage.delete("wrong").await;
    let refusal = Fault::new(Failure::authentication_flake()).on(Operation::List);
    admin.push_fault(refusal);
    stage.until_ready_is("c0", "Unauthorized").await;

    let metrics = operator.metrics().await.unwrap();
    let objects = stage
        .kubectl(&["get", "sso,events", "-A", "-o", "yaml"])
        .await;
    let log = operator.output();
    assert!(
        log.contains("TRACE") && log.contains("object=team/c0"),
        "the log is there"
    );
    for token in [stage.token.as_str(), "wrong-token-0123456789abcdef"] {
        for (place, text) in [("log", &log), ("metrics", &metrics), ("objects", &objects)] {
            assert!(!text.contains(token), "the token stands in the {place}");
        }
    }
    for outcome in ["rejected", "unavailable", "rate_limited", "unauthorized"] {
        assert!(
            metrics.contains(outcome),
            "{outcome} was not exercised:\n{metrics}"
        );
    }
}
