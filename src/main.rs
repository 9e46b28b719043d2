//! Operator.
fn main() { print!("{}", cloudflare_sso_operator::resource::yaml().unwrap()); }
