//! The credential. Nothing outside this module's parent can read it, and nothing can print it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// A Cloudflare API token, fit to stand in an `Authorization` header.
///
/// It never shows in `Debug`, has no `Display`, and is compared only through its [`Fingerprint`].
#[derive(Clone)]
pub struct ApiToken(SecretString);

/// Why bytes are no API token. It never quotes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Nothing but white space.
    #[error("the API token is empty")]
    Empty,
    /// Something that cannot be a bearer token, such as two lines or a binary.
    #[error(
        "the API token contains characters that no token has (spaces, line breaks or non-ASCII bytes)"
    )]
    Malformed,
}

impl ApiToken {
    /// Reads a token as it stands in a Secret. ASCII white space around it is dropped: editors and `echo` leave a
    /// newline, for which Cloudflare answers with an error that nobody understands.
    ///
    /// # Errors
    ///
    /// If nothing is left, or if a byte other than visible ASCII remains.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidToken> {
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if !trimmed.iter().all(u8::is_ascii_graphic) {
            return Err(InvalidToken::Malformed);
        }
        let text = str::from_utf8(trimmed).map_err(|_| InvalidToken::Malformed)?;
        Ok(Self(SecretString::from(text)))
    }

    /// The name of this token inside this process.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        Fingerprint(key.0.hash_one(self.0.expose_secret()))
    }

    /// The value of the `Authorization` header, marked so that no library prints it.
    pub(super) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.text()))
            .expect("parse admits visible ASCII only");
        value.set_sensitive(true);
        value
    }

    /// The token itself, to keep it out of what is shown.
    pub(super) fn text(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken([REDACTED])")
    }
}

/// The key under which this process makes fingerprints: random, so that a fingerprint says nothing to anybody else
/// and cannot be searched for from outside.
#[derive(Clone)]
pub struct FingerprintKey(RandomState);

impl FingerprintKey {
    /// A new random key.
    #[must_use]
    pub fn random() -> Self {
        Self(RandomState::new())
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey([REDACTED])")
    }
}

/// A token's name within this process: equal for equal tokens under one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(u64);

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "cfat_Zx9-_~Qw";

    #[test]
    fn white_space_around_a_token_is_dropped() {
        for bytes in ["cfat_Zx9-_~Qw", "cfat_Zx9-_~Qw\n", " \tcfat_Zx9-_~Qw\r\n\n"] {
            assert_eq!(ApiToken::parse(bytes.as_bytes()).unwrap().text(), TEXT);
        }
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_refused() {
        for (bytes, error) in [
            (&b""[..], InvalidToken::Empty),
            (b" \n\t", InvalidToken::Empty),
            (b"one\ntwo", InvalidToken::Malformed),
            (b"one two", InvalidToken::Malformed),
            (b"tok\0en", InvalidToken::Malformed),
            (b"tok\x7fen", InvalidToken::Malformed),
            ("tökèn".as_bytes(), InvalidToken::Malformed),
            (b"\xff\xfe", InvalidToken::Malformed),
        ] {
            let refused = ApiToken::parse(bytes).unwrap_err();
            assert_eq!(refused, error, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn every_visible_character_makes_a_header() {
        let token = ApiToken::parse(&(b'!'..=b'~').collect::<Vec<_>>()).unwrap();
        assert!(token.header().as_bytes().starts_with(b"Bearer !\"#"));
    }

    #[test]
    fn no_debug_output_shows_the_token() {
        let token = ApiToken::parse(TEXT.as_bytes()).unwrap();
        let key = FingerprintKey::random();
        let shown = format!(
            "{token:?} {:?} {key:?} {:?}",
            token.header(),
            token.fingerprint(&key)
        );
        assert!(!shown.contains(TEXT), "{shown}");
    }

    #[test]
    fn fingerprints_tell_tokens_apart_within_one_key_only() {
        let (one, same, other) = (
            ApiToken::parse(b"one").unwrap(),
            ApiToken::parse(b"one\n").unwrap(),
            ApiToken::parse(b"other").unwrap(),
        );
        let key = FingerprintKey::random();
        assert_eq!(one.fingerprint(&key), same.fingerprint(&key.clone()));
        assert_ne!(one.fingerprint(&key), other.fingerprint(&key));
        assert_ne!(
            one.fingerprint(&key),
            one.fingerprint(&FingerprintKey::random())
        );
    }
}
