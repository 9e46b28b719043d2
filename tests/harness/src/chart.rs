//! The chart at the root of the repository, as helm reads it, and manifests cut into what a test needs of them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::{HarnessError, Part};

/// The release that people install, and `deploy/install.yaml` renders.
const RELEASE: &str = "cloudflare-sso-operator";
/// Where it is installed.
const NAMESPACE: &str = "cloudflare-sso-system";
/// What a rendering takes the cluster for.
const KUBERNETES: &str = "1.33.0";
/// The kinds of those documents that give the operator its rights.
const RIGHTS: [&str; 6] = [
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
];

/// helm, and the chart in this checkout.
#[derive(Debug)]
pub struct Chart {
    helm: PathBuf,
    /// helm's own files, which must not be the person's.
    home: TempDir,
}

impl Chart {
    /// The chart as the helm of this part reads it.
    ///
    /// # Errors
    /// As [`Part::folder`].
    pub async fn with(helm: Part) -> Result<Self, HarnessError> {
        let home = tempfile::Builder::new()
            .prefix("helm-")
            .tempdir()
            .map_err(HarnessError::io("creating a temporary folder"))?;
        Ok(Self {
            helm: helm.folder().await?.join("helm"),
            home,
        })
    }

    /// The root of the repository, which is the chart.
    #[must_use]
    pub fn folder() -> PathBuf {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        package.ancestors().nth(2).unwrap_or(package).to_owned()
    }

    /// A folder for files that go with this value.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What gives the operator its rights in `deploy/install.yaml`, which is rendered from the chart; see [`rights_in`].
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn installed_rights() -> Result<String, HarnessError> {
        let path = Self::folder().join("deploy/install.yaml");
        let manifest = std::fs::read_to_string(&path)
            .map_err(HarnessError::io(format!("reading {}", path.display())))?;
        Ok(rights_in(&manifest))
    }

    /// The objects of the release with these values, as YAML.
    ///
    /// # Errors
    /// helm refuses the values; the message is what it printed.
    pub async fn render(&self, values: &str) -> Result<String, HarnessError> {
        self.template(&Self::folder(), values, &[]).await
    }

    /// The same when the release is there already, with what is done before it is upgraded.
    ///
    /// # Errors
    /// As [`Chart::render`].
    pub async fn render_upgrade(&self, values: &str) -> Result<String, HarnessError> {
        self.template(&Self::folder(), values, &["--is-upgrade"])
            .await
    }

    /// The same of a chart that stands elsewhere.
    ///
    /// # Errors
    /// As [`Chart::render`].
    pub async fn render_chart(&self, chart: &Path, values: &str) -> Result<String, HarnessError> {
        self.template(chart, values, &[]).await
    }

    async fn template(
        &self,
        chart: &Path,
        values: &str,
        flags: &[&str],
    ) -> Result<String, HarnessError> {
        let file = tempfile::Builder::new()
            .suffix(".yaml")
            .tempfile_in(self.home())
            .map_err(HarnessError::io("creating a file for values"))?;
        std::fs::write(file.path(), values).map_err(HarnessError::io("writing values"))?;
        let (chart, values) = (chart.to_string_lossy(), file.path().to_string_lossy());
        let known = [
            "template",
            RELEASE,
            &chart,
            "--namespace",
            NAMESPACE,
            "--kube-version",
            KUBERNETES,
            "--values",
            &values,
        ];
        self.helm(&[&known[..], flags].concat()).await
    }

    /// What a helm command that must succeed printed.
    ///
    /// # Errors
    /// It failed; the message is what it printed.
    pub async fn helm(&self, arguments: &[&str]) -> Result<String, HarnessError> {
        let output = Command::new(&self.helm)
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.home())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(HarnessError::io("running helm"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(HarnessError::Helm {
            arguments: arguments.join(" "),
            printed: text(&output.stdout) + &text(&output.stderr),
        })
    }
}

/// The documents of a manifest that give the operator its rights: the namespace, the `ServiceAccount`, roles and bindings.
#[must_use]
pub fn rights_in(manifest: &str) -> String {
    documents(manifest)
        .filter(|document| {
            let kind = document
                .lines()
                .find_map(|line| line.strip_prefix("kind: "));
            kind.is_some_and(|kind| RIGHTS.contains(&kind))
        })
        .flat_map(|document| ["---\n", document, "\n"])
        .collect()
}

/// The documents of a manifest, each as it is written.
pub fn documents(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .trim_start_matches("---\n")
        .split("\n---\n")
        .map(str::trim_end)
        .filter(|document| !document.is_empty())
}
