//! Judges an answer.
//!
//! The HTTP status decides, and codes only where a status is known to lie. An answer counts as Cloudflare's own word
//! only if it came in Cloudflare's envelope: whatever an edge server, a proxy or a firewall may have said is
//! [`Class::Unavailable`].

use super::envelope::{Complaint, Envelope};
use super::exchange::{Body, Reply};
use super::failure::{Class, Endpoint, Failure};
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
        Some(envelope) if envelope.success && (200..300).contains(&reply.status) => Ok(envelope),
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
        message: message(class, reply, &complaints, token),
        retry_after: reply.retry_after,
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
/// Malformed or unknown credentials, missing permission, too many failures. Seen with the statuses 400, 401 and 403.
const CREDENTIAL_CODES: [i64; 6] = [6003, 6111, 9103, 9106, 9109, 10000];
/// "No route for the URI": the account or the connector was not even looked for.
const NO_ROUTE_CODES: [i64; 2] = [7000, 7003];

fn classify(endpoint: Endpoint, status: u16, answerer: Answerer, codes: &[i64]) -> Class {
    let names = |known: &[i64]| codes.iter().any(|code| known.contains(code));
    match (status, answerer) {
        (429, _) => Class::RateLimited,
        (408 | 409 | 425, _) | (_, Answerer::Unknown) => Class::Unavailable,
        (200..300 | 400..500, _) if names(&THROTTLE_CODES) => Class::RateLimited,
        (401 | 403, _) => Class::Unauthorized,
        (200..300 | 400 | 404, _) if names(&CREDENTIAL_CODES) => Class::Unauthorized,
        (404, _) if endpoint.names_a_connector() && !names(&NO_ROUTE_CODES) => Class::Gone,
        (400..500, _) => Class::Rejected,
        _ => Class::Unavailable,
    }
}

/// The most complaints that a message quotes.
const MAX_QUOTED: usize = 3;

fn message(class: Class, reply: &Reply, complaints: &[Complaint], token: &ApiToken) -> String {
    let summary = match class {
        Class::NotSent => "The request was not sent to Cloudflare",
        Class::RateLimited => "Cloudflare asks for fewer requests",
        Class::Unauthorized => "Cloudflare refused the API token",
        Class::Gone => "Cloudflare has no such connector",
        Class::Rejected => "Cloudflare refused the request",
        Class::Unavailable if complaints.is_empty() => "Cloudflare gave no usable answer",
        Class::Unavailable => "Cloudflare could not serve the request",
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
