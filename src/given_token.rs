//! The API token that a person gives on the command line: in a file, or in an environment variable. There is no flag for the
//! token itself, as every process of the machine may read the command line of another.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::cloudflare::{ApiToken, InvalidToken};

/// The environment variable that holds a token.
pub const VARIABLE: &str = "CLOUDFLARE_API_TOKEN";

/// Why what was given is no token. It never quotes it.
#[derive(Debug, thiserror::Error)]
pub enum UnusableToken {
    /// The file cannot be read.
    #[error("--token-file: cannot read {}: {cause}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("--token-file: {}: {cause}", .file.display())]
    InFile {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        cause: InvalidToken,
    },
    /// The environment variable holds something else.
    #[error("{VARIABLE}: {0}")]
    InVariable(InvalidToken),
}

/// The token in the file, or else in the environment; `None` if none is given. An empty variable gives none.
///
/// # Errors
/// If something is given that is no token.
pub fn read(file: Option<&Path>) -> Result<Option<ApiToken>, UnusableToken> {
    match file {
        Some(file) => read_file(file).map(Some),
        None => read_variable(std::env::var_os(VARIABLE)),
    }
}

fn read_file(file: &Path) -> Result<ApiToken, UnusableToken> {
    let bytes = std::fs::read(file).map_err(|cause| UnusableToken::Unreadable {
        file: file.to_owned(),
        cause,
    })?;
    ApiToken::parse(&bytes).map_err(|cause| UnusableToken::InFile {
        file: file.to_owned(),
        cause,
    })
}

fn read_variable(value: Option<OsString>) -> Result<Option<ApiToken>, UnusableToken> {
    match value {
        Some(value) if !value.is_empty() => ApiToken::parse(value.as_encoded_bytes())
            .map(Some)
            .map_err(UnusableToken::InVariable),
        Some(_) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_no_token_and_a_broken_one_is_told_without_being_quoted() {
        assert!(read_variable(None).unwrap().is_none());
        assert!(read_variable(Some("".into())).unwrap().is_none());
        assert!(read_variable(Some("t0ken\n".into())).unwrap().is_some());
        let refused = read_variable(Some("s3cret s3cret".into())).unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let refused = read(Some(Path::new("/nowhere/token"))).unwrap_err();
        assert!(refused.to_string().contains("/nowhere/token"), "{refused}");
    }
}
