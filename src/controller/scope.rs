//! Which objects are seen: those of all namespaces, or those of some, and nothing of any other. Each namespace that is named
//! has a watch of its own, as Kubernetes knows no list of several; they need no right in any other namespace.

use std::collections::BTreeSet;

use kube::api::Api;
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};

use crate::identity::NamespaceName;

/// The namespaces whose objects are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Everywhere,
    /// These, whether they exist already or not.
    Namespaces(BTreeSet<NamespaceName>),
}

impl Scope {
    /// What the command line says: to name no namespace means all.
    #[must_use]
    pub fn of(namespaces: Vec<NamespaceName>) -> Self {
        if namespaces.is_empty() {
            Self::Everywhere
        } else {
            Self::Namespaces(namespaces.into_iter().collect())
        }
    }

    /// The namespaces of which each is looked at for itself; none stands for all of them together.
    pub(super) fn namespaces(&self) -> Vec<Option<&NamespaceName>> {
        match self {
            Self::Everywhere => vec![None],
            Self::Namespaces(names) => names.iter().map(Some).collect(),
        }
    }
}

/// Where the objects of that namespace are, or of all.
pub(super) fn objects_in<K>(client: &Client, namespace: Option<&NamespaceName>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        None => Api::all(client.clone()),
        Some(name) => Api::namespaced(client.clone(), name.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_named_twice_is_watched_once() {
        let names = ["b", "a", "b"].map(|name| name.parse().unwrap());
        let Scope::Namespaces(names) = Scope::of(names.to_vec()) else {
            panic!("everywhere")
        };
        assert_eq!(names.len(), 2);
        assert_eq!(Scope::of(Vec::new()), Scope::Everywhere);
    }
}
