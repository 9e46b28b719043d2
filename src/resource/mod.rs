//! The Kubernetes API of the operator: `SsoConnector` in `cloudflare-sso.dev/v1alpha1`, as it goes over the wire.
//!
//! Everything here is a plain record with a schema. Meaning starts where these records are parsed into what the plan
//! works with ([`crate::plan::Desired`] and [`crate::plan::Record`]).

mod condition;
mod crd;
mod reason;
mod spec;
mod status;

pub use condition::{ConditionType, Truth, find_condition};
pub use crd::{custom_resource_definition, yaml};
pub use reason::{Progress, Reason};
pub use spec::{
    AdoptionPolicy, ApiTokenSecretRef, DeletionPolicy, ExternalChangePolicy, ManagementPolicy,
    SsoConnector, SsoConnectorSpec,
};
pub use status::{
    CreateAttempts, DnsRecord, Enforcement, EnforcementState, RecordType, SsoConnectorStatus,
    VerificationState,
};

/// The API group of every resource and annotation of the operator.
pub const GROUP: &str = "cloudflare-sso.dev";

/// On an object exactly while deleting it must delete its connector, too.
pub const FINALIZER: &str = "cloudflare-sso.dev/connector";

/// Any new value of this annotation asks to apply `spec.enabled` again although somebody changed it by hand.
pub const ENABLE_AT: &str = "cloudflare-sso.dev/enable-at";

/// Any new value of this annotation asks for a look at Cloudflare now.
pub const RECONCILE_AT: &str = "cloudflare-sso.dev/reconcile-at";

/// The key in a Secret when the reference names none.
pub const DEFAULT_SECRET_KEY: &str = "api-token";
