//! What must hold when everything around the operator fails: it is killed at every call, paused, and cut off; the API server is
//! behind a proxy that tells old news, none, or errors; a Cloudflare answers everything that it ever might; and people act at
//! the worst moment. The built operator runs as a process, with the rights of the chart, against a real Kubernetes control
//! plane; only Cloudflare is simulated.

mod answers;
mod campaign;
mod cloudflare_faults;
mod crash_points;
mod crowd;
mod outage;
mod replicas;
mod soak;
#[path = "../stage/mod.rs"]
mod stage;
mod stale_list;
mod stale_watch;
mod step;
mod storm;
mod tally;
mod traces;
mod turns;
mod unobserved;
mod witness;

/// For tests in which so much is done at once, or the API server is away for so long, that a leader would give up its Lease
/// under the stage's own durations.
const PATIENT_LEASE: &[&str] = &["--lease-duration", "3m", "--renew-deadline", "2m"];
