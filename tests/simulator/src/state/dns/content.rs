//! The content of a TXT record: one or more strings, as a zone file quotes them, or one bare text.

/// A DNS string holds at most this many bytes.
const STRING_LIMIT: usize = 255;

/// The strings of a TXT record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TxtContent(Vec<Vec<u8>>);

impl TxtContent {
    /// Parses quoted strings, or takes a text that begins without a quote as it is; strings that are too long are split.
    /// Nothing comes of an empty content, a control character, an open quote, or anything outside of quotes.
    pub(super) fn parse(content: &str) -> Option<Self> {
        if content.chars().any(char::is_control) {
            return None;
        }
        let content = content.trim();
        let strings = if content.starts_with('"') {
            quoted_strings(content.as_bytes())?
        } else {
            vec![content.as_bytes().to_vec()]
        };
        let split: Vec<Vec<u8>> = strings
            .iter()
            .flat_map(|string| string.chunks(STRING_LIMIT))
            .map(<[u8]>::to_vec)
            .collect();
        (!split.is_empty()).then_some(Self(split))
    }

    /// What a reader makes of the strings: all of them joined.
    pub(super) fn value(&self) -> String {
        String::from_utf8_lossy(&self.0.concat()).into_owned()
    }

    /// The strings as a zone file quotes them.
    pub(super) fn quoted(&self) -> String {
        let strings: Vec<String> = self.0.iter().map(|string| quoted(string)).collect();
        strings.join(" ")
    }

    /// The bytes that the strings take on the wire.
    pub(super) fn wire_length(&self) -> usize {
        self.0.iter().map(|string| string.len() + 1).sum()
    }
}

fn quoted(string: &[u8]) -> String {
    let inside: String = string
        .iter()
        .map(|&byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b' '..=b'~' => char::from(byte).into(),
            _ => format!("\\{byte:03}"),
        })
        .collect();
    format!("\"{inside}\"")
}

fn quoted_strings(mut rest: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    while let [b'"', inside @ ..] = rest {
        let (string, after) = quoted_string(inside)?;
        strings.push(string);
        rest = after.trim_ascii_start();
    }
    rest.is_empty().then_some(strings)
}

/// The string up to its closing quote, and what comes after it.
fn quoted_string(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut string = Vec::new();
    loop {
        let (byte, after) = match rest {
            [b'"', after @ ..] => return Some((string, after)),
            [b'\\', b'0'..=b'9', ..] => escaped_number(rest)?,
            [b'\\', escaped, after @ ..] => (*escaped, after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        string.push(byte);
        rest = after;
    }
}

/// The byte that a backslash and three digits stand for, and what comes after them.
fn escaped_number(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = rest.strip_prefix(b"\\")?.split_at_checked(3)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_bare_contents_mean_the_same() {
        for (content, value, quoted) in [
            ("code=1", "code=1", r#""code=1""#),
            (r#""code=1""#, "code=1", r#""code=1""#),
            (r#" "code" "=1" "#, "code=1", r#""code" "=1""#),
            (r#""a""b""#, "ab", r#""a" "b""#),
            ("v=spf1 -all", "v=spf1 -all", r#""v=spf1 -all""#),
            (r#"a"b"#, r#"a"b"#, r#""a\"b""#),
            (r#""a\"b\\c""#, r#"a"b\c"#, r#""a\"b\\c""#),
            (r#""a\065b""#, "aAb", r#""aAb""#),
            ("\u{fc}", "\u{fc}", r#""\195\188""#),
        ] {
            let parsed = TxtContent::parse(content).unwrap();
            assert_eq!(parsed.value(), value, "{content}");
            assert_eq!(parsed.quoted(), quoted, "{content}");
            assert_eq!(TxtContent::parse(quoted).unwrap().value(), value);
        }
    }

    #[test]
    fn anything_else_is_no_content() {
        for content in [
            "",
            " ",
            r#""""#,
            r#"""#,
            r#""open"#,
            r#""a" b"#,
            r#""a\"#,
            r#""a\1""#,
            r#""a\256""#,
            r#""a\1+2""#,
            "a\nb",
        ] {
            assert_eq!(TxtContent::parse(content), None, "{content}");
        }
    }

    #[test]
    fn long_strings_are_split() {
        let long = "a".repeat(300);
        for content in [long.clone(), format!("\"{long}\"")] {
            let parsed = TxtContent::parse(&content).unwrap();
            assert_eq!(parsed.value(), long);
            assert_eq!(parsed.wire_length(), 302);
            assert_eq!(parsed.0.len(), 2);
        }
    }
}
