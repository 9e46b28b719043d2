//! Look-ups at a real name server, where that is where verification looks.
//!
//! A task of its own asks for every domain whose poll is due, and hands the model what it saw. A domain that cannot be
//! looked up has nothing to show: the next poll asks again.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::TXT;

use crate::world::Shared;

/// How many domains are looked up at a time.
const AT_A_TIME: usize = 16;
/// How long one question waits for its answer; there are two tries.
const PATIENCE: Duration = Duration::from_secs(2);

/// A resolver that asks one name server, remembers nothing, and knows no other source.
pub(crate) fn resolver(name_server: SocketAddr) -> io::Result<TokioResolver> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = name_server.port();
        connection
    });
    let server = NameServerConfig::new(name_server.ip(), true, connections.into());
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = PATIENCE;
    options.attempts = 1;
    builder.build().map_err(io::Error::other)
}

/// Answers the polls of the verification clock, for ever.
pub(crate) async fn run(shared: Arc<Shared>, resolver: TokioResolver) {
    let mut changes = shared.changes();
    loop {
        let (due, next) = shared.read(|world| {
            let (due, next) = world.model.polls(world.now());
            (due, next.map(|moment| world.until(moment)))
        });
        if due.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(next.unwrap_or(Duration::from_hours(1))) => {}
                _ = changes.changed() => {}
            }
            continue;
        }
        stream::iter(due)
            .for_each_concurrent(AT_A_TIME, async |domain| {
                let values = txt(&resolver, &domain).await;
                shared.with(|world| {
                    let now = world.now();
                    world.model.saw(&domain, &values, now, &world.knobs)
                });
            })
            .await;
    }
}

/// The TXT values at a domain: the strings of each record joined.
async fn txt(resolver: &TokioResolver, domain: &str) -> BTreeSet<String> {
    // The final dot keeps search domains out.
    let Ok(found) = resolver.txt_lookup(format!("{domain}.")).await else {
        return BTreeSet::new();
    };
    let texts = found
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::TXT(text) => Some(joined(text)),
            _ => None,
        });
    texts.collect()
}

fn joined(text: &TXT) -> String {
    String::from_utf8_lossy(&text.txt_data.concat()).into_owned()
}
