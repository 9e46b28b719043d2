//! The address of a name server, as people write it.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The port on which name servers listen.
const PORT: u16 = 53;

/// A name server that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NameServer(SocketAddr);

/// A text that is no address of a name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name server is written as its IP address, perhaps with a port: 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or [2001:db8::53]:5353"
)]
pub struct InvalidNameServer;

impl NameServer {
    /// Where it listens.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for NameServer {
    type Err = InvalidNameServer;

    fn from_str(text: &str) -> Result<Self, InvalidNameServer> {
        let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let address = match bare.unwrap_or(text).parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, PORT),
            Err(_) => text.parse().map_err(|_| InvalidNameServer)?,
        };
        if address.port() == 0 || address.ip().is_unspecified() {
            return Err(InvalidNameServer);
        }
        Ok(Self(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        for (text, expected) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            let server: NameServer = text.parse().unwrap();
            assert_eq!(server.address().to_string(), expected);
        }
        for bad in [
            "",
            "dns.example.com",
            "192.0.2.53:0",
            "192.0.2",
            "0.0.0.0",
            "::",
            "1.1.1.1:x",
        ] {
            assert_eq!(bad.parse::<NameServer>(), Err(InvalidNameServer), "{bad}");
        }
    }
}
