//! What happens in a row while the operator works: the people around it, who act when the operator has come to rest.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector, VerificationState};
use serde_json::json;
use simulator::knobs::DuplicateCreate;
use simulator::{ConnectorDraft, Knobs, Operation, Permission, TokenRequest, VerificationStatus};

use super::row::{DOMAIN, Row};
use super::scene::Scene;
use crate::stage::{ACCOUNT, condition, connector_id, quick_knobs};
use crate::step::Step;

/// The story of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    /// Created, verified, enabled, and deleted with its connector.
    WholeLife,
    /// Created while lists lag, and a second POST would come to this.
    Creation(DuplicateCreate),
    /// A company's connector is adopted, and its wording corrected.
    Adoption,
    /// Cloudflare gives up on the verification, which is begun again.
    Restart,
    /// Created, its TXT record published in Cloudflare DNS, verified, enabled, and deleted with its connector and the record.
    HandsFree,
    /// Cloudflare refuses the token; then another one is put into the Secret. Before the creation, and after it.
    Rotation,
}

/// How a settled operator looks again.
const LISTS: Step = Step::Cloudflare(Operation::List);

impl Scenario {
    /// A creation under each of them.
    pub(super) const CREATIONS: [Self; 4] = [
        Self::Creation(DuplicateCreate::Allow),
        Self::Creation(DuplicateCreate::Reject400),
        Self::Creation(DuplicateCreate::Reject409),
        Self::Creation(DuplicateCreate::ReturnExisting),
    ];

    /// How Cloudflare is in it.
    pub(super) fn knobs(self) -> Knobs {
        match self {
            Self::Creation(duplicate_create) => Knobs {
                duplicate_create,
                list_lag: Duration::from_secs(4),
                ..quick_knobs()
            },
            // Until all is published.
            Self::HandsFree => Knobs {
                poll_interval: Duration::from_hours(1),
                ..quick_knobs()
            },
            Self::WholeLife | Self::Adoption | Self::Restart | Self::Rotation => quick_knobs(),
        }
    }

    /// How many kills it has for certain. There may be some reads more, as a slow machine lets what was seen get too old
    /// within a pass, or a list lag no more when it is taken.
    pub(super) const fn kills(self) -> usize {
        match self {
            Self::WholeLife => 53,
            Self::Creation(_) => 12,
            Self::Adoption => 17,
            Self::Restart => 33,
            Self::HandsFree => 73,
            Self::Rotation => 31,
        }
    }

    /// A word for names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::WholeLife => "whole-life",
            Self::Creation(DuplicateCreate::Allow) => "creation-allow",
            Self::Creation(DuplicateCreate::Reject400) => "creation-reject400",
            Self::Creation(DuplicateCreate::Reject409) => "creation-reject409",
            Self::Creation(DuplicateCreate::ReturnExisting) => "creation-return-existing",
            Self::Adoption => "adoption",
            Self::Restart => "restart",
            Self::HandsFree => "hands-free",
            Self::Rotation => "rotation",
        }
    }

    /// Plays it; what is to be seen whenever the operator has come to rest.
    pub(super) async fn play(self, row: &Row<'_>) -> Vec<Scene> {
        match self {
            Self::WholeLife => whole_life(row).await,
            Self::Creation(_) => creation(row).await,
            Self::Adoption => adoption(row).await,
            Self::Restart => restart(row).await,
            Self::HandsFree => hands_free(row).await,
            Self::Rotation => rotation(row).await,
        }
    }
}

async fn whole_life(row: &Row<'_>) -> Vec<Scene> {
    with_token(row).await;
    row.apply(json!({ "enabled": true, "deletionPolicy": "Delete" }))
        .await;
    let created = settled(row, "AwaitingVerification").await;
    let pending = row.scene().await;
    row.publish_txt(&created);
    let enabled = settled(row, "Available").await;
    let available = row.scene().await;
    row.delete(&enabled).await;
    vec![pending, available, row.scene().await]
}

async fn creation(row: &Row<'_>) -> Vec<Scene> {
    with_token(row).await;
    row.apply(json!({})).await;
    settled(row, "AwaitingVerification").await;
    vec![row.scene().await]
}

async fn adoption(row: &Row<'_>) -> Vec<Scene> {
    let _made_by_hand = row.simulator.admin().create_connector(ConnectorDraft {
        enabled: true,
        verification_status: VerificationStatus::Verified,
        ..ConnectorDraft::new(ACCOUNT, DOMAIN)
    });
    with_token(row).await;
    row.apply(json!({ "enabled": true, "useFedrampLanguage": true }))
        .await;
    settled(row, "Available").await;
    vec![row.scene().await]
}

async fn restart(row: &Row<'_>) -> Vec<Scene> {
    with_token(row).await;
    row.apply(json!({})).await;
    let created = settled(row, "AwaitingVerification").await;
    let pending = row.scene().await;
    row.trail.turn();
    let id = connector_id(&created).unwrap();
    let admin = row.simulator.admin();
    admin
        .set_verification(&id, VerificationStatus::Failed)
        .unwrap();
    let begun_again = |object: &SsoConnector| restarts(object) > 0 && is_pending(object);
    let restarted = row.until("a verification begun again", begun_again).await;
    row.until_at_rest(LISTS).await;
    let again = row.scene().await;
    row.publish_txt(&restarted);
    settled(row, "Available").await;
    vec![pending, again, row.scene().await]
}

async fn hands_free(row: &Row<'_>) -> Vec<Scene> {
    row.open_zone().await;
    row.apply(json!({
        "enabled": true, "deletionPolicy": "Delete", "dns": { "cloudflare": {} },
    }))
    .await;
    row.until("the record to be published", is_published).await;
    row.until_at_rest(LISTS).await;
    let published = row.scene().await;
    row.look_for_txt();
    let enabled = settled(row, "Available").await;
    let available = row.scene().await;
    row.delete(&enabled).await;
    vec![published, available, row.scene().await]
}

async fn rotation(row: &Row<'_>) -> Vec<Scene> {
    let admin = row.simulator.admin();
    let issue = |label| admin.issue_token(TokenRequest::new(label).grant(ACCOUNT, Permission::ALL));
    admin.add_account(ACCOUNT);
    admin.add_identity_provider(ACCOUNT);
    let [revoked, first, second] = ["revoked", "first", "second"].map(issue);
    admin.revoke_tokens("revoked");
    row.put_token(&revoked).await;
    row.apply(json!({})).await;
    row.until_ready_is("Unauthorized").await;
    row.until_at_rest(Step::ReadSecret).await;
    let refused = row.scene().await;
    row.trail.turn();
    row.put_token(&first).await;
    settled(row, "AwaitingVerification").await;
    let created = row.scene().await;
    row.trail.turn();
    admin.revoke_tokens("first");
    row.until_ready_is("Unauthorized").await;
    row.until_at_rest(Step::ReadSecret).await;
    let refused_again = row.scene().await;
    row.trail.turn();
    row.put_token(&second).await;
    settled(row, "AwaitingVerification").await;
    vec![refused, created, refused_again, row.scene().await]
}

async fn with_token(row: &Row<'_>) {
    let token = row.simulator.admin().add_ready_account(ACCOUNT, "good");
    row.put_token(&token).await;
}

/// The object, once Ready has this reason and nothing is left to do.
async fn settled(row: &Row<'_>, reason: &str) -> SsoConnector {
    let object = row.until_ready_is(reason).await;
    row.until_at_rest(LISTS).await;
    object
}

fn is_published(object: &SsoConnector) -> bool {
    condition(object, ConditionType::DnsRecordPublished).0 == "True"
}

fn restarts(object: &SsoConnector) -> i32 {
    let verification = verification(object);
    verification
        .and_then(|verification| verification.restarts)
        .unwrap_or_default()
}

fn is_pending(object: &SsoConnector) -> bool {
    verification(object).is_some_and(|it| it.status.as_deref() == Some("pending"))
}

fn verification(object: &SsoConnector) -> Option<&VerificationState> {
    object.status.as_ref()?.verification.as_ref()
}
