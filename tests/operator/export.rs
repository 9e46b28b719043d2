//! `export`: what an account has becomes objects that show it and change nothing.

use std::collections::BTreeSet;
use std::path::Path;

use cloudflare_sso_operator::resource::{ConditionType, ManagementPolicy, SsoConnector};
use kube::ResourceExt as _;
use kube::api::ListParams;
use simulator::knobs::{PageParameter, Switch};
use simulator::{ConnectorDraft, Failure, Fault, Operation, VerificationStatus};

use crate::command::{Ended, command};
use crate::stage::{ACCOUNT, NAMESPACE, Stage, condition, connector_id, quick_knobs};

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

#[tokio::test]
async fn every_connector_becomes_an_object_that_shows_it_and_changes_nothing() {
    use VerificationStatus::{Awaiting, Failed, Other, Pending, Verified};
    let mut knobs = quick_knobs();
    knobs.result_info = Switch::On;
    knobs.page_size = std::num::NonZeroUsize::new(3);
    let stage = Stage::with(harness::Options::default(), knobs).await;
    let _operator = stage.operator(&[]).await;
    let expired = || Other("expired: # \"soon\"".to_owned());
    // The name of the object, or what it begins with, and the reason of its Ready condition.
    let mut expected = Vec::new();
    for (domain, status, enabled, name, reason) in [
        (
            "awaiting.example",
            Awaiting,
            false,
            "awaiting.example",
            "AwaitingVerification",
        ),
        (
            "pending.example",
            Pending,
            false,
            "pending.example",
            "AwaitingVerification",
        ),
        (
            "failed.example",
            Failed,
            false,
            "failed.example",
            "VerificationFailed",
        ),
        (
            "unknown.example",
            expired(),
            true,
            "unknown.example",
            "AwaitingVerification",
        ),
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
            "twice-example-",
            "Available",
        ),
        (
            "TWICE.example",
            Awaiting,
            false,
            "twice-example-",
            "AwaitingVerification",
        ),
    ] {
        expected.push((existing(&stage, domain, status, enabled), name, reason));
    }
    let before = stage.simulator.admin().connectors(ACCOUNT);
    let unnameable = existing(&stage, "no domain\n---\nkind: x", Verified, true);

    let flags = ["--namespace", NAMESPACE];
    let exported = export(&stage, &stage.token, &flags).await;
    assert_eq!(exported.code, Some(0), "{exported:#?}");
    assert_eq!(exported.stderr.lines().count(), 1, "{exported:#?}");
    assert!(exported.stderr.contains(&unnameable), "{exported:#?}");
    assert!(
        exported
            .stdout
            .contains(&format!("# left out: connector {unnameable} "))
    );

    let input = &exported.stdout;
    let applied = stage
        .control_plane
        .kubectl_with_input(&["apply", "--filename=-"], input)
        .await
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(applied.lines().count(), expected.len(), "{applied}");
    let objects = stage.objects().list(&ListParams::default()).await.unwrap();
    assert_eq!(objects.items.len(), expected.len());
    for object in objects {
        let id = object.spec.connector_id.clone();
        let (id, name, reason) = expected
            .iter()
            .find(|(awaited, ..)| Some(awaited) == id.as_ref())
            .unwrap();
        let object_name = object.name_any();
        match name.strip_suffix('-') {
            Some(_) => assert_eq!(object_name, format!("{name}{id}")),
            None => assert_eq!(object_name, *name),
        }
        assert_eq!(
            object.spec.management_policy,
            Some(ManagementPolicy::Observe)
        );
        let settled = stage.until_ready_is(&object_name, reason).await;
        assert_eq!(connector_id(&settled).as_ref(), Some(id), "{object_name}");
        shows_what_cloudflare_has(&stage, &settled);
    }
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
    let after: Vec<_> = stage.simulator.admin().connectors(ACCOUNT);
    assert_eq!(after[..before.len()], before, "nothing was touched");
}

fn shows_what_cloudflare_has(stage: &Stage, object: &SsoConnector) {
    let id = connector_id(object).unwrap();
    let connector = stage.simulator.admin().connector(&id).unwrap();
    let status = object.status.as_ref().unwrap();
    assert_eq!(status.enabled, Some(connector.enabled), "{id}");
    assert_eq!(condition(object, ConditionType::Synced).0, "True", "{id}");
    assert!(object.finalizers().is_empty(), "{id}");
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
        knobs.page_size = std::num::NonZeroUsize::new(2);
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
