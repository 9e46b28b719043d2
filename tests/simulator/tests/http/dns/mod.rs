//! Zones and DNS records, and the verification that rests on them or on a real name server.

mod by_hand;
mod knobs;
pub(crate) mod name_server;
mod permissions;
mod records;
mod scene;
mod verification;
mod zones;
