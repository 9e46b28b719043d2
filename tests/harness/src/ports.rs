//! Free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use crate::HarnessError;

/// Below the range that Linux and macOS hand out to outgoing connections, so that no client takes the port between
/// this check and the moment a child process listens.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A random port on 127.0.0.1 on which nothing listens at the moment. Another process may still take it first;
/// whoever starts a server on it must be ready to ask for another.
///
/// # Errors
/// No port was free in a hundred tries.
pub fn free_port() -> Result<u16, HarnessError> {
    let mut refusal = None;
    for _ in 0..100 {
        let offset = random() % u64::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => refusal = Some(error),
        }
    }
    let source = refusal.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(HarnessError::Io {
        what: "looking for a free loopback port".into(),
        source,
    })
}

/// A random number; the standard library seeds its hash maps with fresh randomness.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::time::Instant::now())
}
