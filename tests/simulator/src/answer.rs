//! What goes back to the caller: Cloudflare's envelope, and the pages of its edge.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::{StreamExt as _, stream};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::faults::FaultBody;
use crate::knobs::{Knobs, OmittableField, TimestampFraction};
use crate::state::Connector;

/// Where an enriched 403 points.
pub(crate) const DOCUMENTATION: &str =
    "https://developers.cloudflare.com/api/resources/iam/subresources/sso/";

/// Where an enriched 403 on DNS records points.
pub(crate) const DNS_DOCUMENTATION: &str =
    "https://developers.cloudflare.com/api/resources/dns/subresources/records/";

/// An answer that is not yet on the wire, so that a fault can still alter it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: AnswerBody,
}

#[derive(Debug, Clone)]
pub(crate) enum AnswerBody {
    Json(Value),
    Text {
        content_type: String,
        text: String,
    },
    /// The first half of this JSON, although the header promises all of it.
    Half(Value),
}

impl Answer {
    pub(crate) const fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: AnswerBody::Json(body),
        }
    }

    /// A success; `result` is left out if absent.
    pub(crate) fn success(result: Option<Value>, knobs: &Knobs) -> Self {
        let mut envelope = Map::new();
        envelope.extend(result.map(|result| ("result".to_owned(), result)));
        envelope.insert("success".to_owned(), true.into());
        envelope.insert("errors".to_owned(), json!([]));
        if !knobs.omits(OmittableField::Messages) {
            envelope.insert("messages".to_owned(), json!([]));
        }
        Self::json(200, envelope.into())
    }

    /// A failure in the envelope.
    pub(crate) fn failure(status: u16, errors: &Value, knobs: &Knobs) -> Self {
        let mut envelope = json!({"success": false, "errors": errors, "result": null});
        if !knobs.omits(OmittableField::Messages) {
            envelope["messages"] = json!([]);
        }
        Self::json(status, envelope)
    }

    /// A failure in the envelope with one error.
    pub(crate) fn error(status: u16, code: i64, message: &str, knobs: &Knobs) -> Self {
        Self::failure(status, &json!([{"code": code, "message": message}]), knobs)
    }

    /// The failure of a path with an ID that leads nowhere; `path` is the one below the prefix.
    pub(crate) fn unroutable(status: u16, path: &str, knobs: &Knobs) -> Self {
        let message =
            format!("Could not route to {path}, perhaps your object identifier is invalid?");
        let errors = json!([
            {"code": 7003, "message": message},
            {"code": 7000, "message": "No route for that URI"},
        ]);
        Self::failure(status, &errors, knobs)
    }

    pub(crate) fn text(status: u16, content_type: &str, text: &str) -> Self {
        let body = AnswerBody::Text {
            content_type: content_type.to_owned(),
            text: text.to_owned(),
        };
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// The invented answer of a fault.
    pub(crate) fn invented(
        status: u16,
        headers: Vec<(String, String)>,
        body: FaultBody,
        knobs: &Knobs,
    ) -> Self {
        let mut answer = match body {
            FaultBody::Envelope {
                code,
                message,
                documentation_url,
            } => {
                let mut error = json!({"code": code, "message": message});
                if let Some(url) = documentation_url {
                    error["documentation_url"] = url.into();
                }
                Self::failure(status, &json!([error]), knobs)
            }
            FaultBody::Html => html_page(status),
            FaultBody::ProblemJson => problem(status),
            FaultBody::Empty => Self::text(status, "text/plain", ""),
            FaultBody::Text { content_type, text } => Self::text(status, &content_type, &text),
        };
        answer.headers = headers;
        answer
    }

    pub(crate) fn truncated(mut self) -> Self {
        if let AnswerBody::Json(value) = self.body {
            self.body = AnswerBody::Half(value);
        }
        self
    }

    /// Replaces one value of a JSON body.
    pub(crate) fn rewritten(mut self, pointer: &str, replacement: Value) -> Self {
        if let AnswerBody::Json(body) = &mut self.body {
            rewrite(body, pointer, replacement);
        }
        self
    }

    pub(crate) fn without_id(mut self) -> Self {
        if let AnswerBody::Json(body) = &mut self.body
            && let Some(result) = body.get_mut("result").and_then(Value::as_object_mut)
        {
            result.remove("id");
        }
        self
    }

    /// Puts the answer on the wire, with `common` headers beneath its own.
    pub(crate) fn into_response(self, common: HeaderMap) -> Response {
        let (content_type, body, length) = match self.body {
            AnswerBody::Json(value) => (
                "application/json".to_owned(),
                value.to_string().into(),
                None,
            ),
            AnswerBody::Text { content_type, text } => (content_type, text.into(), None),
            AnswerBody::Half(value) => {
                let text = value.to_string();
                ("application/json".to_owned(), half(&text), Some(text.len()))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        *headers = common;
        headers.extend(length.map(|length| (header::CONTENT_LENGTH, length.into())));
        let own = self
            .headers
            .into_iter()
            .chain([("content-type".to_owned(), content_type)]);
        for (name, value) in own {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(&value))
            {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// A body that breaks off: an error in the stream makes hyper close the connection.
fn half(text: &str) -> Body {
    let first = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let break_off = async {
        // hyper drops what it has not flushed when the body fails, and it flushes when the body has nothing to give.
        tokio::task::yield_now().await;
        Err(io::Error::other("truncated by a fault"))
    };
    Body::from_stream(stream::iter([Ok(first)]).chain(stream::once(break_off)))
}

fn rewrite(body: &mut Value, pointer: &str, replacement: Value) {
    if let Some(target) = body.pointer_mut(pointer) {
        *target = replacement;
    } else if let Some((parent, name)) = pointer.rsplit_once('/')
        && let Some(parent) = body.pointer_mut(parent).and_then(Value::as_object_mut)
    {
        parent.insert(name.to_owned(), replacement);
    }
}

fn html_page(status: u16) -> Answer {
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>api.cloudflare.com | {status}</title></head>\
         <body><h1>Error {status}</h1></body></html>\n"
    );
    Answer::text(status, "text/html; charset=UTF-8", &page)
}

fn problem(status: u16) -> Answer {
    let problem = json!({
        "type": "about:blank",
        "title": format!("Error {status}"),
        "status": status,
        "detail": "The origin web server did not answer as expected.",
    });
    Answer::text(status, "application/problem+json", &problem.to_string())
}

/// A connector as the API shows it.
pub(crate) fn connector(connector: &Connector, knobs: &Knobs) -> Value {
    let mut shown = json!({
        "id": connector.id,
        "email_domain": connector.email_domain,
        "enabled": connector.enabled,
        "use_fedramp_language": connector.use_fedramp_language,
        "created_on": timestamp(connector.created_on, knobs),
        "updated_on": timestamp(connector.updated_on, knobs),
        "verification": {
            "code": connector.verification_code,
            "status": connector.verification_status,
        },
    });
    for (field, name) in [
        (OmittableField::CreatedOn, "created_on"),
        (OmittableField::UpdatedOn, "updated_on"),
        (OmittableField::UseFedrampLanguage, "use_fedramp_language"),
    ] {
        if knobs.omits(field)
            && let Some(fields) = shown.as_object_mut()
        {
            fields.remove(name);
        }
    }
    shown
}

pub(crate) fn timestamp(moment: Timestamp, knobs: &Knobs) -> String {
    let format = match knobs.timestamp_fraction {
        TimestampFraction::None => "%Y-%m-%dT%H:%M:%SZ",
        TimestampFraction::Four => "%Y-%m-%dT%H:%M:%S.%4fZ",
        TimestampFraction::Six => "%Y-%m-%dT%H:%M:%S.%6fZ",
    };
    moment.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_the_digits_that_the_knob_says() {
        let moment: Timestamp = "2025-09-25T21:05:20.462622Z".parse().unwrap();
        for (timestamp_fraction, text) in [
            (TimestampFraction::None, "2025-09-25T21:05:20Z"),
            (TimestampFraction::Four, "2025-09-25T21:05:20.4626Z"),
            (TimestampFraction::Six, "2025-09-25T21:05:20.462622Z"),
        ] {
            assert_eq!(
                timestamp(
                    moment,
                    &Knobs {
                        timestamp_fraction,
                        ..Knobs::default()
                    }
                ),
                text
            );
        }
    }
}
