//! kubectl, as a person uses it.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::ControlPlane;
use crate::{HarnessError, await_object};

const ESTABLISHED_DEADLINE: Duration = Duration::from_secs(30);

/// What a finished command printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its arguments, for messages.
    pub arguments: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// The standard output of a command that must have succeeded.
    ///
    /// # Errors
    /// It failed; the message is what it printed.
    pub fn success(self) -> Result<String, HarnessError> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(HarnessError::Kubectl {
            arguments: self.arguments,
            stderr: self.stderr,
        })
    }
}

impl ControlPlane {
    /// Runs kubectl as the administrator. A failed command is an [`Output`] like any other.
    ///
    /// # Errors
    /// kubectl could not be run.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<Output, HarnessError> {
        self.kubectl_with_input(arguments, "").await
    }

    /// Runs kubectl as the administrator, with `input` as its standard input.
    ///
    /// # Errors
    /// kubectl could not be run.
    pub async fn kubectl_with_input(
        &self,
        arguments: &[&str],
        input: &str,
    ) -> Result<Output, HarnessError> {
        let running = || HarnessError::io("running kubectl");
        let mut child = self
            .kubectl_command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(running())?;
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read its input closes it, and says itself what is wrong.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output.map_err(running())?;
        Ok(Output {
            arguments: arguments.join(" "),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// A kubectl of the administrator, to be given arguments and run. It ends when its process handle is dropped.
    #[must_use]
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(self.programs().kubectl());
        command
            .env("KUBECONFIG", self.kubeconfig())
            // Its discovery cache lives there; the person's own must neither help nor hurt.
            .env("HOME", self.folder())
            .kill_on_drop(true);
        command
    }

    /// `kubectl apply` of one or more YAML documents, server-side. Returns when the `CustomResourceDefinitions` among them
    /// are established.
    ///
    /// # Errors
    /// The API server refused a document, or a CRD was not established in time.
    pub async fn apply(&self, yaml: &str) -> Result<(), HarnessError> {
        let arguments = ["apply", "--server-side", "--output=name", "--filename=-"];
        let applied = self.kubectl_with_input(&arguments, yaml).await?.success()?;
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client());
        for object in applied.lines() {
            if let Some(("customresourcedefinition.apiextensions.k8s.io", name)) =
                object.split_once('/')
            {
                await_object(
                    &definitions,
                    name,
                    "to be established",
                    ESTABLISHED_DEADLINE,
                    is_established,
                )
                .await?;
            }
        }
        Ok(())
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}
