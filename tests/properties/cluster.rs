//! The API server as the model knows it: one name, every version of what stood under it.

use cloudflare_sso_operator::plan::Guard;
use cloudflare_sso_operator::resource::{
    DeletionPolicy, FINALIZER, SsoConnector, SsoConnectorSpec, SsoConnectorStatus,
    custom_resource_definition,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::cloudflare::DOMAIN;

/// The object is not what a write rests on any more.
#[derive(Debug)]
pub struct Conflict;

#[derive(Debug)]
pub struct Cluster {
    /// What stood under the name after each change; nothing while there was no object.
    pub versions: Vec<Option<SsoConnector>>,
    uids: u32,
}

impl Cluster {
    pub fn new(spec: SsoConnectorSpec) -> Self {
        let mut cluster = Self {
            versions: vec![None],
            uids: 0,
        };
        cluster.create(spec);
        cluster
    }

    pub fn object(&self) -> Option<&SsoConnector> {
        self.versions.last().unwrap().as_ref()
    }

    pub fn create(&mut self, spec: SsoConnectorSpec) {
        self.uids += 1;
        let mut object = SsoConnector::new("sso", spec);
        object.metadata.namespace = Some("default".to_owned());
        object.metadata.uid = Some(format!("uid-{}", self.uids));
        object.metadata.generation = Some(1);
        object.status = Some(first_status());
        self.store(Some(object));
    }

    fn store(&mut self, object: Option<SsoConnector>) {
        let version = self.versions.len().to_string();
        self.versions.push(object.map(|mut object| {
            object.metadata.resource_version = Some(version);
            object
        }));
    }

    /// Somebody edits the object; without a difference nothing is stored.
    pub fn edit(&mut self, edit: impl FnOnce(&mut SsoConnector)) {
        let Some(before) = self.object().cloned() else {
            return;
        };
        let mut object = before.clone();
        edit(&mut object);
        if object == before {
            return;
        }
        let terminates = |object: &SsoConnector| object.metadata.deletion_timestamp.is_some();
        if object.spec != before.spec || terminates(&object) != terminates(&before) {
            object.metadata.generation = object.metadata.generation.map(|number| number + 1);
        }
        let finalized = object
            .metadata
            .finalizers
            .as_ref()
            .is_none_or(Vec::is_empty);
        let gone = terminates(&object) && finalized;
        self.store((!gone).then_some(object));
    }

    pub fn delete(&mut self) {
        self.edit(|object| {
            let now = Time(Timestamp::UNIX_EPOCH);
            object.metadata.deletion_timestamp.get_or_insert(now);
        });
    }

    pub fn wipe_status(&mut self) {
        self.edit(|object| object.status = Some(first_status()));
    }

    /// Writes a status that rests on `basis`, as the operator's JSON patch does.
    pub fn write_status(
        &mut self,
        basis: &SsoConnector,
        status: &SsoConnectorStatus,
        guard: Guard,
    ) -> Result<SsoConnector, Conflict> {
        let current = self.object().ok_or(Conflict)?;
        let attempts = |object: &SsoConnector| {
            let status = object.status.clone().unwrap_or_default();
            status.pending_create
        };
        let same = match guard {
            Guard::SameVersion => {
                current.metadata.resource_version == basis.metadata.resource_version
            }
            Guard::SameAttempts => attempts(current) == attempts(basis),
        };
        if current.metadata.uid != basis.metadata.uid || !same {
            return Err(Conflict);
        }
        let stored = serde_json::to_value(status).unwrap();
        let stored = serde_json::from_value(stored).unwrap();
        self.edit(|object| object.status = Some(stored));
        Ok(self.object().expect("it was found above").clone())
    }

    /// Puts the operator's finalizer on or takes it off. What is left of the object, if anything.
    pub fn set_finalizer(
        &mut self,
        basis: &SsoConnector,
        on: bool,
    ) -> Result<Option<SsoConnector>, Conflict> {
        let current = self.object().ok_or(Conflict)?;
        if current.metadata.uid != basis.metadata.uid
            || current.metadata.resource_version != basis.metadata.resource_version
        {
            return Err(Conflict);
        }
        self.edit(|object| {
            object.metadata.finalizers = on.then(|| vec![FINALIZER.to_owned()]);
        });
        Ok(self.object().cloned())
    }
}

/// A spec that asks for nothing but the connector.
pub fn minimal_spec() -> SsoConnectorSpec {
    SsoConnectorSpec {
        account_id: "0".repeat(32),
        email_domain: DOMAIN.to_owned(),
        use_fedramp_language: None,
        enabled: None,
        begin_verification: None,
        api_token_secret_ref: None,
        deletion_policy: None,
        on_external_change: None,
        connector_id: None,
        adoption_policy: None,
        management_policy: None,
        suspend: None,
        dns: None,
    }
}

pub fn has_finalizer(object: &SsoConnector) -> bool {
    let finalizers = object.metadata.finalizers.iter().flatten();
    finalizers.into_iter().any(|name| name == FINALIZER)
}

pub fn says_delete(object: &SsoConnector) -> bool {
    object.spec.deletion_policy == Some(DeletionPolicy::Delete)
}

pub fn is_terminating(object: &SsoConnector) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// The schema's default.
fn first_status() -> SsoConnectorStatus {
    let crd = custom_resource_definition();
    let schema = crd.spec.versions[0].schema.as_ref().unwrap();
    let properties = schema.open_api_v3_schema.as_ref().unwrap();
    let status = &properties.properties.as_ref().unwrap()["status"];
    serde_json::from_value(status.default.clone().unwrap().0).unwrap()
}
