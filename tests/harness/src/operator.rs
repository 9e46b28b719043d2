//! The operator as a process, exactly as its image runs it.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use reqwest::{StatusCode, Url};
use tempfile::TempDir;

use crate::{HarnessError, Process, free_port, until};

/// How the operator is started.
#[derive(Debug, Clone)]
pub struct OperatorOptions {
    /// The program under test.
    pub binary: PathBuf,
    /// Whose rights it has; see [`ControlPlane::service_account_kubeconfig`](crate::ControlPlane::service_account_kubeconfig).
    pub kubeconfig: PathBuf,
    /// The simulator's address.
    pub cloudflare_base_url: Url,
    /// Further flags of `run`, such as those that scale its durations.
    pub flags: Vec<String>,
}

/// A running operator. It is killed when this value is dropped; in a failing test its last lines are shown then.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    address: String,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Operator {
    /// Starts it with an environment of its own: nothing but PATH, HOME and KUBECONFIG.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn start(options: &OperatorOptions) -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new()
            .prefix("operator-")
            .tempdir()
            .map_err(HarnessError::io("creating a temporary folder"))?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(&options.binary);
        command
            .arg("run")
            .args([
                "--cloudflare-base-url",
                options.cloudflare_base_url.as_str(),
            ])
            .args(["--listen", &address])
            .args(&options.flags)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", folder.path())
            .env("KUBECONFIG", &options.kubeconfig);
        let process = Process::spawn("the operator", command, folder.path().join("operator.log"))?;
        Ok(Self {
            process,
            address,
            http: reqwest::Client::new(),
            _folder: folder,
        })
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// It ended, or `deadline` passed; the message shows the end of its log.
    pub async fn until_ready(&mut self, deadline: Duration) -> Result<(), HarnessError> {
        let url = format!("http://{}/readyz", self.address);
        let http = &self.http;
        let is_ready = async || match http.get(&url).send().await {
            Ok(answer) if answer.status() == StatusCode::OK => Ok(()),
            Ok(answer) => Err(answer.status().to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.process
            .until_ready("/readyz of the operator", deadline, is_ready)
            .await
    }

    /// Its metrics, as Prometheus would read them.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<String, HarnessError> {
        self.get("/metrics").await
    }

    /// Whether it is the one of several replicas that acts, by its own metrics.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn leads(&self) -> Result<bool, HarnessError> {
        let metrics = self.metrics().await?;
        Ok(metrics
            .lines()
            .any(|line| line == "cloudflare_sso_leader 1"))
    }

    /// Waits until it [leads](Self::leads).
    ///
    /// # Errors
    /// `deadline` passed.
    pub async fn until_leads(&self, deadline: Duration) -> Result<(), HarnessError> {
        let leads = async || match self.leads().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        until("the operator to lead", deadline, leads).await?;
        Ok(())
    }

    /// The body of any page of its HTTP server, whatever the status.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn get(&self, path: &str) -> Result<String, HarnessError> {
        let url = format!("http://{}{path}", self.address);
        let reading = || HarnessError::http(format!("reading {path} of the operator"));
        let answer = self.http.get(&url).send().await.map_err(reading())?;
        answer.text().await.map_err(reading())
    }

    /// Where it serves probes and metrics: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// SIGKILL; see [`Process::kill`].
    ///
    /// # Errors
    /// The operating system refused.
    pub fn kill(&mut self) -> Result<ExitStatus, HarnessError> {
        self.process.kill()
    }

    /// SIGTERM; see [`Process::terminate`].
    ///
    /// # Errors
    /// It did not end within `deadline`.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus, HarnessError> {
        self.process.terminate(deadline).await
    }

    /// All it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// The last lines it printed.
    #[must_use]
    pub fn tail(&self) -> String {
        self.process.tail()
    }

    /// The process itself: pausing, its log file, its ID.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the operator's last lines ---\n{}", self.process.tail());
        }
    }
}
