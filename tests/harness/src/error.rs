//! The one error of the crate: written for the person who reads a failed test.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use crate::Timeout;

/// Why the harness could not do what a test asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HarnessError {
    /// A file or process could not be handled.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// `tests/control-plane/build` failed; what it printed on stderr says why.
    #[error("{} failed ({status}); its output above says why", script.display())]
    Build {
        /// The script.
        script: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// A process ended, or was not ready in time, while it was being started.
    #[error("{process} did not start: {reason}\n--- the last lines of its output ---\n{log}")]
    Start {
        /// Its name.
        process: String,
        /// What was awaited, and what was seen instead.
        reason: String,
        /// The tail of what it printed.
        log: String,
    },
    /// A kubectl call failed.
    #[error("kubectl {arguments}: {stderr}")]
    Kubectl {
        /// Its arguments.
        arguments: String,
        /// What it printed.
        stderr: String,
    },
    /// A helm command failed.
    #[error("helm {arguments}: {printed}")]
    Helm {
        /// Its arguments.
        arguments: String,
        /// What it printed.
        printed: String,
    },
    /// A Kubernetes API call failed.
    #[error("{what}: {source}")]
    Kubernetes {
        /// What was attempted.
        what: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// A kubeconfig could not be used.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// An HTTP call that is not the Kubernetes API failed.
    #[error("{what}: {source}")]
    Http {
        /// What was attempted.
        what: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// A condition did not come true in time.
    #[error(transparent)]
    Timeout(#[from] Timeout),
}

impl HarnessError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }

    pub(crate) fn kubernetes(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        |source| Self::Kubernetes {
            what,
            source: Box::new(source),
        }
    }

    pub(crate) fn http(what: impl Into<String>) -> impl FnOnce(reqwest::Error) -> Self {
        let what = what.into();
        |source| Self::Http { what, source }
    }
}
