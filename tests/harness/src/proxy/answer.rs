//! What is said in the API server's place, or instead of what it has said.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt as _, stream};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

/// An answer that a test has made up, or has taken down before and gives once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Bytes,
}

impl Answer {
    /// An error as the API server words it.
    #[must_use]
    pub fn refusal(status: StatusCode) -> Self {
        let body = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Status",
            "status": "Failure",
            "code": status.as_u16(),
            "reason": reason(status),
            "message": "answered by the proxy of a test",
        });
        Self {
            status,
            retry_after: None,
            body: body.to_string().into(),
        }
    }

    /// 200 with this body, such as a list from before.
    #[must_use]
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            retry_after: None,
            body: body.into(),
        }
    }

    /// The same, with `Retry-After` in whole seconds.
    #[must_use]
    pub fn retry_after(self, span: Duration) -> Self {
        Self {
            retry_after: Some(span),
            ..self
        }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(span) = self.retry_after {
            headers.insert(RETRY_AFTER, span.as_secs().into());
        }
        response
    }
}

/// The API server's word for a status; see `StatusReason` of its API.
fn reason(status: StatusCode) -> String {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => "InternalError".to_owned(),
        StatusCode::GONE => "Expired".to_owned(),
        StatusCode::GATEWAY_TIMEOUT => "Timeout".to_owned(),
        other => other
            .canonical_reason()
            .unwrap_or_default()
            .replace(' ', ""),
    }
}

/// The first half of `whole`, and then what `rest` says of the other half.
pub(super) fn half<R>(whole: &Bytes, rest: impl FnOnce(Bytes) -> R) -> Body
where
    R: Future<Output = io::Result<Bytes>> + Send + 'static,
{
    let middle = whole.len() / 2;
    let rest = rest(whole.slice(middle..));
    let rest = async move {
        // hyper drops what it has not flushed when the body fails, and it flushes when the body has nothing to give.
        tokio::task::yield_now().await;
        rest.await
    };
    Body::from_stream(parts(whole.slice(..middle), rest))
}

fn parts(
    first: Bytes,
    rest: impl Future<Output = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::iter([Ok(first)]).chain(stream::once(rest))
}
