//! The programs of the control plane, built on first use.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::HarnessError;

/// Where etcd, kube-apiserver, kube-controller-manager and kubectl are.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Asks `tests/control-plane/build`, which builds what is missing (minutes, with its progress on stderr) and
    /// answers within milliseconds afterwards.
    ///
    /// # Errors
    /// The script could not run, or a build failed.
    pub async fn locate() -> Result<Self, HarnessError> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane/build");
        let output = Command::new(&script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .await
            .map_err(HarnessError::io(format!("running {}", script.display())))?;
        if !output.status.success() {
            return Err(HarnessError::Build {
                script,
                status: output.status,
            });
        }
        let folder = String::from_utf8_lossy(&output.stdout).trim().into();
        Ok(Self { folder })
    }

    /// The kubectl that fits the control plane.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    pub(crate) fn kube_apiserver(&self) -> PathBuf {
        self.folder.join("kube-apiserver")
    }

    pub(crate) fn kube_controller_manager(&self) -> PathBuf {
        self.folder.join("kube-controller-manager")
    }
}
