//! Who calls, and whether they may.

use axum::http::{HeaderMap, header};
use serde_json::json;

use crate::answer::{Answer, DNS_DOCUMENTATION, DOCUMENTATION};
use crate::knobs::{Knobs, Switch, UnseenZone};
use crate::limits::Standing;
use crate::route::{Operation, Route};
use crate::state::{Permission, Token, TokenOwner};
use crate::world::World;

/// What the headers say about the caller.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// A bearer token.
    Bearer(String),
    /// An `Authorization` header that is no bearer token.
    Malformed,
    /// The legacy `X-Auth-Key`, which these endpoints do not take.
    LegacyKey,
    /// Nothing.
    Missing,
}

impl Credentials {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        match headers.get(header::AUTHORIZATION) {
            Some(value) => value
                .to_str()
                .ok()
                .and_then(|text| text.strip_prefix("Bearer "))
                .filter(|token| !token.is_empty() && token.bytes().all(is_token_byte))
                .map_or(Self::Malformed, |token| Self::Bearer(token.to_owned())),
            None if headers.contains_key("x-auth-key") => Self::LegacyKey,
            None => Self::Missing,
        }
    }

    /// The token's text, or nothing.
    pub(crate) const fn text(&self) -> &str {
        match self {
            Self::Bearer(token) => token.as_str(),
            Self::Malformed | Self::LegacyKey | Self::Missing => "",
        }
    }
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether the caller may do this, or the refusal. A zone that is not there refuses nobody.
pub(crate) fn check(
    world: &World,
    credentials: &Credentials,
    operation: Operation,
    route: &Route,
) -> Result<(), Answer> {
    let knobs = &world.knobs;
    let token = authenticate(world, credentials)?;
    let Some(needed) = operation.permission() else {
        return match operation {
            Operation::ListZones => Ok(()),
            _ => check_owner(token, operation, route, knobs),
        };
    };
    let sufficient = sufficient(needed, knobs);
    if let Some(account) = route.account.as_deref() {
        if token.may(account, sufficient) {
            return Ok(());
        }
        return Err(forbidden(DOCUMENTATION, knobs));
    }
    let zone = route.zone.as_deref();
    match zone.and_then(|id| world.model.dns.zone(id)) {
        None => Ok(()),
        Some(zone) if token.may_in(zone, sufficient) => Ok(()),
        Some(zone) if token.may_in(zone, &Permission::DNS) => {
            Err(forbidden(DNS_DOCUMENTATION, knobs))
        }
        Some(_) => Err(unseen_zone(knobs)),
    }
}

/// The permissions each of which lets do what needs this one.
fn sufficient(needed: Permission, knobs: &Knobs) -> &'static [Permission] {
    match (needed, knobs.write_implies_read) {
        (Permission::SsoConnectorRead, Switch::On) => {
            &[Permission::SsoConnectorRead, Permission::SsoConnectorWrite]
        }
        (Permission::SsoConnectorRead, Switch::Off) => &[Permission::SsoConnectorRead],
        (Permission::SsoConnectorWrite, _) => &[Permission::SsoConnectorWrite],
        (Permission::IdentityProvidersRead, _) => &[Permission::IdentityProvidersRead],
        (Permission::IdentityProvidersWrite, _) => &[Permission::IdentityProvidersWrite],
        (Permission::ZoneRead, _) => &[Permission::ZoneRead],
        (Permission::DnsRead, _) => &[Permission::DnsRead, Permission::DnsWrite],
        (Permission::DnsWrite, _) => &[Permission::DnsWrite],
    }
}

/// The working token that belongs to the credentials.
pub(crate) fn authenticate<'world>(
    world: &'world World,
    credentials: &Credentials,
) -> Result<&'world Token, Answer> {
    let knobs = &world.knobs;
    match credentials {
        Credentials::Bearer(text) => world
            .model
            .token(text)
            .filter(|token| token.works(world.now()))
            .ok_or_else(|| unauthenticated(knobs)),
        Credentials::Malformed => Err(malformed(knobs)),
        Credentials::LegacyKey => Err(Answer::error(401, 10_000, "Authentication error", knobs)),
        Credentials::Missing => {
            let message = "Missing X-Auth-Key, X-Auth-Email or Authorization headers";
            Err(Answer::error(400, 9106, message, knobs))
        }
    }
}

/// A user's token is verified below `/user`, an account's token below its account; each answers 401 to the other kind.
fn check_owner(
    token: &Token,
    operation: Operation,
    route: &Route,
    knobs: &Knobs,
) -> Result<(), Answer> {
    let fits = match (operation, &token.owner) {
        (Operation::VerifyUserToken, TokenOwner::User) => true,
        (Operation::VerifyAccountToken, TokenOwner::Account(owner)) => {
            route.account.as_ref() == Some(owner)
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(unauthenticated(knobs))
    }
}

fn unauthenticated(knobs: &Knobs) -> Answer {
    Answer::error(
        knobs.unknown_token_status,
        10_000,
        "Authentication error",
        knobs,
    )
}

fn malformed(knobs: &Knobs) -> Answer {
    let errors = json!([{
        "code": 6003,
        "message": "Invalid request headers",
        "error_chain": [{"code": 6111, "message": "Invalid format for Authorization header"}],
    }]);
    Answer::failure(400, &errors, knobs)
}

fn forbidden(documentation: &str, knobs: &Knobs) -> Answer {
    let errors =
        json!([{"code": 10_000, "message": "Forbidden", "documentation_url": documentation}]);
    Answer::failure(403, &errors, knobs)
}

fn unseen_zone(knobs: &Knobs) -> Answer {
    let (code, message) = match knobs.unseen_zone {
        UnseenZone::Forbidden => (10_000, "Authentication error"),
        UnseenZone::Unauthorized => (9109, "Unauthorized to access requested resource"),
    };
    Answer::error(403, code, message, knobs)
}

/// The token may list the zones of no account.
pub(crate) fn zone_list_denied(token: &Token, knobs: &Knobs) -> Answer {
    let message = format!(
        "Actor 'com.cloudflare.api.token.{}' requires permission \
         'com.cloudflare.api.account.zone.list' to list zones",
        token.id
    );
    Answer::error(403, 0, &message, knobs)
}

/// The token has used up its limit.
pub(crate) fn limit_reached(standing: Standing, knobs: &Knobs) -> Answer {
    let message = format!(
        "More than {} requests per {} seconds reached. Please wait and consider throttling your \
         request speed",
        knobs.rate_limit,
        knobs.rate_window.as_secs()
    );
    let mut answer = Answer::error(429, 10_100, &message, knobs);
    answer.headers.push((
        "retry-after".to_owned(),
        standing.reset_seconds().to_string(),
    ));
    answer
}
