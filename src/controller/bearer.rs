//! An API token in the hand of one pass: whose turn it is to use it, and what is staked on it while Cloudflare may refuse it.

use super::Context;
use crate::account::{Caller, Lane, Permission, Right, Stake, Tokens, Turn};
use crate::clock::Moment;
use crate::cloudflare::{ApiToken, Failure, Fingerprint};
use crate::identity::AccountId;
use crate::plan::Pause;

/// A token, and what this pass has done with it.
#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) token: ApiToken,
    /// Its name inside the process.
    pub(super) fingerprint: Fingerprint,
    /// On whose behalf it is used.
    pub(super) caller: Caller,
    account: AccountId,
    uid: String,
    /// Whether the token's limiter has let this pass in.
    admitted: bool,
    /// Whether it was told to come back for a turn.
    waits: bool,
    /// The call that was asked for last, if it may be refused.
    stake: Option<(Permission, Stake)>,
}

/// Why a call may not be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refrain {
    /// The token may not be offered before then.
    Unoffered(Moment),
    /// It is others' turn before then.
    Turn(Moment),
    /// Cloudflare has asked that the token rest.
    Pause(Pause),
}

impl Bearer {
    /// The token, for the object of this UID and for its account.
    pub(super) fn new(
        context: &Context,
        token: ApiToken,
        caller: Caller,
        account: &AccountId,
        uid: &str,
    ) -> Self {
        Self {
            fingerprint: token.fingerprint(&context.fingerprints),
            token,
            caller,
            account: account.clone(),
            uid: uid.to_owned(),
            admitted: false,
            waits: false,
            stake: None,
        }
    }

    /// The same pass has used the same token in another hand: it need not be let in again.
    pub(super) fn joins(&mut self, other: &Self) {
        self.admitted |= other.admitted && other.fingerprint == self.fingerprint;
    }

    /// Asks for a call. It waits for nothing: either it is this pass's turn, or the pass has to do without.
    ///
    /// # Errors
    /// Why the call may not be made now.
    pub(super) fn turn(
        &mut self,
        context: &Context,
        right: Right,
        lane: Lane,
    ) -> Result<(), Refrain> {
        let now = context.clock.now();
        let tokens = &context.tokens;
        self.withdraw(tokens);
        let permission = self.permission(right);
        let stake = tokens
            .offer(&permission, &self.caller, &context.timing, now)
            .map_err(Refrain::Unoffered)?;
        self.stake = stake.map(|stake| (permission, stake));
        let turn = if self.admitted {
            tokens.charge(self.fingerprint, now)
        } else {
            tokens.admit(self.fingerprint, &self.uid, lane, now)
        };
        match turn {
            Turn::Now => {
                self.admitted = true;
                Ok(())
            }
            Turn::At(due) => {
                self.waits = true;
                Err(Refrain::Turn(due))
            }
            Turn::Paused(pause) => Err(Refrain::Pause(pause)),
        }
    }

    /// What was asked for last has come to nothing that says something about the token, or was answered already.
    pub(super) fn withdraw(&mut self, tokens: &Tokens) {
        if let Some((permission, stake)) = self.stake.take() {
            tokens.withdraw(&permission, stake);
        }
    }

    /// A call has worked.
    pub(super) fn worked(&self, context: &Context, right: Right) {
        let now = context.clock.now();
        context.tokens.worked(&self.permission(right), now);
    }

    /// A call has failed.
    pub(super) fn failed(&mut self, context: &Context, right: Right, failure: &Failure) {
        let now = context.clock.now();
        let permission = self.permission(right);
        let tokens = &context.tokens;
        tokens.failed(&permission, &self.caller, failure, &context.timing, now);
        self.withdraw(tokens);
    }

    /// Another hand of the same pass holds the same token: who waits there keeps the one place of both.
    pub(super) fn waits_with(&mut self, other: &Self) {
        self.waits |= other.waits && other.fingerprint == self.fingerprint;
    }

    /// Another one comes into the same hand, or none. Its place is left, unless that one holds the same token, or the pass's
    /// other hand does.
    pub(super) fn makes_way(
        mut self,
        next: Option<&mut Self>,
        other: Option<&Self>,
        tokens: &Tokens,
    ) {
        let is_same = |bearer: &Self| bearer.fingerprint == self.fingerprint;
        match next {
            Some(next) if is_same(next) => {
                next.joins(&self);
                next.waits_with(&self);
                self.withdraw(tokens);
            }
            _ if other.is_some_and(is_same) => self.withdraw(tokens),
            _ => self.leaves(tokens),
        }
    }

    /// The pass is over. Who did not need its turn does not keep a place.
    pub(super) fn leaves(&mut self, tokens: &Tokens) {
        self.withdraw(tokens);
        if !self.waits {
            tokens.leave(self.fingerprint, &self.uid);
        }
    }

    fn permission(&self, right: Right) -> Permission {
        (self.account.clone(), self.fingerprint, right)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::account::{Past, Rate, Source};
    use crate::cloudflare::FingerprintKey;

    fn hand(key: &FingerprintKey, token: &[u8], waits: bool) -> Bearer {
        let token = ApiToken::parse(token).unwrap();
        Bearer {
            fingerprint: token.fingerprint(key),
            token,
            caller: Caller {
                namespace: "team".to_owned(),
                source: Source::Default,
                past: Past::Bound,
            },
            account: "0".repeat(32).parse().unwrap(),
            uid: "uid".to_owned(),
            admitted: false,
            waits,
            stake: None,
        }
    }

    #[test]
    fn a_place_is_kept_for_both_hands_that_hold_one_token() {
        let key = FingerprintKey::random();
        for (token, other_waits, waits) in [
            (b"one".as_slice(), true, true),
            (b"one", false, false),
            (b"another", true, false),
        ] {
            let mut bearer = hand(&key, b"one", false);
            bearer.waits_with(&hand(&key, token, other_waits));
            assert_eq!(bearer.waits, waits);
        }
    }

    #[test]
    fn whoever_makes_way_leaves_its_place_to_the_same_token_alone() {
        let rate = Rate {
            per_second: 1.0,
            burst: 1.0,
        };
        let [start, later] = [0, 1].map(|second| Moment::from_start(Duration::from_secs(second)));
        let key = FingerprintKey::random();
        for (next, other, is_kept) in [
            (Some(b"one".as_slice()), None, true),
            (Some(b"another"), None, false),
            (None, None, false),
            (None, Some(b"one".as_slice()), true),
            (None, Some(b"another"), false),
        ] {
            let [mut next, other] =
                [next, other].map(|token| token.map(|token| hand(&key, token, false)));
            let former = hand(&key, b"one", false);
            let tokens = Tokens::new(rate);
            let token = former.fingerprint;
            let turn = |uid, now| tokens.admit(token, uid, Lane::Periodic, now);
            assert_eq!(turn("first", start), Turn::Now);
            assert_ne!(turn("uid", start), Turn::Now);
            assert_ne!(turn("who comes later", start), Turn::Now);
            former.makes_way(next.as_mut(), other.as_ref(), &tokens);
            let is_next = turn("uid", later) == Turn::Now;
            assert_eq!(is_next, is_kept, "{next:?} {other:?}");
        }
    }
}
