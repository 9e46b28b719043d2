//! The life of a connector as Argo CD shows it, and the actions that it offers, by the real controller and the real API server.

use cloudflare_sso_operator::resource::ConditionType;
use harness::{Options, await_gone, await_object};
use simulator::{Failure, Fault, Operation, Repeat};

use super::{
    CONNECTOR, CONNECTORS, CONNECTORS_NAMESPACE, DOMAIN, Deployer, PATIENCE, application,
    connectors,
};
use crate::checkout::Checkout;
use crate::stage::{ACCOUNT, Stage, condition, quick_knobs};

#[tokio::test]
async fn health_follows_the_connector_and_actions_change_it() {
    let stage = Stage::with(Options::default().with_controller_manager(), quick_knobs()).await;
    let deployer = Deployer::set(stage).await;
    let checkout = connectors(&deployer.stage.token, DOMAIN);
    deployer
        .stage
        .apply(&application(CONNECTORS, &checkout))
        .await;
    let message = deployer.until_health(CONNECTORS, "Progressing").await;
    assert_eq!(message, "Waiting for cloudflare-sso-operator");

    let _operator = deployer.stage.operator(&[]).await;
    let message = deployer.until_health(CONNECTORS, "Suspended").await;
    let [created] = deployer
        .stage
        .simulator
        .admin()
        .connectors(ACCOUNT)
        .try_into()
        .unwrap();
    assert!(message.contains(&created.verification_code), "{message}");
    // Nothing waits for the person: the sync is done.
    deployer.until_synced(CONNECTORS).await;

    deployer
        .stage
        .simulator
        .admin()
        .publish_txt(DOMAIN, &created.verification_code);
    deployer.until_health(CONNECTORS, "Healthy").await;
    deployer.what_passes_changes_nothing().await;
    deployer
        .what_is_held_can_be_enabled_again(&created.id, &checkout)
        .await;
    deployer
        .what_is_suspended_stays_so_until_it_is_resumed()
        .await;
    deployer.a_look_can_be_asked_for().await;
    deployer.what_git_drops_waits_for_a_person(&checkout).await;
}

impl Deployer {
    async fn what_passes_changes_nothing(&self) {
        let admin = self.stage.simulator.admin();
        let unavailable = Fault::new(Failure::html(502)).on(Operation::List);
        admin.push_fault(unavailable.repeat(Repeat::Forever));
        let objects = self.stage.objects_in(CONNECTORS_NAMESPACE);
        await_object(
            &objects,
            CONNECTOR,
            "the trouble to show",
            PATIENCE,
            |object| condition(object, ConditionType::Synced).1 == "CloudflareUnavailable",
        )
        .await
        .unwrap();
        self.refresh(CONNECTORS).await;
        let message = self.until_health(CONNECTORS, "Healthy").await;
        assert_eq!(message, "SSO is enforced for example.com.");
        admin.clear_faults();
    }

    async fn what_is_held_can_be_enabled_again(&self, id: &str, checkout: &Checkout) {
        let admin = self.stage.simulator.admin();
        admin.set_enabled(id, false).unwrap();
        let message = self.until_health(CONNECTORS, "Degraded").await;
        assert!(
            message.contains("cloudflare-sso.dev/enable-at"),
            "{message}"
        );
        self.another_sync_succeeds(checkout).await;
        self.act("re-enable").await;
        self.until_health(CONNECTORS, "Healthy").await;
        assert!(admin.connector(id).unwrap().enabled);
    }

    /// Although the connector is Degraded: it is in the last wave.
    async fn another_sync_succeeds(&self, checkout: &Checkout) {
        let path = format!("connectors/{CONNECTOR}.yaml");
        let text = checkout.read(&path);
        checkout.write(
            &path,
            &text.replace("metadata:\n", "metadata:\n  labels: { team: identity }\n"),
        );
        checkout.commit("A label");
        self.refresh(CONNECTORS).await;
        let objects = self.stage.objects_in(CONNECTORS_NAMESPACE);
        await_object(&objects, CONNECTOR, "the label", PATIENCE, |object| {
            object
                .metadata
                .labels
                .as_ref()
                .is_some_and(|labels| labels.contains_key("team"))
        })
        .await
        .unwrap();
        self.until_synced(CONNECTORS).await;
        self.until_health(CONNECTORS, "Degraded").await;
    }

    async fn what_is_suspended_stays_so_until_it_is_resumed(&self) {
        self.act("suspend").await;
        self.until_health(CONNECTORS, "Suspended").await;
        let refreshed = self.refresh(CONNECTORS).await;
        assert_eq!(refreshed.data["status"]["sync"]["status"], "Synced");
        let object = self
            .stage
            .until_ready_in(CONNECTORS_NAMESPACE, CONNECTOR, "Suspended")
            .await;
        assert_eq!(object.spec.suspend, Some(true));

        self.act("resume").await;
        self.until_health(CONNECTORS, "Healthy").await;
        let object = self
            .stage
            .until_ready_in(CONNECTORS_NAMESPACE, CONNECTOR, "Available")
            .await;
        assert_eq!(object.spec.suspend, None, "removed, not false");
    }

    async fn a_look_can_be_asked_for(&self) {
        self.act("reconcile").await;
        let objects = self.stage.objects_in(CONNECTORS_NAMESPACE);
        await_object(
            &objects,
            CONNECTOR,
            "the look to be taken",
            PATIENCE,
            |object| {
                let status = object.status.as_ref();
                status.is_some_and(|status| status.last_handled_reconcile_at.is_some())
            },
        )
        .await
        .unwrap();
        self.refresh(CONNECTORS).await;
        self.until_synced(CONNECTORS).await;
    }

    /// The sample's connector says `Delete`, and so that pruning it is to be confirmed.
    async fn what_git_drops_waits_for_a_person(&self, checkout: &Checkout) {
        let objects = self.stage.objects_in(CONNECTORS_NAMESPACE);
        let object = objects.get(CONNECTOR).await.unwrap();
        checkout.remove(&format!("connectors/{CONNECTOR}.yaml"));
        checkout.commit("No connector");
        self.refresh(CONNECTORS).await;
        self.until(CONNECTORS, "to wait for a confirmation", |status| {
            let message = status["operationState"]["message"].as_str();
            message.is_some_and(|message| message.contains("pruning confirmation"))
        })
        .await;
        let waiting = objects.get(CONNECTOR).await.unwrap();
        assert_eq!(waiting.metadata.deletion_timestamp, None);

        let confirm = ["app", "confirm-deletion", CONNECTORS];
        let confirmed = self.argo_cd.command(&confirm).await.unwrap();
        confirmed.success().unwrap();
        await_gone(&objects, &object, PATIENCE).await.unwrap();
        assert!(self.stage.simulator.admin().connectors(ACCOUNT).is_empty());
    }
}
