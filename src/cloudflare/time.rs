//! Cloudflare's times. They get into a status, and the API server takes there only what RFC 3339 can write, with a year of
//! four digits: one other time would have it refuse the whole status, and with it the ID of a new connector. So such a time
//! counts as not reported.

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822;

/// The first second of the year 0. The year 9999 is the last one that a [`Timestamp`] has.
const YEAR_0: i64 = -62_167_219_200;

/// A time as it stands in JSON.
pub(super) fn from_json(text: &str) -> Option<Timestamp> {
    storable(text.parse().ok()?)
}

/// A time as it stands in a header.
pub(super) fn from_header(text: &str) -> Option<Timestamp> {
    let parser = rfc2822::DateTimeParser::new();
    storable(parser.parse_timestamp(text).ok()?)
}

fn storable(time: Timestamp) -> Option<Timestamp> {
    (time.as_second() >= YEAR_0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_status_can_hold_was_not_reported() {
        for (text, stored) in [
            ("2025-01-01T12:21:02.0000Z", Some("2025-01-01T12:21:02Z")),
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00Z")),
            ("9999-12-30T22:00:00Z", Some("9999-12-30T22:00:00Z")),
            ("-000001-12-31T23:59:59Z", None),
            ("-009999-01-02T01:59:59Z", None),
            ("0000-01-01T00:00:00+00:01", None),
            ("9999-12-31T23:59:59Z", None),
            ("+010000-01-01T00:00:00Z", None),
            ("yesterday", None),
        ] {
            let read = from_json(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), stored, "{text}");
        }
        for (text, stored) in [
            (
                "Sun, 06 Nov 1994 08:49:37 GMT",
                Some("1994-11-06T08:49:37Z"),
            ),
            ("Sat, 01 Jan 0000 00:00:00 +0100", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", None),
            ("today", None),
        ] {
            let read = from_header(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), stored, "{text}");
        }
    }
}
