//! `export`: what an account has becomes objects that show it and change nothing.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use cloudflare_sso_operator::resource::{ConditionType, ManagementPolicy, SsoConnector};
use kube::api::ListParams;
use simulator::knobs::{PageParameter, Switch};
use simulator::{ConnectorDraft, Failure, Fault, Operation, VerificationStatus};

use crate::command::{Ended, command};
use crate::stage::{
    ACCOUNT, NAMESPACE, Stage, condition, connector_id, has_finalizer, quick_knobs,
};

/// Runs `export` for the account.
async fn export(stage: &Stage, token: &str, further: &[&str]) -> Ended {
    let arguments = [&["export", "--account", ACCOUNT], further].concat();
    command(stage, Path::new("/nowhere"), token, &arguments).await
}

fn existing(stage: &Stage, domain: &str, status: VerificationStatus, enabled: bool) -> String {
    let draft = ConnectorDraft {
        verification_status: status,
        enabled,
        ..ConnectorDraft::new(ACCOUNT, domain)
    };
    stage.simulator.admin().create_connector(draft).id
}

/// What a connector is expected to become.
struct Expected {
    id: String,
    /// The name of the object; without a dot, the ID follows.
    name: &'static str,
    /// Of its Ready condition.
    reason: &'static str,
}

fn connectors_in_every_state(stage: &Stage) -> Vec<Expected> {
    use VerificationStatus::{Awaiting, Failed, Other, Pending, Verified};
    const AWAITING: &str = "AwaitingVerification";
    let odd = Other("expired: # \"soon\"".to_owned());
    [
        (
            "awaiting.example",
            Awaiting,
            false,
            "awaiting.example",
            AWAITING,
        ),
        (
            "pending.example",
            Pending,
            false,
            "pending.example",
            AWAITING,
        ),
        (
            "failed.example",
            Failed,
            false,
            "failed.example",
            "VerificationFailed",
        ),
        ("unknown.example", odd, true, "unknown.example", AWAITING),
        ("off.example", Verified, false, "off.example", "Available"),
        ("on.example", Verified, true, "on.example", "Available"),
        (
            "Spelt.Example.",
            Verified,
            true,
            "spelt.example",
            "Available",
        ),
        (
            "b\u{fc}cher.example",
            Verified,
            false,
            "xn--bcher-kva.example",
            "Available",
        ),
        (
            "twice.example",
            Verified,
            true,
            "twice-example",
            "Available",
        ),
        ("TWICE.example", Awaiting, false, "twice-example", AWAITING),
    ]
    .into_iter()
    .map(|(domain, status, enabled, name, reason)| Expected {
        id: existing(stage, domain, status, enabled),
        name,
        reason,
    })
    .collect()
}

#[tokio::test]
async fn every_connector_becomes_an_object_that_shows_it_and_changes_nothing() {
    let mut knobs = quick_knobs();
    knobs.result_info = Switch::On;
    knobs.page_size = NonZeroUsize::new(3);
    let stage = Stage::with(harness::Options::default(), knobs).await;
    let _operator = stage.operator(&[]).await;
    let expected = connectors_in_every_state(&stage);
    let odd_domain = "no domain\n---\nkind: x";
    let unnameable = existing(&stage, odd_domain, VerificationStatus::Verified, true);
    let before = stage.simulator.admin().connectors(ACCOUNT);

    let flags = ["--namespace", NAMESPACE];
    let exported = export(&stage, &stage.token, &flags).await;
    assert_eq!(exported.code, Some(0), "{exported:#?}");
    assert_eq!(exported.stderr.lines().count(), 1, "{exported:#?}");
    assert!(exported.stderr.contains(&unnameable), "{exported:#?}");
    let comment = format!("# left out: connector {unnameable} ");
    assert!(exported.stdout.contains(&comment), "{exported:#?}");

    let applied = stage
        .control_plane
        .kubectl_with_input(&["apply", "--filename=-"], &exported.stdout)
        .await
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(applied.lines().count(), expected.len(), "{applied}");
    let objects = stage.objects().list(&ListParams::default()).await.unwrap();
    assert_eq!(objects.items.len(), expected.len());
    for Expected { id, name, reason } in expected {
        let name = if name.contains('.') {
            name.to_owned()
        } else {
            format!("{name}-{id}")
        };
        let object = stage.until_ready_is(&name, reason).await;
        assert_eq!(connector_id(&object), Some(id), "{name}");
        shows_what_cloudflare_has(&stage, &object);
    }
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
    assert_eq!(stage.simulator.admin().connectors(ACCOUNT), before);
}

fn shows_what_cloudflare_has(stage: &Stage, object: &SsoConnector) {
    let id = connector_id(object).unwrap();
    assert_eq!(object.spec.connector_id.as_ref(), Some(&id));
    let policy = object.spec.management_policy;
    assert_eq!(policy, Some(ManagementPolicy::Observe), "{id}");
    let connector = stage.simulator.admin().connector(&id).unwrap();
    let status = object.status.as_ref().unwrap();
    assert_eq!(status.enabled, Some(connector.enabled), "{id}");
    assert_eq!(condition(object, ConditionType::Synced).0, "True", "{id}");
    assert!(!has_finalizer(object), "{id}");
}

#[tokio::test]
async fn an_export_that_is_not_whole_is_none() {
    let stage = Stage::set().await;
    let nothing = export(&stage, &stage.token, &[]).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), ""));
    assert!(nothing.stderr.contains("has no connectors"), "{nothing:#?}");

    let ids: BTreeSet<String> = ["a.example", "b.example", "c.example"]
        .into_iter()
        .map(|domain| existing(&stage, domain, VerificationStatus::Verified, true))
        .collect();
    let one = export(&stage, &stage.token, &["--domain", "b.example"]).await;
    assert_eq!(one.code, Some(0), "{one:#?}");
    let exported = ids.iter().filter(|id| one.stdout.contains(id.as_str()));
    assert_eq!(exported.count(), 1, "{one:#?}");

    // Every page is the first one, so the third connector is never seen.
    stage.simulator.admin().turn_knobs(|knobs| {
        knobs.result_info = Switch::On;
        knobs.page_size = NonZeroUsize::new(2);
        knobs.page_parameter = PageParameter::Ignored;
    });
    fails(&export(&stage, &stage.token, &[]).await, "incomplete");
    stage
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.page_size = None);

    let broken = Fault::new(Failure::html(500)).on(Operation::List);
    stage.simulator.admin().push_fault(broken);
    fails(&export(&stage, &stage.token, &[]).await, "HTTP 500");
    fails(
        &export(&stage, "another-t0ken", &[]).await,
        "refused the API token",
    );
    fails(&export(&stage, "", &[]).await, "CLOUDFLARE_API_TOKEN");
    fails(
        &export(&stage, "", &["--token-file", "/nowhere/token"]).await,
        "/nowhere/token",
    );
    let wrong = export(&stage, &stage.token, &["--domain", "@"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:#?}");

    let file = stage.control_plane.folder().join("token");
    std::fs::write(&file, format!("{}\n", stage.token)).unwrap();
    let from_file = export(&stage, "", &["--token-file", file.to_str().unwrap()]).await;
    assert_eq!(from_file.code, Some(0), "{from_file:#?}");
    assert!(ids.iter().all(|id| from_file.stdout.contains(id.as_str())));
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
}

fn fails(ended: &Ended, why: &str) {
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(1), ""),
        "{ended:#?}"
    );
    assert!(ended.stderr.contains(why), "{ended:#?}");
}
