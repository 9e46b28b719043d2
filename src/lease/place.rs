//! Where the Lease is, and who we are in it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::Path;

/// Where a Pod finds the namespace of its `ServiceAccount`.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Nobody said where the Lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "--lease-namespace is needed outside a Pod: the namespace of the Lease that decides which operator acts, the same for all of them"
)]
pub struct NoNamespace;

/// The namespace of the Lease: as asked, or that of the `ServiceAccount` in whose Pod we are.
///
/// # Errors
/// If it was not said and we are not in a Pod.
pub fn namespace(asked: Option<&str>) -> Result<String, NoNamespace> {
    namespace_from(asked, Path::new(NAMESPACE_FILE))
}

fn namespace_from(asked: Option<&str>, file: &Path) -> Result<String, NoNamespace> {
    let found = match asked {
        Some(asked) => asked.to_owned(),
        None => std::fs::read_to_string(file).map_err(|_| NoNamespace)?,
    };
    let found = found.trim();
    if found.is_empty() {
        return Err(NoNamespace);
    }
    Ok(found.to_owned())
}

/// A name that no other process has: that of the Pod (`POD_NAME`) or of the host, for people, and random digits. They
/// differ even between two starts in one Pod: what the process before has begun may still be under way.
#[must_use]
pub fn identity() -> String {
    let name = std::env::var("POD_NAME")
        .ok()
        .filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| {
        let host = hostname::get().unwrap_or_default();
        host.to_string_lossy().into_owned()
    });
    let random = RandomState::new().hash_one(std::process::id());
    format!("{name}_{random:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_as_asked_or_the_pods_own() {
        let nowhere = Path::new("/nowhere");
        assert_eq!(namespace_from(Some("a"), nowhere), Ok("a".to_owned()));
        assert_eq!(namespace_from(None, nowhere), Err(NoNamespace));
        assert_eq!(namespace_from(Some(""), nowhere), Err(NoNamespace));
    }

    #[test]
    fn two_processes_never_have_the_same_name() {
        assert_ne!(identity(), identity());
    }
}
