//! What was synced stays so, however Argo CD compares and applies.

use harness::Options;
use serde_json::json;

use super::{CONNECTORS, Deployer, application, connectors};
use crate::stage::{Stage, quick_knobs};

/// How often each Application is compared.
const REFRESHES: usize = 10;

#[tokio::test]
async fn secret_and_connector_stay_synced_however_they_are_compared_and_applied() {
    let stage = Stage::with(Options::default().with_controller_manager(), quick_knobs()).await;
    let deployer = Deployer::set(stage).await;
    let _operator = deployer.stage.operator(&[]).await;
    let mut synced = Vec::new();
    for server_side_diff in [false, true] {
        for server_side_apply in [false, true] {
            let name = format!("diff-{server_side_diff}-apply-{server_side_apply}");
            let checkout = connectors(&deployer.stage.token, &format!("{name}.example.com"));
            let mut application = application(CONNECTORS, &checkout);
            application["metadata"]["name"] = name.as_str().into();
            application["spec"]["destination"]["namespace"] = name.as_str().into();
            let options = format!("ServerSideDiff={server_side_diff}");
            application["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] =
                options.into();
            application["spec"]["syncPolicy"]["syncOptions"] = json!([
                "CreateNamespace=true",
                format!("ServerSideApply={server_side_apply}"),
            ]);
            deployer.stage.apply(&application).await;
            synced.push((name, checkout));
        }
    }
    for (name, _) in &synced {
        deployer.until_synced(name).await;
        deployer.until_health(name, "Suspended").await;
        let object = deployer
            .stage
            .until_ready_in(name, "example-com", "AwaitingVerification")
            .await;
        let record = object.status.unwrap().dns_record.unwrap();
        deployer
            .stage
            .simulator
            .admin()
            .publish_txt(&record.name, &record.value);
        deployer.until_health(name, "Healthy").await;
    }
    for (name, _) in &synced {
        deployer.stays_synced(name, REFRESHES).await;
    }
}
