//! Where the API is. Parsed once, so that a token can never travel in the clear.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;

/// The base URL of the API: https, or plain http to this very machine (the simulator).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a final slash.
    text: Arc<str>,
    is_loopback: bool,
    is_https: bool,
}

/// Why a text cannot be the base URL. Its text names the flag that sets it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// No URL at all.
    #[error("--cloudflare-base-url is not a URL: {0}")]
    NoUrl(String),
    /// The token would be readable on the way.
    #[error(
        "--cloudflare-base-url must begin with https:// (http:// is for loopback addresses only)"
    )]
    Unprotected,
    /// Parts that a base URL cannot have.
    #[error(
        "--cloudflare-base-url must not contain a user name, a password, a query or a fragment"
    )]
    Superfluous,
}

impl BaseUrl {
    /// Cloudflare's own API.
    pub const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";

    /// The URL without a final slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    pub(super) const fn is_https(&self) -> bool {
        self.is_https
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let url = Url::parse(text).map_err(|error| InvalidBaseUrl::NoUrl(error.to_string()))?;
        let is_loopback = url.host_str().is_some_and(is_loopback);
        let is_https = match url.scheme() {
            "https" => true,
            "http" if is_loopback => false,
            _ => return Err(InvalidBaseUrl::Unprotected),
        };
        let has_login = !url.username().is_empty() || url.password().is_some();
        if has_login || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::Superfluous);
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').into(),
            is_loopback,
            is_https,
        })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_or_local_url_is_taken_without_its_final_slash() {
        for (text, parsed) in [
            (BaseUrl::CLOUDFLARE, BaseUrl::CLOUDFLARE),
            ("https://api.cloudflare.com/client/v4/", BaseUrl::CLOUDFLARE),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/client/v4", "http://[::1]:8080/client/v4"),
            ("http://localhost/", "http://localhost"),
            ("HTTPS://Example.com", "https://example.com"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().as_str(), parsed);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_name_of_the_flag() {
        for text in [
            "",
            "api.cloudflare.com",
            "http://api.cloudflare.com/client/v4",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "https://user@api.cloudflare.com",
            "https://:word@api.cloudflare.com",
            "https://api.cloudflare.com?a=b",
            "https://api.cloudflare.com#a",
            "http://10.0.0.1",
        ] {
            let error = text.parse::<BaseUrl>().expect_err(text);
            assert!(
                error.to_string().contains("--cloudflare-base-url"),
                "{error}"
            );
        }
    }
}
