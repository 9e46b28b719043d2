//! Durations as people write them: a whole number and a unit, such as `200ms`, `30s`, `5m` or `48h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Parses a whole number with one of the units `ms`, `s`, `m` and `h`.
///
/// # Errors
/// A sentence for people if the text is anything else.
pub fn parse(text: &str) -> Result<Duration, String> {
    let malformed =
        || format!("{text:?} is not a duration; write for example 200ms, 30s, 5m or 48h");
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .ok_or_else(malformed)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| malformed())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    milliseconds
        .map(Duration::from_millis)
        .ok_or_else(malformed)
}

/// Writes a duration in the largest unit that holds it exactly; parts of a millisecond are dropped.
#[must_use]
pub fn format(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds > 0 && milliseconds.is_multiple_of(size) {
            return format!("{}{unit}", milliseconds / size);
        }
    }
    format!("{milliseconds}ms")
}

pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_duration_agree() {
        for (text, milliseconds) in [
            ("0ms", 0),
            ("1500ms", 1_500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("48h", 172_800_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)));
            assert_eq!(format(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
