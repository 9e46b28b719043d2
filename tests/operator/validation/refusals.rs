//! What is refused, what is accepted, what may change.

use std::collections::BTreeSet;

use cloudflare_sso_operator::resource::custom_resource_definition;
use harness::{ControlPlane, Output, until};
use serde_json::{Value, json};

use super::dns_rows::{BAD_TTL, BAD_ZONE, NO_PUBLISHER};
use super::rows::{
    BAD_ACCOUNT, BAD_KEY, BAD_SECRET, NOT_ALL_CHECKED, OTHER_ACCOUNT, OTHER_CONNECTOR,
    OTHER_DOMAIN, UNKNOWN_CHOICES, UPPER_CASE, refused_by_a_rule, refused_by_the_schema,
};
use super::{apply, definition, merge, patch_status, server, stored, succeed};
use crate::stage::{ACCOUNT, PATIENCE, connector};

#[tokio::test]
async fn a_bad_value_is_refused_in_words_that_say_what_to_write() {
    let server = server().await;
    let quoting = quoting(&server).await;
    for (field, value, message) in refused_by_a_rule() {
        let output = dry_run(&server, &with(&at(field, value.clone()))).await;
        let line = quoting.line(field, value.clone(), message);
        assert_eq!(output.stderr, invalid(&[&line]), "{field}: {value}");
    }
    for (spec, mut lines) in refused_by_the_schema() {
        lines.push(NOT_ALL_CHECKED);
        let output = dry_run(&server, &with(&spec)).await;
        assert_eq!(output.stderr, invalid(&lines), "{spec}");
    }
    for (field, value, [first, second]) in UNKNOWN_CHOICES {
        let output = dry_run(&server, &with(&at(field, value))).await;
        let line = format!(
            r#"spec.{field}: Unsupported value: "{value}": supported values: "{first}", "{second}""#
        );
        assert_eq!(output.stderr, invalid(&[&line, NOT_ALL_CHECKED]));
    }
    for (spec, lines) in [
        (
            json!({}),
            vec![
                "spec.accountID: Required value",
                "spec.emailDomain: Required value",
                NOT_ALL_CHECKED,
            ],
        ),
        (
            json!({ "emailDomain": "example.com" }),
            vec!["spec.accountID: Required value", NOT_ALL_CHECKED],
        ),
        (
            json!({ "accountID": ACCOUNT }),
            vec!["spec.emailDomain: Required value", NOT_ALL_CHECKED],
        ),
    ] {
        let mut object = with(&json!({}));
        object["spec"] = spec;
        assert_eq!(dry_run(&server, &object).await.stderr, invalid(&lines));
    }
}

#[tokio::test]
async fn what_is_meant_to_be_possible_is_accepted_and_a_misspelt_field_is_named() {
    let server = server().await;
    let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
    for (field, values) in [
        (
            "emailDomain",
            vec![
                "example.com",
                "a.b",
                "mail.example.co.uk",
                "xn--bcher-kva.example",
                "example.xn--p1ai",
                "1and1.example",
                "0.example",
                "a--b.example",
                "example.c0m",
                &longest,
            ],
        ),
        (
            "apiTokenSecretRef.name",
            vec!["a", "0", "cloudflare-api-token", "a.b-c.d"],
        ),
        (
            "apiTokenSecretRef.key",
            vec!["api-token", "API_TOKEN", ".token", "a..b", "-", "_"],
        ),
        ("deletionPolicy", vec!["Delete", "Retain"]),
        ("onExternalChange", vec!["Enforce", "Hold"]),
        ("adoptionPolicy", vec!["Adopt", "Refuse"]),
        ("managementPolicy", vec!["Manage", "Observe"]),
        ("connectorID", vec![ACCOUNT]),
        ("dns.cloudflare.zoneID", vec![ACCOUNT]),
        ("dns.cloudflare.apiTokenSecretRef.name", vec!["a.b-c.d"]),
        ("dns.cloudflare.apiTokenSecretRef.key", vec![".token"]),
    ] {
        for value in values {
            let output = dry_run(&server, &with(&at(field, value))).await;
            assert!(
                output.status.success(),
                "{field}: {value:?}: {}",
                output.stderr
            );
            assert_eq!(output.stderr, "");
        }
    }
    for ttl in [1, 30, 60, 86_400] {
        succeed(dry_run(&server, &with(&at("dns.cloudflare.ttl", ttl))).await);
    }
    for (spec, field) in [
        (json!({ "enable": true }), "spec.enable"),
        (json!({ "accountId": ACCOUNT }), "spec.accountId"),
        (
            json!({ "apiTokenSecretRef": { "name": "token", "namespace": "other" } }),
            "spec.apiTokenSecretRef.namespace",
        ),
        (json!({ "dns": { "route53": {} } }), "spec.dns.route53"),
        (
            at("dns.cloudflare.zoneId", ACCOUNT),
            "spec.dns.cloudflare.zoneId",
        ),
    ] {
        let output = dry_run(&server, &with(&spec)).await;
        assert_eq!(
            output.stderr,
            format!(
                "Error from server (BadRequest): error when creating \"STDIN\": SsoConnector in version \"v1alpha1\" \
                 cannot be handled as a SsoConnector: strict decoding error: unknown field \"{field}\"\n"
            )
        );
    }
}

/// A templating tool may leave a null where it has nothing to say. That is as if nothing was said.
#[tokio::test]
async fn a_null_is_as_good_as_nothing() {
    let server = server().await;
    let quoting = quoting(&server).await;
    for field in [
        "enabled",
        "dns",
        "dns.cloudflare.ttl",
        "dns.cloudflare.apiTokenSecretRef",
    ] {
        succeed(dry_run(&server, &with(&at(field, Value::Null))).await);
    }
    for nobody in [json!({ "cloudflare": null }), json!({ "route53": {} })] {
        let object = with(&json!({ "dns": nobody }));
        let lenient = ["--dry-run=server", "--validate=ignore"];
        let output = apply(&server, &object, &lenient).await;
        let line = quoting.line("dns", json!({}), NO_PUBLISHER);
        assert_eq!(output.stderr, invalid(&[&line]), "{nobody}");
    }
}

#[tokio::test]
async fn account_and_domain_stay_and_all_else_may_change() {
    let server = server().await;
    let quoting = quoting(&server).await;
    let object = connector("example", "example.com");
    succeed(apply(&server, &object, &[]).await);
    let other_account = ACCOUNT.replace('0', "1");
    for (field, value, message) in [
        ("accountID", other_account.as_str(), OTHER_ACCOUNT),
        ("emailDomain", "example.org", OTHER_DOMAIN),
    ] {
        let output = dry_run(&server, &with(&at(field, value))).await;
        let line = quoting.line(field, value, message);
        assert_eq!(output.stderr, invalid(&[&line]));
    }
    let output = dry_run(&server, &with(&at("emailDomain", "Example.com"))).await;
    let line = |message| quoting.line("emailDomain", "Example.com", message);
    assert_eq!(
        output.stderr,
        invalid(&[&line(UPPER_CASE), &line(OTHER_DOMAIN)])
    );

    let named = json!({ "connectorID": ACCOUNT });
    succeed(apply(&server, &with(&named), &[]).await);
    let output = dry_run(&server, &with(&at("connectorID", other_account.as_str()))).await;
    let line = quoting.line("connectorID", other_account.as_str(), OTHER_CONNECTOR);
    assert_eq!(output.stderr, invalid(&[&line]));

    for spec in [
        json!({ "suspend": true, "managementPolicy": "Observe", "onExternalChange": "Enforce" }),
        json!({ "suspend": false, "managementPolicy": "Manage", "adoptionPolicy": "Refuse" }),
        named,
        json!({ "enabled": true, "deletionPolicy": "Delete", "beginVerification": false }),
        json!({ "enabled": false, "deletionPolicy": "Retain", "useFedrampLanguage": true }),
        json!({ "apiTokenSecretRef": { "name": "other", "key": "token" } }),
        json!({ "dns": { "cloudflare": {} } }),
        json!({ "dns": { "cloudflare": { "zoneID": ACCOUNT, "ttl": 60 } } }),
        json!({ "dns": { "cloudflare": { "zoneID": other_account, "apiTokenSecretRef": { "name": "dns" } } } }),
        json!({}),
    ] {
        succeed(apply(&server, &with(&spec), &[]).await);
        assert_eq!(
            stored(&server, "example").await["spec"],
            with(&spec)["spec"]
        );
    }
}

#[tokio::test]
async fn an_object_that_a_newer_rule_would_refuse_can_still_be_edited() {
    let server = server().await;
    let quoting = quoting(&server).await;
    let mut lax = serde_json::to_value(custom_resource_definition()).unwrap();
    remove_rules(&mut lax);
    server.apply(&lax.to_string()).await.unwrap();
    let bad = json!({
        "accountID": "mine", "emailDomain": "Example.com.", "apiTokenSecretRef": { "name": "My Token", "key": "a/b" },
        "dns": { "cloudflare": { "zoneID": "example.com", "ttl": 0 } },
    });
    until("the API server to know no rules", PATIENCE, async || {
        apply(&server, &with(&bad), &[]).await.success().map(drop)
    })
    .await
    .unwrap();
    server.apply(&definition()).await.unwrap();
    let mut fresh = with(&bad);
    fresh["metadata"]["name"] = json!("fresh");
    until(
        "the API server to know the rules",
        PATIENCE,
        async || match dry_run(&server, &fresh).await {
            refused if refused.stderr.contains(BAD_ACCOUNT) => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await
    .unwrap();

    let known = [
        ("accountID", json!("mine"), BAD_ACCOUNT),
        ("emailDomain", json!("Example.com."), UPPER_CASE),
        ("apiTokenSecretRef.name", json!("My Token"), BAD_SECRET),
        ("apiTokenSecretRef.key", json!("a/b"), BAD_KEY),
        ("dns.cloudflare.zoneID", json!("example.com"), BAD_ZONE),
        ("dns.cloudflare.ttl", json!(0), BAD_TTL),
    ];
    let known: BTreeSet<_> = known
        .map(|(field, value, message)| format!("Warning: {}", quoting.line(field, value, message)))
        .into();
    for (edit, flags) in [
        (json!({ "enabled": true }), &["--server-side=false"][..]),
        (
            json!({ "deletionPolicy": "Delete" }),
            &["--server-side", "--force-conflicts"][..],
        ),
    ] {
        let mut edited = with(&bad);
        merge(&mut edited["spec"], &edit);
        assert_eq!(warnings(apply(&server, &edited, flags).await), known);
        assert_eq!(stored(&server, "example").await["spec"], edited["spec"]);
    }
    let mut label = with(&bad);
    label["metadata"]["labels"] = json!({ "team": "blue" });
    assert_eq!(warnings(apply(&server, &label, &[]).await), known);
    let status = json!({ "connectorID": "c0ffee" });
    assert_eq!(warnings(patch_status(&server, &status).await), known);

    // What is edited is judged, the rest is only mentioned.
    let mut worse = with(&bad);
    worse["spec"]["apiTokenSecretRef"]["key"] = json!("c/d");
    let line = quoting.line("apiTokenSecretRef.key", "c/d", BAD_KEY);
    let refused = dry_run(&server, &worse).await.stderr;
    assert!(refused.ends_with(&invalid(&[&line])), "{refused}");
    worse["spec"]["apiTokenSecretRef"]["key"] = json!("good");
    let told = warnings(apply(&server, &worse, &[]).await);
    assert_eq!(told.len(), known.len() - 1, "{told:?}");
    assert_eq!(stored(&server, "example").await["spec"], worse["spec"]);
}

/// The same, but nothing is stored.
async fn dry_run(server: &ControlPlane, object: &Value) -> Output {
    apply(server, object, &["--dry-run=server"]).await
}

/// What kubectl warned of, line by line, while it did as it was told.
fn warnings(output: Output) -> BTreeSet<String> {
    let lines = output.stderr.lines().map(str::to_owned).collect();
    output.success().unwrap();
    lines
}

/// The minimal object, with these fields in its spec.
fn with(spec: &Value) -> Value {
    let mut object = connector("example", "example.com");
    merge(&mut object["spec"], spec);
    object
}

/// A spec with one field, given as its path.
fn at(path: &str, value: impl Into<Value>) -> Value {
    let mut spec = value.into();
    for field in path.rsplit('.') {
        spec = match field {
            // Of a Secret, which has a name.
            "key" => json!({ "name": "token", "key": spec }),
            _ => json!({ field: spec }),
        };
    }
    spec
}

/// What kubectl prints for a refused object, given the lines of the API server.
fn invalid(lines: &[&str]) -> String {
    let said = match lines {
        [line] => (*line).to_owned(),
        lines => format!("\n* {}", lines.join("\n* ")),
    };
    format!("The SsoConnector \"example\" is invalid: {said}\n")
}

/// What an API server quotes where a rule of ours refuses a value.
#[derive(Debug, Clone, Copy)]
enum Quoting {
    /// The value, as Go writes it; for what the tables hold, that is how JSON does. So Kubernetes 1.36.
    Value,
    /// Its type. So Kubernetes 1.34.
    Type,
}

async fn quoting(server: &ControlPlane) -> Quoting {
    let refused = dry_run(server, &with(&at("accountID", "mine"))).await;
    let by_type = Quoting::Type.line("accountID", "mine", BAD_ACCOUNT);
    if refused.stderr == invalid(&[&by_type]) {
        Quoting::Type
    } else {
        Quoting::Value
    }
}

impl Quoting {
    /// How it refuses the value of a field of the spec.
    fn line(self, field: &str, value: impl Into<Value>, message: &str) -> String {
        let quoted = match (self, value.into()) {
            // An object is not quoted.
            (Self::Value, Value::Object(_)) => {
                return format!("spec.{field}: Invalid value: {message}");
            }
            (Self::Value, value) => value,
            (Self::Type, Value::Number(_)) => json!("integer"),
            (Self::Type, Value::Object(_)) => json!("object"),
            (Self::Type, _) => json!("string"),
        };
        format!("spec.{field}: Invalid value: {quoted}: {message}")
    }
}

/// Takes every validation rule out of a schema.
fn remove_rules(node: &mut Value) {
    match node {
        Value::Object(object) => {
            object.remove("x-kubernetes-validations");
            object.values_mut().for_each(remove_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_rules),
        _ => {}
    }
}
