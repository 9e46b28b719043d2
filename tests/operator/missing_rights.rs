//! A right that is missing is counted while the operator runs, and stops nothing else.

use harness::{Operator, until};
use serde_json::json;

use crate::stage::{PATIENCE, Stage, repository};

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
    let roles = std::fs::read_to_string(repository().join("deploy/rbac.yaml")).unwrap();
    let fewer = roles.replace("resources: [events]", "resources: [others]");
    assert_ne!(fewer, roles);
    stage.control_plane.apply(&fewer).await.unwrap();
    let often = ["--rights-interval", "300ms"];
    let leader = stage.operator(&often).await;
    let standby = stage.operator(&often).await;
    until_missing(&leader, 2).await;
    until_missing(&standby, 2).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    stage.control_plane.apply(&roles).await.unwrap();
    until_missing(&leader, 0).await;
    until_missing(&standby, 0).await;
    stage.control_plane.apply(&fewer).await.unwrap();
    until_missing(&leader, 2).await;
}
