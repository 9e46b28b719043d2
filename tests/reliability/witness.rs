//! What was seen of one object's affairs since a moment: the operator's calls to the API server, by the proxy between them,
//! and its calls to Cloudflare. A test shows by it that the operator was tempted, and that nothing came of it.

use cloudflare_sso_operator::resource::SsoConnector;
use harness::{ApiServerProxy, CallRecord, Outcome};
use kube::ResourceExt as _;
use reqwest::{Method, StatusCode};
use simulator::{Calls, Operation};

use crate::stage::{PATIENCE, Stage, connector_id};

/// Where the objects are on the API server.
pub(crate) const OBJECTS: &str = "/apis/cloudflare-sso.dev/v1alpha1/";

/// Everything that is seen from some moment on.
pub(crate) struct Witness<'a> {
    stage: &'a Stage,
    proxy: &'a ApiServerProxy,
    /// How many calls the proxy had seen before.
    before: usize,
    /// The last call that Cloudflare had seen before.
    last: u64,
}

impl<'a> Witness<'a> {
    /// A witness from now on.
    pub(crate) fn from_now(stage: &'a Stage, proxy: &'a ApiServerProxy) -> Self {
        Self {
            stage,
            proxy,
            before: proxy.calls().len(),
            last: last_call(stage),
        }
    }

    /// The calls to the API server that name the object.
    pub(crate) fn about(&self, name: &str) -> Vec<CallRecord> {
        let path = format!("/ssoconnectors/{name}");
        let mut calls = self.proxy.calls().split_off(self.before);
        calls.retain(|call| call.path.contains(&path));
        calls
    }

    /// Waits until the operator has tried to write what rests on an old copy, and was refused.
    pub(crate) async fn until_refused(&self, name: &str) {
        let refused = |call: &CallRecord| {
            let answer = |status| call.outcome == Outcome::Answered(status);
            let untrue = answer(StatusCode::UNPROCESSABLE_ENTITY) || answer(StatusCode::CONFLICT);
            call.method == Method::PATCH && (untrue || answer(StatusCode::NOT_FOUND))
        };
        let awaited = format!("a write to {name} to be refused");
        harness::until(&awaited, PATIENCE, async || {
            let calls = self.about(name);
            let found = calls.iter().any(refused);
            found.then_some(()).ok_or_else(|| format!("{calls:#?}"))
        })
        .await
        .unwrap();
    }

    /// Waits until the operator has read the object itself from the API server.
    pub(crate) async fn until_read(&self, name: &str) {
        let awaited = format!("{name} to be read");
        harness::until(&awaited, PATIENCE, async || {
            let calls = self.about(name);
            let found = calls.iter().any(|call| call.method == Method::GET);
            found.then_some(()).ok_or_else(|| format!("{calls:#?}"))
        })
        .await
        .unwrap();
    }

    /// The calls to Cloudflare about this domain that could change something.
    pub(crate) fn mutations(&self, domain: &str) -> Calls {
        let calls = self.stage.simulator.calls();
        calls.after(self.last).mutations().on_domain(domain)
    }
}

/// How often something was called that could change something, by operation: create, begin, update, delete.
pub(crate) fn counts(calls: &Calls) -> [usize; 4] {
    [
        Operation::Create,
        Operation::BeginVerification,
        Operation::Update,
        Operation::Delete,
    ]
    .map(|operation| calls.clone().of(operation).count())
}

/// The sequence number of the last call that Cloudflare has seen.
pub(crate) fn last_call(stage: &Stage) -> u64 {
    let calls = stage.simulator.calls();
    calls.last().map_or(0, |call| call.sequence)
}

/// The connectors that there are for a domain.
pub(crate) fn connectors_for(stage: &Stage, account: &str, domain: &str) -> Vec<String> {
    let mut all = stage.simulator.admin().connectors(account);
    all.retain(|connector| connector.email_domain == domain);
    all.into_iter().map(|connector| connector.id).collect()
}

/// Waits until the object of that name is another one than `old`, and is bound; its connector.
pub(crate) async fn until_bound_anew(stage: &Stage, name: &str, old: &SsoConnector) -> String {
    let is_new =
        |object: &SsoConnector| object.uid() != old.uid() && connector_id(object).is_some();
    let object = stage.until(name, "a connector of its own", is_new).await;
    connector_id(&object).unwrap()
}
