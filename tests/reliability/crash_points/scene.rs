//! What can be seen at one moment of a row, without what differs from one row to the next: times and names.

use cloudflare_sso_operator::resource::SsoConnector;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde_json::Value;
use simulator::{Connector, DnsRecord, VerificationStatus};

/// The object, and the truth at Cloudflare.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    /// The object's status, if there is the object.
    status: Option<Value>,
    /// Who keeps it from going.
    finalizers: Vec<String>,
    /// Every connector of the account.
    connectors: Vec<Truth>,
    /// Every record of its zones.
    records: Vec<RecordTruth>,
}

/// A connector as it is.
#[derive(Debug, Clone, PartialEq)]
struct Truth {
    domain: String,
    enabled: bool,
    use_fedramp_language: bool,
    verification: VerificationStatus,
}

/// A TXT record as it is.
#[derive(Debug, Clone, PartialEq)]
struct RecordTruth {
    name: String,
    content: String,
    comment: String,
    /// Whether it is as it was made.
    is_untouched: bool,
}

/// What stands in place of names that differ from one row to the next.
struct Names(Vec<(String, String)>);

impl Scene {
    /// The scene now.
    pub(super) fn of(
        object: Option<&SsoConnector>,
        connectors: &[Connector],
        records: &[DnsRecord],
    ) -> Self {
        let names = Names::of(object, connectors, records);
        let status = object.and_then(|object| object.status.as_ref());
        let status = status.map(|status| {
            let text = serde_json::to_string(status).unwrap();
            timeless(serde_json::from_str(&names.replaced(&text)).unwrap())
        });
        let record = |record: &DnsRecord| RecordTruth::of(record, &names);
        Self {
            status,
            finalizers: object.map_or_else(Vec::new, |object| object.finalizers().to_vec()),
            connectors: connectors.iter().map(Truth::of).collect(),
            records: records.iter().map(record).collect(),
        }
    }
}

impl Names {
    fn of(object: Option<&SsoConnector>, connectors: &[Connector], records: &[DnsRecord]) -> Self {
        let mut names = Vec::new();
        for (n, connector) in connectors.iter().enumerate() {
            names.push((connector.verification_code.clone(), format!("code {n}")));
            names.push((connector.id.clone(), format!("connector {n}")));
        }
        for (n, record) in records.iter().enumerate() {
            names.push((record.id.clone(), format!("record {n}")));
            names.push((record.zone.clone(), "the zone".to_owned()));
        }
        let uid = object.and_then(ResourceExt::uid);
        names.extend(uid.map(|uid| (uid, "this object".to_owned())));
        Self(names)
    }

    fn replaced(&self, text: &str) -> String {
        let replace = |text: String, (name, word): &(String, String)| text.replace(name, word);
        self.0.iter().fold(text.to_owned(), replace)
    }
}

impl RecordTruth {
    fn of(record: &DnsRecord, names: &Names) -> Self {
        Self {
            name: record.name.clone(),
            content: names.replaced(&record.content),
            comment: names.replaced(record.comment.as_deref().unwrap_or_default()),
            is_untouched: record.created_on == record.modified_on,
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
