//! What the operator's tests and its demo stand on: a real Kubernetes control plane, processes that can be killed and
//! paused, a proxy in front of the API server that can hold or cut single calls, and waiting that explains itself.
//!
//! Every test starts its own [`ControlPlane`] (about three seconds), so tests share nothing and run in parallel.
//! Whatever is started here ends with its owner: processes are killed and folders removed on drop. A control plane must
//! therefore live in the test (never in a `static`, which is not dropped).
//!
//! The crate knows nothing of the operator but its command line ([`Operator`]) and its chart ([`Chart`]); custom resources
//! are handled as [`kube::api::DynamicObject`], so that the tests of the operator may depend on it without a cycle.

mod argo_cd;
mod chart;
mod control_plane;
mod error;
mod image;
mod name_server;
mod operator;
pub mod pods;
mod ports;
mod process;
mod programs;
mod proxy;
mod silent_server;
mod wait;

pub use argo_cd::{ARGO_CD_NAMESPACE, ArgoCd, argocd_admin};
pub use chart::{Chart, documents, rights_in};
pub use control_plane::{AuditEvent, ControlPlane, Options, Output};
pub use error::HarnessError;
pub use image::{Configuration, Execution, Image, Layer};
pub use name_server::{NameServer, Record, Zone};
pub use operator::{Operator, OperatorOptions};
pub use pods::{ContainerImage, PodRunner, RunningPods};
pub use ports::free_port;
pub use process::{Holdings, Process};
pub use programs::{Part, Programs};
pub use proxy::{
    Answer, ApiServerProxy, Call, CallRecord, EventInterception, EventKind, EventTreatment,
    Interception, Outcome, Treatment, WatchEvent,
};
pub use silent_server::SilentServer;
pub use wait::{Timeout, asked_to_end, await_gone, await_object, until};
