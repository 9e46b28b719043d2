//! A name server that never answers: what is sent to it arrives, by UDP and TCP, and that is all.

use std::io::ErrorKind;
use std::net::SocketAddr;

use crate::HarnessError;
use crate::ports::Sockets;

/// A loopback port at which questions arrive and are not answered.
#[derive(Debug)]
pub struct SilentServer {
    sockets: Sockets,
    questions: usize,
}

impl SilentServer {
    /// Binds a free port.
    ///
    /// # Errors
    /// None was free.
    pub fn start() -> Result<Self, HarnessError> {
        let sockets = Sockets::bind()?;
        sockets
            .udp
            .set_nonblocking(true)
            .map_err(HarnessError::io("binding a silent server"))?;
        Ok(Self {
            sockets,
            questions: 0,
        })
    }

    /// Where it listens, by UDP and TCP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.sockets.address
    }

    /// How many questions have come by UDP so far. Who gets no answer repeats itself, and each time counts.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn questions(&mut self) -> Result<usize, HarnessError> {
        loop {
            // Of what does not fit the rest is dropped.
            match self.sockets.udp.recv(&mut [0]) {
                Ok(_) => self.questions += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(self.questions),
                Err(error) => return Err(HarnessError::io("counting questions")(error)),
            }
        }
    }
}
