//! Control plane and demo, for people.
fn main() {}
