//! The command lines of Argo CD's programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::net::TcpStream;

use super::{ARGO_CD_NAMESPACE, START_DEADLINE};
use crate::{ControlPlane, HarnessError, Part, Process, free_port};

/// What all of them share.
pub(super) struct Surroundings<'a> {
    programs: &'a Path,
    redis: PathBuf,
    folder: &'a Path,
    kubeconfig: &'a Path,
    path: OsString,
    http: reqwest::Client,
}

impl<'a> Surroundings<'a> {
    pub(super) async fn gather(
        control_plane: &'a ControlPlane,
        programs: &'a Path,
        folder: &'a Path,
    ) -> Result<Self, HarnessError> {
        let helm = Part::Helm3.folder().await?;
        let kubectl = control_plane.programs().kubectl();
        let kubectl = kubectl.parent().map(Path::to_owned).unwrap_or_default();
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let own = [helm, kubectl, programs.to_owned()];
        let path =
            std::env::join_paths(own.into_iter().chain(std::env::split_paths(&inherited)))
                .map_err(|error| HarnessError::io("joining PATH")(std::io::Error::other(error)))?;
        for name in ["tls", "ssh", "gnupg", "plugins", "home", "tmp"] {
            let path = folder.join(name);
            std::fs::create_dir(&path)
                .map_err(HarnessError::io(format!("creating {}", path.display())))?;
        }
        Ok(Self {
            programs,
            redis: Part::Redis.folder().await?,
            folder,
            kubeconfig: control_plane.kubeconfig(),
            path,
            http: reqwest::Client::new(),
        })
    }

    /// Its address is `127.0.0.1:PORT`, as that of all that follow.
    pub(super) async fn start_redis(&self) -> Result<(Process, String), HarnessError> {
        let port = free_port()?;
        let mut command = Command::new(self.redis.join("redis-server"));
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(self.folder);
        let log = self.folder.join("redis.log");
        let mut process = Process::spawn("redis-server", command, log)?;
        let address = loopback(port);
        let listens = async || match TcpStream::connect(&address).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        process
            .until_ready("redis-server to listen", START_DEADLINE, listens)
            .await?;
        Ok((process, address))
    }

    pub(super) async fn start_repo_server(
        &self,
        redis: &str,
    ) -> Result<(Process, String), HarnessError> {
        let (port, metrics) = (free_port()?, free_port()?);
        let mut command = self.command("argocd-repo-server");
        command
            .args(["--redis", redis, "--disable-tls"])
            .args(["--address", "127.0.0.1", "--port", &port.to_string()])
            .args(["--metrics-address", "127.0.0.1"])
            .args(["--metrics-port", &metrics.to_string()]);
        let process = self.start("argocd-repo-server", command, metrics).await?;
        Ok((process, loopback(port)))
    }

    pub(super) async fn start_controller(
        &self,
        redis: &str,
        repositories: &str,
    ) -> Result<Process, HarnessError> {
        let metrics = free_port()?;
        let mut command = self.command("argocd-application-controller");
        command
            .args(["--redis", redis])
            .args(["--repo-server", repositories, "--repo-server-plaintext"])
            .args(["--namespace", ARGO_CD_NAMESPACE])
            // Nobody waits here for what a person would wait for.
            .args(["--app-resync", "10", "--app-resync-jitter", "0"])
            .args(["--persist-resource-health"])
            .args(["--metrics-port", &metrics.to_string()]);
        self.start("argocd-application-controller", command, metrics)
            .await
    }

    pub(super) async fn start_server(
        &self,
        redis: &str,
        repositories: &str,
    ) -> Result<(Process, String), HarnessError> {
        let (port, metrics) = (free_port()?, free_port()?);
        let mut command = self.command("argocd-server");
        command
            .args(["--redis", redis])
            .args(["--repo-server", repositories, "--repo-server-plaintext"])
            .args(["--namespace", ARGO_CD_NAMESPACE])
            .args(["--insecure", "--disable-auth"])
            .args(["--address", "127.0.0.1", "--port", &port.to_string()])
            .args(["--metrics-address", "127.0.0.1"])
            .args(["--metrics-port", &metrics.to_string()]);
        let process = self.start("argocd-server", command, port).await?;
        Ok((process, loopback(port)))
    }

    /// A program with an environment of its own.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("KUBECONFIG", self.kubeconfig)
            .env("HOME", self.folder.join("home"))
            .env("TMPDIR", self.folder.join("tmp"))
            // It is no Pod, and still deploys into the cluster that it lives in.
            .env("ARGOCD_FAKE_IN_CLUSTER", "true")
            .env("ARGOCD_GPG_ENABLED", "false")
            .env("ARGOCD_TLS_DATA_PATH", self.folder.join("tls"))
            .env("ARGOCD_SSH_DATA_PATH", self.folder.join("ssh"))
            .env("ARGOCD_GNUPGHOME", self.folder.join("gnupg"))
            .env("ARGOCD_PLUGINSOCKFILEPATH", self.folder.join("plugins"))
            .env("ARGOCD_ASK_PASS_SOCK", self.folder.join("ask-pass.sock"));
        command
    }

    /// Starts a program, which serves `/healthz` on the port once it works.
    async fn start(
        &self,
        name: &str,
        command: Command,
        health: u16,
    ) -> Result<Process, HarnessError> {
        let log = self.folder.join(format!("{name}.log"));
        let mut process = Process::spawn(name, command, log)?;
        let url = format!("http://{}/healthz", loopback(health));
        let is_healthy = async || match self.http.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(answer.status().to_string()),
            Err(error) => Err(error.to_string()),
        };
        process
            .until_ready("/healthz", START_DEADLINE, is_healthy)
            .await?;
        Ok(process)
    }
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
