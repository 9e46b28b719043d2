//! What the operator needs around it: a control plane, and Cloudflare.

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Chart, ControlPlane, Options};
use reqwest::Url;
use simulator::{Knobs, Permission, Simulator, TokenRequest};

use crate::Failure;

/// The account of the samples in `deploy/samples/`.
pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// Where `deploy/` puts the operator.
pub(crate) const OPERATOR_NAMESPACE: &str = "cloudflare-sso-system";
/// As whom it runs there.
pub(crate) const OPERATOR_ACCOUNT: &str = "cloudflare-sso-operator";
/// Cloudflare looks for TXT records more seldom; nobody wants to wait that long here.
const SIMULATED_DNS_POLL: Duration = Duration::from_secs(1);

/// A control plane and a simulator that know of each other's users.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) control_plane: ControlPlane,
    pub(crate) simulator: Simulator,
    /// An API token that may do everything about SSO in [`ACCOUNT`].
    pub(crate) token: String,
    /// Another one, which may edit the account's DNS and nothing else.
    pub(crate) dns_token: String,
}

impl Surroundings {
    /// Starts both.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let knobs = Knobs {
            poll_interval: SIMULATED_DNS_POLL,
            ..Knobs::default()
        };
        let simulator = Simulator::start(knobs).await?;
        let request = TokenRequest::new("playground")
            .grant(ACCOUNT, Permission::ALL)
            .with_text("play-token");
        let token = simulator.admin().issue_token(request);
        let request = TokenRequest::new("playground DNS")
            .grant(ACCOUNT, Permission::DNS)
            .with_text("play-dns-token");
        let dns_token = simulator.admin().issue_token(request);
        simulator.admin().add_identity_provider(ACCOUNT);

        let control_plane =
            ControlPlane::start(Options::default().with_controller_manager()).await?;
        Ok(Self {
            control_plane,
            simulator,
            token,
            dns_token,
        })
    }

    /// Installs `crds/` and the rights of `deploy/install.yaml`, for an operator that is no Pod.
    pub(crate) async fn install_rights(&self) -> Result<(), Failure> {
        for file in yaml_files(&repository().join("crds"))? {
            self.control_plane.apply(&read(&file)?).await?;
        }
        let rights = Chart::installed_rights()?;
        self.control_plane.apply(&rights).await?;
        Ok(())
    }

    /// What the operator calls instead of Cloudflare.
    pub(crate) fn cloudflare_base_url(&self) -> Result<Url, Failure> {
        Ok(Url::parse(&self.simulator.base_url())?)
    }

    /// The lines that a person needs to use it by hand; `programs` are folders with what they need on their PATH.
    pub(crate) fn how_to_look_around(&self, programs: &[PathBuf]) -> String {
        let kubectl = self.control_plane.programs().kubectl();
        let kubectl = kubectl.parent().map(Path::to_owned);
        let path: String = programs
            .iter()
            .chain(&kubectl)
            .map(|folder| folder.display().to_string() + ":")
            .collect();
        format!(
            "  export KUBECONFIG={}\n  export PATH={path}$PATH\n\n\
             Simulated Cloudflare\n  base URL:   {}\n  admin API:  {}\n  account:    {ACCOUNT}\n  token:      {}\n  DNS token:  {}",
            self.control_plane.kubeconfig().display(),
            self.simulator.base_url(),
            self.simulator.admin_url(),
            self.token,
            self.dns_token,
        )
    }
}

/// The checkout that this program was built from.
pub(crate) fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listing =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = listing
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    Ok(files)
}
