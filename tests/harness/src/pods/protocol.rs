//! What the harness and the program `pod-sandbox` tell each other, over the Unix sockets of a Pod.
//!
//! Each connection begins with one line of JSON, a [`Request`]. What follows on it belongs to that request.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A line longer than this is none of ours.
const LONGEST_LINE: usize = 1 << 20;

/// The socket on which the sandbox listens, in the Pod's folder.
#[must_use]
pub fn inside(folder: &Path) -> PathBuf {
    folder.join("inside")
}

/// The socket on which the harness listens, in the Pod's folder.
#[must_use]
pub fn outside(folder: &Path) -> PathBuf {
    folder.join("outside")
}

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// A connection to this TCP port of the other side's loopback; what follows is its bytes.
    Dial(u16),
    /// A container. [`Order`] lines follow, and one [`Exit`] line comes back. It is killed when the connection ends.
    Run(Box<Launch>),
    /// Nothing: the sandbox ends when this connection does.
    Live,
}

/// A container, in the words of the operating system.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Launch {
    /// The folder that is its root, its own to change.
    pub root: PathBuf,
    /// Whether the root can be written to.
    pub root_access: Access,
    /// What is put in place below the root.
    pub mounts: Vec<Mount>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Where it starts.
    pub working_folder: PathBuf,
    /// Who it is.
    pub identity: Identity,
    /// Whether it may become more than it is.
    pub escalation: Escalation,
    /// The file that its output is appended to.
    pub log: PathBuf,
}

/// A file or folder of the machine that a container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is.
    pub source: PathBuf,
    /// Where the container sees it.
    pub target: PathBuf,
    /// Whether it can be written to.
    pub access: Access,
}

/// Whether something can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// It cannot.
    ReadOnly,
    /// It can.
    ReadWrite,
}

/// Who a process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// Somebody of the machine.
    Of {
        /// The user.
        user: u32,
        /// The group.
        group: u32,
        /// Further groups.
        further_groups: Vec<u32>,
    },
    /// The root of a user namespace, as which nobody else exists.
    RootOfNamespace,
}

/// Whether a process may become more than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Escalation {
    /// By programs that carry rights of their own.
    Allowed,
    /// By nothing.
    Forbidden,
}

/// What becomes of a running container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It never ran.
    NotStarted(String),
}

/// Writes a value as a line.
///
/// # Errors
/// The other side is gone.
pub async fn write_line<T: Serialize + Sync>(
    stream: &mut (impl AsyncWriteExt + Unpin + Send),
    value: &T,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

/// Reads a value that stands in a line, and no byte beyond it.
///
/// # Errors
/// The other side is gone, or sent something else.
pub async fn read_line<T: DeserializeOwned>(
    stream: &mut (impl AsyncReadExt + Unpin + Send),
) -> io::Result<T> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(serde_json::from_slice(&line)?),
            _ if line.len() >= LONGEST_LINE => return Err(io::ErrorKind::InvalidData.into()),
            byte => line.push(byte),
        }
    }
}
