//! Asks the API server whether whoever asks has a right. Everybody who is authenticated may ask that about themselves, and
//! nothing is changed by it.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};

use super::{Right, Territory};
use crate::kubernetes::{KubernetesFailure, within};

/// Which of these rights the identity of this client lacks, in their order.
///
/// # Errors
/// If the API server does not say it of every right.
pub async fn missing<'a>(
    client: &Client,
    rights: &'a [Right],
) -> Result<Vec<&'a Right>, KubernetesFailure> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for right in rights {
        let review = within(reviews.create(&PostParams::default(), &question(right))).await?;
        if !review.status.is_some_and(|status| status.allowed) {
            missing.push(right);
        }
    }
    Ok(missing)
}

fn question(right: &Right) -> SelfSubjectAccessReview {
    let namespace = match &right.territory {
        Territory::Cluster | Territory::EveryNamespace => None,
        Territory::Namespace(name) => Some(name.clone()),
    };
    let attributes = ResourceAttributes {
        verb: Some(right.verb.as_str().to_owned()),
        group: Some(right.group.to_owned()),
        resource: Some(right.resource.to_owned()),
        subresource: right.subresource.map(str::to_owned),
        name: right.name.clone(),
        namespace,
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}
