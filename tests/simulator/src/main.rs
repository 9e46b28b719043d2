//! The Cloudflare API simulator, for people.
fn main() {}
