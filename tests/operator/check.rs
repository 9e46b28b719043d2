//! `check`: it says whether the operator would find all that it needs, and names what is missing.

use std::path::{Path, PathBuf};

use simulator::{Operation, Permission, TokenRequest};

use crate::command::{Ended, command};
use crate::stage::{ACCOUNT, OPERATOR_NAMESPACE, Stage, rights};

/// Where no API server is.
const NOBODY: &str = "http://127.0.0.1:1";
const USER: &str = "system:serviceaccount:cloudflare-sso-system:cloudflare-sso-operator";

async fn operators_kubeconfig(stage: &Stage) -> PathBuf {
    kubeconfig_for(stage, None).await
}

/// The operator's kubeconfig, for the API server or for whoever is at another address.
async fn kubeconfig_for(stage: &Stage, address: Option<&str>) -> PathBuf {
    let address = address.map(|address| address.parse().unwrap());
    stage
        .control_plane
        .service_account_kubeconfig(OPERATOR_NAMESPACE, "cloudflare-sso-operator", address)
        .await
        .unwrap()
}

/// Runs `check` for the account.
async fn check(stage: &Stage, kubeconfig: &Path, token: &str, further: &[&str]) -> Ended {
    let known = [
        "check",
        "--account",
        ACCOUNT,
        "--lease-namespace",
        OPERATOR_NAMESPACE,
    ];
    command(stage, kubeconfig, token, &[&known, further].concat()).await
}

/// The lines of the report that begin with this word.
fn lines<'a>(ended: &'a Ended, word: &str) -> Vec<&'a str> {
    let all = ended.stdout.lines();
    all.filter_map(|line| line.strip_prefix(word))
        .map(str::trim)
        .collect()
}

#[tokio::test]
async fn what_is_installed_passes_and_what_is_missing_is_named() {
    let stage = Stage::set().await;
    let kubeconfig = operators_kubeconfig(&stage).await;
    let well = check(&stage, &kubeconfig, &stage.token, &[]).await;
    assert_eq!(well.code, Some(0), "{well:#?}");
    assert_eq!(lines(&well, "ok").len(), 5, "{well:#?}");
    assert_eq!(well.stdout.lines().count(), 5, "{well:#?}");

    // The administrator may do everything, and may ask on behalf of the operator.
    let administrator = stage.control_plane.kubeconfig();
    take_away_some_rights(&stage).await;
    let lacking = check(&stage, &kubeconfig, &stage.token, &[]).await;
    let asked_for = check(&stage, administrator, &stage.token, &["--as", USER]).await;
    for ended in [lacking, asked_for] {
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        let missing: Vec<&str> = lines(&ended, "FAILED")
            .into_iter()
            .map(|line| line.split(':').nth(3).unwrap())
            .collect();
        assert_eq!(
            missing,
            [
                "cloudflare-sso-operator may watch ssoconnectors.cloudflare-sso.dev in every namespace",
                "cloudflare-sso-operator may patch ssoconnectors.cloudflare-sso.dev/status in every namespace",
                "cloudflare-sso-operator may get secrets in every namespace",
            ],
            "{ended:#?}"
        );
    }
    let all = check(&stage, administrator, &stage.token, &[]).await;
    assert_eq!(all.code, Some(0), "{all:#?}");
    assert_eq!(stage.simulator.calls().mutations().count(), 0);
}

async fn take_away_some_rights(stage: &Stage) {
    let without = [
        (
            "verbs: [get, list, watch, patch]",
            "verbs: [get, list, patch]",
        ),
        ("[ssoconnectors/status]", "[ssoconnectors/other]"),
        ("resources: [secrets]", "resources: [configmaps]"),
    ]
    .into_iter()
    .fold(rights(), |roles, (right, other)| {
        assert!(roles.contains(right), "{right}");
        roles.replace(right, other)
    });
    stage.control_plane.apply(&without).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_not_good_is_told_what_it_needs() {
    let stage = Stage::set().await;
    let skip = ["--skip-kubernetes"];
    let nowhere = Path::new("/nowhere");
    let writes_only = TokenRequest::new("writes").grant(ACCOUNT, [Permission::SsoConnectorWrite]);
    let writes_only = stage.simulator.admin().issue_token(writes_only);
    for token in ["another-t0ken", &writes_only] {
        let refused = check(&stage, nowhere, token, &skip).await;
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert_eq!(lines(&refused, "ok"), ["Cloudflare answers"]);
        assert_eq!(lines(&refused, "FAILED").len(), 1, "{refused:#?}");
        assert!(
            refused.stdout.contains("SSO Connector: Read"),
            "{refused:#?}"
        );
        assert_eq!(lines(&refused, "skipped").len(), 1, "{refused:#?}");
    }
    let broken = check(&stage, nowhere, "not a token", &skip).await;
    assert_eq!(broken.code, Some(1), "{broken:#?}");
    let calls = stage.simulator.calls();
    assert_eq!(calls.count(), calls.clone().of(Operation::List).count());

    let without = check(&stage, nowhere, "", &skip).await;
    assert_eq!(without.code, Some(0), "{without:#?}");
    assert_eq!(lines(&without, "skipped").len(), 2, "{without:#?}");

    let silent = [
        "--skip-kubernetes",
        "--cloudflare-base-url",
        "http://127.0.0.1:1",
    ];
    let silent = check(&stage, nowhere, &stage.token, &silent).await;
    assert_eq!(silent.code, Some(1), "{silent:#?}");
    assert!(lines(&silent, "FAILED")[0].starts_with("Cloudflare answers: "));

    let unusable = check(&stage, nowhere, &stage.token, &["--account", "x"]).await;
    assert_eq!(unusable.code, Some(2), "{unusable:#?}");
}

#[tokio::test]
async fn a_cluster_that_is_not_there_or_not_prepared_fails() {
    let stage = Stage::set().await;
    let nowhere = check(&stage, Path::new("/nowhere"), "", &[]).await;
    assert_eq!(nowhere.code, Some(1), "{nowhere:#?}");
    assert!(lines(&nowhere, "FAILED")[0].starts_with("The API server answers: "));

    let to_nobody = kubeconfig_for(&stage, Some(NOBODY)).await;
    let silent = check(&stage, &to_nobody, "", &[]).await;
    assert_eq!(silent.code, Some(1), "{silent:#?}");
    let problem = lines(&silent, "FAILED")[0];
    assert!(problem.contains(NOBODY), "{problem}");
    assert!(problem.contains("Connection refused"), "{problem}");

    let kubeconfig = operators_kubeconfig(&stage).await;
    stage
        .kubectl(&["delete", "crd", "ssoconnectors.cloudflare-sso.dev"])
        .await;
    let bare = check(&stage, &kubeconfig, "", &[]).await;
    assert_eq!(bare.code, Some(1), "{bare:#?}");
    let failed = lines(&bare, "FAILED");
    let awaited = ["The custom resource definition is installed and up to date: it is not there"];
    assert_eq!(failed, awaited, "{bare:#?}");

    let known = ["check"];
    let unknown_lease = command(&stage, &kubeconfig, "", &known).await;
    let skipped = lines(&unknown_lease, "skipped");
    assert!(
        skipped
            .iter()
            .any(|line| line.contains("--lease-namespace")),
        "{unknown_lease:#?}"
    );
}
