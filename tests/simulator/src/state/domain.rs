//! Which e-mail domains a create accepts.

use super::canonical;
use crate::knobs::Knobs;
use crate::refusal::Refusal;

/// A sample of the providers whose domains nobody may claim; Cloudflare publishes no list.
const PUBLIC_PROVIDERS: [&str; 8] = [
    "aol.com",
    "gmail.com",
    "hotmail.com",
    "icloud.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "yahoo.com",
];

/// Refuses what is no domain name, and what belongs to everybody.
pub(super) fn check(domain: &str, knobs: &Knobs) -> Result<(), Refusal> {
    let canonical = canonical(domain);
    if !is_domain_name(&canonical) {
        return Err(Refusal::InvalidDomain);
    }
    let educational = canonical.rsplit('.').next() == Some("edu");
    let prohibited = knobs.refuse_edu.is_on() && educational;
    if prohibited || PUBLIC_PROVIDERS.contains(&canonical.as_str()) {
        return Err(Refusal::ProhibitedDomain);
    }
    Ok(())
}

fn is_domain_name(domain: &str) -> bool {
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
