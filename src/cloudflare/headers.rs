//! The two headers that matter besides the status: `Date` and `Retry-After`.
//!
//! Cloudflare's times are compared with Cloudflare's times only, so a `Retry-After` that names a date counts from the
//! `Date` of the same answer.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use super::time;

/// The longest pause that an answer can ask for; no documented block lasts longer than five minutes.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// The time of the answer by Cloudflare's clock.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    time::from_header(text(headers, DATE)?)
}

/// How long Cloudflare asks us to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let pause = if is_number {
        // More digits than fit are a very long time.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        // A date in the past asks for no pause.
        let wait = time::from_header(value)?.duration_since(date(headers)?);
        wait.try_into().unwrap_or(Duration::ZERO)
    };
    Some(pause.min(LONGEST_PAUSE))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(date: Option<&'static str>, retry_after: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        headers
    }

    #[test]
    fn the_date_is_read() {
        let expected: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(date(&headers(Some(NOW), "1")), Some(expected));
        assert_eq!(date(&headers(Some("today"), "1")), None);
        assert_eq!(date(&headers(None, "1")), None);
    }

    #[test]
    fn a_pause_is_a_number_or_a_date_and_at_most_an_hour() {
        for (date, value, seconds) in [
            (None, "0", Some(0)),
            (None, " 30 ", Some(30)),
            (None, "3600", Some(3600)),
            (None, "86400", Some(3600)),
            (None, "99999999999999999999999999", Some(3600)),
            (Some(NOW), "Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            (Some(NOW), "Mon, 07 Nov 1994 08:51:37 GMT", Some(3600)),
            (Some(NOW), "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            (None, "Sun, 06 Nov 1994 08:51:37 GMT", None),
            (Some(NOW), "soon", None),
            (Some(NOW), "-5", None),
            (Some(NOW), "1.5", None),
            (Some(NOW), "", None),
        ] {
            let pause = retry_after(&headers(date, value));
            assert_eq!(pause, seconds.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
