//! The shell around [`crate::plan`]: it watches the objects, finds out what the plan wants to know, stores what it says
//! and makes the one call it asks for. All that it decides itself is how to get at the facts and how to write them down.
//!
//! | room | does |
//! |---|---|
//! | [`scope`] | says which namespaces are watched |
//! | [`watches`] | brings what the watches say into the cache, and asks for a look at it |
//! | [`brought`] | is an object as the API server sends it |
//! | [`cache`] | holds what the watches have brought, each object as small as it gets |
//! | [`queue`] | says whose turn it is |
//! | [`pass`] | one pass over one object, from the plan's first question to its last word |
//! | [`credentials`] | reads the Secret, or the default token |
//! | [`secrets`] | holds what was read there for those whom it is new enough for |
//! | [`hand`] | which token a pass has in hand, and whether it may use it |
//! | [`bearer`] | holds a token in one pass: its turn, and what is staked on it |
//! | [`publisher`] | calls Cloudflare DNS and asks name servers, without keeping anything else waiting |
//! | [`exchange`] | calls Cloudflare in the token's turn, and takes note of what came back |
//! | [`store`] | writes status and finalizer, each under its precondition |
//! | [`announce`] | Events for what has changed |
//! | [`rivals`] | finds the other objects for an object's account and domain |
//! | [`objects`] | what the process remembers, by object and by pair |
//! | [`waiting`] | how long verification has been waited for |

mod announce;
mod bearer;
mod brought;
mod cache;
mod credentials;
mod exchange;
mod hand;
mod objects;
mod pass;
mod publisher;
mod queue;
mod rivals;
mod scope;
mod secrets;
mod store;
mod waiting;
mod watches;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc::unbounded;
use futures::future::join_all;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info_span, warn};

use crate::account::{Listings, Rate, Tokens};
use crate::clock::{Clock, Moment};
use crate::cloudflare::{Client as Cloudflare, FingerprintKey};
use crate::default_token::DefaultToken;
use crate::definition::{self, Judgement, Shift};
use crate::dns::{Lookups, Resolver};
use crate::identity::ObjectName;
use crate::metrics::{Metrics, PassOutcome, Remembered};
use crate::plan::Timing;
use crate::readiness::{Readiness, Role};
use cache::Cache;
use objects::Objects;
use queue::Due;
pub use scope::Scope;
use secrets::Secrets;
use watches::Bell;

/// How many objects are worked on at once, which also bounds the connections to Cloudflare.
const PLACES: usize = 8;

/// How long to wait for the cache after a first write on an old copy: half of it, as it doubles at once.
const FIRST_CONFLICT_WAIT: Duration = Duration::from_millis(100);

/// After how many passes on an old copy in a row the watch is not just a moment late.
const NOTED_CONFLICTS: u32 = 6;

/// How long to wait after the API server could not be worked with, at the most.
const LONGEST_KUBERNETES_WAIT: Duration = Duration::from_mins(1);

/// Everything that a pass needs.
pub struct Context {
    client: Client,
    scope: Scope,
    cloudflare: Cloudflare,
    timing: Timing,
    clock: Clock,
    metrics: Arc<Metrics>,
    fingerprints: FingerprintKey,
    tokens: Tokens,
    default_token: Option<DefaultToken>,
    secrets: Secrets,
    listings: Listings,
    /// What name servers are asked, unless the installer does not want that.
    lookups: Option<Arc<Lookups>>,
    objects: Objects,
    /// The objects as the watches have brought them.
    cache: Cache,
}

/// Whom a pass asks.
pub struct Outside {
    /// The API server.
    pub client: Client,
    /// Cloudflare.
    pub cloudflare: Cloudflare,
    /// Name servers, unless the installer does not want that.
    pub resolver: Option<Resolver>,
}

// The client has no `Debug` of its own.
impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("cloudflare", &self.cloudflare)
            .field("resolver", &self.resolver)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// A context in which nothing is remembered yet.
    #[must_use]
    pub fn new(
        outside: Outside,
        scope: Scope,
        timing: Timing,
        rate: Rate,
        default_token: Option<DefaultToken>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let Outside {
            client,
            cloudflare,
            resolver,
        } = outside;
        let clock = Clock::start();
        Self {
            client,
            scope,
            cloudflare,
            timing,
            clock,
            metrics,
            fingerprints: FingerprintKey::random(),
            tokens: Tokens::new(rate),
            default_token,
            secrets: Secrets::default(),
            listings: Listings::default(),
            lookups: resolver.map(|resolver| Arc::new(Lookups::new(resolver, clock))),
            objects: Objects::default(),
            cache: Cache::default(),
        }
    }
}

/// Works on the `SsoConnector` objects in scope, whenever their definition allows it, until `shutdown`, and then finishes the
/// passes that are under way.
///
/// `watch` is a client without a read timeout: a watch is silent for minutes.
pub async fn run(
    watch: Client,
    context: Arc<Context>,
    judgements: Receiver<Judgement>,
    readiness: Readiness,
    shutdown: CancellationToken,
) {
    let settling = context.timing.definition_settling;
    definition::shifts(judgements, settling, shutdown, |shift| {
        work(
            watch.clone(),
            Arc::clone(&context),
            readiness.clone(),
            shift,
        )
    })
    .await;
}

/// Lists the objects and works on them until the shift ends.
async fn work(watch: Client, context: Arc<Context>, readiness: Readiness, shift: Shift) {
    let shutdown = shift.end();
    let (ask, asked) = unbounded();
    let bell = Bell::new(ask);
    let namespaces = context.scope.namespaces().into_iter();
    let (known, followed): (Vec<_>, Vec<_>) = namespaces
        .map(|namespace| {
            let known = CancellationToken::new();
            let followed = watches::follow(&context, &watch, namespace, known.clone(), &bell);
            (known, followed)
        })
        .unzip();
    let working = async {
        // Before all are known nobody knows which of several owns a domain.
        let all_known = join_all(known.iter().map(CancellationToken::cancelled));
        if shutdown.run_until_cancelled(all_known).await.is_none() {
            return;
        }
        readiness.enter(Role::Leads);
        // Some may have gone since the last shift.
        let known_before = context.objects.names().into_iter();
        bell.is_heard(known_before.chain(context.cache.names()));
        let serving = queue::work_off(asked, PLACES, shutdown, |name, due| {
            let due = due.map(|at| context.clock.moment(at));
            let span = info_span!("pass", object = %name);
            serve(&context, &shift, name, due).instrument(span)
        });
        tokio::join!(serving, tidy(&context, shutdown));
    };
    tokio::select! {
        () = working => {}
        _ = join_all(followed) => {}
        () = watches::hear(&context, &bell) => {}
    }
    readiness.enter(Role::Learns);
    // What was known is of no use in another shift.
    context.cache.clear();
    context.secrets.clear();
}

/// Makes a pass over the object of that name, which is due for that reason; after how long the next is due, unless it is gone or
/// cannot be read. It never fails: a pass gives its own back-off.
async fn serve(
    context: &Context,
    shift: &Shift,
    name: ObjectName,
    due: Due<Moment>,
) -> Option<Duration> {
    let cached = match context.cache.get(&name) {
        None => {
            debug!("object is gone");
            if let Some(entry) = context.objects.take(&name) {
                forget(context, &*entry.lock().await);
            }
            return None;
        }
        // The schema refuses such objects; a person must have changed the definition.
        Some(Err(cause)) => {
            warn!(%cause, "cannot read an SsoConnector");
            return None;
        }
        Some(Ok(cached)) => cached,
    };
    let entry = context.objects.entry(&name);
    let mut entry = entry.lock_owned().await;
    let begun = Instant::now();
    let result = pass::run(context, shift, cached, due, &mut entry).await;
    entry.caught_up(context.cache.version(&name));
    let outcome = match &result {
        Ok(pass::End::Rest(_)) => PassOutcome::Done,
        Ok(pass::End::Conflict) => PassOutcome::Conflict,
        Err(_) => PassOutcome::KubernetesFailure,
    };
    context.metrics.passed(outcome, begun.elapsed());
    Some(match result {
        Ok(pass::End::Rest(span)) => {
            entry.kubernetes_failures = 0;
            span
        }
        Ok(pass::End::Conflict) => {
            // Somebody has changed the object meanwhile; only the cache can tell what it is now.
            entry.superseded = true;
            entry.kubernetes_failures = entry.kubernetes_failures.saturating_add(1);
            if entry.kubernetes_failures >= NOTED_CONFLICTS {
                warn!("the copy of the object stays out of date");
            }
            let wait = FIRST_CONFLICT_WAIT * (1 << entry.kubernetes_failures.min(9));
            wait.min(LONGEST_KUBERNETES_WAIT)
        }
        Err(failure) => {
            entry.kubernetes_failures = entry.kubernetes_failures.saturating_add(1);
            warn!(cause = %failure, "cannot work with the API server");
            let wait = context.timing.backoff * (1 << entry.kubernetes_failures.min(6));
            wait.min(LONGEST_KUBERNETES_WAIT)
        }
    })
}

/// An object is gone.
fn forget(context: &Context, entry: &objects::Entry) {
    context.metrics.moved(entry.reason, None);
    context.objects.departed(entry, context.clock.now());
}

/// Forgets what nobody needs any more, and counts what has no event of its own.
async fn tidy(context: &Context, shutdown: &CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(10));
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = context.clock.now();
        let timing = &context.timing;
        // A list may be that old, and what it does not show may have been done since.
        let grace = timing.creation_grace.max(timing.observation_limit);
        context.objects.sweep(now, grace);
        context.secrets.sweep(now);
        if let Some(lookups) = &context.lookups {
            lookups.sweep(now, context.timing.poll_settled);
        }
        context.metrics.paused(context.tokens.paused(now));
        context.metrics.remembers(remembered(context));
        let longest = waiting::until(Timestamp::now(), context.cache.waits_since());
        context.metrics.unverified(longest);
    }
}

fn remembered(context: &Context) -> Remembered {
    let (objects, uids, domains) = context.objects.sizes();
    Remembered {
        objects,
        uids,
        domains,
        lists: context.listings.remembered(),
        tokens: context.tokens.remembered(),
        answers: context.tokens.answers(),
        lookups: context.lookups.as_ref().map_or(0, |it| it.remembered()),
    }
}
