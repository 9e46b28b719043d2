//! Argo CD beside a control plane, without containers.
//!
//! Its own programs with its own definitions and settings: the application controller, the repository server, the API server
//! and the cache that they share. It lives in the namespace `argocd` and deploys into the very control plane it lives in,
//! which it knows as `https://kubernetes.default.svc`. Its API server asks nobody to log in. The controller has the health of
//! each resource in the status of its Application, where a test can wait for it.
//!
//! Everything listens on 127.0.0.1, but the metrics of the controller, which cannot be told to.

mod components;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kube::Api;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{ControlPlane, HarnessError, Output, Part, Process, await_object};
use components::Surroundings;

/// The namespace of Argo CD and of its Applications.
pub const ARGO_CD_NAMESPACE: &str = "argocd";

const START_DEADLINE: Duration = Duration::from_mins(1);

/// A running Argo CD.
#[derive(Debug)]
pub struct ArgoCd {
    // In the order in which they are dropped: who calls before who is called, the folder last.
    controller: Process,
    server: Process,
    _repo_server: Process,
    _redis: Process,
    address: String,
    programs: PathBuf,
    folder: TempDir,
}

impl ArgoCd {
    /// Installs its definitions and settings, starts it, and waits until it serves and has its default project.
    ///
    /// # Errors
    /// A program could not be built or did not start; the message shows the end of its log.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self, HarnessError> {
        Self::install(control_plane).await?;
        let programs = Part::ArgoCd.folder().await?;
        let folder = tempfile::Builder::new()
            .prefix("argo-cd-")
            .tempdir()
            .map_err(HarnessError::io("creating a temporary folder"))?;
        let surroundings = Surroundings::gather(control_plane, &programs, folder.path()).await?;
        let (redis, cache) = surroundings.start_redis().await?;
        let (repo_server, repositories) = surroundings.start_repo_server(&cache).await?;
        let controller = surroundings.start_controller(&cache, &repositories).await?;
        let (server, address) = surroundings.start_server(&cache, &repositories).await?;
        let projects = api(control_plane, "AppProject");
        await_object(&projects, "default", "to exist", START_DEADLINE, |_| true).await?;
        Ok(Self {
            controller,
            server,
            _repo_server: repo_server,
            _redis: redis,
            address,
            programs,
            folder,
        })
    }

    /// Installs nothing but its definitions and settings, with their namespace.
    ///
    /// # Errors
    /// It could not be built, or the API server refused something.
    pub async fn install(control_plane: &ControlPlane) -> Result<(), HarnessError> {
        let manifests = Part::ArgoCd.folder().await?.with_file_name("manifests");
        let namespace = ["create", "namespace", ARGO_CD_NAMESPACE];
        control_plane.kubectl(&namespace).await?.success()?;
        for part in ["crds", "base/config"] {
            let part = manifests.join(part).display().to_string();
            let flags = ["--server-side", "--namespace", ARGO_CD_NAMESPACE];
            let apply = [&["apply", "--kustomize", &part][..], &flags].concat();
            control_plane.kubectl(&apply).await?.success()?;
        }
        Ok(())
    }

    /// The Applications.
    #[must_use]
    pub fn applications(control_plane: &ControlPlane) -> Api<DynamicObject> {
        api(control_plane, "Application")
    }

    /// Runs `argocd` against its API server, as a person who has logged in.
    ///
    /// # Errors
    /// It could not be run.
    pub async fn command(&self, arguments: &[&str]) -> Result<Output, HarnessError> {
        let server = ["--server", &self.address, "--plaintext"];
        run(
            &self.programs,
            self.folder.path(),
            &[&server, arguments].concat(),
        )
        .await
    }

    /// The folder with `argocd`.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Where its API server listens: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The last lines of what the controller and the API server said, for a failed test.
    #[must_use]
    pub fn tail(&self) -> String {
        format!(
            "--- controller ---\n{}\n--- API server ---\n{}",
            self.controller.tail(),
            self.server.tail()
        )
    }
}

impl Drop for ArgoCd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

/// Runs `argocd admin`, which needs no Argo CD that runs: health and actions of one object by the settings in a file.
///
/// # Errors
/// It could not be built or run.
pub async fn argocd_admin(folder: &Path, arguments: &[&str]) -> Result<Output, HarnessError> {
    let programs = Part::ArgoCd.folder().await?;
    run(&programs, folder, &[&["admin"], arguments].concat()).await
}

async fn run(programs: &Path, home: &Path, arguments: &[&str]) -> Result<Output, HarnessError> {
    let output = Command::new(programs.join("argocd"))
        .args(arguments)
        .env_clear()
        // It shows what an action changes by `diff`.
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(HarnessError::io("running argocd"))?;
    Ok(Output {
        arguments: arguments.join(" "),
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn api(control_plane: &ControlPlane, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind);
    let resource = ApiResource::from_gvk(&kind);
    Api::namespaced_with(control_plane.client(), ARGO_CD_NAMESPACE, &resource)
}
