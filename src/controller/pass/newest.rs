//! Which copy of an object a pass starts from: the cache may not have our own last write yet, and a decision that rests on
//! what was before it would be refused, or would make the same call twice.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::controller::brought;
use crate::controller::objects::Entry;
use crate::resource::SsoConnector;

/// The newest copy of an object.
pub(super) enum Newest {
    /// What the cache has.
    Cached(Arc<SsoConnector>),
    /// What we last wrote, which the cache does not have yet.
    Written(Arc<SsoConnector>),
    /// What somebody made of what we last wrote, and the cache does not even have that.
    NotYetCached,
}

/// The cache may not have our own last write yet.
pub(super) fn newest(cached: Arc<SsoConnector>, entry: &mut Entry) -> Newest {
    let version = |object: &SsoConnector| brought::version(&object.metadata);
    let ahead = entry
        .written
        .as_ref()
        .filter(|written| written.uid() == cached.uid() && version(written) > version(&cached));
    match ahead {
        Some(_) if entry.superseded => Newest::NotYetCached,
        Some(written) => Newest::Written(Arc::clone(written)),
        None => {
            entry.written = None;
            entry.superseded = false;
            Newest::Cached(cached)
        }
    }
}
