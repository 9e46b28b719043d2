//! The Cloudflare API simulator, for people.

use std::io;
use std::net::SocketAddr;

use clap::Parser;
use simulator::{DnsTruth, Knobs, Permission, Setup, Simulator, TokenRequest};
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
Examples (with the defaults):
  API=http://127.0.0.1:8787/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353
  AUTH='Authorization: Bearer play-token'

  Create a connector, and read its verification code:
    curl -H \"$AUTH\" $API/sso_connectors -d '{\"email_domain\": \"cool.cats\"}'

  Publish the TXT record; within --poll-interval the domain is verified:
    curl -X PUT http://127.0.0.1:8787/admin/txt/cool.cats -d 'cloudflare_dashboard_sso=...'
    curl -H \"$AUTH\" $API/sso_connectors

  Or add the zone, and create the record in it:
    curl -H 'Content-Type: application/json' http://127.0.0.1:8787/admin/zones \\
      -d '{\"account\": \"023e105f4ecef8ad9ca31a8372d0c353\", \"name\": \"cool.cats\"}'
    curl -H \"$AUTH\" http://127.0.0.1:8787/client/v4/zones/<id>/dns_records \\
      -d '{\"type\": \"TXT\", \"name\": \"cool.cats\", \"content\": \"cloudflare_dashboard_sso=...\"}'

  Enable SSO:
    curl -H \"$AUTH\" -X PATCH $API/sso_connectors/<id> -d '{\"enabled\": true}'

  Disable it behind everybody's back:
    curl -X PATCH -H 'Content-Type: application/json' \\
      http://127.0.0.1:8787/admin/connectors/<id> -d '{\"enabled\": false}'

  Lose the answer to the next create, although it happens:
    curl -H 'Content-Type: application/json' http://127.0.0.1:8787/admin/faults \\
      -d '{\"operation\": \"create\", \"failure\": {\"kind\": \"reset\", \"when\": \"after_commit\"}}'

  See every call that was served, and everything else that the admin API can do:
    curl http://127.0.0.1:8787/admin/calls
    curl http://127.0.0.1:8787/admin";

/// Simulates Cloudflare's API for dashboard SSO and DNS on this machine.
///
/// Under /client/v4 it answers as Cloudflare does: SSO connectors, identity providers, zones and DNS records, token checks,
/// rate limits and the verification of domains. Under /admin, without any authentication, you publish TXT records, add
/// zones, change connectors and records by hand, inject faults, and read what was called. Everything is kept in memory and is
/// gone when it ends (Ctrl-C).
#[derive(Debug, Parser)]
#[command(name = "cloudflare-simulator", version, after_help = EXAMPLES)]
struct CommandLine {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// ID of the account that is there from the start
    #[arg(long, value_name = "ID", default_value = "023e105f4ecef8ad9ca31a8372d0c353", value_parser = account_id)]
    account: String,
    /// Token that may do everything in that account
    #[arg(long, value_name = "TOKEN", default_value = "play-token", value_parser = token_text)]
    token: String,
    /// Start without the identity provider that a create needs
    #[arg(long)]
    without_identity_provider: bool,
    /// Name server at which verification looks for TXT records, over UDP and TCP; absent means the simulator's own zones and
    /// what was published by hand
    #[arg(long, value_name = "ADDRESS")]
    dns_resolver: Option<SocketAddr>,
    #[command(flatten)]
    knobs: Knobs,
}

fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_owned())
    } else {
        Err("an account ID has 32 hex digits".to_owned())
    }
}

fn token_text(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a token has letters, digits, hyphens and underscores only".to_owned())
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let command_line = CommandLine::parse();
    let mut terminated = signal(SignalKind::terminate())?;
    let setup = Setup {
        address: command_line.listen,
        knobs: command_line.knobs,
        dns_truth: command_line
            .dns_resolver
            .map_or(DnsTruth::OwnZones, DnsTruth::NameServer),
    };
    let simulator = Simulator::start_with(setup).await?;
    let account = &command_line.account;
    let request = TokenRequest::new("initial")
        .grant(account, Permission::ALL)
        .grant(account, Permission::DNS)
        .with_text(&command_line.token);
    let token = simulator.admin().issue_token(request);
    if !command_line.without_identity_provider {
        simulator.admin().add_identity_provider(account);
    }
    println!("base URL: {}", simulator.base_url());
    println!("account:  {account}");
    println!("token:    {token}");
    println!("admin:    {}", simulator.admin_url());
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    Ok(())
}
