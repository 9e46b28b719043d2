//! What stands in a URL, in a header, or in a grant.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use cloudflare_sso_operator::cloudflare::{ApiToken, BaseUrl, FingerprintKey};
use cloudflare_sso_operator::default_token::Grant;
use cloudflare_sso_operator::dns::NameServer;
use cloudflare_sso_operator::identity::{
    AccountId, ConnectorId, EmailDomain, NamespaceName, RecordId, ZoneId,
};
use reqwest::Url;
use reqwest::header::HeaderValue;

pub(crate) fn check_token(bytes: &[u8]) {
    let token = match ApiToken::parse(bytes) {
        Ok(token) => token,
        Err(refusal) => return assert_tells_nothing(&refusal.to_string(), bytes),
    };
    let text = bytes.trim_ascii();
    let header = [b"Bearer ", text].concat();
    assert!(text.iter().all(u8::is_ascii_graphic) && !text.is_empty());
    assert!(HeaderValue::from_bytes(&header).is_ok(), "no header");
    assert_eq!(format!("{token:?}"), "ApiToken([REDACTED])");

    let key = FingerprintKey::random();
    let padded = ApiToken::parse(&[b" \t", bytes, b"\r\n"].concat()).unwrap();
    let longer = ApiToken::parse(&[text, b"x"].concat()).unwrap();
    assert_eq!(token.fingerprint(&key), padded.fingerprint(&key));
    assert_ne!(token.fingerprint(&key), longer.fingerprint(&key));
}

/// A refusal is one of a few sentences; what it is about does not show.
fn assert_tells_nothing(refusal: &str, refused: &[u8]) {
    let others = ApiToken::parse(b"a b").unwrap_err().to_string();
    let nothing = ApiToken::parse(b"").unwrap_err().to_string();
    let is_empty = refused.trim_ascii().is_empty();
    assert_eq!(refusal, if is_empty { nothing } else { others });
}

pub(crate) fn check_names(text: &str) {
    if parses_as_printed::<AccountId>(text) {
        let digits = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        assert!(text.len() == 32 && text.bytes().all(digits), "{text:?}");
        assert_is_one_segment(text);
    }
    let is_id = parses_as_printed::<ConnectorId>(text);
    let is_zone = parses_as_printed::<ZoneId>(text);
    if is_id || is_zone || parses_as_printed::<RecordId>(text) {
        assert!((1..=64).contains(&text.len()), "{text:?}");
        assert_is_one_segment(text);
    }
    if let Ok(namespace) = text.parse::<NamespaceName>() {
        assert_eq!(namespace.as_str(), text);
        assert_is_label(text);
    }
    if parses_as_printed::<Grant>(text) {
        let parts: Vec<&str> = text.split('/').collect();
        assert_eq!(parts.len(), 3, "{text:?}");
        assert!(!parts[..2].contains(&"*"), "{text:?} is for everybody");
    }
    check_domain(text);
}

fn check_domain(text: &str) {
    if parses_as_printed::<EmailDomain>(text) {
        assert!(text.len() <= 253 && text.contains('.'), "{text:?}");
        text.split('.').for_each(assert_is_label);
        assert!(text.parse::<IpAddr>().is_err(), "{text:?}");
        let spelt = text.to_uppercase() + ".";
        assert_eq!(EmailDomain::from_reported(&spelt), text.parse());
    }
    // What can be named is what it is named by, however Cloudflare spells it, and nothing else is.
    if let Ok(domain) = EmailDomain::from_reported(text) {
        assert!(domain.is_named(text), "{domain} is not {text:?}");
        assert_eq!(domain.as_str().parse(), Ok(domain.clone()));
        let other: EmailDomain = format!("x{domain}").parse().unwrap_or(domain.clone());
        assert!(other == domain || !other.is_named(text), "{other}");
    }
}

pub(crate) fn check_base_url(text: &str) {
    let Ok(base) = text.parse::<BaseUrl>() else {
        return;
    };
    assert_eq!(base.as_str().parse(), Ok(base.clone()), "parsed again");
    let whole = format!("{base}/accounts/a?page=2");
    let url = Url::parse(&whole).unwrap_or_else(|error| panic!("{whole}: {error}"));
    assert!(url.username().is_empty() && url.password().is_none());
    assert_eq!((url.query(), url.fragment()), (Some("page=2"), None));
    assert!(url.path().ends_with("/accounts/a"), "{url}");
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let is_protected = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    assert!(is_protected && !host.is_empty(), "{url}");
}

pub(crate) fn check_name_server(text: &str) {
    let Ok(server) = text.parse::<NameServer>() else {
        return;
    };
    let address = server.address();
    assert!(address.port() != 0 && !address.ip().is_unspecified());
    assert_eq!(address.to_string().parse(), Ok(server), "as it prints");
    let bare = text.trim_matches(['[', ']']);
    match bare.parse::<IpAddr>() {
        Ok(ip) => assert_eq!((address.ip(), address.port()), (ip, 53), "{text:?}"),
        Err(_) => assert_eq!(text.parse(), Ok(address), "{text:?}"),
    }
}

/// Whether it parses; then it prints as the very text, which parses to the same again.
fn parses_as_printed<T: FromStr + Display>(text: &str) -> bool {
    let Ok(parsed) = text.parse::<T>() else {
        return false;
    };
    assert_eq!(parsed.to_string(), text);
    true
}

/// Put into a URL it is one segment of the path, and leaves everything else of the URL as it was.
fn assert_is_one_segment(name: &str) {
    let url = Url::parse(&format!("https://host.example/a/{name}/b")).unwrap();
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    assert_eq!(segments, ["a", name, "b"], "{url}");
    assert_eq!(url.host_str(), Some("host.example"));
    assert_eq!((url.query(), url.fragment()), (None, None));
}

fn assert_is_label(label: &str) {
    let inner = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    assert!((1..=63).contains(&label.len()), "{label:?}");
    assert!(label.bytes().all(inner), "{label:?}");
    assert!(
        !label.starts_with('-') && !label.ends_with('-'),
        "{label:?}"
    );
}
