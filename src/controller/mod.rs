//! The shell around [`crate::plan`]: it watches the objects, finds out what the plan wants to know, stores what it says
//! and makes the one call it asks for. All that it decides itself is how to get at the facts and how to write them down.
//!
//! | room | does |
//! |---|---|
//! | [`scope`] | says which namespaces are watched, and holds what the watches have brought |
//! | [`pass`] | one pass over one object, from the plan's first question to its last word |
//! | [`credentials`] | reads the Secret, or the default token |
//! | [`bearer`] | holds a token in one pass: its turn, and what is staked on it |
//! | [`publisher`] | calls Cloudflare DNS and asks name servers, without keeping anything else waiting |
//! | [`exchange`] | calls Cloudflare in the token's turn, and takes note of what came back |
//! | [`store`] | writes status and finalizer, each under its precondition |
//! | [`announce`] | Events for what has changed |
//! | [`newest`] | which copy of an object a pass starts from |
//! | [`rivals`] | finds the other objects for an object's account and domain |
//! | [`objects`] | what the process remembers, by object and by pair |
//! | [`waiting`] | how long verification has been waited for |

mod announce;
mod bearer;
mod credentials;
mod exchange;
mod newest;
mod objects;
mod pass;
mod publisher;
mod rivals;
mod scope;
mod store;
mod waiting;

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::select_all;
use futures::{Stream, StreamExt as _};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Client, Resource as _, ResourceExt as _};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch::Receiver;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::account::{Listings, Rate, Tokens};
use crate::clock::Clock;
use crate::cloudflare::{Client as Cloudflare, FingerprintKey};
use crate::default_token::DefaultToken;
use crate::definition::{self, Judgement, Shift};
use crate::dns::{Lookups, Resolver};
use crate::kubernetes::describe_watch;
use crate::metrics::{Metrics, PassOutcome, Remembered};
use crate::plan::Timing;
use crate::readiness::{Readiness, Role};
use crate::resource::SsoConnector;
use objects::{Name, Objects};
pub use scope::Scope;
use scope::{Cache, Guarded};

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
    listings: Listings,
    /// What name servers are asked, unless the installer does not want that.
    lookups: Option<Arc<Lookups>>,
    objects: Objects,
    /// The objects as the watch has brought them, once there is one.
    cache: Mutex<Option<Cache>>,
    /// The places for those that are worked on.
    places: Semaphore,
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
            listings: Listings::default(),
            lookups: resolver.map(|resolver| Arc::new(Lookups::new(resolver, clock))),
            objects: Objects::default(),
            cache: Mutex::default(),
            places: Semaphore::new(PLACES),
        }
    }

    /// The objects of the store for which a look-up in DNS has brought something new.
    fn news_of(
        &self,
        store: Store<Guarded>,
    ) -> impl Stream<Item = ObjectRef<Guarded>> + Send + use<> {
        let news = self.lookups.as_ref().map(|lookups| lookups.news());
        let named = futures::stream::unfold(news, |news| async move {
            let mut news = news?;
            loop {
                match news.recv().await {
                    Ok((namespace, name)) => {
                        let named = ObjectRef::new(&name).within(&namespace);
                        return Some((named, Some(news)));
                    }
                    // Those that were missed come back by themselves, only later.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        named.filter(move |named| std::future::ready(store.get(named).is_some()))
    }

    fn cache(&self) -> MutexGuard<'_, Option<Cache>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
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
    let shutdown = shift.end().clone();
    // The controller's own bound would let anyone of those that wait go next, and some for ever last.
    let start = |objects| {
        let controller = Controller::new(objects, watcher::Config::default())
            .graceful_shutdown_on(shutdown.clone().cancelled_owned());
        let news = context.news_of(controller.store());
        controller.reconcile_on(news)
    };
    let watches = context.scope.apis(&watch);
    let controllers: Vec<_> = watches.into_iter().map(start).collect();
    let cache = Cache::of(controllers.iter().map(Controller::store));
    *context.cache() = Some(cache.clone());
    let known = CancellationToken::new();
    let housekeeping = tidy(Arc::clone(&context), cache.clone(), shutdown.clone());
    let work = controllers.into_iter().map(|controller| {
        let stopped = stopped_before_ready(controller.store(), shutdown.clone());
        let (shift, known) = (shift.clone(), known.clone());
        controller
            .run(
                move |object, context| reconcile(object, context, shift.clone(), known.clone()),
                |_, never, _| match *never {},
                Arc::clone(&context),
            )
            .take_until(stopped)
            .boxed()
    });
    let work = select_all(work).for_each(|result| report(Arc::clone(&context), result));
    tokio::join!(
        work,
        housekeeping,
        tell(cache, &known, &readiness, shutdown)
    );
    // What was known is of no use in the next shift.
    readiness.enter(Role::Learns);
}

/// Says when the objects are known, by cancelling `known` and to the probes.
async fn tell(
    cache: Cache,
    known: &CancellationToken,
    readiness: &Readiness,
    shutdown: CancellationToken,
) {
    let ready = shutdown.run_until_cancelled(cache.wait_until_ready()).await;
    if let Some(Ok(())) = ready {
        known.cancel();
        readiness.enter(Role::Leads);
    }
}

/// Ends only if the operator is asked to stop before the watch has brought what there is. A controller does not end before
/// that by itself; but then it has nothing under way that must be finished.
async fn stopped_before_ready(store: Store<Guarded>, shutdown: CancellationToken) {
    let known = shutdown.run_until_cancelled(store.wait_until_ready()).await;
    if known.is_some() {
        std::future::pending::<()>().await;
    }
}

/// Makes a pass. It never fails: a pass gives its own back-off, since a watch event would cancel the controller's.
async fn reconcile(
    object: Arc<Guarded>,
    context: Arc<Context>,
    shift: Shift,
    known: CancellationToken,
) -> Result<Action, Infallible> {
    let Some(_place) = place(&context, &shift, &known).await else {
        return Ok(Action::requeue(context.timing.poll_unverified));
    };
    let object = as_cached(&context, object);
    let object = match &object.0 {
        Ok(object) => Arc::new(object.clone()),
        Err(invalid) => {
            // The schema refuses such objects; a person must have changed the definition.
            warn!(name = object.name_any(), cause = %invalid.error, "cannot read an SsoConnector");
            return Ok(Action::await_change());
        }
    };
    let name = name_of(&object);
    let entry = context.objects.entry(&name);
    let mut entry = entry.lock_owned().await;
    let begun = Instant::now();
    let result = pass::run(&context, &shift, object, &name, &mut entry).await;
    let outcome = match &result {
        Ok(pass::End::Rest(_)) => PassOutcome::Done,
        Ok(pass::End::Conflict) => PassOutcome::Conflict,
        Err(_) => PassOutcome::KubernetesFailure,
    };
    context.metrics.passed(outcome, begun.elapsed());
    match result {
        Ok(pass::End::Rest(span)) => {
            entry.kubernetes_failures = 0;
            Ok(Action::requeue(span))
        }
        Ok(pass::End::Conflict) => {
            // Somebody has changed the object meanwhile; only the cache can tell what it is now.
            entry.superseded = true;
            entry.kubernetes_failures = entry.kubernetes_failures.saturating_add(1);
            if entry.kubernetes_failures >= NOTED_CONFLICTS {
                warn!(
                    namespace = name.0,
                    name = name.1,
                    "the copy of the object stays out of date"
                );
            }
            let wait = FIRST_CONFLICT_WAIT * (1 << entry.kubernetes_failures.min(9));
            Ok(Action::requeue(wait.min(LONGEST_KUBERNETES_WAIT)))
        }
        Err(failure) => {
            entry.kubernetes_failures = entry.kubernetes_failures.saturating_add(1);
            warn!(namespace = name.0, name = name.1, cause = %failure, "cannot work with the API server");
            let wait = context.timing.backoff * (1 << entry.kubernetes_failures.min(6));
            Ok(Action::requeue(wait.min(LONGEST_KUBERNETES_WAIT)))
        }
    }
}

/// The object as the watch has it by now: it may have changed while it waited for a place.
fn as_cached(context: &Context, object: Arc<Guarded>) -> Arc<Guarded> {
    let cache = context.cache();
    let newest = cache
        .as_ref()
        .and_then(|cache| cache.get(&ObjectRef::from_obj(&*object)));
    newest.unwrap_or(object)
}

/// A place to work, once the objects of every watch are known: before that nobody knows which of several owns a domain. Whoever
/// waits gets one in the order in which they came, so that however much there is to do everybody has a turn. None if the shift
/// ends before.
async fn place<'a>(
    context: &'a Context,
    shift: &Shift,
    known: &CancellationToken,
) -> Option<SemaphorePermit<'a>> {
    let waiting = async {
        // A cache tells only one of those who wait that it is ready.
        known.cancelled().await;
        context.places.acquire().await.ok()
    };
    let place = shift.end().run_until_cancelled(waiting).await??;
    (!shift.end().is_cancelled()).then_some(place)
}

type Report = Result<(ObjectRef<Guarded>, Action), controller::Error<Infallible, watcher::Error>>;

async fn report(context: Arc<Context>, result: Report) {
    match result {
        Ok(_) => {}
        Err(controller::Error::ObjectNotFound(gone)) => {
            let name = (gone.namespace.unwrap_or_default(), gone.name);
            debug!(namespace = name.0, name = name.1, "object is gone");
            if let Some(entry) = context.objects.take(&name) {
                forget(&context, &*entry.lock().await);
            }
        }
        Err(controller::Error::QueueError(failure)) => {
            context.metrics.watch_failed();
            warn!(
                cause = describe_watch(&failure),
                "cannot watch SsoConnector objects"
            );
        }
        Err(failure) => error!(cause = %failure, "reconciling failed"),
    }
}

/// An object is gone.
fn forget(context: &Context, entry: &objects::Entry) {
    context.metrics.moved(entry.reason, None);
    context.objects.departed(entry, context.clock.now());
}

/// Forgets what nobody needs any more, and counts what has no event of its own. An object's removal is no event to the
/// controller, which would find out only when the object's next pass is due.
async fn tidy(context: Arc<Context>, cache: Cache, shutdown: CancellationToken) {
    // Before the first list nothing is known to be gone.
    let known = shutdown.run_until_cancelled(cache.wait_until_ready()).await;
    if !matches!(known, Some(Ok(()))) {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(10));
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        for name in context.objects.names() {
            forget_if_removed(&context, &cache, &name);
        }
        let now = context.clock.now();
        context.objects.sweep(now, context.timing.creation_grace);
        if let Some(lookups) = &context.lookups {
            lookups.sweep(now, context.timing.poll_settled);
        }
        context.metrics.paused(context.tokens.paused(now));
        context.metrics.remembers(remembered(&context));
        let objects = cache.state();
        let objects = objects.iter().filter_map(|object| object.0.as_ref().ok());
        let longest = waiting::longest(objects, Timestamp::now());
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

fn forget_if_removed(context: &Context, cache: &Cache, name: &Name) {
    let is_removed = || {
        cache
            .get(&ObjectRef::new(&name.1).within(&name.0))
            .is_none()
    };
    if !is_removed() {
        return;
    }
    let entry = context.objects.entry(name);
    // Whoever holds it makes a pass and comes back.
    if let Ok(entry) = entry.try_lock()
        && is_removed()
    {
        context.objects.take(name);
        forget(context, &entry);
    }
}

fn name_of(object: &SsoConnector) -> Name {
    let meta = object.meta();
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}
