//! After a restart the first list is an old one, as from an API server that lags behind, and nothing follows on it. So the new
//! process knows nothing but the past: an object without its connector, one that was still to be enabled, one that was going
//! away. What it decides on that is refused by what is stored.

use cloudflare_sso_operator::resource::SsoConnector;
use futures::future::join_all;
use harness::{Answer, ApiServerProxy, Call, Treatment};
use kube::api::DeleteParams;
use reqwest::Method;
use serde_json::json;
use simulator::{ConnectorChange, Failure, Fault, Repeat};

use crate::stage::{ACCOUNT, PATIENCE, Stage, code, connector_id};
use crate::stale_watch::freeze;
use crate::tally;
use crate::witness::{OBJECTS, Witness, connectors_for, counts};

/// The objects, what they were, and how each of them ends.
const NAMES: [(&str, &str); 6] = [
    ("bound", "AwaitingVerification"),
    ("emergency", "DeletedExternally"),
    ("held", "HeldByExternalChange"),
    ("retained", "AwaitingVerification"),
    ("suspended", "Suspended"),
    ("ended", "Available"),
];

fn domain(name: &str) -> String {
    format!("{name}.example")
}

/// Where the list of the past finds them.
async fn past(stage: &Stage) {
    let admin = stage.simulator.admin();
    let late = json!({ "apiTokenSecretRef": { "name": "late" }, "enabled": false });
    let delete = json!({ "deletionPolicy": "Delete" });
    for (name, fields) in [
        ("bound", late.clone()),
        ("emergency", late),
        ("held", json!({ "enabled": true })),
        ("retained", delete),
        ("suspended", json!({ "useFedrampLanguage": true })),
    ] {
        stage.connector(name, &domain(name), fields).await;
    }
    let ended = stage.enabled_connector("ended", &domain("ended")).await;
    admin.set_enabled(&ended, false).unwrap();
    stage.until_ready_is("ended", "HeldByExternalChange").await;
    for name in ["bound", "emergency"] {
        stage.until_ready_is(name, "CredentialsUnavailable").await;
    }
    for name in ["held", "retained", "suspended"] {
        stage.until_ready_is(name, "AwaitingVerification").await;
    }
    // It goes, and cannot, as Cloudflare does not answer.
    let silence = Fault::new(Failure::html(502));
    let silence = silence
        .on_domain(&domain("retained"))
        .repeat(Repeat::Forever);
    let silence = admin.push_fault(silence);
    let options = DeleteParams::default();
    stage.objects().delete("retained", &options).await.unwrap();
    silence.arrived(PATIENCE).await.unwrap();
}

/// What becomes of them, with an operator that sees everything.
async fn present(stage: &Stage) {
    let admin = stage.simulator.admin();
    stage.put_token("late", &stage.token).await;
    stage.until_ready_is("bound", "AwaitingVerification").await;
    let emergency = stage
        .until_ready_is("emergency", "AwaitingVerification")
        .await;
    admin
        .delete_connector(&connector_id(&emergency).unwrap())
        .unwrap();
    stage.until_ready_is("emergency", "DeletedExternally").await;

    let held = stage.objects().get("held").await.unwrap();
    admin.publish_txt(&domain("held"), &code(&held).unwrap());
    stage.until_ready_is("held", "Available").await;
    admin
        .set_enabled(&connector_id(&held).unwrap(), false)
        .unwrap();
    stage.until_ready_is("held", "HeldByExternalChange").await;

    let retained = stage.objects().get("retained").await.unwrap();
    let retain = json!({ "deletionPolicy": "Retain" });
    stage.patch_spec("retained", retain).await;
    harness::await_gone(&stage.objects(), &retained, PATIENCE)
        .await
        .unwrap();
    admin.clear_faults();
    let retain = json!({ "deletionPolicy": "Retain" });
    stage
        .connector("retained", &domain("retained"), retain)
        .await;
    stage
        .until_ready_is("retained", "AwaitingVerification")
        .await;

    stage
        .patch_spec("suspended", json!({ "suspend": true }))
        .await;
    let suspended = stage.until_ready_is("suspended", "Suspended").await;
    let drift = ConnectorChange {
        use_fedramp_language: Some(false),
        ..ConnectorChange::default()
    };
    let id = connector_id(&suspended).unwrap();
    admin.change_connector(&id, drift).unwrap();

    stage
        .annotate("ended", "cloudflare-sso.dev/enable-at", "now")
        .await;
    stage.until_ready_is("ended", "Available").await;
}

/// The objects, as the API server lists them.
async fn list(stage: &Stage) -> String {
    let request = http::Request::get(format!("{OBJECTS}ssoconnectors"))
        .body(Vec::new())
        .unwrap();
    let client = stage.control_plane.client();
    client.request_text(request).await.unwrap()
}

/// A list of all objects, as a watch begins with it.
fn lists_all(call: &Call) -> bool {
    let is_list = call.method == Method::GET && !call.is_watch();
    is_list
        && call.path.starts_with(&format!("{OBJECTS}ssoconnectors?"))
        && !call.path.contains("fieldSelector")
}

#[tokio::test]
async fn a_process_that_begins_with_the_past_changes_nothing_by_it() {
    let stage = Stage::set().await;
    let mut operator = stage.operator(&[]).await;
    past(&stage).await;
    let old = list(&stage).await;
    present(&stage).await;
    operator.terminate(PATIENCE).await.unwrap();
    let there = join_all(NAMES.map(async |(name, _)| stage.objects().get(name).await.unwrap()));
    let there: Vec<SsoConnector> = there.await;

    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let answer = Treatment::AnswerWith(Answer::ok(old));
    let lists = proxy.intercept(answer, lists_all);
    let frozen = freeze(&proxy);
    let witness = Witness::from_now(&stage, &proxy);
    let mut successor = stage.operator_through(Some(proxy.url()), &[]).await;
    assert_eq!(lists.calls().len(), 1);
    for (name, _) in NAMES {
        match name {
            // Before anything is taken down the object is read, and it is another one.
            "retained" => witness.until_read(name).await,
            _ => witness.until_refused(name).await,
        }
    }
    stage.heartbeats(6).await;
    let expect_no_mutation = || {
        for (name, _) in NAMES {
            let mutations = witness.mutations(&domain(name));
            assert_eq!(counts(&mutations), [0, 0, 0, 0], "{name}: {mutations:#?}");
        }
    };
    expect_no_mutation();
    for (name, _) in NAMES {
        let calls = witness.about(name).len();
        assert!(calls <= 20, "{name}: {calls} calls");
    }

    lists.release();
    frozen.release();
    for ((name, reason), before) in NAMES.iter().zip(&there) {
        let object = stage.until_ready_is(name, reason).await;
        assert_eq!(object.metadata.uid, before.metadata.uid);
        assert_eq!(connector_id(&object), connector_id(before), "{name}");
        let connectors = connectors_for(&stage, ACCOUNT, &domain(name));
        let expected = usize::from(*name != "emergency");
        assert_eq!(connectors.len(), expected, "{name}");
    }
    stage.heartbeats(2).await;
    expect_no_mutation();
    assert!(successor.process().is_running().unwrap());
    tally::tell(&format!("old list: {} cases", NAMES.len()));
}
