//! A Kubernetes control plane of a test's own.
//!
//! etcd and kube-apiserver, and on request kube-controller-manager (garbage collection, namespace deletion, default
//! `ServiceAccounts`) and an audit log. Everything listens on 127.0.0.1, lives in one temporary folder, and is gone when
//! the value is dropped.

mod audit;
mod components;
mod kubeconfig;
mod kubectl;

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use reqwest::Url;
use tempfile::TempDir;

pub use audit::AuditEvent;
pub use kubectl::Output;

use crate::ports::until_ports_are_free;
use crate::{HarnessError, Process, Programs, await_object};
use components::Files;
use kubeconfig::Access;

const START_DEADLINE: Duration = Duration::from_mins(1);
const SERVICE_ACCOUNT_TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// What a control plane has beside etcd and kube-apiserver.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    controller_manager: bool,
    audit_log: bool,
}

impl Options {
    /// With kube-controller-manager: namespaces can be deleted, owners take their objects along.
    #[must_use]
    pub fn with_controller_manager(self) -> Self {
        Self {
            controller_manager: true,
            ..self
        }
    }

    /// With an audit log, read by [`ControlPlane::audit_events`].
    #[must_use]
    pub fn with_audit_log(self) -> Self {
        Self {
            audit_log: true,
            ..self
        }
    }
}

/// A running control plane.
pub struct ControlPlane {
    // In the order in which they are dropped: who calls before who is called, the folder last.
    controller_manager: Option<Process>,
    api_server: Process,
    etcd: Process,
    etcd_url: Url,
    programs: Programs,
    files: Files,
    client: Client,
    url: Url,
    kubeconfig: PathBuf,
    folder: TempDir,
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ControlPlane")
            .field("url", &self.url.as_str())
            .field("folder", &self.folder.path())
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Starts one and waits until it answers. The first call on a machine builds the programs, which takes minutes.
    ///
    /// # Errors
    /// A program could not be built or did not start; the message shows the end of its log.
    pub async fn start(options: Options) -> Result<Self, HarnessError> {
        let programs = Programs::locate().await?;
        // Boxed, so that the many tests that await this stay small themselves.
        until_ports_are_free(async || Box::pin(Self::start_once(&programs, options)).await).await
    }

    async fn start_once(programs: &Programs, options: Options) -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new()
            .prefix("control-plane-")
            .tempdir()
            .map_err(HarnessError::io("creating a temporary folder"))?;
        let path = folder.path();
        let (etcd, etcd_url) = components::start_etcd(programs, path).await?;
        let mut files = Files::write(path)?;
        if options.audit_log {
            files.write_audit_policy()?;
        }
        let url = components::api_server_url()?;
        let mut api_server =
            components::start_api_server(programs, &files, &etcd_url, &url).await?;
        let kubeconfig = path.join("admin.kubeconfig");
        Access::Verified {
            url: &url,
            authority: &files.authority,
        }
        .write(&kubeconfig, &files.admin_token, "default")?;
        let client = client_for(&kubeconfig).await?;
        components::await_api_server(&mut api_server, &client).await?;
        let controller_manager = if options.controller_manager {
            Some(components::start_controller_manager(
                programs,
                &files,
                &kubeconfig,
            )?)
        } else {
            None
        };
        let control_plane = Self {
            controller_manager,
            api_server,
            etcd,
            etcd_url,
            programs: programs.clone(),
            files,
            client,
            url,
            kubeconfig,
            folder,
        };
        control_plane.await_default_objects().await?;
        Ok(control_plane)
    }

    /// The API server is ready before the objects that every cluster has are there.
    async fn await_default_objects(&self) -> Result<(), HarnessError> {
        let namespaces: Api<Namespace> = Api::all(self.client());
        await_object(&namespaces, "default", "to exist", START_DEADLINE, |_| true).await?;
        if self.controller_manager.is_some() {
            // kube-controller-manager has no port of its own here; its first work shows that it runs.
            let accounts: Api<ServiceAccount> = Api::default_namespaced(self.client());
            await_object(&accounts, "default", "to exist", START_DEADLINE, |_| true).await?;
        }
        Ok(())
    }

    /// A client with every right.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The kubeconfig file of an administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// Where the API server listens.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The programs it runs, kubectl among them.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The temporary folder in which everything lives, for more files that shall go with it.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The PEM file of the authority that signed the API server's certificate.
    #[must_use]
    pub fn certificate_authority(&self) -> PathBuf {
        components::certificate_authority(self.folder.path())
    }

    /// The API server, to be paused or killed.
    pub fn api_server(&mut self) -> &mut Process {
        &mut self.api_server
    }

    /// Kills the API server and starts it again on the same port, over the same etcd and with the same certificate. It
    /// returns when the API server is ready.
    ///
    /// # Errors
    /// It did not start.
    pub async fn restart_api_server(&mut self) -> Result<(), HarnessError> {
        self.api_server.kill()?;
        self.start_api_server().await
    }

    /// Starts the API server, which was killed, again.
    ///
    /// # Errors
    /// It did not start.
    pub async fn start_api_server(&mut self) -> Result<(), HarnessError> {
        let (programs, files) = (&self.programs, &self.files);
        self.api_server =
            components::start_api_server(programs, files, &self.etcd_url, &self.url).await?;
        components::await_api_server(&mut self.api_server, &self.client).await
    }

    /// Lets etcd forget all but the newest version of everything. An API server that remembers older ones goes on telling
    /// them until it is [restarted](Self::restart_api_server).
    ///
    /// # Errors
    /// etcd refused.
    pub async fn compact_etcd(&self) -> Result<(), HarnessError> {
        components::compact_etcd(&self.etcd_url).await
    }

    /// etcd, to be paused or killed.
    pub fn etcd(&mut self) -> &mut Process {
        &mut self.etcd
    }

    /// Writes a kubeconfig file that has exactly the rights of a `ServiceAccount`, by a token from the API server.
    /// With `server` the calls go there instead of straight to the API server: the address of an
    /// [`ApiServerProxy`](crate::ApiServerProxy).
    ///
    /// # Errors
    /// There is no such `ServiceAccount`.
    pub async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
        server: Option<Url>,
    ) -> Result<PathBuf, HarnessError> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(SERVICE_ACCOUNT_TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let token = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(HarnessError::kubernetes(format!(
                "a token for {namespace}/{name}"
            )))?
            .status
            .map(|status| status.token)
            .unwrap_or_default();
        let authority = self.certificate_authority();
        let access = match &server {
            Some(url) => Access::Plain { url },
            None => Access::Verified {
                url: &self.url,
                authority: &authority,
            },
        };
        let unique = crate::ports::random();
        let path = self
            .folder()
            .join(format!("{namespace}-{name}-{unique:x}.kubeconfig"));
        access.write(&path, &token, namespace)?;
        Ok(path)
    }

    /// The calls that the API server has logged so far, each once. The last ones may appear a moment after their answer,
    /// so wait for what you expect. Empty without [`Options::with_audit_log`].
    ///
    /// # Errors
    /// The log could not be read.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>, HarnessError> {
        audit::read(&components::audit_log(self.folder.path()))
    }
}

/// A client for a kubeconfig file.
async fn client_for(kubeconfig: &std::path::Path) -> Result<Client, HarnessError> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Client::try_from(config).map_err(HarnessError::kubernetes("building a client"))
}
