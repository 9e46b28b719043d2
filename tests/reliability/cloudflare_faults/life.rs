//! The life of an object in phases, each of which calls some of Cloudflare's endpoints. Four lives together meet every
//! endpoint in every phase that calls it.

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::Timeout;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use simulator::{Connector, ConnectorDraft, Effect, Operation, VerificationStatus};

use super::PATIENCE;
use crate::stage::{NAMESPACE, Stage, condition, connector, connector_id, current};

/// A part of an object's life, from what begins it to where it rests again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The connector is created.
    Create,
    /// A connector that is there already is bound.
    Bind,
    /// The verification, which somebody has reset, is begun.
    Begin,
    /// The verification is waited for, and comes.
    Poll,
    /// SSO is enabled.
    Enable,
    /// Nothing is to be done.
    Settled,
    /// SSO is disabled.
    Disable,
    /// The connector is taken down.
    Delete,
}

/// The phases of a life, and the operation that suffers in each; in some none does, as another life has that.
pub(super) type Life = &'static [(Phase, Option<Operation>)];

/// All lives.
pub(super) const LIVES: [Life; 4] = [
    &[
        (Phase::Create, Some(Operation::List)),
        (Phase::Begin, Some(Operation::BeginVerification)),
        (Phase::Poll, Some(Operation::List)),
        (Phase::Enable, Some(Operation::Get)),
        (Phase::Disable, Some(Operation::Update)),
        (Phase::Delete, Some(Operation::Delete)),
    ],
    &[
        (Phase::Create, Some(Operation::Create)),
        (Phase::Begin, Some(Operation::List)),
        (Phase::Poll, None),
        (Phase::Enable, Some(Operation::Update)),
        (Phase::Settled, Some(Operation::List)),
        (Phase::Disable, Some(Operation::Get)),
        (Phase::Enable, None),
        (Phase::Delete, Some(Operation::Update)),
    ],
    &[
        (Phase::Bind, Some(Operation::List)),
        (Phase::Poll, None),
        (Phase::Enable, Some(Operation::List)),
        (Phase::Disable, Some(Operation::List)),
        // Between disabling and deleting it is looked at in any case.
        (Phase::Enable, None),
        (Phase::Delete, Some(Operation::Get)),
    ],
    &[
        (Phase::Bind, Some(Operation::Get)),
        (Phase::Begin, Some(Operation::Get)),
        (Phase::Delete, None),
    ],
];

/// An object with an account and a token of its own.
pub(super) struct Subject<'a> {
    stage: &'a Stage,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) domain: String,
}

impl<'a> Subject<'a> {
    /// The `number`-th subject, with its Secret.
    pub(super) async fn born(stage: &'a Stage, number: usize) -> Self {
        let name = format!("c{number}");
        let account = format!("{number:032x}");
        let token = stage.simulator.admin().add_ready_account(&account, &name);
        let secret = serde_json::from_value(json!({
            "metadata": { "name": name },
            "stringData": { "api-token": token },
        }));
        let secrets: Api<Secret> = Api::namespaced(stage.control_plane.client(), NAMESPACE);
        let options = PostParams::default();
        secrets.create(&options, &secret.unwrap()).await.unwrap();
        Self {
            stage,
            domain: format!("{name}.example"),
            name,
            account,
        }
    }

    /// The one connector of the account.
    pub(super) fn connector(&self) -> Option<Connector> {
        let mut all = self.stage.simulator.admin().connectors(&self.account);
        assert!(all.len() <= 1, "{}: {all:#?}", self.name);
        all.pop()
    }

    /// Begins a phase.
    pub(super) async fn enter(&self, phase: Phase, round: usize) {
        let admin = self.stage.simulator.admin();
        match phase {
            Phase::Create => self.apply().await,
            Phase::Bind => {
                let draft = ConnectorDraft {
                    verification_status: VerificationStatus::Pending,
                    ..ConnectorDraft::new(&self.account, &self.domain)
                };
                let _ = admin.create_connector(draft);
                self.apply().await;
            }
            Phase::Begin => {
                let id = self.connector().unwrap().id;
                let awaiting = VerificationStatus::Awaiting;
                admin.set_verification(&id, awaiting).unwrap();
                self.ask_for_a_look(round).await;
            }
            Phase::Poll => {
                let code = self.connector().unwrap().verification_code;
                admin.publish_txt(&self.domain, &code);
                self.ask_for_a_look(round).await;
            }
            Phase::Enable => self.patch(json!({ "spec": { "enabled": true } })).await,
            Phase::Settled => self.ask_for_a_look(round).await,
            Phase::Disable => self.patch(json!({ "spec": { "enabled": false } })).await,
            Phase::Delete => {
                let options = DeleteParams::default();
                let objects = self.stage.objects();
                objects.delete(&self.name, &options).await.unwrap();
            }
        }
    }

    async fn apply(&self) {
        let mut object = connector(&self.name, &self.domain);
        object["spec"]["accountID"] = json!(self.account);
        object["spec"]["apiTokenSecretRef"] = json!({ "name": self.name });
        object["spec"]["deletionPolicy"] = json!("Delete");
        let object = serde_json::from_value(object).unwrap();
        let options = PostParams::default();
        self.stage
            .objects()
            .create(&options, &object)
            .await
            .unwrap();
    }

    async fn ask_for_a_look(&self, round: usize) {
        let asked = json!({ "cloudflare-sso.dev/reconcile-at": format!("{round}") });
        self.patch(json!({ "metadata": { "annotations": asked } }))
            .await;
    }

    async fn patch(&self, patch: Value) {
        let (options, patch) = (PatchParams::default(), Patch::Merge(patch));
        let objects = self.stage.objects();
        objects.patch(&self.name, &options, &patch).await.unwrap();
    }

    /// Waits for the end of a phase.
    pub(super) async fn until_ended(&self, phase: Phase, round: usize) -> Result<(), Timeout> {
        if phase == Phase::Delete {
            return self.until_gone().await;
        }
        let asks = matches!(phase, Phase::Begin | Phase::Poll | Phase::Settled);
        let round = format!("{round}");
        let awaited = format!("the end of {phase:?}");
        self.until(&awaited, |object| {
            let status = object.status.as_ref();
            let handled = status.and_then(|status| status.last_handled_reconcile_at.as_deref());
            let looked = !asks || handled == Some(&round);
            looked && current(object) && self.is_ended(phase, object)
        })
        .await
        .map(drop)
    }

    fn is_ended(&self, phase: Phase, object: &SsoConnector) -> bool {
        let ready = condition(object, ConditionType::Ready).1;
        let works = condition(object, ConditionType::Synced).0 == "True";
        let Some(connector) = self.connector() else {
            return false;
        };
        let is = |status| connector.verification_status == status;
        let as_wanted = match phase {
            Phase::Create | Phase::Bind | Phase::Begin => {
                ready == "AwaitingVerification" && is(VerificationStatus::Pending)
            }
            Phase::Poll | Phase::Settled => {
                ready == "Available" && is(VerificationStatus::Verified)
            }
            Phase::Enable => ready == "Available" && connector.enabled,
            Phase::Disable => ready == "Available" && !connector.enabled,
            Phase::Delete => false,
        };
        works && as_wanted && connector_id(object) == Some(connector.id)
    }

    async fn until_gone(&self) -> Result<(), Timeout> {
        let awaited = format!("{} to be gone", self.name);
        let objects = self.stage.objects();
        harness::until(&awaited, PATIENCE, async || {
            match objects.get_opt(&self.name).await.unwrap() {
                None => Ok(()),
                Some(object) => Err(format!("{:#?}", object.status)),
            }
        })
        .await
    }

    /// Waits until the object is as `predicate` says.
    pub(super) async fn until(
        &self,
        awaited: &str,
        predicate: impl Fn(&SsoConnector) -> bool,
    ) -> Result<SsoConnector, Timeout> {
        let objects = self.stage.objects();
        harness::await_object(&objects, &self.name, awaited, PATIENCE, predicate).await
    }
}

impl Phase {
    /// How often a phase changes something by this operation when nothing goes wrong.
    pub(super) fn takes(self, operation: Operation, was_enabled: bool) -> usize {
        let takes = match self {
            Self::Create => operation == Operation::Create,
            Self::Begin => operation == Operation::BeginVerification,
            Self::Enable | Self::Disable => operation == Operation::Update,
            Self::Delete => {
                operation == Operation::Delete || (was_enabled && operation == Operation::Update)
            }
            Self::Bind | Self::Poll | Self::Settled => false,
        };
        usize::from(takes)
    }
}

/// Whether a call has changed something.
pub(super) fn has_changed(call: &simulator::Call) -> bool {
    call.effect == Effect::Committed
}
