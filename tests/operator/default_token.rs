//! The operator's own token: only for whom it is granted, read whenever it is needed, and nothing that others learn of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloudflare_sso_operator::resource::{ConditionType, RECONCILE_AT, SsoConnector};
use harness::await_object;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use simulator::{Failure, Fault, Operation};

use crate::stage::{ACCOUNT, NAMESPACE, PATIENCE, Stage, condition, connector};

const OTHER_ACCOUNT: &str = "123e105f4ecef8ad9ca31a8372d0c353";

/// The file as a mounted Secret has it.
struct TokenFile(PathBuf);

impl TokenFile {
    fn of(stage: &Stage, content: &str) -> Self {
        let file = Self(stage.control_plane.folder().join("default-token"));
        file.write(content);
        file
    }

    /// Replaces it in one step, as the kubelet does.
    fn write(&self, content: &str) {
        let next = self.0.with_extension("next");
        fs::write(&next, content).unwrap();
        fs::rename(next, &self.0).unwrap();
    }

    fn path(&self) -> &str {
        Path::to_str(&self.0).unwrap()
    }
}

/// An object that names no Secret.
fn bare(namespace: &str, name: &str, account: &str, domain: &str) -> Value {
    let mut object = connector(name, domain);
    object["metadata"]["namespace"] = json!(namespace);
    let spec = object["spec"].as_object_mut().unwrap();
    spec.insert("accountID".to_owned(), json!(account));
    spec.remove("apiTokenSecretRef");
    object
}

#[tokio::test]
async fn who_has_no_grant_is_told_the_same_with_and_without_a_default_token() {
    let stage = Stage::set().await;
    let _ = stage
        .simulator
        .admin()
        .add_ready_account(OTHER_ACCOUNT, "unused");
    for namespace in ["all", "elsewhere"] {
        stage.kubectl(&["create", "namespace", namespace]).await;
    }
    let granted = [
        (NAMESPACE, "granted", ACCOUNT, "example.com"),
        ("all", "one", ACCOUNT, "one.example"),
        ("all", "two", ACCOUNT, "two.example"),
    ];
    let others = [
        (NAMESPACE, "domain", ACCOUNT, "sub.example.com"),
        (NAMESPACE, "account", OTHER_ACCOUNT, "example.com"),
        ("all", "account", OTHER_ACCOUNT, "one.example"),
        ("elsewhere", "namespace", ACCOUNT, "example.com"),
    ];
    for (namespace, name, account, domain) in granted.iter().chain(&others) {
        stage.apply(&bare(namespace, name, account, domain)).await;
    }
    let mut operator = stage.operator(&[]).await;
    let mut before = Vec::new();
    for (namespace, name, _, _) in &others {
        let object = stage
            .until_ready_in(namespace, name, "CredentialsUnavailable")
            .await;
        before.push(object.status.unwrap().conditions);
    }
    for (namespace, name, _, _) in &granted {
        stage
            .until_ready_in(namespace, name, "CredentialsUnavailable")
            .await;
    }
    operator.terminate(PATIENCE).await.unwrap();
    assert_eq!(stage.simulator.calls().count(), 0);

    let file = TokenFile::of(&stage, &format!("{}\n", stage.token));
    let grants = format!("{NAMESPACE}/{ACCOUNT}/example.com,all/{ACCOUNT}/*");
    let flags = [
        "--default-token-file",
        file.path(),
        "--default-token-grants",
        &grants,
    ];
    let _operator = stage.operator(&flags).await;
    for (namespace, name, _, _) in &granted {
        stage
            .until_ready_in(namespace, name, "AwaitingVerification")
            .await;
    }
    for ((namespace, name, _, _), before) in others.iter().zip(before) {
        let object = looked_at(&stage, namespace, name).await;
        assert_eq!(
            object.status.unwrap().conditions,
            before,
            "{namespace}/{name}"
        );
    }
    let calls = stage.simulator.calls();
    assert!(calls.clone().on_account(OTHER_ACCOUNT).is_empty());
    assert!(calls.on_domain("sub.example.com").is_empty());
}

/// The object after the operator has looked at it once more.
async fn looked_at(stage: &Stage, namespace: &str, name: &str) -> SsoConnector {
    let objects = stage.objects_in(namespace);
    let asked = json!({ "metadata": { "annotations": { RECONCILE_AT: "now" } } });
    objects
        .patch(name, &PatchParams::default(), &Patch::Merge(asked))
        .await
        .unwrap();
    let handled = |object: &SsoConnector| {
        let status = object.status.as_ref();
        status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some("now")
    };
    await_object(&objects, name, "a look", PATIENCE, handled)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_file_may_be_rotated_spoilt_and_restored_without_a_restart() {
    let stage = Stage::set().await;
    let file = TokenFile::of(&stage, &stage.token);
    let grants = format!("{NAMESPACE}/{ACCOUNT}/*");
    let flags = [
        "--default-token-file",
        file.path(),
        "--default-token-grants",
        &grants,
    ];
    let _operator = stage.operator(&flags).await;
    let mut managed = bare(NAMESPACE, "managed", ACCOUNT, "example.com");
    managed["spec"]["deletionPolicy"] = json!("Delete");
    stage.apply(&managed).await;
    stage
        .until_ready_is("managed", "AwaitingVerification")
        .await;
    let mut observed = bare(NAMESPACE, "observed", ACCOUNT, "other.example");
    observed["spec"]["managementPolicy"] = json!("Observe");
    stage.apply(&observed).await;
    stage.until_ready_is("observed", "ConnectorNotFound").await;

    let admin = stage.simulator.admin();
    let fresh = admin.add_ready_account(ACCOUNT, "fresh");
    file.write(&fresh);
    admin.revoke_tokens("good");
    let used = |calls: simulator::Calls| calls.by_token("fresh").count() >= 3;
    admin
        .until(|world| used(world.calls()), PATIENCE)
        .await
        .unwrap();
    let calls = stage.simulator.calls();
    let first = calls.clone().by_token("fresh").as_slice()[0].sequence;
    assert!(calls.after(first).by_token("good").is_empty());
    stage
        .until_ready_is("managed", "AwaitingVerification")
        .await;

    let object = stage.objects().get("managed").await.unwrap();
    for (content, named) in [
        (None, "cannot be read"),
        (Some(" \n"), "empty"),
        (Some("hush-1\nhush-2"), "line breaks"),
    ] {
        match content {
            Some(content) => file.write(content),
            None => fs::remove_file(&file.0).unwrap(),
        }
        let object = stage
            .until("managed", named, |object| {
                let (_, reason, message) = condition(object, ConditionType::Ready);
                reason == "CredentialsUnavailable" && message.contains(named)
            })
            .await;
        let shown = json!(object.status).to_string();
        assert!(!shown.contains("hush"), "{shown}");
    }
    // What has worked is kept for a Secret that is gone, never for this file.
    fs::remove_file(&file.0).unwrap();
    stage
        .objects()
        .delete("managed", &DeleteParams::default())
        .await
        .unwrap();
    stage
        .until("managed", "why it stays", |object| {
            let message = condition(object, ConditionType::Ready).2;
            message.contains("cannot be deleted") && message.contains("cannot be read")
        })
        .await;
    assert_eq!(admin.connectors(ACCOUNT).len(), 1);
    file.write(&fresh);
    harness::await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    assert!(admin.connectors(ACCOUNT).is_empty());
}

#[tokio::test]
async fn no_byte_of_it_is_shown_anywhere_not_even_when_cloudflare_echoes_it() {
    let stage = Stage::set().await;
    let token = stage.token.as_str();
    let file = TokenFile::of(&stage, token);
    let grants = format!("{NAMESPACE}/{ACCOUNT}/*");
    let flags = [
        "--default-token-file",
        file.path(),
        "--default-token-grants",
        &grants,
        "--log-filter",
        "trace",
    ];
    let operator = stage.operator(&flags).await;
    let object = bare(NAMESPACE, "example", ACCOUNT, "example.com");
    stage.apply(&object).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    // Every text that is shown of a connector, and every kind of refusal.
    let rewrite = |pointer: &str, value: String| Failure::Rewrite {
        pointer: pointer.to_owned(),
        value: json!(value),
    };
    let echo = format!("invalid token \"Bearer {token}\"");
    let code = format!("cloudflare_dashboard_sso={token}");
    let failures = [
        rewrite("/result/0/verification/status", token.to_owned()),
        rewrite("/result/0/verification/code", code),
        rewrite("/result/0/email_domain", format!("{token}.example")),
        Failure::envelope(500, 1000, &echo),
        Failure::envelope(400, 1001, &echo),
        Failure::envelope(403, 10_000, &echo),
    ];
    let admin = stage.simulator.admin();
    let struck = async |count: usize| {
        let all = |world: &simulator::World| {
            let faults = world.faults();
            faults.len() >= count && faults.iter().all(|fault| fault.struck > 0)
        };
        admin.until(all, PATIENCE).await.unwrap();
    };
    for (n, failure) in failures.into_iter().enumerate() {
        admin.push_fault(Fault::new(failure).on(Operation::List));
        struck(n + 1).await;
    }
    stage.until_ready_is("example", "Unauthorized").await;
    file.write(&format!("{token}\n{token}"));
    stage
        .until_ready_is("example", "CredentialsUnavailable")
        .await;

    let metrics = operator.metrics().await.unwrap();
    let objects = stage
        .kubectl(&["get", "sso,events", "-A", "-o", "yaml"])
        .await;
    let log = operator.output();
    assert!(log.contains("TRACE"), "the log is there");
    for (place, text) in [("log", &log), ("metrics", &metrics), ("objects", &objects)] {
        assert!(!text.contains(token), "the token stands in the {place}");
    }
}

#[test]
fn half_of_a_default_token_does_not_start() {
    let grants = format!("team/{ACCOUNT}/*");
    for half in [
        ["--default-token-file", "/nowhere"],
        ["--default-token-grants", &grants],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_cloudflare-sso-operator"))
            .arg("run")
            .args(half)
            .env_clear()
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        for flag in ["--default-token-file", "--default-token-grants"] {
            assert!(said.contains(flag), "{said}");
        }
    }
}
