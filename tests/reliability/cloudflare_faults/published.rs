//! An object whose TXT record is published in Cloudflare DNS, in a zone with records of others, with a token of its own for
//! that; and the two phases of the record's life.

use cloudflare_sso_operator::resource::{ConditionType, SsoConnector};
use harness::Timeout;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use simulator::{DnsRecord, Operation, Permission, RecordDraft, TokenRequest};

use super::PATIENCE;
use crate::stage::{NAMESPACE, Stage, condition, connector, current};

/// What others have written at the domain.
const OTHERS: [&str; 2] = ["v=spf1 -all", "cloudflare_dashboard_sso=of-another-account"];

/// A part of the record's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The connector is created and corrected, and its record published, perhaps in a zone that the spec names.
    Publish { named: bool },
    /// The connector is deleted, and then its record.
    Withdraw,
}

/// What stands at the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The records of others as they were, and so many of ours.
    Ours(usize),
    /// Somebody has touched the records of others.
    OthersTouched,
}

/// An object with an account, a zone and two tokens of its own.
pub(super) struct Subject<'a> {
    stage: &'a Stage,
    pub(super) name: String,
    pub(super) domain: String,
    account: String,
    zone: String,
}

impl Phase {
    /// How often a phase changes something by this operation when nothing goes wrong.
    pub(super) fn takes(self, operation: Operation) -> usize {
        let takes = match self {
            Self::Publish { .. } => &[
                Operation::Create,
                Operation::Update,
                Operation::CreateRecord,
            ][..],
            Self::Withdraw => &[Operation::Delete, Operation::DeleteRecord],
        };
        usize::from(takes.contains(&operation))
    }
}

impl<'a> Subject<'a> {
    /// The `number`-th subject, with its Secrets.
    pub(super) async fn born(stage: &'a Stage, number: usize) -> Self {
        let (name, account) = (format!("d{number}"), format!("{number:032x}"));
        let domain = format!("{name}.example");
        let admin = stage.simulator.admin();
        let sso = admin.add_ready_account(&account, &name);
        let zone = admin.add_zone(&account, &domain);
        for text in OTHERS {
            let draft = RecordDraft::txt(&domain, text);
            let _by_hand = admin.create_record(&zone, draft).unwrap();
        }
        let request = TokenRequest::new(&format!("{name}-dns"));
        let dns = admin.issue_token(request.grant_in_zone(&zone, Permission::DNS));
        let secret = serde_json::from_value(json!({
            "metadata": { "name": name },
            "stringData": { "api-token": sso, "dns": dns },
        }));
        let secrets: Api<Secret> = Api::namespaced(stage.control_plane.client(), NAMESPACE);
        let options = PostParams::default();
        secrets.create(&options, &secret.unwrap()).await.unwrap();
        Self {
            stage,
            name,
            domain,
            account,
            zone,
        }
    }

    /// Begins a phase.
    pub(super) async fn enter(&self, phase: Phase) {
        let objects = self.stage.objects();
        let Phase::Publish { named } = phase else {
            let options = DeleteParams::default();
            objects.delete(&self.name, &options).await.unwrap();
            return;
        };
        let mut dns = json!({ "apiTokenSecretRef": { "name": self.name, "key": "dns" } });
        if named {
            dns["zoneID"] = json!(self.zone);
        }
        let mut object = connector(&self.name, &self.domain);
        object["spec"]["accountID"] = json!(self.account);
        object["spec"]["apiTokenSecretRef"] = json!({ "name": self.name });
        object["spec"]["deletionPolicy"] = json!("Delete");
        object["spec"]["dns"] = json!({ "cloudflare": dns });
        let object = serde_json::from_value(object).unwrap();
        let options = PostParams::default();
        objects.create(&options, &object).await.unwrap();
    }

    /// Asks for something that has nothing to do with DNS.
    pub(super) async fn ask_for_more(&self, phase: Phase) {
        if let Phase::Publish { .. } = phase {
            let fields = json!({ "useFedrampLanguage": true });
            self.stage.patch_spec(&self.name, fields).await;
        }
    }

    /// Waits until the connector is as the phase wants it, and the object says that with Cloudflare's connectors all is well.
    pub(super) async fn until_served(&self, phase: Phase) -> Result<(), Timeout> {
        match phase {
            Phase::Publish { .. } => {
                let awaited = "the connector to be corrected";
                self.until(awaited, |object| {
                    let status = object.status.as_ref();
                    let is_corrected =
                        status.is_some_and(|it| it.use_fedramp_language == Some(true));
                    is_corrected && is_well(object)
                })
                .await
            }
            Phase::Withdraw => {
                let admin = self.stage.simulator.admin();
                harness::until("the connector to be gone", PATIENCE, async || {
                    let objects = self.stage.objects();
                    let object = objects.get_opt(&self.name).await.unwrap();
                    let is_gone = admin.connectors(&self.account).is_empty();
                    let is_well = object.as_ref().is_none_or(is_well);
                    let is_served = is_gone && is_well;
                    is_served.then_some(()).ok_or("it is there")
                })
                .await
            }
        }
    }

    /// Waits until the phase is at its end.
    pub(super) async fn until_ended(&self, phase: Phase) -> Result<(), Timeout> {
        match phase {
            Phase::Publish { .. } => {
                let awaited = "the record to be published";
                self.until(awaited, |object| self.is_published(object))
                    .await
            }
            Phase::Withdraw => {
                let objects = self.stage.objects();
                match objects.get_opt(&self.name).await.unwrap() {
                    Some(object) => harness::await_gone(&objects, &object, PATIENCE).await,
                    None => Ok(()),
                }
            }
        }
    }

    fn is_published(&self, object: &SsoConnector) -> bool {
        let published = condition(object, ConditionType::DnsRecordPublished).0 == "True";
        let record = object.status.as_ref().and_then(|it| it.dns_record.as_ref());
        let known = record.and_then(|record| record.record_id.as_deref());
        let is_there = |id: &str| self.stage.simulator.admin().record(id).is_some();
        current(object) && published && known.is_some_and(is_there)
    }

    async fn until(
        &self,
        awaited: &str,
        predicate: impl Fn(&SsoConnector) -> bool,
    ) -> Result<(), Timeout> {
        let objects = self.stage.objects();
        let found = harness::await_object(&objects, &self.name, awaited, PATIENCE, predicate);
        found.await.map(drop)
    }

    /// What stands at the domain.
    pub(super) fn records(&self) -> Found {
        let records = self.stage.simulator.admin().records(&self.zone);
        let is_untouched = |record: &&DnsRecord| {
            OTHERS.contains(&record.content.as_str()) && record.created_on == record.modified_on
        };
        let others = records.iter().filter(is_untouched).count();
        if others == OTHERS.len() {
            Found::Ours(records.len() - others)
        } else {
            Found::OthersTouched
        }
    }
}

fn is_well(object: &SsoConnector) -> bool {
    condition(object, ConditionType::Synced).0 == "True"
}
