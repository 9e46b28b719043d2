//! The verbs that are about one object: its Secret, itself, its rivals, its finalizer, its status, its Events.

use futures::{StreamExt as _, stream};
use harness::{ApiServerProxy, Call, Interception, Treatment};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use reqwest::Method;
use serde_json::json;
use simulator::Operation;

use super::{Named, PATIENCE, cuts, errors, path, silences, untruths};
use crate::PATIENT_LEASE;
use crate::stage::{ACCOUNT, NAMESPACE, Stage, condition, connector, connector_id, current};
use crate::tally;
use crate::witness::{connectors_for, counts};
use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};

/// How many objects live at the same time.
const AT_ONCE: usize = 27;

/// What the operator does with one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    GetSecret,
    Get,
    ListRivals,
    Mark,
    Release,
    PatchStatus,
    CreateEvent,
}

const VERBS: [Verb; 7] = [
    Verb::GetSecret,
    Verb::Get,
    Verb::ListRivals,
    Verb::Mark,
    Verb::Release,
    Verb::PatchStatus,
    Verb::CreateEvent,
];

impl Verb {
    fn is(self, call: &Call, name: &str) -> bool {
        let to = |method, place: &str| {
            call.method == method && path(call).ends_with(&format!("/{place}"))
        };
        let says = |word: &str| String::from_utf8_lossy(&call.body).contains(word);
        let itself = format!("ssoconnectors/{name}");
        match self {
            Self::GetSecret => to(Method::GET, &format!("secrets/{name}")),
            Self::Get => to(Method::GET, &itself),
            Self::ListRivals => {
                let selects = call.path.contains(&format!("{name}.example"));
                to(Method::GET, "ssoconnectors") && selects
            }
            Self::Mark => to(Method::PATCH, &itself) && !says("remove"),
            Self::Release => to(Method::PATCH, &itself) && says("remove"),
            Self::PatchStatus => to(Method::PATCH, &format!("{itself}/status")),
            Self::CreateEvent => to(Method::POST, "events") && says(&format!("\"{name}\"")),
        }
    }
}

/// An object, and what its calls meet.
struct Row {
    name: String,
    described: String,
    met: Vec<(Verb, Interception)>,
    times: usize,
    /// Whether what fails was done all the same.
    takes_effect: bool,
}

/// What fails soon meets all verbs of one object, one after the other; what is silent, each verb of an object of its own.
fn rows(proxy: &ApiServerProxy) -> Vec<Row> {
    let quick = [errors(), cuts(), untruths()].concat();
    let quick = quick
        .into_iter()
        .flat_map(|treatment| [1, 2].map(|times| (treatment.clone(), times, VERBS.to_vec())));
    let silent = silences()
        .into_iter()
        .flat_map(|treatment| VERBS.map(|verb| (treatment.clone(), 1, vec![verb])));
    quick
        .chain(silent)
        .enumerate()
        .map(|(number, (treatment, times, verbs))| row(proxy, number, treatment, times, &verbs))
        .collect()
}

fn row(
    proxy: &ApiServerProxy,
    number: usize,
    (described, treatment): Named,
    times: usize,
    verbs: &[Verb],
) -> Row {
    let name = format!("c{number}x");
    let takes_effect = !matches!(
        treatment,
        Treatment::AnswerWith(_) | Treatment::CutBeforeForwarding | Treatment::HoldBeforeForwarding
    );
    let met = verbs.iter().map(|verb| {
        let (verb, name, treatment) = (*verb, name.clone(), treatment.clone());
        let meets = proxy.intercept_first(times, treatment, move |call| verb.is(call, &name));
        (verb, meets)
    });
    let met = met.collect();
    Row {
        name,
        described: format!("{described}, {times} times, {verbs:?}"),
        met,
        times,
        takes_effect,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_answered_about_one_object_it_gets_one_connector_and_loses_it_as_asked() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let flags = [&["--poll-unverified", "2s"], PATIENT_LEASE].concat();
    let mut operator = stage.operator_through(Some(proxy.url()), &flags).await;
    let rows = rows(&proxy);
    let count: usize = rows.iter().map(|row| row.met.len()).sum();
    let stage = &stage;
    let run = rows.into_iter().map(|row| async move {
        let outcome = row.run(stage).await;
        outcome.map_err(|problem| format!("{}: {problem}", row.described))
    });
    let outcomes: Vec<_> = stream::iter(run).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = outcomes
        .iter()
        .filter_map(|row| row.as_ref().err())
        .collect();
    tally::tell(&format!(
        "answers about objects: {count} rows, {} objects failed",
        failed.len()
    ));
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(count, 18 * 2 * 7 + 2 * 7);
    assert!(operator.process().is_running().unwrap());
    assert_eq!(operator.get("/readyz").await.unwrap(), "ok\n");
}

impl Row {
    fn domain(&self) -> String {
        format!("{}.example", self.name)
    }

    async fn run(&self, stage: &Stage) -> Result<(), String> {
        self.create(stage).await;
        let waits = |object: &SsoConnector| {
            let (_, ready, _) = condition(object, ConditionType::Ready);
            current(object) && ready == "AwaitingVerification"
        };
        let objects = stage.objects();
        let bound = harness::await_object(&objects, &self.name, "a connector", PATIENCE, waits);
        let object = bound.await.map_err(|timeout| timeout.to_string())?;
        let there = connectors_for(stage, ACCOUNT, &self.domain());
        if there != Vec::from_iter(connector_id(&object)) {
            return Err(format!("bound to another: {there:?}"));
        }
        let options = DeleteParams::default();
        objects.delete(&self.name, &options).await.unwrap();
        harness::await_gone(&objects, &object, PATIENCE)
            .await
            .map_err(|timeout| timeout.to_string())?;
        self.expect(stage).await
    }

    async fn create(&self, stage: &Stage) {
        let secret = serde_json::from_value(json!({
            "metadata": { "name": self.name },
            "stringData": { "api-token": stage.token },
        }));
        let secrets: Api<Secret> = Api::namespaced(stage.control_plane.client(), NAMESPACE);
        let options = PostParams::default();
        secrets.create(&options, &secret.unwrap()).await.unwrap();
        let mut object = connector(&self.name, &self.domain());
        object["spec"]["apiTokenSecretRef"] = json!({ "name": self.name });
        object["spec"]["deletionPolicy"] = json!("Delete");
        let object = serde_json::from_value(object).unwrap();
        stage.objects().create(&options, &object).await.unwrap();
    }

    /// One creation, one deletion, nothing else; and everything was met.
    async fn expect(&self, stage: &Stage) -> Result<(), String> {
        let domain = self.domain();
        let admin = stage.simulator.admin();
        let calls = admin.calls_that(|call| {
            call.operation.is_mutation() && call.domain.as_ref() == Some(&domain)
        });
        if counts(&calls) != [1, 0, 0, 1] {
            return Err(format!("{calls:#?}"));
        }
        let deleted = calls.of(Operation::Delete).committed().count();
        let left = connectors_for(stage, ACCOUNT, &domain);
        if deleted != 1 || !left.is_empty() {
            return Err(format!("{deleted} deleted, left: {left:?}"));
        }
        for (verb, meets) in &self.met {
            // What was done although it failed need not be done again, and an Event that is not published is not.
            let again = !self.takes_effect && *verb != Verb::CreateEvent;
            let enough = if again { self.times } else { 1 };
            harness::until(&format!("{verb:?} to be met"), PATIENCE, async || {
                let met = meets.calls().len();
                (met >= enough).then_some(()).ok_or(met)
            })
            .await
            .map_err(|timeout| timeout.to_string())?;
        }
        Ok(())
    }
}
