//! The image: what is in it, what it says of itself, and that the operator works from nothing but that, read-only and with no
//! rights on the machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use harness::{ContainerImage, Image, Options, PodRunner, RunningPods, await_object};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use reqwest::Url;
use serde_json::json;
use simulator::Operation;

use crate::stage::{
    ACCOUNT, BRISK, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, PATIENCE, Stage, quick_knobs, repository,
};

const PROGRAM: &str = "/cloudflare-sso-operator";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
const IMAGE: &str = "cloudflare-sso-operator:test";
const CONTAINER: &str = "operator";
/// What the program may grow to before somebody asks why.
const LARGEST: u64 = 24 * 1024 * 1024;

#[tokio::test]
async fn nothing_is_in_it_but_the_program_and_the_certificates() {
    let image = Image::build().await.unwrap();
    let files = files(&image.root());
    let archive = fs::metadata(image.archive()).unwrap().len();
    println!("archive: {archive} bytes");
    for layer in image.layers() {
        println!("layer {}: {} bytes", layer.digest, layer.size);
    }
    for (path, file) in &files {
        println!("{:>5o} {:>9} {path}", file.mode, file.size);
    }
    let expected = [
        (PROGRAM, 0o755),
        ("/etc", 0o755),
        ("/etc/ssl", 0o755),
        ("/etc/ssl/certs", 0o755),
        (CERTIFICATES, 0o644),
    ];
    let found: Vec<(&str, u32)> = files
        .iter()
        .map(|(path, file)| (path.as_str(), file.mode))
        .collect();
    assert_eq!(found, expected, "no shell, no package manager, no library");
    assert_eq!(image.layers().len(), 1);
    assert!(files[PROGRAM].size < LARGEST, "{}", files[PROGRAM].size);
    assert!(archive < LARGEST, "{archive}");
    let certificates = fs::read_to_string(image.root().join(&CERTIFICATES[1..])).unwrap();
    assert!(certificates.matches("BEGIN CERTIFICATE").count() > 50);
}

#[tokio::test]
async fn it_says_what_it_is_and_how_it_is_run() {
    let image = Image::build().await.unwrap();
    let configuration = image.configuration();
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    assert_eq!(
        (
            configuration.os.as_str(),
            configuration.architecture.as_str()
        ),
        ("linux", architecture)
    );
    let execution = &configuration.config;
    assert_eq!(execution.user, "65532:65532", "numbers, for runAsNonRoot");
    assert_eq!(execution.entrypoint, [PROGRAM]);
    assert!(execution.cmd.is_empty(), "running is the default");
    assert_eq!(
        execution.exposed_ports.keys().collect::<Vec<_>>(),
        ["8080/tcp"]
    );
    let label = |name: &str| {
        let name = format!("org.opencontainers.image.{name}");
        execution.labels.get(&name).cloned().unwrap_or_default()
    };
    assert_eq!(label("title"), env!("CARGO_PKG_NAME"));
    assert_eq!(label("description"), env!("CARGO_PKG_DESCRIPTION"));
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), "Apache-2.0");
    for name in ["revision", "created", "source"] {
        assert!(!label(name).is_empty(), "{name}");
    }
}

#[test]
fn its_builder_is_the_compiler_of_the_checkout() {
    let read = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .unwrap();
    let builder = format!("ARG RUST_IMAGE=rust:{channel}-slim-");
    assert!(read("Dockerfile").contains(&builder), "{builder}");
}

#[test]
fn the_page_has_a_row_for_each_build_argument() {
    let read = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    let (recipe, page) = (read("Dockerfile"), read("docs/image.md"));
    let arguments: Vec<String> = recipe
        .lines()
        .filter_map(|line| line.strip_prefix("ARG ")?.split_once('='))
        .map(|(name, default)| format!("| `{name}` | `{default}` |"))
        .collect();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), arguments.len());
    for (row, argument) in rows.iter().zip(&arguments) {
        assert!(
            row.starts_with(argument.as_str()),
            "{row} is not {argument}"
        );
    }
}

#[tokio::test]
async fn its_commands_need_nothing_else() {
    let running = Running::set().await;
    let version = running.command("version", &["--version"]).await;
    assert_eq!(
        version,
        format!("cloudflare-sso-operator {}\n", env!("CARGO_PKG_VERSION"))
    );
    let definition = running.command("crd", &["crd"]).await;
    let file = repository().join("crds/ssoconnectors.cloudflare-sso.dev.yaml");
    assert_eq!(definition, fs::read_to_string(file).unwrap());
    let checked = running
        .command("check", &["check", "--account", ACCOUNT])
        .await;
    let well = |line: &str| line.starts_with("ok");
    assert!(
        checked.lines().count() > 4 && checked.lines().all(well),
        "{checked}"
    );
}

#[tokio::test]
async fn the_operator_works_read_only_and_without_rights_on_the_machine() {
    let running = Running::set().await;
    running.run("operator", "Always", &BRISK).await;
    running
        .stage
        .enabled_connector("example", "example.com")
        .await;
    let calls = running.stage.simulator.calls();
    assert_eq!(calls.clone().of(Operation::Create).count(), 1);
    assert_eq!(
        calls.of(Operation::Update).last().unwrap().body,
        Some(json!({ "enabled": true }))
    );

    let process = running.process();
    let status = fs::read_to_string(process.join("status")).unwrap();
    let status: BTreeMap<&str, &str> = status
        .lines()
        .filter_map(|line| line.split_once(":\t"))
        .collect();
    assert_eq!(status["NoNewPrivs"], "1");
    if rustix::process::geteuid().is_root() {
        assert_eq!(status["CapEff"], "0000000000000000");
        assert_eq!(status["Uid"], "65532\t65532\t65532\t65532");
        assert_eq!(status["Gid"], "65532\t65532\t65532\t65532");
    }
    // Not even root can write where the process sees its own files.
    for folder in ["root", "root/etc", "root/etc/ssl/certs"] {
        let refusal = fs::write(process.join(folder).join("written"), "").unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::ReadOnlyFilesystem, "{folder}");
    }
}

/// The image in a control plane whose Pods run.
struct Running {
    pods: RunningPods,
    stage: Stage,
    _image: Image,
}

impl Running {
    async fn set() -> Self {
        let image = Image::build().await.unwrap();
        let stage = Stage::with(Options::default().with_controller_manager(), quick_knobs()).await;
        let simulator: Url = stage.simulator.base_url().parse().unwrap();
        let pods = PodRunner::new()
            .image(IMAGE, ContainerImage::from(&image))
            .reach(simulator.port().unwrap())
            .start(&stage.control_plane)
            .await
            .unwrap();
        Self {
            pods,
            stage,
            _image: image,
        }
    }

    /// Runs a command to its end, which must be a good one, and returns what it printed.
    async fn command(&self, name: &str, arguments: &[&str]) -> String {
        self.run(name, "Never", arguments).await;
        let awaited = |pod: &Pod| {
            let phase = pod
                .status
                .as_ref()
                .and_then(|status| status.phase.as_deref());
            matches!(phase, Some("Succeeded" | "Failed"))
        };
        let pods: Api<Pod> = Api::namespaced(self.stage.control_plane.client(), OPERATOR_NAMESPACE);
        let ended = await_object(&pods, name, "to end", PATIENCE, awaited)
            .await
            .unwrap();
        let printed = self.pods.output(OPERATOR_NAMESPACE, name, CONTAINER);
        let phase = ended.status.unwrap().phase;
        assert_eq!(phase.as_deref(), Some("Succeeded"), "{printed}");
        printed
    }

    /// Runs the image with these arguments, with as few rights on the machine as the chart leaves to it.
    async fn run(&self, name: &str, restart_policy: &str, arguments: &[&str]) {
        // A name, as the address of Cloudflare is one.
        let simulator = self.stage.simulator.base_url();
        let simulator = simulator.replace("127.0.0.1", "localhost");
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name, "namespace": OPERATOR_NAMESPACE },
            "spec": {
                "serviceAccountName": OPERATOR_ACCOUNT,
                // The account itself leaves it to its Pods to ask for the token.
                "automountServiceAccountToken": true,
                "restartPolicy": restart_policy,
                "securityContext": {
                    "runAsNonRoot": true,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "containers": [{
                    "name": CONTAINER,
                    "image": IMAGE,
                    "args": arguments,
                    "env": [
                        { "name": "CLOUDFLARE_BASE_URL", "value": simulator },
                        { "name": "CLOUDFLARE_API_TOKEN", "value": self.stage.token },
                    ],
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": { "drop": ["ALL"] },
                    },
                }],
            },
        });
        self.stage.apply(&pod).await;
    }

    /// Where the machine shows the operator's process.
    fn process(&self) -> PathBuf {
        let own = self.stage.simulator.base_url();
        let own = own.replace("127.0.0.1", "localhost");
        let is_it = |process: &PathBuf| {
            let read = |file| fs::read_to_string(process.join(file)).unwrap_or_default();
            read("cmdline").starts_with(PROGRAM) && read("environ").contains(&own)
        };
        let mut processes = fs::read_dir("/proc").unwrap();
        processes
            .find_map(|entry| entry.ok().map(|entry| entry.path()).filter(is_it))
            .unwrap()
    }
}

/// A file or folder of the image.
struct File {
    mode: u32,
    size: u64,
}

/// All that is below the folder, by path.
fn files(root: &Path) -> BTreeMap<String, File> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let path = entry.path();
            let name = Path::new("/").join(path.strip_prefix(root).unwrap());
            let file = File {
                mode: metadata.permissions().mode() & 0o7777,
                size: metadata.len(),
            };
            found.insert(name.display().to_string(), file);
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}
