//! Two replicas, each behind proxies of its own, and one register of what they do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use harness::{ApiServerProxy, Call, Interception, Operator, Treatment, until};
use reqwest::Method;

use crate::stage::{PATIENCE, Stage};
use crate::step::Step;

/// Those of the stage, with more room for a busy machine.
const FLAGS: [&str; 8] = [
    "--call-timeout",
    "2s",
    "--creation-grace",
    "4s",
    "--renew-deadline",
    "8s",
    "--lease-duration",
    "12s",
];

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The one that leads first.
    First,
    /// The one that stands by then.
    Second,
}

/// A replica, and all that goes through its proxies.
pub(super) struct Replica {
    pub(super) operator: Operator,
    pub(super) api_server: ApiServerProxy,
    pub(super) cloudflare: ApiServerProxy,
    who: Who,
    register: Register,
    _seen: [Interception; 2],
}

/// Who called Cloudflare, or wrote to objects, and when; oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Register(Arc<Mutex<Vec<(Who, Step, Instant)>>>);

/// The one that leads and the one that stands by, both ready.
pub(super) async fn pair(stage: &Stage) -> (Replica, Replica) {
    let register = Register::default();
    let first = Replica::start(stage, Who::First, &register, &[]).await;
    first.operator.until_leads(PATIENCE).await.unwrap();
    let second = Replica::start(stage, Who::Second, &register, &[]).await;
    (first, second)
}

impl Replica {
    /// Starts one.
    pub(super) async fn start(
        stage: &Stage,
        who: Who,
        register: &Register,
        flags: &[&str],
    ) -> Self {
        let api_server = ApiServerProxy::start(&stage.control_plane).await.unwrap();
        let upstream = format!("http://{}", stage.simulator.address());
        let upstream = upstream.parse().unwrap();
        let cloudflare = ApiServerProxy::in_front_of(upstream).await.unwrap();
        let write = |call: &Call| Step::to_api_server(call).filter(|step| step.changes());
        let seen = [
            register.watch(who, &api_server, write),
            register.watch(who, &cloudflare, Step::to_cloudflare),
        ];
        let address = cloudflare.url().join("client/v4").unwrap();
        let server = Some(api_server.url());
        let flags = [&FLAGS[..], flags].concat();
        let mut operator = stage.start_operator_at(address, server, &flags).await;
        operator.until_ready(PATIENCE).await.unwrap();
        Self {
            operator,
            api_server,
            cloudflare,
            who,
            register: register.clone(),
            _seen: seen,
        }
    }

    /// How often it has called Cloudflare, or tried to write to an object.
    pub(super) fn acts(&self) -> usize {
        let entries = self.register.entries();
        entries.iter().filter(|(who, ..)| *who == self.who).count()
    }

    /// Waits until it has acted.
    pub(super) async fn until_acts(&self) {
        until("it to act", PATIENCE, async || {
            if self.acts() > 0 {
                Ok(())
            } else {
                Err("it has not")
            }
        })
        .await
        .unwrap();
    }

    /// Waits until it has ended by itself because it leads no longer.
    pub(super) async fn until_ended(&mut self) {
        let status = self.operator.process().ended(PATIENCE).await.unwrap();
        assert!(!status.success(), "{status}");
    }

    /// Wakes it from its sleep, and expects it to end without a word to anybody.
    pub(super) async fn wakes_up_to_say_nothing(&mut self) {
        let (acts, calls) = (self.acts(), self.api_server.calls().len());
        self.operator.process().resume().unwrap();
        self.until_ended().await;
        assert_eq!(self.acts(), acts, "it has acted");
        let mut said = self.api_server.calls().split_off(calls);
        said.retain(|call| call.method != Method::GET);
        assert!(said.is_empty(), "not even to the Lease: {said:#?}");
    }
}

impl Register {
    /// Notes what is called through a proxy, as far as it is an act.
    fn watch(
        &self,
        who: Who,
        proxy: &ApiServerProxy,
        act: impl Fn(&Call) -> Option<Step> + Send + Sync + 'static,
    ) -> Interception {
        let register = self.clone();
        proxy.intercept(Treatment::HoldBeforeForwarding, move |call| {
            if let Some(step) = act(call) {
                register.entries().push((who, step, Instant::now()));
            }
            false
        })
    }

    /// When there was an act for the last time.
    pub(super) fn last(&self) -> Option<Instant> {
        self.entries().last().map(|(.., at)| *at)
    }

    fn entries(&self) -> MutexGuard<'_, Vec<(Who, Step, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both have acted, and the second only when the first had done so for the last time.
pub(super) fn expect_one_after_the_other(first: &Replica, second: &Replica) {
    assert!(first.acts() > 0 && second.acts() > 0);
    let entries = first.register.entries();
    let handed_over = entries.iter().position(|(who, ..)| *who == Who::Second);
    let afterwards = &entries[handed_over.unwrap()..];
    assert!(
        afterwards.iter().all(|(who, ..)| *who == Who::Second),
        "two have acted at once: {entries:#?}"
    );
}
