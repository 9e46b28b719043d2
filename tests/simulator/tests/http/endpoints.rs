//! Every endpoint, and what is fixed about it.

use std::time::Duration;

use k8s_openapi::jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{ConnectorDraft, Effect, Knobs, Operation, VerificationStatus};

use crate::client::{ACCOUNT, DEADLINE, DOMAIN, Stage, UNKNOWN_ID, send};

#[tokio::test]
async fn the_whole_journey() {
    let stage = Stage::with(Knobs {
        poll_interval: Duration::from_millis(20),
        ..Knobs::default()
    })
    .await;
    let created = stage.create().await;
    assert_eq!(created.status, 200);
    let result = created.result();
    assert_eq!(result["email_domain"], DOMAIN);
    assert_eq!(result["enabled"], false);
    assert_eq!(result["use_fedramp_language"], false);
    assert_eq!(result["verification"]["status"], "pending");
    let (id, code) = (
        created.id(),
        result["verification"]["code"].as_str().unwrap().to_owned(),
    );
    assert!(!code.contains(&id), "the code is independent of the ID");

    stage.simulator.admin().publish_txt(DOMAIN, &code);
    let verified = |status: &VerificationStatus| *status == VerificationStatus::Verified;
    let is_verified =
        |world: &simulator::World| verified(&world.connector(&id).unwrap().verification_status);
    stage.simulator.until(is_verified, DEADLINE).await.unwrap();

    let enabled = stage.patch(&id, &json!({"enabled": true})).await;
    assert_eq!(
        (enabled.status, &enabled.result()["enabled"]),
        (200, &json!(true))
    );
    assert_eq!(stage.get(&id).await.result(), enabled.result());
    assert_eq!(stage.list().await.result(), json!([enabled.result()]));
    assert_eq!(stage.delete(&id).await.status, 409);
    assert_eq!(
        stage.patch(&id, &json!({"enabled": false})).await.status,
        200
    );
    assert_eq!(stage.delete(&id).await.result(), json!({"id": id}));
    for reply in [
        stage.get(&id).await,
        stage.patch(&id, &json!({"enabled": false})).await,
        stage.delete(&id).await,
        stage.begin(&id).await,
    ] {
        assert_eq!(reply.status, 404);
    }
}

#[tokio::test]
async fn an_empty_account_has_an_empty_list() {
    let stage = Stage::new().await;
    let listed = stage.list().await;
    let expected = json!({"result": [], "success": true, "errors": [], "messages": []});
    assert_eq!((listed.status, listed.json()), (200, expected));
}

#[tokio::test]
async fn begin_verification_answers_without_a_result() {
    let stage = Stage::new().await;
    let body = json!({"email_domain": DOMAIN, "begin_verification": false});
    let created = send(stage.create_request(&body)).await;
    assert_eq!(created.result()["verification"]["status"], "awaiting");
    let begun = stage.begin(&created.id()).await;
    assert_eq!(
        begun.json(),
        json!({"errors": [], "messages": [], "success": true})
    );
    assert_eq!(
        stage.get(&created.id()).await.result()["verification"]["status"],
        "pending"
    );
}

#[tokio::test]
async fn refusals_stand_in_the_envelope() {
    let stage = Stage::new().await;
    let unknown = stage.get(UNKNOWN_ID).await;
    assert_eq!(unknown.status, 404);
    assert!(![7000, 7003].contains(&unknown.code()));
    assert_eq!(unknown.json()["success"], false);
    assert_eq!(unknown.json()["result"], Value::Null);
    for body in [
        json!({}),
        json!({"email_domain": ""}),
        json!({"email_domain": 7}),
        json!([]),
    ] {
        assert_eq!(
            send(stage.create_request(&body)).await.status,
            400,
            "{body}"
        );
    }
    let unverified = stage.create().await.id();
    assert_eq!(
        stage
            .patch(&unverified, &json!({"enabled": true}))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_malformed_account_is_not_routed() {
    let stage = Stage::new().await;
    for account in ["", "1", "zz3e105f4ecef8ad9ca31a8372d0c353"] {
        let path = format!("/accounts/{account}/sso_connectors");
        let reply = send(stage.bare(Method::GET, &path).bearer_auth(&stage.token)).await;
        assert_eq!((reply.status, reply.code()), (404, 7003), "{account:?}");
        assert_eq!(reply.json()["errors"][1]["code"], 7000);
    }
}

#[tokio::test]
async fn an_empty_connector_id_fails_in_three_ways() {
    let stage = Stage::new().await;
    let got = stage.get("").await;
    assert_eq!(got.status, 404);
    assert!(
        serde_json::from_str::<Value>(&got.text).is_err(),
        "no envelope"
    );
    assert_eq!(stage.patch("", &json!({})).await.status, 400);
    assert_eq!(stage.delete("").await.status, 400);
    assert_eq!(stage.begin("").await.code(), 7003);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let stage = Stage::new().await;
    let path = send(stage.request(Method::GET, "/elsewhere")).await;
    assert_eq!((path.status, path.code()), (404, 7003));
    let method = send(stage.request(Method::PUT, "/sso_connectors")).await;
    assert_eq!((method.status, method.code()), (405, 405));
}

#[tokio::test]
async fn identity_providers_can_be_listed_and_created() {
    let stage = Stage::new().await;
    let path = "/access/identity_providers";
    let one_time_pin = json!({"type": "onetimepin", "config": {}});
    let create = || send(stage.request(Method::POST, path).json(&one_time_pin));
    assert_eq!(create().await.result()["type"], "onetimepin");
    assert_eq!(create().await.code(), 12132);
    let listed = send(stage.request(Method::GET, path)).await.result();
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn every_answer_tells_the_date_and_the_limit() {
    let stage = Stage::new().await;
    let before = stage
        .simulator
        .admin()
        .until_found(|world| Some(world.now()), DEADLINE)
        .await;
    let created = stage.create().await;
    let header = |name: &str| created.header(name).unwrap().to_owned();
    assert_eq!(header("ratelimit"), "\"default\";r=1199;t=300");
    assert_eq!(header("ratelimit-policy"), "\"default\";q=1200;w=300");
    let date = DateTimeParser::new()
        .parse_timestamp(header("date"))
        .unwrap();
    assert!(
        header("date").ends_with(" GMT"),
        "not as RFC 7231 writes it"
    );
    let created_on = stage.connectors()[0].created_on;
    assert!(created_on >= before.unwrap());
    assert!(
        date + Duration::from_secs(1) > created_on,
        "dates are cut to whole seconds"
    );
    assert!(date <= created_on + DEADLINE, "by another clock");
    assert!(stage.get(UNKNOWN_ID).await.header("date").is_some());
}

#[tokio::test]
async fn the_log_knows_every_call() {
    let stage = Stage::new().await;
    let id = stage.create().await.id();
    stage.get(&id).await;
    stage.get(UNKNOWN_ID).await;
    stage
        .patch(&id, &json!({"use_fedramp_language": true}))
        .await;
    stage.begin(&id).await;
    let calls = stage.simulator.calls();
    assert_eq!(calls.count(), 5);
    assert_eq!(calls.clone().mutations().count(), 3);
    assert_eq!(
        calls.clone().committed().count(),
        2,
        "beginning while pending changes nothing"
    );
    assert_eq!(calls.clone().on_domain("COOL.cats.").count(), 4);
    assert_eq!(calls.clone().on_connector(&id).count(), 3);
    assert_eq!(
        calls
            .clone()
            .on_account(ACCOUNT)
            .by_token("operator")
            .count(),
        5
    );
    assert_eq!(calls.clone().answered(404).of(Operation::Get).count(), 1);
    assert_eq!(calls.clone().after(4).count(), 1);
    let create = calls.clone().of(Operation::Create).last().cloned().unwrap();
    assert_eq!(
        (create.sequence, create.method.as_str(), create.status()),
        (1, "POST", Some(200))
    );
    assert_eq!(create.body, Some(json!({"email_domain": DOMAIN})));
    assert_eq!(create.effect, Effect::Committed);
    assert!(create.ended.unwrap() >= create.arrived);
    assert!(
        !serde_json::to_string(&calls)
            .unwrap()
            .contains(&stage.token),
        "a token leaked"
    );
}

#[tokio::test]
async fn a_condition_that_never_holds_ends_at_its_deadline() {
    let stage = Stage::new().await;
    let error = stage
        .simulator
        .until(|_| false, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn connectors_of_other_accounts_stay_out_of_sight() {
    let stage = Stage::new().await;
    let draft = ConnectorDraft::new("ffffffffffffffffffffffffffffffff", DOMAIN);
    let foreign = stage.simulator.admin().create_connector(draft);
    assert_eq!(stage.list().await.result(), json!([]));
    assert_eq!(stage.get(&foreign.id).await.status, 404);
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let stage = Stage::new().await;
    let address = stage.simulator.address();
    stage.list().await;
    drop(stage);
    let gone = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.unwrap();
}
