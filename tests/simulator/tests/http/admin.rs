//! The admin API over HTTP, and the changes behind the operator's back.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use simulator::{Connector, Operation, Refusal, VerificationStatus};

use crate::client::{ACCOUNT, DEADLINE, DOMAIN, Stage, UNKNOWN_ID, send};

/// Sends a request that must succeed.
async fn done(request: RequestBuilder) -> Value {
    let reply = send(request).await;
    assert!((200..300).contains(&reply.status), "{reply:?}");
    serde_json::from_str(&reply.text).unwrap_or(Value::Null)
}

#[tokio::test]
async fn changes_by_hand_are_typed_and_move_updated_on() {
    let stage = Stage::new().await;
    let admin = stage.simulator.admin();
    let id = stage.create().await.id();
    let mut last = admin.connector(&id).unwrap();
    let mut moved = |next: Connector| {
        assert!(next.updated_on > last.updated_on);
        last = next;
    };
    moved(
        admin
            .set_verification(&id, VerificationStatus::Verified)
            .unwrap(),
    );
    moved(admin.set_enabled(&id, true).unwrap());
    moved(
        admin
            .set_verification(&id, VerificationStatus::Other("expired".to_owned()))
            .unwrap(),
    );
    let shown = stage.get(&id).await.result();
    assert_eq!(shown["verification"]["status"], "expired");
    assert_eq!(shown["enabled"], true, "a lapse does not disable");
    assert_eq!(admin.delete_connector(&id).unwrap().id, id);
    assert_eq!(
        admin.set_enabled(&id, false),
        Err(Refusal::UnknownConnector)
    );
    assert_eq!(stage.get(&id).await.status, 404);
}

#[tokio::test]
async fn connectors_over_http() {
    let stage = Stage::new().await;
    let draft = json!({"account": ACCOUNT, "email_domain": "Cool.Cats.", "created_on": "2020-02-02T02:02:02Z"});
    let made = done(stage.admin(Method::POST, "/connectors").json(&draft)).await;
    let path = format!("/connectors/{}", made["id"].as_str().unwrap());
    assert_eq!(
        stage.list().await.result()[0]["created_on"],
        "2020-02-02T02:02:02.000000Z"
    );
    let change = json!({"enabled": true, "verification_status": "failed"});
    let changed = done(stage.admin(Method::PATCH, &path).json(&change)).await;
    assert_eq!(
        (&changed["enabled"], &changed["verification_status"]),
        (&json!(true), &json!("failed"))
    );
    assert_eq!(done(stage.admin(Method::GET, &path)).await, changed);
    assert_eq!(
        done(stage.admin(Method::GET, "/connectors")).await,
        json!([changed])
    );
    done(stage.admin(Method::DELETE, &path)).await;
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(send(stage.admin(method, &path)).await.status, 404);
    }
}

#[tokio::test]
async fn txt_over_http() {
    let stage = Stage::new().await;
    let path = format!("/txt/{DOMAIN}");
    done(
        stage
            .admin(Method::PUT, &path)
            .body("\"cloudflare_dashboard_sso=1\"\n"),
    )
    .await;
    done(stage.admin(Method::PUT, &path).body("v=spf1 -all")).await;
    let both = json!(["cloudflare_dashboard_sso=1", "v=spf1 -all"]);
    assert_eq!(done(stage.admin(Method::GET, &path)).await, both);
    done(stage.admin(Method::DELETE, &path)).await;
    assert!(stage.simulator.admin().txt(DOMAIN).is_empty());
}

#[tokio::test]
async fn knobs_over_http() {
    let stage = Stage::new().await;
    let changed = done(
        stage
            .admin(Method::PATCH, "/knobs")
            .json(&json!({"list_lag": "1h"})),
    )
    .await;
    assert_eq!(changed["list_lag"], "1h");
    assert_eq!(done(stage.admin(Method::GET, "/knobs")).await, changed);
    stage.create().await;
    assert_eq!(stage.list().await.result(), json!([]));
    let unknown = send(
        stage
            .admin(Method::PATCH, "/knobs")
            .json(&json!({"speed": 1})),
    )
    .await;
    assert_eq!(unknown.status, 422);
    assert!(unknown.json()["error"].as_str().unwrap().contains("speed"));
}

#[tokio::test]
async fn faults_and_holds_over_http() {
    let stage = Stage::new().await;
    let post = |fault: Value| done(stage.admin(Method::POST, "/faults").json(&fault));
    let body = json!({"kind": "html"});
    let failure = json!({"kind": "answer", "status": 503, "body": body});
    post(json!({"operation": "list", "failure": failure, "repeat": {"for": "5m"}})).await;
    assert_eq!(stage.list().await.status, 503);
    assert_eq!(
        done(stage.admin(Method::GET, "/faults")).await[0]["struck"],
        1
    );
    done(stage.admin(Method::DELETE, "/faults")).await;
    assert_eq!(stage.list().await.status, 200);

    for (verdict, answered) in [("release", true), ("drop", false)] {
        let hold = json!({"operation": "get", "failure": {"kind": "hold"}});
        let id = post(hold).await["id"].as_u64().unwrap();
        let request = stage.request(Method::GET, &format!("/sso_connectors/{UNKNOWN_ID}"));
        let call = tokio::spawn(request.send());
        let holding = |world: &simulator::World| {
            world
                .faults()
                .iter()
                .any(|report| report.id == id && report.holding == 1)
        };
        stage.simulator.until(holding, DEADLINE).await.unwrap();
        done(stage.admin(Method::POST, &format!("/faults/{id}/{verdict}"))).await;
        assert_eq!(call.await.unwrap().is_ok(), answered, "{verdict}");
    }
    assert_eq!(
        send(stage.admin(Method::POST, "/faults/99/release"))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn accounts_and_tokens_over_http() {
    let stage = Stage::new().await;
    let account = "ffffffffffffffffffffffffffffffff";
    done(stage.admin(Method::PUT, &format!("/accounts/{account}"))).await;
    assert_eq!(
        done(stage.admin(Method::GET, "/accounts")).await,
        json!([ACCOUNT, account])
    );
    let path = format!("/accounts/{account}/identity_providers");
    done(
        stage
            .admin(Method::POST, &path)
            .json(&json!({"type": "azureAD"})),
    )
    .await;
    assert_eq!(
        send(stage.admin(Method::POST, &path).json(&json!({})))
            .await
            .status,
        400
    );
    let request = json!({"label": "play", "grants": {account: ["sso_connector_write"]}});
    let issued = done(stage.admin(Method::POST, "/tokens").json(&request)).await;
    let create = || {
        let path = format!("/accounts/{account}/sso_connectors");
        let request = stage.bare(Method::POST, &path);
        send(
            request
                .bearer_auth(issued["token"].as_str().unwrap())
                .json(&json!({"email_domain": DOMAIN})),
        )
    };
    assert_eq!(create().await.status, 200);
    done(stage.admin(Method::DELETE, "/tokens/play")).await;
    assert_eq!(create().await.status, 401);
}

#[tokio::test]
async fn calls_over_http() {
    let stage = Stage::new().await;
    stage.create().await;
    let calls = done(stage.admin(Method::GET, "/calls")).await;
    assert_eq!(
        calls.as_array().unwrap().len(),
        1,
        "the admin API is not logged"
    );
    assert_eq!(calls[0]["operation"], "create");
    assert_eq!(calls[0]["outcome"], json!({"answered": 200}));
    assert!(calls[0]["arrived"].is_f64());
    assert_eq!(stage.simulator.calls().of(Operation::Create).count(), 1);
    let help = send(stage.admin(Method::GET, "")).await;
    assert!(help.text.contains("/admin/calls"));
}
