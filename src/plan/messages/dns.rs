//! The sentences about the TXT record: what DNS shows of it, and how its publication stands.

use super::sentence;
use crate::cloudflare::VerificationCode;
use crate::dns::{Sight, Trouble};
use crate::identity::EmailDomain;
use crate::plan::desired::{Desired, Publication};
use crate::plan::publication::NoZone;
use crate::plan::world::{Namespace, Placement};

/// What a token needs that publishes the record.
const PERMISSIONS: &str = "the permissions Zone Read and DNS Edit";

/// The most codes of others that are named.
const NAMED_CODES: usize = 3;

pub(in crate::plan) fn seen(desired: &Desired, sight: &Sight, code: &VerificationCode) -> String {
    let domain = &desired.domain;
    let publish = match desired.publisher() {
        Some(_) => {
            "The operator publishes the record of status.dnsRecord; name servers may show it later."
        }
        None => "Publish the record of status.dnsRecord.",
    };
    match sight {
        Sight::Codes(codes) if codes.contains(code) => {
            format!("DNS shows the TXT record at {domain}. Keep it.")
        }
        Sight::Codes(codes) => format!(
            "DNS shows TXT records at {domain} with other verification codes: {}. They may belong to other accounts and may stay; another one is needed beside them. {publish}",
            named(codes)
        ),
        Sight::Alias => format!(
            "DNS shows a CNAME at {domain}, and a TXT record cannot stand beside one. Publish the TXT record where the CNAME leads, or put other records in the place of the CNAME."
        ),
        Sight::Nothing => {
            format!("DNS shows no TXT record with a verification code at {domain}. {publish}")
        }
        Sight::NoSuchName => format!(
            "DNS does not know {domain}. If spec.emailDomain is spelled right and the domain is registered, the TXT record makes it known. {publish}"
        ),
        Sight::Failed(trouble) => format!(
            "DNS could not be asked for {domain}: {}. Nothing depends on that: Cloudflare asks for itself.",
            cause(*trouble)
        ),
    }
}

fn cause(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Silence => "no name server answered in time",
        Trouble::Refusal => "the name servers answered that they cannot say",
        Trouble::Unreadable => "the answer of the name servers cannot be read",
        Trouble::NoNameServers => {
            "it is not known which name servers to ask; name some with --dns-nameservers, or dns.nameservers of the chart"
        }
    }
}

fn named(codes: &[VerificationCode]) -> String {
    let shown: Vec<_> = codes
        .iter()
        .take(NAMED_CODES)
        .map(VerificationCode::as_str)
        .collect();
    match codes.len().saturating_sub(NAMED_CODES) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

pub(in crate::plan) fn published(domain: &EmailDomain) -> String {
    format!("The TXT record at {domain} is in Cloudflare DNS, published by the operator.")
}

/// Of a domain that is verified.
pub(in crate::plan) fn was_published(domain: &EmailDomain) -> String {
    format!(
        "The TXT record at {domain} was in Cloudflare DNS before the domain was verified. Keep it: the operator does not look after it any more."
    )
}

pub(in crate::plan) fn published_by_others(domain: &EmailDomain) -> String {
    format!(
        "The TXT record at {domain} is in Cloudflare DNS already. The operator has not created it, and never deletes it."
    )
}

pub(in crate::plan) fn no_zone(
    domain: &EmailDomain,
    publication: &Publication,
    placed: Option<&Placement>,
    why: NoZone,
) -> String {
    let named = publication.zone.as_ref();
    let named = named.map(ToString::to_string).unwrap_or_default();
    let (what, remedy) = match why {
        NoZone::NotFound => (
            format!(
                "Cloudflare DNS has no zone for {domain} or a domain above it that the API token may see"
            ),
            "Give the token the permissions Zone Read and DNS Edit for the zone, or remove spec.dns and publish the record of status.dnsRecord by hand, where the domain's zone is",
        ),
        NoZone::Inactive => (
            format!(
                "The zone for {domain} is not active at Cloudflare, so nobody would see the TXT record"
            ),
            "Let the domain's registrar point to Cloudflare's name servers, or remove spec.dns and publish the record of status.dnsRecord by hand, where the zone is served",
        ),
        NoZone::ServedElsewhere => (
            format!(
                "The zone for {domain} is of a type that other name servers than Cloudflare's answer for, so nobody would see the TXT record"
            ),
            "Remove spec.dns and publish the record of status.dnsRecord by hand, where the zone is served",
        ),
        NoZone::Ambiguous => (
            format!("Several accounts have a zone for {domain} that the API token may see"),
            "Name the one that is meant in spec.dns.cloudflare.zoneID",
        ),
        NoZone::NamedNotFound => (
            format!("Cloudflare DNS has no zone {named}, which spec.dns.cloudflare.zoneID names"),
            "Correct it, or remove it to have the zone found by the domain",
        ),
        NoZone::NamedForAnother => (
            format!(
                "Zone {named}, which spec.dns.cloudflare.zoneID names, is for another domain than {domain}"
            ),
            "Correct it, or remove it to have the zone found by the domain",
        ),
    };
    match placed {
        None => format!("The TXT record is not published: {what}. {remedy}."),
        Some(placed) => {
            let zone = &placed.zone;
            format!("The TXT record stays in zone {zone} for now: {what}. {remedy}.")
        }
    }
}

/// What Cloudflare says does not say which permissions it misses.
pub(in crate::plan) fn refused_token(
    problem: &str,
    desired: &Desired,
    publication: &Publication,
    placed: Option<&Placement>,
) -> String {
    let secret = publication.api_token.as_ref();
    let secret = secret.map_or("the Secret", |reference| reference.name.as_str());
    let zone = match (placed, &publication.zone) {
        (Some(placed), _) => format!(
            "zone {}, which status.dnsRecord names as the one where the record is or may be",
            placed.zone
        ),
        (None, Some(named)) => format!("zone {named}, which spec.dns.cloudflare.zoneID names"),
        (None, None) => format!("the zone of {}", desired.domain),
    };
    format!(
        "The TXT record is not published: {} Put a token into Secret {secret} that has {PERMISSIONS} for {zone}; another token is tried at once, the same one within minutes.",
        sentence(problem)
    )
}

pub(in crate::plan) fn no_proof(gap: &str) -> String {
    format!(
        "The TXT record is not published: {gap}, so that it may be there already. Looking again from time to time."
    )
}

pub(in crate::plan) fn no_token(problem: &str, remedy: &str, domain: &EmailDomain) -> String {
    format!(
        "The TXT record is not published: {} {remedy} The token needs {PERMISSIONS} for the zone of {domain}.",
        sentence(problem)
    )
}

pub(in crate::plan) fn rejected(problem: &str) -> String {
    format!(
        "The TXT record is not published: {} When that is put right, set a new value of the annotation cloudflare-sso.dev/reconcile-at; without that it is tried again from time to time. The record of status.dnsRecord may also be published by hand.",
        sentence(problem)
    )
}

pub(in crate::plan) fn zone_gone() -> String {
    "The TXT record is not published: the zone does not exist any more in Cloudflare DNS. Looking for another one from time to time."
        .to_owned()
}

pub(in crate::plan) fn withdrawing() -> String {
    "The connector is deleted. Removing the TXT record that the operator has published, as deletionPolicy is Delete; Retain leaves it where it is."
        .to_owned()
}

pub(in crate::plan) fn withdrawal_delayed(problem: &str) -> String {
    format!(
        "The connector is deleted, but the TXT record that the operator has published is not removed yet: {} The operator goes on trying; deletionPolicy Retain leaves the record where it is.",
        sentence(problem)
    )
}

pub(in crate::plan) fn withdrawal_impossible(problem: &str, namespace: Namespace) -> String {
    let way_out = match namespace {
        Namespace::Unread | Namespace::Stays => {
            "Either restore a Secret with a token that may edit DNS there, or set spec.deletionPolicy to Retain to leave the record."
        }
        Namespace::Terminating => {
            "Set spec.deletionPolicy to Retain to leave the record and let the namespace go."
        }
    };
    format!(
        "The connector is deleted, but the TXT record that the operator has published cannot be removed: {} {way_out}",
        sentence(problem)
    )
}
