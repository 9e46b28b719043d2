//! What is to be thought of the definition in the cluster. Pure.

use std::fmt;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::DeserializeGuard;

use super::schema;
use crate::foreign_text::quote;
use crate::plan::Definition;
use crate::resource::custom_resource_definition;

/// How many missing fields are named; the first says which version is in the cluster, the rest says no more.
const NAMED_FIELDS: usize = 5;

/// What is to be thought of the definition in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Judgement {
    /// It was not read yet.
    #[default]
    Unread,
    /// There is none.
    Absent,
    /// It makes no sense to this operator.
    Unreadable(String),
    /// It lacks something that this operator was compiled with; never empty.
    Outdated(Vec<String>),
    /// It is being deleted, and every object with it.
    Terminating,
    /// It knows all that this operator knows.
    Stands(Revision),
}

/// Which definition was judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// The definition's UID: one that was removed and applied again is another one.
    pub uid: String,
    /// Counts the changes of its content.
    pub generation: i64,
    /// Changes with everything, its labels and its status included.
    pub version: String,
}

/// The definition is not the one that was judged to stand, so nothing may rest on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the definition of SsoConnector is not known to stand, so nothing is written")]
pub struct Unjudged;

impl Judgement {
    /// Judges what was found.
    #[must_use]
    pub fn of(found: Option<&DeserializeGuard<CustomResourceDefinition>>) -> Self {
        match found.map(|found| &found.0) {
            None => Self::Absent,
            Some(Err(invalid)) => Self::Unreadable(quote(&invalid.error, &[])),
            Some(Ok(definition)) => Self::of_definition(definition),
        }
    }

    /// Judges a definition that could be read.
    #[must_use]
    pub fn of_definition(found: &CustomResourceDefinition) -> Self {
        if found.metadata.deletion_timestamp.is_some() {
            return Self::Terminating;
        }
        let lacking = lacking(&custom_resource_definition(), found);
        if lacking.is_empty() {
            Self::Stands(Revision::of(&found.metadata))
        } else {
            Self::Outdated(lacking)
        }
    }

    /// What the definition means for an object that was deleted then, now that its metadata was read once more. One that
    /// was removed by force and applied again is younger than the deletions that its removal has caused. Kubernetes counts
    /// whole seconds, so one of the same second may be younger, too.
    ///
    /// # Errors
    /// If it is another one than was judged to stand.
    pub fn confirmed_by(
        &self,
        found: Option<&ObjectMeta>,
        object_deleted: Option<&Time>,
    ) -> Result<Definition, Unjudged> {
        let Some(found) = found.filter(|found| found.deletion_timestamp.is_none()) else {
            return Ok(Definition::GoesAway);
        };
        match self {
            Self::Stands(judged) if *judged == Revision::of(found) => {}
            _ => return Err(Unjudged),
        }
        let younger = match (&found.creation_timestamp, object_deleted) {
            (Some(created), Some(deleted)) => created.0 >= deleted.0,
            (None, _) | (_, None) => false,
        };
        Ok(if younger {
            Definition::GoesAway
        } else {
            Definition::Stands
        })
    }

    /// What to do about it, to be put behind it; nothing where there is nothing to do but to wait.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Absent | Self::Unreadable(_) | Self::Outdated(_) => {
                "; apply crds/ of this version"
            }
            Self::Unread | Self::Terminating | Self::Stands(_) => "",
        }
    }
}

impl Revision {
    fn of(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            version: metadata.resource_version.clone().unwrap_or_default(),
        }
    }

    /// Whether both have the same content.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.uid == other.uid && self.generation == other.generation
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread => write!(f, "the definition of SsoConnector was not read yet"),
            Self::Absent => write!(f, "there is no definition of SsoConnector in the cluster"),
            Self::Unreadable(why) => {
                write!(f, "the definition of SsoConnector is unreadable: {why}")
            }
            Self::Terminating => write!(f, "the definition of SsoConnector is being deleted"),
            Self::Stands(_) => write!(f, "the definition of SsoConnector has every field"),
            Self::Outdated(lacking) => {
                let named = name_some(lacking);
                write!(f, "the definition of SsoConnector lacks {named}")
            }
        }
    }
}

/// Everything that `ours` has and `theirs` lacks, so that it could not be stored under it. What `theirs` has beyond that
/// does no harm.
#[must_use]
pub fn lacking(ours: &CustomResourceDefinition, theirs: &CustomResourceDefinition) -> Vec<String> {
    ours.spec
        .versions
        .iter()
        .flat_map(|version| lacking_in_version(version, &theirs.spec.versions))
        .collect()
}

/// The first of a list that says no more when it is long.
#[must_use]
pub fn name_some(lacking: &[String]) -> String {
    let named: Vec<_> = lacking
        .iter()
        .take(NAMED_FIELDS)
        .map(String::as_str)
        .collect();
    let named = named.join(", ");
    match lacking.len().saturating_sub(NAMED_FIELDS) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// What a version of ours finds missing in the versions of theirs.
fn lacking_in_version(
    ours: &CustomResourceDefinitionVersion,
    theirs: &[CustomResourceDefinitionVersion],
) -> Vec<String> {
    let name = &ours.name;
    let Some(theirs) = theirs.iter().find(|theirs| theirs.name == *name) else {
        return vec![format!("version {name}")];
    };
    let mut lacking = Vec::new();
    if !theirs.served {
        lacking.push(format!("version {name}, served"));
    }
    if !theirs.storage {
        lacking.push(format!("version {name}, stored"));
    }
    let has_status = |version: &CustomResourceDefinitionVersion| {
        let subresources = version.subresources.as_ref();
        subresources.is_some_and(|subresources| subresources.status.is_some())
    };
    if has_status(ours) && !has_status(theirs) {
        lacking.push("the subresource status".to_owned());
    }
    let known = theirs.selectable_fields.as_deref().unwrap_or_default();
    let fields = ours.selectable_fields.iter().flatten();
    for field in fields.filter(|field| !known.contains(field)) {
        lacking.push(format!("the selectable field {}", field.json_path));
    }
    let nothing = JSONSchemaProps::default();
    let ours = schema_of(ours).unwrap_or(&nothing);
    match schema_of(theirs) {
        Some(theirs) => lacking.extend(schema::lacking(ours, theirs)),
        None => lacking.push("a schema".to_owned()),
    }
    lacking
}

fn schema_of(version: &CustomResourceDefinitionVersion) -> Option<&JSONSchemaProps> {
    version.schema.as_ref()?.open_api_v3_schema.as_ref()
}

#[cfg(test)]
mod tests;
