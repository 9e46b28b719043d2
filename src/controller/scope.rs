//! Which objects are seen: those of all namespaces, or those of some, and nothing of any other. Each namespace that is named
//! has a watch and a cache of its own, as Kubernetes knows no list of several; they need no right in any other namespace.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Client;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::identity::NamespaceName;
use crate::resource::SsoConnector;

/// An object, or why it cannot be read.
pub(super) type Guarded = DeserializeGuard<SsoConnector>;

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

    /// Where the objects are.
    pub(super) fn apis(&self, client: &Client) -> Vec<Api<Guarded>> {
        match self {
            Self::Everywhere => vec![Api::all(client.clone())],
            Self::Namespaces(names) => names
                .iter()
                .map(|name| Api::namespaced(client.clone(), name.as_str()))
                .collect(),
        }
    }
}

/// The objects as all watches have brought them.
#[derive(Debug, Clone)]
pub(super) struct Cache(Vec<Store<Guarded>>);

impl Cache {
    /// The objects of these stores.
    pub(super) fn of(stores: impl IntoIterator<Item = Store<Guarded>>) -> Self {
        Self(stores.into_iter().collect())
    }

    /// Waits until every watch has brought what there is.
    ///
    /// # Errors
    /// If a watch has ended before.
    pub(super) async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        for store in &self.0 {
            store.wait_until_ready().await?;
        }
        Ok(())
    }

    /// The object of that name.
    pub(super) fn get(&self, name: &ObjectRef<Guarded>) -> Option<Arc<Guarded>> {
        self.0.iter().find_map(|store| store.get(name))
    }

    /// All objects.
    pub(super) fn state(&self) -> Vec<Arc<Guarded>> {
        self.0.iter().flat_map(Store::state).collect()
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
