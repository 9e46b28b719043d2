//! `crd apply` against a real API server, with nothing but the rights that the chart's hook has: what is created, replaced,
//! left alone and refused.

use std::process::Output;

use cloudflare_sso_operator::resource::{DEFINITION_VERSION, SsoConnector};
use harness::{Chart, ControlPlane, Options, Part, rights_in};
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use crate::definition::{fields, of_the_version_before, ours, with_an_old_rule};
use crate::stage::OPERATOR_NAMESPACE;

/// An API server, and the rights of the hook in it.
struct Stage {
    control_plane: ControlPlane,
    kubeconfig: std::path::PathBuf,
}

impl Stage {
    async fn set() -> Self {
        let control_plane = ControlPlane::start(Options::default()).await.unwrap();
        let chart = Chart::with(Part::Helm3).await.unwrap();
        let folder = Chart::folder();
        let rendered = chart
            .helm(&[
                "template",
                "cloudflare-sso-operator",
                folder.to_str().unwrap(),
                "--namespace",
                OPERATOR_NAMESPACE,
                "--kube-version=1.33.0",
                "--is-upgrade",
                "--show-only=templates/crd-upgrade.yaml",
            ])
            .await
            .unwrap();
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": OPERATOR_NAMESPACE },
        });
        control_plane.apply(&namespace.to_string()).await.unwrap();
        control_plane.apply(&rights_in(&rendered)).await.unwrap();
        let account = "cloudflare-sso-operator-crd-upgrade";
        let kubeconfig = control_plane
            .service_account_kubeconfig(OPERATOR_NAMESPACE, account, None)
            .await
            .unwrap();
        Self {
            control_plane,
            kubeconfig,
        }
    }

    /// Runs `crd apply`: whether it succeeded, and what it said.
    async fn apply_ours(&self) -> (bool, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudflare-sso-operator"))
            .args(["crd", "apply"])
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .await
            .unwrap();
        let said = [stdout, stderr].concat();
        (status.success(), String::from_utf8(said).unwrap())
    }

    async fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        self.control_plane
            .kubectl_with_input(arguments, input)
            .await
            .unwrap()
            .success()
            .unwrap()
    }

    async fn installed(&self) -> Value {
        let name = SsoConnector::crd_name();
        let printed = self
            .kubectl(&["get", "crd", name, "--output=json"], "")
            .await;
        serde_json::from_str(&printed).unwrap()
    }
}

/// What the API server adds to a version is nothing, so the whole of it can be compared.
fn version(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]
}

/// A definition of an earlier version, which lacks a field, and has a rule and a column that went since.
fn older() -> Value {
    let mut older = ours();
    of_the_version_before(&mut older);
    with_an_old_rule(&mut older);
    fields(&mut older).remove("suspend").unwrap();
    let columns = &mut older["spec"]["versions"][0]["additionalPrinterColumns"];
    let column = json!({ "name": "Old", "type": "string", "jsonPath": ".spec.old" });
    columns.as_array_mut().unwrap().push(column);
    older
}

#[tokio::test]
async fn it_is_created_where_there_is_none_and_then_there_is_nothing_to_do() {
    let stage = Stage::set().await;
    let (succeeded, said) = stage.apply_ours().await;
    assert!(succeeded && said.contains("was created"), "{said}");
    let created = stage.installed().await;
    assert_eq!(version(&created), version(&ours()));
    assert_eq!(
        created["metadata"]["annotations"]["helm.sh/resource-policy"],
        "keep"
    );
    stage
        .kubectl(
            &[
                "wait",
                "--for=condition=Established",
                "crd",
                SsoConnector::crd_name(),
            ],
            "",
        )
        .await;
    let before = stage.installed().await;
    let (succeeded, said) = stage.apply_ours().await;
    assert!(succeeded && said.contains("already"), "{said}");
    let after = stage.installed().await;
    let written = |definition: &Value| definition["metadata"]["resourceVersion"].clone();
    assert_eq!(written(&after), written(&before), "nothing was written");
}

#[tokio::test]
async fn an_older_one_is_replaced_whole_whoever_has_written_it() {
    let stage = Stage::set().await;
    // As helm 3 does it, as helm 4 and Argo CD do it, and as people do it.
    for creation in [
        &["create", "--field-manager=helm", "--filename=-"][..],
        &[
            "apply",
            "--server-side",
            "--field-manager=argocd-controller",
            "--filename=-",
        ],
        &["apply", "--filename=-"],
    ] {
        stage.kubectl(creation, &older().to_string()).await;
        let name = SsoConnector::crd_name();
        stage
            .kubectl(&["annotate", "crd", name, "team.example/owner=us"], "")
            .await;
        stage.kubectl(&["label", "crd", name, "team=us"], "").await;
        let uid = stage.installed().await["metadata"]["uid"].clone();
        let (succeeded, said) = stage.apply_ours().await;
        assert!(succeeded && said.contains("was replaced"), "{said}");
        let replaced = stage.installed().await;
        assert_eq!(version(&replaced), version(&ours()), "{creation:?}");
        let metadata = &replaced["metadata"];
        assert_eq!(metadata["uid"], uid, "it was never deleted");
        assert_eq!(metadata["labels"]["team"], "us");
        assert_eq!(metadata["annotations"]["team.example/owner"], "us");
        assert_eq!(
            metadata["annotations"][DEFINITION_VERSION],
            env!("CARGO_PKG_VERSION")
        );
        stage.kubectl(&["delete", "crd", name], "").await;
    }
}

/// The way by hand, as the pages have it: the API server takes the versions of a definition as a whole.
#[tokio::test]
async fn a_server_side_apply_replaces_every_version_whole_too() {
    let stage = Stage::set().await;
    let creation = ["create", "--field-manager=helm", "--filename=-"];
    stage.kubectl(&creation, &older().to_string()).await;
    let force = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--filename=-",
    ];
    stage.kubectl(&force, &ours().to_string()).await;
    assert_eq!(version(&stage.installed().await), version(&ours()));
}

#[tokio::test]
async fn a_newer_one_stays_and_one_that_only_differs_is_refused() {
    let stage = Stage::set().await;
    let new_field = |definition: &mut Value| {
        fields(definition).insert("new".to_owned(), json!({ "type": "string" }));
    };
    let mut newer = ours();
    new_field(&mut newer);
    let mut by_name = ours();
    by_name["metadata"]["annotations"][DEFINITION_VERSION] = json!("99.0.0");
    let mut diverged = older();
    new_field(&mut diverged);
    for (definition, succeeds, expected) in [
        (
            newer,
            true,
            "it has spec.new, which this version does not know",
        ),
        (by_name, true, "it is of version 99.0.0"),
        (
            diverged,
            false,
            "it has spec.new, which this version does not know, and lacks spec.suspend",
        ),
    ] {
        let replace = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ];
        stage.kubectl(&replace, &definition.to_string()).await;
        let before = stage.installed().await;
        let (succeeded, said) = stage.apply_ours().await;
        assert!(succeeded == succeeds && said.contains(expected), "{said}");
        assert_eq!(
            stage.installed().await["spec"],
            before["spec"],
            "{expected}"
        );
    }
}

#[tokio::test]
async fn one_that_is_being_deleted_is_refused() {
    let stage = Stage::set().await;
    stage.apply_ours().await;
    let name = SsoConnector::crd_name();
    let hold = r#"{ "metadata": { "finalizers": ["team.example/hold"] } }"#;
    stage
        .kubectl(&["patch", "crd", name, "--type=merge", "-p", hold], "")
        .await;
    stage
        .kubectl(&["delete", "crd", name, "--wait=false"], "")
        .await;
    let (succeeded, said) = stage.apply_ours().await;
    assert!(!succeeded && said.contains("is being deleted"), "{said}");
}
