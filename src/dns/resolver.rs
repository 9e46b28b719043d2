//! Asks name servers, with hickory-resolver: those of the system, or those that the installer names.

use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use super::nameserver::NameServer;
use super::sight::{Sight, Trouble};
use crate::identity::EmailDomain;

/// Asks name servers for TXT records, without remembering what they said.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// Empty for those of the system.
    servers: Vec<NameServer>,
    /// How long a look-up may take in all.
    patience: Duration,
}

impl Resolver {
    /// Asks these name servers, or those of the system if none are named. A look-up takes `patience` at the most.
    #[must_use]
    pub const fn new(servers: Vec<NameServer>, patience: Duration) -> Self {
        Self { servers, patience }
    }

    /// What stands in TXT records at the domain.
    pub async fn look_up(&self, domain: &EmailDomain) -> Sight {
        // One for each look-up: the system may name other servers by now, and none is held to have been slow before.
        let Ok(resolver) = self.connect() else {
            return Sight::Failed(Trouble::NoNameServers);
        };
        // A final dot: the name is whole, and no search list of the system is tried with it.
        let Ok(name) = Name::from_ascii(format!("{domain}.")) else {
            return Sight::NoSuchName;
        };
        timeout(self.patience, look_up(&resolver, &name))
            .await
            .unwrap_or(Sight::Failed(Trouble::Silence))
    }

    fn connect(&self) -> Result<TokioResolver, NetError> {
        let config = if self.servers.is_empty() {
            read_system_conf()?.0
        } else {
            asking(&self.servers)
        };
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        set(builder.options_mut(), self.patience);
        builder.build()
    }
}

async fn look_up(resolver: &TokioResolver, name: &Name) -> Sight {
    match texts(resolver, name).await {
        found @ Sight::Codes(_) => found,
        // Whatever else is answered may be the answer to where an alias leads.
        _ if is_alias(resolver, name).await => Sight::Alias,
        sight => sight,
    }
}

async fn texts(resolver: &TokioResolver, name: &Name) -> Sight {
    match resolver.lookup(name.clone(), RecordType::TXT).await {
        Ok(found) => Sight::of(
            found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(strings) => Some(together(strings)),
                    _ => None,
                }),
        ),
        Err(error) => failed(&error),
    }
}

async fn is_alias(resolver: &TokioResolver, name: &Name) -> bool {
    let found = resolver.lookup(name.clone(), RecordType::CNAME).await;
    found.is_ok_and(|found| {
        let mut answers = found.answers().iter();
        answers.any(|record| record.name == *name && matches!(record.data, RData::CNAME(_)))
    })
}

/// A text may be longer than one string can be, so it is what all of them say.
fn together(strings: &TXT) -> String {
    String::from_utf8_lossy(&strings.txt_data.concat()).into_owned()
}

fn failed(error: &NetError) -> Sight {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NoError => Sight::Nothing,
            ResponseCode::NXDomain => Sight::NoSuchName,
            _ => Sight::Failed(Trouble::Refusal),
        },
        NetError::Dns(_) => Sight::Failed(Trouble::Refusal),
        NetError::Timeout => Sight::Failed(Trouble::Silence),
        _ => Sight::Failed(Trouble::Unreadable),
    }
}

fn asking(servers: &[NameServer]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let address = server.address();
        let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
            way.port = address.port();
            way
        });
        NameServerConfig::new(address.ip(), true, ways.to_vec())
    });
    ResolverConfig::from_name_servers(servers.collect())
}

/// Two servers are asked side by side; one that says nothing leaves time for others.
fn set(options: &mut ResolverOpts, patience: Duration) {
    options.timeout = patience * 2 / 5;
    options.attempts = 1;
    // Without it a server must not send long answers.
    options.edns0 = true;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
}
