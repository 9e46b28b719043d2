//! Tokens that were read a moment ago. A reading serves for some seconds every pass that it is new enough for: begun after somebody
//! had asked for that pass, or, where it only looks and all is well with the token, after the object had come to rest. So objects
//! that are looked at together share what the first of them has read, and none goes by what was read before its own last pass.
//! That there is no token is never shared, and whoever takes something down reads for itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::cloudflare::ApiToken;
use crate::resource::ApiTokenSecretRef;

/// How long a reading serves others. Whoever has waited longer reads anew.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// Where a token is: the namespace, and the reference to it.
pub(super) type Place = (String, ApiTokenSecretRef);

/// The newest readings.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    newest: Mutex<HashMap<Place, (Moment, ApiToken)>>,
}

impl Secrets {
    /// What was read there a moment ago, if that was begun at `not_before` or later.
    pub(super) fn since(&self, not_before: Moment, place: &Place, now: Moment) -> Option<ApiToken> {
        let newest = self.lock();
        let (begun, token) = newest.get(place)?;
        let serves = *begun >= not_before && now.since(*begun) < SHARED_FOR;
        serves.then(|| token.clone())
    }

    /// This was read there; the reading was begun at that moment.
    pub(super) fn read(&self, place: Place, begun: Moment, token: ApiToken) {
        let mut newest = self.lock();
        if newest.get(&place).is_none_or(|(known, _)| *known < begun) {
            newest.insert(place, (begun, token));
        }
    }

    /// There is no token there any more.
    pub(super) fn forget(&self, place: &Place) {
        self.lock().remove(place);
    }

    /// Forgets what serves nobody any more.
    pub(super) fn sweep(&self, now: Moment) {
        self.lock()
            .retain(|_, (begun, _)| now.since(*begun) < SHARED_FOR);
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, (Moment, ApiToken)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::FingerprintKey;

    fn place(namespace: &str, key: Option<&str>) -> Place {
        let reference = ApiTokenSecretRef {
            name: "cloudflare".to_owned(),
            key: key.map(str::to_owned),
        };
        (namespace.to_owned(), reference)
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_reading_serves_for_some_seconds_those_whom_it_is_new_enough_for() {
        let secrets = Secrets::default();
        let key = FingerprintKey::random();
        let found = |since, place: &Place, now| {
            let token = secrets.since(at(since), place, at(now));
            token.map(|token| token.fingerprint(&key))
        };
        let [old, new] = [b"old", b"new"].map(|text| ApiToken::parse(text).unwrap());
        let here = place("team", None);
        secrets.read(here.clone(), at(5), new.clone());
        // It was begun before the other, and took longer.
        secrets.read(here.clone(), at(4), old);
        let known = Some(new.fingerprint(&key));
        for (since, now, expected) in [
            (0, 6, known),
            (5, 6, known),
            (5, 9, known),
            (5, 10, None),
            (6, 6, None),
        ] {
            assert_eq!(
                found(since, &here, now),
                expected,
                "since {since}, at {now}"
            );
        }
        for other in [place("others", None), place("team", Some("another"))] {
            assert_eq!(found(0, &other, 6), None);
        }
        secrets.forget(&place("others", None));
        secrets.sweep(at(9));
        assert_eq!(secrets.lock().len(), 1);
        secrets.sweep(at(10));
        assert_eq!(secrets.lock().len(), 0);
        secrets.read(here.clone(), at(11), new);
        secrets.forget(&here);
        assert_eq!(found(0, &here, 11), None, "it is gone");
    }
}
