//! The simulator over HTTP, as its callers see it.

mod admin;
mod authentication;
mod binary;
mod client;
mod dns;
mod endpoints;
mod faults;
mod holds;
mod knobs;
