//! The classes of faults, and what the operator must make of each. What is expected follows from what Cloudflare says and from
//! whether it has done what it was asked for, not from how the operator reads it.

use std::time::Duration;

use cloudflare_sso_operator::resource::ConditionType;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822::DateTimePrinter;
use simulator::{Failure, FaultBody, Operation, When};

/// Longer than a call of these tests may take.
const TOO_LONG: Duration = Duration::from_millis(1500);

/// A way in which a call goes wrong.
#[derive(Debug, Clone)]
pub(super) struct FaultClass {
    pub(super) name: &'static str,
    failure: fn() -> Failure,
    says: Says,
    deed: Deed,
}

/// What the caller learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// It is to call less often.
    Slower,
    /// Its token is not good.
    BadToken,
    /// What it asks for is not possible.
    Impossible,
    /// Nothing that it could rely on.
    Nothing,
    /// That all is well, without a word of what there is.
    Nonsense,
    /// The truth, late but in time.
    Truth,
}

/// What Cloudflare has done of what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Nothing, and its answer proves it.
    Refused,
    /// Nothing.
    Undone,
    /// All of it.
    Done,
    /// All of it, but only after the caller has given up.
    Late,
}

/// How often a class strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repetition {
    /// Once.
    Single,
    /// Until the operator has said so, or several times where there is nothing to say.
    Lasting,
}

impl FaultClass {
    pub(super) fn failure(&self) -> Failure {
        (self.failure)()
    }

    /// Whether a call that changes something takes effect although it fails.
    pub(super) fn takes_effect(&self) -> bool {
        matches!(self.deed, Deed::Done | Deed::Late)
    }

    /// Whether it takes effect so late that it may have been sent once more.
    pub(super) fn takes_effect_late(&self) -> bool {
        self.deed == Deed::Late
    }

    /// Whether the deletion of a connector that is still there is reported as done, which nobody can tell from the truth.
    pub(super) fn lies_about(&self, operation: Operation) -> bool {
        self.says == Says::Nonsense && operation == Operation::Delete
    }

    /// What stands in the object's conditions while the fault lasts on calls of this operation; nothing if the object goes
    /// on all the same, or waits for proof.
    pub(super) fn shows(&self, operation: Operation) -> Option<(ConditionType, &'static str)> {
        let changes = operation.is_mutation();
        if changes && self.takes_effect() {
            return None;
        }
        // What may have been created is waited for, not tried again; and what may have been begun is looked at.
        let waits = matches!(operation, Operation::Create | Operation::BeginVerification);
        match self.says {
            Says::BadToken => Some((ConditionType::Ready, "Unauthorized")),
            Says::Impossible => Some((ConditionType::Ready, "Rejected")),
            Says::Slower if waits && self.deed != Deed::Refused => None,
            Says::Slower => Some((ConditionType::Synced, "RateLimited")),
            Says::Nothing if waits => None,
            Says::Nothing => Some((ConditionType::Synced, "CloudflareUnavailable")),
            Says::Nonsense if operation == Operation::Get => {
                Some((ConditionType::Synced, "CloudflareUnavailable"))
            }
            Says::Nonsense | Says::Truth => None,
        }
    }
}

/// A name, and how the call goes wrong.
type Named = (&'static str, fn() -> Failure);

/// Every class.
pub(super) fn classes() -> Vec<FaultClass> {
    use Deed::{Done, Late, Refused, Undone};
    use Says::{BadToken, Impossible, Nonsense, Nothing, Slower, Truth};
    let nonsense: Named = ("200-nonsense", || text(r#"{"success":true,"result":12}"#));
    let silence: Named = ("silence", || delay(When::BeforeCommit, TOO_LONG));
    let slow: Named = ("slow", || delay(When::AfterCommit, TOO_LONG / 5));
    let throttled: Named = ("200-971", || Failure::unsuccessful(971));
    [
        of(Slower, Refused, &throttles()),
        of(Slower, Undone, &[throttled]),
        of(BadToken, Refused, &bad_tokens()),
        of(Impossible, Refused, &refusals()),
        of(Nothing, Undone, &errors()),
        of(Nothing, Undone, &pages()),
        of(Nothing, Undone, &oddities()),
        of(Nonsense, Undone, &[nonsense]),
        of(Nothing, Done, &lost_answers()),
        of(Nothing, Late, &[silence]),
        of(Truth, Done, &[slow]),
    ]
    .concat()
}

fn of(says: Says, deed: Deed, members: &[Named]) -> Vec<FaultClass> {
    let class = |(name, failure): &Named| FaultClass {
        name,
        failure: *failure,
        says,
        deed,
    };
    members.iter().map(class).collect()
}

fn throttles() -> [Named; 4] {
    [
        ("429-971-wait", || Failure::throttled(Some(SECOND))),
        ("429-10100", || Failure::limit_reached(None)),
        ("429-until-a-date", || until_a_date(429)),
        ("429-html-soon", || {
            with_header(429, "soon", FaultBody::Html)
        }),
    ]
}

fn bad_tokens() -> [Named; 5] {
    [
        ("401-10000", || envelope(401, 10_000)),
        ("403-flake", Failure::authentication_flake),
        ("403-ban", Failure::banned),
        ("403-enriched", Failure::forbidden),
        ("400-6003", || envelope(400, 6003)),
    ]
}

fn refusals() -> [Named; 4] {
    [
        ("400-1001", || envelope(400, 1001)),
        ("404-7003", || envelope(404, 7003)),
        ("405-405", || envelope(405, 405)),
        ("422-as-html", refused_as_html),
    ]
}

/// In Cloudflare's envelope, and yet no word on whether it was done.
fn errors() -> [Named; 4] {
    [
        ("408-1000", || envelope(408, 1000)),
        ("409-1000", || envelope(409, 1000)),
        ("425-1000", || envelope(425, 1000)),
        ("500-10001", || envelope(500, 10_001)),
    ]
}

/// What the edge says.
fn pages() -> [Named; 7] {
    [
        ("403-html", || Failure::html(403)),
        ("404-html", || Failure::html(404)),
        ("502-html", || Failure::html(502)),
        ("503-wait", || with_header(503, "1", FaultBody::ProblemJson)),
        ("504-empty", || Failure::empty(504)),
        ("520-html", || Failure::html(520)),
        ("526-problem", || Failure::problem_json(526)),
    ]
}

fn oddities() -> [Named; 6] {
    [
        ("302", || with_location("/client/v4/")),
        ("200-html", || Failure::html(200)),
        ("200-half-json", || text(r#"{"success":true,"result":"#)),
        ("200-deep-json", || text(&"[".repeat(100_000))),
        ("200-5-mib", || text(&" ".repeat(5 << 20))),
        ("reset", || Failure::Reset {
            when: When::BeforeCommit,
        }),
    ]
}

fn lost_answers() -> [Named; 5] {
    [
        ("reset-after", || Failure::Reset {
            when: When::AfterCommit,
        }),
        ("truncated", || Failure::Truncate),
        ("502-after", || Failure::html(502).after_commit()),
        ("409-after", || envelope(409, 1000).after_commit()),
        ("silence-after", || delay(When::AfterCommit, TOO_LONG)),
    ]
}

const SECOND: Duration = Duration::from_secs(1);

fn envelope(status: u16, code: i64) -> Failure {
    Failure::envelope(status, code, "no")
}

fn delay(when: When, time: Duration) -> Failure {
    Failure::Delay { when, time }
}

fn answer(status: u16, header: (&str, &str), body: FaultBody) -> Failure {
    let (name, value) = header;
    Failure::Answer {
        when: When::BeforeCommit,
        status,
        headers: vec![(name.to_owned(), value.to_owned())],
        body,
    }
}

fn with_header(status: u16, retry_after: &str, body: FaultBody) -> Failure {
    answer(status, ("retry-after", retry_after), body)
}

fn with_location(location: &str) -> Failure {
    answer(302, ("location", location), FaultBody::Empty)
}

/// `Retry-After` as a date, a moment ahead.
fn until_a_date(status: u16) -> Failure {
    let soon = Timestamp::now() + SECOND;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&soon);
    with_header(status, &date.unwrap(), FaultBody::Empty)
}

/// Cloudflare's own refusal under a content type that is not that of its API.
fn refused_as_html() -> Failure {
    let refusal = r#"{"success":false,"errors":[{"code":1001,"message":"no"}]}"#;
    let body = FaultBody::Text {
        content_type: "text/html".to_owned(),
        text: refusal.to_owned(),
    };
    answer(422, ("x-odd", "yes"), body)
}

fn text(text: &str) -> Failure {
    let body = FaultBody::Text {
        content_type: "application/json".to_owned(),
        text: text.to_owned(),
    };
    answer(200, ("x-odd", "yes"), body)
}
