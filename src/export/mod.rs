//! `export`: the connectors that an account has, as manifests that declare them and change nothing. For whoever has set up
//! SSO by hand and wants it in Git: apply them as they are, look, and take one connector over after the other.
//!
//! | file | idea |
//! |---|---|
//! | `selection` | which connectors can be declared, under which names |
//! | `manifest` | the YAML, and what its comments say |

mod manifest;
mod selection;

use std::time::Duration;

use crate::cli::ExportArgs;
use crate::cloudflare::{BuildError, Client, ClientOptions, Completeness, Failure};
use crate::given_token::{self, UnusableToken};
use crate::lease::Authority;

/// How long reading the whole list may take.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What an export came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// YAML documents; empty if there is nothing to say.
    pub manifests: String,
    /// What is not in the manifests, for people, a line each.
    pub remarks: Vec<String>,
}

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No token was given.
    #[error(
        "there is no API token: put one into the environment variable {}, or name a file with --token-file",
        given_token::VARIABLE
    )]
    NoToken,
    /// What was given is no token.
    #[error(transparent)]
    UnusableToken(#[from] UnusableToken),
    /// The Cloudflare client cannot be set up.
    #[error(transparent)]
    Client(#[from] BuildError),
    /// The connectors cannot be read.
    #[error(transparent)]
    Cloudflare(#[from] Box<Failure>),
    /// Some connectors may be missing from the list.
    #[error("the list of connectors is incomplete, so nothing is exported: {0}")]
    Incomplete(&'static str),
    /// A manifest cannot be written.
    #[error("a manifest cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// Reads the account's connectors and renders them. Changes nothing.
///
/// # Errors
/// If the connectors cannot be read, or not all of them.
pub async fn export(arguments: &ExportArgs) -> Result<Exported, ExportError> {
    let token = given_token::read(arguments.cloudflare.token_file.as_deref())?
        .ok_or(ExportError::NoToken)?;
    let client = Client::new(ClientOptions {
        base_url: arguments.cloudflare.cloudflare_base_url.clone(),
        call_timeout: CALL_TIMEOUT,
        connect_timeout: CONNECT_TIMEOUT,
        authority: Authority::unlimited(),
    })?;
    let listed = client
        .list_connectors(&token, &arguments.account)
        .await
        .map_err(Box::new)?;
    match listed.value.complete {
        Completeness::Complete => Ok(manifest::render(arguments, &listed.value.items)?),
        Completeness::Incomplete(why) => Err(ExportError::Incomplete(why)),
    }
}
