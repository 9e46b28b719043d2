//! The watch is open and silent while reads and writes work, as it is in the moments before a failing API server or network is
//! found out. Persons edit, delete and re-create objects meanwhile, and Cloudflare gives the operator every reason to act on
//! what it last saw of them. Nothing that it decides on such a copy takes effect, and once the watch speaks again all
//! is as it was asked for.

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use futures::future::join_all;
use harness::{ApiServerProxy, EventInterception, EventTreatment};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use simulator::{
    ConnectorChange, Failure, Fault, FaultHandle, Operation, Repeat, VerificationStatus, When,
};

use crate::stage::{ACCOUNT, PATIENCE, Stage, code, condition, connector_id};
use crate::witness::{OBJECTS, Witness, connectors_for, counts, until_bound_anew};

/// A call may last as long as a test holds it, and what fails is begun again soon.
const FLAGS: [&str; 8] = [
    "--call-timeout",
    "10s",
    "--creation-grace",
    "15s",
    "--lease-duration",
    "18s",
    "--restart-backoff",
    "1s",
];

/// What the operator is expected to do once it may see the object again.
enum End {
    /// The object is there, with this reason of `Ready`.
    Ready(&'static str),
    /// The object is gone.
    Gone,
    /// Another object of the same name is there, for another domain, with a connector of its own.
    Succeeded,
}

/// One object, what happens to it unseen, and what must come of it.
struct Case {
    name: &'static str,
    fields: Value,
    /// What a person does while nothing is seen.
    unseen: Unseen,
    /// What Cloudflare does then, so that the operator wants to act on what it last saw.
    temptation: Temptation,
    end: End,
    /// Creations, beginnings, updates and deletions for the object's domain after the freeze.
    mutations: [usize; 4],
}

enum Unseen {
    Edit(Value),
    EnableAgain,
    Delete,
    Replace,
}

enum Temptation {
    /// Somebody changes the wording.
    Wording,
    /// The domain is verified.
    Verification,
    /// The verification fails.
    Failure,
    /// What has kept Cloudflare from answering ends.
    Recovery,
    /// The Secret comes.
    Token,
}

fn cases() -> Vec<Case> {
    let wording = || json!({ "useFedrampLanguage": true });
    let case = |name, fields, unseen, temptation, end, mutations| Case {
        name,
        fields,
        unseen,
        temptation,
        end,
        mutations,
    };
    let edit = |spec| Unseen::Edit(spec);
    vec![
        case(
            "suspended",
            wording(),
            edit(json!({ "suspend": true })),
            Temptation::Wording,
            End::Ready("Suspended"),
            [0, 0, 0, 0],
        ),
        case(
            "observed",
            wording(),
            edit(json!({ "managementPolicy": "Observe" })),
            Temptation::Wording,
            End::Ready("DriftObserved"),
            [0, 0, 0, 0],
        ),
        case(
            "unmanaged",
            wording(),
            edit(json!({ "useFedrampLanguage": null })),
            Temptation::Wording,
            End::Ready("AwaitingVerification"),
            [0, 0, 0, 0],
        ),
        case(
            "disabled",
            json!({ "enabled": true }),
            edit(json!({ "enabled": false })),
            Temptation::Verification,
            End::Ready("Available"),
            [0, 0, 0, 0],
        ),
        case(
            "left",
            json!({}),
            edit(json!({ "beginVerification": false })),
            Temptation::Failure,
            End::Ready("Available"),
            [0, 0, 0, 0],
        ),
        case(
            "retained",
            json!({ "deletionPolicy": "Delete" }),
            edit(json!({ "deletionPolicy": "Retain" })),
            Temptation::Recovery,
            End::Gone,
            [0, 0, 0, 0],
        ),
        case(
            "held",
            json!({ "enabled": true }),
            Unseen::EnableAgain,
            Temptation::Wording,
            End::Ready("Available"),
            [0, 0, 1, 0],
        ),
        case(
            "removed",
            wording(),
            Unseen::Delete,
            Temptation::Wording,
            End::Gone,
            [0, 0, 0, 0],
        ),
        case(
            "replaced",
            wording(),
            Unseen::Replace,
            Temptation::Wording,
            End::Succeeded,
            [0, 0, 0, 0],
        ),
        case(
            "waiting",
            json!({ "apiTokenSecretRef": { "name": "late" } }),
            edit(json!({ "managementPolicy": "Observe" })),
            Temptation::Token,
            End::Ready("ConnectorNotFound"),
            [0, 0, 0, 0],
        ),
    ]
}

impl Case {
    fn domain(&self) -> String {
        format!("{}.example", self.name)
    }

    /// Brings the object to where the freeze finds it. What is returned keeps Cloudflare from answering.
    async fn prepare(&self, stage: &Stage) -> (SsoConnector, Option<FaultHandle>) {
        let (name, domain) = (self.name, self.domain());
        let admin = stage.simulator.admin();
        stage.connector(name, &domain, self.fields.clone()).await;
        if matches!(self.temptation, Temptation::Token) {
            let object = stage.until_ready_is(name, "CredentialsUnavailable").await;
            return (object, None);
        }
        let object = stage.until_ready_is(name, "AwaitingVerification").await;
        if matches!(self.unseen, Unseen::EnableAgain) {
            admin.publish_txt(&domain, &code(&object).unwrap());
            stage.until_ready_is(name, "Available").await;
            let id = connector_id(&object).unwrap();
            admin.set_enabled(&id, false).unwrap();
            let held = stage.until_ready_is(name, "HeldByExternalChange").await;
            return (held, None);
        }
        if !matches!(self.temptation, Temptation::Recovery) {
            return (object, None);
        }
        let silence = Fault::new(Failure::html(502));
        let silence = admin.push_fault(silence.on_domain(&domain).repeat(Repeat::Forever));
        let options = DeleteParams::default();
        stage.objects().delete(name, &options).await.unwrap();
        // It is seen to go, and cannot be looked at.
        silence.arrived(PATIENCE).await.unwrap();
        (object, Some(silence))
    }

    /// What a person does.
    async fn happen(&self, stage: &Stage) {
        match &self.unseen {
            Unseen::Edit(spec) => stage.patch_spec(self.name, spec.clone()).await,
            Unseen::EnableAgain => {
                let key = "cloudflare-sso.dev/enable-at";
                stage.annotate(self.name, key, "now").await;
            }
            Unseen::Delete => stage.delete(self.name).await,
            Unseen::Replace => {
                stage.delete(self.name).await;
                let domain = format!("new-{}", self.domain());
                stage.connector(self.name, &domain, json!({})).await;
            }
        }
    }

    /// What Cloudflare does.
    async fn tempt(&self, stage: &Stage, object: &SsoConnector, silence: Option<FaultHandle>) {
        let admin = stage.simulator.admin();
        let id = connector_id(object);
        match self.temptation {
            Temptation::Wording => {
                let another = !admin
                    .connector(id.as_ref().unwrap())
                    .unwrap()
                    .use_fedramp_language;
                let change = ConnectorChange {
                    use_fedramp_language: Some(another),
                    ..ConnectorChange::default()
                };
                admin.change_connector(&id.unwrap(), change).unwrap();
            }
            Temptation::Verification => admin.publish_txt(&self.domain(), &code(object).unwrap()),
            Temptation::Failure => {
                let failed = VerificationStatus::Failed;
                admin.set_verification(&id.unwrap(), failed).unwrap();
            }
            Temptation::Recovery => silence.unwrap().release(),
            Temptation::Token => stage.put_token("late", &stage.token).await,
        }
    }

    /// How the operator shows that it would have acted.
    async fn until_tempted(&self, stage: &Stage, witness: &Witness<'_>, object: &SsoConnector) {
        match self.temptation {
            // What is taken down is read again first, and the answer is all that it needs.
            Temptation::Recovery => {
                witness.until_read(self.name).await;
                harness::await_gone(&stage.objects(), object, PATIENCE)
                    .await
                    .unwrap();
            }
            _ => witness.until_refused(self.name).await,
        }
    }

    /// How it ends once everything is seen.
    async fn until_ended(&self, stage: &Stage, object: &SsoConnector) {
        match self.end {
            End::Ready(reason) => {
                stage.until_ready_is(self.name, reason).await;
            }
            End::Gone => harness::await_gone(&stage.objects(), object, PATIENCE)
                .await
                .unwrap(),
            End::Succeeded => {
                let own = until_bound_anew(stage, self.name, object).await;
                let domain = format!("new-{}", self.domain());
                assert_eq!(connectors_for(stage, ACCOUNT, &domain), [own.clone()]);
                assert_ne!(connector_id(object), Some(own), "not the old one's");
            }
        }
    }
}

#[tokio::test]
async fn what_is_decided_on_copies_from_before_the_watch_froze_takes_no_effect() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let mut operator = stage.operator_through(Some(proxy.url()), &FLAGS).await;
    let cases = cases();
    let prepared = join_all(cases.iter().map(|case| case.prepare(&stage))).await;

    let frozen = freeze(&proxy);
    let witness = Witness::from_now(&stage, &proxy);
    join_all(cases.iter().map(|case| case.happen(&stage))).await;
    tokio::time::timeout(PATIENCE, frozen.arrived())
        .await
        .unwrap();
    let (objects, silences): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
    let all = || cases.iter().zip(&objects);
    join_all(
        all()
            .zip(silences)
            .map(|((case, object), silence)| case.tempt(&stage, object, silence)),
    )
    .await;
    join_all(all().map(|(case, object)| case.until_tempted(&stage, &witness, object))).await;
    // And again and again, ever more slowly.
    stage.heartbeats(6).await;
    for case in &cases {
        let mutations = witness.mutations(&case.domain());
        assert!(mutations.is_empty(), "{}: {mutations:#?}", case.name);
        let calls = witness.about(case.name).len();
        assert!(calls <= 14, "{}: {calls} calls", case.name);
    }

    frozen.release();
    join_all(all().map(|(case, object)| case.until_ended(&stage, object))).await;
    stage.heartbeats(2).await;
    for (case, object) in all() {
        let mutations = witness.mutations(&case.domain());
        assert_eq!(
            counts(&mutations),
            case.mutations,
            "{}: {mutations:#?}",
            case.name
        );
        let there = connectors_for(&stage, ACCOUNT, &case.domain());
        let bound: Vec<_> = connector_id(object).into_iter().collect();
        assert_eq!(there, bound, "{}: no second one, none deleted", case.name);
    }
    assert!(operator.process().is_running().unwrap());
    assert_eq!(operator.get("/readyz").await.unwrap(), "ok\n");
    println!("frozen watch: {} cases", cases.len());
}

/// The object for which a connector was created is gone, and another one of its name is there, before the answer comes.
#[tokio::test]
async fn an_object_that_was_created_again_unseen_is_not_given_the_id_that_comes_back() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &FLAGS).await;
    let hold = Failure::Hold {
        when: When::AfterCommit,
    };
    let hold = Fault::new(hold)
        .on(Operation::Create)
        .on_domain("old.example");
    let held = stage.simulator.admin().push_fault(hold);
    stage.connector("example", "old.example", json!({})).await;
    held.arrived(PATIENCE).await.unwrap();
    let old = stage.objects().get("example").await.unwrap();

    let frozen = freeze(&proxy);
    let witness = Witness::from_now(&stage, &proxy);
    stage.delete("example").await;
    stage.connector("example", "new.example", json!({})).await;
    held.release();
    witness.until_refused("example").await;
    stage.heartbeats(4).await;
    let object = stage.objects().get("example").await.unwrap();
    assert_eq!(connector_id(&object), None);
    frozen.release();
    let own = until_bound_anew(&stage, "example", &old).await;
    assert_eq!(connectors_for(&stage, ACCOUNT, "new.example"), [own]);
    assert_eq!(connectors_for(&stage, ACCOUNT, "old.example").len(), 1);
    assert_eq!(counts(&witness.mutations("old.example")), [0, 0, 0, 0]);
}

/// Events that come late, one by one, are events of the past: each is older than what the operator has written meanwhile.
#[tokio::test]
async fn what_the_operator_has_written_itself_is_not_forgotten_for_the_past_that_comes_late() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let _operator = stage.operator_through(Some(proxy.url()), &[]).await;
    stage.connector("before", "before.example", json!({})).await;
    stage.until_ready_is("before", "AwaitingVerification").await;
    // The object arrives, and of all that becomes of it nothing does.
    let frozen = proxy.intercept_events(EventTreatment::Hold, |event| {
        event.object["metadata"]["name"] == "example"
            && event.object["status"]["conditions"][0]["reason"] != "Reconciling"
    });
    let enabled = json!({ "enabled": true, "deletionPolicy": "Delete" });
    let id = {
        stage.connector("example", "example.com", enabled).await;
        let waiting = stage
            .until_ready_is("example", "AwaitingVerification")
            .await;
        let admin = stage.simulator.admin();
        admin.publish_txt("example.com", &code(&waiting).unwrap());
        let enabled = stage.until_ready_is("example", "Available").await;
        connector_id(&enabled).unwrap()
    };
    let version = || async {
        stage
            .objects()
            .get("example")
            .await
            .unwrap()
            .resource_version()
    };
    let settled = version().await;
    frozen.release();
    stage.heartbeats(6).await;
    assert_eq!(version().await, settled, "nothing is written for the past");
    let mutations = stage.simulator.calls().mutations().on_domain("example.com");
    assert_eq!(counts(&mutations), [1, 0, 1, 0], "{mutations:#?}");
    assert_eq!(connectors_for(&stage, ACCOUNT, "example.com"), [id]);
    let ready = condition(
        &stage.objects().get("example").await.unwrap(),
        ConditionType::Ready,
    );
    assert_eq!(ready.0, "True");
}

/// Nothing more is told of the objects.
pub(crate) fn freeze(proxy: &ApiServerProxy) -> EventInterception {
    proxy.intercept_events(EventTreatment::Hold, |event| {
        event.path.starts_with(OBJECTS)
    })
}
