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
    /// GET `/zones`.
    ListZones,
    /// GET `/zones/{id}`.
    GetZone,
    /// GET `dns_records`, as all of these below `/zones/{id}`.
    ListRecords,
    /// POST `dns_records`.
    CreateRecord,
    /// GET `dns_records/{id}`.
    GetRecord,
    /// PATCH or PUT `dns_records/{id}`.
    UpdateRecord,
    /// DELETE `dns_records/{id}`.
    DeleteRecord,
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
                | Self::CreateRecord
                | Self::UpdateRecord
                | Self::DeleteRecord
        )
    }

    /// The permission group that the operation needs in the account or the zone of its path, if it needs one.
    pub(crate) const fn permission(self) -> Option<Permission> {
        match self {
            Self::List | Self::Get => Some(Permission::SsoConnectorRead),
            Self::Create | Self::Update | Self::Delete | Self::BeginVerification => {
                Some(Permission::SsoConnectorWrite)
            }
            Self::ListIdentityProviders => Some(Permission::IdentityProvidersRead),
            Self::CreateIdentityProvider => Some(Permission::IdentityProvidersWrite),
            Self::GetZone => Some(Permission::ZoneRead),
            Self::ListRecords | Self::GetRecord => Some(Permission::DnsRead),
            Self::CreateRecord | Self::UpdateRecord | Self::DeleteRecord => {
                Some(Permission::DnsWrite)
            }
            // The path of a list of zones names none; it shows those that the token may read.
            Self::ListZones | Self::VerifyUserToken | Self::VerifyAccountToken | Self::Unrouted => {
                None
            }
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
    /// The ID of the zone or of the record is not 32 hex digits.
    MalformedZoneOrRecord,
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
    pub(crate) zone: Option<String>,
    pub(crate) record_id: Option<String>,
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
            ["user", "tokens", "verify"] => {
                Self::to(only(method, &Method::GET, Operation::VerifyUserToken))
            }
            ["accounts", account, ref rest @ ..] => Self {
                account: Some(account.to_owned()),
                connector_id: connector_id(rest),
                ..Self::to(if is_identifier(account) {
                    below_account(method, rest)
                } else {
                    Err(Misroute::MalformedAccount)
                })
            },
            ["zones"] => Self::to(only(method, &Method::GET, Operation::ListZones)),
            ["zones", zone, ref rest @ ..] => Self {
                zone: Some(zone.to_owned()),
                record_id: match *rest {
                    ["dns_records", id] if !id.is_empty() => Some(id.to_owned()),
                    _ => None,
                },
                ..Self::to(if is_identifier(zone) {
                    below_zone(method, rest)
                } else {
                    Err(Misroute::MalformedZoneOrRecord)
                })
            },
            _ => Self::to(Err(Misroute::UnknownPath)),
        }
    }

    /// A route whose path names nothing.
    const fn to(operation: Result<Operation, Misroute>) -> Self {
        Self {
            operation,
            account: None,
            connector_id: None,
            zone: None,
            record_id: None,
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

fn below_zone(method: &Method, segments: &[&str]) -> Result<Operation, Misroute> {
    match *segments {
        [] => only(method, &Method::GET, Operation::GetZone),
        ["dns_records"] => match *method {
            Method::GET => Ok(Operation::ListRecords),
            Method::POST => Ok(Operation::CreateRecord),
            _ => Err(Misroute::Method),
        },
        ["dns_records", id] if !is_identifier(id) => Err(Misroute::MalformedZoneOrRecord),
        ["dns_records", _] => match *method {
            Method::GET => Ok(Operation::GetRecord),
            Method::PATCH | Method::PUT => Ok(Operation::UpdateRecord),
            Method::DELETE => Ok(Operation::DeleteRecord),
            _ => Err(Misroute::Method),
        },
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

fn is_identifier(text: &str) -> bool {
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
        let zone = "/client/v4/zones/372e67954025e0ba6aaa6d586b9e0b59";
        let record = "/dns_records/372e67954025e0ba6aaa6d586b9e0b59";
        let put = Method::PUT;
        for (method, path, expected) in [
            (&get, "", Ok(Operation::GetZone)),
            (&delete, "", Err(Misroute::Method)),
            (&get, "/dns_records", Ok(Operation::ListRecords)),
            (&post, "/dns_records", Ok(Operation::CreateRecord)),
            (&delete, "/dns_records", Err(Misroute::Method)),
            (&get, record, Ok(Operation::GetRecord)),
            (&patch, record, Ok(Operation::UpdateRecord)),
            (&put, record, Ok(Operation::UpdateRecord)),
            (&delete, record, Ok(Operation::DeleteRecord)),
            (&post, record, Err(Misroute::Method)),
            (&get, "/dns_records/", Err(Misroute::MalformedZoneOrRecord)),
            (
                &delete,
                "/dns_records/1",
                Err(Misroute::MalformedZoneOrRecord),
            ),
            (&get, "/settings", Err(Misroute::UnknownPath)),
        ] {
            let route = Route::parse(method, &format!("{zone}{path}"));
            assert_eq!(route.operation, expected, "{method} {path}");
        }
        for (path, expected) in [
            ("/client/v4/zones", Ok(Operation::ListZones)),
            ("/client/v4/zones/", Err(Misroute::MalformedZoneOrRecord)),
            (
                "/client/v4/zones/cool.cats",
                Err(Misroute::MalformedZoneOrRecord),
            ),
        ] {
            assert_eq!(Route::parse(&get, path).operation, expected, "{path}");
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
