//! The operator's image, built for real and unpacked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::process::Command;

use crate::HarnessError;

/// The image of this checkout. What was unpacked is gone when this value is dropped.
#[derive(Debug)]
pub struct Image {
    archive: PathBuf,
    configuration: Configuration,
    layers: Vec<Layer>,
    unpacked: TempDir,
}

/// What the image says of itself, as the OCI image specification has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Configuration {
    /// The machine it is for, such as `amd64`.
    pub architecture: String,
    /// The system it is for.
    pub os: String,
    /// How a container of it is run.
    pub config: Execution,
}

/// How a container of an image is run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Execution {
    /// The user, and the group after a colon.
    pub user: String,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments that a Pod's `args` replace.
    pub cmd: Vec<String>,
    /// Variables, as `NAME=value`.
    pub env: Vec<String>,
    /// The folder it starts in.
    pub working_dir: String,
    /// Ports, as `8080/tcp`.
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A part of the image, as it travels.
#[derive(Debug, Clone, Deserialize)]
pub struct Layer {
    /// Which one, as `sha256:…`.
    pub digest: String,
    /// Its compressed size in bytes.
    pub size: u64,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Layer>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Layer,
    layers: Vec<Layer>,
}

impl Image {
    /// The image, built with `.ci/image` if anything has changed since it was built last (minutes, with its progress on
    /// stderr), and unpacked into a folder of its own.
    ///
    /// # Errors
    /// It could not be built or unpacked.
    pub async fn build() -> Result<Self, HarnessError> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/image");
        let printed = run(Command::new(script).stdin(Stdio::null())).await?;
        let archive = PathBuf::from(printed.trim());
        let unpacked = tempfile::Builder::new()
            .prefix("image-")
            .tempdir()
            .map_err(HarnessError::io("creating a temporary folder"))?;
        let layout = create(unpacked.path().join("layout"))?;
        let root = create(unpacked.path().join("root"))?;
        unpack(&archive, &layout).await?;
        let index: Index = read(&layout.join("index.json"))?;
        let [image] = &index.manifests[..] else {
            return Err(unusable(&archive, "it does not hold exactly one image"));
        };
        let Manifest { config, layers } = read(&image.within(&layout))?;
        for layer in &layers {
            unpack(&layer.within(&layout), &root).await?;
        }
        Ok(Self {
            configuration: read(&config.within(&layout))?,
            archive,
            layers,
            unpacked,
        })
    }

    /// The root file system of a container, before anything is mounted into it.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.unpacked.path().join("root")
    }

    /// What it says of itself.
    #[must_use]
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What it is made of, lowest first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The OCI archive that it was unpacked from.
    #[must_use]
    pub fn archive(&self) -> &Path {
        &self.archive
    }
}

impl Layer {
    /// Where it is in an unpacked archive.
    fn within(&self, layout: &Path) -> PathBuf {
        layout.join("blobs").join(self.digest.replace(':', "/"))
    }
}

fn create(folder: PathBuf) -> Result<PathBuf, HarnessError> {
    let creating = HarnessError::io(format!("creating {}", folder.display()));
    std::fs::create_dir(&folder).map_err(creating)?;
    Ok(folder)
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, HarnessError> {
    let reading = || HarnessError::io(format!("reading {}", file.display()));
    let text = std::fs::read(file).map_err(reading())?;
    serde_json::from_slice(&text).map_err(|error| reading()(error.into()))
}

fn unusable(file: &Path, why: &str) -> HarnessError {
    HarnessError::io(format!("unpacking {}", file.display()))(std::io::Error::other(why))
}

async fn unpack(archive: &Path, folder: &Path) -> Result<(), HarnessError> {
    let mut tar = Command::new("tar");
    tar.arg("--extract")
        .arg("--file")
        .arg(archive)
        .arg("--directory")
        .arg(folder);
    run(&mut tar).await?;
    Ok(())
}

/// Runs a program that must succeed, and returns what it printed.
async fn run(command: &mut Command) -> Result<String, HarnessError> {
    let program = PathBuf::from(command.as_std().get_program());
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .await
        .map_err(HarnessError::io(format!("running {}", program.display())))?;
    if !output.status.success() {
        return Err(HarnessError::Build {
            script: program,
            status: output.status,
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
