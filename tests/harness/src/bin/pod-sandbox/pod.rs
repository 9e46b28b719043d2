//! The first process of a Pod.

use std::fs::OpenOptions;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use clap::Args;
use harness::pods::protocol::{self, Exit, Launch, Order, Request};
use rtnetlink::LinkUnspec;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::process::{Child, Command};

use crate::{Failure, relay};

/// The loopback device is the first of every network namespace.
const LOOPBACK: u32 = 1;
const HOST_PREFIX: u8 = 32;

/// What a Pod is made of.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder with its sockets
    #[arg(long)]
    folder: PathBuf,
    /// Its host name
    #[arg(long)]
    hostname: String,
    /// Its address, beside 127.0.0.1
    #[arg(long)]
    address: Ipv4Addr,
    /// A port of the machine's loopback that is on its loopback, too
    #[arg(long)]
    reach: Vec<u16>,
}

/// Serves until the harness is gone.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    rustix::system::sethostname(arguments.hostname.as_bytes())?;
    bring_loopback_up(arguments.address).await?;
    for port in &arguments.reach {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await?;
        tokio::spawn(relay::outwards(
            listener,
            *port,
            protocol::outside(&arguments.folder),
        ));
    }
    let listener = UnixListener::bind(protocol::inside(&arguments.folder))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let address = arguments.address;
        tokio::spawn(async move {
            if let Err(failure) = serve(stream, address).await {
                eprintln!("pod-sandbox: {failure}");
            }
        });
    }
}

async fn bring_loopback_up(address: Ipv4Addr) -> Result<(), Failure> {
    let (connection, netlink, _) = rtnetlink::new_connection()?;
    let connection = tokio::spawn(connection);
    let up = LinkUnspec::new_with_index(LOOPBACK).up().build();
    netlink.link().set(up).execute().await?;
    let address = IpAddr::V4(address);
    netlink
        .address()
        .add(LOOPBACK, address, HOST_PREFIX)
        .execute()
        .await?;
    connection.abort();
    Ok(())
}

async fn serve(mut stream: UnixStream, address: Ipv4Addr) -> Result<(), Failure> {
    match protocol::read_line(&mut stream).await? {
        Request::Dial(port) => relay::inwards(stream, address, port).await,
        Request::Run(launch) => {
            let exit = match start(&launch) {
                Ok(child) => supervise(child, &mut stream).await?,
                Err(failure) => Exit::NotStarted(failure.to_string()),
            };
            protocol::write_line(&mut stream, &exit).await?;
        }
        Request::Live => {
            let end: Result<Request, _> = protocol::read_line(&mut stream).await;
            // Whoever asked for this Pod is gone, however that came about.
            drop(end);
            std::process::exit(0);
        }
    }
    Ok(())
}

/// Starts this program again, in a mount namespace of the container's own and as the leader of its group.
fn start(launch: &Launch) -> Result<Child, Failure> {
    let description = launch.root.with_extension("json");
    std::fs::write(&description, serde_json::to_vec(launch)?)?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&launch.log)?;
    let child = Command::new("unshare")
        .arg("--mount")
        .arg("--")
        .arg(own_program()?)
        .arg("container")
        .arg(description)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

fn own_program() -> Result<PathBuf, Failure> {
    // Not the link in /proc: that one is of the namespace that the program was started from.
    let named = std::env::args_os().next().unwrap_or_default();
    Ok(std::fs::canonicalize(Path::new(&named))?)
}

/// Waits for the end of the container and does as it is told meanwhile.
async fn supervise(mut child: Child, stream: &mut UnixStream) -> Result<Exit, Failure> {
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(id.cast_signed()))
        .ok_or("the container was over before it began")?;
    loop {
        let order = tokio::select! {
            status = child.wait() => return Ok(exit(status?)),
            order = protocol::read_line(stream) => order.unwrap_or(Order::Kill),
        };
        let signal = match order {
            Order::Terminate => Signal::TERM,
            Order::Kill => Signal::KILL,
        };
        // It may just have ended.
        let _ = kill_process_group(group, signal);
        if order == Order::Kill {
            return Ok(exit(child.wait().await?));
        }
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::NotStarted(status.to_string()),
    }
}
