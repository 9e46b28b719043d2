//! Free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::HarnessError;

/// Below the range that Linux and macOS hand out to outgoing connections, so that no client takes the port between
/// this check and the moment a child process listens.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port may be taken between the look at it and its use; more clashes in a row than this are something else.
const START_ATTEMPTS: usize = 3;

/// A random port on 127.0.0.1 on which nothing listens at the moment, neither by TCP nor by UDP. Another process may still
/// take it first; whoever starts a server on it must be ready to ask for another.
///
/// # Errors
/// No port was free in a hundred tries.
pub fn free_port() -> Result<u16, HarnessError> {
    let Sockets { address, .. } = Sockets::bind()?;
    Ok(address.port())
}

/// The two sockets of one free port, which is taken while they live.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) address: SocketAddr,
    _tcp: TcpListener,
    pub(crate) udp: UdpSocket,
}

impl Sockets {
    pub(crate) fn bind() -> Result<Self, HarnessError> {
        let mut refusal = None;
        for _ in 0..100 {
            let offset = random() % u64::from(COUNT);
            let port = FIRST + u16::try_from(offset).unwrap_or_default();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            match TcpListener::bind(address).and_then(|tcp| Ok((tcp, UdpSocket::bind(address)?))) {
                Ok((tcp, udp)) => {
                    return Ok(Self {
                        address,
                        _tcp: tcp,
                        udp,
                    });
                }
                Err(error) => refusal = Some(error),
            }
        }
        let source = refusal.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
        Err(HarnessError::Io {
            what: "looking for a free loopback port".into(),
            source,
        })
    }
}

/// Starts a server on ports that were free a moment ago, and again on others where one was taken meanwhile.
///
/// # Errors
/// The server did not start for another reason, or clashed too often.
pub(crate) async fn until_ports_are_free<T>(
    mut start: impl AsyncFnMut() -> Result<T, HarnessError>,
) -> Result<T, HarnessError> {
    let mut attempt = 1;
    loop {
        match start().await {
            Err(error) if attempt < START_ATTEMPTS && is_port_clash(&error) => attempt += 1,
            outcome => return outcome,
        }
    }
}

/// Whether a server did not start because its port was taken.
pub(crate) fn is_port_clash(error: &HarnessError) -> bool {
    matches!(error, HarnessError::Start { log, .. } if log.contains("address already in use"))
}

/// A random number; the standard library seeds its hash maps with fresh randomness.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::time::Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(log: &str) -> HarnessError {
        HarnessError::Start {
            process: "server".to_owned(),
            reason: "it ended".to_owned(),
            log: log.to_owned(),
        }
    }

    async fn starts(outcomes: &[Result<(), &str>]) -> (usize, bool) {
        let mut outcomes = outcomes.iter();
        let mut starts = 0;
        let outcome = until_ports_are_free(async || {
            starts += 1;
            outcomes.next().unwrap().map_err(error)
        });
        let is_up = outcome.await.is_ok();
        (starts, is_up)
    }

    #[tokio::test]
    async fn only_a_port_that_was_taken_is_a_reason_to_start_again_and_not_for_ever() {
        const CLASH: Result<(), &str> = Err("bind: address already in use");
        assert_eq!(starts(&[Ok(())]).await, (1, true));
        assert_eq!(starts(&[CLASH, CLASH, Ok(())]).await, (3, true));
        assert_eq!(starts(&[CLASH, CLASH, CLASH]).await, (3, false));
        assert_eq!(starts(&[Err("no such flag")]).await, (1, false));
    }
}
