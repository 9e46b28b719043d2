//! The one running `playground cluster` of a user, and how another process finds and ends it.
//!
//! The running one holds a lock on a file that has its process ID. The lock goes with the process however it ends, so an ID
//! in a locked file is never somebody else's.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use harness::until;
use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

const END_DEADLINE: Duration = Duration::from_secs(30);

/// Held while a cluster runs.
#[derive(Debug)]
pub(crate) struct Running {
    _lock: File,
}

impl Running {
    /// Becomes the one that runs.
    pub(crate) fn claim() -> Result<Self, Failure> {
        let mut file = open()?;
        if !lock(&file)? {
            let process = process(&mut file)?;
            let process = process.as_raw_nonzero();
            return Err(
                format!("another one runs (process {process}): `make cluster-down`").into(),
            );
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _lock: file })
    }
}

/// Ends the one that runs and waits until it is gone. It is fine if there is none.
pub(crate) async fn end_running() -> Result<(), Failure> {
    let mut file = open()?;
    if lock(&file)? {
        eprintln!("no cluster is running");
        return Ok(());
    }
    let process = process(&mut file)?;
    kill_process(process, Signal::TERM)?;
    until("the cluster to end", END_DEADLINE, async || {
        match lock(&file) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("process {} still runs", process.as_raw_nonzero())),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?;
    eprintln!("the cluster has ended");
    Ok(())
}

/// The file, in the cache folder that `tests/control-plane/build` uses too.
fn open() -> Result<File, Failure> {
    let folder = cache_folder().ok_or("neither SSO_OPERATOR_CACHE nor HOME is set")?;
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("cluster.pid");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    Ok(file)
}

fn cache_folder() -> Option<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    folder("SSO_OPERATOR_CACHE").or_else(|| {
        let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
        Some(caches.join("cloudflare-sso-operator"))
    })
}

/// Whether the lock is ours now.
fn lock(file: &File) -> Result<bool, Failure> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn process(file: &mut File) -> Result<Pid, Failure> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    text.trim()
        .parse()
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| "it has only just been started; try again".into())
}
