//! What DNS shows at an e-mail domain.
//!
//! It is advice for people, and lets a verification on which Cloudflare gave up be begun again promptly once the record is
//! there. Whether a domain is verified is Cloudflare's word alone: it asks other name servers, from elsewhere. So nothing
//! waits for a look-up: one is [asked for](Lookups::ask) in passing, runs beside everything else, and whoever asked comes
//! back when it has ended.

mod lookups;
mod nameserver;
mod resolver;
mod sight;

pub use lookups::{Asked, Lookups};
pub use nameserver::{InvalidNameServer, NameServer};
pub use resolver::Resolver;
pub use sight::{Sight, Trouble};
