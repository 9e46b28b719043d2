//! Whether the custom resource definition in the cluster is the one that this binary needs.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::definition::Judgement;

/// What keeps this binary from working under the definition, as a sentence without its full stop; `None` if nothing.
#[must_use]
pub fn shortcoming(definition: &CustomResourceDefinition) -> Option<String> {
    let judgement = Judgement::of_definition(definition);
    if !matches!(judgement, Judgement::Stands(_)) {
        return Some(judgement.to_string());
    }
    let conditions = definition
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let established = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    (!established).then(|| "it is not established".to_owned())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceDefinitionCondition, CustomResourceDefinitionStatus,
    };
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::resource::custom_resource_definition;

    fn in_cluster() -> CustomResourceDefinition {
        let established = CustomResourceDefinitionCondition {
            type_: "Established".to_owned(),
            status: "True".to_owned(),
            ..CustomResourceDefinitionCondition::default()
        };
        CustomResourceDefinition {
            status: Some(CustomResourceDefinitionStatus {
                conditions: Some(vec![established]),
                ..CustomResourceDefinitionStatus::default()
            }),
            ..custom_resource_definition()
        }
    }

    #[test]
    fn our_own_definition_serves() {
        assert_eq!(shortcoming(&in_cluster()), None);
    }

    #[test]
    fn what_is_not_there_yet_or_not_for_long_or_another_does_not() {
        let mut terminating = in_cluster();
        terminating.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        let mut other = in_cluster();
        other.spec.versions[0].name = "v9".to_owned();
        let mut unserved = in_cluster();
        unserved.spec.versions[0].served = false;
        let unestablished = custom_resource_definition();
        for definition in [terminating, other, unserved, unestablished] {
            assert!(shortcoming(&definition).is_some());
        }
    }
}
