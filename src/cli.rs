//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::account::Rate;
use crate::cloudflare::BaseUrl;
use crate::default_token::Grant;
use crate::dns::{NameServer, Resolver};
use crate::identity::{AccountId, EmailDomain, NamespaceName};
use crate::plan::{Timing, duration};

/// Declarative Cloudflare dashboard SSO for Kubernetes
///
/// Watches SsoConnector objects and keeps the SSO connectors of Cloudflare accounts as they say.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: RunArgs,
}

/// What the binary does.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the operator (the default)
    Run(Box<RunArgs>),
    /// Print the custom resource definition as YAML
    Crd(CrdArgs),
    /// Print the connectors of an account as SsoConnector manifests that change nothing
    ///
    /// Each manifest says managementPolicy: Observe, so that applying it as it is changes nothing at Cloudflare, and its
    /// comments say how to take the connector over.
    ///
    /// Exit code 0: every connector that an object can name was printed, perhaps none; 1: they could not be read; 2: wrong
    /// usage.
    Export(Box<ExportArgs>),
    /// Check the API token, the API server, the custom resource definition and the rights of the operator
    ///
    /// Changes nothing. Prints one line for each check, and what to do about what failed.
    ///
    /// Exit code 0: nothing failed; 1: something failed; 2: wrong usage.
    Check(Box<CheckArgs>),
}

/// How the operator runs.
#[derive(Args, Debug, Clone)]
pub struct RunArgs {
    /// Where the Cloudflare API is
    #[arg(long, env = "CLOUDFLARE_BASE_URL", default_value = BaseUrl::CLOUDFLARE, value_name = "URL")]
    pub cloudflare_base_url: BaseUrl,

    /// Where /livez, /readyz and /metrics are served
    #[arg(
        long,
        env = "LISTEN_ADDRESS",
        default_value = "0.0.0.0:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// What is logged, as comma-separated levels by target
    #[arg(
        long,
        env = "LOG_FILTER",
        default_value = "info,kube=warn,kube_runtime=error,tower=warn,hyper=warn,hickory=off",
        value_name = "FILTER"
    )]
    pub log_filter: String,

    /// How log lines are written
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// How many calls per second each API token makes in the long run; Cloudflare allows 4 to everybody who uses it
    #[arg(long, default_value_t = 2.0, value_parser = positive, value_name = "CALLS")]
    pub calls_per_second: f64,

    /// How many calls each API token makes at once after a rest
    #[arg(long, default_value_t = 20.0, value_parser = at_least_one, value_name = "CALLS")]
    pub call_burst: f64,

    /// Where the operator is at work
    #[command(flatten)]
    pub place: PlaceArgs,

    /// The file with the API token for objects without spec.apiTokenSecretRef, read whenever it is needed
    #[arg(long, env = "DEFAULT_TOKEN_FILE", value_name = "FILE")]
    pub default_token_file: Option<PathBuf>,

    /// For whom that token is, as namespace/accountID/domain, separated by commas; the domain may be *
    #[arg(
        long,
        env = "DEFAULT_TOKEN_GRANTS",
        value_delimiter = ',',
        value_name = "GRANTS"
    )]
    pub default_token_grants: Vec<Grant>,

    /// Whether DNS is asked for the TXT records of domains that are not verified; that is advice for people, nothing rests on it
    #[arg(long, env = "DNS_LOOKUPS", value_enum, default_value_t = DnsLookups::On)]
    pub dns_lookups: DnsLookups,

    /// The name servers that are asked, as IP addresses, perhaps with ports, separated by commas; the system's without it
    #[arg(
        long,
        env = "DNS_NAMESERVERS",
        value_delimiter = ',',
        value_name = "ADDRESSES"
    )]
    pub dns_nameservers: Vec<NameServer>,

    /// How often the API server is asked whether the operator has all the rights that it needs
    #[arg(long, value_parser = some_time, default_value = "5m", value_name = "DURATION")]
    pub rights_interval: Duration,

    /// The durations of all decisions
    #[command(flatten)]
    pub timing: Timing,
}

/// What becomes of the custom resource definition.
#[derive(Args, Debug, Clone)]
pub struct CrdArgs {
    #[command(subcommand)]
    command: Option<CrdCommand>,
}

/// What is done with the custom resource definition instead of printing it.
#[derive(Subcommand, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrdCommand {
    /// Put the custom resource definition of this version into the cluster, unless a newer one is there
    ///
    /// The chart does this before each `helm upgrade`. No definition is ever deleted, and one that has fields which this
    /// version does not know is never replaced.
    ///
    /// Exit code 0: the definition in the cluster is this one or a newer one; 1: it is neither, and was left as it is, or
    /// it could not be read or written; 2: wrong usage.
    Apply,
}

/// How Cloudflare is asked on behalf of a person.
#[derive(Args, Debug, Clone)]
pub struct CloudflareArgs {
    /// Where the Cloudflare API is
    #[arg(long, env = "CLOUDFLARE_BASE_URL", default_value = BaseUrl::CLOUDFLARE, value_name = "URL")]
    pub cloudflare_base_url: BaseUrl,

    /// A file that holds the API token; without it, the token is in the environment variable `CLOUDFLARE_API_TOKEN`
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// What is exported, and how the manifests name what is theirs.
#[derive(Args, Debug, Clone)]
pub struct ExportArgs {
    /// The account whose connectors are exported
    #[arg(long, value_name = "ID")]
    pub account: AccountId,

    /// Only the connectors of this domain; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Vec<EmailDomain>,

    /// The namespace that stands in the manifests; without it, whoever applies them chooses
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// The Secret with the API token that the manifests refer to; it is not written
    #[arg(long, default_value = "cloudflare-api-token", value_name = "NAME")]
    pub secret_name: String,

    /// The key in that Secret; without it, the manifests name none, which means api-token
    #[arg(long, value_name = "KEY")]
    pub secret_key: Option<String>,

    /// How Cloudflare is asked
    #[command(flatten)]
    pub cloudflare: CloudflareArgs,
}

/// What is checked.
#[derive(Args, Debug, Clone)]
pub struct CheckArgs {
    /// An account that the API token is for; may be repeated. Without it, or without a token, Cloudflare is not asked
    #[arg(long, value_name = "ID")]
    pub account: Vec<AccountId>,

    /// How Cloudflare is asked
    #[command(flatten)]
    pub cloudflare: CloudflareArgs,

    /// Ask nothing of the API server
    #[arg(long)]
    pub skip_kubernetes: bool,

    /// The user whose rights are checked, such as system:serviceaccount:NAMESPACE:NAME; without it, the one of the kubeconfig
    #[arg(long = "as", value_name = "USER")]
    pub impersonate: Option<String>,

    /// Where the operator is at work
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Where in the cluster the operator is at work.
#[derive(Args, Debug, Clone)]
pub struct PlaceArgs {
    /// The namespaces whose objects are seen, separated by commas; all without it
    #[arg(
        long,
        env = "WATCH_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACES"
    )]
    pub watch_namespaces: Vec<NamespaceName>,

    /// The namespace of the Lease that decides which of several replicas acts; in a Pod, by default, the Pod's own
    #[arg(long, env = "LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// The name of that Lease
    #[arg(
        long,
        env = "LEASE_NAME",
        default_value = "cloudflare-sso-operator",
        value_name = "NAME"
    )]
    pub lease_name: String,
}

/// Whether name servers are asked.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsLookups {
    /// They are
    On,
    /// They are not, and no condition speaks of DNS
    Off,
}

/// How log lines are written.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Cli {
    /// What the binary was asked to do.
    #[must_use]
    pub fn asked(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Run(Box::new(self.run)))
    }
}

impl CrdArgs {
    /// What was asked for instead of printing.
    #[must_use]
    pub const fn command(&self) -> Option<CrdCommand> {
        self.command
    }
}

impl RunArgs {
    /// Who is asked for TXT records, if anybody is.
    #[must_use]
    pub fn resolver(&self) -> Option<Resolver> {
        match self.dns_lookups {
            DnsLookups::On => Some(Resolver::new(
                self.dns_nameservers.clone(),
                self.timing.dns_timeout,
            )),
            DnsLookups::Off => None,
        }
    }

    /// How fast a token may be used.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        Rate {
            per_second: self.calls_per_second,
            burst: self.call_burst,
        }
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        time => Ok(time),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) | Err(_) => Err("must be a number greater than zero".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<f64, String> {
    match positive(text) {
        Ok(number) if number >= 1.0 => Ok(number),
        Ok(_) | Err(_) => Err("must be a number of at least one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn running_is_the_default() {
        for arguments in [
            &["operator"][..],
            &["operator", "run"],
            &["operator", "--call-burst", "3"],
        ] {
            assert!(
                matches!(Cli::parse_from(arguments).asked(), Command::Run(_)),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn the_definition_is_printed_unless_it_is_to_be_applied() {
        for (arguments, expected) in [
            (&["operator", "crd"][..], None),
            (&["operator", "crd", "apply"], Some(CrdCommand::Apply)),
        ] {
            let Command::Crd(asked) = Cli::parse_from(arguments).asked() else {
                panic!("not crd")
            };
            assert_eq!(asked.command(), expected);
        }
    }

    #[test]
    fn a_bad_grant_or_namespace_is_named_with_its_flag() {
        let account = "023e105f4ecef8ad9ca31a8372d0c353";
        let good = format!("team/{account}/*");
        for (flag, value, bad) in [
            (
                "--default-token-grants",
                format!("{good},team/all/*"),
                "team/all/*",
            ),
            (
                "--default-token-grants",
                format!("*/{account}/*"),
                "*/023e105",
            ),
            ("--default-token-grants", format!("{good},"), "''"),
            ("--watch-namespaces", "team,Sales".to_owned(), "Sales"),
            ("--watch-namespaces", String::new(), "''"),
        ] {
            let arguments = ["operator", flag, value.as_str()];
            let error = Cli::try_parse_from(arguments).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(bad), "{error}");
        }
        let arguments = [
            "operator",
            "--watch-namespaces",
            "a,b",
            "--default-token-grants",
            &good,
        ];
        let Command::Run(run) = Cli::parse_from(arguments).asked() else {
            panic!("not run")
        };
        assert_eq!(run.place.watch_namespaces.len(), 2);
        assert_eq!(run.default_token_grants[0].to_string(), good);
    }

    #[test]
    fn a_pace_of_nothing_is_refused() {
        assert!(at_least_one("0.5").is_err(), "nobody would ever be served");
        for bad in ["0", "-1", "NaN", "inf", "fast"] {
            assert!(positive(bad).is_err(), "{bad}");
            assert!(at_least_one(bad).is_err(), "{bad}");
        }
    }
}
