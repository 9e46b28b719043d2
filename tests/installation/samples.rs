//! What people apply, applied: the API server takes it without a warning, and it does what its comment says.

use cloudflare_sso_operator::resource::ConditionType;
use harness::{ArgoCd, ControlPlane, Options};
use simulator::{Permission, TokenRequest};

use crate::checkout::files;
use crate::stage::{ACCOUNT, NAMESPACE, Stage, code, condition, repository};

/// What the API server knows by itself, and by our definition.
const FOLDERS: [&str; 3] = [
    "deploy/samples",
    "deploy/argocd/connectors",
    "deploy/policy",
];

#[tokio::test]
async fn every_sample_is_taken_without_a_warning() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    let definition = include_str!("../../crds/ssoconnectors.cloudflare-sso.dev.yaml");
    control_plane.apply(definition).await.unwrap();
    for folder in FOLDERS {
        for file in files(folder, "yaml") {
            apply(&control_plane, file.to_str().unwrap()).await;
        }
    }
}

/// With two tokens, each of which may do just what the comment says.
#[tokio::test]
async fn the_hands_free_sample_ends_enabled_with_nobody_touching_dns() {
    let stage = Stage::set().await;
    let admin = stage.simulator.admin();
    let zone = admin.add_zone(ACCOUNT, "example.com");
    let permissions = [Permission::ZoneRead, Permission::DnsWrite];
    let request = TokenRequest::new("DNS").grant_in_zone(&zone, permissions);
    let token = admin.issue_token(request);
    stage.put_token("cloudflare-dns-token", &token).await;
    let _operator = stage.operator(&[]).await;

    let sample = repository().join("deploy/samples/hands-free.yaml");
    let apply = ["apply", "--namespace", NAMESPACE, "--filename"];
    stage
        .kubectl(&[&apply[..], &[sample.to_str().unwrap()]].concat())
        .await;
    let enabled = stage.until_ready_is("example-com", "Available").await;
    assert_eq!(condition(&enabled, ConditionType::Enabled).0, "True");
    let published: Vec<_> = admin
        .records(&zone)
        .iter()
        .filter_map(simulator::DnsRecord::txt_value)
        .collect();
    assert_eq!(published, [code(&enabled).unwrap()]);
}

#[tokio::test]
async fn argo_cd_takes_the_applications_and_the_settings() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    ArgoCd::install(&control_plane).await.unwrap();
    for file in files("deploy/argocd", "yaml") {
        apply(&control_plane, file.to_str().unwrap()).await;
    }
    let settings = [
        "get",
        "configmap",
        "argocd-cm",
        "--namespace=argocd",
        "--output=jsonpath={.data}",
    ];
    let settings = control_plane
        .kubectl(&settings)
        .await
        .unwrap()
        .success()
        .unwrap();
    for kept in [
        "resource.exclusions",
        "resource.customizations.health.cloudflare-sso.dev_SsoConnector",
    ] {
        assert!(settings.contains(kept), "{kept} is not in {settings}");
    }
}

/// As a person applies it, with a mistake in a field and a warning as failures.
async fn apply(control_plane: &ControlPlane, file: &str) {
    let arguments = [
        "apply",
        "--server-side",
        "--field-manager=cloudflare-sso-operator",
        "--validate=strict",
        "--warnings-as-errors",
        "--filename",
        file,
    ];
    control_plane
        .kubectl(&arguments)
        .await
        .unwrap()
        .success()
        .unwrap();
}
