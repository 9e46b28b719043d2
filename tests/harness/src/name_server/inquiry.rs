//! Asking the name server how it stands with a zone.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use tokio::net::TcpStream;

use crate::HarnessError;

/// Short, as the one who waits asks again.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How a name server stands with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It answers with the zone of this serial.
    Served { serial: u32 },
    /// It should have the zone, and has nothing (SERVFAIL).
    Unloadable,
    /// It does not have the zone.
    Refused,
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Inquiry {
    address: SocketAddr,
    resolver: TokioResolver,
}

impl Inquiry {
    pub(super) fn of(address: SocketAddr) -> Result<Self, HarnessError> {
        let mut connection = ConnectionConfig::udp();
        connection.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![connection]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut options = ResolverOpts::default();
        options.timeout = TIMEOUT;
        options.attempts = 0;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| {
                HarnessError::io("building a resolver")(std::io::Error::other(error))
            })?;
        Ok(Self { address, resolver })
    }

    /// Whether it listens by TCP.
    pub(super) async fn connects(&self) -> Result<(), String> {
        match TcpStream::connect(self.address).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether it stands with a zone as it should; else how.
    pub(super) async fn expects(&self, zone: &str, standing: Standing) -> Result<(), String> {
        match self.standing(zone).await {
            Ok(seen) if seen == standing => Ok(()),
            Ok(seen) => Err(format!("{zone}: {seen:?}")),
            Err(error) => Err(format!("{zone}: {error}")),
        }
    }

    async fn standing(&self, zone: &str) -> Result<Standing, NetError> {
        let answer = match self.resolver.soa_lookup(format!("{zone}.")).await {
            Ok(answer) => answer,
            Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail))) => {
                return Ok(Standing::Unloadable);
            }
            Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused))) => {
                return Ok(Standing::Refused);
            }
            Err(error) => return Err(error),
        };
        let serial = answer
            .answers()
            .iter()
            .find_map(|record| match &record.data {
                RData::SOA(authority) => Some(authority.serial),
                _ => None,
            });
        match serial {
            Some(serial) => Ok(Standing::Served { serial }),
            None => Err(NetError::Message("an answer without SOA")),
        }
    }
}
