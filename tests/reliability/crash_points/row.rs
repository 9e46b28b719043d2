//! One run of a scenario: an operator with a namespace, a Lease and a Cloudflare of its own, behind two proxies that see
//! every call, and killed at one of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::{
    ApiServerProxy, Call, Interception, Operator, Treatment, await_gone, await_object, until,
};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use simulator::{RecordDraft, Simulator};
use tokio_util::sync::CancellationToken;

use super::scenario::Scenario;
use super::scene::Scene;
use super::trail::{Point, Trail};
use crate::stage::{ACCOUNT, SECRET, Stage, code, condition, connector, current, quick_knobs};
use crate::step::Step;

/// The name of the object of each row.
const NAME: &str = "example";
/// Its domain.
pub(super) const DOMAIN: &str = "example.com";
/// How long after it has seen an attempt an operator takes it for certain that nothing was created.
pub(super) const GRACE: Duration = Duration::from_secs(12);
/// How long a row waits for anything: longer than other tests, as so many rows run at once.
const PATIENCE: Duration = Duration::from_mins(4);

/// How long a record that is not shown may yet be there.
pub(super) const CONFIRMATION: Duration = Duration::from_secs(1);
/// What others have written at the domain, where the account has its zone.
const RECORDS_OF_OTHERS: [&str; 2] = ["v=spf1 -all", "cloudflare_dashboard_sso=of-another-account"];

/// Many rows run at once, so a call may take long without a reason; whatever is not waited for may take long, too.
const FLAGS: [&str; 24] = [
    "--call-timeout",
    "10s",
    "--creation-grace",
    "12s",
    "--difference-confirmation",
    "1s",
    "--lease-duration",
    "120s",
    "--renew-deadline",
    "100s",
    "--renew-interval",
    "10s",
    "--poll-unverified",
    "1s",
    "--poll-settled",
    "1s",
    "--deletion-delay",
    "3s",
    // What a token may do is found out once by each process.
    "--refused-token-retry",
    "10m",
    // A verification that has failed is begun again at once, however busy the machine.
    "--restart-backoff",
    "0s",
    "--rights-interval",
    "1h",
];

/// On which side of the call the operator dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Nobody has heard of the call.
    Before,
    /// It was carried out, and the operator does not know.
    After,
}

/// When the operator dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) point: Point,
    pub(super) side: Side,
}

/// A row under way.
pub(super) struct Row<'a> {
    pub(super) simulator: Simulator,
    pub(super) trail: Arc<Trail>,
    stage: &'a Stage,
    namespace: String,
    api_server: ApiServerProxy,
    cloudflare: ApiServerProxy,
}

impl fmt::Display for Crash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(formatter, "killed {side} {}", self.point)
    }
}

impl Crash {
    /// Both sides of a change. After a read the world is as it was before it.
    pub(super) fn at(point: Point) -> Vec<Self> {
        let sides = if point.step.changes() {
            &[Side::Before, Side::After][..]
        } else {
            &[Side::Before]
        };
        sides
            .iter()
            .map(|side| Self { point, side: *side })
            .collect()
    }

    /// A word for names.
    fn name(self) -> String {
        let words = self.to_string().to_lowercase();
        let words = words.split(|letter: char| !letter.is_ascii_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join("-")
    }
}

impl Side {
    const fn treatment(self) -> Treatment {
        match self {
            Self::Before => Treatment::HoldBeforeForwarding,
            Self::After => Treatment::HoldAfterAnswer,
        }
    }
}

impl<'a> Row<'a> {
    /// Sets the scene, without an operator.
    pub(super) async fn set(
        stage: &'a Stage,
        scenario: Scenario,
        crash: Option<Crash>,
        attempt: usize,
    ) -> Self {
        let simulator = Simulator::start(scenario.knobs()).await.unwrap();
        let upstream = format!("http://{}", simulator.address()).parse().unwrap();
        let namespace = match crash {
            None => scenario.name().to_owned(),
            Some(crash) => format!("{}-{}-{attempt}", scenario.name(), crash.name()),
        };
        let metadata = ObjectMeta {
            name: Some(namespace.clone()),
            ..ObjectMeta::default()
        };
        let spaces: Api<Namespace> = Api::all(stage.control_plane.client());
        let space = Namespace {
            metadata,
            ..Namespace::default()
        };
        spaces.create(&PostParams::default(), &space).await.unwrap();
        Self {
            api_server: ApiServerProxy::start(&stage.control_plane).await.unwrap(),
            cloudflare: ApiServerProxy::in_front_of(upstream).await.unwrap(),
            trail: Arc::new(Trail::to(crash.map(|crash| crash.point))),
            simulator,
            stage,
            namespace,
        }
    }

    /// Lets an operator live until the point, kills it there, and starts another. Without a point, or if the point has not
    /// come until `done`, it lives on. What comes back keeps the last one alive, and its calls seen.
    pub(super) async fn operate(
        &self,
        crash: Option<Crash>,
        done: &CancellationToken,
    ) -> (Operator, [Interception; 2]) {
        let side = crash.map_or(Side::Before, |crash| crash.side);
        let seen = self.observe(side);
        let mut operator = self.start("first").await;
        let [to_api_server, to_cloudflare] = &seen;
        tokio::select! {
            _ = to_api_server.arrived() => {}
            _ = to_cloudflare.arrived() => {}
            () = done.cancelled() => return (operator, seen),
        }
        operator.kill().unwrap();
        for held in seen {
            held.cut();
        }
        self.trail.restarts();
        let seen = self.observe(side);
        (self.start("second").await, seen)
    }

    /// Shows the trail every call, and holds the one at the point.
    fn observe(&self, side: Side) -> [Interception; 2] {
        let notice = |proxy: &ApiServerProxy, step: fn(&Call) -> Option<Step>| {
            let trail = Arc::clone(&self.trail);
            proxy.intercept(side.treatment(), move |call| {
                step(call).is_some_and(|step| trail.arrives(step))
            })
        };
        [
            notice(&self.api_server, Step::to_api_server),
            notice(&self.cloudflare, Step::to_cloudflare),
        ]
    }

    /// Starts an operator that looks after this row alone. Its Lease is its own, too: nobody has to wait for a dead man's
    /// to expire, as rows are about what was recorded, not about who leads.
    async fn start(&self, which: &str) -> Operator {
        let cloudflare = self.cloudflare.url().join("client/v4").unwrap();
        let lease = format!("{}-{which}", self.namespace);
        let own = [
            "--watch-namespaces",
            &self.namespace,
            "--lease-name",
            &lease,
        ];
        let flags = [&FLAGS[..], &own].concat();
        let server = Some(self.api_server.url());
        let stage = self.stage;
        stage.start_operator_at(cloudflare, server, &flags).await
    }

    /// Makes the Secret hold this token.
    pub(super) async fn put_token(&self, token: &str) {
        let client = self.stage.control_plane.client();
        let secrets: Api<Secret> = Api::namespaced(client, &self.namespace);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": SECRET },
            "stringData": { "api-token": token },
        });
        let somebody = PatchParams::apply("somebody");
        let secret = Patch::Apply(secret);
        secrets.patch(SECRET, &somebody, &secret).await.unwrap();
    }

    /// Opens the domain's zone, with records of others, and hands out a token that may edit it.
    pub(super) async fn open_zone(&self) {
        let admin = self.simulator.admin();
        let token = admin.add_ready_account_with_dns(ACCOUNT, "good");
        let zone = admin.add_zone(ACCOUNT, DOMAIN);
        for text in RECORDS_OF_OTHERS {
            let draft = RecordDraft::txt(DOMAIN, text);
            let _by_hand = admin.create_record(&zone, draft).unwrap();
        }
        self.put_token(&token).await;
    }

    /// Applies the object with these fields in its spec beside the necessary ones.
    pub(super) async fn apply(&self, fields: Value) {
        let mut object = connector(NAME, DOMAIN);
        object["metadata"]["namespace"] = self.namespace.clone().into();
        if let (Some(spec), Value::Object(fields)) = (object["spec"].as_object_mut(), fields) {
            spec.extend(fields);
        }
        let object: SsoConnector = serde_json::from_value(object).unwrap();
        let options = PostParams::default();
        self.objects().create(&options, &object).await.unwrap();
    }

    /// Waits until Ready has this reason.
    pub(super) async fn until_ready_is(&self, reason: &str) -> SsoConnector {
        let awaited = format!("Ready to be {reason}");
        self.until(&awaited, |object| {
            current(object) && condition(object, ConditionType::Ready).1 == reason
        })
        .await
    }

    /// Waits until the object is as `predicate` says.
    pub(super) async fn until(
        &self,
        awaited: &str,
        predicate: impl Fn(&SsoConnector) -> bool,
    ) -> SsoConnector {
        await_object(&self.objects(), NAME, awaited, PATIENCE, predicate)
            .await
            .unwrap()
    }

    /// Waits until the operator has nothing to do any more but to look again: it has done so twice since the last change. A
    /// person who acts now does so between two of its looks.
    pub(super) async fn until_at_rest(&self, look: Step) {
        until("the operator to rest", PATIENCE, async || {
            match self.trail.count_in_chapter(look) {
                0 | 1 => Err("it is at work"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
    }

    /// How it is now.
    pub(super) async fn scene(&self) -> Scene {
        let object = self.objects().get_opt(NAME).await.unwrap();
        let admin = self.simulator.admin();
        let zones = admin.zones();
        let records = zones.iter().flat_map(|zone| admin.records(&zone.id));
        let records: Vec<_> = records.collect();
        Scene::of(object.as_ref(), &admin.connectors(ACCOUNT), &records)
    }

    /// Publishes the TXT record that the object shows.
    pub(super) fn publish_txt(&self, object: &SsoConnector) {
        self.trail.turn();
        let admin = self.simulator.admin();
        admin.publish_txt(DOMAIN, &code(object).unwrap());
    }

    /// Lets Cloudflare look for TXT records.
    pub(super) fn look_for_txt(&self) {
        self.trail.turn();
        let quick = quick_knobs().poll_interval;
        let admin = self.simulator.admin();
        admin.turn_knobs(|knobs| knobs.poll_interval = quick);
    }

    /// Deletes the object and waits until it is gone.
    pub(super) async fn delete(&self, object: &SsoConnector) {
        self.trail.turn();
        let options = DeleteParams::default();
        self.objects().delete(NAME, &options).await.unwrap();
        await_gone(&self.objects(), object, PATIENCE).await.unwrap();
    }

    fn objects(&self) -> Api<SsoConnector> {
        self.stage.objects_in(&self.namespace)
    }
}
