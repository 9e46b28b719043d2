//! What a measurement stands on: a control plane with the definition and the rights of `deploy/`, a simulated Cloudflare with
//! some accounts, and the released program.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::{AuditEvent, Chart, ControlPlane, Operator, OperatorOptions, Options};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};
use simulator::{Call, Knobs, Simulator};

use crate::Failure;

pub(crate) const NAMESPACE: &str = "bench";
/// Where the operator does not look, if it is told to look at the other one only.
pub(crate) const ASIDE: &str = "aside";
const OPERATOR_NAMESPACE: &str = "cloudflare-sso-system";
const OPERATOR_ACCOUNT: &str = "cloudflare-sso-operator";

/// How many requests the bench itself has under way at once.
pub(crate) const CONCURRENCY: usize = 16;

/// The limiter is open: it would be what is measured otherwise.
pub(crate) const OPEN: [&str; 4] = ["--calls-per-second", "1000", "--call-burst", "1000"];

/// How long the operator may take for anything that is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

/// Where everything is measured.
pub(crate) struct Ground {
    pub(crate) control_plane: ControlPlane,
    pub(crate) simulator: Simulator,
    pub(crate) accounts: Vec<Account>,
    binary: PathBuf,
    /// How many moments were marked in the audit log.
    marks: AtomicUsize,
}

/// An account at Cloudflare, and its token.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// The Secret that holds the token.
    pub(crate) secret: String,
    pub(crate) token: String,
}

impl Ground {
    /// With so many accounts, and an audit log if calls are to be counted: it costs the API server something.
    pub(crate) async fn prepare(
        binary: PathBuf,
        accounts: usize,
        options: Options,
    ) -> Result<Self, Failure> {
        let control_plane = ControlPlane::start(options).await?;
        let definition = Chart::folder().join("crds/ssoconnectors.cloudflare-sso.dev.yaml");
        let definition = std::fs::read_to_string(definition)?;
        let namespace = |name: &str| {
            let manifest = json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
            });
            manifest.to_string()
        };
        for manifest in [
            definition,
            Chart::installed_rights()?,
            namespace(NAMESPACE),
            namespace(ASIDE),
        ] {
            control_plane.apply(&manifest).await?;
        }
        let simulator = Simulator::start(Knobs {
            poll_interval: Duration::from_secs(1),
            // What the operator asks for is counted, not what it is given.
            rate_limit: u32::MAX,
            ..Knobs::default()
        })
        .await?;
        let mut known = Vec::new();
        for number in 0..accounts {
            let id = format!("{:032x}", number + 1);
            let token = simulator
                .admin()
                .add_ready_account(&id, &format!("token {number}"));
            let secret = format!("token-{number}");
            for namespace in [NAMESPACE, ASIDE] {
                let manifest = json!({
                    "apiVersion": "v1", "kind": "Secret",
                    "metadata": { "name": secret, "namespace": namespace },
                    "stringData": { "api-token": token },
                });
                control_plane.apply(&manifest.to_string()).await?;
            }
            known.push(Account { id, secret, token });
        }
        Ok(Self {
            control_plane,
            simulator,
            accounts: known,
            binary,
            marks: AtomicUsize::new(0),
        })
    }

    /// The operator with the rights of `deploy/`, ready.
    pub(crate) async fn operator(&self, flags: &[&str]) -> Result<Operator, Failure> {
        // No name server outside is asked.
        let alone = [
            "--dns-lookups",
            "off",
            "--lease-namespace",
            OPERATOR_NAMESPACE,
        ];
        let mut operator = Operator::start(&OperatorOptions {
            binary: self.binary.clone(),
            kubeconfig: self.kubeconfig().await?,
            cloudflare_base_url: self.simulator.base_url().parse()?,
            flags: flags
                .iter()
                .chain(&alone)
                .map(ToString::to_string)
                .collect(),
        })?;
        operator.until_ready(PATIENCE).await?;
        Ok(operator)
    }

    /// The operator's rights.
    pub(crate) async fn kubeconfig(&self) -> Result<PathBuf, Failure> {
        let access = self.control_plane.service_account_kubeconfig(
            OPERATOR_NAMESPACE,
            OPERATOR_ACCOUNT,
            None,
        );
        Ok(access.await?)
    }

    /// The account of the object of that number: each has its turn.
    pub(crate) fn account(&self, number: usize) -> &Account {
        &self.accounts[number % self.accounts.len()]
    }

    /// The objects of a namespace.
    pub(crate) fn objects(&self, namespace: &str) -> Api<DynamicObject> {
        objects(self.control_plane.client(), namespace)
    }

    /// The object of that number.
    fn object(&self, namespace: &str, number: usize) -> Value {
        let account = self.account(number);
        json!({
            "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
            "metadata": { "name": format!("object-{number}"), "namespace": namespace },
            "spec": {
                "accountID": account.id,
                "emailDomain": format!("object-{number}.example"),
                "apiTokenSecretRef": { "name": account.secret },
            },
        })
    }

    /// Creates the object of that number.
    pub(crate) async fn create(&self, namespace: &str, number: usize) -> Result<(), Failure> {
        let object = serde_json::from_value(self.object(namespace, number))?;
        let objects = self.objects(namespace);
        objects.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Creates the objects of these numbers, several at once.
    pub(crate) async fn create_all(
        &self,
        numbers: impl IntoIterator<Item = usize>,
    ) -> Result<(), Failure> {
        stream::iter(numbers)
            .map(|number| self.create(NAMESPACE, number))
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }

    /// Publishes the TXT record of every connector.
    pub(crate) fn publish_all(&self) {
        let admin = self.simulator.admin();
        for account in &self.accounts {
            for connector in admin.connectors(&account.id) {
                admin.publish_txt(&connector.email_domain, &connector.verification_code);
            }
        }
    }

    /// The calls of the operator to the API server up to now. The log is written a moment after the answers, so a call of our own
    /// marks the moment in it.
    pub(crate) async fn audited(&self) -> Result<Vec<AuditEvent>, Failure> {
        let marks = &self.marks;
        let mark = format!("mark-{}", marks.fetch_add(1, Ordering::Relaxed));
        let namespaces: Api<Namespace> = Api::all(self.control_plane.client());
        namespaces.get_opt(&mark).await?;
        let events = harness::until("the audit log", PATIENCE, async || {
            let events = self.control_plane.audit_events();
            let mut events = events.map_err(|error| error.to_string())?;
            let marked = events.iter().position(|event| event.name == mark);
            events.truncate(marked.ok_or_else(|| format!("{} events", events.len()))?);
            Ok::<_, String>(events)
        });
        let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}");
        let events = events.await?.into_iter();
        Ok(events.filter(|event| event.user == user).collect())
    }

    /// The number of the last call to Cloudflare.
    pub(crate) fn last_call(&self) -> u64 {
        self.simulator
            .calls()
            .as_slice()
            .last()
            .map_or(0, |call| call.sequence)
    }

    /// The calls to Cloudflare after that one.
    pub(crate) fn calls_after(&self, sequence: u64) -> Vec<Call> {
        self.simulator
            .admin()
            .calls_after(sequence)
            .as_slice()
            .to_vec()
    }
}

/// The objects of a namespace, without a type of their own, as this client sees them.
pub(crate) fn objects(client: Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client, namespace, &resource())
}

/// What kind they are of.
pub(crate) fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("cloudflare-sso.dev", "v1alpha1", "SsoConnector");
    ApiResource::from_gvk(&kind)
}

/// Waits until so many objects are Ready for this reason, or are not and say why, by the operator's own metrics.
pub(crate) async fn until_all_say(
    operator: &Operator,
    reason: &str,
    count: usize,
) -> Result<(), Failure> {
    let line = format!("cloudflare_sso_connectors{{reason=\"{reason}\"}} {count}");
    let awaited = format!("{count} objects to say {reason}");
    let all_say = async || {
        let metrics = operator
            .metrics()
            .await
            .map_err(|error| error.to_string())?;
        if metrics.lines().any(|known| known == line) {
            return Ok(());
        }
        let counts = |line: &&str| line.starts_with("cloudflare_sso_connectors{");
        Err(metrics
            .lines()
            .filter(counts)
            .collect::<Vec<_>>()
            .join(", "))
    };
    harness::until(&awaited, PATIENCE, all_say).await?;
    Ok(())
}
