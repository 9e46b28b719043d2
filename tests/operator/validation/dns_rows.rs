//! Bad values of `spec.dns`, and what is said to each.

use serde_json::{Value, json};

use super::rows::{BAD_KEY, BAD_SECRET};
use crate::stage::ACCOUNT;

pub(super) const BAD_ZONE: &str =
    "must be the 32 lower-case hexadecimal digits that the Cloudflare dashboard shows as Zone ID";
pub(super) const BAD_TTL: &str = "must be 1, which leaves it to Cloudflare, or 60 to 86400 seconds (from 30 in Enterprise zones)";
pub(super) const NO_PUBLISHER: &str = "must say by whom the TXT record is published: add cloudflare, or remove dns to publish it by hand";

/// Values that a rule refuses: the field, the value, the message.
pub(super) fn refused_by_a_rule() -> Vec<(&'static str, Value, &'static str)> {
    let shout = ACCOUNT.to_uppercase();
    let mut rows = vec![("dns", json!({}), NO_PUBLISHER)];
    for zone in ["", "example.com", &shout, &ACCOUNT[1..]] {
        rows.push(("dns.cloudflare.zoneID", json!(zone), BAD_ZONE));
    }
    for ttl in [0, 2, 29, 86_401, -1] {
        rows.push(("dns.cloudflare.ttl", json!(ttl), BAD_TTL));
    }
    for name in ["", "Token", "team/token"] {
        let field = "dns.cloudflare.apiTokenSecretRef.name";
        rows.push((field, json!(name), BAD_SECRET));
    }
    for key in ["", "..", "a/b"] {
        let field = "dns.cloudflare.apiTokenSecretRef.key";
        rows.push((field, json!(key), BAD_KEY));
    }
    rows
}

/// Values that the schema itself refuses: what stands in the spec, and what is said of it.
pub(super) fn refused_by_the_schema() -> Vec<(Value, Vec<&'static str>)> {
    vec![
        (
            json!({ "dns": { "cloudflare": { "zoneID": "0".repeat(65) } } }),
            vec!["spec.dns.cloudflare.zoneID: Too long: may not be more than 64 bytes"],
        ),
        (
            json!({ "dns": { "cloudflare": { "ttl": "1h" } } }),
            vec![
                r#"spec.dns.cloudflare.ttl: Invalid value: "string": spec.dns.cloudflare.ttl in body must be of type integer: "string""#,
            ],
        ),
        (
            json!({ "dns": { "cloudflare": { "apiTokenSecretRef": { "key": "token" } } } }),
            vec!["spec.dns.cloudflare.apiTokenSecretRef.name: Required value"],
        ),
        (
            json!({ "dns": { "cloudflare": true } }),
            vec![
                r#"spec.dns.cloudflare: Invalid value: "boolean": spec.dns.cloudflare in body must be of type object: "boolean""#,
            ],
        ),
        (
            json!({ "dns": "cloudflare" }),
            vec![
                r#"spec.dns: Invalid value: "string": spec.dns in body must be of type object: "string""#,
            ],
        ),
    ]
}
