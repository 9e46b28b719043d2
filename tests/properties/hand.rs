//! The token that a pass has in hand, and whether it may be used now: the real `Tokens` are asked. Each step here has its like
//! in `controller::hand` and `controller::bearer`.

use cloudflare_sso_operator::account::{Caller, Lane, Past, Permission, Right, Site, Source, Turn};
use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::cloudflare::{Class, Endpoint, Failure, Fingerprint};
use cloudflare_sso_operator::plan::{Credentials, Unusable};

use crate::model::Model;
use crate::pass::{Pass, Stop};

/// For whom a pass makes its calls.
fn caller(pass: &Pass) -> Caller {
    Caller {
        namespace: "team".to_owned(),
        source: Source::Secret {
            namespace: "team".to_owned(),
            name: "token".to_owned(),
        },
        past: match pass.record.connector {
            Some(_) => Past::Bound,
            None => Past::Unbound,
        },
    }
}

impl Model {
    pub fn read_credentials(&mut self, pass: &mut Pass) -> Result<(), Stop> {
        let there = self.kubernetes(|model| model.secret)?;
        let worked = self.process.entry.token_worked;
        let stand_in = worked.filter(|_| pass.desired.terminating);
        let written = there.then(|| self.process.fingerprint(self.token));
        let Some(token) = written.or(stand_in) else {
            pass.observed.credentials = Credentials::Unusable(Unusable::unavailable(
                "There is no Secret.".to_owned(),
                "Create it.".to_owned(),
            ));
            return Ok(());
        };
        self.take_up(pass, token);
        self.judge_token(pass)
            .map_err(|opens| self.not_before(opens))?;
        if let Some(snapshot) = self.process.listing.clone() {
            self.note_listing(pass, snapshot);
        }
        pass.has_token = true;
        Ok(())
    }

    /// Takes a token in hand. One says nothing of another.
    fn take_up(&mut self, pass: &mut Pass, token: Fingerprint) {
        if std::mem::replace(&mut self.process.token, token) != token {
            self.process.listing = None;
            pass.admitted = false;
        }
    }

    pub fn judge_token(&self, pass: &mut Pass) -> Result<(), Moment> {
        let (tokens, token) = (&self.process.tokens, self.process.token);
        let (account, caller) = (&pass.desired.account, caller(pass));
        let now = self.moment();
        let judged = tokens.credentials(account, token, &caller, &self.timing, now);
        pass.observed.credentials = judged.clone().unwrap_or_default();
        judged.map(|_| ())
    }

    fn not_before(&self, opens: Moment) -> Stop {
        Stop::NotBefore(opens.min(self.moment() + self.timing.secret_retry))
    }

    fn permission(&self, pass: &Pass, right: Right) -> Permission {
        (pass.desired.account.clone(), self.process.token, right)
    }

    pub fn withdraw(&self, pass: &mut Pass) {
        if let Some((permission, stake)) = pass.stake.take() {
            self.process.tokens.withdraw(&permission, stake);
        }
    }

    pub fn take_turn(&mut self, pass: &mut Pass, right: Right) -> Result<bool, Stop> {
        let now = self.moment();
        if !pass.has_token {
            return Err(Stop::NotBefore(now));
        }
        self.withdraw(pass);
        let (permission, caller) = (self.permission(pass, right), caller(pass));
        let stake = self
            .process
            .tokens
            .offer(&permission, &caller, &self.timing, now)
            .map_err(|opens| self.not_before(opens))?;
        pass.stake = stake.map(|stake| (permission, stake));
        let (tokens, token) = (&self.process.tokens, self.process.token);
        let turn = if pass.admitted {
            tokens.charge(token, now)
        } else {
            let awaited = pass.desired.is_awaited(pass.object.status.as_ref());
            let has_begun = pass.record.connector.is_some() || pass.desired.terminating;
            let lane = match (awaited, has_begun) {
                (true, true) => Lane::Edited,
                (true, false) => Lane::New,
                (false, _) => Lane::Periodic,
            };
            tokens.admit(token, &pass.desired.uid, lane, now)
        };
        match turn {
            Turn::Now => {
                pass.admitted = true;
                Ok(true)
            }
            Turn::At(due) => Err(Stop::NotBefore(due)),
            Turn::Paused(pause) => {
                pass.observed.credentials = Credentials::Paused(pause);
                Ok(false)
            }
        }
    }

    pub fn worked(&mut self, pass: &Pass, endpoint: Endpoint) {
        let now = self.moment();
        self.process.entry.memory.succeeded(endpoint);
        let permission = self.permission(
            pass,
            Right::for_endpoint(endpoint, &Site::of(&pass.desired)),
        );
        self.process.tokens.worked(&permission, now);
        self.process.entry.token_worked = Some(self.process.token);
    }

    pub fn note_failure(&mut self, pass: &mut Pass, failure: Failure) {
        let now = self.moment();
        let permission = self.permission(
            pass,
            Right::for_endpoint(failure.endpoint, &Site::of(&pass.desired)),
        );
        let (tokens, caller) = (&self.process.tokens, caller(pass));
        tokens.failed(&permission, &caller, &failure, &self.timing, now);
        self.withdraw(pass);
        if failure.class == Class::Unauthorized {
            self.process.entry.token_worked = None;
            pass.observed.credentials = Credentials::Unread;
            pass.observed.listing = None;
        } else {
            // If it cannot be said, the plan asks.
            let _ = self.judge_token(pass);
        }
        let edition = pass.desired.edition();
        self.process.entry.memory.failed(failure, edition, now);
    }
}
