//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::account::Rate;
use crate::cloudflare::BaseUrl;
use crate::default_token::Grant;
use crate::identity::NamespaceName;
use crate::plan::Timing;

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
    Crd,
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
        default_value = "info,kube=warn,tower=warn,hyper=warn",
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

    /// The namespaces whose objects are seen, separated by commas; all without it
    #[arg(
        long,
        env = "WATCH_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACES"
    )]
    pub watch_namespaces: Vec<NamespaceName>,

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

    /// The durations of all decisions
    #[command(flatten)]
    pub timing: Timing,
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

impl RunArgs {
    /// How fast a token may be used.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        Rate {
            per_second: self.calls_per_second,
            burst: self.call_burst,
        }
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
        assert!(matches!(
            Cli::parse_from(["operator", "crd"]).asked(),
            Command::Crd
        ));
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
        assert_eq!(run.watch_namespaces.len(), 2);
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
