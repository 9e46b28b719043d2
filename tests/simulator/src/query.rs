//! The query of a call, and the window that it opens on a list.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::dns_refusal::DnsRefusal;
use crate::knobs::{Knobs, PageParameter};

/// The parameters of a query.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The last value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter().rev();
        pairs.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }
}

/// One page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Counts from 1.
    pub(crate) page: usize,
    pub(crate) per_page: usize,
}

impl Window {
    /// What a query asks for of a list of zones or records, with the knobs on paging.
    ///
    /// # Errors
    /// If a parameter is no number, or one out of bounds.
    pub(crate) fn asked(
        query: &Query,
        sizes: &RangeInclusive<usize>,
        default: usize,
        knobs: &Knobs,
    ) -> Result<Self, DnsRefusal> {
        let number = |name: &str, default: usize, bounds: &RangeInclusive<usize>| {
            let asked = match query.get(name) {
                Some(text) => text.parse().map_err(|_| DnsRefusal::ListOptions)?,
                None => default,
            };
            if bounds.contains(&asked) {
                Ok(asked)
            } else {
                Err(DnsRefusal::ListOptions)
            }
        };
        let page = number("page", 1, &(1..=usize::MAX))?;
        let per_page = number("per_page", default, sizes)?;
        Ok(Self {
            page: match knobs.page_parameter {
                PageParameter::Honoured => page,
                PageParameter::Ignored => 1,
            },
            per_page: knobs
                .page_size
                .map_or(per_page, |size| per_page.min(size.get())),
        })
    }

    /// The items that it shows.
    pub(crate) fn on<T>(self, all: &[T]) -> impl Iterator<Item = &T> {
        let before = (self.page - 1).saturating_mul(self.per_page);
        all.iter().skip(before).take(self.per_page)
    }

    /// The `result_info` of lists of connectors.
    pub(crate) fn info(self, count: usize, total: usize) -> Value {
        json!({
            "count": count, "page": self.page, "per_page": self.per_page, "total_count": total,
        })
    }

    /// The `result_info` of lists of zones and records, which tells the number of pages, too.
    pub(crate) fn info_with_pages(self, count: usize, total: usize) -> Value {
        let mut info = self.info(count, total);
        info["total_pages"] = total.div_ceil(self.per_page).into();
        info
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_last_one_counts() {
        let query = Query::parse(Some(
            "name.exact=a%2Bb&page=1&page=2&content.exact=%22x%3D1%22",
        ));
        assert_eq!(query.get("name.exact"), Some("a+b"));
        assert_eq!(query.get("content.exact"), Some("\"x=1\""));
        assert_eq!(query.get("page"), Some("2"));
        assert_eq!(query.get("name"), None);
        assert_eq!(Query::parse(None).get("name"), None);
    }

    #[test]
    fn a_window_keeps_its_bounds() {
        let knobs = Knobs::default();
        let forced = Knobs {
            page_size: NonZeroUsize::new(2),
            page_parameter: PageParameter::Ignored,
            ..Knobs::default()
        };
        for (query, knobs, expected) in [
            ("", &knobs, Ok((1, 20))),
            ("page=3&per_page=5", &knobs, Ok((3, 5))),
            ("page=3&per_page=5", &forced, Ok((1, 2))),
            ("per_page=4", &knobs, Err(DnsRefusal::ListOptions)),
            ("per_page=51", &knobs, Err(DnsRefusal::ListOptions)),
            ("page=0", &knobs, Err(DnsRefusal::ListOptions)),
            ("page=one", &knobs, Err(DnsRefusal::ListOptions)),
        ] {
            let window = Window::asked(&Query::parse(Some(query)), &(5..=50), 20, knobs);
            let window = window.map(|window| (window.page, window.per_page));
            assert_eq!(window, expected, "{query}");
        }
    }

    #[test]
    fn the_last_page_is_short() {
        let window = Window {
            page: 2,
            per_page: 2,
        };
        let shown: Vec<&u8> = window.on(&[1, 2, 3]).collect();
        assert_eq!(shown, [&3]);
        assert_eq!(window.info_with_pages(1, 3)["total_pages"], 2);
    }
}
