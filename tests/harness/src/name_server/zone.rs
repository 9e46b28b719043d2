//! What a name server is to say: zones and their records, and how they are written into a zone file.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::inquiry::Standing;

/// For an hour, so that it shows when somebody answers from a cache.
const TTL: u32 = 3600;

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Records(Vec<Record>),
    Unloadable,
}

impl Zone {
    /// One with these records beside its SOA and NS. All names are absolute, in lower case, without the final dot.
    #[must_use]
    pub fn new(name: &str, records: impl IntoIterator<Item = Record>) -> Self {
        Self {
            name: name.to_owned(),
            content: Content::Records(records.into_iter().collect()),
        }
    }

    /// One that the server is to serve and cannot load, so that it answers every question about it with SERVFAIL.
    #[must_use]
    pub fn unloadable(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            content: Content::Unloadable,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn records(&self) -> &[Record] {
        match &self.content {
            Content::Records(records) => records,
            Content::Unloadable => &[],
        }
    }

    pub(super) const fn is_loadable(&self) -> bool {
        matches!(self.content, Content::Records(_))
    }

    pub(super) const fn standing(&self, serial: u32) -> Standing {
        match self.content {
            Content::Records(_) => Standing::Served { serial },
            Content::Unloadable => Standing::Unloadable,
        }
    }

    /// Its zone file.
    pub(super) fn text(&self, serial: u32) -> String {
        let Self { name, content } = self;
        let Content::Records(records) = content else {
            return "This is no zone file.\n".to_owned();
        };
        let mut text = format!(
            "$TTL {TTL}\n\
             {name}. SOA localhost. nobody.localhost. {serial} {TTL} {TTL} {TTL} {TTL}\n\
             {name}. NS localhost.\n"
        );
        for Record { name, data } in records {
            // To a String, which takes everything.
            let _ = match data {
                Data::Txt(strings) => writeln!(text, "{name}. TXT {}", quoted(strings)),
                Data::Cname(target) => writeln!(text, "{name}. CNAME {target}."),
                Data::Address(address) => writeln!(text, "{name}. A {address}"),
            };
        }
        text
    }
}

/// A record. Its name lies in its zone, and is absolute, in lower case, without the final dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    name: String,
    data: Data,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Txt(Vec<String>),
    Cname(String),
    Address(Ipv4Addr),
}

impl Record {
    /// Text in one or more strings of up to 255 bytes each.
    #[must_use]
    pub fn txt<'a>(name: &str, strings: impl IntoIterator<Item = &'a str>) -> Self {
        let strings = strings.into_iter().map(str::to_owned).collect();
        Self::new(name, Data::Txt(strings))
    }

    /// The name stands for another, of any zone.
    #[must_use]
    pub fn cname(name: &str, target: &str) -> Self {
        Self::new(name, Data::Cname(target.to_owned()))
    }

    /// The name exists, and has an address.
    #[must_use]
    pub fn address(name: &str, address: Ipv4Addr) -> Self {
        Self::new(name, Data::Address(address))
    }

    fn new(name: &str, data: Data) -> Self {
        Self {
            name: name.to_owned(),
            data,
        }
    }
}

fn quoted(strings: &[String]) -> String {
    let quoted: Vec<String> = strings
        .iter()
        .map(|string| format!("\"{}\"", string.bytes().map(escaped).collect::<String>()))
        .collect();
    quoted.join(" ")
}

fn escaped(byte: u8) -> String {
    match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_file_has_each_record_in_the_words_of_its_kind() {
        let records = [
            Record::txt("example.test", ["one \"two\"", "back\\slash", "ü"]),
            Record::cname("alias.example.test", "elsewhere.test"),
            Record::address("host.example.test", Ipv4Addr::LOCALHOST),
        ];
        assert_eq!(
            Zone::new("example.test", records).text(7),
            r#"$TTL 3600
example.test. SOA localhost. nobody.localhost. 7 3600 3600 3600 3600
example.test. NS localhost.
example.test. TXT "one \"two\"" "back\\slash" "\195\188"
alias.example.test. CNAME elsewhere.test.
host.example.test. A 127.0.0.1
"#
        );
    }
}
