//! Which tokens may be offered to Cloudflare. One that it took last is used freely. One that it refused last rests, and is
//! then offered again as far as the [budget](super::budget) goes; a changed one is another token. Of everybody who has the
//! same token for the same account, one offers it and the others wait for what comes of that.
//!
//! A token that may only read is not a bad one: reading and changing are refused each for itself, so that an object that
//! needs no change does not suffer from one that does.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::budget::{Budget, Caller, Stake, next_glance};
use crate::clock::Moment;
use crate::cloudflare::{Endpoint, Fingerprint};
use crate::identity::{AccountId, EmailDomain, ZoneId};
use crate::plan::{Desired, Timing};

/// How many answers are remembered. A token whose answer is forgotten is a new one.
const REMEMBERED_ANSWERS: usize = 8192;

/// How long an offer may take. Every call ends sooner.
const LONGEST_OFFER: Duration = Duration::from_mins(1);

/// What a token is needed for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Right {
    /// Looking at connectors.
    Read,
    /// Changing a connector.
    Change,
    /// Publishing a TXT record, which a token may be allowed in one place and not in another.
    Publish(Site),
}

/// Where a TXT record is to be published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Site {
    /// The domain that it is for.
    pub domain: EmailDomain,
    /// The zone that the spec names; without one it is searched for.
    pub zone: Option<ZoneId>,
}

impl Site {
    /// Where the object's is.
    #[must_use]
    pub fn of(desired: &Desired) -> Self {
        let publication = desired.publication.as_ref();
        Self {
            domain: desired.domain.clone(),
            zone: publication.and_then(|publication| publication.zone.clone()),
        }
    }
}

impl Right {
    /// What a call to the endpoint needs that is about a connector, or about a record there.
    #[must_use]
    pub fn for_endpoint(endpoint: Endpoint, site: &Site) -> Self {
        match endpoint {
            Endpoint::List | Endpoint::Get => Self::Read,
            Endpoint::Create
            | Endpoint::Update
            | Endpoint::Delete
            | Endpoint::BeginVerification => Self::Change,
            Endpoint::ListZones
            | Endpoint::GetZone
            | Endpoint::ListRecords
            | Endpoint::CreateRecord
            | Endpoint::DeleteRecord => Self::Publish(site.clone()),
        }
    }
}

/// The right to do something in an account with a token.
pub type Permission = (AccountId, Fingerprint, Right);

/// What may be done with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It may be used, or offered for the first time.
    Open,
    /// It was refused, and may be offered again.
    Again,
    /// Nothing was refused, but it may not be offered yet.
    NotBefore(Moment),
    /// It was refused, in these words, and may not be offered yet.
    Refused(String),
}

/// What Cloudflare thinks of all tokens, and what may be risked to find out.
#[derive(Debug, Default)]
pub struct Offers {
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    known: HashMap<Permission, Standing>,
    budget: Budget,
}

/// What is known of a token.
#[derive(Debug, Default)]
struct Standing {
    /// What Cloudflare last said.
    answer: Option<Answer>,
    /// The offer that is under way.
    offered: Option<(Stake, Moment)>,
    /// When one of these last changed.
    touched: Moment,
}

#[derive(Debug)]
enum Answer {
    Accepted,
    Refused { at: Moment, words: String },
}

/// How a token may be used.
enum Way {
    Freely,
    AsNewFrom(Moment),
    AgainFrom(Moment),
}

impl Offers {
    /// What may be done, without doing it.
    #[must_use]
    pub fn outlook(
        &self,
        permission: &Permission,
        caller: &Caller,
        timing: &Timing,
        now: Moment,
    ) -> Outlook {
        let ledger = self.lock();
        let opens = match ledger.way(permission, caller, timing, now) {
            Way::Freely => return Outlook::Open,
            Way::AsNewFrom(opens) | Way::AgainFrom(opens) => opens,
        };
        let answer = ledger
            .known
            .get(permission)
            .and_then(|it| it.answer.as_ref());
        match answer {
            Some(Answer::Refused { .. }) if opens <= now => Outlook::Again,
            Some(Answer::Refused { words, .. }) => Outlook::Refused(words.clone()),
            _ if opens <= now => Outlook::Open,
            Some(Answer::Accepted) | None => Outlook::NotBefore(opens),
        }
    }

    /// Asks for a call. The stake, if it may be refused; the call's outcome must then be told.
    ///
    /// # Errors
    /// When to ask again, if the call may not be made.
    pub fn ask(
        &self,
        permission: &Permission,
        caller: &Caller,
        timing: &Timing,
        now: Moment,
    ) -> Result<Option<Stake>, Moment> {
        let mut ledger = self.lock();
        let stake = match ledger.way(permission, caller, timing, now) {
            Way::Freely => return Ok(None),
            Way::AsNewFrom(opens) | Way::AgainFrom(opens) if opens > now => return Err(opens),
            Way::AsNewFrom(_) => {
                let source = caller.source.clone();
                ledger.budget.place_on_new(source, timing, now)
            }
            Way::AgainFrom(_) => ledger.budget.place_again(caller, timing, now),
        };
        ledger.standing(permission, now).offered = Some((stake, now));
        Ok(Some(stake))
    }

    /// Cloudflare has taken the token.
    pub fn accepted(&self, permission: &Permission, now: Moment) {
        let mut ledger = self.lock();
        let standing = ledger.standing(permission, now);
        standing.answer = Some(Answer::Accepted);
        if let Some((stake, _)) = standing.offered.take() {
            ledger.budget.give_back(stake);
        }
    }

    /// Cloudflare has refused the token.
    pub fn refused(
        &self,
        permission: &Permission,
        caller: &Caller,
        words: String,
        timing: &Timing,
        now: Moment,
    ) {
        let mut ledger = self.lock();
        let standing = ledger.standing(permission, now);
        let offered = standing.offered.take();
        // Calls that were under way together, or shared an answer, are one refusal.
        let is_echo = offered.is_none() && matches!(standing.answer, Some(Answer::Refused { .. }));
        if is_echo {
            return;
        }
        standing.answer = Some(Answer::Refused { at: now, words });
        let stake = match offered {
            Some((stake, _)) => stake,
            None => ledger.budget.place_again(caller, timing, now),
        };
        ledger.budget.lose(stake, now);
    }

    /// The call was not made, or came to something that says nothing about the token.
    pub fn withdraw(&self, permission: &Permission, stake: Stake) {
        let mut ledger = self.lock();
        if let Some(standing) = ledger.known.get_mut(permission)
            && standing
                .offered
                .take_if(|(known, _)| *known == stake)
                .is_some()
        {
            ledger.budget.give_back(stake);
        }
    }

    /// How many of Cloudflare's answers are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.lock().known.len()
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn way(&self, permission: &Permission, caller: &Caller, timing: &Timing, now: Moment) -> Way {
        let standing = self.known.get(permission);
        let answer = standing.and_then(|standing| standing.answer.as_ref());
        let offered = standing
            .and_then(|standing| standing.offered)
            .filter(|(_, since)| now.since(*since) < LONGEST_OFFER)
            .map(|(_, since)| next_glance(since, timing, now));
        match answer {
            Some(Answer::Accepted) => Way::Freely,
            Some(Answer::Refused { at, .. }) => Way::AgainFrom(offered.unwrap_or_else(|| {
                let rested = *at + timing.refused_token_retry;
                rested.max(self.budget.opens_again(caller, timing, now))
            })),
            None => Way::AsNewFrom(
                offered.unwrap_or_else(|| self.budget.opens_to_new(&caller.source, timing, now)),
            ),
        }
    }

    /// What is known of the token, to be changed.
    fn standing(&mut self, permission: &Permission, now: Moment) -> &mut Standing {
        if self.known.len() >= REMEMBERED_ANSWERS && !self.known.contains_key(permission) {
            let idle = self.known.iter().filter(|(_, it)| it.offered.is_none());
            let oldest = idle.min_by_key(|(_, it)| it.touched);
            if let Some(oldest) = oldest.map(|(permission, _)| permission.clone()) {
                self.known.remove(&oldest);
            }
        }
        let standing = self.known.entry(permission.clone()).or_default();
        standing.touched = now;
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::{Past, Source};
    use super::*;
    use crate::cloudflare::{ApiToken, FingerprintKey};

    const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    struct Scene {
        offers: Offers,
        key: FingerprintKey,
        timing: Timing,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                offers: Offers::default(),
                key: FingerprintKey::random(),
                timing: Timing::default(),
            }
        }

        fn permission(&self, token: &str, right: Right) -> Permission {
            let token = ApiToken::parse(token.as_bytes()).unwrap();
            (
                ACCOUNT.parse().unwrap(),
                token.fingerprint(&self.key),
                right,
            )
        }

        fn ask(&self, token: &str, who: &Caller, now: u64) -> Result<Option<Stake>, Moment> {
            let permission = self.permission(token, Right::Read);
            self.offers.ask(&permission, who, &self.timing, at(now))
        }

        fn outlook(&self, token: &str, who: &Caller, now: u64) -> Outlook {
            let permission = self.permission(token, Right::Read);
            self.offers.outlook(&permission, who, &self.timing, at(now))
        }

        fn refuse(&self, token: &str, who: &Caller, now: u64) {
            let permission = self.permission(token, Right::Read);
            let words = format!("no {token}");
            self.offers
                .refused(&permission, who, words, &self.timing, at(now));
        }

        fn accept(&self, token: &str, now: u64) {
            let permission = self.permission(token, Right::Read);
            self.offers.accepted(&permission, at(now));
        }
    }

    fn caller(namespace: &str, past: Past) -> Caller {
        Caller {
            namespace: namespace.to_owned(),
            source: Source::Secret {
                namespace: namespace.to_owned(),
                name: "token".to_owned(),
            },
            past,
        }
    }

    #[test]
    fn a_refused_token_rests_and_keeps_its_last_words_until_it_may_go_out_again() {
        let scene = Scene::new();
        let who = caller("a", Past::Unbound);
        assert_eq!(scene.outlook("bad", &who, 0), Outlook::Open);
        assert!(scene.ask("bad", &who, 0).unwrap().is_some());
        scene.refuse("bad", &who, 1);
        let refused = Outlook::Refused("no bad".to_owned());
        for now in [1, 60, 300] {
            assert_eq!(scene.outlook("bad", &who, now), refused);
            assert_eq!(scene.ask("bad", &who, now), Err(at(301)));
        }
        assert_eq!(scene.outlook("bad", &who, 301), Outlook::Again);
        assert!(scene.ask("bad", &who, 301).unwrap().is_some());
        assert_eq!(scene.outlook("bad", &who, 302), refused, "while it is out");
        scene.refuse("bad", &who, 303);
        assert_eq!(scene.ask("bad", &who, 400), Err(at(603)));
    }

    #[test]
    fn a_token_that_works_is_used_freely_until_it_is_refused() {
        let scene = Scene::new();
        let who = caller("a", Past::Bound);
        assert!(scene.ask("good", &who, 0).unwrap().is_some());
        let others = |now| scene.ask("good", &caller("b", Past::Bound), now);
        assert!(others(0).is_err_and(|opens| opens < at(1)), "one offers it");
        assert_eq!(others(4), Err(at(8)), "and takes long");
        assert_eq!(others(8), Err(at(10)), "and has ended");
        assert!(matches!(
            scene.outlook("good", &who, 0),
            Outlook::NotBefore(_)
        ));
        scene.accept("good", 1);
        for _ in 0..100 {
            assert_eq!(scene.ask("good", &who, 1), Ok(None));
        }
        // Revoked, while several calls were under way: that counts, and counts once.
        for _ in 0..8 {
            scene.refuse("good", &who, 10);
        }
        assert_eq!(scene.ask("good", &who, 20), Err(at(310)));
        let ledger = scene.offers.lock();
        let opens = ledger.budget.opens_again(&who, &scene.timing, at(20));
        assert_eq!(opens, at(70));
    }

    #[test]
    fn reading_and_changing_are_refused_each_for_itself() {
        let scene = Scene::new();
        let who = caller("a", Past::Bound);
        let change = scene.permission("reader", Right::Change);
        let ask = || scene.offers.ask(&change, &who, &scene.timing, at(1));
        scene.accept("reader", 0);
        assert!(ask().unwrap().is_some());
        let words = "read only".to_owned();
        scene
            .offers
            .refused(&change, &who, words, &scene.timing, at(1));
        assert_eq!(ask(), Err(at(301)));
        assert_eq!(scene.ask("reader", &who, 1), Ok(None));
    }

    #[test]
    fn a_corrected_token_goes_out_at_once_whatever_the_others_have_spent() {
        let scene = Scene::new();
        for n in 0..20 {
            let other = caller(&format!("other-{n}"), Past::Bound);
            let bad = format!("bad-{n}");
            scene.accept(&bad, 0);
            scene.refuse(&bad, &other, 1);
        }
        let mine = caller("mine", Past::Unbound);
        assert!(scene.ask("typo", &mine, 2).unwrap().is_some());
        scene.refuse("typo", &mine, 2);
        assert!(scene.ask("fixed", &mine, 3).unwrap().is_some());
        scene.refuse("fixed", &mine, 3);
        assert_eq!(scene.ask("third", &mine, 4), Err(at(62)));
        assert_eq!(scene.outlook("third", &mine, 4), Outlook::NotBefore(at(62)));
        assert!(scene.ask("third", &mine, 62).unwrap().is_some());
        scene.accept("third", 62);
        assert!(scene.ask("fourth", &mine, 62).unwrap().is_some());
    }

    #[test]
    fn a_token_that_others_have_spent_the_budget_for_keeps_its_words() {
        let scene = Scene::new();
        let who = caller("a", Past::Unbound);
        scene.refuse("bad", &who, 0);
        for n in 0..3 {
            let other = caller(&format!("other-{n}"), Past::Unbound);
            scene.refuse(&format!("bad-{n}"), &other, 200);
        }
        assert_eq!(
            scene.outlook("bad", &who, 400),
            Outlook::Refused("no bad".to_owned())
        );
        assert_eq!(scene.ask("bad", &who, 400), Err(at(500)));
        let bound = caller("a", Past::Bound);
        assert_eq!(scene.outlook("bad", &bound, 400), Outlook::Again);
    }

    #[test]
    fn a_call_that_says_nothing_about_the_token_leaves_all_as_it_was() {
        let scene = Scene::new();
        let who = caller("a", Past::Unbound);
        let permission = scene.permission("new", Right::Read);
        for _ in 0..5 {
            let stake = scene.ask("new", &who, 0).unwrap().unwrap();
            scene.offers.withdraw(&permission, stake);
        }
        scene.refuse("new", &who, 1);
        let stake = scene.ask("new", &who, 301).unwrap().unwrap();
        scene.offers.withdraw(&permission, stake);
        assert!(scene.ask("new", &who, 301).unwrap().is_some());
        // Somebody else's, or one that was answered.
        scene.offers.withdraw(&permission, stake);
        assert_eq!(scene.ask("new", &who, 302), Err(at(303)));
    }

    #[test]
    fn an_offer_that_nobody_ends_does_not_keep_the_token_back_for_ever() {
        let scene = Scene::new();
        let who = caller("a", Past::Unbound);
        assert!(scene.ask("new", &who, 0).unwrap().is_some());
        assert!(scene.ask("new", &who, 60).unwrap().is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let scene = Scene::new();
        let who = caller("a", Past::Unbound);
        scene.refuse("oldest", &who, 0);
        for n in 1..=REMEMBERED_ANSWERS {
            scene.accept(&format!("good-{n}"), 1);
        }
        assert_eq!(scene.offers.lock().known.len(), REMEMBERED_ANSWERS);
        assert_eq!(scene.outlook("oldest", &who, 2), Outlook::Open);
        assert_eq!(scene.ask("good-7", &who, 2), Ok(None));
    }
}
