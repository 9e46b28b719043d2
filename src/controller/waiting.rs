//! How long verification has been waited for. Cloudflare gives up after two days, so somebody should have published the TXT
//! record by then; the metric that tells it names no object.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::resource::{ConditionType, Reason, SsoConnector, find_condition};

/// How long the object has waited whose domain has not been verified for longest; nothing if none waits.
pub(super) fn longest<'a>(
    objects: impl IntoIterator<Item = &'a SsoConnector>,
    now: Timestamp,
) -> Duration {
    let waits = objects.into_iter().filter_map(since);
    let longest = waits.min().map(|since| now.duration_since(since));
    longest
        .and_then(|wait| Duration::try_from(wait).ok())
        .unwrap_or_default()
}

/// Since when the object waits for its verification, if it does.
fn since(object: &SsoConnector) -> Option<Timestamp> {
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
        let now = "2026-01-02T00:01:00Z".parse().unwrap();
        let noon = |reason| object(reason, "2026-01-01T12:00:00Z");
        let midnight = object("AwaitingVerification", "2026-01-02T00:00:00Z");
        for (first, seconds) in [
            ("AwaitingVerification", 12 * 3600 + 60),
            ("VerificationFailed", 12 * 3600 + 60),
            ("VerificationLapsed", 12 * 3600 + 60),
            ("Available", 60),
            ("Suspended", 60),
            ("DriftObserved", 60),
        ] {
            let longest = longest([&noon(first), &midnight], now);
            assert_eq!(longest, Duration::from_secs(seconds), "{first}");
        }
    }

    #[test]
    fn nobody_and_somebody_of_the_future_have_not_waited() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(longest([], now), Duration::ZERO);
        let ahead = object("AwaitingVerification", "2026-01-01T00:00:09Z");
        assert_eq!(longest([&ahead], now), Duration::ZERO);
    }
}
