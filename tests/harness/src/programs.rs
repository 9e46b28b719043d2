//! The programs that tests stand on, built or unpacked on first use.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::HarnessError;

/// What `tests/control-plane/build` provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// etcd, kube-apiserver, kube-controller-manager, kubectl.
    ControlPlane,
    /// helm, of its third line.
    Helm3,
    /// helm, of its fourth line.
    Helm4,
    /// argocd, argocd-application-controller, argocd-repo-server, argocd-server; beside the folder of the programs are
    /// Argo CD's own `manifests/`.
    ArgoCd,
    /// redis-server.
    Redis,
    /// prometheus, promtool.
    Prometheus,
    /// buildah.
    Buildah,
    /// knotd.
    Knot,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Helm3 => "helm3",
            Self::Helm4 => "helm4",
            Self::ArgoCd => "argo-cd",
            Self::Redis => "redis",
            Self::Prometheus => "prometheus",
            Self::Buildah => "buildah",
            Self::Knot => "knot",
        }
    }

    /// The folder with its programs. What is missing is built first (minutes, with its progress on stderr); what is there
    /// is found within milliseconds.
    ///
    /// # Errors
    /// The script could not run, or a build failed.
    pub async fn folder(self) -> Result<PathBuf, HarnessError> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane/build");
        let output = Command::new(&script)
            .arg(self.name())
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
        Ok(String::from_utf8_lossy(&output.stdout).trim().into())
    }
}

/// Where the programs of the control plane are.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those of [`Part::ControlPlane`].
    ///
    /// # Errors
    /// As [`Part::folder`].
    pub async fn locate() -> Result<Self, HarnessError> {
        let folder = Part::ControlPlane.folder().await?;
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
