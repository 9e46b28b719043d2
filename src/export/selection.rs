//! Which of an account's connectors an object can name, and how the objects are called.

use std::collections::BTreeMap;

use crate::cloudflare::Connector;
use crate::foreign_text;
use crate::identity::{ConnectorId, EmailDomain};

/// The most characters that the name of an object may have.
const MAX_NAME_LENGTH: usize = 253;

/// A connector that can be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declarable<'a> {
    /// The name of the object.
    pub(super) name: String,
    /// Its domain.
    pub(super) domain: EmailDomain,
    /// What Cloudflare reports about it.
    pub(super) connector: &'a Connector,
    /// How many connectors the account has for this domain, this one included.
    pub(super) of_this_domain: usize,
}

/// What there is to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection<'a> {
    /// By domain and ID.
    pub(super) declarable: Vec<Declarable<'a>>,
    /// A line about each connector that no object can name.
    pub(super) left_out: Vec<String>,
}

/// Selects the connectors of these domains; without any, all.
pub(super) fn select<'a>(connectors: &'a [Connector], domains: &[EmailDomain]) -> Selection<'a> {
    let asked = |domain: &EmailDomain| domains.is_empty() || domains.contains(domain);
    let mut by_domain: BTreeMap<EmailDomain, Vec<&Connector>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for connector in connectors {
        match EmailDomain::from_reported(&connector.email_domain) {
            Ok(domain) if !asked(&domain) => {}
            Ok(domain) if connector.id.fits_a_spec() => {
                by_domain.entry(domain).or_default().push(connector);
            }
            Ok(_) => {
                let why = "spec.connectorID cannot hold its ID";
                left_out.push(without_object(connector, why));
            }
            Err(_) if domains.is_empty() => {
                let why = "spec.emailDomain cannot hold its domain";
                left_out.push(without_object(connector, why));
            }
            // Whatever it is, it is none of the domains that were asked for.
            Err(_) => {}
        }
    }
    left_out.sort();
    let declarable = by_domain.into_iter().flat_map(name_all).collect();
    Selection {
        declarable,
        left_out,
    }
}

fn name_all((domain, mut connectors): (EmailDomain, Vec<&Connector>)) -> Vec<Declarable<'_>> {
    connectors.sort_by(|one, other| one.id.cmp(&other.id));
    let of_this_domain = connectors.len();
    connectors
        .into_iter()
        .map(|connector| Declarable {
            name: match of_this_domain {
                1 => domain.as_str().to_owned(),
                _ => name_with_id(&domain, &connector.id),
            },
            domain: domain.clone(),
            connector,
            of_this_domain,
        })
        .collect()
}

/// The name of one of several objects of a domain. It has no dot, so that it is never the name of another domain's object,
/// which is that domain.
fn name_with_id(domain: &EmailDomain, id: &ConnectorId) -> String {
    let id = id.as_str();
    let room = MAX_NAME_LENGTH.saturating_sub(id.len() + 1);
    let label: String = domain.as_str().replace('.', "-");
    let label: String = label.chars().take(room).collect();
    format!("{label}-{id}")
}

fn without_object(connector: &Connector, why: &str) -> String {
    format!(
        "left out: connector {} with the domain \"{}\": {why}",
        connector.id,
        foreign_text::quote(&connector.email_domain, &[])
    )
}
