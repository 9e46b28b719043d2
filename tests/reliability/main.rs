//! What must hold when everything around the operator fails: the API server behind a proxy that tells old news, none, or
//! errors, and a Cloudflare that answers everything that it ever might. The built operator runs as a process, with the rights of
//! the chart, against a real Kubernetes control plane; only Cloudflare is simulated.

mod answers;
mod cloudflare_faults;
mod crowd;
mod outage;
#[path = "../stage/mod.rs"]
mod stage;
mod stale_list;
mod stale_watch;
mod storm;
mod turns;
mod unobserved;
mod witness;

/// For tests in which so much is done at once, or the API server is away for so long, that a leader would give up its Lease
/// under the stage's own durations.
const PATIENT_LEASE: &[&str] = &["--lease-duration", "3m", "--renew-deadline", "2m"];
