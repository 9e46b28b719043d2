//! What people apply, applied: the API server takes it without a warning.

use harness::{ArgoCd, ControlPlane, Options};

use crate::checkout::files;

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
