//! The life of a connector whose TXT record the operator publishes: one `kubectl apply`, and nobody touches DNS.

use kube::ResourceExt as _;
use simulator::DnsRecord;

use super::{NAME, NAMESPACE, STEP_DEADLINE, Stage};
use crate::Failure;
use crate::story::{Story, show};
use crate::surroundings::ACCOUNT;

const SAMPLE: &str = "deploy/samples/hands-free.yaml";
/// The Secret in the sample whose token may edit DNS.
const DNS_SECRET: &str = "cloudflare-dns-token";

impl Stage {
    /// Tells it. What others have in the zone is there before and after.
    pub(super) async fn play_hands_free(&self, story: &mut Story) -> Result<(), Failure> {
        let before = self.admin().records(&self.zone);
        story.step("Put a token that may edit DNS into a Secret of its own");
        self.store_token(DNS_SECRET, &self.surroundings.dns_token)
            .await?;
        let rows = self.apply(story, SAMPLE).await?;
        story.step("Do nothing, and wait until SSO is enabled");
        self.until_enabled().await?;
        self.show_zone();
        self.was_published_beside(&before)?;

        story.step("Set deletionPolicy: Delete, and delete the object");
        self.let_deletion_count().await?;
        self.delete_object().await?;
        drop(rows);
        self.is_as_before(&before)
    }

    fn was_published_beside(&self, before: &[DnsRecord]) -> Result<(), Failure> {
        let after = self.admin().records(&self.zone);
        match after.strip_prefix(before) {
            Some([_]) => Ok(()),
            _ => Err(format!("the zone has {after:?}, not {before:?} and one more").into()),
        }
    }

    async fn let_deletion_count(&self) -> Result<(), Failure> {
        let policy = r#"{"spec":{"deletionPolicy":"Delete"}}"#;
        let patch = ["patch", "sso", NAME, "--namespace", NAMESPACE];
        self.kubectl(&[&patch[..], &["--type=merge", "--patch", policy]].concat())
            .await?;
        // It counts once the finalizer is there.
        harness::await_object(
            &self.connectors,
            NAME,
            "to have the finalizer",
            STEP_DEADLINE,
            |object| !object.finalizers().is_empty(),
        )
        .await?;
        Ok(())
    }

    fn is_as_before(&self, before: &[DnsRecord]) -> Result<(), Failure> {
        let connectors = self.admin().connectors(ACCOUNT);
        let records = self.admin().records(&self.zone);
        if !connectors.is_empty() || records != before {
            return Err(format!("Cloudflare has {connectors:?} and {records:?}").into());
        }
        self.show_zone();
        show(
            "Cloudflare agrees: connector and record are gone, the other records are as they were",
        );
        Ok(())
    }
}
