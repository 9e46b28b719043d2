//! What the operator calls others for.

use harness::Call;
use reqwest::Method;
use simulator::Operation;

/// What a call is for, as far as the call belongs to a pass. Watches, the Lease, Events and questions about rights do not:
/// their order is not determined, and nothing is decided on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Reads the definition of the resource.
    ReadDefinition,
    /// Reads the Secret with the token.
    ReadSecret,
    /// Reads the namespace.
    ReadNamespace,
    /// Reads the object.
    ReadObject,
    /// Lists the objects for the domain.
    ListRivals,
    /// Puts the finalizer on or takes it off.
    WriteFinalizers,
    /// Writes the status.
    WriteStatus,
    /// Calls Cloudflare.
    Cloudflare(Operation),
}

impl Step {
    /// What a call to the API server is for.
    pub(crate) fn to_api_server(call: &Call) -> Option<Self> {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let reads = call.method == Method::GET && !query.contains("watch=");
        match segments[..] {
            [
                "apis",
                "apiextensions.k8s.io",
                _,
                "customresourcedefinitions",
                _,
            ] if reads => Some(Self::ReadDefinition),
            ["api", "v1", "namespaces", _, "secrets", _] => Some(Self::ReadSecret),
            ["api", "v1", "namespaces", _] => Some(Self::ReadNamespace),
            ["apis", "cloudflare-sso.dev", _, ref rest @ ..] => match *rest {
                ["namespaces", _, "ssoconnectors"] if reads && query.contains("emailDomain") => {
                    Some(Self::ListRivals)
                }
                ["namespaces", _, "ssoconnectors", _] if reads => Some(Self::ReadObject),
                ["namespaces", _, "ssoconnectors", _] => Some(Self::WriteFinalizers),
                ["namespaces", _, "ssoconnectors", _, "status"] => Some(Self::WriteStatus),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a call to Cloudflare is for.
    pub(crate) fn to_cloudflare(call: &Call) -> Option<Self> {
        let path = call.path.split('?').next().unwrap_or_default();
        let below = path.strip_prefix("/client/v4/")?;
        let segments: Vec<&str> = below.split('/').collect();
        let operation = match (&call.method, &segments[..]) {
            (&Method::GET, ["accounts", _, "sso_connectors"]) => Operation::List,
            (&Method::POST, ["accounts", _, "sso_connectors"]) => Operation::Create,
            (&Method::GET, ["accounts", _, "sso_connectors", _]) => Operation::Get,
            (&Method::PATCH, ["accounts", _, "sso_connectors", _]) => Operation::Update,
            (&Method::DELETE, ["accounts", _, "sso_connectors", _]) => Operation::Delete,
            (&Method::POST, ["accounts", _, "sso_connectors", _, "begin_verification"]) => {
                Operation::BeginVerification
            }
            (&Method::GET, ["zones"]) => Operation::ListZones,
            (&Method::GET, ["zones", _]) => Operation::GetZone,
            (&Method::GET, ["zones", _, "dns_records"]) => Operation::ListRecords,
            (&Method::POST, ["zones", _, "dns_records"]) => Operation::CreateRecord,
            (&Method::DELETE, ["zones", _, "dns_records", _]) => Operation::DeleteRecord,
            _ => Operation::Unrouted,
        };
        Some(Self::Cloudflare(operation))
    }

    /// Whether it changes something that outlives the process.
    pub(crate) const fn changes(self) -> bool {
        match self {
            Self::ReadDefinition
            | Self::ReadSecret
            | Self::ReadNamespace
            | Self::ReadObject
            | Self::ListRivals => false,
            Self::WriteFinalizers | Self::WriteStatus => true,
            Self::Cloudflare(operation) => operation.is_mutation(),
        }
    }
}
