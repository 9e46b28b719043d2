//! What the operator must be allowed to do in the cluster, as one table. The chart grants exactly this, `check`
//! asks about it before anybody starts the operator, and the operator asks about it while it runs: a right that is missing
//! shall be named, not guessed from what does not work.
//!
//! | file | idea |
//! |---|---|
//! | `review` | asks the API server whether we have a right |
//! | `vigil` | asks again and again while the operator runs, and says what has changed |

mod review;
mod vigil;

use std::fmt;

use kube::CustomResourceExt as _;

use crate::identity::NamespaceName;
use crate::resource::{GROUP, SsoConnector};

pub use review::missing;
pub use vigil::keep_asking;

/// What may be done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read one.
    Get,
    /// Read all.
    List,
    /// Be told of changes.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change a part of one.
    Patch,
}

/// Where a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the cluster as a whole.
    Cluster,
    /// In each namespace whose objects are watched.
    Watched,
    /// In the namespace of the Lease.
    Lease,
}

/// Of which name a resource must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// Any.
    Any,
    /// That of the definition of `SsoConnector`.
    Definition,
    /// That of the Lease.
    Lease,
}

/// A row of the table: verbs that are needed on one resource for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The API group; empty is the core group.
    pub group: &'static str,
    /// The resource, in the plural.
    pub resource: &'static str,
    /// The part of it that is meant.
    pub subresource: Option<&'static str>,
    /// Of which name.
    pub named: Named,
    /// What may be done.
    pub verbs: &'static [Verb],
    /// Where.
    pub place: Place,
    /// Why; a sentence fragment for people.
    pub why: &'static str,
}

/// Everything that the operator needs, and nothing else.
pub const RULES: [Rule; 9] = [
    Rule {
        why: "to see the objects; `get` and `list` right before a destructive call, for the object and for an heir",
        ..Rule::on(
            GROUP,
            "ssoconnectors",
            &[Verb::Get, Verb::List, Verb::Watch],
        )
    },
    Rule {
        why: "the finalizer, and nothing else",
        ..Rule::on(GROUP, "ssoconnectors", &[Verb::Patch])
    },
    Rule {
        subresource: Some("status"),
        why: "the status",
        ..Rule::on(GROUP, "ssoconnectors", &[Verb::Patch])
    },
    Rule {
        why: "the API token, by name, when it is needed. No list and no watch",
        ..Rule::on("", "secrets", &[Verb::Get])
    },
    Rule {
        why: "whether the namespace of an object that cannot be deleted for lack of a token is going away, too",
        ..Rule::on("", "namespaces", &[Verb::Get])
    },
    Rule {
        named: Named::Definition,
        place: Place::Cluster,
        why: "whether the definition knows every field that this version knows, and whether an object goes because its definition goes",
        ..Rule::on(
            "apiextensions.k8s.io",
            "customresourcedefinitions",
            &[Verb::Get, Verb::List, Verb::Watch],
        )
    },
    Rule {
        why: "Events",
        ..Rule::on("events.k8s.io", "events", &[Verb::Create])
    },
    Rule {
        named: Named::Lease,
        place: Place::Lease,
        why: "which replica acts",
        ..Rule::on(
            "coordination.k8s.io",
            "leases",
            &[Verb::Get, Verb::Watch, Verb::Update],
        )
    },
    Rule {
        place: Place::Lease,
        why: "the first time; RBAC cannot tie a create to a name",
        ..Rule::on("coordination.k8s.io", "leases", &[Verb::Create])
    },
];

/// What the rules leave open: which namespaces are watched, and where the Lease is.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The namespaces whose objects are watched; none means all there are.
    pub scope: &'a [NamespaceName],
    /// The namespace of the Lease. Without it no right to the Lease is asked about.
    pub lease_namespace: Option<&'a str>,
    /// The name of the Lease.
    pub lease_name: &'a str,
}

/// One verb on one resource in one place, as the API server can be asked about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right {
    /// What may be done.
    pub verb: Verb,
    /// The API group; empty is the core group.
    pub group: &'static str,
    /// The resource, in the plural.
    pub resource: &'static str,
    /// The part of it that is meant.
    pub subresource: Option<&'static str>,
    /// The one that is meant; absent means any.
    pub name: Option<String>,
    /// In which namespace.
    pub territory: Territory,
    /// Why it is needed.
    pub why: &'static str,
}

/// Where a right holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Territory {
    /// In the cluster as a whole, as the resource has no namespace.
    Cluster,
    /// In every namespace.
    EveryNamespace,
    /// In this one.
    Namespace(String),
}

/// Every right that the operator needs in this setting.
#[must_use]
pub fn needed(setting: Setting<'_>) -> Vec<Right> {
    RULES
        .iter()
        .flat_map(|rule| {
            territories(rule.place, setting)
                .into_iter()
                .flat_map(move |territory| {
                    rule.verbs
                        .iter()
                        .map(move |verb| rule.right(*verb, territory.clone(), setting))
                })
        })
        .collect()
}

fn territories(place: Place, setting: Setting<'_>) -> Vec<Territory> {
    let namespace = |name: &str| Territory::Namespace(name.to_owned());
    match place {
        Place::Cluster => vec![Territory::Cluster],
        Place::Watched if setting.scope.is_empty() => vec![Territory::EveryNamespace],
        Place::Watched => {
            let names = setting.scope.iter();
            names.map(|name| namespace(name.as_str())).collect()
        }
        Place::Lease => setting.lease_namespace.map(namespace).into_iter().collect(),
    }
}

impl Rule {
    const fn on(group: &'static str, resource: &'static str, verbs: &'static [Verb]) -> Self {
        Self {
            group,
            resource,
            subresource: None,
            named: Named::Any,
            verbs,
            place: Place::Watched,
            why: "",
        }
    }

    fn right(&self, verb: Verb, territory: Territory, setting: Setting<'_>) -> Right {
        let name = match self.named {
            Named::Any => None,
            Named::Definition => Some(SsoConnector::crd_name().to_owned()),
            Named::Lease => Some(setting.lease_name.to_owned()),
        };
        Right {
            verb,
            group: self.group,
            resource: self.resource,
            subresource: self.subresource,
            name,
            territory,
            why: self.why,
        }
    }
}

impl Verb {
    /// The verb as roles spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
        }
    }
}

impl fmt::Display for Right {
    /// For instance `patch ssoconnectors.cloudflare-sso.dev/status in every namespace`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.as_str(), self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = self.subresource {
            write!(f, "/{subresource}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " of the name {name}")?;
        }
        match &self.territory {
            Territory::Cluster => Ok(()),
            Territory::EveryNamespace => f.write_str(" in every namespace"),
            Territory::Namespace(name) => write!(f, " in namespace {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE_NAMESPACE: &str = "cloudflare-sso-system";

    fn setting(scope: &[NamespaceName]) -> Setting<'_> {
        Setting {
            scope,
            lease_namespace: Some(LEASE_NAMESPACE),
            lease_name: "cloudflare-sso-operator",
        }
    }

    #[test]
    fn each_watched_namespace_needs_its_own_and_the_cluster_is_asked_once() {
        let scope = ["a", "b"].map(|name| name.parse().unwrap());
        let rights = needed(setting(&scope));
        let shown: Vec<String> = rights.iter().map(ToString::to_string).collect();
        for awaited in [
            "get secrets in namespace a",
            "get secrets in namespace b",
            "patch ssoconnectors.cloudflare-sso.dev/status in namespace a",
            "get customresourcedefinitions.apiextensions.k8s.io of the name ssoconnectors.cloudflare-sso.dev",
            "update leases.coordination.k8s.io of the name cloudflare-sso-operator in namespace cloudflare-sso-system",
            "create leases.coordination.k8s.io in namespace cloudflare-sso-system",
        ] {
            assert_eq!(
                shown.iter().filter(|right| *right == awaited).count(),
                1,
                "{awaited}"
            );
        }
        assert!(
            !shown
                .iter()
                .any(|right| right.ends_with("in every namespace"))
        );
        let everywhere = needed(setting(&[]));
        assert_eq!(
            everywhere[0].to_string(),
            "get ssoconnectors.cloudflare-sso.dev in every namespace"
        );
    }

    #[test]
    fn nobody_asks_about_a_lease_in_an_unknown_place() {
        let nowhere = Setting {
            lease_namespace: None,
            ..setting(&[])
        };
        assert!(
            needed(nowhere)
                .iter()
                .all(|right| right.resource != "leases")
        );
    }
}
