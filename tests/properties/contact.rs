//! One contact with the world: what happens before it, what comes of it, and how long it takes.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Class, Endpoint, Failure};

use crate::cloudflare::{DOMAIN, No};
use crate::model::Model;
use crate::pass::Stop;
use crate::script::{Beat, Outcome};

impl Model {
    /// One call to Cloudflare. `carry_out` is what it does there, half-way through.
    pub fn call<T>(
        &mut self,
        endpoint: Endpoint,
        carry_out: impl FnOnce(&mut Self) -> Result<T, No>,
    ) -> Result<Result<T, Failure>, Stop> {
        let beat = self.beat()?;
        let half = Duration::from_millis(beat.took / 2);
        self.advance(half);
        let (class, status) = match beat.outcome {
            Outcome::LostBefore => (Class::Unavailable, Some(502)),
            Outcome::Refused => (Class::Rejected, Some(400)),
            Outcome::NotSent => (Class::NotSent, None),
            Outcome::Unauthorized => (Class::Unauthorized, Some(401)),
            Outcome::Limited(_) => (Class::RateLimited, Some(429)),
            Outcome::Works
            | Outcome::Nameless
            | Outcome::LostAfter
            | Outcome::DiesAfter
            | Outcome::DiesBefore => {
                let done = carry_out(self);
                self.advance(half);
                return match (beat.outcome, done) {
                    (Outcome::DiesAfter, _) => Err(Stop::Dies),
                    (Outcome::LostAfter, _) => Ok(Err(failure(endpoint, Class::Unavailable, None))),
                    (_, Ok(done)) => Ok(Ok(done)),
                    (_, Err(No::SuchConnector)) => {
                        Ok(Err(failure(endpoint, Class::Gone, Some(404))))
                    }
                    (_, Err(No::Verification)) => {
                        Ok(Err(failure(endpoint, Class::Rejected, Some(400))))
                    }
                };
            }
        };
        self.advance(half);
        let mut failure = failure(endpoint, class, status);
        if let Outcome::Limited(Some(seconds)) = beat.outcome {
            failure.retry_after = Some(Duration::from_secs(seconds));
        }
        Ok(Err(failure))
    }

    /// One call to the API server.
    pub fn kubernetes<T>(&mut self, carry_out: impl FnOnce(&mut Self) -> T) -> Result<T, Stop> {
        let beat = self.beat()?;
        self.advance(Duration::from_millis(beat.took));
        match beat.outcome {
            Outcome::LostBefore | Outcome::NotSent => Err(Stop::Kubernetes),
            Outcome::LostAfter => {
                carry_out(self);
                Err(Stop::Kubernetes)
            }
            Outcome::DiesAfter => {
                carry_out(self);
                Err(Stop::Dies)
            }
            _ => Ok(carry_out(self)),
        }
    }

    /// What happens at this contact, before it.
    fn beat(&mut self) -> Result<Beat, Stop> {
        let mut beat = self.beats.pop_front().unwrap_or_default();
        if let Some(event) = beat.event.take() {
            self.happens(event);
        }
        if beat.outcome == Outcome::DiesBefore {
            return Err(Stop::Dies);
        }
        Ok(beat)
    }
}

pub fn failure(endpoint: Endpoint, class: Class, status: Option<u16>) -> Failure {
    Failure {
        class,
        endpoint,
        status,
        codes: Vec::new(),
        message: format!("Cloudflare did not serve {endpoint} for {DOMAIN}."),
        retry_after: None,
        date: None,
    }
}
