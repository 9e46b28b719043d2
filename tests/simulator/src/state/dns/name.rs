//! Names in DNS: how spellings compare, and what lies in which zone.

/// How two spellings of one domain compare: in lower case, without a final dot.
pub(crate) fn canonical(domain: &str) -> String {
    domain
        .strip_suffix('.')
        .unwrap_or(domain)
        .to_ascii_lowercase()
}

/// Whether a canonical name is a canonical zone's own or lies below it.
pub(super) fn encloses(zone: &str, name: &str) -> bool {
    name.strip_suffix(zone)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The canonical full name of what was sent for a record: a name outside the zone gets the zone's name appended.
pub(super) fn completed(zone: &str, sent: &str) -> String {
    let name = canonical(sent);
    match name.as_str() {
        "@" => zone.to_owned(),
        name if encloses(zone, name) => name.to_owned(),
        name => format!("{name}.{zone}"),
    }
}

/// Whether a canonical name can name a record: `_` and `*` are allowed besides what hosts may have.
pub(super) fn is_record_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'*');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_outside_the_zone_gets_its_name_appended() {
        for (sent, name) in [
            ("cool.cats", "cool.cats"),
            ("Cool.Cats.", "cool.cats"),
            ("@", "cool.cats"),
            ("mail", "mail.cool.cats"),
            ("mail.cool.cats", "mail.cool.cats"),
            ("uncool.cats", "uncool.cats.cool.cats"),
            ("example.com", "example.com.cool.cats"),
        ] {
            assert_eq!(completed("cool.cats", sent), name, "{sent}");
        }
    }

    #[test]
    fn a_record_name_has_short_labels_of_few_letters() {
        let long = "a".repeat(64);
        let deep = ["a"; 128].join(".");
        for (name, valid) in [
            ("cool.cats", true),
            ("_dmarc.cool.cats", true),
            ("*.cool.cats", true),
            ("", false),
            (".cool.cats", false),
            ("a..b", false),
            ("a b.cats", false),
            ("bücher.cats", false),
            (&long, false),
            (&deep, false),
        ] {
            assert_eq!(is_record_name(name), valid, "{name}");
        }
    }
}
