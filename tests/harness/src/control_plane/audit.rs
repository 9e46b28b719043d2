//! The audit log: who called what.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::HarnessError;

/// Every call, without bodies. `ResponseStarted` stays, because a watch is complete only when it ends.
pub(super) const POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived"],
  "rules": [{ "level": "Metadata" }]
}"#;

/// One call that the API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// The verb of RBAC: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The plural of the kind; empty for calls such as `/readyz`.
    pub resource: String,
    /// `status`, `token`, …; empty for the object itself.
    pub subresource: String,
    /// The object; empty where the call names none (also for a create).
    pub name: String,
    /// Its namespace; empty for cluster-scoped ones.
    pub namespace: String,
    /// `system:serviceaccount:NAMESPACE:NAME` or the name of another user.
    pub user: String,
    /// The HTTP status of the answer.
    pub code: u16,
}

/// An event as the API server writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    audit_id: String,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: ObjectReference,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectReference {
    resource: String,
    subresource: String,
    name: String,
    namespace: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

pub(super) fn read(log: &Path) -> Result<Vec<AuditEvent>, HarnessError> {
    let text = match std::fs::read_to_string(log) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(HarnessError::io(format!("reading {}", log.display()))(
                error,
            ));
        }
    };
    // The last line may be half written.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut seen = HashSet::new();
    let mut events = Vec::new();
    for line in complete.lines() {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            HarnessError::io(format!("parsing {}", log.display()))(error.into())
        })?;
        if seen.insert(line.audit_id) {
            let ObjectReference {
                resource,
                subresource,
                name,
                namespace,
            } = line.object_ref;
            let (verb, user, code) = (line.verb, line.user.username, line.response_status.code);
            events.push(AuditEvent {
                verb,
                resource,
                subresource,
                name,
                namespace,
                user,
                code,
            });
        }
    }
    Ok(events)
}
