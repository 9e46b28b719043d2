//! The account as all its objects share it: one list for everybody, one pace for each token, and what may be risked with
//! tokens that Cloudflare refuses. So the number of calls depends on the number of accounts, not of objects.

mod budget;
mod limiter;
mod listings;
mod offers;
mod tokens;

pub use budget::{Caller, Past, Source, Stake};
pub use limiter::{Lane, Limiter, Rate, Turn};
pub use listings::Listings;
pub use offers::{Offers, Outlook, Permission, Right, Site};
pub use tokens::Tokens;
