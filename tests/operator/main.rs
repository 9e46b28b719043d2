//! The built operator as a process, with the `ServiceAccount` and the rights of `deploy/`, against a real Kubernetes
//! control plane. Only Cloudflare is simulated. Each test has a stage of its own, so tests share nothing.

mod break_glass;
mod creation;
mod credentials;
mod defaults;
mod definition;
mod deletion;
mod duplicates;
mod enforcement;
mod journey;
mod leadership;
mod policies;
mod rights;
mod silence;
mod stage;
mod trouble;
mod validation;
