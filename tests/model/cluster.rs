//! The API server as the model knows it: two names, what stands under each now, and the definition. Earlier versions are
//! only in the copies that processes hold.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use cloudflare_sso_operator::plan::{Desired, Guard, Record};
use cloudflare_sso_operator::resource::{
    FINALIZER, SsoConnector, SsoConnectorSpec, SsoConnectorStatus, custom_resource_definition,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::axis::Axis;
use crate::cloudflare::DOMAIN;

/// One of the two names.
pub type Name = usize;

/// How many names there are.
pub const NAMES: usize = 2;

/// What stood under a name at some time.
#[derive(Debug)]
pub struct Stored {
    pub object: SsoConnector,
    pub desired: Desired,
    pub record: Record,
    /// Under which definition it was deleted.
    deleted_under: Option<u8>,
    points: Vec<Duration>,
    digest: u64,
}

impl Stored {
    fn new(object: SsoConnector, deleted_under: Option<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        let text = serde_json::to_string(&object).unwrap();
        (text, deleted_under).hash(&mut hasher);
        let mut survey = Axis::Survey(Vec::new());
        let mut status = object.status.clone().unwrap_or_default();
        survey.status(&mut status);
        let Axis::Survey(points) = survey else {
            unreachable!("a survey stays one")
        };
        Self {
            desired: Desired::parse(&object).unwrap(),
            record: Record::read(object.status.as_ref()),
            object,
            deleted_under,
            points,
            digest: hasher.finish(),
        }
    }
}

/// A copy of an object, in one version.
#[derive(Debug, Clone)]
pub struct Copy {
    pub version: u64,
    pub stored: Arc<Stored>,
}

impl Copy {
    pub fn uid(&self) -> &str {
        &self.stored.desired.uid
    }

    pub fn status(&self) -> SsoConnectorStatus {
        self.stored.object.status.clone().unwrap_or_default()
    }

    pub fn retime(&mut self, axis: &mut Axis) {
        if axis.visit_shared(&self.stored.points) {
            let mut object = self.stored.object.clone();
            object
                .status
                .iter_mut()
                .for_each(|status| axis.status(status));
            self.stored = Arc::new(Stored::new(object, self.stored.deleted_under));
        }
    }
}

impl Hash for Copy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.version, self.stored.digest).hash(state);
    }
}

/// The object is not what a write rests on any more.
#[derive(Debug)]
pub struct Conflict;

/// What becomes of the definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Crd {
    Stands,
    GoesAway,
}

#[derive(Debug, Clone, Hash)]
pub struct Cluster {
    pub objects: [Option<Copy>; NAMES],
    pub crd: Crd,
    /// How often the definition was created.
    pub edition: u8,
    pub versions: u64,
    uids: u8,
}

impl Cluster {
    pub fn new() -> Self {
        Self {
            objects: [const { None }; NAMES],
            crd: Crd::Stands,
            edition: 0,
            versions: 0,
            uids: 0,
        }
    }

    /// Whether the definition allows a write to the object.
    pub fn stands_for(&self, copy: &Copy) -> bool {
        let deleted = copy.stored.deleted_under;
        self.crd == Crd::Stands && deleted.is_none_or(|edition| edition == self.edition)
    }

    pub fn create(&mut self, name: Name, spec: SsoConnectorSpec) {
        self.uids += 1;
        let mut object = SsoConnector::new("sso", spec);
        let created = Timestamp::constant(i64::from(self.uids), 0);
        object.metadata.creation_timestamp = Some(Time(created));
        object.metadata.namespace = Some("default".to_owned());
        object.metadata.uid = Some(format!("uid-{}", self.uids));
        object.metadata.generation = Some(1);
        object.status = Some(first_status());
        self.store(name, object, None);
    }

    fn store(&mut self, name: Name, object: SsoConnector, deleted_under: Option<u8>) {
        self.versions += 1;
        let gone = object.metadata.deletion_timestamp.is_some()
            && object
                .metadata
                .finalizers
                .as_ref()
                .is_none_or(Vec::is_empty);
        self.objects[name] = (!gone).then(|| Copy {
            version: self.versions,
            stored: Arc::new(Stored::new(object, deleted_under)),
        });
    }

    /// Somebody edits the object; without a difference nothing is stored. Whether there was one.
    pub fn edit(&mut self, name: Name, edit: impl FnOnce(&mut SsoConnector)) -> bool {
        let Some(copy) = &self.objects[name] else {
            return false;
        };
        let before = &copy.stored.object;
        let mut object = before.clone();
        edit(&mut object);
        if object == *before {
            return false;
        }
        let terminates = |object: &SsoConnector| object.metadata.deletion_timestamp.is_some();
        let begins_to_end = terminates(&object) && !terminates(before);
        if object.spec != before.spec || begins_to_end {
            object.metadata.generation = object.metadata.generation.map(|number| number + 1);
        }
        let deleted_under = if begins_to_end {
            Some(self.edition)
        } else {
            copy.stored.deleted_under
        };
        self.store(name, object, deleted_under);
        true
    }

    pub fn delete(&mut self, name: Name) -> bool {
        self.edit(name, |object| {
            let now = Time(Timestamp::UNIX_EPOCH);
            object.metadata.deletion_timestamp.get_or_insert(now);
        })
    }

    pub fn wipe_status(&mut self, name: Name) -> bool {
        self.edit(name, |object| object.status = Some(first_status()))
    }

    fn current(
        &self,
        name: Name,
        basis: &Copy,
        same: impl Fn(&Copy) -> bool,
    ) -> Result<&Copy, Conflict> {
        let current = self.objects[name].as_ref();
        current
            .filter(|current| current.uid() == basis.uid() && same(current))
            .ok_or(Conflict)
    }

    /// Writes a status that rests on `basis`, as the operator's JSON patch does.
    pub fn write_status(
        &mut self,
        name: Name,
        basis: &Copy,
        status: &SsoConnectorStatus,
        guard: Guard,
    ) -> Result<Copy, Conflict> {
        let attempts = |copy: &Copy| copy.status().pending_create;
        self.current(name, basis, |current| match guard {
            Guard::SameVersion => current.version == basis.version,
            Guard::SameAttempts => attempts(current) == attempts(basis),
        })?;
        self.edit(name, |object| object.status = Some(status.clone()));
        Ok(self.objects[name]
            .clone()
            .expect("a status removes nothing"))
    }

    /// Puts the operator's finalizer on or takes it off. What is left of the object, if anything.
    pub fn set_finalizer(
        &mut self,
        name: Name,
        basis: &Copy,
        on: bool,
    ) -> Result<Option<Copy>, Conflict> {
        self.current(name, basis, |current| current.version == basis.version)?;
        self.edit(name, |object| {
            object.metadata.finalizers = on.then(|| vec![FINALIZER.to_owned()]);
        });
        Ok(self.objects[name].clone())
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

/// The schema's default.
fn first_status() -> SsoConnectorStatus {
    thread_local! {
        static FIRST: SsoConnectorStatus = {
            let crd = custom_resource_definition();
            let schema = crd.spec.versions[0].schema.as_ref().unwrap();
            let properties = schema.open_api_v3_schema.as_ref().unwrap();
            let status = &properties.properties.as_ref().unwrap()["status"];
            serde_json::from_value(status.default.clone().unwrap().0).unwrap()
        };
    }
    FIRST.with(Clone::clone)
}
