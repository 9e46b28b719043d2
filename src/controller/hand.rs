//! Which token a pass has in hand: what the Secret holds now, or what others have read of it a moment ago; whether Cloudflare
//! takes it; and whose turn it is to use it.

use kube::ResourceExt as _;

use super::bearer::{Bearer, Refrain};
use super::credentials;
use super::pass::{Interrupt, Pass};
use super::queue::Due;
use crate::account::{Caller, Lane, Past, Right, Source};
use crate::clock::Moment;
use crate::cloudflare::{ApiToken, Class, Failure, Fingerprint};
use crate::plan::{Credentials, Publisher};
use crate::resource::ApiTokenSecretRef;

impl Pass<'_> {
    /// Reads the token, and what it is good for.
    pub(super) async fn read_credentials(&mut self) -> Result<(), Interrupt> {
        self.is_second_hand = self.overhear_credentials();
        if self.is_second_hand {
            return Ok(());
        }
        let namespace = self.object.namespace().unwrap_or_default();
        let since = self.reading_since();
        let reading = credentials::read(self.context, &namespace, &self.desired, since).await?;
        let worked = self.entry.token.as_ref();
        let stand_in = worked.filter(|(found, _)| self.desired.may_clean_up_with(found));
        let token = match reading.token_or(stand_in.map(|(_, token)| token)) {
            Ok(token) => token,
            Err(unusable) => {
                self.take_up(None);
                self.observed.credentials = Credentials::Unusable(unusable);
                return Ok(());
            }
        };
        let caller = self.caller(self.desired.api_token.as_ref());
        let bearer = self.hold(token, caller);
        let fingerprint = bearer.fingerprint;
        self.take_up(Some(bearer));
        if let Some(failure) = self.awaited_failure(fingerprint) {
            self.note_failure(failure);
            return Ok(());
        }
        self.observed.credentials = self
            .judge_token(fingerprint)
            .map_err(|opens| self.not_before(opens))?;
        self.entry.awaits_offer = None;
        self.recall_listing(fingerprint);
        Ok(())
    }

    /// Whoever has rested goes by what others have read of its Secret meanwhile, as long as all is well with that token: whatever
    /// is told of a token, or changed with it, comes from a newer reading.
    fn overhear_credentials(&mut self) -> bool {
        let (context, desired) = (self.context, &self.desired);
        let (Due::Rested { from, .. }, Some(found)) = (self.due, &desired.api_token) else {
            return false;
        };
        if desired.terminating || self.entry.awaits_offer.is_some() {
            return false;
        }
        let place = (self.object.namespace().unwrap_or_default(), found.clone());
        let Some(token) = context.secrets.since(from, &place, context.clock.now()) else {
            return false;
        };
        let bearer = self.hold(token, self.caller(Some(found)));
        let fingerprint = bearer.fingerprint;
        if self.judge_token(fingerprint) != Ok(Credentials::Usable) {
            return false;
        }
        self.take_up(Some(bearer));
        self.observed.credentials = Credentials::Usable;
        self.recall_listing(fingerprint);
        true
    }

    /// The plan is to ask for the credentials again, and what was read before does not serve any more.
    pub(super) fn read_again(&mut self) {
        self.is_second_hand = false;
        self.due = Due::Named(self.context.clock.now());
        self.observed.credentials = Credentials::Unread;
        self.observed.listing = None;
    }

    /// A token that Cloudflare has refused may have been replaced since it was read, and only what is in the Secret now is worth
    /// telling people of. Each hand that holds it lets go of it, and one that Cloudflare does not know stands in for none.
    pub(super) fn note_refusal(&mut self, failure: &Failure, refused: Fingerprint) {
        if failure.class != Class::Unauthorized {
            return;
        }
        if failure.status == Some(401) {
            let key = &self.context.fingerprints;
            let is_refused = |(_, token): &mut (_, ApiToken)| token.fingerprint(key) == refused;
            self.entry.token.take_if(is_refused);
            self.entry.publisher_token.take_if(is_refused);
        }
        let holds_it = |hand: &Option<Bearer>| {
            let bearer = hand.as_ref();
            bearer.is_some_and(|bearer| bearer.fingerprint == refused)
        };
        self.due = Due::Named(self.context.clock.now());
        if holds_it(&self.publisher) {
            self.observed.publisher = Publisher::Unread;
        }
        if holds_it(&self.bearer) {
            self.read_again();
        }
    }

    /// Takes a token in hand, instead of the one that was there.
    fn take_up(&mut self, mut bearer: Option<Bearer>) {
        if let Some(former) = self.bearer.take() {
            let other = self.publisher.as_ref();
            former.makes_way(bearer.as_mut(), other, &self.context.tokens);
        }
        self.bearer = bearer;
    }

    /// What the account's newest list by that token has shown.
    fn recall_listing(&mut self, fingerprint: Fingerprint) {
        let account = &self.desired.account;
        if let Some(snapshot) = self.context.listings.newest(account, fingerprint) {
            self.note_listing(snapshot);
        }
    }

    /// How the list has failed by which somebody else offered the token while this object waited. So all who wait learn of
    /// it at once, and not one after the other. What it says about the token itself is kept by token.
    fn awaited_failure(&mut self, fingerprint: Fingerprint) -> Option<Failure> {
        let since = self.entry.awaits_offer?;
        let account = &self.desired.account;
        let listings = &self.context.listings;
        let failure = listings.failure_since(account, fingerprint, since)?;
        self.entry.awaits_offer = None;
        match failure.class {
            Class::Unauthorized | Class::RateLimited => None,
            Class::NotSent | Class::Unavailable | Class::Gone | Class::Rejected => Some(failure),
        }
    }

    /// What the token is good for now.
    ///
    /// # Errors
    /// When to ask again, if it has not been tried yet and may not be tried now.
    pub(super) fn judge_token(&self, fingerprint: Fingerprint) -> Result<Credentials, Moment> {
        let context = self.context;
        let (timing, now) = (&context.timing, context.clock.now());
        let account = &self.desired.account;
        let caller = self.caller(self.desired.api_token.as_ref());
        context
            .tokens
            .credentials(account, fingerprint, &caller, timing, now)
    }

    /// Takes a token in hand for the object.
    pub(super) fn hold(&self, token: ApiToken, caller: Caller) -> Bearer {
        let (account, uid) = (&self.desired.account, &self.desired.uid);
        Bearer::new(self.context, token, caller, account, uid)
    }

    /// For whom calls are made with the token that is found there.
    pub(super) fn caller(&self, found: Option<&ApiTokenSecretRef>) -> Caller {
        let namespace = self.object.namespace().unwrap_or_default();
        let source = match found {
            Some(reference) => Source::Secret {
                namespace: namespace.clone(),
                name: reference.name.clone(),
            },
            None => Source::Default,
        };
        Caller {
            namespace,
            source,
            past: match self.record.connector {
                Some(_) => Past::Bound,
                None => Past::Unbound,
            },
        }
    }

    /// The token may not be offered yet. Until then another one may come.
    fn not_before(&mut self, opens: Moment) -> Interrupt {
        let now = self.context.clock.now();
        self.entry.awaits_offer.get_or_insert(now);
        let next_look = now + self.context.timing.secret_retry;
        Interrupt::NotBefore(opens.min(next_look))
    }

    /// Waits for nothing: either it is this pass's turn, or it ends here. `false` if Cloudflare has asked for a pause,
    /// which the plan then has to deal with.
    pub(super) fn take_turn(&mut self, right: Right) -> Result<bool, Interrupt> {
        let (context, lane) = (self.context, self.lane());
        let now = context.clock.now();
        // The plan looks at the credentials before anything that needs them.
        let bearer = self.bearer.as_mut().ok_or(Interrupt::NotBefore(now))?;
        match bearer.turn(context, right, lane) {
            Ok(()) => Ok(true),
            Err(Refrain::Turn(due)) => Err(Interrupt::NotBefore(due)),
            Err(Refrain::Unoffered(opens)) => Err(self.not_before(opens)),
            Err(Refrain::Pause(pause)) => {
                self.observed.credentials = Credentials::Paused(pause);
                Ok(false)
            }
        }
    }

    /// In which order it is this pass's turn.
    pub(super) fn lane(&self) -> Lane {
        let awaited = self.desired.is_awaited(self.object.status.as_ref());
        let has_begun = self.record.connector.is_some() || self.desired.terminating;
        match (awaited, has_begun) {
            (true, true) => Lane::Edited,
            (true, false) => Lane::New,
            (false, _) => Lane::Periodic,
        }
    }

    pub(super) fn token(&self) -> Result<(ApiToken, Fingerprint), Interrupt> {
        let bearer = self.bearer.as_ref();
        bearer
            .map(|bearer| (bearer.token.clone(), bearer.fingerprint))
            .ok_or(Interrupt::NotBefore(self.context.clock.now()))
    }
}
