//! Text that people will read, and the verification, of which a part is published.

use cloudflare_sso_operator::cloudflare::{VerificationCode, VerificationStatus};
use cloudflare_sso_operator::foreign_text::{MAX_CHARACTERS, quote};

/// The most characters of a sentence that quotes three texts.
const LONGEST_SENTENCE: usize = 4 * MAX_CHARACTERS;

pub(crate) fn check_foreign_text(input: &str) {
    let (secret, text) = input.split_once('\n').unwrap_or(("", input));
    let shown = quote(text, &[secret]);
    assert_is_shown_within(&shown, MAX_CHARACTERS);
    assert!(!shown.contains('"'), "{shown:?} ends its quotation");
    // A token is visible ASCII; what stands in its place is not.
    if !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic()) {
        assert!(!shown.contains(secret), "{shown:?} shows {secret:?}");
        assert_eq!(quote(&shown, &[secret]), shown, "quoted twice");
    }
}

pub(crate) fn check_verification(text: &str) {
    let status = VerificationStatus::parse(text);
    assert_is_shown_within(status.as_str(), MAX_CHARACTERS);
    let is_documented = ["awaiting", "pending", "failed", "verified"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text));
    let is_unknown = matches!(status, VerificationStatus::Unknown(_));
    // One that only looks like a documented word is none.
    assert_eq!(is_unknown, !is_documented, "{text:?} is {status:?}");
    if let Some(code) = VerificationCode::parse(text) {
        assert_eq!(code.as_str(), text);
        assert_is_publishable(text);
    }
}

/// Nothing else than a verification code gets into a zone, and it fits into one string of a TXT record.
pub(crate) fn assert_is_publishable(code: &str) {
    let value = code.strip_prefix("cloudflare_dashboard_sso=");
    let value = value.unwrap_or_else(|| panic!("{code:?} is some other record"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.=-".contains(c);
    assert!(!value.is_empty() && value.chars().all(plain), "{code:?}");
    assert!(code.len() <= 255, "{code:?}");
}

/// What a TXT record says whose content is spelled like this. If it begins with a quote, only what is in quotes counts, and
/// there a backslash stands before a character that is meant, or before the three digits of a byte.
pub(crate) fn spelled(content: &str) -> String {
    let content = content.trim();
    if !content.starts_with('"') {
        return content.to_owned();
    }
    let bytes = content.as_bytes();
    let (mut at, mut is_quoted, mut said) = (0, false, Vec::new());
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 4).unwrap_or_default();
        let digits = str::from_utf8(digits).unwrap_or_default();
        let is_number = digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits.parse::<u8>().ok().filter(|_| is_number);
        at += 1;
        match (byte, number) {
            (b'"', _) => is_quoted = !is_quoted,
            (b'\\', Some(number)) if is_quoted => {
                said.push(number);
                at += 3;
            }
            (b'\\', None) if is_quoted => {
                said.extend(bytes.get(at));
                at += 1;
            }
            (byte, _) if is_quoted => said.push(byte),
            _ => {}
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// A sentence that quotes others.
pub(crate) fn assert_is_sentence(sentence: &str) {
    assert_is_shown_within(sentence, LONGEST_SENTENCE);
}

fn assert_is_shown_within(shown: &str, most: usize) {
    assert!(shown.chars().count() <= most, "too long: {shown:?}");
    let misleading = shown.chars().find(|c| c.is_control() || is_format(*c));
    assert_eq!(misleading, None, "{shown:?}");
}

/// Characters that reorder what surrounds them (`Bidi_Control` of Unicode), break a line, or are not there to be seen.
fn is_format(c: char) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    let hides = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    reorders || breaks || hides
}
