//! The image: what is in it, what it says of itself, and that the operator works from nothing but that, read-only and with no
//! rights on the machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use harness::Image;
use serde_json::json;
use simulator::Operation;
use tokio::process::Command;

use crate::container::Container;
use crate::surroundings::{ACCOUNT, OPERATOR_NAMESPACE, PATIENCE, Surroundings, repository};

const PROGRAM: &str = "/cloudflare-sso-operator";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
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

#[tokio::test]
async fn its_commands_need_nothing_else() {
    let surroundings = Surroundings::set().await;
    let container = Container::of(Image::build().await.unwrap());
    let kubeconfig = surroundings.operators_kubeconfig().await;
    container.put_kubeconfig(&kubeconfig);
    // The kubelet writes this file into every container.
    container.put(Path::new("/etc/hosts"), "127.0.0.1 localhost\n");
    let token = container.root().with_file_name("token");
    container.put(&token, &surroundings.token);
    let run = async |arguments: &[&str]| run(&container, &kubeconfig, arguments).await;

    let version = run(&["--version"]).await;
    assert_eq!(
        text(&version),
        format!("cloudflare-sso-operator {}\n", env!("CARGO_PKG_VERSION"))
    );
    let definition = run(&["crd"]).await;
    let file = repository().join("crds/ssoconnectors.cloudflare-sso.dev.yaml");
    assert_eq!(text(&definition), fs::read_to_string(file).unwrap());

    let by_name = surroundings
        .simulator
        .base_url()
        .replace("127.0.0.1", "localhost");
    let check = [
        &[
            "check",
            "--account",
            ACCOUNT,
            "--cloudflare-base-url",
            &by_name,
        ][..],
        &["--token-file", token.to_str().unwrap()],
        &["--lease-namespace", OPERATOR_NAMESPACE],
    ]
    .concat();
    let checked = run(&check).await;
    let report = text(&checked);
    assert!(checked.status.success(), "{checked:?}");
    assert!(
        report.lines().all(|line| line.starts_with("ok")),
        "{report}"
    );
}

#[tokio::test]
async fn the_operator_works_read_only_and_without_rights_on_the_machine() {
    let surroundings = Surroundings::set().await;
    let container = Container::of(Image::build().await.unwrap());
    let kubeconfig = surroundings.operators_kubeconfig().await;
    container.put_kubeconfig(&kubeconfig);
    let mut operator = surroundings.operator(container.program(), kubeconfig).await;

    surroundings
        .enabled_connector("example", "example.com")
        .await;
    let calls = surroundings.simulator.calls();
    assert_eq!(calls.clone().of(Operation::Create).count(), 1);
    assert_eq!(
        calls.of(Operation::Update).last().unwrap().body,
        Some(json!({ "enabled": true }))
    );

    let process = format!("/proc/{}", operator.process().id());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let status: BTreeMap<&str, &str> = status
        .lines()
        .filter_map(|line| line.split_once(":\t"))
        .collect();
    assert_eq!(status["NoNewPrivs"], "1");
    assert_eq!(status["CapEff"], "0000000000000000");
    if rustix::process::geteuid().is_root() {
        assert_eq!(status["Uid"], "65532\t65532\t65532\t65532");
        assert_eq!(status["Gid"], "65532\t65532\t65532\t65532");
        assert_eq!(status["Groups"].trim(), "65532");
    }
    for folder in ["", "etc", "tmp"] {
        let inside = Path::new(&process).join("root").join(folder);
        let file = inside.join("written");
        let refusal = fs::write(&file, "").unwrap_err().kind();
        let expected = if inside.exists() {
            std::io::ErrorKind::ReadOnlyFilesystem
        } else {
            std::io::ErrorKind::NotFound
        };
        assert_eq!(refusal, expected, "{}", file.display());
    }
    let ended = operator.terminate(PATIENCE).await.unwrap();
    assert!(ended.success(), "{ended}");
}

/// Runs a command of the image to its end.
async fn run(container: &Container, kubeconfig: &Path, arguments: &[&str]) -> Output {
    Command::new(container.program())
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("KUBECONFIG", AsRef::<OsStr>::as_ref(kubeconfig))
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

fn text(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    print!("{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
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
