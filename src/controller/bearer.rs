//! An API token in the hand of one pass: whose turn it is to use it, and what is staked on it while Cloudflare may refuse it.

use super::Context;
use crate::account::{Caller, Lane, Permission, Right, Stake, Turn};
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
        self.withdraw(context);
        let permission = self.permission(right);
        let tokens = &context.tokens;
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
    pub(super) fn withdraw(&mut self, context: &Context) {
        if let Some((permission, stake)) = self.stake.take() {
            context.tokens.withdraw(&permission, stake);
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
        self.withdraw(context);
    }

    /// Another hand of the same pass holds the same token: who waits there keeps the one place of both.
    pub(super) fn waits_with(&mut self, other: &Self) {
        self.waits |= other.waits && other.fingerprint == self.fingerprint;
    }

    /// Another one comes into the same hand, or none. The turn that was waited for is kept if that one holds the same token, or
    /// if the pass's other hand does.
    pub(super) fn makes_way(
        mut self,
        next: Option<&mut Self>,
        other: Option<&Self>,
        context: &Context,
    ) {
        self.withdraw(context);
        if let Some(next) = next.filter(|next| next.fingerprint == self.fingerprint) {
            next.joins(&self);
            next.waits_with(&self);
            return;
        }
        if let Some(other) = other {
            self.waits_with(other);
        }
        self.leaves(context);
    }

    /// The pass is over. Who did not need its turn does not keep a place.
    pub(super) fn leaves(&mut self, context: &Context) {
        self.withdraw(context);
        if !self.waits {
            context.tokens.leave(self.fingerprint, &self.uid);
        }
    }

    fn permission(&self, right: Right) -> Permission {
        (self.account.clone(), self.fingerprint, right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Past, Source};
    use crate::cloudflare::FingerprintKey;

    #[test]
    fn a_place_is_kept_for_both_hands_that_hold_one_token() {
        let key = FingerprintKey::random();
        let holding = |token: &[u8], waits| {
            let token = ApiToken::parse(token).unwrap();
            Bearer {
                fingerprint: token.fingerprint(&key),
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
        };
        for (other, waits) in [
            (holding(b"one", true), true),
            (holding(b"one", false), false),
            (holding(b"another", true), false),
        ] {
            let mut bearer = holding(b"one", false);
            bearer.waits_with(&other);
            assert_eq!(bearer.waits, waits);
        }
    }
}
