//! The table of faults that every endpoint must judge alike.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::Class;
use simulator::{Failure as Injected, FaultBody, When};

/// An injected fault and how it must be judged.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) injected: Injected,
    pub(crate) class: Class,
    pub(crate) definite: bool,
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: Option<Duration>,
}

impl Case {
    fn certain(name: impl Into<String>, injected: Injected, class: Class, status: u16) -> Self {
        let (name, status) = (name.into(), Some(status));
        Self {
            name,
            injected,
            class,
            definite: true,
            status,
            retry_after: None,
        }
    }

    fn uncertain(
        name: impl Into<String>,
        injected: Injected,
        class: Class,
        status: impl Into<Option<u16>>,
    ) -> Self {
        let (name, status) = (name.into(), status.into());
        Self {
            name,
            injected,
            class,
            definite: false,
            status,
            retry_after: None,
        }
    }

    fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(seconds)),
            ..self
        }
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let all = [
        throttles(),
        refusals(),
        edge_pages(),
        oddities(),
        broken_connections(),
    ];
    all.into_iter().flatten().collect()
}

fn throttles() -> Vec<Case> {
    let class = Class::RateLimited;
    let minute = Some(Duration::from_mins(1));
    let day = Some(Duration::from_hours(24));
    vec![
        Case::certain("throttled", Injected::throttled(None), class, 429),
        Case::certain("wait 60 s", Injected::throttled(minute), class, 429).retry_after(60),
        Case::certain("limit", Injected::limit_reached(minute), class, 429).retry_after(60),
        Case::certain("a day", Injected::limit_reached(day), class, 429).retry_after(3600),
        Case::uncertain("200 971", Injected::unsuccessful(971), class, 200),
    ]
}

/// Refusals in Cloudflare's envelope.
fn refusals() -> Vec<Case> {
    use Class::{Rejected, Unauthorized, Unavailable};
    let mut cases = vec![
        Case::certain("ban", Injected::banned(), Unauthorized, 403),
        Case::certain("flake", Injected::authentication_flake(), Unauthorized, 403),
        Case::certain("no permission", Injected::forbidden(), Unauthorized, 403),
        Case::uncertain(
            "200 10000",
            Injected::unsuccessful(10_000),
            Unauthorized,
            200,
        ),
        Case::uncertain("200 1000", Injected::unsuccessful(1000), Unavailable, 200),
    ];
    for (status, code, class) in [
        (401, 10_000, Unauthorized),
        (400, 6003, Unauthorized),
        (400, 1001, Rejected),
        (404, 7003, Rejected),
        (405, 405, Rejected),
        (422, 1001, Rejected),
    ] {
        let injected = Injected::envelope(status, code, "no");
        cases.push(Case::certain(
            format!("{status} {code}"),
            injected,
            class,
            status,
        ));
    }
    for status in [408, 409, 425, 500, 503] {
        let injected = Injected::envelope(status, 1001, "no");
        cases.push(Case::uncertain(
            format!("{status} 1001"),
            injected,
            Unavailable,
            status,
        ));
    }
    cases
}

/// What the edge says without Cloudflare's envelope.
fn edge_pages() -> Vec<Case> {
    let statuses = [
        200, 400, 401, 403, 404, 409, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526,
    ];
    let mut cases = Vec::new();
    for (kind, page) in [
        ("HTML", Injected::html as fn(u16) -> Injected),
        ("problem JSON", Injected::problem_json),
        ("nothing", Injected::empty),
    ] {
        cases.extend(statuses.map(|status| {
            let name = format!("{kind} {status}");
            Case::uncertain(name, page(status), Class::Unavailable, status)
        }));
        let name = format!("{kind} 429");
        cases.push(Case::certain(name, page(429), Class::RateLimited, 429));
    }
    cases
}

fn text(status: u16, header: Option<(&str, &str)>, text: impl Into<String>) -> Injected {
    let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Injected::Answer {
        when: When::BeforeCommit,
        status,
        headers: headers.into_iter().collect(),
        body: FaultBody::Text {
            content_type: "application/json".to_owned(),
            text: text.into(),
        },
    }
}

fn oddities() -> Vec<Case> {
    let odd =
        |name, injected, status: u16| Case::uncertain(name, injected, Class::Unavailable, status);
    let redirect = text(302, Some(("location", "/client/v4/")), "");
    let maintenance = text(503, Some(("retry-after", "30")), "");
    vec![
        odd("redirect", redirect, 302),
        odd("maintenance", maintenance, 503).retry_after(30),
        odd("5 MiB", text(200, None, " ".repeat(5 << 20)), 200),
        odd(
            "half JSON",
            text(200, None, r#"{"success":true,"result":"#),
            200,
        ),
        odd("deep JSON", text(200, None, "[".repeat(100_000)), 200),
        odd(
            "other JSON",
            text(404, None, r#"{"message":"not found"}"#),
            404,
        ),
        odd("truncated", Injected::Truncate, 200),
    ]
}

fn broken_connections() -> Vec<Case> {
    let broken =
        |name, injected, status| Case::uncertain(name, injected, Class::Unavailable, status);
    let reset = |when| Injected::Reset { when };
    let conflict = Injected::envelope(409, 1001, "no");
    vec![
        broken("reset", reset(When::BeforeCommit), None),
        broken("reset after commit", reset(When::AfterCommit), None),
        broken(
            "502 after commit",
            Injected::html(502).after_commit(),
            Some(502),
        ),
        broken(
            "524 after commit",
            Injected::problem_json(524).after_commit(),
            Some(524),
        ),
        broken("409 after commit", conflict.after_commit(), Some(409)),
    ]
}
