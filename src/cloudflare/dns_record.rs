//! TXT records of Cloudflare DNS.
//!
//! The content of a record is text as a zone file has it: one or more quoted strings. Quotes come and go between write and
//! read, so contents are compared by what they say, see [`TxtRecord::says`].

use serde::Serialize;
use serde_json::Value;

use super::connector::VerificationCode;
use super::listing::Item;
use crate::identity::{EmailDomain, RecordId};

/// A TXT record as Cloudflare reports it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TxtRecord {
    /// Cloudflare's name for it.
    pub id: RecordId,
    /// The DNS name exactly as Cloudflare spells it; foreign text.
    pub name: String,
    /// What the record says, if that was reported: its strings, without quotes, put together. Foreign text.
    pub text: Option<String>,
    /// What was noted beside it; foreign text, perhaps cut, empty if there is none.
    pub comment: String,
}

/// A TXT record to be created.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct NewTxtRecord {
    #[serde(rename = "type")]
    record_type: &'static str,
    name: String,
    content: String,
    ttl: TimeToLive,
    comment: String,
}

/// How long resolvers may keep a record, in seconds; 1 leaves it to Cloudflare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct TimeToLive(u32);

impl TimeToLive {
    /// Cloudflare decides.
    pub const AUTOMATIC: Self = Self(1);

    /// So many seconds, if Cloudflare documents that as possible for some plan: 1, or 30 to 86400.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let seconds = u32::try_from(seconds).ok()?;
        (seconds == 1 || (30..=86_400).contains(&seconds)).then_some(Self(seconds))
    }
}

impl NewTxtRecord {
    /// The record that proves the domain. The comment is one line of at most 100 characters, more of which Cloudflare refuses
    /// on free plans.
    #[must_use]
    pub fn proving(
        domain: &EmailDomain,
        code: &VerificationCode,
        ttl: TimeToLive,
        comment: String,
    ) -> Self {
        Self {
            record_type: "TXT",
            name: domain.to_string(),
            // A code has no quotes or backslashes and fits into one string.
            content: format!("\"{}\"", code.as_str()),
            ttl,
            comment,
        }
    }

    /// Whether a record can be what Cloudflare has made of this one: it says the same, and nobody has noted something else
    /// beside it. Comments may be cut or dropped.
    #[must_use]
    pub fn may_have_become(&self, record: &TxtRecord) -> bool {
        record.text == Some(unquoted(&self.content)) && self.comment.starts_with(&record.comment)
    }
}

impl TxtRecord {
    /// Decodes one TXT record; `None` if it is no object, has no usable ID, or says to be of another type.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        if !["", "TXT"].contains(&text("type")) {
            return None;
        }
        Some(Self {
            id: value["id"].as_str()?.parse().ok()?,
            name: text("name").to_owned(),
            text: value["content"].as_str().map(unquoted),
            comment: text("comment").to_owned(),
        })
    }

    /// Whether the record says just this code.
    #[must_use]
    pub fn says(&self, code: &VerificationCode) -> bool {
        self.text.as_deref() == Some(code.as_str())
    }

    /// Whether the record says a verification code, whichever.
    #[must_use]
    pub fn says_a_code(&self) -> bool {
        self.text
            .as_deref()
            .is_some_and(|text| VerificationCode::parse(text).is_some())
    }
}

impl Item for TxtRecord {
    type Id = RecordId;

    fn from_json(value: &Value) -> Option<Self> {
        Self::from_json(value)
    }

    fn id(&self) -> &RecordId {
        &self.id
    }

    fn flaw(&self) -> Option<&'static str> {
        (self.name.is_empty() || self.text.is_none())
            .then_some("a record in Cloudflare's list lacks its name or its content")
    }
}

/// What quoted strings say together, as a zone file spells them. What is not quoted says itself.
fn unquoted(content: &str) -> String {
    let content = content.trim();
    if !content.starts_with('"') {
        return content.to_owned();
    }
    let mut text = Vec::new();
    let mut quoted = false;
    let mut rest = content.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                let (byte, after) = escaped(rest);
                text.extend(byte);
                rest = after;
            }
            byte if quoted => text.push(*byte),
            // The space between two strings.
            _ => {}
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What is meant after a backslash, three digits of a byte or the next byte itself, and what comes after it.
fn escaped(rest: &[u8]) -> (Option<u8>, &[u8]) {
    if let Some((digits, after)) = rest.split_at_checked(3)
        && digits.iter().all(u8::is_ascii_digit)
        && let Ok(digits) = std::str::from_utf8(digits)
        && let Ok(byte) = digits.parse()
    {
        return (Some(byte), after);
    }
    match rest {
        [byte, after @ ..] => (Some(*byte), after),
        [] => (None, rest),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CODE: &str = "cloudflare_dashboard_sso=023e";

    fn record(content: &str) -> TxtRecord {
        let value = json!({"id": "r1", "type": "TXT", "name": "example.com", "content": content});
        TxtRecord::from_json(&value).unwrap()
    }

    #[test]
    fn quotes_do_not_count() {
        let code = VerificationCode::parse(CODE).unwrap();
        for same in [
            CODE.to_owned(),
            format!("\"{CODE}\""),
            format!(" \"{CODE}\" "),
            "\"cloudflare_dashboard_\" \"sso=023e\"".to_owned(),
            "\"cloudflare_dashboard_\"\"sso=023e\"".to_owned(),
            "\"cloudflare\\_dashboard_sso=023e\"".to_owned(),
            "\"cloudflare_dashboard_sso\\061023e\"".to_owned(),
        ] {
            assert!(record(&same).says(&code), "{same}");
        }
        for other in [
            "",
            "\"\"",
            "\"cloudflare_dashboard_sso=023e",
            "\"cloudflare_dashboard_sso=023E\"",
            "v=spf1 -all",
            "\"cloudflare_dashboard_sso=023e \"",
            "\"cloudflare_dashboard_sso=023\\0e\"",
            "\"cloudflare_dashboard_sso=023\\999\"",
        ] {
            let says = record(other).says(&code);
            assert_eq!(says, other.trim_matches('"') == CODE, "{other}");
        }
    }

    #[test]
    fn a_record_of_another_type_is_none() {
        for bad in [
            json!(null),
            json!({"type": "TXT"}),
            json!({"id": "a/b", "type": "TXT"}),
            json!({"id": "r1", "type": "CNAME", "name": "example.com", "content": "x"}),
        ] {
            assert_eq!(TxtRecord::from_json(&bad), None, "{bad}");
        }
        let bare = TxtRecord::from_json(&json!({"id": "r1"})).unwrap();
        assert!(bare.flaw().is_some());
    }

    #[test]
    fn the_body_of_a_creation_is_what_cloudflare_documents() {
        let record = NewTxtRecord::proving(
            &"example.com".parse().unwrap(),
            &VerificationCode::parse(CODE).unwrap(),
            TimeToLive::AUTOMATIC,
            "ours".to_owned(),
        );
        assert_eq!(
            serde_json::to_value(record).unwrap(),
            json!({
                "type": "TXT", "name": "example.com", "content": format!("\"{CODE}\""), "ttl": 1, "comment": "ours",
            })
        );
    }

    #[test]
    fn a_time_to_live_is_one_that_cloudflare_may_take() {
        for good in [1, 30, 60, 86_400] {
            assert!(TimeToLive::from_seconds(good).is_some(), "{good}");
        }
        for bad in [-1, 0, 2, 29, 86_401, i64::MAX] {
            assert!(TimeToLive::from_seconds(bad).is_none(), "{bad}");
        }
    }
}
