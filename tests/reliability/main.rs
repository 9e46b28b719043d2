//! What makes operators fail in practice: crashes, copies that are old, answers that are lost, people who act at the worst
//! moment. The operator is the built one against a real Kubernetes control plane, and only Cloudflare is simulated.

#[path = "../stage/mod.rs"]
#[expect(dead_code, reason = "the tests of the operator use the rest")]
mod stage;
mod traces;
