//! The names by which Cloudflare and Kubernetes know things, each parsed once at the border into a type that cannot be
//! wrong.
//!
//! An ID may come from a flag, from a spec, from a stored status or from an answer of Cloudflare. Wherever it comes from,
//! it parses here before it may stand in a URL.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Why a text is not the name that it should be. Its text is a sentence fragment for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a Cloudflare account ID.
    #[error("an account ID is 32 lower-case hexadecimal digits")]
    AccountId,
    /// Not usable as a connector ID.
    #[error("a connector ID is 1 to 64 of the characters 0-9, A-Z, a-z, _ and -")]
    ConnectorId,
    /// Not a zone ID.
    #[error("a zone ID is 32 lower-case hexadecimal digits")]
    ZoneId,
    /// Not usable as the ID of a DNS record.
    #[error("a DNS record ID is 1 to 64 of the characters 0-9, A-Z, a-z, _ and -")]
    RecordId,
    /// Not an e-mail domain in its canonical form.
    #[error(
        "an email domain is a lower-case DNS name of two or more labels, without a final dot; write other scripts as xn--…"
    )]
    EmailDomain,
    /// Not usable as the name of a namespace.
    #[error(
        "a namespace is 1 to 63 of the characters a-z, 0-9 and -, and neither begins nor ends with -"
    )]
    NamespaceName,
}

/// A Cloudflare account ID: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Arc<str>);

impl FromStr for AccountId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_32_hexadecimal_digits(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::AccountId)
        }
    }
}

/// A connector's ID. 32 hexadecimal digits by every example of Cloudflare's, but its length is never relied on
/// (a sample in Cloudflare's documentation has 31).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectorId(Arc<str>);

impl FromStr for ConnectorId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if may_stand_in_a_url(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::ConnectorId)
        }
    }
}

/// The ID of a zone of Cloudflare DNS: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(Arc<str>);

impl FromStr for ZoneId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_32_hexadecimal_digits(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::ZoneId)
        }
    }
}

/// The ID of a record of Cloudflare DNS. Like a connector's, its length is not relied on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Arc<str>);

impl FromStr for RecordId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if may_stand_in_a_url(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::RecordId)
        }
    }
}

fn may_stand_in_a_url(id: &str) -> bool {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=64).contains(&id.len()) && id.bytes().all(safe)
}

impl ConnectorId {
    /// Whether an object can name it: the definition admits only the form that Cloudflare documents.
    #[must_use]
    pub fn fits_a_spec(&self) -> bool {
        is_32_hexadecimal_digits(&self.0)
    }
}

fn is_32_hexadecimal_digits(text: &str) -> bool {
    let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 32 && text.bytes().all(hexadecimal)
}

/// The most labels of a zone that is searched for; a domain has up to 127, and each name costs a call.
pub const SEARCHED_LABELS: usize = 8;

/// An e-mail domain as lower-case A-labels without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailDomain(Arc<str>);

impl EmailDomain {
    /// The domain that Cloudflare reports in whatever spelling; [`is_named`](Self::is_named) holds of the two.
    ///
    /// # Errors
    /// If no object can name it.
    pub fn from_reported(reported: &str) -> Result<Self, InvalidName> {
        in_ascii(reported).ok_or(InvalidName::EmailDomain)?.parse()
    }

    /// The names of which each may be the zone that the domain's records are in, the longest first: the domain itself and
    /// what is left when its first labels go, down to two labels. A top-level domain is nobody's zone at Cloudflare.
    fn enclosing_names(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |name| {
            let (_, rest) = name.split_once('.')?;
            rest.contains('.').then_some(rest)
        })
    }

    /// The enclosing names of at most [`SEARCHED_LABELS`] labels, of which a search for the zone asks Cloudflare one by one.
    pub fn searched_names(&self) -> impl Iterator<Item = &str> {
        self.enclosing_names()
            .filter(|name| name.split('.').count() <= SEARCHED_LABELS)
    }

    /// Whether the domain's records are in a zone of that name, however Cloudflare spells it, or below a cut in it.
    #[must_use]
    pub fn is_within(&self, zone: &str) -> bool {
        let zone = in_ascii(zone);
        self.enclosing_names()
            .any(|name| Some(name) == zone.as_deref())
    }

    /// Whether a name that Cloudflare reports is this domain: case and one final dot do not count, and a name in
    /// another script is compared by its A-labels.
    ///
    /// How Cloudflare normalises domains is not documented, so the comparison accepts every spelling of one name.
    #[must_use]
    pub fn is_named(&self, reported: &str) -> bool {
        in_ascii(reported).is_some_and(|name| *name == *self.0)
    }
}

/// A name as an [`EmailDomain`] would spell it, which it need not be; `None` if it is no name in any script.
pub(crate) fn in_ascii(reported: &str) -> Option<Cow<'_, str>> {
    let name = reported.strip_suffix('.').unwrap_or(reported);
    if !name.is_ascii() {
        return idna::domain_to_ascii(name).ok().map(Cow::Owned);
    }
    let is_lower_case = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if is_lower_case {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_ascii_lowercase())
    })
}

impl FromStr for EmailDomain {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let labels: Vec<&str> = text.split('.').collect();
        let all_digits = |label: &&str| label.bytes().all(|b| b.is_ascii_digit());
        let valid = text.len() <= 253
            && labels.len() >= 2
            && labels.iter().all(|label| is_label(label))
            && !labels.last().is_some_and(all_digits);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::EmailDomain)
        }
    }
}

fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The name of a Kubernetes namespace: a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceName(String);

impl FromStr for NamespaceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::NamespaceName)
        }
    }
}

impl NamespaceName {
    /// The name as Kubernetes writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccountId {
    /// The ID as Cloudflare writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ConnectorId {
    /// The ID as Cloudflare writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EmailDomain {
    /// The domain, lower-case and without a final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ConnectorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EmailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Namespace and name of an object. Cheap to clone, as it is held in many places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(Arc<(Box<str>, Box<str>)>);

impl ObjectName {
    /// The name of that object in that namespace.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(Arc::new((namespace.into(), name.into())))
    }

    /// What the metadata says.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        let ObjectMeta {
            namespace, name, ..
        } = metadata;
        Self::new(
            namespace.as_deref().unwrap_or_default(),
            name.as_deref().unwrap_or_default(),
        )
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.0
    }

    /// The name of the object.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.1
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_canonical_or_refused() {
        for good in ["example.com", "a.b.c", "xn--bcher-kva.example", "1a.2b"] {
            assert!(good.parse::<EmailDomain>().is_ok(), "{good}");
        }
        let long = format!("{}.com", "a".repeat(64));
        let longer = format!("{}com", "a.".repeat(126));
        for bad in [
            "",
            "com",
            "Example.com",
            "example.com.",
            "a@b.com",
            "*.example.com",
            "10.0.0.1",
            "bücher.example",
            "-a.com",
            "a-.com",
            "a..com",
            ".a.com",
            "a_b.com",
            "a b.com",
            &long,
            &longer,
        ] {
            assert!(bad.parse::<EmailDomain>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_zone_is_searched_for_above_the_domain_and_not_by_every_one_of_its_labels() {
        let searched = |domain: &str| {
            let domain: EmailDomain = domain.parse().unwrap();
            domain
                .searched_names()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            searched("a.b.example.com"),
            ["a.b.example.com", "b.example.com", "example.com"]
        );
        let deep = searched(&format!("{}example.com", "x.".repeat(100)));
        assert_eq!(deep.len(), SEARCHED_LABELS - 1);
        assert_eq!(deep.last().map(String::as_str), Some("example.com"));
        let domain: EmailDomain = "mail.xn--bcher-kva.example".parse().unwrap();
        for zone in ["bücher.example", "XN--BCHER-KVA.example."] {
            assert!(domain.is_within(zone), "{zone}");
        }
        assert!(!domain.is_within("example"));
    }

    #[test]
    fn a_reported_domain_is_compared_by_its_name_not_its_spelling() {
        let domain: EmailDomain = "xn--bcher-kva.example".parse().unwrap();
        for same in [
            "xn--bcher-kva.example",
            "XN--BCHER-KVA.Example.",
            "bücher.example",
            "Bücher.example.",
        ] {
            assert!(domain.is_named(same), "{same}");
            assert_eq!(EmailDomain::from_reported(same), Ok(domain.clone()));
        }
        for bad in [
            "",
            ".",
            "example.com..",
            "a b.com",
            "localhost",
            "bücher",
            "a\n.com",
        ] {
            assert!(EmailDomain::from_reported(bad).is_err(), "{bad}");
        }
        assert!(!domain.is_named("bucher.example"));
        assert!(!domain.is_named("sub.xn--bcher-kva.example"));
    }

    #[test]
    fn a_namespace_is_one_label() {
        for good in ["team", "0", "a-b", &"a".repeat(63)] {
            assert!(good.parse::<NamespaceName>().is_ok(), "{good}");
        }
        for bad in ["", "Team", "a.b", "-a", "a-", "*", " a", &"a".repeat(64)] {
            assert!(bad.parse::<NamespaceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_safe_in_a_url() {
        assert!(
            "023e105f4ecef8ad9ca31a8372d0c353"
                .parse::<AccountId>()
                .is_ok()
        );
        for bad in [
            "023E105F4ECEF8AD9CA31A8372D0C353",
            "023e",
            "../../023e105f4ecef8ad9ca31a8372d0",
            "",
        ] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
        assert!(
            "c3ebcba5c20b42f73e111110d0be67d"
                .parse::<ConnectorId>()
                .is_ok()
        );
        for bad in ["", "a/b", "..", "a?b", "é", &"a".repeat(65)] {
            assert!(bad.parse::<ConnectorId>().is_err(), "{bad}");
        }
    }
}
