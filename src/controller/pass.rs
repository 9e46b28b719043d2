//! One pass over one object: ask the plan, do what it says, ask again, until it wants to rest.
//!
//! A pass makes at most one call that changes something at Cloudflare; what comes of it is looked at before the next. What it
//! starts from is in [`start`], and what it writes of its object in [`written`].

mod newest;
mod start;
mod written;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use tracing::{debug, info, warn};

use super::Context;
use super::announce::{self, News};
use super::bearer::Bearer;
use super::cache::Cached;
use super::objects::{Entry, Pair};
use super::queue::Due;
use super::store::{self, Store};
use crate::account::Right;
use crate::clock::Moment;
use crate::definition::Shift;
use crate::kubernetes::KubernetesFailure;
use crate::plan::{
    Act, Desired, Guard, Look, Namespace, Observed, Plan, Record, Then, Verdict, World, plan,
};
use crate::resource::SsoConnector;

/// A pass asks the plan at most this often. Each question is answered once, so more means that the plan goes in circles.
const MOST_ROUNDS: usize = 32;

/// How a pass ended. There is always another pass to come, until the object is gone.
#[derive(Debug)]
pub(super) enum End {
    /// Come back after this time, or when the object changes.
    Rest(Duration),
    /// The copy was an old one, by a read or by a write that was refused; come back when the cache has caught up.
    Conflict,
}

/// Why a pass cannot go on.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// It is not this object's turn to use the token.
    NotBefore(Moment),
    /// The object is not there any more, or is another one.
    Gone,
    /// The API server could not be asked.
    Kubernetes(KubernetesFailure),
}

impl From<KubernetesFailure> for Interrupt {
    fn from(failure: KubernetesFailure) -> Self {
        Self::Kubernetes(failure)
    }
}

/// A pass under way.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) context: &'a Context,
    shift: &'a Shift,
    /// Why it is made, which says how new a reading of a Secret must be to serve.
    pub(super) due: Due<Moment>,
    /// When this edition of the object was first seen.
    seen: Moment,
    pub(super) entry: &'a mut Entry,
    pub(super) object: Arc<SsoConnector>,
    pub(super) desired: Desired,
    pub(super) record: Record,
    pub(super) pair: Pair,
    pub(super) observed: Observed,
    /// The API token, once it was read.
    pub(super) bearer: Option<Bearer>,
    /// Whether it may have been read before the pass was due: good enough to look.
    pub(super) is_second_hand: bool,
    /// The API token that publishes the TXT record, once it was read.
    pub(super) publisher: Option<Bearer>,
    /// What was settled so far.
    news: Vec<News>,
}

/// Makes one pass, which is due for that reason.
///
/// # Errors
/// If the API server cannot be worked with.
pub(super) async fn run(
    context: &Context,
    shift: &Shift,
    cached: Cached,
    due: Due<Moment>,
    entry: &mut Entry,
) -> Result<End, KubernetesFailure> {
    let mut pass = match Pass::begin(context, shift, cached, due, entry) {
        Ok(pass) => pass,
        Err(end) => return Ok(end),
    };
    let end = pass.advance().await;
    pass.leave();
    if let Some(access) = pass.observed.access() {
        context.objects.tried(&pass.desired.uid, access);
    }
    pass.announce().await;
    end
}

impl Pass<'_> {
    /// Asks the plan and does what it says, until it wants to rest.
    async fn advance(&mut self) -> Result<End, KubernetesFailure> {
        let mut acted = false;
        for _ in 0..MOST_ROUNDS {
            let step = match plan(&self.world(&self.context.objects.pair(&self.pair))) {
                Plan::Leave => {
                    let uid = &self.desired.uid;
                    self.context.objects.give_back(&self.pair, uid);
                    return Ok(End::Rest(self.context.timing.poll_unverified));
                }
                Plan::Mark => self.mark().await,
                Plan::Release => return self.release().await,
                Plan::Look(look) => self.look(look).await.map(|()| None),
                Plan::Settle {
                    then: Then::Act(_), ..
                } if acted => return Ok(End::Rest(Duration::ZERO)),
                Plan::Settle {
                    then: Then::Act(_), ..
                } if self.is_second_hand => {
                    self.read_again();
                    Ok(None)
                }
                Plan::Settle {
                    verdict,
                    guard,
                    then,
                } => {
                    acted |= matches!(then, Then::Act(_));
                    self.settle(&verdict, guard, then).await
                }
            };
            match step {
                Ok(None) => {}
                Ok(Some(end)) => return Ok(end),
                Err(Interrupt::NotBefore(due)) => {
                    return Ok(End::Rest(self.context.clock.now().until(due)));
                }
                // The cache will tell what has become of it; until then each look comes to the same.
                Err(Interrupt::Gone) => return Ok(End::Conflict),
                Err(Interrupt::Kubernetes(failure)) => return Err(failure),
            }
        }
        warn!("the plan goes in circles");
        Ok(End::Rest(self.context.timing.poll_unverified))
    }

    /// Since when a reading of a Secret must have been begun to serve; `None` if none of others does. Whoever takes something
    /// down must not use a token that is gone.
    pub(super) fn reading_since(&self) -> Option<Moment> {
        (!self.desired.terminating).then_some(self.due.since())
    }

    fn store(&self) -> Store<'_> {
        Store::of(&self.context.client, self.shift, &self.object)
    }

    fn world<'w>(&'w self, pair: &'w crate::plan::PairMemory) -> World<'w> {
        World {
            desired: &self.desired,
            record: &self.record,
            observed: &self.observed,
            memory: &self.entry.memory,
            pair,
            now: self.context.clock.now(),
            timing: &self.context.timing,
        }
    }

    async fn look(&mut self, look: Look) -> Result<(), Interrupt> {
        debug!(?look, "looking");
        self.observed.object_confirmed = false;
        match look {
            Look::Credentials => self.read_credentials().await?,
            Look::Claim => {
                let now = self.context.clock.now();
                self.recall_rivals(now);
                let uid = &self.desired.uid;
                let objects = &self.context.objects;
                self.observed.claim = objects.claim(&self.pair, uid, self.seen, now);
            }
            Look::Listing { not_before } => self.list(not_before).await?,
            Look::Connector(id) => self.get(id).await?,
            Look::Namespace => {
                let namespace = self.object.namespace().unwrap_or_default();
                let terminating = store::is_terminating(&self.context.client, &namespace).await?;
                self.observed.namespace = if terminating {
                    Namespace::Terminating
                } else {
                    Namespace::Stays
                };
            }
            Look::Definition => self.observed.definition = self.store().definition().await?,
            Look::Publisher => self.read_publisher_token().await,
            Look::Zone => self.find_zone().await,
            Look::Records(zone) => self.list_records(zone).await,
            Look::Txt { not_before } => self.look_up(not_before),
            Look::Object => {
                let current = self.store().read().await?;
                let current = current
                    .filter(|current| current.uid() == self.object.uid())
                    .ok_or(Interrupt::Gone)?;
                self.adopt(Arc::new(current)).ok_or(Interrupt::Gone)?;
                self.observed.rivals = self.context.rivals_now(&self.object, &self.pair).await?;
                self.observed.object_confirmed = true;
            }
        }
        Ok(())
    }

    /// Whether it is this pass's turn to make the call. If not, the plan has to deal with that.
    fn take_turn_to(&mut self, act: &Act) -> Result<bool, Interrupt> {
        match act {
            Act::Publish { .. } | Act::Unpublish { .. } => Ok(self.take_turn_to_publish()),
            Act::Create { .. }
            | Act::BeginVerification { .. }
            | Act::Update { .. }
            | Act::Delete(_) => self.take_turn(Right::Change),
        }
    }

    /// Records, then acts.
    async fn settle(
        &mut self,
        verdict: &Verdict,
        guard: Guard,
        then: Then,
    ) -> Result<Option<End>, Interrupt> {
        let acts = matches!(then, Then::Act(_));
        if let Then::Act(act) = &then
            && !self.take_turn_to(act)?
        {
            return Ok(None);
        }
        let before = self.object.status.clone().unwrap_or_default();
        if let Some(end) = self.write_status(&before, verdict, guard, acts).await? {
            return Ok(Some(end));
        }
        let end = match then {
            Then::Act(act) => {
                self.log(&act);
                self.act(act).await;
                None
            }
            Then::Rest(span) => {
                self.entry.memory.rested(verdict);
                if verdict.gives_way() {
                    let uid = &self.desired.uid;
                    self.context.objects.give_back(&self.pair, uid);
                }
                Some(End::Rest(span))
            }
            Then::Continue => None,
        };
        let after = self.object.status.clone().unwrap_or_default();
        let notice = verdict.notice.clone();
        self.news.push(News {
            before,
            after,
            notice,
        });
        Ok(end)
    }

    /// Lays the tokens down.
    fn leave(&mut self) {
        if let (Some(publisher), Some(bearer)) = (&mut self.publisher, &mut self.bearer) {
            bearer.waits_with(publisher);
            publisher.waits_with(bearer);
        }
        for bearer in [&mut self.publisher, &mut self.bearer]
            .into_iter()
            .flatten()
        {
            bearer.leaves(&self.context.tokens);
        }
    }

    /// Publishes the Events of the pass. Nothing depends on them, so they come last: never between what was recorded and
    /// its call, nor between an answer and what must be stored of it.
    async fn announce(&mut self) {
        for news in std::mem::take(&mut self.news) {
            announce::publish(self.context, &self.object, &news).await;
        }
    }

    fn log(&self, act: &Act) {
        let (account, domain) = &self.pair;
        let namespace = self.object.namespace().unwrap_or_default();
        let name = self.object.name_any();
        match act {
            Act::Create { .. } => {
                info!(namespace, name, %account, %domain, "creating the connector");
            }
            Act::BeginVerification { id, .. } => {
                info!(namespace, name, connector = %id, "beginning the verification");
            }
            Act::Update { id, changes } => {
                info!(
                    namespace, name, connector = %id,
                    enabled = changes.enabled, use_fedramp_language = changes.use_fedramp_language,
                    "changing the connector"
                );
            }
            Act::Delete(id) => info!(namespace, name, connector = %id, "deleting the connector"),
            Act::Publish { zone, .. } => {
                info!(namespace, name, %zone, %domain, "creating the TXT record");
            }
            Act::Unpublish { zone, record } => {
                info!(namespace, name, %zone, %record, "deleting the TXT record");
            }
        }
    }
}
