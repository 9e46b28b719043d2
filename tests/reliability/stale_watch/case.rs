//! What happens to one object while nobody tells the operator, and what must come of it.

use cloudflare_sso_operator::resource::SsoConnector;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use simulator::{ConnectorChange, Failure, Fault, FaultHandle, Repeat, VerificationStatus};

use crate::stage::{ACCOUNT, PATIENCE, Stage, code, connector_id};
use crate::witness::{Witness, connectors_for, until_bound_anew};

/// What the operator is expected to do once it may see the object again.
pub(super) enum End {
    /// The object is there, with this reason of `Ready`.
    Ready(&'static str),
    /// The object is gone.
    Gone,
    /// Another object of the same name is there, for another domain, with a connector of its own.
    Succeeded,
}

/// One object, what happens to it unseen, and what must come of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    fields: Value,
    /// What a person does while nothing is seen.
    unseen: Unseen,
    /// What Cloudflare does then, so that the operator wants to act on what it last saw.
    temptation: Temptation,
    end: End,
    /// Creations, beginnings, updates and deletions for the object's domain after the freeze.
    pub(super) mutations: [usize; 4],
}

pub(super) enum Unseen {
    Edit(Value),
    EnableAgain,
    Delete,
    Replace,
}

pub(super) enum Temptation {
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

pub(super) fn cases() -> Vec<Case> {
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
    pub(super) fn domain(&self) -> String {
        format!("{}.example", self.name)
    }

    /// Brings the object to where the freeze finds it. What is returned keeps Cloudflare from answering.
    pub(super) async fn prepare(&self, stage: &Stage) -> (SsoConnector, Option<FaultHandle>) {
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
    pub(super) async fn happen(&self, stage: &Stage) {
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
    pub(super) async fn tempt(
        &self,
        stage: &Stage,
        object: &SsoConnector,
        silence: Option<FaultHandle>,
    ) {
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
    pub(super) async fn until_tempted(
        &self,
        stage: &Stage,
        witness: &Witness<'_>,
        object: &SsoConnector,
    ) {
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
    pub(super) async fn until_ended(&self, stage: &Stage, object: &SsoConnector) {
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
                assert_ne!(
                    connector_id(object).as_ref(),
                    Some(&own),
                    "not the old one's"
                );
                assert_eq!(connectors_for(stage, ACCOUNT, &domain), [own]);
            }
        }
    }
}
