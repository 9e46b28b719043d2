//! The verbs that a whole process needs, whatever objects there are: the lists and watches of the objects and of their
//! definition, the look at it before each write, the Lease, the question for its rights, and the namespace of an object that
//! cannot go. Each row is a process of its own with a namespace and a Lease of its own, so that they do not disturb each other.

use futures::future::join_all;
use harness::{ApiServerProxy, Call, Interception, Operator, Treatment};
use kube::api::DeleteParams;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Named, PATIENCE, cuts, errors, path, silences};
use crate::PATIENT_LEASE;
use crate::stage::{
    ACCOUNT, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, SECRET, Stage, condition, connector,
    connector_id, current,
};
use crate::tally;
use crate::witness::connectors_for;
use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};

/// A verb of a whole process, and how often it meets a treatment that passes quickly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    ListObjects,
    WatchObjects,
    ListDefinition,
    WatchDefinition,
    GetDefinition,
    CreateLease,
    GetLease,
    RenewLease,
    AskForRights,
    GetNamespace,
}

const VERBS: [Verb; 10] = [
    Verb::ListObjects,
    Verb::WatchObjects,
    Verb::ListDefinition,
    Verb::WatchDefinition,
    Verb::GetDefinition,
    Verb::CreateLease,
    Verb::GetLease,
    Verb::RenewLease,
    Verb::AskForRights,
    Verb::GetNamespace,
];

impl Verb {
    fn is(self, call: &Call) -> bool {
        let path = path(call);
        let objects = path.ends_with("/ssoconnectors") && !call.path.contains("emailDomain");
        let definitions = path.ends_with("/customresourcedefinitions");
        let lease = path.contains("/leases");
        let (method, watches) = (&call.method, call.is_watch());
        match self {
            Self::ListObjects => objects && *method == Method::GET && !watches,
            Self::WatchObjects => objects && *method == Method::GET && watches,
            Self::ListDefinition => definitions && !watches,
            Self::WatchDefinition => definitions && watches,
            Self::GetDefinition => path.contains("/customresourcedefinitions/"),
            Self::CreateLease => lease && *method == Method::POST,
            Self::GetLease => lease && *method == Method::GET && !watches,
            Self::RenewLease => lease && *method == Method::PUT,
            Self::AskForRights => path.ends_with("/selfsubjectaccessreviews"),
            Self::GetNamespace => {
                let name = path.strip_prefix("/api/v1/namespaces/");
                name.is_some_and(|name| !name.contains('/'))
            }
        }
    }

    /// Watches are tried again ever more slowly, so once is enough there; and what is done once need not come again.
    const fn times(self) -> usize {
        match self {
            Self::ListObjects
            | Self::WatchObjects
            | Self::ListDefinition
            | Self::WatchDefinition
            | Self::CreateLease
            | Self::GetNamespace => 1,
            Self::GetDefinition | Self::GetLease | Self::RenewLease | Self::AskForRights => 2,
        }
    }
}

/// A process, and what its calls meet.
struct Row {
    namespace: String,
    described: String,
    proxy: ApiServerProxy,
    met: Vec<(Verb, Interception)>,
}

/// What fails soon meets all verbs of one process; what is silent, each verb of a process of its own.
async fn rows(stage: &Stage) -> Vec<Row> {
    let quick = [errors(), cuts()].concat();
    let quick = quick
        .into_iter()
        .map(|treatment| (treatment, VERBS.to_vec()));
    let silent = silences().into_iter().flat_map(|(name, treatment)| {
        let watched = [Verb::ListObjects, Verb::ListDefinition, Verb::GetDefinition];
        watched.map(|verb| ((name.clone(), treatment.clone()), vec![verb]))
    });
    // A watch has no middle.
    let watches = [Verb::WatchObjects, Verb::WatchDefinition].map(|verb| {
        let silent = ("silent".to_owned(), Treatment::HoldBeforeForwarding);
        (silent, vec![verb])
    });
    let all = quick.chain(silent).chain(watches).enumerate();
    join_all(
        all.map(async |(number, (treatment, verbs))| row(stage, number, treatment, verbs).await),
    )
    .await
}

async fn row(stage: &Stage, number: usize, (described, treatment): Named, verbs: Vec<Verb>) -> Row {
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let described = format!("{described}, {verbs:?}");
    let met = verbs.into_iter().map(|verb| {
        let meets =
            proxy.intercept_first(verb.times(), treatment.clone(), move |call| verb.is(call));
        (verb, meets)
    });
    let met = met.collect();
    Row {
        namespace: format!("row-{number}"),
        described,
        proxy,
        met,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_answered_to_a_process_it_lives_and_does_its_work_in_bounded_time() {
    let stage = Stage::set().await;
    let rows = rows(&stage).await;
    let namespaces = rows
        .iter()
        .flat_map(|row| surroundings(&row.namespace, &stage.token));
    let namespaces: Vec<Value> = namespaces.collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": namespaces });
    stage.apply(&list).await;
    let count: usize = rows.iter().map(|row| row.met.len()).sum();
    let outcomes = join_all(rows.iter().map(async |row| {
        let outcome = row.run(&stage).await;
        outcome.map_err(|problem| format!("{}: {problem}", row.described))
    }))
    .await;
    let failed: Vec<_> = outcomes
        .iter()
        .filter_map(|row| row.as_ref().err())
        .collect();
    tally::tell(&format!(
        "answers to a process: {count} rows, {} processes failed",
        failed.len()
    ));
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(count, 15 * 10 + 2 * 3 + 2);
}

/// A namespace with a token, and the right to lead there.
fn surroundings(namespace: &str, token: &str) -> [Value; 4] {
    let rights = "rbac.authorization.k8s.io";
    let named = json!({ "name": "leads", "namespace": namespace });
    [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": SECRET, "namespace": namespace },
            "stringData": { "api-token": token },
        }),
        json!({
            "apiVersion": format!("{rights}/v1"), "kind": "Role", "metadata": named,
            "rules": [{
                "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
                "verbs": ["create", "get", "watch", "update"],
            }],
        }),
        json!({
            "apiVersion": format!("{rights}/v1"), "kind": "RoleBinding", "metadata": named,
            "roleRef": { "apiGroup": rights, "kind": "Role", "name": "leads" },
            "subjects": [{
                "kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE,
            }],
        }),
    ]
}

impl Row {
    async fn run(&self, stage: &Stage) -> Result<(), String> {
        let (namespace, domain) = (&self.namespace, format!("{}.example", self.namespace));
        let flags = [
            "--watch-namespaces",
            namespace,
            "--lease-namespace",
            namespace,
            "--rights-interval",
            "2s",
            // So many of them need not say all the time that they live.
            "--renew-interval",
            "4s",
        ];
        let flags = [&flags, PATIENT_LEASE].concat();
        let mut operator = stage.start_operator(Some(self.proxy.url()), &flags).await;
        let mut object = connector("example", &domain);
        object["metadata"]["namespace"] = json!(namespace);
        object["spec"]["deletionPolicy"] = json!("Delete");
        stage.apply(&object).await;
        let object = self.until(stage, "AwaitingVerification").await?;
        let there = connectors_for(stage, ACCOUNT, &domain);
        if there != Vec::from_iter(connector_id(&object)) {
            return Err(format!("bound to another: {there:?}"));
        }
        // It cannot go for the moment, and its namespace is looked at to say what helps.
        stage.put_token_in(namespace, SECRET, "two words").await;
        let options = DeleteParams::default();
        let objects = stage.objects_in(namespace);
        objects.delete("example", &options).await.unwrap();
        self.until(stage, "CredentialsUnavailable").await?;
        stage.put_token_in(namespace, SECRET, &stage.token).await;
        harness::await_gone(&objects, &object, PATIENCE)
            .await
            .map_err(|timeout| timeout.to_string())?;
        if !connectors_for(stage, ACCOUNT, &domain).is_empty() {
            return Err("the connector is left".to_owned());
        }
        self.until_met(&mut operator).await
    }

    async fn until(&self, stage: &Stage, reason: &str) -> Result<SsoConnector, String> {
        let objects = stage.objects_in(&self.namespace);
        let is_so = |object: &SsoConnector| {
            let (_, ready, _) = condition(object, ConditionType::Ready);
            ready == reason && (current(object) || object.metadata.deletion_timestamp.is_some())
        };
        harness::await_object(&objects, "example", reason, PATIENCE, is_so)
            .await
            .map_err(|timeout| timeout.to_string())
    }

    /// Everything was met, and the process is there and well.
    async fn until_met(&self, operator: &mut Operator) -> Result<(), String> {
        for (verb, meets) in &self.met {
            let awaited = format!("{verb:?} to be met");
            harness::until(&awaited, PATIENCE, async || {
                let met = meets.calls().len();
                (met >= verb.times()).then_some(()).ok_or(met)
            })
            .await
            .map_err(|timeout| timeout.to_string())?;
        }
        let ready = operator.until_ready(PATIENCE).await;
        ready.map_err(|error| error.to_string())
    }
}
