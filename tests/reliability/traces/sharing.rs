//! A domain that several objects want, not all of which can do anything with it: trace i.

use serde_json::json;
use simulator::{Permission, TokenRequest};

use super::{DUPLICATES, answer_duplicates, connectors, creates, domain, is_older};
use crate::stage::{Stage, connector_id};

/// An account that the token of the powerless is for.
const ELSEWHERE: &str = "f037e56e89293a057740de681ac9abbe";

/// The older object has no Secret, a token that is none, or one for another account: it does not keep the domain from the younger
/// one. When its Secret comes it is told that the domain is managed, and changes nothing.
#[tokio::test]
async fn i_an_older_object_without_usable_credentials_keeps_the_domain_from_nobody() {
    let stage = Stage::set().await;
    let admin = stage.simulator.admin();
    let _operator = stage.operator(&[]).await;
    let request = TokenRequest::new("powerless").grant(ELSEWHERE, Permission::ALL);
    let powerless = admin.issue_token(request);
    let olders = [
        ("no-secret", None, "CredentialsUnavailable"),
        ("no-token", Some("wrong"), "Unauthorized"),
        ("powerless", Some(powerless.as_str()), "Unauthorized"),
    ];
    for ((older, token, reason), (_, duplicates)) in olders.into_iter().zip(DUPLICATES) {
        answer_duplicates(&stage, duplicates);
        let domain = domain(older);
        let secret = format!("{older}-token");
        if let Some(token) = token {
            stage.put_token(&secret, token).await;
        }
        let reference = json!({ "apiTokenSecretRef": { "name": secret } });
        stage.connector(older, &domain, reference).await;
        stage.until_ready_is(older, reason).await;
        is_older(&stage, older).await;

        let younger = format!("beside-{older}");
        stage.connector(&younger, &domain, json!({})).await;
        let bound = stage.until_ready_is(&younger, "AwaitingVerification").await;
        stage.put_token(&secret, &stage.token).await;
        let told = stage.until_ready_is(older, "DuplicateDomain").await;
        assert_eq!(connector_id(&told), None);
        let [connector] = connectors(&stage, &domain).try_into().unwrap();
        assert_eq!(connector_id(&bound), Some(connector.id), "{older}");
        assert_eq!(creates(&stage, &domain), 1, "{older}");
    }
}
