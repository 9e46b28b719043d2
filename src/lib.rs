//! Declarative Cloudflare dashboard SSO for Kubernetes.

pub mod clock;
pub mod cloudflare;
pub mod foreign_text;
pub mod identity;
pub mod plan;
pub mod resource;
