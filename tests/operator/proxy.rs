//! Behind a proxy that looks into TLS, as companies have them: it is the way to Cloudflare and not to the API server, and its
//! authority is trusted beside the others.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use harness::{Process, free_port};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::stage::{ACCOUNT, OPERATOR_NAMESPACE, Stage, repository};

/// Nobody resolves this name.
const CLOUDFLARE: &str = "https://cloudflare.test/client/v4";

/// It takes every connection for one to the simulator, and remembers for whom it was.
struct Proxy {
    url: String,
    asked_for: Arc<Mutex<Vec<String>>>,
    work: JoinHandle<()>,
}

impl Proxy {
    async fn start(simulator: &str) -> Self {
        let simulator: reqwest::Url = simulator.parse().unwrap();
        let behind = format!("127.0.0.1:{}", simulator.port().unwrap());
        let certificate = CertificateDer::from_pem_file(fixture("proxy.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(fixture("proxy.key")).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked_for = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked_for);
        let work = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let tunnel = tunnel(client, tls.clone(), behind.clone(), Arc::clone(&log));
                tokio::spawn(tunnel);
            }
        });
        Self {
            url,
            asked_for,
            work,
        }
    }

    fn asked_for(&self) -> Vec<String> {
        let mut asked_for = self.asked_for.lock().unwrap().clone();
        asked_for.dedup();
        asked_for
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// Answers `CONNECT host:port`, ends TLS, and passes on what is said.
async fn tunnel(
    client: TcpStream,
    tls: TlsAcceptor,
    behind: String,
    asked_for: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked_for.lock().unwrap().push(target.clone());
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await?;
    if target.starts_with("127.0.0.1:") {
        // The API server has a certificate of its own.
        let mut server = TcpStream::connect(target).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let mut client = tls.accept(client).await?;
    let mut server = TcpStream::connect(behind).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn fixture(name: &str) -> std::path::PathBuf {
    repository().join("tests/operator/fixtures").join(name)
}

/// The binary with this environment and no other.
fn operator(stage: &Stage, kubeconfig: &Path, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudflare-sso-operator"));
    command
        .env_clear()
        .env("HOME", stage.control_plane.folder())
        .env("KUBECONFIG", kubeconfig)
        .env("CLOUDFLARE_BASE_URL", CLOUDFLARE)
        .env("CLOUDFLARE_API_TOKEN", &stage.token)
        .env("LEASE_NAMESPACE", OPERATOR_NAMESPACE)
        .envs(environment.iter().copied());
    command
}

#[tokio::test]
async fn cloudflare_is_reached_through_the_proxy_and_the_api_server_is_not() {
    let stage = Stage::set().await;
    let kubeconfig = stage
        .control_plane
        .service_account_kubeconfig(OPERATOR_NAMESPACE, "cloudflare-sso-operator", None)
        .await
        .unwrap();
    let proxy = Proxy::start(&stage.simulator.base_url()).await;
    let authority = fixture("proxy-authority.crt");
    let trusting = [
        ("HTTPS_PROXY", &*proxy.url),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
        ("SSL_CERT_DIR", "/etc/ssl/certs"),
    ];
    let mut command = operator(&stage, &kubeconfig, &trusting);
    let listen = format!("127.0.0.1:{}", free_port().unwrap());
    command.args(["run", "--listen", &listen]);
    let log = stage.control_plane.folder().join("operator.log");
    let running = Process::spawn("the operator", command, log).unwrap();
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(proxy.asked_for(), ["cloudflare.test:443"]);
    drop(running);

    for (environment, says) in [
        (&trusting[..], "ok       Cloudflare answers"),
        (&trusting[..1], "FAILED   Cloudflare answers"),
    ] {
        let mut command = operator(&stage, &kubeconfig, environment);
        command.args(["check", "--account", ACCOUNT]);
        let output = tokio::process::Command::from(command).output();
        let output = output.await.unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(report.contains(says), "{report}");
        assert!(report.contains("The API server answers: v1"), "{report}");
    }

    let mut command = operator(&stage, stage.control_plane.kubeconfig(), &trusting[..1]);
    command.args(["crd", "apply"]);
    let output = tokio::process::Command::from(command).output();
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn the_api_server_is_reached_through_the_proxy_that_the_kubeconfig_names() {
    let stage = Stage::set().await;
    let proxy = Proxy::start(&stage.simulator.base_url()).await;
    let administrator = std::fs::read_to_string(stage.control_plane.kubeconfig()).unwrap();
    let mut kubeconfig: serde_json::Value = serde_saphyr::from_str(&administrator).unwrap();
    kubeconfig["clusters"][0]["cluster"]["proxy-url"] = proxy.url.as_str().into();
    let path = stage.control_plane.folder().join("behind-a-proxy");
    std::fs::write(&path, kubeconfig.to_string()).unwrap();

    let mut command = operator(&stage, &path, &[]);
    command.args(["crd", "apply"]);
    let output = tokio::process::Command::from(command).output();
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let api_server = format!("127.0.0.1:{}", stage.control_plane.url().port().unwrap());
    assert_eq!(proxy.asked_for(), [api_server]);
}
