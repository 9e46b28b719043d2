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
        "adoptionPolicy": "Adopt", "apiTokenSecretRef": { "name": "token", "key": "api-token" }, "beginVerification": true,
        "connectorID": ACCOUNT, "deletionPolicy": "Retain",
        "dns": { "cloudflare": { "apiTokenSecretRef": { "name": "dns" }, "ttl": 60, "zoneID": ACCOUNT } },
        "enabled": false, "managementPolicy": "Manage",
        "onExternalChange": "Hold", "suspend": false, "useFedrampLanguage": false,
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
async fn the_definition_is_applied_without_a_warning() {
    let server = ControlPlane::start(Options::default()).await.unwrap();
    let file = repository().join(DEFINITION);
    let file = file.to_str().unwrap();
    let run = async |arguments: &[&str]| succeed(server.kubectl(arguments).await.unwrap());
    for flag in ["--server-side=false", "--server-side"] {
        run(&["apply", flag, "--validate=strict", "-f", file]).await;
    }
    let crd = "crd/ssoconnectors.cloudflare-sso.dev";
    run(&["wait", "--for=condition=Established", crd, "--timeout=60s"]).await;
    let types = "jsonpath={.status.conditions[*].type}";
    let conditions = run(&["get", crd, "-o", types]).await;
    let conditions: BTreeSet<_> = conditions.split_whitespace().collect();
    assert_eq!(conditions, BTreeSet::from(["Established", "NamesAccepted"]));
}

#[tokio::test]
async fn the_columns_show_what_matters() {
    let server = server().await;
    let object = connector("example", "example.com");
    succeed(apply(&server, &object, &[]).await);
    let (header, row) = table(&server, "").await;
    let narrow = "NAME DOMAIN VERIFICATION ENABLED READY STATUS AGE";
    assert_eq!(header, narrow);
    let first = "example example.com Unknown Reconciling ";
    assert!(row.starts_with(first), "{row}");

    let mut edited = object.clone();
    merge(&mut edited["spec"], &json!({ "deletionPolicy": "Delete" }));
    succeed(apply(&server, &edited, &[]).await);
    let status = json!({
        "connectorID": "c0ffee", "enabled": false, "verification": { "status": "pending" },
        "dnsRecord": { "type": "TXT", "name": "example.com", "value": "code" },
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "AwaitingVerification", "message": "publish it",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    succeed(patch_status(&server, &status).await);
    let (header, row) = table(&server, "wide").await;
    assert_eq!(
        header,
        format!("{narrow} CONNECTOR ACCOUNT DELETION TXT MESSAGE")
    );
    let first = "example example.com pending false False AwaitingVerification ";
    assert!(row.starts_with(first), "{row}");
    let last = format!(" c0ffee {ACCOUNT} Delete code publish it");
    assert!(row.ends_with(&last), "{row}");
}

#[tokio::test]
async fn objects_are_found_by_short_name_category_and_domain() {
    let server = server().await;
    for (name, domain) in [("example", "example.com"), ("other", "other.example")] {
        succeed(apply(&server, &connector(name, domain), &[]).await);
    }
    let get = async |kind: &str, selector: &str| {
        let selector = format!("--field-selector={selector}");
        let arguments = ["get", kind, "-n", NAMESPACE, "-o", "name", &selector];
        succeed(server.kubectl(&arguments).await.unwrap())
    };
    let [example, other] =
        ["example", "other"].map(|name| format!("ssoconnector.cloudflare-sso.dev/{name}\n"));
    let both = format!("{example}{other}");
    for kind in ["sso", "cloudflare", "ssoconnector", "ssoconnectors"] {
        assert_eq!(get(kind, "").await, both, "{kind}");
    }
    assert_eq!(get("sso", "spec.emailDomain=other.example").await, other);
    assert_eq!(get("sso", "spec.emailDomain!=other.example").await, example);
}

/// Header and only row of `kubectl get sso`, with single spaces.
async fn table(server: &ControlPlane, format: &str) -> (String, String) {
    let arguments = ["get", "sso", "-n", NAMESPACE, "-o", format];
    let text = succeed(server.kubectl(&arguments).await.unwrap());
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let [header, row] = lines.try_into().unwrap();
    (header, row)
}
