//! A name server that never answers: what is sent to it arrives, by UDP and TCP, and nobody reads it.

use std::net::SocketAddr;

use crate::HarnessError;
use crate::ports::Sockets;

/// A loopback port with sockets that nobody reads.
#[derive(Debug)]
pub struct SilentServer {
    sockets: Sockets,
}

impl SilentServer {
    /// Binds a free port.
    ///
    /// # Errors
    /// None was free.
    pub fn start() -> Result<Self, HarnessError> {
        let sockets = Sockets::bind()?;
        Ok(Self { sockets })
    }

    /// Where it listens, by UDP and TCP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.sockets.address
    }
}
