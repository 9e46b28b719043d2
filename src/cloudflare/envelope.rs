//! Cloudflare's envelope: `{"success", "errors", "messages", "result", "result_info"}` around every answer.
//!
//! `success` decides what is an envelope at all: problem JSON (RFC 9457), HTML and other people's JSON have no such
//! boolean and prove nothing about Cloudflare's state. Everything else in it is decoded with defaults.

use serde_json::Value;

use super::connector::Connector;
use crate::foreign_text;

/// A decoded envelope.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Envelope {
    pub(super) success: bool,
    pub(super) complaints: Vec<Complaint>,
    /// `null` if absent.
    pub(super) result: Value,
    /// How many items there are on all pages together.
    pub(super) total_count: Count,
    /// How many pages there are.
    pub(super) total_pages: Count,
}

/// How many there are of something, as an answer says it. Of two, the one that says more is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Count {
    /// The answer does not say it.
    #[default]
    Unsaid,
    /// So many.
    Of(u64),
    /// The answer says it in a way that nobody can read, so there may be any number.
    Unreadable,
}

/// One entry of `errors`, or of its `error_chain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) code: Option<i64>,
    /// Foreign text; empty if absent.
    pub(super) message: String,
}

impl Envelope {
    /// Decodes a body; `None` if it is not Cloudflare's envelope.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut value: Value = serde_json::from_slice(body).ok()?;
        let success = value.get("success")?.as_bool()?;
        let complaints = value["errors"].as_array().map(|errors| complaints(errors));
        Some(Self {
            success,
            complaints: complaints.unwrap_or_default(),
            total_count: Count::read(&value["result_info"], "total_count"),
            total_pages: Count::read(&value["result_info"], "total_pages"),
            result: value["result"].take(),
        })
    }

    /// What a 204 says: done, and nothing else.
    pub(super) const fn empty() -> Self {
        Self {
            success: true,
            complaints: Vec::new(),
            result: Value::Null,
            total_count: Count::Unsaid,
            total_pages: Count::Unsaid,
        }
    }

    /// Without every text in `result` that holds the token, as if it had not been reported. A token that Cloudflare takes is
    /// long and random, so it stands in an answer only because somebody echoes it, and it must not get into a status.
    pub(super) fn without_token(mut self, token: &str) -> Self {
        blank(&mut self.result, token);
        self
    }

    /// The one connector in `result`. Cloudflare's documentation shows an array of one where its schema says object.
    pub(super) fn connector(&self) -> Option<Connector> {
        self.one(Connector::from_json)
    }

    /// The one thing in `result`, perhaps in an array of one.
    pub(super) fn one<T>(&self, decode: impl Fn(&Value) -> Option<T>) -> Option<T> {
        match &self.result {
            Value::Array(items) => match items.as_slice() {
                [item] => decode(item),
                _ => None,
            },
            result => decode(result),
        }
    }
}

fn blank(value: &mut Value, token: &str) {
    match value {
        Value::String(text) if foreign_text::reveals(text, token) => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(|item| blank(item, token)),
        Value::Object(fields) => fields.values_mut().for_each(|field| blank(field, token)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every error, each followed by the errors that it says caused it.
fn complaints(errors: &[Value]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for error in errors {
        complaints.extend(Complaint::from_json(error));
        let chain = error["error_chain"].as_array().into_iter().flatten();
        complaints.extend(chain.filter_map(Complaint::from_json));
    }
    complaints
}

impl Count {
    fn read(info: &Value, name: &str) -> Self {
        let said = match info {
            Value::Object(fields) => fields.get(name).unwrap_or(&Value::Null),
            other => other,
        };
        match said {
            Value::Null => Self::Unsaid,
            said => said.as_u64().map_or(Self::Unreadable, Self::Of),
        }
    }
}

impl Complaint {
    fn from_json(value: &Value) -> Option<Self> {
        let code = value["code"].as_i64();
        let message = value["message"]
            .as_str()
            .or_else(|| value.as_str())
            .unwrap_or_default();
        (code.is_some() || !message.is_empty()).then(|| Self {
            code,
            message: message.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn decode(value: &Value) -> Envelope {
        Envelope::decode(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_text_that_holds_the_token_was_not_reported() {
        let token = "cfat_0123456789abcdef";
        let result = json!([{
            "id": "c1",
            "email_domain": format!("{token}.example"),
            "verification": {
                "code": format!("cloudflare_dashboard_sso={token}"),
                "status": "cfat_0123456789\u{200b}abcdef",
            },
            "enabled": true,
        }]);
        let envelope = decode(&json!({ "success": true, "result": result })).without_token(token);
        assert_eq!(
            envelope.result,
            json!([{
                "id": "c1",
                "email_domain": null,
                "verification": { "code": null, "status": null },
                "enabled": true,
            }])
        );
    }

    fn complaint(code: impl Into<Option<i64>>, message: &str) -> Complaint {
        Complaint {
            code: code.into(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn recorded_errors_decode() {
        let minimal = decode(
            &json!({"success": false, "errors": [{"code": 10000, "message": "Authentication error"}]}),
        );
        assert!(!minimal.success);
        assert_eq!(
            minimal.complaints,
            [complaint(10000, "Authentication error")]
        );

        let chained = decode(
            &json!({"success": false, "result": null, "messages": ["a", {"code": 1, "type": null}],
            "errors": [{"code": 6003, "message": "Invalid request headers", "error_chain":
                [{"code": 6111, "message": "Invalid format for Authorization header"}]}]}),
        );
        assert_eq!(
            chained.complaints,
            [
                complaint(6003, "Invalid request headers"),
                complaint(6111, "Invalid format for Authorization header"),
            ]
        );
    }

    #[test]
    fn odd_errors_decode_to_what_they_say() {
        let odd = decode(&json!({"success": false, "errors":
            [{"code": 0, "message": "Actor"}, {"message": "no code"}, "a string", {"code": -1}, 7, {}, null, []]}));
        assert_eq!(
            odd.complaints,
            [
                complaint(0, "Actor"),
                complaint(None, "no code"),
                complaint(None, "a string"),
                complaint(-1, ""),
            ]
        );
        for errors in [json!(null), json!("x"), json!({"code": 1})] {
            assert_eq!(
                decode(&json!({"success": true, "errors": errors})).complaints,
                []
            );
        }
    }

    #[test]
    fn what_has_no_success_is_no_envelope() {
        let problem = json!({"type": "about:blank", "title": "Bad gateway", "status": 502});
        for body in [
            &b""[..],
            b"<!DOCTYPE html><title>502</title>",
            b"{\"success\":true,\"resu",
            b"[{\"success\":true}]",
            b"{\"success\":\"true\"}",
            b"{\"result\":[]}",
            b"\xff",
            "[".repeat(4096).as_bytes(),
            problem.to_string().as_bytes(),
        ] {
            assert_eq!(Envelope::decode(body), None, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn one_connector_may_come_alone_or_in_an_array() {
        let id = "023e105f4ecef8ad9ca31a8372d0c353";
        for result in [json!({"id": id}), json!([{"id": id}])] {
            let connector = decode(&json!({"success": true, "result": result})).connector();
            assert_eq!(connector.unwrap().id.as_str(), id);
        }
        for result in [
            json!(null),
            json!([]),
            json!([{"id": id}, {"id": id}]),
            json!("x"),
        ] {
            assert_eq!(
                decode(&json!({"success": true, "result": result})).connector(),
                None
            );
        }
        assert_eq!(decode(&json!({"success": true})), Envelope::empty());
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Envelope::decode(&body);
        }
    }
}
