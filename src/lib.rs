//! Declarative Cloudflare dashboard SSO for Kubernetes.
//!
//! A user applies one [`SsoConnector`](resource::SsoConnector); the operator creates the SSO connector through
//! Cloudflare's API, shows what is to be published in DNS, waits for the domain to be verified, enables SSO when asked,
//! keeps it that way, and removes it when the object says so.
//!
//! Data flows one way: watch → resolve → observe → plan → execute → publish. What is decided is decided in [`plan`],
//! which is pure; [`controller`] is the shell around it.

pub mod account;
pub mod check;
pub mod cli;
pub mod clock;
pub mod cloudflare;
pub mod contact;
pub mod controller;
pub mod default_token;
pub mod definition;
pub mod dns;
pub mod export;
pub mod foreign_text;
pub mod given_token;
pub mod identity;
pub mod kubernetes;
pub mod lease;
pub mod metrics;
pub mod plan;
pub mod readiness;
pub mod resource;
pub mod rights;
pub mod run;
pub mod server;
pub mod upgrade;
