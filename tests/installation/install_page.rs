//! `docs/install.md`, followed word for word: the commands of each of its chapters, in a copy of what the checkout has, on a
//! cluster of their own whose Pods run, with each line of helm.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use harness::{Chart, ControlPlane, Part};
use tokio::process::Command;

use crate::checkout::copy;
use crate::cluster::Cluster;

const PAGE: &str = "docs/install.md";

/// A chapter's name, and its commands in their order.
pub(crate) struct Chapter {
    pub(crate) name: String,
    pub(crate) commands: Vec<String>,
}

#[tokio::test]
async fn every_command_does_what_it_is_there_for_with_helm_3() {
    follow_page(Part::Helm3).await;
}

#[tokio::test]
async fn and_with_helm_4() {
    follow_page(Part::Helm4).await;
}

async fn follow_page(helm: Part) {
    let page = fs::read_to_string(Chart::folder().join(PAGE)).unwrap();
    let chapters = chapters(&page);
    assert!(chapters.len() >= 4, "{PAGE} has no commands");
    let program = helm.folder().await.unwrap();
    for chapter in chapters {
        let cluster = Cluster::with(helm).await;
        let checkout = cluster.control_plane.folder().join("checkout");
        lay_out(&checkout);
        follow(&chapter, &cluster.control_plane, &program, &checkout).await;
    }
}

/// Runs the commands of a chapter in their order. Each must succeed.
pub(crate) async fn follow(
    chapter: &Chapter,
    cluster: &ControlPlane,
    helm: &Path,
    checkout: &Path,
) {
    for command in &chapter.commands {
        let output = shell(cluster, helm, checkout)
            .arg(command)
            .output()
            .await
            .unwrap();
        assert!(
            output.status.success(),
            "{}: {command}\n{}\n{}",
            chapter.name,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// What a person has: the checkout as the working folder, helm, kubectl, and the rights of an administrator.
fn shell(cluster: &ControlPlane, helm: &Path, checkout: &Path) -> Command {
    let kubectl = cluster.programs().kubectl();
    let path = format!(
        "{}:{}:{}",
        helm.display(),
        kubectl.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut shell = Command::new("bash");
    shell
        .current_dir(checkout)
        .env_clear()
        .env("PATH", path)
        .env("HOME", cluster.folder())
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .args(["-euo", "pipefail", "-c"]);
    shell
}

/// What the commands need of the repository, where they may write.
pub(crate) fn lay_out(checkout: &Path) {
    fs::create_dir(checkout).unwrap();
    let parts = [
        ".helmignore",
        "Chart.yaml",
        "LICENSE",
        "README.md",
        "crds",
        "deploy",
        "monitoring",
        "templates",
        "values.schema.json",
        "values.yaml",
    ];
    copy(&parts, checkout);
}

pub(crate) fn chapters(page: &str) -> Vec<Chapter> {
    page.split("\n## ")
        .filter_map(|text| {
            let name = text.lines().next()?.to_owned();
            let commands: Vec<String> = text
                .split("```sh\n")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()))
                .collect();
            (!commands.is_empty()).then_some(Chapter { name, commands })
        })
        .collect()
}
