//! One HTTP request and its answer, without any opinion about what the answer means.
//!
//! Every wait ends at the call's deadline. A status that has arrived is never lost, whatever happens to the body.

use std::error::Error;
use std::io;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response};
use tokio::time::{Instant, timeout_at};

use super::failure::{Class, Endpoint, Failure};
use super::gate::Gate;
use super::headers;
use super::token::ApiToken;
use crate::foreign_text;
use crate::lease::{Authority, Lapsed};

/// The largest body that is read. The longest real answer is a list, of about 400 bytes per connector.
const MAX_BODY: usize = 4 << 20;

/// A request to be made.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) token: &'a ApiToken,
    pub(super) url: String,
    pub(super) content: Content,
    /// When the answer has to be complete.
    pub(super) deadline: Instant,
    /// Nothing begins after its end.
    pub(super) authority: &'a Authority,
}

/// The body of a request.
#[derive(Debug)]
pub(super) enum Content {
    None,
    Json(Vec<u8>),
    /// To be sent only if that can begin in time.
    JsonBegunBy(Vec<u8>, Instant),
}

/// An answer, whatever it is.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) date: Option<Timestamp>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Body {
    Whole(Vec<u8>),
    /// Not all of it came, and why; a sentence fragment for people.
    CutOff(&'static str),
}

/// Makes the request and logs it.
pub(super) async fn exchange(
    http: &reqwest::Client,
    request: Request<'_>,
) -> Result<Reply, Failure> {
    let (endpoint, deadline, started) = (request.endpoint, request.deadline, Instant::now());
    let token = request.token;
    let outcome = match send(http, request).await {
        Ok(response) => Ok(receive(response, token, deadline).await),
        Err(failure) => Err(failure),
    };
    let (status, ray, failure) = match &outcome {
        Ok((reply, ray)) => (Some(reply.status), ray.as_deref(), None),
        Err(failure) => (None, None, Some(failure.message.as_str())),
    };
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(
        endpoint = endpoint.label(),
        status,
        elapsed_ms,
        ray,
        failure,
        "called Cloudflare"
    );
    outcome.map(|(reply, _)| reply)
}

async fn send(http: &reqwest::Client, request: Request<'_>) -> Result<Response, Failure> {
    let Request {
        endpoint,
        token,
        url,
        content,
        deadline,
        authority,
    } = request;
    let mut builder = http
        .request(endpoint.method(), url)
        .header(AUTHORIZATION, token.header());
    let mut gate = None;
    let (json, begin_by) = match content {
        Content::None if endpoint.method() == Method::POST => {
            // Without it some servers refuse a POST (411), and hyper leaves it out.
            builder = builder.header(CONTENT_LENGTH, 0);
            (None, None)
        }
        Content::None => (None, None),
        Content::Json(json) => (Some(json), None),
        Content::JsonBegunBy(json, begin_by) => (Some(json), Some(begin_by)),
    };
    if let Some(json) = json {
        let closing = gate.insert(Gate::new(begin_by, authority));
        builder = with_json(builder, json.len(), closing.guard(json));
    }
    let is_missed = || gate.as_ref().is_some_and(Gate::is_missed);
    let too_late = async {
        match &gate {
            Some(gate) => gate.missed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = too_late => Err(not_begun(endpoint)),
        sent = timeout_at(deadline, authority.cover(builder.send())) => match sent {
            Ok(Ok(Ok(response))) => Ok(response),
            // The gate has refused the body before the timer rang, or refuses it from now on.
            _ if is_missed() => Err(not_begun(endpoint)),
            Ok(Ok(Err(error))) => Err(transport_failure(endpoint, &error, token)),
            Ok(Err(Lapsed { begun: true })) => Err(given_up(endpoint)),
            Ok(Err(Lapsed { begun: false })) => Err(not_begun(endpoint)),
            Err(_) => Err(timed_out(endpoint)),
        },
    }
}

fn with_json(builder: RequestBuilder, length: usize, body: reqwest::Body) -> RequestBuilder {
    builder
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, length)
        .body(body)
}

/// Reads the answer, and the ID under which Cloudflare's support finds it.
async fn receive(
    response: Response,
    token: &ApiToken,
    deadline: Instant,
) -> (Reply, Option<String>) {
    let headers = response.headers();
    let ray = headers
        .get("cf-ray")
        .map(|ray| foreign_text::quote(&String::from_utf8_lossy(ray.as_bytes()), &[token.text()]));
    let (date, retry_after) = (headers::date(headers), headers::retry_after(headers));
    let status = response.status().as_u16();
    let body = read(response, deadline).await;
    (
        Reply {
            status,
            date,
            retry_after,
            body,
        },
        ray,
    )
}

async fn read(mut response: Response, deadline: Instant) -> Body {
    let mut bytes = Vec::new();
    loop {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) if bytes.len() + chunk.len() > MAX_BODY => {
                return Body::CutOff("it is longer than 4 MiB");
            }
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Body::Whole(bytes),
            Ok(Err(_)) => return Body::CutOff("the connection broke before its end"),
            Err(_) => return Body::CutOff("it did not end in time"),
        }
    }
}

fn not_begun(endpoint: Endpoint) -> Failure {
    let message = "The request was not sent to Cloudflare, because it could not begin in time";
    Failure::without_answer(Class::NotSent, endpoint, message.to_owned())
}

/// Without a body to hold back it is unknown whether the request has gone out.
fn given_up(endpoint: Endpoint) -> Failure {
    let message =
        "The call to Cloudflare was given up, because this operator does not lead any more";
    Failure::without_answer(Class::Unavailable, endpoint, message.to_owned())
}

fn timed_out(endpoint: Endpoint) -> Failure {
    let message = "Cloudflare did not answer in time";
    Failure::without_answer(Class::Unavailable, endpoint, message.to_owned())
}

fn transport_failure(endpoint: Endpoint, error: &reqwest::Error, token: &ApiToken) -> Failure {
    if error.is_timeout() {
        return timed_out(endpoint);
    }
    if error.is_connect() && causes(error).any(is_refusal) {
        let message = "The connection to Cloudflare was refused";
        return Failure::without_answer(Class::NotSent, endpoint, message.to_owned());
    }
    // The outer errors name the URL and repeat each other; the innermost says what happened.
    let cause = causes(error)
        .last()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let cause = foreign_text::quote(&cause, &[token.text()]);
    let message = format!("The connection to Cloudflare failed: {cause}");
    Failure::without_answer(Class::Unavailable, endpoint, message)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
}

fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests;
