//! `playground demo`: the whole life of one connector, as a user sees it, checked at Cloudflare's end.

use std::path::PathBuf;
use std::time::Duration;

use harness::{Operator, OperatorOptions, await_gone, await_object};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;
use simulator::{Calls, Operation};

use crate::story::{Rows, Story, show};
use crate::surroundings::{
    ACCOUNT, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, Surroundings, repository,
};
use crate::{Failure, asked_to_end};

const NAMESPACE: &str = "sso-demo";
const SAMPLE: &str = "deploy/samples/delete-with-the-object.yaml";
/// The object in the sample, and its domain.
const NAME: &str = "example-com";
const DOMAIN: &str = "example.com";
/// What is scaled so that the story is told within a minute, and where the Lease is: there is no Pod.
const OPERATOR_FLAGS: [&str; 4] = [
    "--poll-unverified",
    "1s",
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
        ended = asked_to_end() => Err(ended.err().unwrap_or_else(|| "interrupted".into())),
        outcome = part => outcome,
    }
}

/// Who takes part.
struct Stage {
    operator: Operator,
    connectors: Api<DynamicObject>,
    surroundings: Surroundings,
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
        Ok(Self {
            operator,
            connectors,
            surroundings,
        })
    }

    async fn play(&mut self, story: &mut Story) -> Result<(), Failure> {
        story.step(format!(
            "Run the operator as {OPERATOR_NAMESPACE}/{OPERATOR_ACCOUNT}"
        ));
        self.operator.until_ready(STEP_DEADLINE).await?;
        self.apply(story).await?;
        let rows = Rows::follow(&self.surroundings.control_plane, NAMESPACE, NAME)?;
        self.publish_record(story).await?;
        self.verify_and_enable(story).await?;
        self.delete(story).await?;
        drop(rows);
        Ok(())
    }

    async fn apply(&self, story: &mut Story) -> Result<(), Failure> {
        story.step("Put the API token into a Secret");
        self.kubectl(&["create", "namespace", NAMESPACE]).await?;
        let value = format!("--from-literal=api-token={}", self.surroundings.token);
        let secret = [
            "create",
            "secret",
            "generic",
            "cloudflare-api-token",
            &value,
        ];
        self.kubectl(&[&secret[..], &["--namespace", NAMESPACE]].concat())
            .await?;
        story.step(format!("Apply {SAMPLE}"));
        let path = repository().join(SAMPLE);
        let path = path.to_str().ok_or("the path of the checkout is no text")?;
        self.kubectl(&["apply", "--namespace", NAMESPACE, "--filename", path])
            .await
    }

    async fn publish_record(&self, story: &mut Story) -> Result<(), Failure> {
        story.step("Wait for the TXT record to publish");
        let object = self
            .see("to show a DNS record", |status| {
                status["dnsRecord"]["value"].is_string()
            })
            .await?;
        let record = &object.data["status"]["dnsRecord"];
        let field = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let value = field("value");
        show(&format!(
            "{}  {}  \"{value}\"",
            field("name"),
            field("type")
        ));
        story.step("Publish it, as the domain's owner does");
        self.surroundings
            .simulator
            .admin()
            .publish_txt(DOMAIN, &value);
        Ok(())
    }

    async fn verify_and_enable(&self, story: &mut Story) -> Result<(), Failure> {
        story.step("Wait until Cloudflare has verified the domain");
        self.see("to be Verified", |status| condition(status, "Verified"))
            .await?;
        story.step("Wait until SSO is enabled");
        self.see("to be Enabled and Ready", |status| {
            condition(status, "Enabled") && condition(status, "Ready")
        })
        .await?;
        let connectors = self.surroundings.simulator.admin().connectors(ACCOUNT);
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

    async fn delete(&self, story: &mut Story) -> Result<(), Failure> {
        story.step("Delete the object, which says deletionPolicy: Delete");
        let object = self.connectors.get(NAME).await?;
        self.kubectl(&[
            "delete",
            "sso",
            NAME,
            "--namespace",
            NAMESPACE,
            "--wait=false",
        ])
        .await?;
        await_gone(&self.connectors, &object, DELETION_DEADLINE).await?;
        let left = self.surroundings.simulator.admin().connectors(ACCOUNT);
        if !left.is_empty() {
            return Err(format!("Cloudflare still has {left:?}").into());
        }
        let calls = self.surroundings.simulator.calls().committed().mutations();
        if !was_disabled_then_deleted(&calls) {
            return Err(format!("Cloudflare did not see PATCH, then DELETE: {calls:?}").into());
        }
        show("Cloudflare agrees: disabled first, then deleted");
        Ok(())
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
        asked_to_end().await
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

/// Whether the last two changes at Cloudflare were a PATCH that disables and a DELETE.
fn was_disabled_then_deleted(calls: &Calls) -> bool {
    let [.., patch, delete] = calls.as_slice() else {
        return false;
    };
    let disables = patch
        .body
        .as_ref()
        .is_some_and(|body| body["enabled"] == false);
    patch.operation == Operation::Update && disables && delete.operation == Operation::Delete
}
