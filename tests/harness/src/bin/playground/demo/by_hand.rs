//! The life of a connector whose TXT record a person publishes.

use simulator::{Calls, Operation, RecordDraft};

use super::{DOMAIN, SECRET, Stage, condition};
use crate::Failure;
use crate::story::{Story, show};
use crate::surroundings::ACCOUNT;

const SAMPLE: &str = "deploy/samples/delete-with-the-object.yaml";

impl Stage {
    /// Tells it, until nothing is left of it but the record.
    pub(super) async fn play_by_hand(&self, story: &mut Story) -> Result<(), Failure> {
        story.step("Put the API token into a Secret");
        self.store_token(SECRET, &self.surroundings.token).await?;
        let rows = self.apply(story, SAMPLE).await?;
        self.publish_record(story).await?;
        self.verify_and_enable(story).await?;
        story.step("Delete the object, which says deletionPolicy: Delete");
        self.delete_object().await?;
        drop(rows);
        self.was_removed()
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
        let draft = RecordDraft::txt(DOMAIN, &value);
        self.admin().create_record(&self.zone, draft)?;
        self.show_zone();
        Ok(())
    }

    async fn verify_and_enable(&self, story: &mut Story) -> Result<(), Failure> {
        story.step("Wait until Cloudflare has verified the domain");
        self.see("to be Verified", |status| condition(status, "Verified"))
            .await?;
        story.step("Wait until SSO is enabled");
        self.until_enabled().await
    }

    /// Cloudflare saw it disabled first.
    fn was_removed(&self) -> Result<(), Failure> {
        let left = self.admin().connectors(ACCOUNT);
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
