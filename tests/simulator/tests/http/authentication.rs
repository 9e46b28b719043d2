//! Tokens: who may do what, and how a refusal looks.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use simulator::{Knobs, Permission, TokenRequest};

use crate::client::{ACCOUNT, DEADLINE, DOMAIN, Stage, send};

const OTHER_ACCOUNT: &str = "ffffffffffffffffffffffffffffffff";

impl Stage {
    async fn status_of_list(&self, token: &str) -> u16 {
        send(self.bare(Method::GET, &connectors()).bearer_auth(token))
            .await
            .status
    }

    async fn status_of_create(&self, token: &str) -> u16 {
        let request = self.bare(Method::POST, &connectors()).bearer_auth(token);
        send(request.json(&json!({"email_domain": DOMAIN})))
            .await
            .status
    }
}

fn connectors() -> String {
    format!("/accounts/{ACCOUNT}/sso_connectors")
}

#[tokio::test]
async fn read_and_write_are_separate_permissions() {
    let stage = Stage::new().await;
    let token = |label: &str, permission| {
        let request = TokenRequest::new(label).grant(ACCOUNT, [permission]);
        stage.simulator.admin().issue_token(request)
    };
    let reader = token("reader", Permission::SsoConnectorRead);
    assert_eq!(stage.status_of_list(&reader).await, 200);
    assert_eq!(stage.status_of_create(&reader).await, 403);
    let writer = token("writer", Permission::SsoConnectorWrite);
    assert_eq!(stage.status_of_list(&writer).await, 403);
    assert_eq!(stage.status_of_create(&writer).await, 200);
    stage
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.write_implies_read = simulator::knobs::Switch::On);
    assert_eq!(stage.status_of_list(&writer).await, 200);
}

#[tokio::test]
async fn a_missing_permission_is_an_enriched_403() {
    let stage = Stage::new().await;
    let request = TokenRequest::new("stranger").grant(OTHER_ACCOUNT, Permission::ALL);
    let stranger = stage.simulator.admin().issue_token(request);
    let reply = send(
        stage
            .bare(Method::GET, &connectors())
            .bearer_auth(&stranger),
    )
    .await;
    assert_eq!((reply.status, reply.code()), (403, 10_000));
    assert!(reply.json()["errors"][0]["documentation_url"].is_string());
}

#[tokio::test]
async fn tokens_that_do_not_work_are_refused() {
    let stage = Stage::with(Knobs {
        unknown_token_status: 403,
        ..Knobs::default()
    })
    .await;
    let admin = stage.simulator.admin();
    assert_eq!(stage.status_of_list("never-issued").await, 403);
    assert_eq!(stage.simulator.calls().last().unwrap().token, None);
    admin.turn_knobs(|knobs| knobs.unknown_token_status = 401);
    assert_eq!(stage.status_of_list("never-issued").await, 401);

    let now = admin
        .until_found(|world| Some(world.now()), DEADLINE)
        .await
        .unwrap();
    let request = TokenRequest::new("expired")
        .grant(ACCOUNT, Permission::ALL)
        .expires_on(now);
    let expired = admin.issue_token(request);
    assert_eq!(stage.status_of_list(&expired).await, 401);
    assert_eq!(
        stage.simulator.calls().last().unwrap().token.as_deref(),
        Some("expired")
    );

    admin.revoke_tokens("operator");
    assert_eq!(stage.list().await.status, 401);
}

#[tokio::test]
async fn headers_without_a_token_are_refused() {
    let stage = Stage::new().await;
    let request = || stage.bare(Method::GET, &connectors());
    for (request, status, code) in [
        (request(), 400, 9106),
        (request().header("authorization", "Basic abc"), 400, 6003),
        (
            request().header("authorization", "Bearer to ken"),
            400,
            6003,
        ),
        (
            request()
                .header("x-auth-key", "abc")
                .header("x-auth-email", "a@b.example"),
            401,
            10_000,
        ),
    ] {
        let reply = send(request).await;
        assert_eq!((reply.status, reply.code()), (status, code));
    }
}

#[tokio::test]
async fn each_kind_of_token_is_verified_at_its_own_path() {
    let stage = Stage::new().await;
    let request = TokenRequest::new("account").owned_by_account(ACCOUNT);
    let account_token = stage.simulator.admin().issue_token(request);
    assert!(account_token.starts_with("cfat_"));
    let below_account = format!("/accounts/{ACCOUNT}/tokens/verify");
    for (token, path, status) in [
        (&stage.token, "/user/tokens/verify", 200),
        (&stage.token, below_account.as_str(), 401),
        (&account_token, "/user/tokens/verify", 401),
        (&account_token, below_account.as_str(), 200),
    ] {
        let reply = send(stage.bare(Method::GET, path).bearer_auth(token)).await;
        assert_eq!(reply.status, status, "{path}");
        if status == 200 {
            assert_eq!(reply.result()["status"], "active");
            assert_eq!(reply.json()["messages"][0]["code"], 10_000);
        }
    }
}

#[tokio::test]
async fn a_token_over_its_limit_is_told_when_to_come_back() {
    let knobs = Knobs {
        rate_limit: 2,
        rate_window: Duration::from_mins(5),
        ..Knobs::default()
    };
    let stage = Stage::with(knobs).await;
    assert_eq!(stage.list().await.status, 200);
    assert_eq!(
        stage.list().await.header("ratelimit"),
        Some("\"default\";r=0;t=300")
    );
    let blocked = stage.create().await;
    assert_eq!((blocked.status, blocked.code()), (429, 10_100));
    assert_eq!(blocked.header("retry-after"), Some("300"));
    assert!(stage.connectors().is_empty());
    let request = TokenRequest::new("other").grant(ACCOUNT, Permission::ALL);
    let other = stage.simulator.admin().issue_token(request);
    assert_eq!(
        stage.status_of_list(&other).await,
        200,
        "the limit is per token"
    );
    stage
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.rate_window = Duration::ZERO);
    assert_eq!(stage.list().await.status, 200, "the window is over");
}
