//! The harness's side of a Pod's sandbox: namespaces of the Pod's own, and the ways in and out of them.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::protocol::{self, Exit, Launch, Order, Request};
use crate::{HarnessError, Process};

const START_DEADLINE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the namespaces are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privilege {
    /// By root: users of the machine exist in the Pod.
    Root,
    /// By somebody else, who is root within, and there is nobody else within.
    UserNamespace,
}

impl Privilege {
    pub(super) fn of_this_process() -> Self {
        if rustix::process::geteuid().is_root() {
            Self::Root
        } else {
            Self::UserNamespace
        }
    }
}

/// A Pod's sandbox. Everything in it ends when this value is dropped.
pub(super) struct Sandbox {
    _live: UnixStream,
    _process: Process,
    _outside: AbortOnDropHandle<()>,
    folder: TempDir,
}

impl Sandbox {
    pub(super) async fn start(
        program: &Path,
        hostname: &str,
        address: Ipv4Addr,
        reach: &[u16],
    ) -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new()
            .prefix("pod-")
            .tempdir()
            .map_err(HarnessError::io("creating a temporary folder"))?;
        let listener = UnixListener::bind(protocol::outside(folder.path()))
            .map_err(HarnessError::io("listening for a sandbox"))?;
        let reachable = reach.to_vec();
        let outside = AbortOnDropHandle::new(tokio::spawn(answer(listener, reachable)));
        let mut command = Command::new("unshare");
        match Privilege::of_this_process() {
            Privilege::Root => {}
            Privilege::UserNamespace => {
                command.args(["--user", "--map-root-user"]);
            }
        }
        command
            .args([
                "--net",
                "--mount",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "--",
            ])
            .arg(program)
            .arg("pod")
            .arg("--folder")
            .arg(folder.path())
            .args(["--hostname", hostname])
            .args(["--address", &address.to_string()])
            .args(
                reach
                    .iter()
                    .flat_map(|port| ["--reach".to_owned(), port.to_string()]),
            );
        let log = folder.path().join("sandbox.log");
        let mut process = Process::spawn("a sandbox", command, log)?;
        let live = first_connection(&mut process, folder.path()).await?;
        Ok(Self {
            _live: live,
            _process: process,
            _outside: outside,
            folder,
        })
    }

    /// A folder for what belongs to the Pod.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a container.
    pub(super) async fn run(&self, launch: Launch) -> io::Result<Running> {
        let inside = protocol::inside(self.folder());
        let stream = open(&inside, &Request::Run(Box::new(launch))).await?;
        Ok(Running::over(stream))
    }

    /// Where on the machine's loopback a port of the Pod is to be found, as long as the second value lives.
    pub(super) async fn expose(
        &self,
        port: u16,
    ) -> io::Result<(SocketAddr, AbortOnDropHandle<()>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let inside = protocol::inside(self.folder());
        let carrying = tokio::spawn(async move {
            while let Ok((mut outer, _)) = listener.accept().await {
                let inside = inside.clone();
                tokio::spawn(async move {
                    // Whoever connects sees a refusal as a connection that ends.
                    if let Ok(mut inner) = open(&inside, &Request::Dial(port)).await {
                        let _ = copy_bidirectional(&mut outer, &mut inner).await;
                    }
                });
            }
        });
        Ok((address, AbortOnDropHandle::new(carrying)))
    }
}

/// A running container. It is killed when this value is dropped.
pub(super) struct Running {
    orders: OwnedWriteHalf,
    exit: AbortOnDropHandle<Exit>,
}

impl Running {
    fn over(stream: UnixStream) -> Self {
        let (mut answers, orders) = stream.into_split();
        let exit = tokio::spawn(async move {
            let exit = protocol::read_line(&mut answers).await;
            exit.unwrap_or_else(|failure| {
                Exit::NotStarted(format!("the sandbox is gone: {failure}"))
            })
        });
        Self {
            orders,
            exit: AbortOnDropHandle::new(exit),
        }
    }

    /// Waits for its end, which is told once. May be dropped and called again before.
    pub(super) async fn ended(&mut self) -> Exit {
        let exit = (&mut self.exit).await;
        exit.unwrap_or_else(|failure| Exit::NotStarted(failure.to_string()))
    }

    /// Tells it to end. It may just have ended.
    pub(super) async fn order(&mut self, order: Order) {
        let _ = protocol::write_line(&mut self.orders, &order).await;
    }
}

/// The connection that the sandbox lives as long as.
async fn first_connection(
    process: &mut Process,
    folder: &Path,
) -> Result<UnixStream, HarnessError> {
    let inside = protocol::inside(folder);
    let end = Instant::now() + START_DEADLINE;
    loop {
        let refusal = match open(&inside, &Request::Live).await {
            Ok(stream) => return Ok(stream),
            Err(refusal) => refusal,
        };
        if !process.is_running()? || Instant::now() > end {
            return Err(HarnessError::Start {
                process: "a sandbox".to_owned(),
                reason: format!("its socket: {refusal}"),
                log: process.tail(),
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn open(socket: &Path, request: &Request) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    protocol::write_line(&mut stream, request).await?;
    Ok(stream)
}

/// Carries the Pod's connections to those ports of the machine's loopback that it may reach.
async fn answer(listener: UnixListener, reachable: Vec<u16>) {
    while let Ok((mut inner, _)) = listener.accept().await {
        let reachable = reachable.clone();
        tokio::spawn(async move {
            if let Ok(Request::Dial(port)) = protocol::read_line(&mut inner).await
                && reachable.contains(&port)
                && let Ok(mut outer) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
            {
                let _ = copy_bidirectional(&mut inner, &mut outer).await;
            }
        });
    }
}

/// The program that runs inside, built if it is not up to date.
pub(super) async fn program() -> Result<PathBuf, HarnessError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let script = PathBuf::from(&cargo);
    let output = tokio::process::Command::new(cargo)
        // Of the whole workspace, so that its libraries are those of `cargo build --workspace`, which `make test` begins with.
        .args(["build", "--quiet", "--locked", "--workspace"])
        .args(["--bin", "pod-sandbox", "--message-format=json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .map_err(HarnessError::io("running cargo"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .find_map(|message| message.executable)
        .ok_or(HarnessError::Build {
            script,
            status: output.status,
        })
}

/// What cargo says of what it has built.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}
