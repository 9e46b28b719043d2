//! The operator's own API token, for objects that name no Secret. It is off unless the installer names both a file and for
//! whom the token is: a token for everybody would let whoever may write objects in any namespace act in its accounts.
//!
//! The file is read whenever the token is needed, as a Secret is, so that a rotated one needs no restart. An object to which
//! the token is not granted is told the same as if there were none.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use crate::cloudflare::{ApiToken, InvalidToken};
use crate::identity::{AccountId, EmailDomain, InvalidName, NamespaceName};

/// Where the token is, and for whom.
#[derive(Debug, Clone)]
pub struct DefaultToken {
    file: PathBuf,
    grants: Vec<Grant>,
}

/// One permission to use the token, written `namespace/accountID/domain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    namespace: NamespaceName,
    account: AccountId,
    domains: Domains,
}

/// The domains of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Domains {
    /// Every one, written `*`.
    Any,
    /// This one.
    One(EmailDomain),
}

/// Why a text is no grant. Its text is a sentence fragment for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    /// Not three parts.
    #[error("a grant is written namespace/accountID/domain, where only the domain may be *")]
    Shape,
    /// One of the parts is not what it should be.
    #[error("{0}; a grant is written namespace/accountID/domain, where only the domain may be *")]
    Part(#[from] InvalidName),
}

/// One of the two flags was given without the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "--default-token-file and --default-token-grants belong together: give both, or neither for no default token"
)]
pub struct HalfConfigured;

/// Why the token could not be read. It quotes nothing of the file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file could not be read.
    #[error("the file of --default-token-file cannot be read ({0})")]
    File(#[from] io::Error),
    /// It does not hold a token.
    #[error("in the file of --default-token-file, {0}")]
    Content(#[from] InvalidToken),
}

impl DefaultToken {
    /// What the two flags say: nothing if neither was given.
    ///
    /// # Errors
    /// If one was given without the other.
    pub fn configured(
        file: Option<PathBuf>,
        grants: Vec<Grant>,
    ) -> Result<Option<Self>, HalfConfigured> {
        match (file, grants.is_empty()) {
            (None, true) => Ok(None),
            (Some(file), false) => Ok(Some(Self { file, grants })),
            (Some(_), true) | (None, false) => Err(HalfConfigured),
        }
    }

    /// Whether an object of the namespace may use the token for the account and domain.
    #[must_use]
    pub fn is_granted(&self, namespace: &str, account: &AccountId, domain: &EmailDomain) -> bool {
        self.grants.iter().any(|grant| {
            grant.namespace.as_str() == namespace
                && grant.account == *account
                && match &grant.domains {
                    Domains::Any => true,
                    Domains::One(granted) => granted == domain,
                }
        })
    }

    /// Reads the token as it is now.
    ///
    /// # Errors
    /// If the file cannot be read or holds no token.
    pub async fn read(&self) -> Result<ApiToken, Unreadable> {
        Ok(ApiToken::parse(&tokio::fs::read(&self.file).await?)?)
    }
}

impl FromStr for Grant {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let mut parts = text.split('/');
        let (Some(namespace), Some(account), Some(domain), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidGrant::Shape);
        };
        Ok(Self {
            namespace: namespace.parse()?,
            account: account.parse()?,
            domains: match domain {
                "*" => Domains::Any,
                one => Domains::One(one.parse()?),
            },
        })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = match &self.domains {
            Domains::Any => "*",
            Domains::One(domain) => domain.as_str(),
        };
        write!(f, "{}/{}/{domain}", self.namespace.as_str(), self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
    const OTHER: &str = "123e105f4ecef8ad9ca31a8372d0c353";

    fn grants(texts: &[&str]) -> Vec<Grant> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_grant_is_for_one_namespace_one_account_and_one_domain_or_all_of_them() {
        let one = format!("team/{ACCOUNT}/example.com");
        let all = format!("all/{ACCOUNT}/*");
        let token = DefaultToken::configured(Some("token".into()), grants(&[&one, &all]))
            .unwrap()
            .unwrap();
        for (namespace, account, domain, granted) in [
            ("team", ACCOUNT, "example.com", true),
            ("team", ACCOUNT, "sub.example.com", false),
            ("team", ACCOUNT, "other.example", false),
            ("team", OTHER, "example.com", false),
            ("team-b", ACCOUNT, "example.com", false),
            ("all", ACCOUNT, "example.com", true),
            ("all", ACCOUNT, "other.example", true),
            ("all", OTHER, "other.example", false),
            ("", ACCOUNT, "example.com", false),
        ] {
            assert_eq!(
                token.is_granted(
                    namespace,
                    &account.parse().unwrap(),
                    &domain.parse().unwrap()
                ),
                granted,
                "{namespace}/{account}/{domain}"
            );
        }
    }

    #[test]
    fn only_the_domain_may_be_anything_and_what_is_wrong_is_named() {
        let good = format!("team/{ACCOUNT}/*");
        assert_eq!(good.parse::<Grant>().unwrap().to_string(), good);
        for (bad, named) in [
            (String::new(), "namespace/accountID/domain"),
            (format!("team/{ACCOUNT}"), "namespace/accountID/domain"),
            (
                format!("team/{ACCOUNT}/a.b/c"),
                "namespace/accountID/domain",
            ),
            (format!("*/{ACCOUNT}/a.b"), "a namespace is"),
            (format!("Team/{ACCOUNT}/a.b"), "a namespace is"),
            (format!(" team/{ACCOUNT}/a.b"), "a namespace is"),
            ("team/*/a.b".to_owned(), "an account ID is"),
            ("team/023e/a.b".to_owned(), "an account ID is"),
            (format!("team/{ACCOUNT}/*.a.b"), "an email domain is"),
            (format!("team/{ACCOUNT}/"), "an email domain is"),
            (format!("team/{ACCOUNT}/A.b"), "an email domain is"),
        ] {
            let error = bad.parse::<Grant>().unwrap_err().to_string();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }

    #[test]
    fn the_file_and_the_grants_belong_together() {
        let some = grants(&[&format!("team/{ACCOUNT}/*")]);
        let configured = DefaultToken::configured;
        assert!(configured(None, vec![]).unwrap().is_none());
        for half in [
            configured(None, some),
            configured(Some("token".into()), vec![]),
        ] {
            let error = half.unwrap_err().to_string();
            assert!(error.contains("--default-token-file"), "{error}");
            assert!(error.contains("--default-token-grants"), "{error}");
        }
    }
}
