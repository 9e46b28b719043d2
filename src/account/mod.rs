//! The account as all its objects share it: one list for everybody, one pace for each token, and the tokens that
//! Cloudflare refuses. So the number of calls depends on the number of accounts, not of objects.

mod limiter;
mod listings;
mod refusals;
mod tokens;

pub use limiter::{Lane, Limiter, Rate, Turn};
pub use listings::Listings;
pub use refusals::{Refusals, Right};
pub use tokens::Tokens;
