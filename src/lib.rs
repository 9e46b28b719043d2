//! Declarative Cloudflare dashboard SSO for Kubernetes.

pub mod clock;
pub mod cloudflare;
pub mod identity;
pub mod plan;
pub mod resource;
