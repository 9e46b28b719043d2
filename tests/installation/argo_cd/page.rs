//! `docs/argocd.md`, followed word for word: all its commands in their order, in a copy of this checkout whose Applications
//! name repositories of the test.

use std::process::Stdio;
use tokio::process::Command;

use super::{
    CONNECTOR, CONNECTORS, CONNECTORS_NAMESPACE, DOMAIN, Deployer, OPERATOR, PATIENCE, application,
    bare_stage, connectors,
};
use crate::checkout::{Checkout, read};
use crate::install_page::chapters;
use crate::stage::ACCOUNT;

const PAGE: &str = "docs/argocd.md";

#[tokio::test]
async fn every_command_of_the_page_does_what_it_is_there_for() {
    let deployer = Deployer::start(bare_stage().await).await;
    let repository = Checkout::of_this_repository();
    let folder = connectors(&deployer.stage.token, DOMAIN);
    for (name, file, source) in [
        (OPERATOR, "application-operator", &repository),
        (CONNECTORS, "application-connectors", &folder),
    ] {
        let application = application(name, source).to_string();
        repository.write(&format!("deploy/argocd/{file}.yaml"), &application);
    }
    let mut operator = None;
    for chapter in chapters(&read(PAGE)) {
        for command in &chapter.commands {
            deployer.shell(&repository, command).await;
        }
        match chapter.name.as_str() {
            "The operator" => operator = Some(deployer.stage.operator(&[]).await),
            "The connectors" => {
                let stage = &deployer.stage;
                let reason = "AwaitingVerification";
                stage
                    .until_ready_in(CONNECTORS_NAMESPACE, CONNECTOR, reason)
                    .await;
            }
            _ => {}
        }
    }
    assert!(
        operator.is_some(),
        "{PAGE} has no chapter about the operator"
    );
    assert_eq!(deployer.stage.simulator.admin().connectors(ACCOUNT), []);
    let left = deployer
        .applications()
        .list(&kube::api::ListParams::default())
        .await;
    assert!(left.unwrap().items.is_empty());
}

impl Deployer {
    /// Runs a command as a person who has logged in to Argo CD and may do everything in the cluster.
    async fn shell(&self, checkout: &Checkout, command: &str) {
        let control_plane = &self.stage.control_plane;
        let mut folders = vec![
            self.argo_cd.programs().to_owned(),
            control_plane
                .programs()
                .kubectl()
                .parent()
                .unwrap()
                .to_owned(),
        ];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let shell = Command::new("bash")
            .args(["-euo", "pipefail", "-c", command])
            .current_dir(checkout.path())
            .env_clear()
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("HOME", control_plane.folder())
            .env("KUBECONFIG", control_plane.kubeconfig())
            .env("ARGOCD_SERVER", self.argo_cd.address())
            .env("ARGOCD_OPTS", "--plaintext")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, shell).await;
        let output = output
            .unwrap_or_else(|_| panic!("it hangs: {command}"))
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert!(output.status.success(), "{command}\n{printed}");
    }
}
