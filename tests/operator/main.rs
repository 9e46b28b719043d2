//! The built operator as a process, with the `ServiceAccount` and the rights of `deploy/`, against a real Kubernetes
//! control plane. Only Cloudflare is simulated. Each test has a stage of its own, so tests share nothing.

#![allow(missing_docs, reason = "nothing here is for others")]

mod journey;
mod rights;
mod stage;
mod validation;
