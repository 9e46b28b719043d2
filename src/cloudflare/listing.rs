//! All connectors of an account, zones of a name, or records at a name, and whether they are all.
//!
//! That a connector is absent from a list matters more than anything else here: it permits a creation. Cloudflare
//! documents no paging for that list, but a "single page" has turned out to be the first of several elsewhere. So
//! pages are followed as long as they bring something new, and then the count must agree.

use std::collections::HashSet;
use std::hash::Hash;

use serde_json::Value;

use super::connector::Connector;
use super::envelope::{Count, Envelope};
use crate::identity::ConnectorId;

const MAX_PAGES: u64 = 50;

/// A list of whatever Cloudflare was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T = Connector> {
    /// Every item that could be decoded, each once.
    pub items: Vec<T>,
    /// Whether absence from `items` means anything.
    pub complete: Completeness,
}

/// Something that Cloudflare lists.
pub(super) trait Item: Sized {
    /// Cloudflare's name for it.
    type Id: Eq + Hash + Clone;

    /// Decodes one; `None` if it is no object or has no usable ID.
    fn from_json(value: &Value) -> Option<Self>;

    /// Its ID.
    fn id(&self) -> &Self::Id;

    /// What its description lacks that a decision needs, as a sentence fragment for people.
    fn flaw(&self) -> Option<&'static str>;
}

impl Item for Connector {
    type Id = ConnectorId;

    fn from_json(value: &Value) -> Option<Self> {
        Self::from_json(value)
    }

    fn id(&self) -> &ConnectorId {
        &self.id
    }

    fn flaw(&self) -> Option<&'static str> {
        self.email_domain
            .is_empty()
            .then_some("an entry of Cloudflare's list names no domain")
    }
}

/// Whether a list proves that what it lacks does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Everything there is was listed.
    Complete,
    /// Something may be missing, and why; a sentence fragment for people.
    Incomplete(&'static str),
}

impl Completeness {
    /// Why something may be missing, if it may.
    #[must_use]
    pub const fn gap(self) -> Option<&'static str> {
        match self {
            Self::Complete => None,
            Self::Incomplete(why) => Some(why),
        }
    }
}

/// What the caller has to fetch next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Page(u64),
    Nothing,
}

/// Puts pages together.
#[derive(Debug)]
pub(super) struct Collector<T: Item> {
    items: Vec<T>,
    known: HashSet<T::Id>,
    pages: u64,
    /// The highest counts that any page gave: a count may fall while pages are read, and then an item has moved to a
    /// page that was read already.
    total_count: Count,
    total_pages: Count,
    flaw: Option<&'static str>,
}

impl<T: Item> Default for Collector<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            known: HashSet::new(),
            pages: 0,
            total_count: Count::Unsaid,
            total_pages: Count::Unsaid,
            flaw: None,
        }
    }
}

impl<T: Item> Collector<T> {
    /// Takes the next page and says what comes after it.
    pub(super) fn add(&mut self, page: &Envelope) -> Next {
        self.pages += 1;
        self.total_count = self.total_count.max(page.total_count);
        self.total_pages = self.total_pages.max(page.total_pages);
        if [self.total_count, self.total_pages].contains(&Count::Unreadable) {
            self.flaw = Some("Cloudflare's list comes with a count that is no number");
        }
        let before = self.items.len();
        match &page.result {
            Value::Array(items) => items.iter().for_each(|item| self.take(item)),
            _ => self.flaw = Some("Cloudflare's answer contained no list"),
        }
        let brought_new = self.items.len() > before;
        if self.pages > 1 && !brought_new {
            // Some endpoints ignore `page` and repeat themselves: then a number of pages read means nothing.
            self.flaw = Some("a further page of Cloudflare's list brought nothing new");
        }
        if brought_new && self.lacks_something() && self.pages < MAX_PAGES {
            Next::Page(self.pages + 1)
        } else {
            Next::Nothing
        }
    }

    /// The list of all pages taken.
    pub(super) fn finish(self) -> Listing<T> {
        let missing = self
            .lacks_something()
            .then_some("Cloudflare listed fewer than it counts");
        let complete = self
            .flaw
            .or(missing)
            .map_or(Completeness::Complete, Completeness::Incomplete);
        Listing {
            items: self.items,
            complete,
        }
    }

    fn take(&mut self, value: &Value) {
        let Some(item) = T::from_json(value) else {
            self.flaw = Some("an entry of Cloudflare's list has no usable ID");
            return;
        };
        self.flaw = item.flaw().or(self.flaw);
        if self.known.insert(item.id().clone()) {
            self.items.push(item);
        }
    }

    fn lacks_something(&self) -> bool {
        match (self.total_count, self.total_pages) {
            (Count::Of(items), _) => items > self.items.len() as u64,
            (Count::Unsaid, Count::Of(pages)) => pages > self.pages,
            (Count::Unsaid | Count::Unreadable, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn page(result: &Value, result_info: &Value) -> Envelope {
        let body = json!({"success": true, "result": result, "result_info": result_info});
        Envelope::decode(body.to_string().as_bytes()).unwrap()
    }

    fn items(ids: impl IntoIterator<Item = usize>) -> Value {
        ids.into_iter()
            .map(
                |id| json!({"id": format!("id-{id}"), "email_domain": format!("{id}.example.com")}),
            )
            .collect()
    }

    /// Serves pages as long as they are asked for.
    fn collect(pages: &[Envelope]) -> (Listing, usize) {
        let mut collector = Collector::<Connector>::default();
        for (index, page) in pages.iter().enumerate() {
            match collector.add(page) {
                Next::Page(number) => assert_eq!(number, index as u64 + 2),
                Next::Nothing => return (collector.finish(), index + 1),
            }
        }
        panic!("asked for more than {} pages", pages.len());
    }

    #[test]
    fn one_page_without_counts_is_complete() {
        for info in [
            json!(null),
            json!({}),
            json!({"total_count": null, "page": 1}),
        ] {
            for ids in [0..0, 0..1, 0..30] {
                let (listing, _) = collect(&[page(&items(ids.clone()), &info)]);
                assert_eq!(listing.complete, Completeness::Complete);
                assert_eq!(listing.items.len(), ids.len());
            }
        }
    }

    #[test]
    fn pages_are_followed_until_the_count_is_reached() {
        let info = json!({"total_count": 5, "page": 1});
        let pages = [
            page(&items(0..2), &info),
            page(&items(2..4), &info),
            page(&items(4..5), &info),
        ];
        let (listing, read) = collect(&pages);
        assert_eq!(
            (listing.complete, listing.items.len(), read),
            (Completeness::Complete, 5, 3)
        );

        let info = json!({"total_pages": 2});
        let (listing, read) = collect(&[page(&items(0..2), &info), page(&items(2..3), &info)]);
        assert_eq!(
            (listing.complete, listing.items.len(), read),
            (Completeness::Complete, 3, 2)
        );
    }

    #[test]
    fn a_list_that_may_lack_something_is_incomplete() {
        let many = json!({"total_count": 3});
        let pages = json!({"total_pages": 2});
        for (name, pages, read, found) in [
            ("null", vec![page(&json!(null), &json!(null))], 1, 0),
            (
                "object",
                vec![page(&json!({"id": "id-1"}), &json!(null))],
                1,
                0,
            ),
            (
                "odd entry",
                vec![page(
                    &json!([{"id": "id-1", "email_domain": "a.b"}, 7]),
                    &json!(null),
                )],
                1,
                1,
            ),
            (
                "no ID",
                vec![page(&json!([{"email_domain": "a.b"}]), &json!(null))],
                1,
                0,
            ),
            (
                "no domain",
                vec![page(&json!([{"id": "id-1"}]), &json!(null))],
                1,
                1,
            ),
            ("counted, not listed", vec![page(&json!([]), &many)], 1, 0),
            (
                "counted in words",
                vec![page(&items(0..2), &json!({"total_count": "three"}))],
                1,
                2,
            ),
            (
                "counted with a point",
                vec![page(&items(0..2), &json!({"total_count": 3.0}))],
                1,
                2,
            ),
            (
                "counted below zero",
                vec![page(&items(0..2), &json!({"total_pages": -1}))],
                1,
                2,
            ),
            (
                "counts of another shape",
                vec![page(&items(0..2), &json!([{"total_count": 3}]))],
                1,
                2,
            ),
            (
                "same page again",
                vec![page(&items(0..2), &many), page(&items(0..2), &many)],
                2,
                2,
            ),
            (
                "same of 2 pages again",
                vec![page(&items(0..2), &pages), page(&items(0..2), &pages)],
                2,
                2,
            ),
            (
                "an item moved to a page already read",
                vec![
                    page(&items(0..2), &many),
                    page(&json!([]), &json!({"total_count": 2})),
                ],
                2,
                2,
            ),
        ] {
            let (listing, pages_read) = collect(&pages);
            assert!(
                matches!(listing.complete, Completeness::Incomplete(_)),
                "{name}"
            );
            assert_eq!((pages_read, listing.items.len()), (read, found), "{name}");
        }
    }

    #[test]
    fn an_endless_list_is_given_up() {
        let info = json!({"total_count": 1000});
        let pages: Vec<_> = (0..60).map(|n| page(&items(n..=n), &info)).collect();
        let (listing, read) = collect(&pages);
        assert_eq!((read, listing.items.len()), (50, 50));
        assert!(matches!(listing.complete, Completeness::Incomplete(_)));
    }

    proptest! {
        /// However the items are cut into pages: all of them are found, or the list says that it is incomplete.
        #[test]
        fn nothing_is_lost_silently(total in 0_usize..60, size in 1_usize..20, served in 1_usize..10) {
            let info = json!({"total_count": total});
            let pages: Vec<_> = (0..60)
                .map(|n| if n < served { n * size..((n + 1) * size).min(total).max(n * size) } else { 0..0 })
                .map(|ids| page(&items(ids), &info))
                .collect();
            let (listing, _) = collect(&pages);
            prop_assert_eq!(listing.complete == Completeness::Complete, listing.items.len() == total);
        }
    }
}
