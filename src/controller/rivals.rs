//! Finds the other objects for an object's account and domain: from the watch's cache in every pass, and from the API
//! server itself right before a connector is taken down.

use kube::ResourceExt as _;

use super::Context;
use super::objects::Pair;
use super::store;
use crate::kubernetes::KubernetesFailure;
use crate::plan::{Desired, Record, Rival};
use crate::resource::SsoConnector;

impl Context {
    /// The rivals as the watch has brought them.
    pub(super) fn rivals(&self, object: &SsoConnector, pair: &Pair) -> Vec<Rival> {
        let (account, domain) = pair;
        let uid = object.metadata.uid.as_deref();
        let cache = &self.cache;
        let others = cache.others_of_pair(uid, account.as_str(), domain.as_str());
        self.rivals_among(object, pair, others.iter())
    }

    /// The rivals as the API server has them now.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(super) async fn rivals_now(
        &self,
        object: &SsoConnector,
        pair: &Pair,
    ) -> Result<Vec<Rival>, KubernetesFailure> {
        let all = store::objects_for(&self.client, &self.scope, &pair.1).await?;
        Ok(self.rivals_among(object, pair, all.iter()))
    }

    /// Objects that cannot be read are nobody's rivals.
    fn rivals_among<'o>(
        &self,
        object: &SsoConnector,
        (account, domain): &Pair,
        all: impl Iterator<Item = &'o SsoConnector>,
    ) -> Vec<Rival> {
        let is_rival = |other: &&SsoConnector| {
            other.spec.account_id == account.as_str()
                && other.spec.email_domain == domain.as_str()
                && other.metadata.uid != object.metadata.uid
        };
        let rival = |other: &SsoConnector| {
            let desired = Desired::parse(other).ok()?;
            let is_near = other.metadata.namespace == object.metadata.namespace;
            Some(Rival {
                record: Record::read(other.status.as_ref()),
                access: self.objects.access(&desired.uid),
                name: is_near.then(|| other.name_any()),
                desired,
            })
        };
        all.filter(is_rival).filter_map(rival).collect()
    }
}
