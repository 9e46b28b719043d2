//! The traces that a first reading of the design got wrong, played on a real control plane. The name of each test begins
//! with the trace's letter; what a trace is, its test says. Where a create is involved, it is played with each way in which
//! Cloudflare might answer a second create for a domain, as that is not documented. Lists and pages do not lag by the clock
//! here but until the test says so: nothing depends on how busy the machine is.

mod creation;
mod enabling;
mod leaving;
mod sharing;
mod stale;
mod unseen;

use std::time::Duration;

use harness::{ApiServerProxy, Call, Interception, Operator, Treatment};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;
use simulator::knobs::DuplicateCreate;
use simulator::{Connector, Failure, Fault, FaultHandle, Operation, When};

use crate::stage::{ACCOUNT, OPERATOR_NAMESPACE, PATIENCE, Stage};

/// What Cloudflare might do with a second create for a domain, each with a name for its objects.
const DUPLICATES: [(&str, DuplicateCreate); 3] = [
    ("allow", DuplicateCreate::Allow),
    ("reject409", DuplicateCreate::Reject409),
    ("return-existing", DuplicateCreate::ReturnExisting),
];

/// A call may last as long as the test needs to do something meanwhile.
const SLOW_CALLS: [&str; 6] = [
    "--call-timeout",
    "10s",
    "--creation-grace",
    "15s",
    "--lease-duration",
    "18s",
];

/// Lag that lasts until it is taken back.
const UNTIL_TOLD: Duration = Duration::from_hours(1);

/// Decides what a second create does from now on.
fn answer_duplicates(stage: &Stage, duplicates: DuplicateCreate) {
    let admin = stage.simulator.admin();
    admin.turn_knobs(|knobs| knobs.duplicate_create = duplicates);
}

/// From now on lists show nothing that was created within the last hour, which is everything here; or they show all again.
fn lists_lag(stage: &Stage, lag: bool) {
    let lag = if lag { UNTIL_TOLD } else { Duration::ZERO };
    let admin = stage.simulator.admin();
    admin.turn_knobs(|knobs| knobs.list_lag = lag);
}

/// The same for the pages of single connectors.
fn pages_lag(stage: &Stage, lag: bool) {
    let lag = if lag { UNTIL_TOLD } else { Duration::ZERO };
    let admin = stage.simulator.admin();
    admin.turn_knobs(|knobs| knobs.get_lag = lag);
}

/// The domain of an object.
fn domain(name: &str) -> String {
    format!("{name}.example")
}

/// Holds the next call of this kind for the domain.
fn hold(stage: &Stage, operation: Operation, domain: &str, when: When) -> FaultHandle {
    let held = Fault::new(Failure::Hold { when });
    let admin = stage.simulator.admin();
    admin.push_fault(held.on(operation).on_domain(domain))
}

/// The next call of this kind for the domain is carried out, and nobody is told.
fn lose_answer(stage: &Stage, operation: Operation, domain: &str) -> FaultHandle {
    let lost = Fault::new(Failure::Reset {
        when: When::AfterCommit,
    });
    let admin = stage.simulator.admin();
    admin.push_fault(lost.on(operation).on_domain(domain))
}

/// Treats the writes of an object's status that contain `text`.
fn treat_status(
    proxy: &ApiServerProxy,
    treatment: Treatment,
    name: &str,
    text: &'static str,
) -> Interception {
    let path = format!("/ssoconnectors/{name}/status");
    proxy.intercept(treatment, move |call| is_write_of(call, &path, text))
}

fn is_write_of(call: &Call, path: &str, text: &str) -> bool {
    call.method == "PATCH"
        && call.path.contains(path)
        && String::from_utf8_lossy(&call.body).contains(text)
}

/// Waits for the first call of a treatment.
async fn arrived(treated: &Interception) -> Call {
    tokio::time::timeout(PATIENCE, treated.arrived())
        .await
        .unwrap()
}

/// Waits until Cloudflare was asked so many times more.
async fn asked(stage: &Stage, operation: Operation, times: usize) {
    let before = stage.simulator.calls().of(operation).count();
    stage
        .simulator
        .until(
            |world| world.calls().of(operation).count() >= before + times,
            PATIENCE,
        )
        .await
        .unwrap();
}

/// Waits until that many creates have been asked for, in all.
async fn until_creates(stage: &Stage, domain: &str, count: usize) {
    let creates = |world: &simulator::World| {
        let creates = world.calls().of(Operation::Create).on_domain(domain);
        creates.count() >= count
    };
    stage.simulator.until(creates, PATIENCE).await.unwrap();
}

/// How many creates were asked for.
fn creates(stage: &Stage, domain: &str) -> usize {
    let creates = stage.simulator.calls().of(Operation::Create);
    creates.on_domain(domain).count()
}

/// The domain's connectors, as they are.
fn connectors(stage: &Stage, domain: &str) -> Vec<Connector> {
    let all = stage.simulator.admin().connectors(ACCOUNT);
    all.into_iter()
        .filter(|connector| connector.email_domain == domain)
        .collect()
}

/// Ends the operator as a crash does. Its Lease is given free, so that the next one need not wait until it expires: what is
/// tested here is what was stored, and not the election.
async fn crash(stage: &Stage, mut operator: Operator) {
    operator.kill().unwrap();
    let leases: Api<Lease> = Api::namespaced(stage.control_plane.client(), OPERATOR_NAMESPACE);
    let free = Patch::Merge(json!({ "spec": { "holderIdentity": null } }));
    leases
        .patch("cloudflare-sso-operator", &PatchParams::default(), &free)
        .await
        .unwrap();
}

/// Deletes an object, and does not wait.
async fn begin_deletion(stage: &Stage, name: &str) {
    let options = DeleteParams::default();
    stage.objects().delete(name, &options).await.unwrap();
}

/// Waits until whatever is created now is younger: Kubernetes counts whole seconds.
async fn is_older(stage: &Stage, name: &str) {
    let object = stage.objects().get(name).await.unwrap();
    let created = object.metadata.creation_timestamp.unwrap().0;
    harness::until("the next second", PATIENCE, async || {
        let now = Timestamp::now();
        let is_older = now.as_second() > created.as_second();
        is_older.then_some(()).ok_or(now)
    })
    .await
    .unwrap();
}
