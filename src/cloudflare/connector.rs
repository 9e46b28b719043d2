//! A connector as Cloudflare reports it, and what we may ask for.
//!
//! Cloudflare documents every field as optional and its spellings vary, so decoding never fails for a field that is
//! missing or of the wrong type: it is then absent. Only an ID is needed to speak of a connector at all.

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::time;
use crate::foreign_text;
use crate::identity::{ConnectorId, EmailDomain};

/// A connector as Cloudflare reports it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connector {
    /// Cloudflare's name for it.
    pub id: ConnectorId,
    /// The e-mail domain exactly as Cloudflare spells it, empty if it was not reported. It is foreign text: compare it
    /// with [`EmailDomain::is_named`], quote it through [`foreign_text::quote`].
    pub email_domain: String,
    /// Whether people of the domain must log in through SSO.
    pub enabled: Option<bool>,
    /// Whether the log-in page uses `FedRAMP` wording.
    pub use_fedramp_language: Option<bool>,
    /// When it was created, by Cloudflare's clock.
    pub created_on: Option<Timestamp>,
    /// When it last changed, by Cloudflare's clock.
    pub updated_on: Option<Timestamp>,
    /// How far the proof of ownership is.
    pub verification: Option<Verification>,
}

/// The proof that the domain is ours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Verification {
    /// The text that Cloudflare wants to see in a TXT record, exactly as reported. Show or publish it only as a
    /// [`VerificationCode`].
    pub code: Option<String>,
    /// Where the verification stands.
    pub status: Option<VerificationStatus>,
}

/// Where a verification stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VerificationStatus {
    /// Not begun.
    Awaiting,
    /// Cloudflare is looking for the TXT record.
    Pending,
    /// Cloudflare gave up.
    Failed,
    /// Cloudflare has seen the TXT record.
    Verified,
    /// A value that Cloudflare did not document when this was written, as it came but fit to be shown.
    Unknown(String),
}

/// A verification code that is safe to show and to publish in DNS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerificationCode(String);

/// What a new connector is asked to be. There is no `enabled`: Cloudflare documents none, and nothing may be enabled
/// before it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Hash)]
pub struct Creation {
    /// The domain; it can never be changed.
    #[serde(serialize_with = "as_text")]
    pub email_domain: EmailDomain,
    /// Whether Cloudflare starts to look for the TXT record at once.
    pub begin_verification: bool,
    /// Whether the log-in page uses `FedRAMP` wording; absent leaves it to Cloudflare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_fedramp_language: Option<bool>,
}

/// What an existing connector is asked to become. An absent field is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Hash)]
pub struct Changes {
    /// Whether people of the domain must log in through SSO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether the log-in page uses `FedRAMP` wording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_fedramp_language: Option<bool>,
}

impl Connector {
    /// Decodes one connector; `None` if it is no object or has no usable ID.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let fields = value.as_object()?;
        Some(Self {
            id: fields.get("id")?.as_str()?.parse().ok()?,
            email_domain: text(value, "email_domain").unwrap_or_default().to_owned(),
            enabled: value["enabled"].as_bool(),
            use_fedramp_language: value["use_fedramp_language"].as_bool(),
            created_on: timestamp(value, "created_on"),
            updated_on: timestamp(value, "updated_on"),
            verification: Verification::from_json(&value["verification"]),
        })
    }
}

impl Connector {
    /// The code that proves the domain, if Cloudflare reports one that is fit to be shown and published.
    #[must_use]
    pub fn code(&self) -> Option<VerificationCode> {
        VerificationCode::parse(self.verification.as_ref()?.code.as_deref()?)
    }
}

impl Verification {
    fn from_json(value: &Value) -> Option<Self> {
        value.is_object().then(|| Self {
            code: text(value, "code").map(str::to_owned),
            status: text(value, "status").map(VerificationStatus::parse),
        })
    }
}

impl VerificationStatus {
    /// Reads a status; case does not count, and an unknown one is kept.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        [Self::Awaiting, Self::Pending, Self::Failed, Self::Verified]
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .unwrap_or_else(|| Self::Unknown(foreign_text::quote(text, &[])))
    }

    /// The status as Cloudflare spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Awaiting => "awaiting",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Verified => "verified",
            Self::Unknown(text) => text,
        }
    }
}

impl VerificationCode {
    const PREFIX: &str = "cloudflare_dashboard_sso=";
    /// A TXT record holds strings of at most this many bytes; a longer code would have to be split.
    const MAX_LENGTH: usize = 255;

    /// The code, if it has the form that Cloudflare's codes have. Anything else might be meant to get some other
    /// record published in somebody's zone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.=-".contains(&b);
        let value = text.strip_prefix(Self::PREFIX)?;
        let valid = !value.is_empty() && text.len() <= Self::MAX_LENGTH && value.bytes().all(plain);
        valid.then(|| Self(text.to_owned()))
    }

    /// The whole value of the TXT record.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value[field].as_str()
}

fn timestamp(value: &Value, field: &str) -> Option<Timestamp> {
    time::from_json(text(value, field)?)
}

fn as_text<S: serde::Serializer>(domain: &EmailDomain, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(domain.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_shape_decodes() {
        let connector = Connector::from_json(&json!({
            "id": "023e105f4ecef8ad9ca31a8372d0c353", "created_on": "2025-01-01T12:21:02.0000Z",
            "email_domain": "example.com", "enabled": false, "updated_on": "2025-09-25T21:05:20.462622Z",
            "use_fedramp_language": true, "a_new_field": {"x": [1]},
            "verification": {"code": "cloudflare_dashboard_sso=023e", "status": "awaiting"},
        }));
        assert_eq!(
            connector,
            Some(Connector {
                id: "023e105f4ecef8ad9ca31a8372d0c353".parse().unwrap(),
                email_domain: "example.com".to_owned(),
                enabled: Some(false),
                use_fedramp_language: Some(true),
                created_on: Some("2025-01-01T12:21:02Z".parse().unwrap()),
                updated_on: Some("2025-09-25T21:05:20.462622Z".parse().unwrap()),
                verification: Some(Verification {
                    code: Some("cloudflare_dashboard_sso=023e".to_owned()),
                    status: Some(VerificationStatus::Awaiting),
                }),
            })
        );
    }

    #[test]
    fn a_missing_or_mistyped_field_is_absent() {
        for value in [
            json!({"id": "c3ebcba5c20b42f73e111110d0be67d"}),
            json!({"id": "c3ebcba5c20b42f73e111110d0be67d", "email_domain": null, "enabled": "no",
                "use_fedramp_language": 1, "created_on": "yesterday", "updated_on": 7, "verification": "verified"}),
        ] {
            let connector = Connector::from_json(&value).unwrap();
            assert_eq!(connector.email_domain, "");
            assert_eq!(connector.enabled.or(connector.use_fedramp_language), None);
            assert_eq!(connector.created_on.or(connector.updated_on), None);
            assert_eq!(connector.verification, None);
        }
    }

    #[test]
    fn without_a_usable_id_there_is_no_connector() {
        for value in [
            json!(null),
            json!([]),
            json!("x"),
            json!({}),
            json!({"id": null}),
            json!({"id": 7}),
            json!({"id": ""}),
            json!({"id": "../accounts"}),
        ] {
            assert_eq!(Connector::from_json(&value), None, "{value}");
        }
    }

    #[test]
    fn a_status_is_read_in_any_case_and_an_unknown_one_is_kept() {
        assert_eq!(
            VerificationStatus::parse("Verified"),
            VerificationStatus::Verified
        );
        let unknown = VerificationStatus::parse("Expired soon");
        assert_eq!(
            unknown,
            VerificationStatus::Unknown("Expired soon".to_owned())
        );
        assert_eq!(unknown.as_str(), "Expired soon");
        assert_eq!(VerificationStatus::parse("a\u{202e}b\n").as_str(), "ab");
    }

    #[test]
    fn only_a_plain_code_is_a_code() {
        let longest = format!("cloudflare_dashboard_sso={}", "0".repeat(230));
        for good in [
            "cloudflare_dashboard_sso=111111111",
            "cloudflare_dashboard_sso=aZ0_.=-",
            &longest,
        ] {
            assert_eq!(VerificationCode::parse(good).unwrap().as_str(), good);
        }
        let long = format!("{longest}0");
        for bad in [
            "",
            "cloudflare_dashboard_sso=",
            "cloudflared_dashboard_sso=1",
            "v=spf1 -all",
            &long,
            "cloudflare_dashboard_sso=1 ",
            "cloudflare_dashboard_sso=\"1\"",
            "x cloudflare_dashboard_sso=1",
        ] {
            assert_eq!(VerificationCode::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn bodies_hold_only_what_is_asked_for() {
        let creation = Creation {
            email_domain: "example.com".parse().unwrap(),
            begin_verification: false,
            use_fedramp_language: None,
        };
        assert_eq!(
            serde_json::to_value(creation).unwrap(),
            json!({"email_domain": "example.com", "begin_verification": false})
        );
        let changes = Changes {
            enabled: Some(true),
            ..Changes::default()
        };
        assert_eq!(
            serde_json::to_value(changes).unwrap(),
            json!({"enabled": true})
        );
    }

    proptest! {
        #[test]
        fn a_code_is_safe_in_a_zone_file(text in "(cloudflare_dashboard_sso=)?.{0,300}") {
            if let Some(code) = VerificationCode::parse(&text) {
                prop_assert!(code.as_str().len() <= 255);
                prop_assert!(code.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"_.=-".contains(&b)));
            }
        }
    }
}
