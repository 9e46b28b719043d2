//! Judges an answer.
//!
//! The HTTP status decides, and codes only where a status is known to lie. An answer counts as Cloudflare's own word
//! only if it came in Cloudflare's envelope: whatever an edge server, a proxy or a firewall may have said is
//! [`Class::Unavailable`].

use super::envelope::{Complaint, Envelope};
use super::exchange::{Body, Reply};
use super::failure::{CREDENTIAL_CODES, Class, Endpoint, Failure, NO_ROUTE_CODES};
use super::token::ApiToken;
use crate::foreign_text;

/// Reads an answer: Cloudflare's envelope with `success`, or else a failure.
pub(super) fn judge(
    endpoint: Endpoint,
    reply: &Reply,
    token: &ApiToken,
) -> Result<Envelope, Failure> {
    let envelope = match &reply.body {
        Body::Whole(bytes) if bytes.is_empty() && reply.status == 204 => Some(Envelope::empty()),
        Body::Whole(bytes) => Envelope::decode(bytes),
        Body::CutOff(_) => None,
    };
    match envelope {
        Some(envelope) if envelope.success && (200..300).contains(&reply.status) => {
            Ok(envelope.without_token(token.text()))
        }
        envelope => Err(refusal(endpoint, reply, envelope, token)),
    }
}

fn refusal(
    endpoint: Endpoint,
    reply: &Reply,
    envelope: Option<Envelope>,
    token: &ApiToken,
) -> Failure {
    let answerer = Answerer::of(envelope.as_ref());
    let complaints = envelope
        .map(|envelope| envelope.complaints)
        .unwrap_or_default();
    let codes: Vec<i64> = complaints
        .iter()
        .filter_map(|complaint| complaint.code)
        .collect();
    let class = classify(endpoint, reply.status, answerer, &codes);
    Failure {
        class,
        endpoint,
        status: Some(reply.status),
        codes,
        message: message(class, endpoint, reply, &complaints, token),
        retry_after: reply.retry_after,
        date: reply.date,
    }
}

/// Who speaks in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answerer {
    /// The API: its envelope says that there was no success.
    Cloudflare,
    /// Anybody on the way, or the API in contradiction with its own status.
    Unknown,
}

impl Answerer {
    fn of(envelope: Option<&Envelope>) -> Self {
        match envelope {
            Some(Envelope { success: false, .. }) => Self::Cloudflare,
            _ => Self::Unknown,
        }
    }
}

/// "Please wait and consider throttling your request speed", once without and once with the limit.
const THROTTLE_CODES: [i64; 2] = [971, 10100];

fn classify(endpoint: Endpoint, status: u16, answerer: Answerer, codes: &[i64]) -> Class {
    let names = |known: &[i64]| codes.iter().any(|code| known.contains(code));
    match (status, answerer) {
        (429, _) => Class::RateLimited,
        (408 | 409 | 425, _) | (_, Answerer::Unknown) => Class::Unavailable,
        (200..300 | 400..500, _) if names(&THROTTLE_CODES) => Class::RateLimited,
        (401 | 403, _) => Class::Unauthorized,
        (200..300 | 400 | 404, _) if names(&CREDENTIAL_CODES) => Class::Unauthorized,
        (404, _) if endpoint.subject().is_some() && !names(&NO_ROUTE_CODES) => Class::Gone,
        (400..500, _) => Class::Rejected,
        _ => Class::Unavailable,
    }
}

/// The most complaints that a message quotes.
const MAX_QUOTED: usize = 3;

fn message(
    class: Class,
    endpoint: Endpoint,
    reply: &Reply,
    complaints: &[Complaint],
    token: &ApiToken,
) -> String {
    let summary = match (class, endpoint.subject()) {
        (Class::NotSent, _) => "The request was not sent to Cloudflare",
        (Class::RateLimited, _) => "Cloudflare asks for fewer requests",
        (Class::Unauthorized, _) => "Cloudflare refused the API token",
        (Class::Gone, Some(subject)) => &format!("Cloudflare has no such {subject}"),
        (Class::Gone, None) => "Cloudflare has nothing there",
        (Class::Rejected, _) => "Cloudflare refused the request",
        (Class::Unavailable, _) if complaints.is_empty() => "Cloudflare gave no usable answer",
        (Class::Unavailable, _) => "Cloudflare could not serve the request",
    };
    let mut quoted: Vec<String> = complaints
        .iter()
        .take(MAX_QUOTED)
        .map(|complaint| quote(complaint, token))
        .collect();
    if let (Body::CutOff(why), Class::Unavailable) = (&reply.body, class) {
        quoted.push((*why).to_owned());
    }
    let status = reply.status;
    if quoted.is_empty() {
        format!("{summary} (HTTP {status})")
    } else {
        format!("{summary} (HTTP {status}): {}", quoted.join(", "))
    }
}

fn quote(complaint: &Complaint, token: &ApiToken) -> String {
    let text = foreign_text::quote(&complaint.message, &[token.text()]);
    match (text.is_empty(), complaint.code) {
        (false, Some(code)) => format!("\"{text}\" (code {code})"),
        (false, None) => format!("\"{text}\""),
        (true, Some(code)) => format!("code {code}"),
        (true, None) => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const HTML: &str = "<!DOCTYPE html><title>Attention Required!</title>";
    const PROBLEM: &str =
        r#"{"type":"https://example.com","title":"Error 1015","status":429,"retryable":true}"#;
    const NO_REASON: &str = r#"{"success":false,"errors":[],"messages":[],"result":null}"#;

    fn token() -> ApiToken {
        ApiToken::parse(b"s3cr3t-t0ken").unwrap()
    }

    fn reply(status: u16, body: &str) -> Reply {
        let body = Body::Whole(body.as_bytes().to_vec());
        Reply {
            status,
            date: None,
            retry_after: None,
            body,
        }
    }

    fn refused(endpoint: Endpoint, status: u16, body: &str) -> Failure {
        judge(endpoint, &reply(status, body), &token()).unwrap_err()
    }

    fn envelope(codes: &[i64]) -> String {
        let errors: Vec<_> = codes
            .iter()
            .map(|code| json!({"code": code, "message": "no"}))
            .collect();
        json!({"success": false, "errors": errors, "result": null}).to_string()
    }

    #[test]
    fn a_refusal_in_the_envelope_is_sorted_by_status_and_known_codes() {
        use Class::{Gone, RateLimited, Rejected, Unauthorized, Unavailable};
        for (status, codes, class, definite) in [
            (400, &[990_003][..], Rejected, true),
            (400, &[], Rejected, true),
            (400, &[6003, 6111], Unauthorized, true),
            (400, &[10000], Unauthorized, true),
            (400, &[7003, 7000], Rejected, true),
            (400, &[971], RateLimited, true),
            (401, &[10000], Unauthorized, true),
            (403, &[10000], Unauthorized, true),
            (403, &[9109], Unauthorized, true),
            (403, &[0], Unauthorized, true),
            (403, &[], Unauthorized, true),
            (404, &[990_001], Gone, true),
            (404, &[], Gone, true),
            (404, &[7003, 7000], Rejected, true),
            (404, &[990_001, 7000], Rejected, true),
            (404, &[10000], Unauthorized, true),
            (405, &[405], Rejected, true),
            (408, &[1000], Unavailable, false),
            (409, &[990_009], Unavailable, false),
            (409, &[971], Unavailable, false),
            (422, &[1001], Rejected, true),
            (425, &[1000], Unavailable, false),
            (429, &[971], RateLimited, true),
            (429, &[10100], RateLimited, true),
            (429, &[], RateLimited, true),
            (500, &[10001], Unavailable, false),
            (503, &[10000], Unavailable, false),
            (200, &[971], RateLimited, false),
            (200, &[10100], RateLimited, false),
            (200, &[10000], Unauthorized, false),
            (200, &[9109], Unauthorized, false),
            (200, &[1000], Unavailable, false),
            (200, &[], Unavailable, false),
            (302, &[10000], Unavailable, false),
        ] {
            let failure = refused(Endpoint::Get, status, &envelope(codes));
            assert_eq!(
                (failure.class, failure.is_definite()),
                (class, definite),
                "{status} {codes:?}"
            );
            assert_eq!((failure.status, &failure.codes[..]), (Some(status), codes));
        }
    }

    #[test]
    fn only_a_connector_can_be_gone() {
        for (endpoint, class) in [
            (Endpoint::List, Class::Rejected),
            (Endpoint::Create, Class::Rejected),
            (Endpoint::Get, Class::Gone),
            (Endpoint::Update, Class::Gone),
            (Endpoint::Delete, Class::Gone),
            (Endpoint::BeginVerification, Class::Gone),
        ] {
            assert_eq!(
                refused(endpoint, 404, &envelope(&[990_001])).class,
                class,
                "{endpoint}"
            );
        }
    }

    #[test]
    fn what_is_not_in_the_envelope_proves_nothing() {
        for status in [
            200, 204, 302, 400, 401, 403, 404, 409, 422, 500, 502, 520, 526,
        ] {
            for body in [HTML, PROBLEM, "", "{", "null", r#"{"success":true"#] {
                if (status, body) == (204, "") {
                    continue;
                }
                let failure = refused(Endpoint::Create, status, body);
                assert_eq!(failure.class, Class::Unavailable, "{status} {body}");
                assert!(!failure.is_definite());
                assert_eq!(
                    failure.message,
                    format!("Cloudflare gave no usable answer (HTTP {status})")
                );
            }
        }
        let contradiction = refused(Endpoint::Get, 404, r#"{"success":true,"result":null}"#);
        assert_eq!(contradiction.class, Class::Unavailable);
        for body in [HTML, PROBLEM, ""] {
            assert_eq!(
                refused(Endpoint::Create, 429, body).class,
                Class::RateLimited
            );
        }
    }

    #[test]
    fn a_body_that_was_cut_off_keeps_its_status() {
        let cut = |status| Reply {
            body: Body::CutOff("it broke"),
            ..reply(status, "")
        };
        let failure = judge(Endpoint::Create, &cut(404), &token()).unwrap_err();
        assert_eq!(
            (failure.class, failure.is_definite()),
            (Class::Unavailable, false)
        );
        assert_eq!(
            failure.message,
            "Cloudflare gave no usable answer (HTTP 404): it broke"
        );
        let failure = judge(Endpoint::Create, &cut(429), &token()).unwrap_err();
        assert_eq!(
            failure.message,
            "Cloudflare asks for fewer requests (HTTP 429)"
        );
    }

    #[test]
    fn success_needs_a_success_status_and_the_envelope() {
        for (status, body) in [
            (200, r#"{"success":true}"#),
            (201, r#"{"success":true,"result":{}}"#),
            (202, r#"{"success":true,"errors":null}"#),
            (204, ""),
        ] {
            assert!(
                judge(Endpoint::Delete, &reply(status, body), &token()).is_ok(),
                "{status}"
            );
        }
    }

    #[test]
    fn the_pause_is_kept_whatever_the_status() {
        for status in [429, 503, 403] {
            let pause = Some(Duration::from_secs(7));
            let reply = Reply {
                retry_after: pause,
                ..reply(status, NO_REASON)
            };
            assert_eq!(
                judge(Endpoint::List, &reply, &token())
                    .unwrap_err()
                    .retry_after,
                pause
            );
        }
    }

    #[test]
    fn messages_are_sentences_that_quote_cloudflare() {
        for (status, body, message) in [
            (
                400,
                r#"{"success":false,"errors":[{"code":990003,"message":"Invalid email_domain"}]}"#,
                r#"Cloudflare refused the request (HTTP 400): "Invalid email_domain" (code 990003)"#,
            ),
            (
                404,
                r#"{"success":false,"errors":[{"code":7003,"message":"Could not route"},{"code":7000,"message":"No route"}]}"#,
                r#"Cloudflare refused the request (HTTP 404): "Could not route" (code 7003), "No route" (code 7000)"#,
            ),
            (
                403,
                r#"{"success":false,"errors":[{"code":10000,"message":"Bearer s3cr3t-t0ken\u0007 is\u202e \"bad\""}]}"#,
                r#"Cloudflare refused the API token (HTTP 403): "Bearer ••• is 'bad'" (code 10000)"#,
            ),
            (
                429,
                r#"{"success":false,"errors":["Please wait",{"code":971}]}"#,
                r#"Cloudflare asks for fewer requests (HTTP 429): "Please wait", code 971"#,
            ),
            (
                404,
                NO_REASON,
                "Cloudflare has no such connector (HTTP 404)",
            ),
            (
                500,
                r#"{"success":false,"errors":[{"code":10001,"message":"internal error"}]}"#,
                r#"Cloudflare could not serve the request (HTTP 500): "internal error" (code 10001)"#,
            ),
        ] {
            assert_eq!(refused(Endpoint::Get, status, body).to_string(), message);
        }
        let many = refused(Endpoint::Get, 400, &envelope(&[1, 2, 3, 4, 5]));
        assert_eq!(many.message.matches("code").count(), MAX_QUOTED);
        assert_eq!(many.codes.len(), 5);
    }

    proptest! {
        /// Whatever comes, only an envelope with a 4xx, or a 429, is taken for certain.
        #[test]
        fn certainty_needs_cloudflares_word(
            status in 100_u16..600, success in any::<Option<bool>>(), codes in prop::collection::vec(0_i64..11_000, 0..3),
        ) {
            let errors: Vec<_> = codes.iter().map(|code| json!({"code": code})).collect();
            let body = json!({"success": success, "errors": errors}).to_string();
            match judge(Endpoint::Create, &reply(status, &body), &token()) {
                Ok(_) => prop_assert!(success == Some(true) && (200..300).contains(&status)),
                Err(failure) => {
                    let says_no = success == Some(false) && (400..500).contains(&status);
                    let certain = status == 429 || (says_no && ![408, 409, 425].contains(&status));
                    prop_assert_eq!(failure.is_definite(), certain);
                    prop_assert_eq!(failure.status, Some(status));
                }
            }
        }
    }
}
