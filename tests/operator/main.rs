//! The built operator as a process, with the `ServiceAccount` and the rights of the chart, against a real Kubernetes
//! control plane. Only Cloudflare is simulated. Each test has a stage of its own, so tests share nothing.

mod applied_again;
mod break_glass;
mod check;
mod command;
mod creation;
mod credentials;
mod crowd;
mod default_token;
mod defaults;
mod definition;
mod deletion;
mod dns_lookups;
mod dns_tokens;
mod duplicates;
mod enforcement;
mod export;
mod hands_free;
mod hostile;
mod journey;
mod leadership;
mod missing_rights;
mod namespace;
mod policies;
mod proxy;
mod publishing;
mod refusals;
mod rights;
mod rotation;
mod schema_guard;
mod scope;
mod silence;
#[path = "../stage/mod.rs"]
mod stage;
mod transcript;
mod trouble;
mod turns;
mod validation;
