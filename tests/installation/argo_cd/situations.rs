//! What the real operator writes in each situation, and what Argo CD makes of it.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::Options;
use serde_json::{Value, json};
use simulator::{ConnectorDraft, Knobs, Permission, Simulator, TokenRequest, VerificationStatus};

use crate::customizations::health;
use crate::stage::{ACCOUNT, Stage, condition};

/// An account without an identity provider.
const UNPREPARED: &str = "11111111111111111111111111111111";
/// The Secret whose token may edit DNS.
const DNS_SECRET: &str = "dns";

/// What an object says, what was done for it at Cloudflare before, and what comes of it.
struct Situation {
    reason: &'static str,
    health: &'static str,
    spec: Value,
    before: Before,
}

/// What was done at Cloudflare before the object was applied.
enum Before {
    Nothing,
    /// A connector with this verification, disabled.
    Connector(VerificationStatus),
    /// Two of them.
    Two,
    /// A zone of the domain in Cloudflare DNS.
    Zone,
}

fn situations() -> Vec<Situation> {
    let situation = |reason, health, before, spec| Situation {
        reason,
        health,
        spec,
        before,
    };
    let verified = || Before::Connector(VerificationStatus::Verified);
    let observe = "Observe";
    let publishes = json!({ "cloudflare": { "apiTokenSecretRef": { "name": DNS_SECRET } } });
    let nowhere = "f".repeat(32);
    vec![
        situation(
            "AwaitingVerification",
            "Suspended",
            Before::Nothing,
            json!({}),
        ),
        situation(
            "AwaitingVerification",
            "Progressing",
            Before::Zone,
            json!({ "dns": publishes }),
        ),
        situation(
            "AwaitingVerification",
            "Suspended",
            Before::Connector(VerificationStatus::Pending),
            json!({ "dns": publishes, "managementPolicy": observe }),
        ),
        situation(
            "ZoneNotFound",
            "Degraded",
            Before::Nothing,
            json!({ "dns": publishes }),
        ),
        situation("Available", "Healthy", verified(), json!({})),
        situation(
            "HeldByExternalChange",
            "Degraded",
            verified(),
            json!({ "enabled": true }),
        ),
        situation(
            "Suspended",
            "Suspended",
            Before::Nothing,
            json!({ "suspend": true }),
        ),
        situation(
            "DriftObserved",
            "Healthy",
            verified(),
            json!({ "enabled": true, "managementPolicy": observe }),
        ),
        situation(
            "ConnectorNotFound",
            "Healthy",
            Before::Nothing,
            json!({ "managementPolicy": observe }),
        ),
        situation(
            "ConnectorNotFound",
            "Degraded",
            Before::Nothing,
            json!({ "connectorID": nowhere }),
        ),
        situation(
            "AdoptionRefused",
            "Degraded",
            verified(),
            json!({ "adoptionPolicy": "Refuse" }),
        ),
        situation("AmbiguousMatch", "Degraded", Before::Two, json!({})),
        situation(
            "CredentialsUnavailable",
            "Degraded",
            Before::Nothing,
            json!({ "apiTokenSecretRef": { "name": "missing" } }),
        ),
        situation(
            "Unauthorized",
            "Degraded",
            Before::Nothing,
            json!({ "apiTokenSecretRef": { "name": "wrong" } }),
        ),
        situation(
            "Rejected",
            "Degraded",
            Before::Nothing,
            json!({ "accountID": UNPREPARED, "apiTokenSecretRef": { "name": "unprepared" } }),
        ),
        situation(
            "VerificationFailed",
            "Degraded",
            Before::Connector(VerificationStatus::Failed),
            json!({}),
        ),
    ]
}

#[tokio::test]
async fn argo_cd_shows_what_the_operator_writes() {
    // Nothing is verified meanwhile.
    let knobs = Knobs {
        poll_interval: Duration::from_hours(1),
        ..Knobs::default()
    };
    let stage = Stage::with(Options::default(), knobs).await;
    let _operator = stage.operator(&[]).await;
    let admin = stage.simulator.admin();
    stage
        .put_token("wrong", "not-a-token-of-this-account")
        .await;
    admin.add_account(UNPREPARED);
    let dns = TokenRequest::new("DNS").grant(ACCOUNT, Permission::DNS);
    stage.put_token(DNS_SECRET, &admin.issue_token(dns)).await;
    let unprepared = TokenRequest::new("unprepared").grant(UNPREPARED, Permission::ALL);
    stage
        .put_token("unprepared", &admin.issue_token(unprepared))
        .await;

    for (number, situation) in situations().into_iter().enumerate() {
        let domain = format!("s{number}.example.com");
        prepare(&stage.simulator, &domain, &situation.before);
        let name = format!("s{number}");
        stage.connector(&name, &domain, situation.spec).await;
        let object = stage.until_ready_is(&name, situation.reason).await;
        expect(&object, situation.health).await;
    }
}

fn prepare(simulator: &Simulator, domain: &str, before: &Before) {
    let admin = simulator.admin();
    let create = || {
        admin
            .create_connector(ConnectorDraft::new(ACCOUNT, domain))
            .id
    };
    match before {
        Before::Nothing => {}
        Before::Connector(status) => {
            admin.set_verification(&create(), status.clone()).unwrap();
        }
        Before::Two => {
            create();
            create();
        }
        Before::Zone => {
            let _zone = admin.add_zone(ACCOUNT, domain);
        }
    }
}

/// Argo CD shows this health, with what Ready says.
async fn expect(object: &SsoConnector, expected: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_string(object).unwrap()).unwrap();
    let found = health(file.path()).await;
    let (_, reason, message) = condition(object, ConditionType::Ready);
    assert_eq!(found.status, expected, "{reason}");
    assert_eq!(found.message, message, "{reason}");
}
