//! A right that is missing is counted while the operator runs, and stops nothing else.

use harness::{Operator, until};
use serde_json::json;

use crate::command::command;
use crate::stage::{OPERATOR_NAMESPACE, PATIENCE, Stage, rights};

/// Waits until the metric has this value.
async fn until_missing(operator: &Operator, count: u32) {
    let line = format!("cloudflare_sso_missing_rights {count}\n");
    let awaited = format!("{count} missing rights");
    until(&awaited, PATIENCE, async || {
        let metrics = operator
            .metrics()
            .await
            .map_err(|error| error.to_string())?;
        if metrics.contains(&line) {
            Ok(())
        } else {
            Err(metrics)
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_missing_right_is_counted_until_it_is_granted_and_the_rest_goes_on() {
    let stage = Stage::set().await;
    let roles = rights();
    let fewer = roles.replace("resources: [events]", "resources: [others]");
    assert_ne!(fewer, roles);
    stage.control_plane.apply(&fewer).await.unwrap();
    let often = ["--rights-interval", "300ms"];
    let leader = stage.operator(&often).await;
    let standby = stage.operator(&often).await;
    until_missing(&leader, 1).await;
    until_missing(&standby, 1).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    stage.control_plane.apply(&roles).await.unwrap();
    until_missing(&leader, 0).await;
    until_missing(&standby, 0).await;
    stage.control_plane.apply(&fewer).await.unwrap();
    until_missing(&leader, 1).await;
}

#[tokio::test]
async fn an_operator_that_may_not_ask_works_all_the_same_and_check_says_so() {
    let stage = Stage::set().await;
    let kubeconfig = stage
        .control_plane
        .service_account_kubeconfig(OPERATOR_NAMESPACE, "cloudflare-sso-operator", None)
        .await
        .unwrap();
    stage
        .kubectl(&["delete", "clusterrolebinding", "system:basic-user"])
        .await;
    // The API server takes a moment to notice.
    let check = until("the question to be refused", PATIENCE, async || {
        let check = command(&stage, &kubeconfig, "", &["check"]).await;
        match check.code {
            Some(1) => Ok(check),
            _ => Err(check.stdout),
        }
    })
    .await
    .unwrap();
    let failed: Vec<&str> = check
        .stdout
        .lines()
        .filter(|line| line.starts_with("FAILED"))
        .collect();
    assert_eq!(failed.len(), 1, "{check:#?}");
    assert!(
        failed[0].contains("The operator's rights are known"),
        "{check:#?}"
    );

    let _operator = stage.operator(&["--rights-interval", "300ms"]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
}
