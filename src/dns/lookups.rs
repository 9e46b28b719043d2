//! Look-ups under way and done, one at a time for each domain.
//!
//! Objects for one domain share a look-up, and one that was asked for twice is made once. Whoever asks is told by its name on
//! a [stream](Lookups::news) when the look-up has brought something new.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast};

use super::resolver::Resolver;
use super::sight::Sight;
use crate::clock::{Clock, Moment};
use crate::identity::{EmailDomain, ObjectName};

/// How many look-ups are made at once. More wait for their turn; nothing else does.
const PLACES: usize = 16;

/// How many who asked can be told of in one go before those who listen have taken note.
const UNHEARD: usize = 4096;

/// From how many failures in a row on what was seen before does not count any more.
const SHOWN_FAILURES: u32 = 3;

/// What is known at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// What a look-up has shown that was begun at this moment, which is recent enough.
    Known(Moment, Sight),
    /// One is under way; this is what the last one has shown, if there was one.
    UnderWay(Option<(Moment, Sight)>),
}

/// All look-ups of the process.
#[derive(Debug)]
pub struct Lookups {
    resolver: Resolver,
    clock: Clock,
    domains: Mutex<HashMap<EmailDomain, Domain>>,
    places: Semaphore,
    news: broadcast::Sender<ObjectName>,
}

#[derive(Debug, Default)]
struct Domain {
    newest: Option<(Moment, Sight)>,
    /// How many look-ups in a row were not answered.
    failures: u32,
    /// Who waits for the look-up that is under way, if one is.
    under_way: Option<BTreeSet<ObjectName>>,
}

impl Domain {
    /// A look-up has ended. Those who are to be told, as it has brought something new.
    fn saw(&mut self, begun: Moment, sight: Sight) -> BTreeSet<ObjectName> {
        let waiting = self.under_way.take().unwrap_or_default();
        let before = self.newest.take().map(|(_, sight)| sight);
        self.failures = match sight {
            Sight::Failed(_) => self.failures.saturating_add(1),
            _ => 0,
        };
        let sight = match before.clone() {
            Some(kept) if (1..SHOWN_FAILURES).contains(&self.failures) => kept,
            _ => sight,
        };
        let is_new = before.as_ref() != Some(&sight);
        self.newest = Some((begun, sight));
        if is_new { waiting } else { BTreeSet::new() }
    }
}

impl Lookups {
    /// No look-up so far.
    #[must_use]
    pub fn new(resolver: Resolver, clock: Clock) -> Self {
        Self {
            resolver,
            clock,
            domains: Mutex::default(),
            places: Semaphore::new(PLACES),
            news: broadcast::Sender::new(UNHEARD),
        }
    }

    /// The newest look-up if it was begun at `not_before` or later; otherwise one begins, unless it is under way, and `asker`
    /// is told if it brings something new. Never waits.
    #[must_use]
    pub fn ask(
        self: &Arc<Self>,
        domain: &EmailDomain,
        not_before: Moment,
        asker: ObjectName,
    ) -> Asked {
        let mut domains = self.lock();
        let known = domains.entry(domain.clone()).or_default();
        if let Some((begun, sight)) = &known.newest
            && *begun >= not_before
        {
            return Asked::Known(*begun, sight.clone());
        }
        let begins = known.under_way.is_none();
        known.under_way.get_or_insert_default().insert(asker);
        let last = known.newest.clone();
        if begins {
            let lookups = Arc::clone(self);
            let domain = domain.clone();
            tokio::spawn(async move { lookups.look_up(domain).await });
        }
        Asked::UnderWay(last)
    }

    async fn look_up(&self, domain: EmailDomain) {
        // Nobody closes it.
        let _place = self.places.acquire().await;
        let begun = self.clock.now();
        let sight = self.resolver.look_up(&domain).await;
        tracing::debug!(%domain, ?sight, "looked up TXT records");
        let told = self.lock().entry(domain).or_default().saw(begun, sight);
        for asker in told {
            // Whoever does not listen has no need to know.
            let _ = self.news.send(asker);
        }
    }

    /// Those for whom a look-up brings something new from now on.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<ObjectName> {
        self.news.subscribe()
    }

    /// Forgets what nobody has asked for since that long.
    pub fn sweep(&self, now: Moment, span: Duration) {
        self.lock().retain(|_, known| {
            let recent = |(begun, _): &(Moment, Sight)| now.since(*begun) <= span;
            known.under_way.is_some() || known.newest.as_ref().is_some_and(recent)
        });
    }

    /// How many domains are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EmailDomain, Domain>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sight::Trouble;
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn asker() -> ObjectName {
        ObjectName::new("team", "example")
    }

    fn look(domain: &mut Domain, seconds: u64, sight: Sight) -> usize {
        domain.under_way = Some([asker()].into());
        domain.saw(at(seconds), sight).len()
    }

    #[test]
    fn only_news_are_told() {
        let mut domain = Domain::default();
        let told: Vec<_> = [
            Sight::Nothing,
            Sight::Nothing,
            Sight::NoSuchName,
            Sight::Nothing,
        ]
        .into_iter()
        .enumerate()
        .map(|(second, sight)| look(&mut domain, second as u64, sight))
        .collect();
        assert_eq!(told, [1, 0, 1, 1]);
        assert_eq!(domain.newest, Some((at(3), Sight::Nothing)));
    }

    #[test]
    fn a_hiccup_does_not_hide_what_was_seen_but_three_do() {
        let failed = Sight::Failed(Trouble::Silence);
        let mut domain = Domain::default();
        assert_eq!(
            look(&mut domain, 0, failed.clone()),
            1,
            "nothing else is known"
        );
        assert_eq!(look(&mut domain, 1, Sight::Nothing), 1);
        for second in [2, 3] {
            assert_eq!(look(&mut domain, second, failed.clone()), 0);
            assert_eq!(domain.newest, Some((at(second), Sight::Nothing)));
        }
        assert_eq!(look(&mut domain, 4, failed.clone()), 1);
        assert_eq!(domain.newest, Some((at(4), failed)));
    }

    #[tokio::test]
    async fn those_who_ask_for_one_domain_share_a_look_up() {
        // Nobody answers there, and nobody has to.
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = silent.local_addr().unwrap().to_string().parse().unwrap();
        let resolver = Resolver::new(vec![server], Duration::from_millis(50));
        let lookups = Arc::new(Lookups::new(resolver, Clock::start()));
        let mut news = lookups.news();
        let domain: EmailDomain = "example.com".parse().unwrap();
        for name in ["a", "b", "b"] {
            let asker = ObjectName::new("team", name);
            assert_eq!(lookups.ask(&domain, at(0), asker), Asked::UnderWay(None));
        }
        for name in ["a", "b"] {
            assert_eq!(news.recv().await.unwrap().name(), name);
        }
        assert!(news.try_recv().is_err());
        let Asked::Known(begun, sight) = lookups.ask(&domain, at(0), asker()) else {
            panic!("the answer is lost")
        };
        assert_eq!(sight, Sight::Failed(Trouble::Silence));
        let after = begun + Duration::from_nanos(1);
        let expected = Asked::UnderWay(Some((begun, sight)));
        assert_eq!(lookups.ask(&domain, after, asker()), expected);
        lookups.sweep(after, Duration::ZERO);
        assert_eq!(lookups.remembered(), 1, "one is under way");
    }
}
