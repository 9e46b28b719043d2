//! What can be seen at one moment of a row, without what differs from one row to the next: times and names.

use cloudflare_sso_operator::resource::SsoConnector;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde_json::Value;
use simulator::{Connector, VerificationStatus};

/// The object, and the truth at Cloudflare.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    /// The object's status, if there is the object.
    status: Option<Value>,
    /// Who keeps it from going.
    finalizers: Vec<String>,
    /// Every connector of the account.
    connectors: Vec<Truth>,
}

/// A connector as it is.
#[derive(Debug, Clone, PartialEq)]
struct Truth {
    domain: String,
    enabled: bool,
    use_fedramp_language: bool,
    verification: VerificationStatus,
}

impl Scene {
    /// The scene now.
    pub(super) fn of(object: Option<&SsoConnector>, connectors: &[Connector]) -> Self {
        let status = object.and_then(|object| object.status.as_ref());
        let status = status.map(|status| {
            let mut text = serde_json::to_string(status).unwrap();
            for (n, connector) in connectors.iter().enumerate() {
                text = text.replace(&connector.verification_code, &format!("code {n}"));
                text = text.replace(&connector.id, &format!("connector {n}"));
            }
            let uid = object.and_then(ResourceExt::uid).unwrap_or_default();
            let status = serde_json::from_str(&text.replace(&uid, "this object"));
            timeless(status.unwrap())
        });
        Self {
            status,
            finalizers: object.map_or_else(Vec::new, |object| object.finalizers().to_vec()),
            connectors: connectors.iter().map(Truth::of).collect(),
        }
    }
}

impl Scene {
    /// The same after one more restart of the verification, if it shows any.
    pub(super) fn count_one_more_restart(&mut self) {
        let restarts = self
            .status
            .as_mut()
            .and_then(|status| status.pointer_mut("/verification/restarts"));
        if let Some(restarts) = restarts {
            *restarts = restarts.as_i64().map(|count| count + 1).into();
        }
    }
}

impl Truth {
    fn of(connector: &Connector) -> Self {
        Self {
            domain: connector.email_domain.clone(),
            enabled: connector.enabled,
            use_fedramp_language: connector.use_fedramp_language,
            verification: connector.verification_status.clone(),
        }
    }
}

/// The same with one word for every time.
fn timeless(value: Value) -> Value {
    match value {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => "some time".into(),
        Value::Array(items) => items.into_iter().map(timeless).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, timeless(value)))
            .collect(),
        other => other,
    }
}
