//! The Cloudflare dashboard-SSO API on loopback, for tests and for people.
//!
//! A [`Simulator`] serves two sides of one state on one port. Under `/client/v4` it is Cloudflare: the client under
//! test talks to it. Under `/admin`, and typed in [`Admin`], it is everybody else: the person who publishes a TXT
//! record, the colleague who disables SSO by hand, the network that loses an answer, and the test that looks at the
//! calls that were made.
//!
//! The rooms: [`state`] is the pure model with time passed in; `route`, `authentication`, `operations` and `answer`
//! are the API's way in and out; `api` leads a call through them and past the [`faults`]; `world` is the shared state
//! behind one lock; `server` owns the sockets.
//!
//! What Cloudflare does not document is a knob, and the codes that nobody has seen are invented placeholders
//! ([`Refusal`]): assert on HTTP statuses, never on codes from 990001 to 990011.

mod admin;
mod admin_routes;
mod answer;
mod api;
mod authentication;
mod calls;
pub mod duration;
pub mod faults;
pub mod knobs;
mod limits;
mod operations;
mod refusal;
mod route;
mod server;
pub mod state;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use admin::{Admin, FaultHandle};
pub use calls::{Call, Calls, Outcome};
pub use faults::{Failure, Fault, FaultBody, FaultId, FaultReport, Repeat, When};
pub use k8s_openapi::jiff::Timestamp;
pub use knobs::Knobs;
pub use refusal::Refusal;
pub use route::Operation;
pub use state::{
    Connector, ConnectorChange, ConnectorDraft, Effect, Permission, TokenOwner, TokenRequest,
    VerificationStatus,
};
pub use world::World;

use world::Shared;

/// A running simulator. It ends when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    admin: Admin,
    server: JoinHandle<()>,
    clock: JoinHandle<()>,
}

impl Simulator {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(knobs: Knobs) -> io::Result<Self> {
        Self::start_on((Ipv4Addr::LOCALHOST, 0).into(), knobs).await
    }

    /// Starts one on a given address.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start_on(address: SocketAddr, knobs: Knobs) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(knobs));
        let admin = Admin::new(shared.clone());
        let routes = admin_routes::router(admin.clone());
        let server = tokio::spawn(server::run(listener, shared.clone(), routes));
        let clock = tokio::spawn(async move { shared.run_clock().await });
        Ok(Self {
            address,
            admin,
            server,
            clock,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands in for `https://api.cloudflare.com/client/v4`, without a final slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.address, route::PREFIX)
    }

    /// Where people find the admin API, without a final slash.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}/admin", self.address)
    }

    /// The other side: accounts, tokens, DNS, faults, and what happened.
    #[must_use]
    pub const fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.admin.calls()
    }

    /// Waits until `condition` holds, looking again at every change.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if it does not hold within `deadline`.
    pub async fn until(
        &self,
        condition: impl FnMut(&World) -> bool,
        deadline: Duration,
    ) -> io::Result<()> {
        self.admin.until(condition, deadline).await
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
        self.clock.abort();
        // Calls run in tasks of their own; those that are held would wait for ever.
        self.admin.clear_faults();
    }
}
