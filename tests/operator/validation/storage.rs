//! What is stored and what kubectl shows of it.

use std::collections::BTreeSet;

use harness::{ControlPlane, Options};
use serde_json::json;

use super::{DEFINITION, apply, first_status, merge, patch_status, raw, server, stored, succeed};
use crate::stage::{ACCOUNT, NAMESPACE, connector, repository};

#[tokio::test]
async fn the_server_stores_what_was_applied_and_a_first_status() {
    let server = server().await;
    let without_secret = json!({ "accountID": ACCOUNT, "emailDomain": "example.com" });
    let minimal = connector("example", "example.com")["spec"].clone();
    let mut full = minimal.clone();
    let rest = json!({
        "apiTokenSecretRef": { "name": "token", "key": "api-token" }, "beginVerification": true,
        "deletionPolicy": "Retain", "enabled": false, "useFedrampLanguage": false,
    });
    merge(&mut full, &rest);
    for spec in [without_secret, minimal, full] {
        for (name, flag) in [
            ("server-side", "--server-side"),
            ("client-side", "--server-side=false"),
        ] {
            let mut object = connector(name, "example.com");
            object["spec"] = spec.clone();
            // Only the subresource accepts a status.
            object["status"] = json!({ "connectorID": "c0ffee", "enabled": true });
            succeed(apply(&server, &object, &[flag]).await);
            let answer = raw(&server, name).await;
            let applied = format!("\"spec\":{spec},\"status\"");
            assert!(answer.contains(&applied), "{applied} is not in {answer}");
            let object = stored(&server, name).await;
            assert_eq!(object["status"], first_status());
            assert_eq!(object["metadata"]["generation"], 1);
            // Once more is no change.
            let mut object = connector(name, "example.com");
            object["spec"] = spec.clone();
            succeed(apply(&server, &object, &[flag]).await);
            assert_eq!(stored(&server, name).await["metadata"]["generation"], 1);
            let gone = ["delete", "sso", name, "--namespace", NAMESPACE];
            succeed(server.kubectl(&gone).await.unwrap());
        }
    }

    succeed(apply(&server, &connector("example", "example.com"), &[]).await);
    let status = json!({ "connectorID": "c0ffee", "enabled": false });
    succeed(patch_status(&server, &status).await);
    let before = stored(&server, "example").await["status"].clone();
    let mut object = connector("example", "example.com");
    object["status"] = json!({ "connectorID": "decaf", "enabled": true, "conditions": [] });
    succeed(apply(&server, &object, &[]).await);
    assert_eq!(stored(&server, "example").await["status"], before);
    assert_eq!(before["connectorID"], "c0ffee");
}

#[tokio::test]
async fn the_definition_is_applied_without_a_warning_and_kubectl_shows_what_matters() {
    let server = ControlPlane::start(Options::default()).await.unwrap();
    let file = repository().join(DEFINITION);
    let file = file.to_str().unwrap();
    for flag in ["--server-side=false", "--server-side"] {
        let output = server
            .kubectl(&["apply", flag, "--validate=strict", "-f", file])
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stderr, "");
    }
    let crd = "crd/ssoconnectors.cloudflare-sso.dev";
    let run = async |arguments: &[&str]| succeed(server.kubectl(arguments).await.unwrap());
    run(&["wait", "--for=condition=Established", crd, "--timeout=60s"]).await;
    let conditions = run(&["get", crd, "-o", "jsonpath={.status.conditions[*].type}"]).await;
    let conditions: BTreeSet<_> = conditions.split_whitespace().collect();
    assert_eq!(conditions, BTreeSet::from(["Established", "NamesAccepted"]));

    run(&["create", "namespace", NAMESPACE]).await;
    for (name, domain) in [("example", "example.com"), ("other", "other.example")] {
        succeed(apply(&server, &connector(name, domain), &[]).await);
    }
    let table = run(&["get", "sso", "example", "-n", NAMESPACE]).await;
    let (header, row) = cells(&table);
    assert_eq!(
        header,
        [
            "NAME",
            "DOMAIN",
            "VERIFICATION",
            "ENABLED",
            "READY",
            "STATUS",
            "AGE"
        ]
    );
    assert_eq!(
        row[..4],
        ["example", "example.com", "Unknown", "Reconciling"]
    );

    let status = json!({
        "connectorID": "c0ffee", "enabled": false, "verification": { "status": "pending" },
        "dnsRecord": { "type": "TXT", "name": "example.com", "value": "code" },
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "AwaitingVerification", "message": "publish-it",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    succeed(patch_status(&server, &status).await);
    let policy = r#"{"spec":{"deletionPolicy":"Delete"}}"#;
    run(&[
        "patch",
        "sso",
        "example",
        "-n",
        NAMESPACE,
        "--type=merge",
        "-p",
        policy,
    ])
    .await;
    let table = run(&["get", "sso", "example", "-n", NAMESPACE, "-o", "wide"]).await;
    let (header, row) = cells(&table);
    assert_eq!(
        header,
        [
            "NAME",
            "DOMAIN",
            "VERIFICATION",
            "ENABLED",
            "READY",
            "STATUS",
            "AGE",
            "CONNECTOR",
            "ACCOUNT",
            "DELETION",
            "TXT",
            "MESSAGE"
        ]
    );
    assert_eq!(
        row[..6],
        [
            "example",
            "example.com",
            "pending",
            "false",
            "False",
            "AwaitingVerification"
        ]
    );
    assert_eq!(
        row[7..],
        ["c0ffee", ACCOUNT, "Delete", "code", "publish-it"]
    );

    let both = "ssoconnector.cloudflare-sso.dev/example\nssoconnector.cloudflare-sso.dev/other\n";
    for name in ["sso", "cloudflare", "ssoconnector", "ssoconnectors"] {
        assert_eq!(
            run(&["get", name, "-n", NAMESPACE, "-o", "name"]).await,
            both
        );
    }
    let selector = "--field-selector=spec.emailDomain=other.example";
    let selected = run(&["get", "sso", "-n", NAMESPACE, "-o", "name", selector]).await;
    assert_eq!(selected, "ssoconnector.cloudflare-sso.dev/other\n");
}

/// The cells of a table of one row.
fn cells(table: &str) -> (Vec<&str>, Vec<&str>) {
    let mut lines = table.lines().map(|line| line.split_whitespace().collect());
    (lines.next().unwrap(), lines.next().unwrap())
}
