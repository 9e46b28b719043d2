//! A zone of Cloudflare DNS, as far as it matters where a TXT record goes.

use serde_json::Value;

use super::listing::Item;
use crate::identity::{AccountId, ZoneId};

/// A zone as Cloudflare reports it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Cloudflare's name for it.
    pub id: ZoneId,
    /// Its domain exactly as Cloudflare spells it. It is foreign text: compare it with
    /// [`EmailDomain::is_within`](crate::identity::EmailDomain::is_within).
    pub name: String,
    /// Whether Cloudflare's name servers answer for it.
    pub activation: Activation,
    /// The account that it belongs to, which need not be the connector's.
    pub account: Option<AccountId>,
}

/// Whether Cloudflare's name servers answer for a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// They do.
    Active,
    /// They do not, or not yet: the domain is not delegated to them, or was moved away.
    Inactive,
    /// Others answer for it, or others say what is in it: a zone of the type *partial* or *secondary*.
    Elsewhere,
}

impl Zone {
    /// Decodes one zone; `None` if it is no object or has no usable ID or name. A status or type that is missing or unknown
    /// counts as an active one: whether a record can be seen is found out anyway.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let inactive = ["initializing", "pending", "moved", "deactivated"];
        let status = value["status"].as_str().unwrap_or_default();
        let kind = value["type"].as_str().unwrap_or_default();
        Some(Self {
            id: value["id"].as_str()?.parse().ok()?,
            name: value["name"].as_str()?.to_owned(),
            activation: if ["partial", "secondary"].contains(&kind) {
                Activation::Elsewhere
            } else if inactive.contains(&status) {
                Activation::Inactive
            } else {
                Activation::Active
            },
            account: value["account"]["id"]
                .as_str()
                .and_then(|id| id.parse().ok()),
        })
    }
}

impl Item for Zone {
    type Id = ZoneId;

    fn from_json(value: &Value) -> Option<Self> {
        Self::from_json(value)
    }

    fn id(&self) -> &ZoneId {
        &self.id
    }

    fn flaw(&self) -> Option<&'static str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "023e105f4ecef8ad9ca31a8372d0c353";

    #[test]
    fn a_zone_needs_an_id_and_a_name() {
        let zone = Zone::from_json(&json!({
            "id": ID, "name": "Example.com", "status": "pending", "account": {"id": ID, "name": "x"}, "type": "full",
        }));
        assert_eq!(
            zone,
            Some(Zone {
                id: ID.parse().unwrap(),
                name: "Example.com".to_owned(),
                activation: Activation::Inactive,
                account: ID.parse().ok(),
            })
        );
        for bad in [
            json!(null),
            json!({"id": ID}),
            json!({"name": "example.com"}),
            json!({"id": "../zones", "name": "example.com"}),
            json!({"id": 7, "name": "example.com"}),
        ] {
            assert_eq!(Zone::from_json(&bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_not_known_to_be_inactive_is_active() {
        for (status, expected) in [
            (json!("active"), Activation::Active),
            (json!("moved"), Activation::Inactive),
            (json!("of a new kind"), Activation::Active),
            (json!(null), Activation::Active),
        ] {
            let zone = json!({"id": ID, "name": "example.com", "status": status});
            assert_eq!(Zone::from_json(&zone).unwrap().activation, expected);
        }
        for (kind, expected) in [
            (json!("full"), Activation::Active),
            (json!("of a new kind"), Activation::Active),
            (json!("partial"), Activation::Elsewhere),
            (json!("secondary"), Activation::Elsewhere),
        ] {
            let zone = json!({"id": ID, "name": "example.com", "status": "active", "type": kind});
            assert_eq!(Zone::from_json(&zone).unwrap().activation, expected);
        }
    }
}
