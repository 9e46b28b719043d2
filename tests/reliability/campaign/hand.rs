//! The people of one sequence: what they do with the objects, the Secrets and Cloudflare, and what they see. What they did is
//! told as the API server and Cloudflare have answered it.

use cloudflare_sso_operator::resource::{
    ConditionType, ENABLE_AT, RECONCILE_AT, SsoConnector, find_condition,
};
use k8s_openapi::api::core::v1::{Namespace, Secret as KubernetesSecret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};
use simulator::{
    Admin, Calls, Connector as Standing, ConnectorChange, ConnectorDraft, Permission, TokenRequest,
    VerificationStatus,
};

use super::ground::Ground;
use super::oracle::{Change, Connector, Deed, Id, ObjectSight, Secret, Sight, Spec, Verification};
use super::step::{Field, Loss, Naming, Step, Token, Who};
use crate::stage::{condition, connector_id, current, has_finalizer};

/// An ID that no connector has.
const UNKNOWN: &str = "00000000000000000000000000000000";

/// The people of one sequence.
pub(crate) struct Hand<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) namespace: String,
    account: String,
    domain: String,
    objects: Api<SsoConnector>,
    secrets: Api<KubernetesSecret>,
    /// What was applied last under each name: as bytes, and as what it means.
    specs: [Option<(Map<String, Value>, Spec)>; 2],
    /// The newest value of `reconcile-at`.
    looks: [Option<String>; 2],
    /// The token of each Secret that works, and its label.
    tokens: [(String, String); 2],
    /// For values that must be new.
    counted: usize,
}

impl<'a> Hand<'a> {
    /// People with a namespace, an account and a domain of their own, and two Secrets that work.
    pub(crate) async fn new(ground: &'a Ground) -> Self {
        let number = ground.number();
        let namespace = format!("case-{number}");
        let client = ground.stage.control_plane.client();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let created = Namespace {
            metadata: kube::api::ObjectMeta {
                name: Some(namespace.clone()),
                ..Default::default()
            },
            ..Default::default()
        };
        namespaces
            .create(&PostParams::default(), &created)
            .await
            .unwrap();
        let account = format!("{number:032x}");
        ground.stage.simulator.admin().add_account(&account);
        ground
            .stage
            .simulator
            .admin()
            .add_identity_provider(&account);
        let mut hand = Self {
            ground,
            domain: format!("{namespace}.example"),
            objects: Api::namespaced(client.clone(), &namespace),
            secrets: Api::namespaced(client, &namespace),
            namespace,
            account,
            specs: [None, None],
            looks: [None, None],
            tokens: Default::default(),
            counted: 0,
        };
        for who in Who::ALL {
            hand.tokens[who as usize] = hand.issue(who);
            hand.put(who, &hand.tokens[who as usize].1).await;
        }
        hand
    }

    /// Takes a step, and says what was done: nothing if there was nothing to do it to.
    pub(crate) async fn takes(&mut self, step: &Step) -> Vec<Deed> {
        self.counted += 1;
        match step {
            Step::Apply(who, fields) => self.applies(*who, fields).await,
            Step::Edit(who, field) => self.edits(*who, *field).await,
            Step::Label(who) => {
                let labels = json!({ "labels": { "edit": self.counted.to_string() } });
                self.patch(*who, json!({ "metadata": labels })).await;
                Vec::new()
            }
            Step::LookNow(who) => {
                let value = self.counted.to_string();
                if self.annotate(*who, RECONCILE_AT, &value).await {
                    self.looks[*who as usize] = Some(value);
                }
                Vec::new()
            }
            Step::EnableAgain(who) => {
                let value = self.counted.to_string();
                let there = self.annotate(*who, ENABLE_AT, &value).await;
                there.then_some(Deed::Asked(*who)).into_iter().collect()
            }
            Step::Delete(who) => self.deletes(*who).await,
            Step::Secret(who, token) => vec![self.puts(*who, *token).await],
            Step::Restart(ending) => {
                self.ground.restart(*ending).await;
                Vec::new()
            }
            Step::Switch
            | Step::Reword
            | Step::Remove
            | Step::Create(_)
            | Step::Lose(_)
            | Step::PublishTxt
            | Step::RemoveTxt => self.acts_at_cloudflare(step),
        }
    }

    async fn applies(&mut self, who: Who, fields: &[Field]) -> Vec<Deed> {
        let mut body = Map::new();
        let mut spec = Spec::silent(who);
        let necessary = json!({ "accountID": self.account, "emailDomain": self.domain });
        body.extend(necessary.as_object().cloned().unwrap_or_default());
        Self::write(&mut body, &mut spec, Field::Token(who), None);
        let oldest = self.oldest().map(|connector| connector.id);
        for field in fields {
            Self::write(&mut body, &mut spec, *field, oldest.clone());
        }
        body.retain(|_, value| !value.is_null());
        let object: SsoConnector = serde_json::from_value(json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1",
            "kind": "SsoConnector",
            "metadata": { "name": who.name(), "namespace": self.namespace },
            "spec": body,
        }))
        .unwrap();
        match self.objects.create(&PostParams::default(), &object).await {
            Ok(object) => {
                let born = object.creation_timestamp().map(|time| time.0);
                let born = (born.unwrap_or_default(), object.uid().unwrap_or_default());
                self.specs[who as usize] = Some((body, spec.clone()));
                self.looks[who as usize] = None;
                vec![Deed::Applied { who, born, spec }]
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => Vec::new(),
            Err(error) => panic!("applying {}: {error}", who.name()),
        }
    }

    async fn edits(&mut self, who: Who, field: Field) -> Vec<Deed> {
        let Some((mut body, mut spec)) = self.specs[who as usize].clone() else {
            return Vec::new();
        };
        let bound = self.object(who).and_then(|object| connector_id(&object));
        let existing = bound.or_else(|| self.oldest().map(|connector| connector.id));
        match field {
            // It is immutable while it is there, and nobody names what is not when another is bound.
            Field::Connector(Some(_)) if spec.named.is_some() || existing.is_none() => {
                return Vec::new();
            }
            Field::Connector(Some(Naming::Unknown)) => return Vec::new(),
            _ => {}
        }
        let key = Self::write(&mut body, &mut spec, field, existing);
        let value = body.get(key).cloned().unwrap_or_default();
        if !self.patch(who, json!({ "spec": { key: value } })).await {
            return Vec::new();
        }
        self.specs[who as usize] = Some((body, spec.clone()));
        vec![Deed::Edited { who, spec }]
    }

    /// Writes a field into a spec, as bytes and as what it means. The field's name.
    fn write(
        body: &mut Map<String, Value>,
        spec: &mut Spec,
        field: Field,
        existing: Option<String>,
    ) -> &'static str {
        let (key, value) = match field {
            Field::Enabled(enabled) => {
                spec.enabled = enabled;
                ("enabled", json!(enabled))
            }
            Field::Wording(wording) => {
                spec.wording = wording;
                ("useFedrampLanguage", json!(wording))
            }
            Field::BeginVerification(begin) => {
                spec.begin_verification = begin.unwrap_or(true);
                ("beginVerification", json!(begin))
            }
            Field::OnExternalChange(policy) => {
                spec.on_external_change = policy.unwrap_or_default();
                ("onExternalChange", json!(policy))
            }
            Field::Adoption(policy) => {
                spec.adoption = policy.unwrap_or_default();
                ("adoptionPolicy", json!(policy))
            }
            Field::Management(policy) => {
                spec.management = policy.unwrap_or_default();
                ("managementPolicy", json!(policy))
            }
            Field::Deletion(policy) => {
                spec.deletion = policy.unwrap_or_default();
                ("deletionPolicy", json!(policy))
            }
            Field::Suspend(suspend) => {
                spec.suspended = suspend.unwrap_or(false);
                ("suspend", json!(suspend))
            }
            Field::Connector(naming) => {
                spec.named = match naming {
                    None => None,
                    Some(Naming::Existing) => existing,
                    Some(Naming::Unknown) => Some(UNKNOWN.to_owned()),
                };
                ("connectorID", json!(spec.named))
            }
            Field::Token(whose) => {
                spec.token = whose;
                ("apiTokenSecretRef", json!({ "name": whose.name() }))
            }
        };
        body.insert(key.to_owned(), value);
        key
    }

    async fn deletes(&mut self, who: Who) -> Vec<Deed> {
        let parameters = DeleteParams::default();
        match self.objects.delete(who.name(), &parameters).await {
            Ok(answer) if answer.is_left() => vec![Deed::Condemned(who)],
            Ok(_) => vec![Deed::Gone(who)],
            Err(kube::Error::Api(status)) if status.is_not_found() => Vec::new(),
            Err(error) => panic!("deleting {}: {error}", who.name()),
        }
    }

    async fn puts(&mut self, who: Who, token: Token) -> Deed {
        match token {
            Token::Removed => {
                let parameters = DeleteParams::default();
                match self.secrets.delete(who.name(), &parameters).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    Err(error) => panic!("deleting the Secret: {error}"),
                }
                Deed::Token(who, Secret::Absent)
            }
            Token::Wrong => {
                self.put(who, &format!("wrong-{}", self.counted)).await;
                Deed::Token(who, Secret::Wrong)
            }
            Token::Restored => {
                self.put(who, &self.tokens[who as usize].1).await;
                Deed::Token(who, Secret::Good)
            }
            Token::Rotated => {
                let new = self.issue(who);
                self.put(who, &new.1).await;
                let (before, _) = std::mem::replace(&mut self.tokens[who as usize], new);
                self.admin().revoke_tokens(&before);
                Deed::Token(who, Secret::Good)
            }
        }
    }

    fn acts_at_cloudflare(&mut self, step: &Step) -> Vec<Deed> {
        let admin = self.admin().clone();
        let Some(oldest) = self.oldest() else {
            return match step {
                Step::Create(verified) => vec![self.creates(*verified)],
                _ => Vec::new(),
            };
        };
        match step {
            Step::Switch => self.changes(&oldest.id, Some(!oldest.enabled), None, None),
            Step::Reword => {
                let wording = !oldest.use_fedramp_language;
                self.changes(&oldest.id, None, Some(wording), None)
            }
            Step::Lose(loss) => {
                let status = match loss {
                    Loss::Awaiting => VerificationStatus::Awaiting,
                    Loss::Pending => VerificationStatus::Pending,
                    Loss::Failed => VerificationStatus::Failed,
                };
                self.changes(&oldest.id, None, None, Some(&status))
            }
            Step::Remove => match admin.delete_connector(&oldest.id) {
                Ok(connector) => vec![Deed::Removed(connector.id)],
                Err(_) => Vec::new(),
            },
            Step::Create(verified) if admin.connectors(&self.account).len() < 2 => {
                vec![self.creates(*verified)]
            }
            Step::PublishTxt => {
                let standing = admin.connectors(&self.account);
                let publish = |connector: Standing| {
                    admin.publish_txt(&self.domain, &connector.verification_code);
                    Deed::Published(connector.id)
                };
                standing.into_iter().map(publish).collect()
            }
            Step::RemoveTxt => {
                admin.remove_txt(&self.domain);
                vec![Deed::Withdrawn]
            }
            _ => Vec::new(),
        }
    }

    fn changes(
        &self,
        id: &str,
        enabled: Option<bool>,
        wording: Option<bool>,
        status: Option<&VerificationStatus>,
    ) -> Vec<Deed> {
        let change = ConnectorChange {
            enabled,
            use_fedramp_language: wording,
            verification_status: status.cloned(),
        };
        match self.admin().change_connector(id, change) {
            Ok(connector) => vec![Deed::Changed {
                id: connector.id,
                enabled,
                wording,
                verification: status.map(verification),
            }],
            Err(_) => Vec::new(),
        }
    }

    fn creates(&self, verified: Option<bool>) -> Deed {
        let draft = ConnectorDraft {
            enabled: verified == Some(true),
            verification_status: match verified {
                Some(_) => VerificationStatus::Verified,
                None => VerificationStatus::Awaiting,
            },
            ..ConnectorDraft::new(&self.account, &self.domain)
        };
        let connector = self.admin().create_connector(draft);
        Deed::Created {
            id: connector.id,
            enabled: connector.enabled,
            verification: verification(&connector.verification_status),
        }
    }

    /// Everything that is seen now. `changes` is what the operator has changed.
    pub(crate) fn sight(&self, changes: Vec<Change>) -> Sight {
        let standing = self.admin().connectors(&self.account);
        Sight {
            connectors: standing.iter().map(seen).collect(),
            objects: Who::ALL.map(|who| self.object(who).map(|object| self.shown(who, &object))),
            changes,
        }
    }

    fn shown(&self, who: Who, object: &SsoConnector) -> ObjectSight {
        let status = object.status.clone().unwrap_or_default();
        let is = |kind| find_condition(&status.conditions, kind).is_some();
        let generation = object.metadata.generation;
        let conditions = &status.conditions;
        let (ready, reason, _) = condition(object, ConditionType::Ready);
        let look = &self.looks[who as usize];
        ObjectSight {
            terminating: object.metadata.deletion_timestamp.is_some(),
            finalizer: has_finalizer(object),
            bound: status.connector_id.clone(),
            enabled: status.enabled,
            current: current(object)
                && self.is_newest(who, object)
                && conditions
                    .iter()
                    .all(|condition| condition.observed_generation == generation),
            ready: (ready, reason),
            reconciling: is(ConditionType::Reconciling),
            stalled: is(ConditionType::Stalled),
            looked: look.is_none() || status.last_handled_reconcile_at == *look,
        }
    }

    /// Whether the watch has brought what was written last.
    fn is_newest(&self, who: Who, object: &SsoConnector) -> bool {
        let Some((body, _)) = &self.specs[who as usize] else {
            return false;
        };
        let known = json!(body);
        let stored = serde_json::to_value(&object.spec).unwrap_or_default();
        let is_same =
            |(key, value): (&String, &Value)| stored.get(key).unwrap_or(&Value::Null) == value;
        known
            .as_object()
            .is_some_and(|known| known.iter().all(is_same))
    }

    /// The calls on this account that came later than the one with this sequence number.
    pub(crate) fn calls_after(&self, sequence: u64) -> Calls {
        self.admin().calls_after(sequence).on_account(&self.account)
    }

    /// The newest call of all.
    pub(crate) fn last_call(&self, since: u64) -> u64 {
        let calls = self.admin().calls_after(since);
        calls.last().map_or(since, |call| call.sequence)
    }

    /// Leaves nothing for the operator to do.
    pub(crate) async fn cleans_up(&mut self) {
        for who in Who::ALL {
            let retain = json!({ "spec": { "deletionPolicy": "Retain" } });
            if self.patch(who, retain).await {
                self.deletes(who).await;
            }
        }
    }

    fn admin(&self) -> &Admin {
        self.ground.stage.simulator.admin()
    }

    fn object(&self, who: Who) -> Option<SsoConnector> {
        self.ground.object(&self.namespace, who.name())
    }

    fn oldest(&self) -> Option<Standing> {
        let standing = self.admin().connectors(&self.account);
        standing.into_iter().next()
    }

    async fn annotate(&self, who: Who, key: &str, value: &str) -> bool {
        let annotations = json!({ "annotations": { key: value } });
        self.patch(who, json!({ "metadata": annotations })).await
    }

    /// Whether the object is there.
    async fn patch(&self, who: Who, patch: Value) -> bool {
        let parameters = PatchParams::default();
        let patch = Patch::Merge(patch);
        match self.objects.patch(who.name(), &parameters, &patch).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.is_not_found() => false,
            Err(error) => panic!("changing {} with {patch:?}: {error}", who.name()),
        }
    }

    async fn put(&self, who: Who, token: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": who.name() },
            "stringData": { "api-token": token },
        });
        let parameters = PatchParams::apply("people").force();
        self.secrets
            .patch(who.name(), &parameters, &Patch::Apply(secret))
            .await
            .unwrap();
    }

    /// A new token for this account, with its label.
    fn issue(&self, who: Who) -> (String, String) {
        let label = format!("{}-{}-{}", self.namespace, who.name(), self.counted);
        let request = TokenRequest::new(&label).grant(&self.account, Permission::ALL);
        (label, self.admin().issue_token(request))
    }
}

fn seen(connector: &Standing) -> Connector {
    Connector {
        enabled: connector.enabled,
        wording: connector.use_fedramp_language,
        verification: verification(&connector.verification_status),
        ..Connector::new(Id::Known(connector.id.clone()))
    }
}

fn verification(status: &VerificationStatus) -> Verification {
    match status {
        VerificationStatus::Awaiting => Verification::Awaiting,
        VerificationStatus::Pending => Verification::Pending,
        VerificationStatus::Verified => Verification::Verified,
        VerificationStatus::Failed | VerificationStatus::Other(_) => Verification::Failed,
    }
}
