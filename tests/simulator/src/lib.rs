//! The Cloudflare API simulator.
