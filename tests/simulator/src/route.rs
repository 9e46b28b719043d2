//! From a method and a path to an operation, or to the way in which Cloudflare fails to route it.

use axum::http::Method;
use serde::{Deserialize, Serialize};

use crate::state::Permission;

/// The prefix of every path of the API.
pub(crate) const PREFIX: &str = "/client/v4";

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// GET `sso_connectors`.
    List,
    /// POST `sso_connectors`.
    Create,
    /// GET `sso_connectors/{id}`.
    Get,
    /// PATCH `sso_connectors/{id}`.
    Update,
    /// DELETE `sso_connectors/{id}`.
    Delete,
    /// POST `sso_connectors/{id}/begin_verification`.
    BeginVerification,
    /// GET `access/identity_providers`.
    ListIdentityProviders,
    /// POST `access/identity_providers`.
    CreateIdentityProvider,
    /// GET `/user/tokens/verify`.
    VerifyUserToken,
    /// GET `/accounts/{id}/tokens/verify`.
    VerifyAccountToken,
    /// Anything that is none of these.
    Unrouted,
}

impl Operation {
    /// Whether the operation can change anything.
    #[must_use]
    pub const fn is_mutation(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Update
                | Self::Delete
                | Self::BeginVerification
                | Self::CreateIdentityProvider
        )
    }

    /// The permission group that the operation needs, if it needs one.
    pub(crate) const fn permission(self) -> Option<Permission> {
        match self {
            Self::List | Self::Get => Some(Permission::SsoConnectorRead),
            Self::Create | Self::Update | Self::Delete | Self::BeginVerification => {
                Some(Permission::SsoConnectorWrite)
            }
            Self::ListIdentityProviders => Some(Permission::IdentityProvidersRead),
            Self::CreateIdentityProvider => Some(Permission::IdentityProvidersWrite),
            Self::VerifyUserToken | Self::VerifyAccountToken | Self::Unrouted => None,
        }
    }
}

/// Why there is no operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misroute {
    /// No such path.
    UnknownPath,
    /// The account ID is not 32 hex digits.
    MalformedAccount,
    /// The path ends where the connector ID should stand, on a read.
    TrailingSlash,
    /// The path ends where the connector ID should stand, on an update or a delete.
    EmptyConnectorId,
    /// The path exists, but not for this method.
    Method,
}

/// What a method and a path say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) operation: Result<Operation, Misroute>,
    pub(crate) account: Option<String>,
    pub(crate) connector_id: Option<String>,
}

impl Route {
    pub(crate) fn parse(method: &Method, path: &str) -> Self {
        let below = path
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix('/'));
        let segments: Vec<&str> = below
            .map(|rest| rest.split('/').collect())
            .unwrap_or_default();
        match *segments {
            ["user", "tokens", "verify"] => Self {
                operation: only(method, &Method::GET, Operation::VerifyUserToken),
                account: None,
                connector_id: None,
            },
            ["accounts", account, ref rest @ ..] => Self {
                operation: if is_account_id(account) {
                    below_account(method, rest)
                } else {
                    Err(Misroute::MalformedAccount)
                },
                account: Some(account.to_owned()),
                connector_id: connector_id(rest),
            },
            _ => Self {
                operation: Err(Misroute::UnknownPath),
                account: None,
                connector_id: None,
            },
        }
    }
}

fn below_account(method: &Method, segments: &[&str]) -> Result<Operation, Misroute> {
    match *segments {
        ["tokens", "verify"] => only(method, &Method::GET, Operation::VerifyAccountToken),
        ["access", "identity_providers"] => match *method {
            Method::GET => Ok(Operation::ListIdentityProviders),
            Method::POST => Ok(Operation::CreateIdentityProvider),
            _ => Err(Misroute::Method),
        },
        ["sso_connectors"] => match *method {
            Method::GET => Ok(Operation::List),
            Method::POST => Ok(Operation::Create),
            _ => Err(Misroute::Method),
        },
        ["sso_connectors", ""] => match *method {
            Method::GET => Err(Misroute::TrailingSlash),
            Method::PATCH | Method::DELETE => Err(Misroute::EmptyConnectorId),
            _ => Err(Misroute::Method),
        },
        ["sso_connectors", _] => match *method {
            Method::GET => Ok(Operation::Get),
            Method::PATCH => Ok(Operation::Update),
            Method::DELETE => Ok(Operation::Delete),
            _ => Err(Misroute::Method),
        },
        ["sso_connectors", id, "begin_verification"] if !id.is_empty() => {
            only(method, &Method::POST, Operation::BeginVerification)
        }
        _ => Err(Misroute::UnknownPath),
    }
}

fn only(method: &Method, allowed: &Method, operation: Operation) -> Result<Operation, Misroute> {
    if method == allowed {
        Ok(operation)
    } else {
        Err(Misroute::Method)
    }
}

fn connector_id(segments: &[&str]) -> Option<String> {
    match *segments {
        ["sso_connectors", id, ..] if !id.is_empty() => Some(id.to_owned()),
        _ => None,
    }
}

fn is_account_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_operation() {
        let account = "/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353";
        let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
        for (method, path, expected) in [
            (&get, "/sso_connectors", Ok(Operation::List)),
            (&post, "/sso_connectors", Ok(Operation::Create)),
            (&get, "/sso_connectors/x", Ok(Operation::Get)),
            (&patch, "/sso_connectors/x", Ok(Operation::Update)),
            (&delete, "/sso_connectors/x", Ok(Operation::Delete)),
            (
                &post,
                "/sso_connectors/x/begin_verification",
                Ok(Operation::BeginVerification),
            ),
            (
                &get,
                "/access/identity_providers",
                Ok(Operation::ListIdentityProviders),
            ),
            (
                &post,
                "/access/identity_providers",
                Ok(Operation::CreateIdentityProvider),
            ),
            (&get, "/tokens/verify", Ok(Operation::VerifyAccountToken)),
            (&get, "/sso_connectors/", Err(Misroute::TrailingSlash)),
            (&patch, "/sso_connectors/", Err(Misroute::EmptyConnectorId)),
            (&delete, "/sso_connectors/", Err(Misroute::EmptyConnectorId)),
            (
                &post,
                "/sso_connectors//begin_verification",
                Err(Misroute::UnknownPath),
            ),
            (&delete, "/sso_connectors", Err(Misroute::Method)),
            (&get, "", Err(Misroute::UnknownPath)),
        ] {
            let route = Route::parse(method, &format!("{account}{path}"));
            assert_eq!(route.operation, expected, "{method} {path}");
        }
        for path in [
            "/client/v4/accounts//sso_connectors",
            "/client/v4/accounts/1/sso_connectors",
        ] {
            assert_eq!(
                Route::parse(&get, path).operation,
                Err(Misroute::MalformedAccount)
            );
        }
        assert_eq!(
            Route::parse(&get, "/elsewhere").operation,
            Err(Misroute::UnknownPath)
        );
    }
}
