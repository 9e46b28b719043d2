//! Text that others wrote (Cloudflare's messages, DNS answers) and that people will read in a status, an Event or a log.
//!
//! It may hold anything: terminal escapes, characters that reorder a line, an echo of the token that was sent. Every
//! foreign text passes through [`quote`] before it is shown. What is compared or decided on is the original, never
//! the quoted form: cleaning could make two different names look the same.

/// The most characters of one foreign text that are ever shown.
pub const MAX_CHARACTERS: usize = 256;

/// Stands where a secret stood. It is not ASCII, so no token can contain it or be put together with its help.
const REDACTED: &str = "•••";

/// The text as it may be shown: on one line, without control, bidirectional and invisible characters, without any of
/// the `secrets`, and at most [`MAX_CHARACTERS`] long.
///
/// Double quotes become single ones, so that the text cannot end the quotation it is shown in.
#[must_use]
pub fn quote(text: &str, secrets: &[&str]) -> String {
    let mut shown = clean(text);
    // An empty pattern would match between all characters.
    for secret in secrets
        .iter()
        .map(|secret| clean(secret))
        .filter(|secret| !secret.is_empty())
    {
        shown = shown.replace(&secret, REDACTED);
    }
    cut(shown)
}

/// Whether the text holds the secret, perhaps divided by characters that are not shown.
#[must_use]
pub fn reveals(text: &str, secret: &str) -> bool {
    clean(text).contains(&clean(secret))
}

fn clean(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|character| character.is_whitespace() || !is_invisible(*character))
        .map(|character| if character == '"' { '\'' } else { character })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters and the format characters that change how their neighbours look, or hide.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            // No characters at all: a YAML file with one of them is refused.
            | '\u{fffe}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

fn cut(text: String) -> String {
    if text.chars().count() <= MAX_CHARACTERS {
        return text;
    }
    text.chars().take(MAX_CHARACTERS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        let text = "More than 1200 requests per 300 seconds reached. Größe: 日本語";
        assert_eq!(quote(text, &["secret"]), text);
    }

    #[test]
    fn what_could_mislead_a_reader_is_removed() {
        assert_eq!(quote("a\u{1b}[31m\r\nb\tc\u{2028}d", &[]), "a[31m b c d");
        assert_eq!(quote("abc\u{202e}fed\u{2066}", &[]), "abcfed");
        assert_eq!(quote(r#"no" (code 1), "yes"#, &[]), "no' (code 1), 'yes");
    }

    #[test]
    fn a_secret_is_found_even_when_invisible_characters_divide_it() {
        assert_eq!(
            quote("bad token to\u{200b}k\u{0}en!", &["token"]),
            "bad ••• •••!"
        );
        assert_eq!(quote("nothing", &[""]), "nothing");
        assert!(reveals("bad to\u{200b}k\u{0}en!", "token"));
        assert!(!reveals("bad to ken", "token"));
    }

    #[test]
    fn a_long_text_is_cut() {
        let shown = quote(&"é".repeat(300), &[]);
        assert_eq!(shown.chars().count(), MAX_CHARACTERS);
        assert!(shown.ends_with("é…"));
        assert_eq!(quote(&"é".repeat(256), &[]), "é".repeat(256));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_safe_to_show(text in any::<String>(), secret in "[!-~]{1,12}") {
            let shown = quote(&text, &[&secret]);
            prop_assert!(shown.chars().count() <= MAX_CHARACTERS);
            prop_assert!(!shown.contains(&secret));
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_invisible(c) || c == '"'));
            prop_assert_eq!(quote(&shown, &[&secret]), shown);
        }

        #[test]
        fn an_echoed_secret_is_never_shown(
            before in "[ -~]{0,40}", secret in "[!-~]{1,12}", after in "[ -~]{0,40}",
        ) {
            let echo = format!("{before}{secret}{after}{secret}{secret}");
            prop_assert!(!quote(&echo, &[&secret]).contains(&secret));
        }
    }
}
