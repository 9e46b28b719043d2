//! The endpoints for zones and TXT records: as they should work, however answers are shaped, whatever Cloudflare refuses,
//! and with every fault that those for connectors meet.

mod endpoints;
mod faults;
mod refusals;
mod scene;
mod shapes;

pub(crate) use scene::{ENDPOINTS, Scene};
