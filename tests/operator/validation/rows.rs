//! Bad values, and what is said to each.

use serde_json::{Value, json};

use super::dns_rows;
use crate::stage::ACCOUNT;

pub(super) const BAD_ACCOUNT: &str = "must be the 32 lower-case hexadecimal digits that the Cloudflare dashboard shows as Account ID";
pub(super) const BAD_NAME: &str = "must be a DNS name of two or more labels such as example.com; each label is 1 to 63 letters, digits and inner hyphens";
pub(super) const ADDRESS: &str =
    "must be only the part behind the @: write example.com, not user@example.com";
pub(super) const WILDCARD: &str =
    "must not be a wildcard: a connector covers exactly one domain, so apply one object for each";
pub(super) const UNICODE: &str =
    "must be ASCII: write a name in another script as its A-labels, which begin with xn--";
pub(super) const UPPER_CASE: &str = "must be lower-case: write example.com, not Example.com";
pub(super) const FINAL_DOT: &str = "must not end with a dot: write example.com, not example.com.";
pub(super) const IP_ADDRESS: &str = "must be a domain name, not an IP address";
pub(super) const NUMBER: &str = "must end in a top-level domain that is not a number";
pub(super) const BAD_SECRET: &str = "must be the name of a Secret in this namespace: lower-case letters, digits, and between them hyphens and single dots";
pub(super) const BAD_KEY: &str = "must be a key of the Secret: letters, digits, hyphens, underscores and dots, but not two dots at the beginning";
pub(super) const BAD_CONNECTOR: &str = "must be the 32 lower-case hexadecimal digits that the Cloudflare API shows as the connector's id";
pub(super) const OTHER_CONNECTOR: &str = "is immutable while it is there: to bind another connector, delete this object and apply a new one";
pub(super) const OTHER_ACCOUNT: &str =
    "is immutable: to move the domain to another account, delete this object and apply a new one";
pub(super) const OTHER_DOMAIN: &str =
    "is immutable: to use another domain, delete this object and apply a new one";

/// What the API server adds to whatever the schema itself refuses. No rule can prevent it.
pub(super) const NOT_ALL_CHECKED: &str = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// Values that a rule refuses: the field, the value, the message.
pub(super) fn refused_by_a_rule() -> Vec<(&'static str, Value, &'static str)> {
    let label = |length: usize| "a".repeat(length);
    let mut rows = Vec::new();
    let mut field = |name, message, values: &[&str]| {
        for value in values {
            rows.push((name, json!(value), message));
        }
    };
    field(
        "accountID",
        BAD_ACCOUNT,
        &[
            "",
            &ACCOUNT[1..],
            &format!("{ACCOUNT}0"),
            &ACCOUNT.to_uppercase(),
            &ACCOUNT.replace('0', "g"),
            &format!(" {}", &ACCOUNT[1..]),
        ],
    );
    field(
        "connectorID",
        BAD_CONNECTOR,
        &[
            "",
            "c0ffee",
            &ACCOUNT.to_uppercase(),
            &format!("{ACCOUNT}0"),
        ],
    );
    let domain = "emailDomain";
    field(
        domain,
        ADDRESS,
        &["user@example.com", "@example.com", "User@Example.com.", "@"],
    );
    field(domain, WILDCARD, &["*.example.com", "*"]);
    field(
        domain,
        IP_ADDRESS,
        &["192.0.2.1", "2001:db8::1", "2001:DB8::1"],
    );
    field(
        domain,
        UNICODE,
        &["bücher.example", "BÜCHER.example", "例え.jp"],
    );
    field(domain, UPPER_CASE, &["Example.com", "EXAMPLE.COM."]);
    field(domain, FINAL_DOT, &["example.com.", "com.", "192.0.2.1."]);
    field(domain, NUMBER, &["example.123", "127.1", "1.2.3"]);
    field(
        domain,
        BAD_NAME,
        &[
            "",
            "localhost",
            "1",
            &format!("{}.com", label(64)),
            "-example.com",
            "example-.com",
            "example.-com",
            "example.com-",
            "example..com",
            ".example.com",
            "my_example.com",
            "my example.com",
            " example.com",
            "example.com ",
            "example.com\n",
            "example\t.com",
            "https://example.com",
            "example.com/",
            "example.com:443",
        ],
    );
    field(
        "apiTokenSecretRef.name",
        BAD_SECRET,
        &[
            "",
            "Token",
            "my_token",
            "team/token",
            "-token",
            "token-",
            "my..token",
            "my.-token",
        ],
    );
    field(
        "apiTokenSecretRef.key",
        BAD_KEY,
        &["", ".", "..", "..token", "a/b", "a b", "schlüssel"],
    );
    rows.extend(dns_rows::refused_by_a_rule());
    rows
}

/// Values that the schema itself refuses: what stands in the spec, and what is said before [`NOT_ALL_CHECKED`].
pub(super) fn refused_by_the_schema() -> Vec<(Value, Vec<&'static str>)> {
    let long = "a".repeat(254);
    let long_domain = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(62));
    let mut rows = vec![
        (
            json!({ "accountID": "0".repeat(65) }),
            vec!["spec.accountID: Too long: may not be more than 64 bytes"],
        ),
        (
            json!({ "connectorID": "0".repeat(65) }),
            vec!["spec.connectorID: Too long: may not be more than 64 bytes"],
        ),
        (
            json!({ "suspend": "yes" }),
            vec![
                r#"spec.suspend: Invalid value: "string": spec.suspend in body must be of type boolean: "string""#,
            ],
        ),
        (
            json!({ "emailDomain": long_domain }),
            vec!["spec.emailDomain: Too long: may not be more than 253 bytes"],
        ),
        (
            json!({ "apiTokenSecretRef": { "name": long } }),
            vec!["spec.apiTokenSecretRef.name: Too long: may not be more than 253 bytes"],
        ),
        (
            json!({ "apiTokenSecretRef": { "name": "token", "key": long } }),
            vec!["spec.apiTokenSecretRef.key: Too long: may not be more than 253 bytes"],
        ),
        (
            json!({ "apiTokenSecretRef": { "key": "token" } }),
            vec!["spec.apiTokenSecretRef.name: Required value"],
        ),
        (
            json!({ "deletionPolicy": true }),
            vec![
                r#"spec.deletionPolicy: Invalid value: "boolean": spec.deletionPolicy in body must be of type string: "boolean""#,
                r#"spec.deletionPolicy: Unsupported value: true: supported values: "Delete", "Retain""#,
            ],
        ),
        (
            json!({ "accountID": 7 }),
            vec![
                r#"spec.accountID: Invalid value: "integer": spec.accountID in body must be of type string: "integer""#,
            ],
        ),
        (
            json!({ "emailDomain": ["example.com"] }),
            vec![
                r#"spec.emailDomain: Invalid value: "array": spec.emailDomain in body must be of type string: "array""#,
            ],
        ),
        (
            json!({ "enabled": "yes" }),
            vec![
                r#"spec.enabled: Invalid value: "string": spec.enabled in body must be of type boolean: "string""#,
            ],
        ),
        (
            json!({ "beginVerification": 1 }),
            vec![
                r#"spec.beginVerification: Invalid value: "integer": spec.beginVerification in body must be of type boolean: "integer""#,
            ],
        ),
        (
            json!({ "useFedrampLanguage": "no" }),
            vec![
                r#"spec.useFedrampLanguage: Invalid value: "string": spec.useFedrampLanguage in body must be of type boolean: "string""#,
            ],
        ),
        (
            json!({ "apiTokenSecretRef": "token" }),
            vec![
                r#"spec.apiTokenSecretRef: Invalid value: "string": spec.apiTokenSecretRef in body must be of type object: "string""#,
            ],
        ),
    ];
    rows.extend(dns_rows::refused_by_the_schema());
    rows
}

/// Choices that a field does not know: the field, the value, and what it knows.
pub(super) const UNKNOWN_CHOICES: [(&str, &str, [&str; 2]); 5] = [
    ("deletionPolicy", "delete", ["Delete", "Retain"]),
    ("deletionPolicy", "", ["Delete", "Retain"]),
    ("onExternalChange", "hold", ["Enforce", "Hold"]),
    ("adoptionPolicy", "adopt", ["Adopt", "Refuse"]),
    ("managementPolicy", "ReadOnly", ["Manage", "Observe"]),
];
