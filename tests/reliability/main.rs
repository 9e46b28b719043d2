//! The built operator in trouble: killed at every call, paused, cut off, doubled. As in `tests/operator/` it is a process
//! with the rights of the chart against a real control plane, and only Cloudflare is simulated.

mod crash_points;
#[path = "../stage/mod.rs"]
mod stage;
