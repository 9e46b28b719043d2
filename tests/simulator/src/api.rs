//! The API itself: one call from its arrival to its answer.
//!
//! A call is logged, counted, led past the faults, authenticated, executed in the model, led past the faults again, and
//! answered. It runs in a task of its own: as with the real API, a caller who hangs up does not take the call back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use k8s_openapi::jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::Value;

use crate::answer::Answer;
use crate::authentication::{self, Credentials};
use crate::calls::{Call, Outcome};
use crate::faults::{Failure, Strike, Verdict, When};
use crate::limits::Standing;
use crate::operations::{self, Request};
use crate::query::Query;
use crate::route::{Operation, Route};
use crate::state::Effect;
use crate::subject;
use crate::world::{Shared, World};

/// How a call ends for its connection.
#[derive(Debug)]
pub(crate) enum Ending {
    Answer(Response),
    Reset,
}

/// A call on its way through the simulator.
struct Passage {
    shared: Arc<Shared>,
    parts: Parts,
    route: Route,
    body: Bytes,
    credentials: Credentials,
    call: Call,
    standing: Standing,
}

/// Why a call goes no further.
enum Stop {
    Answer(Answer),
    Reset,
}

/// Serves one call.
pub(crate) async fn serve(shared: Arc<Shared>, parts: Parts, body: Bytes) -> Ending {
    let passage = Passage::arrive(shared, parts, body);
    let ending = match passage.run().await {
        Ok(answer) | Err(Stop::Answer(answer)) => {
            let headers = passage.common_headers();
            Ending::Answer(answer.into_response(headers))
        }
        Err(Stop::Reset) => Ending::Reset,
    };
    passage.leave(&ending);
    ending
}

impl Passage {
    /// Logs the call and counts it against its token's limit.
    fn arrive(shared: Arc<Shared>, parts: Parts, body: Bytes) -> Self {
        let route = Route::parse(&parts.method, parts.uri.path());
        let credentials = Credentials::read(&parts.headers);
        let arrived = shared.elapsed();
        let (call, standing) = shared.with(|world| {
            let mut call = log_entry(world, &parts, &route, &body, &credentials, arrived);
            call.sequence = world.calls.open(call.clone());
            let knobs = &world.knobs;
            (
                call,
                world
                    .limiter
                    .count(credentials.text(), Instant::now(), knobs),
            )
        });
        Self {
            shared,
            parts,
            route,
            body,
            credentials,
            call,
            standing,
        }
    }

    async fn run(&self) -> Result<Answer, Stop> {
        self.pass_faults(When::BeforeCommit, None).await?;
        let answer = self.shared.with(|world| {
            let (answer, effect) = self.execute(world);
            world.calls.set_effect(self.call.sequence, effect);
            answer
        });
        self.pass_faults(When::AfterCommit, Some(answer)).await
    }

    fn execute(&self, world: &mut World) -> (Answer, Effect) {
        let refused = |answer| (answer, Effect::Unchanged);
        if self.standing.remaining.is_none() {
            return refused(authentication::limit_reached(self.standing, &world.knobs));
        }
        let operation = match &self.route.operation {
            Ok(operation) => *operation,
            Err(misroute) => {
                return refused(operations::misrouted(misroute, &self.parts, &world.knobs));
            }
        };
        if let Err(answer) = authentication::check(world, &self.credentials, operation, &self.route)
        {
            return refused(answer);
        }
        let request = Request {
            operation,
            method: &self.parts.method,
            route: &self.route,
            query: Query::parse(self.parts.uri.query()),
            body: &self.body,
            credentials: &self.credentials,
        };
        operations::execute(world, &request)
    }

    /// Suffers the faults on one side of the commit; an answer that is there already may be altered.
    async fn pass_faults(&self, when: When, answer: Option<Answer>) -> Result<Answer, Stop> {
        let mut answer = answer.unwrap_or_else(|| Answer::text(500, "text/plain", ""));
        let mut last = 0;
        loop {
            let strike = self
                .shared
                .with(|world| world.faults.strike(&self.call, when, last, Instant::now()));
            let Some(Strike {
                id,
                failure,
                verdict,
            }) = strike
            else {
                return Ok(answer);
            };
            last = id;
            answer = match failure {
                Failure::Answer {
                    when: _,
                    status,
                    headers,
                    body,
                } => {
                    return Err(Stop::Answer(self.shared.read(|world| {
                        Answer::invented(status, headers, body, &world.knobs)
                    })));
                }
                Failure::Reset { .. } => return Err(Stop::Reset),
                Failure::Delay { when: _, time } => {
                    tokio::time::sleep(time).await;
                    answer
                }
                Failure::Hold { .. } => match self.wait(verdict).await {
                    Verdict::Drop => return Err(Stop::Reset),
                    Verdict::Continue | Verdict::Wait => answer,
                },
                Failure::Truncate => answer.truncated(),
                Failure::WithoutId => answer.without_id(),
                Failure::Rewrite { pointer, value } => answer.rewritten(&pointer, value),
            };
        }
    }

    /// Waits for the verdict on a held call; a fault that was cleared lets it go on.
    async fn wait(&self, mut verdict: tokio::sync::watch::Receiver<Verdict>) -> Verdict {
        verdict
            .wait_for(|verdict| *verdict != Verdict::Wait)
            .await
            .map_or(Verdict::Continue, |verdict| *verdict)
    }

    fn common_headers(&self) -> HeaderMap {
        let (now, knobs) = self.shared.read(|world| (world.now(), world.knobs.clone()));
        let mut headers = HeaderMap::new();
        let mut set = |name: header::HeaderName, text: String| {
            headers.extend(HeaderValue::try_from(text).ok().map(|value| (name, value)));
        };
        let remaining = self.standing.remaining.unwrap_or(0);
        let reset = self.standing.reset_seconds();
        set(
            header::HeaderName::from_static("ratelimit"),
            format!("\"default\";r={remaining};t={reset}"),
        );
        set(
            header::HeaderName::from_static("ratelimit-policy"),
            format!(
                "\"default\";q={};w={}",
                knobs.rate_limit,
                knobs.rate_window.as_secs()
            ),
        );
        set(
            header::HeaderName::from_static("cf-ray"),
            format!("{:016x}-SIM", self.call.sequence),
        );
        if knobs.date_header.is_on()
            && let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&now)
        {
            set(header::DATE, date);
        }
        headers
    }

    fn leave(&self, ending: &Ending) {
        let outcome = match ending {
            Ending::Answer(response) => Outcome::Answered(response.status().as_u16()),
            Ending::Reset => Outcome::Reset,
        };
        let at = self.shared.elapsed();
        self.shared
            .with(|world| world.calls.close(self.call.sequence, outcome, at));
    }
}

fn log_entry(
    world: &World,
    parts: &Parts,
    route: &Route,
    body: &Bytes,
    credentials: &Credentials,
    arrived: Duration,
) -> Call {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    Call {
        sequence: 0,
        operation: route
            .operation
            .as_ref()
            .copied()
            .unwrap_or(Operation::Unrouted),
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        account: route.account.clone(),
        connector_id: route.connector_id.clone(),
        zone: route.zone.clone(),
        record_id: route.record_id.clone(),
        domain: subject::of(world, route, parts.uri.query(), body.as_ref()),
        token: world
            .model
            .token(credentials.text())
            .map(|token| token.label.clone()),
        user_agent: parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body,
        outcome: Outcome::Open,
        effect: Effect::Unchanged,
        arrived,
        ended: None,
    }
}
