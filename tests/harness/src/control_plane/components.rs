//! The command lines of etcd, kube-apiserver and kube-controller-manager.

use std::path::{Path, PathBuf};
use std::process::Command;

use kube::Client;
use reqwest::Url;
use serde_json::{Value, json};

use super::{START_DEADLINE, audit};
use crate::{HarnessError, Process, Programs, free_port};

/// Signs and verifies `ServiceAccount` tokens. Checked in, because it protects nothing: it is only ever trusted by control
/// planes that live for the length of a test on loopback.
const SERVICE_ACCOUNT_KEY: &str = include_str!("../../fixtures/service-account.key");

/// The files that the programs are told about.
pub(super) struct Files {
    folder: PathBuf,
    pub(super) admin_token: String,
    tokens: PathBuf,
    service_account_key: PathBuf,
    audit_policy: Option<PathBuf>,
    pub(super) authority: PathBuf,
}

impl Files {
    pub(super) fn write(folder: &Path) -> Result<Self, HarnessError> {
        let admin_token = format!(
            "{:016x}{:016x}",
            crate::ports::random(),
            crate::ports::random()
        );
        let tokens = folder.join("tokens.csv");
        write(
            &tokens,
            &format!("{admin_token},admin,admin,\"system:masters\"\n"),
        )?;
        let service_account_key = folder.join("service-account.key");
        write(&service_account_key, SERVICE_ACCOUNT_KEY)?;
        Ok(Self {
            folder: folder.to_owned(),
            admin_token,
            tokens,
            service_account_key,
            audit_policy: None,
            authority: certificate_authority(folder),
        })
    }

    pub(super) fn write_audit_policy(&mut self) -> Result<(), HarnessError> {
        let path = self.folder.join("audit-policy.json");
        write(&path, audit::POLICY)?;
        self.audit_policy = Some(path);
        Ok(())
    }
}

pub(super) fn audit_log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}

/// kube-apiserver writes its certificate together with the authority that signed it.
pub(super) fn certificate_authority(folder: &Path) -> PathBuf {
    folder.join("certificates").join("apiserver.crt")
}

pub(super) async fn start_etcd(
    programs: &Programs,
    folder: &Path,
) -> Result<(Process, Url), HarnessError> {
    let name = format!("harness-{:x}", crate::ports::random());
    let url = loopback("http", free_port()?);
    let peer = loopback("http", free_port()?);
    let mut command = Command::new(programs.etcd());
    command
        .arg(format!("--name={name}"))
        .arg(format!("--data-dir={}", folder.join("etcd").display()))
        .arg(format!("--listen-client-urls={url}"))
        .arg(format!("--advertise-client-urls={url}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster={name}={peer}"))
        .arg("--unsafe-no-fsync");
    let mut process = Process::spawn("etcd", command, folder.join("etcd.log"))?;
    let members = format!("{url}/v3/cluster/member/list");
    let http = reqwest::Client::new();
    // Its name tells ours from another one that took the port first.
    let is_ours = async || {
        let answer = http
            .post(&members)
            .body("{}")
            .send()
            .await
            .map_err(|e| e.to_string())?;
        let answer = answer.text().await.map_err(|e| e.to_string())?;
        if answer.contains(&name) {
            Ok(())
        } else {
            Err(answer)
        }
    };
    process
        .until_ready("etcd to answer", START_DEADLINE, is_ours)
        .await?;
    Ok((process, parse(&url)))
}

/// Where an API server will listen.
pub(super) fn api_server_url() -> Result<Url, HarnessError> {
    Ok(parse(&loopback("https", free_port()?)))
}

pub(super) async fn start_api_server(
    programs: &Programs,
    files: &Files,
    etcd: &Url,
    url: &Url,
) -> Result<Process, HarnessError> {
    let port = url.port().unwrap_or_default();
    let folder = &files.folder;
    let key = files.service_account_key.display();
    let mut command = Command::new(programs.kube_apiserver());
    command
        .arg(format!(
            "--etcd-servers={}",
            etcd.as_str().trim_end_matches('/')
        ))
        .arg(format!(
            "--cert-dir={}",
            folder.join("certificates").display()
        ))
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--secure-port={port}"))
        // No Pod needs the `kubernetes` Service, and a loopback address may not stand in it.
        .arg("--endpoint-reconciler-type=none")
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .arg("--authorization-mode=RBAC")
        .arg(format!("--token-auth-file={}", files.tokens.display()))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(format!("--service-account-key-file={key}"))
        .arg(format!("--service-account-signing-key-file={key}"));
    if let Some(policy) = &files.audit_policy {
        command
            .arg(format!("--audit-policy-file={}", policy.display()))
            .arg(format!("--audit-log-path={}", audit_log(folder).display()))
            // In one file, however long: a new one is begun after 100 MB otherwise.
            .arg("--audit-log-maxsize=10000");
    }
    let log = folder.join("kube-apiserver.log");
    let mut process = Process::spawn("kube-apiserver", command, log)?;
    let has_certificate = async || match std::fs::read_to_string(&files.authority) {
        // Two certificates: its own and the authority's.
        Ok(text) if text.matches("END CERTIFICATE").count() >= 2 => Ok(()),
        Ok(_) => Err("an unfinished certificate file".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    process
        .until_ready("its certificate", START_DEADLINE, has_certificate)
        .await?;
    Ok(process)
}

/// Forgets every version of etcd's before the newest.
pub(super) async fn compact_etcd(etcd: &Url) -> Result<(), HarnessError> {
    let http = reqwest::Client::new();
    let compacting = || HarnessError::http("compacting etcd");
    let call = async |path: &str, body: &Value| {
        let request = http.post(format!("{etcd}v3/kv/{path}")).json(body);
        let answer = request.send().await.map_err(compacting())?;
        let answer = answer.error_for_status().map_err(compacting())?;
        answer.json::<Value>().await.map_err(compacting())
    };
    // Any key shows the revision; etcd's JSON wants it in base64.
    let newest = call("range", &json!({ "key": "AA==" })).await?;
    let revision = &newest["header"]["revision"];
    call(
        "compaction",
        &json!({ "revision": revision, "physical": true }),
    )
    .await?;
    Ok(())
}

pub(super) async fn await_api_server(
    process: &mut Process,
    client: &Client,
) -> Result<(), HarnessError> {
    let is_ready = async || {
        // Reading the file as its certificate's authority proves that it is ours.
        let request = hyper::Request::get("/readyz")
            .body(Vec::new())
            .map_err(|e| e.to_string())?;
        client
            .request_text(request)
            .await
            .map_err(|error| error.to_string())
    };
    process
        .until_ready("/readyz of kube-apiserver", START_DEADLINE, is_ready)
        .await?;
    Ok(())
}

pub(super) fn start_controller_manager(
    programs: &Programs,
    files: &Files,
    kubeconfig: &Path,
) -> Result<Process, HarnessError> {
    let mut command = Command::new(programs.kube_controller_manager());
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg("--use-service-account-credentials")
        .arg(format!(
            "--service-account-private-key-file={}",
            files.service_account_key.display()
        ))
        .arg(format!("--root-ca-file={}", files.authority.display()))
        // It is the only one, and nobody asks it for metrics.
        .arg("--leader-elect=false")
        .arg("--secure-port=0");
    let log = files.folder.join("kube-controller-manager.log");
    Process::spawn("kube-controller-manager", command, log)
}

fn loopback(scheme: &str, port: u16) -> String {
    format!("{scheme}://127.0.0.1:{port}")
}

fn parse(url: &str) -> Url {
    Url::parse(url).expect("an address of our own making parses")
}

fn write(path: &Path, text: &str) -> Result<(), HarnessError> {
    std::fs::write(path, text).map_err(HarnessError::io(format!("writing {}", path.display())))
}
