//! What must hold when everything around the operator fails: it is killed at every call, paused, and cut off; the API server is
//! behind a proxy that tells old news, none, or errors; and a Cloudflare answers everything that it ever might. The built operator
//! runs as a process, with the rights of the chart, against a real Kubernetes control plane; only Cloudflare is simulated.

mod crash_points;
mod replicas;
#[path = "../stage/mod.rs"]
#[expect(dead_code, reason = "the tests of the operator use the rest")]
mod stage;
mod step;
