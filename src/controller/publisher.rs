//! Calls Cloudflare DNS with the token that may publish the TXT record, and asks name servers for it.
//!
//! None of it keeps anything else of a pass waiting: when it is not this pass's turn, or something fails, the plan is told
//! so and goes on without.

use super::bearer::{Bearer, Refrain};
use super::credentials::{self, DNS_TOKEN_FIELD, TOKEN_FIELD};
use super::pass::Pass;
use crate::account::{Caller, Past, Right, Site};
use crate::clock::Moment;
use crate::cloudflare::{
    Activation, Answer, ApiToken, Class, Endpoint, Failure, Listing, NewTxtRecord, Zone,
};
use crate::dns::{Asked, Sight};
use crate::identity::{ObjectName, RecordId, ZoneId};
use crate::plan::{NoZone, Posted, Publisher, RecordsSeen, Search, Txt, Unusable, choose};
use kube::ResourceExt as _;
use tracing::warn;

impl Pass<'_> {
    /// Reads the token that publishes the TXT record.
    pub(super) async fn read_publisher_token(&mut self) {
        let publication = self.desired.publication.as_ref();
        let found = publication.and_then(|publication| publication.api_token.clone());
        let Some(found) = found else {
            self.observed.publisher = Publisher::Unusable(Unusable::unavailable(
                "The operator's default token is not for DNS.".to_owned(),
                format!("Set {DNS_TOKEN_FIELD} to a Secret of this namespace."),
            ));
            return;
        };
        let namespace = self.object.namespace().unwrap_or_default();
        let field = if self.desired.api_token.as_ref() == Some(&found) {
            TOKEN_FIELD
        } else {
            DNS_TOKEN_FIELD
        };
        let since = self.reading_since();
        let reading = credentials::read_named(self.context, &namespace, &found, field, since).await;
        let reading = match reading {
            Ok(reading) => reading,
            Err(cause) => {
                warn!(namespace, secret = found.name, %cause, "cannot read the token for DNS");
                let again = self.context.clock.now() + self.context.timing.secret_retry;
                self.observed.publisher = Publisher::Waits(again);
                return;
            }
        };
        let token = match reading.token_or(self.publisher_stand_in()) {
            Ok(token) => token,
            Err(unusable) => {
                self.take_up_publisher(None);
                self.observed.publisher = Publisher::Unusable(unusable);
                return;
            }
        };
        let caller = Caller {
            // What is kept for objects that have a connector is not for this.
            past: Past::Unbound,
            ..self.caller(Some(&found))
        };
        let bearer = self.hold(token, caller);
        if self.entry.publisher.replace(bearer.fingerprint) != Some(bearer.fingerprint) {
            // Another token may see other zones.
            self.entry.memory.publishing.search = None;
        }
        self.take_up_publisher(Some(bearer));
        self.judge_publisher();
    }

    /// The token that stands in for one whose Secret is gone. Of a verified domain nobody has looked after the record, so there
    /// may be none that has worked for DNS, but one from the same place that has worked for SSO.
    fn publisher_stand_in(&self) -> Option<&ApiToken> {
        let worked = [&self.entry.publisher_token, &self.entry.token];
        let mut worked = worked.into_iter().flatten();
        let (_, token) = worked.find(|(known, _)| self.desired.may_unpublish_with(known))?;
        Some(token)
    }

    /// Takes a token in hand, instead of the one that was there.
    fn take_up_publisher(&mut self, mut publisher: Option<Bearer>) {
        if let Some(former) = self.publisher.take() {
            let other = self.bearer.as_ref();
            former.makes_way(publisher.as_mut(), other, &self.context.tokens);
        }
        self.publisher = publisher;
    }

    fn judge_publisher(&mut self) {
        let context = self.context;
        let Some(bearer) = &self.publisher else {
            return;
        };
        let (account, site) = (&self.desired.account, &Site::of(&self.desired));
        let (token, caller) = (bearer.fingerprint, &bearer.caller);
        let (timing, now) = (&context.timing, context.clock.now());
        let tokens = &context.tokens;
        self.observed.publisher = tokens.publisher(account, token, site, caller, timing, now);
    }

    /// Finds the zone in which the domain's records are: the one that the spec names, or the deepest one above the domain.
    pub(super) async fn find_zone(&mut self) {
        let at = self.context.clock.now();
        let publication = self.desired.publication.as_ref();
        let named = publication.and_then(|publication| publication.zone.clone());
        let result = match &named {
            Some(zone) => self.confirm_zone(zone.clone()).await,
            None => self.search_zone().await,
        };
        if let Some(result) = result {
            let search = Search { named, at, result };
            self.entry.memory.publishing.found(search);
        }
    }

    /// Whether the zone is one of the domain; `None` if that could not be found out.
    async fn confirm_zone(&mut self, id: ZoneId) -> Option<Result<ZoneId, NoZone>> {
        let token = self.token_in_turn()?;
        let started = self.context.clock.now();
        let answer = self.context.cloudflare.get_zone(&token, &id).await;
        match answer {
            Err(failure) if failure.class == Class::Gone || failure.has_no_route() => {
                self.count(Endpoint::GetZone, Some(&failure), started);
                self.note_success_in_dns(Endpoint::GetZone);
                Some(Err(NoZone::NamedNotFound))
            }
            other => {
                let zone = self.note_answer_of_dns(Endpoint::GetZone, started, other)?;
                Some(match zone.activation {
                    _ if !self.desired.domain.is_within(&zone.name) => Err(NoZone::NamedForAnother),
                    Activation::Active => Ok(id),
                    Activation::Inactive => Err(NoZone::Inactive),
                    Activation::Elsewhere => Err(NoZone::ServedElsewhere),
                })
            }
        }
    }

    /// Asks for one name after the other. A name that the token may not ask for is none of its zones, unless no other name
    /// turns out to be one. `None` if that could not be found out.
    async fn search_zone(&mut self) -> Option<Result<ZoneId, NoZone>> {
        let domain = self.desired.domain.clone();
        let mut result = Err(NoZone::NotFound);
        let mut refusal = None;
        for name in domain.searched_names() {
            let token = self.token_in_turn()?;
            let started = self.context.clock.now();
            let answer = self.context.cloudflare.list_zones(&token, name).await;
            let zones: Vec<Zone> = match answer {
                Err(failure) if failure.is_forbidden() => {
                    self.count(Endpoint::ListZones, Some(&failure), started);
                    refusal = Some(failure);
                    continue;
                }
                other => self.note_answer_of_dns(Endpoint::ListZones, started, other)?,
            };
            match choose(&zones, name, &self.desired.account) {
                Err(NoZone::NotFound) => {}
                Err(why) => result = Err(why),
                Ok(zone) => return Some(Ok(zone)),
            }
        }
        match (result, refusal) {
            (Err(NoZone::NotFound), Some(failure)) => {
                self.note_failure_in_dns(failure);
                None
            }
            (result, _) => Some(result),
        }
    }

    /// Lists the TXT records at the domain.
    pub(super) async fn list_records(&mut self, zone: ZoneId) {
        let Some(token) = self.token_in_turn() else {
            return;
        };
        let at = self.context.clock.now();
        let domain = &self.desired.domain;
        let answer = self
            .context
            .cloudflare
            .list_txt_records(&token, &zone, domain)
            .await;
        let Some(Listing { items, complete }) =
            self.note_answer_of_dns(Endpoint::ListRecords, at, answer)
        else {
            return;
        };
        self.entry.memory.publishing.saw(RecordsSeen {
            zone,
            at,
            records: items,
            gap: complete.gap(),
        });
    }

    /// Creates the TXT record.
    pub(super) async fn create_record(&mut self, zone: ZoneId, record: NewTxtRecord) {
        let Some(token) = self.publisher_token() else {
            return;
        };
        let started = self.context.clock.now();
        let answer = self
            .context
            .cloudflare
            .create_txt_record(&token, &zone, &record)
            .await;
        let outcome = Posted::read(&self.desired.domain, &record, &answer);
        self.note_answer_of_dns(Endpoint::CreateRecord, started, answer);
        let now = self.context.clock.now();
        self.entry.memory.publishing.posted(&zone, outcome, now);
    }

    /// Deletes the TXT record.
    pub(super) async fn delete_record(&mut self, zone: ZoneId, record: RecordId) {
        let Some(token) = self.publisher_token() else {
            return;
        };
        let started = self.context.clock.now();
        let answer = self
            .context
            .cloudflare
            .delete_record(&token, &zone, &record)
            .await;
        let answer = match answer {
            Err(failure) if failure.class == Class::Gone => Ok(Answer {
                value: (),
                date: failure.date,
            }),
            other => other,
        };
        let gone = self.note_answer_of_dns(Endpoint::DeleteRecord, started, answer);
        let now = self.context.clock.now();
        let gone = gone.map(|()| record);
        self.entry.memory.publishing.deleted(gone, now);
    }

    /// Asks what DNS shows, and takes what is known at once.
    pub(super) fn look_up(&mut self, not_before: Moment) {
        let Some(lookups) = &self.context.lookups else {
            self.observed.txt = Txt::Off;
            return;
        };
        let asker = ObjectName::of(&self.object.metadata);
        self.observed.txt = match lookups.ask(&self.desired.domain, not_before, asker) {
            Asked::Known(_, sight) | Asked::UnderWay(Some((_, sight))) => Txt::Seen(sight),
            Asked::UnderWay(None) => Txt::Unknown,
        };
        if matches!(&self.observed.txt, Txt::Seen(sight) if !matches!(sight, Sight::Failed(_))) {
            let first = &mut self.entry.memory.first_txt;
            first.get_or_insert_with(|| self.observed.txt.clone());
        }
    }

    /// Whether it is this pass's turn to make a call with the token. If not, the plan is told why.
    pub(super) fn take_turn_to_publish(&mut self) -> bool {
        let (context, lane) = (self.context, self.lane());
        let right = Right::Publish(Site::of(&self.desired));
        let Some(bearer) = &mut self.publisher else {
            return false;
        };
        if let Some(other) = &self.bearer {
            bearer.joins(other);
        }
        self.observed.publisher = match bearer.turn(context, right, lane) {
            Ok(()) => return true,
            Err(Refrain::Unoffered(due) | Refrain::Turn(due)) => Publisher::Waits(due),
            Err(Refrain::Pause(pause)) => Publisher::Paused(pause),
        };
        false
    }

    /// The token, if it is this pass's turn to use it.
    fn token_in_turn(&mut self) -> Option<ApiToken> {
        if self.take_turn_to_publish() {
            self.publisher_token()
        } else {
            None
        }
    }

    fn publisher_token(&self) -> Option<ApiToken> {
        self.publisher.as_ref().map(|bearer| bearer.token.clone())
    }

    /// Takes note of what came back; what it says, if it worked.
    fn note_answer_of_dns<T>(
        &mut self,
        endpoint: Endpoint,
        started: Moment,
        answer: Result<Answer<T>, Failure>,
    ) -> Option<T> {
        self.count(endpoint, answer.as_ref().err(), started);
        match answer {
            Ok(answer) => {
                self.note_success_in_dns(endpoint);
                Some(answer.value)
            }
            Err(failure) => {
                self.note_failure_in_dns(failure);
                None
            }
        }
    }

    fn note_success_in_dns(&mut self, endpoint: Endpoint) {
        self.entry.memory.publishing.succeeded(endpoint);
        let Some(bearer) = &self.publisher else {
            return;
        };
        let right = Right::Publish(Site::of(&self.desired));
        bearer.worked(self.context, right);
        let publication = self.desired.publication.as_ref();
        let found = publication.and_then(|publication| publication.api_token.clone());
        self.entry.publisher_token = found.map(|found| (found, bearer.token.clone()));
    }

    fn note_failure_in_dns(&mut self, failure: Failure) {
        let before = self.entry.memory.publishing.trouble(failure.endpoint);
        self.log_failure(&failure, before);
        let right = Right::Publish(Site::of(&self.desired));
        if failure.class == Class::Unauthorized {
            self.entry.publisher_token = None;
        }
        if let Some(bearer) = &mut self.publisher {
            bearer.failed(self.context, right, &failure);
            let fingerprint = bearer.fingerprint;
            self.judge_publisher();
            self.note_refusal(&failure, fingerprint);
        }
        let (edition, now) = (self.desired.edition(), self.context.clock.now());
        let publishing = &mut self.entry.memory.publishing;
        publishing.failed(failure, edition, now);
    }
}
