//! `playground demo`: the whole life of a connector, as a user sees it, checked at Cloudflare's end. Twice: with a TXT record that
//! a person publishes ([`by_hand`]), and with one that the operator publishes ([`hands_free`]).

mod by_hand;
mod hands_free;

use std::path::PathBuf;
use std::time::Duration;

use harness::{Operator, OperatorOptions, asked_to_end, await_gone, await_object};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;
use simulator::{Admin, RecordDraft};

use crate::Failure;
use crate::story::{Rows, Story, show};
use crate::surroundings::{
    ACCOUNT, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, Surroundings, repository,
};

const NAMESPACE: &str = "sso-demo";
/// The Secret in the samples whose token may edit SSO connectors.
const SECRET: &str = "cloudflare-api-token";
/// The object in the samples, and its domain.
const NAME: &str = "example-com";
const DOMAIN: &str = "example.com";
/// What the domain has in DNS already.
const SPF: &str = "v=spf1 -all";
/// What is scaled so that the story is told within a minute; that no name server outside is asked; and where the Lease is, as there
/// is no Pod.
const OPERATOR_FLAGS: [&str; 6] = [
    "--poll-unverified",
    "1s",
    "--dns-lookups",
    "off",
    "--lease-namespace",
    OPERATOR_NAMESPACE,
];

const STEP_DEADLINE: Duration = Duration::from_secs(20);
/// Disabling and deleting wait for an heir first.
const DELETION_DEADLINE: Duration = Duration::from_secs(45);
const STOP_DEADLINE: Duration = Duration::from_secs(15);

pub(crate) async fn run(operator: PathBuf, keep: bool) -> Result<(), Failure> {
    let mut story = Story::begin();
    story.step("Start a Kubernetes control plane and a simulated Cloudflare");
    let mut stage = unless_interrupted(Box::pin(Stage::set(operator))).await?;
    let mut outcome = unless_interrupted(Box::pin(stage.play(&mut story))).await;
    if outcome.is_ok() && !keep {
        outcome = stage.stop(&mut story).await;
    }
    match &outcome {
        Ok(()) => println!("\nEvery step was seen, in {} s.", story.elapsed().as_secs()),
        Err(failure) => stage.explain(&story, failure).await,
    }
    if keep {
        stage.stay().await?;
    }
    outcome.map_err(|_| format!("the demo failed at: {}", story.current()).into())
}

async fn unless_interrupted<T>(
    part: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        ended = asked_to_end() => Err(ended.map_or_else(Into::into, |()| "interrupted".into())),
        outcome = part => outcome,
    }
}

/// Who takes part.
struct Stage {
    operator: Operator,
    connectors: Api<DynamicObject>,
    surroundings: Surroundings,
    /// The ID of the domain's zone.
    zone: String,
}

impl Stage {
    async fn set(binary: PathBuf) -> Result<Self, Failure> {
        let surroundings = Surroundings::start().await?;
        surroundings.install_rights().await?;
        let control_plane = &surroundings.control_plane;
        let kubeconfig = control_plane
            .service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT, None)
            .await?;
        let operator = Operator::start(&OperatorOptions {
            binary,
            kubeconfig,
            cloudflare_base_url: surroundings.cloudflare_base_url()?,
            flags: OPERATOR_FLAGS.map(str::to_owned).to_vec(),
        })?;
        let kind = GroupVersionKind::gvk("cloudflare-sso.dev", "v1alpha1", "SsoConnector");
        let kind = ApiResource::from_gvk_with_plural(&kind, "ssoconnectors");
        let connectors = Api::namespaced_with(control_plane.client(), NAMESPACE, &kind);
        let admin = surroundings.simulator.admin();
        let zone = admin.add_zone(ACCOUNT, DOMAIN);
        admin.create_record(&zone, RecordDraft::txt(DOMAIN, SPF))?;
        Ok(Self {
            operator,
            connectors,
            surroundings,
            zone,
        })
    }

    async fn play(&mut self, story: &mut Story) -> Result<(), Failure> {
        story.step(format!(
            "Run the operator as {OPERATOR_NAMESPACE}/{OPERATOR_ACCOUNT}"
        ));
        self.operator.until_ready(STEP_DEADLINE).await?;
        self.kubectl(&["create", "namespace", NAMESPACE]).await?;
        self.play_by_hand(story).await?;
        story.step("Once more, with nobody touching DNS");
        self.play_hands_free(story).await
    }

    async fn store_token(&self, secret: &str, token: &str) -> Result<(), Failure> {
        let value = format!("--from-literal=api-token={token}");
        let create = ["create", "secret", "generic", secret, &value];
        self.kubectl(&[&create[..], &["--namespace", NAMESPACE]].concat())
            .await
    }

    /// Applies the sample. From then on the object's row is shown, until that is dropped.
    async fn apply(&self, story: &mut Story, sample: &str) -> Result<Rows, Failure> {
        story.step(format!("Apply {sample}"));
        let path = repository().join(sample);
        let path = path.to_str().ok_or("the path of the checkout is no text")?;
        self.kubectl(&["apply", "--namespace", NAMESPACE, "--filename", path])
            .await?;
        Rows::follow(&self.surroundings.control_plane, NAMESPACE, NAME)
    }

    async fn until_enabled(&self) -> Result<(), Failure> {
        self.see("to be Enabled and Ready", |status| {
            condition(status, "Enabled") && condition(status, "Ready")
        })
        .await?;
        let connectors = self.admin().connectors(ACCOUNT);
        let [connector] = connectors.as_slice() else {
            return Err(format!("Cloudflare has {} connectors, not one", connectors.len()).into());
        };
        if !connector.enabled {
            return Err("Cloudflare says that SSO is not enabled".into());
        }
        show(&format!(
            "Cloudflare agrees: {} is enforced for {DOMAIN}",
            connector.id
        ));
        Ok(())
    }

    async fn delete_object(&self) -> Result<(), Failure> {
        let object = self.connectors.get(NAME).await?;
        let delete = ["delete", "sso", NAME, "--namespace", NAMESPACE];
        self.kubectl(&[&delete[..], &["--wait=false"]].concat())
            .await?;
        Ok(await_gone(&self.connectors, &object, DELETION_DEADLINE).await?)
    }

    /// What the domain's zone holds.
    fn show_zone(&self) {
        show(&format!("The zone {DOMAIN} in Cloudflare DNS:"));
        for record in self.admin().records(&self.zone) {
            show(&format!("  {}  TXT  {}", record.name, record.content));
        }
    }

    fn admin(&self) -> &Admin {
        self.surroundings.simulator.admin()
    }

    async fn stop(&mut self, story: &mut Story) -> Result<(), Failure> {
        story.step("Stop the operator");
        let status = self.operator.terminate(STOP_DEADLINE).await?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("it ended with {status}").into())
        }
    }

    /// Waits until the object's status is as wanted.
    async fn see(
        &self,
        awaited: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<DynamicObject, Failure> {
        let matches = |object: &DynamicObject| wanted(&object.data["status"]);
        Ok(await_object(&self.connectors, NAME, awaited, STEP_DEADLINE, matches).await?)
    }

    /// Runs kubectl and shows what it says.
    async fn kubectl(&self, arguments: &[&str]) -> Result<(), Failure> {
        let said = self
            .surroundings
            .control_plane
            .kubectl(arguments)
            .await?
            .success()?;
        said.lines().for_each(show);
        Ok(())
    }

    /// Leaves everything that still runs up, and says how to reach it.
    async fn stay(&mut self) -> Result<(), Failure> {
        println!("\nEverything stays up until Ctrl-C. In another terminal:\n");
        println!("{}", self.surroundings.how_to_look_around(&[]));
        println!("  operator:   http://{}/metrics", self.operator.address());
        println!("  its log:    {}", self.operator.process().log().display());
        Ok(asked_to_end().await?)
    }

    /// What a person wants to see when a step failed.
    async fn explain(&self, story: &Story, failure: &Failure) {
        eprintln!("\n✗ {}: {failure}", story.current());
        let get = ["get", "sso", "--namespace", NAMESPACE, "--output=yaml"];
        match self.surroundings.control_plane.kubectl(&get).await {
            Ok(output) => eprintln!("--- the object ---\n{}{}", output.stdout, output.stderr),
            Err(error) => eprintln!("--- the object: {error} ---"),
        }
        eprintln!(
            "--- the operator's last lines ---\n{}",
            self.operator.tail()
        );
    }
}

/// Whether a condition of the status is True.
fn condition(status: &Value, kind: &str) -> bool {
    let conditions = status["conditions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}
