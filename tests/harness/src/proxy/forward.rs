//! The way of one call through the proxy.

use std::fmt;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Request, Response};

use super::answer::{Answer, half};
use super::interception::{Rule, Treatment};
use super::{Call, CallRecord, Outcome, Shared, lock};

/// Headers that belong to one connection and not to the call (RFC 9110, section 7.6.1), and Host and Content-Length, which
/// both sides work out themselves.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The connection shall be closed without an answer; hyper does that when a service fails.
#[derive(Debug)]
pub(super) enum Cut {
    /// A test asked for it.
    Wanted,
    /// The caller's body did not arrive whole.
    Caller(axum::Error),
    /// The API server did not answer, which to the caller looks the same through a proxy.
    Upstream(reqwest::Error),
    /// Its answer broke off.
    Answer(axum::Error),
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wanted => formatter.write_str("cut as asked for"),
            Self::Caller(error) => write!(formatter, "the caller: {error}"),
            Self::Upstream(error) => write!(formatter, "the API server: {error}"),
            Self::Answer(error) => write!(formatter, "the API server's answer: {error}"),
        }
    }
}

impl std::error::Error for Cut {}

impl Shared {
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX)
            .await
            .map_err(Cut::Caller)?;
        let path = parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let call = Call {
            method: parts.method,
            path,
            body,
        };
        let entry = LogEntry::new(&self, &call);
        let response = self.treat(&call, &parts.headers).await?;
        entry.settle(Outcome::Answered(response.status()));
        Ok(response)
    }

    async fn treat(&self, call: &Call, headers: &HeaderMap) -> Result<Response<Body>, Cut> {
        let Some(rule) = self.interceptions.find(call) else {
            return self.forward(call, headers).await;
        };
        match &rule.treatment {
            Treatment::HoldBeforeForwarding => {
                rule.hold(call).await?;
                self.forward(call, headers).await
            }
            Treatment::HoldAfterAnswer => {
                let response = self.forward(call, headers).await?;
                rule.hold(call).await?;
                Ok(response)
            }
            Treatment::Delay(time) => {
                rule.record(call);
                tokio::time::sleep(*time).await;
                self.forward(call, headers).await
            }
            Treatment::Answer(status) => {
                rule.record(call);
                Ok(Answer::refusal(*status).response())
            }
            Treatment::AnswerWith(answer) => {
                rule.record(call);
                Ok(answer.response())
            }
            Treatment::AnswerAfterForwarding(answer) => {
                self.forward(call, headers).await?;
                rule.record(call);
                Ok(answer.response())
            }
            Treatment::CutBeforeForwarding => {
                rule.record(call);
                Err(Cut::Wanted)
            }
            Treatment::CutAfterAnswer => {
                self.forward(call, headers).await?;
                rule.record(call);
                Err(Cut::Wanted)
            }
            Treatment::CutInAnswer | Treatment::StallInAnswer => {
                let response = self.forward(call, headers).await?;
                rule.record(call);
                break_off(response, Arc::clone(&rule)).await
            }
        }
    }

    async fn forward(&self, call: &Call, headers: &HeaderMap) -> Result<Response<Body>, Cut> {
        let url = format!(
            "{}{}",
            self.upstream.as_str().trim_end_matches('/'),
            call.path
        );
        let answer = self
            .http
            .request(call.method.clone(), url)
            .headers(of_the_call(headers))
            .body(call.body.clone())
            .send()
            .await
            .map_err(Cut::Upstream)?;
        let status = answer.status();
        let headers = of_the_call(answer.headers());
        let body = if call.is_watch() {
            self.events.treat(&call.path, answer)
        } else {
            Body::from_stream(answer.bytes_stream())
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// A call's place in the log. A call that is dropped on its way, because its caller hung up or was cut off, says so there.
struct LogEntry<'a> {
    shared: &'a Shared,
    index: usize,
}

impl<'a> LogEntry<'a> {
    fn new(shared: &'a Shared, call: &Call) -> Self {
        let mut log = lock(&shared.log);
        let (method, path) = (call.method.clone(), call.path.clone());
        log.push(CallRecord {
            method,
            path,
            outcome: Outcome::UnderWay,
        });
        Self {
            shared,
            index: log.len() - 1,
        }
    }

    fn settle(&self, outcome: Outcome) {
        if let Some(record) = lock(&self.shared.log).get_mut(self.index)
            && record.outcome == Outcome::UnderWay
        {
            record.outcome = outcome;
        }
    }
}

impl Drop for LogEntry<'_> {
    fn drop(&mut self) {
        self.settle(Outcome::Cut);
    }
}

fn of_the_call(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in &OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers
}

/// The first half of the answer. The other half comes when the interception is released, or never.
async fn break_off(response: Response<Body>, rule: Arc<Rule>) -> Result<Response<Body>, Cut> {
    let (parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(Cut::Answer)?;
    let body = half(&whole, |rest| async move {
        if rule.treatment == Treatment::CutInAnswer {
            return Err(io::Error::other(Cut::Wanted));
        }
        rule.released().await.map_err(io::Error::other)?;
        Ok(rest)
    });
    Ok(Response::from_parts(parts, body))
}
