//! How long verification has been waited for. Cloudflare gives up after two days, so somebody should have published the TXT
//! record by then; the metric that tells it names no object.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::resource::{ConditionType, Reason, SsoConnector, find_condition};

/// How long it has been since then; nothing if nobody waits, or only since the future.
pub(super) fn until(now: Timestamp, since: Option<Timestamp>) -> Duration {
    let wait = since.map(|since| now.duration_since(since));
    wait.and_then(|wait| Duration::try_from(wait).ok())
        .unwrap_or_default()
}

/// Since when the object waits for its verification, if it does.
pub(super) fn since(object: &SsoConnector) -> Option<Timestamp> {
    let conditions = &object.status.as_ref()?.conditions;
    let ready = find_condition(conditions, ConditionType::Ready)?;
    let waits = matches!(
        Reason::from_word(&ready.reason)?,
        Reason::AwaitingVerification
            | Reason::VerificationFailed
            | Reason::VerificationLapsed
            | Reason::ZoneNotFound
    );
    let verified = find_condition(conditions, ConditionType::Verified)?;
    waits.then_some(verified.last_transition_time.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(reason: &str, since: &str) -> SsoConnector {
        let condition = |kind: &str, reason: &str, since: &str| {
            json!({
                "type": kind, "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": since,
            })
        };
        serde_json::from_value(json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1",
            "kind": "SsoConnector",
            "metadata": { "name": "example" },
            "spec": {
                "accountID": "023e105f4ecef8ad9ca31a8372d0c353",
                "emailDomain": "example.com",
            },
            "status": { "conditions": [
                condition("Ready", reason, "2026-01-01T00:00:00Z"),
                condition("Verified", "Pending", since),
            ] },
        }))
        .unwrap()
    }

    #[test]
    fn only_those_who_wait_for_the_verification_count_since_it_is_missing() {
        let noon = "2026-01-01T12:00:00Z";
        for (reason, waits) in [
            ("AwaitingVerification", true),
            ("VerificationFailed", true),
            ("VerificationLapsed", true),
            ("ZoneNotFound", true),
            ("Available", false),
            ("Suspended", false),
            ("DriftObserved", false),
        ] {
            let expected = waits.then(|| noon.parse().unwrap());
            assert_eq!(since(&object(reason, noon)), expected, "{reason}");
        }
    }

    #[test]
    fn nobody_and_somebody_of_the_future_have_not_waited() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let wait = |since: &str| until(now, Some(since.parse().unwrap()));
        assert_eq!(wait("2025-12-31T23:59:00Z"), Duration::from_mins(2));
        assert_eq!(wait("2026-01-01T00:01:09Z"), Duration::ZERO);
        assert_eq!(until(now, None), Duration::ZERO);
    }
}
