//! Many objects on one token, each with an account and a connector of its own, so that each needs calls of its own.

use futures::{StreamExt as _, stream};
use kube::api::PostParams;
use serde_json::json;
use simulator::{ConnectorDraft, Permission, TokenRequest, VerificationStatus};

use crate::PATIENT_LEASE;
use crate::stage::{PATIENCE, SECRET, Stage, connector};

/// A busy machine is no failing Cloudflare.
pub(crate) const CALM: [&str; 4] = ["--call-timeout", "10s", "--creation-grace", "15s"];

/// The account of the object of that number.
pub(crate) fn account(number: usize) -> String {
    format!("{number:032x}")
}

/// Its name.
pub(crate) fn name(number: usize) -> String {
    format!("c{number}")
}

/// Makes `count` objects, and binds them with an operator that is gone then.
pub(crate) async fn bind(stage: &Stage, count: usize) {
    let admin = stage.simulator.admin();
    let request = (0..count)
        .map(account)
        .fold(TokenRequest::new("crowd"), |request, account| {
            request.grant(&account, Permission::ALL)
        });
    stage.put_token(SECRET, &admin.issue_token(request)).await;
    for number in 0..count {
        let draft = ConnectorDraft {
            verification_status: VerificationStatus::Pending,
            ..ConnectorDraft::new(&account(number), &format!("d{number}.example"))
        };
        let _ = admin.create_connector(draft);
    }
    let objects = stage.objects();
    let creations = (0..count).map(async |number| {
        let mut object = connector(&name(number), &format!("d{number}.example"));
        object["spec"]["accountID"] = json!(account(number));
        let object = serde_json::from_value(object).unwrap();
        let options = PostParams::default();
        objects.create(&options, &object).await.unwrap();
    });
    stream::iter(creations)
        .buffer_unordered(16)
        .collect::<()>()
        .await;
    let flags = [&["--poll-unverified", "10m"], &CALM[..], PATIENT_LEASE].concat();
    let mut operator = stage.operator(&flags).await;
    let counted = format!("{{reason=\"AwaitingVerification\"}} {count}\n");
    harness::until("everybody to be bound", 5 * PATIENCE, async || {
        let metrics = operator.metrics().await.unwrap();
        let all = metrics.contains(&counted);
        all.then_some(()).ok_or(metrics)
    })
    .await
    .unwrap();
    operator.terminate(PATIENCE).await.unwrap();
}
