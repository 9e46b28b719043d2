//! The Cloudflare API for dashboard SSO and DNS on loopback, for tests and for people.
//!
//! A [`Simulator`] serves two sides of one state on one port. Under `/client/v4` it is Cloudflare: the client under
//! test talks to it. Under `/admin`, and typed in [`Admin`], it is everybody else: the person who publishes a TXT
//! record, the colleague who disables SSO by hand, the network that loses an answer, and the test that looks at the
//! calls that were made.
//!
//! The rooms: `state` is the pure model with time passed in, with DNS in a room of its own; `route`, `query`,
//! `authentication`, `operations` and `answer` are the API's way in and out; `api` leads a call through them and past the
//! `faults`; `world` is the shared state behind one lock; `server` owns the sockets. A domain is verified by the
//! simulator's own zones and what was published by hand, or by a real name server ([`DnsTruth`]), which `look_ups` asks.
//!
//! What Cloudflare does not document is a knob, and the codes that nobody has seen are invented placeholders
//! ([`Refusal`], [`DnsRefusal`]): assert on HTTP statuses, never on codes from 990001 to 990015.

mod admin;
mod admin_routes;
mod answer;
mod api;
mod authentication;
mod calls;
mod dns_refusal;
mod duration;
mod faults;
pub mod knobs;
mod limits;
mod look_ups;
mod operations;
mod query;
mod refusal;
mod route;
mod server;
mod state;
mod subject;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use admin::{Admin, FaultHandle};
pub use calls::{Call, Calls, Outcome};
pub use dns_refusal::{DnsRefusal, Flaw};
pub use faults::{Failure, Fault, FaultBody, FaultId, FaultReport, Repeat, When};
pub use k8s_openapi::jiff::Timestamp;
pub use knobs::Knobs;
pub use refusal::Refusal;
pub use route::Operation;
pub use state::{
    Connector, ConnectorChange, ConnectorDraft, DnsRecord, DnsTruth, Effect, Permission,
    RecordChange, RecordDraft, RecordType, TokenOwner, TokenRequest, VerificationStatus, Zone,
    ZoneStatus, ZoneType,
};
pub use world::World;

use world::Shared;

/// How a simulator starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// How it behaves at first.
    pub knobs: Knobs,
    /// Where its verification looks for TXT records, to its end.
    pub dns_truth: DnsTruth,
}

impl Default for Setup {
    /// A free port of 127.0.0.1, the default knobs, and its own zones.
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            knobs: Knobs::default(),
            dns_truth: DnsTruth::default(),
        }
    }
}

/// A running simulator. It ends when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    admin: Admin,
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(knobs: Knobs) -> io::Result<Self> {
        let setup = Setup {
            knobs,
            ..Setup::default()
        };
        Self::start_with(setup).await
    }

    /// Starts one as the setup says.
    ///
    /// # Errors
    /// If the address cannot be bound, or no resolver can be made for the name server.
    pub async fn start_with(setup: Setup) -> io::Result<Self> {
        let listener = TcpListener::bind(setup.address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(setup.knobs, setup.dns_truth));
        let admin = Admin::new(shared.clone());
        let routes = admin_routes::router(admin.clone());
        let mut tasks = JoinSet::new();
        if let DnsTruth::NameServer(address) = setup.dns_truth {
            let resolver = look_ups::resolver(address)?;
            tasks.spawn(look_ups::run(shared.clone(), resolver));
        }
        tasks.spawn(server::run(listener, shared.clone(), routes));
        tasks.spawn(async move { shared.run_clock().await });
        Ok(Self {
            address,
            admin,
            tasks,
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
        self.tasks.abort_all();
        // Calls run in tasks of their own; those that are held would wait for ever.
        self.admin.clear_faults();
    }
}
