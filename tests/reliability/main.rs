//! Never twice, never lost: the built operator under whatever people, networks and machines do to it.

mod campaign;
mod soak;
#[path = "../stage/mod.rs"]
mod stage;
