//! Never twice, never lost: the built operator under whatever people, networks and machines do to it.

mod campaign;
#[path = "../stage/mod.rs"]
mod stage;
