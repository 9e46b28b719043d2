//! Cloudflare as the model knows it: the truth, and every earlier truth, since reads may lag.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Changes, Connector, Creation, Verification, VerificationStatus,
};
use cloudflare_sso_operator::identity::ConnectorId;
use k8s_openapi::jiff::Timestamp;

pub const DOMAIN: &str = "example.com";

/// Cloudflare's clock when the model begins. The operator's clock has nothing to do with it.
const EPOCH: i64 = 1_790_000_000;

/// After this long Cloudflare gives up looking for the TXT record.
const GIVES_UP_AFTER: Duration = Duration::from_hours(48);

/// Who created a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creator {
    Operator,
    Person,
}

#[derive(Debug, Clone)]
pub struct Item {
    pub connector: Connector,
    pub creator: Creator,
    pub born: Duration,
    /// When the verification was last begun.
    begun: Option<Duration>,
}

impl Item {
    pub fn status(&self) -> Option<&VerificationStatus> {
        self.connector.verification.as_ref()?.status.as_ref()
    }

    pub fn is_verified(&self) -> bool {
        self.status() == Some(&VerificationStatus::Verified)
    }

    pub fn is_enabled(&self) -> bool {
        self.connector.enabled == Some(true)
    }

    fn set_status(&mut self, status: VerificationStatus) {
        if let Some(verification) = &mut self.connector.verification {
            verification.status = Some(status);
        }
    }
}

/// Why Cloudflare does not do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    SuchConnector,
    Verification,
}

#[derive(Debug)]
pub struct Cloudflare {
    versions: Vec<(Duration, Vec<Item>)>,
    made: u32,
    /// Whether the TXT record is published.
    pub txt: bool,
}

impl Cloudflare {
    pub fn new() -> Self {
        Self {
            versions: vec![(Duration::ZERO, Vec::new())],
            made: 0,
            txt: false,
        }
    }

    /// The truth.
    pub fn items(&self) -> &[Item] {
        &self.versions.last().unwrap().1
    }

    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items()
            .iter()
            .find(|item| item.connector.id.as_str() == id)
    }

    /// What was true at that time.
    pub fn items_at(&self, time: Duration) -> &[Item] {
        let after = self.versions.partition_point(|(since, _)| *since <= time);
        &self.versions[after.saturating_sub(1)].1
    }

    /// The `Date` header: whole seconds.
    pub fn date(now: Duration) -> Timestamp {
        Timestamp::from_second(EPOCH + i64::try_from(now.as_secs()).unwrap()).unwrap()
    }

    /// The time of a change, different for each.
    fn stamp(&self, now: Duration) -> Timestamp {
        let exact = now + Duration::from_micros(self.versions.len() as u64 % 1000);
        Timestamp::from_second(EPOCH).unwrap() + exact
    }

    fn change(&mut self, now: Duration, change: impl FnOnce(&mut Vec<Item>)) {
        let mut items = self.items().to_vec();
        change(&mut items);
        self.versions.push((now, items));
    }

    fn change_item(
        &mut self,
        id: &ConnectorId,
        now: Duration,
        change: impl FnOnce(&mut Item),
    ) -> Result<(), No> {
        let stamp = self.stamp(now);
        if self.item(id.as_str()).is_none() {
            return Err(No::SuchConnector);
        }
        self.change(now, |items| {
            let item = items.iter_mut().find(|item| item.connector.id == *id);
            let item = item.expect("it was found above");
            change(item);
            item.connector.updated_on = Some(stamp);
        });
        Ok(())
    }

    pub fn create(&mut self, creation: &Creation, creator: Creator, now: Duration) -> Connector {
        self.made += 1;
        let stamp = self.stamp(now);
        let begins = creation.begin_verification;
        let status = if begins {
            VerificationStatus::Pending
        } else {
            VerificationStatus::Awaiting
        };
        let connector = Connector {
            id: format!("{:032x}", self.made).parse().unwrap(),
            email_domain: creation.email_domain.to_string(),
            enabled: Some(false),
            use_fedramp_language: Some(creation.use_fedramp_language.unwrap_or(false)),
            created_on: Some(stamp),
            updated_on: Some(stamp),
            verification: Some(Verification {
                code: Some(format!("cloudflare_dashboard_sso={:032x}", self.made)),
                status: Some(status),
            }),
        };
        let item = Item {
            connector: connector.clone(),
            creator,
            born: now,
            begun: begins.then_some(now),
        };
        self.change(now, |items| items.push(item));
        connector
    }

    pub fn update(&mut self, id: &ConnectorId, changes: Changes, now: Duration) -> Result<(), No> {
        if changes.enabled == Some(true)
            && self
                .item(id.as_str())
                .is_some_and(|item| !item.is_verified())
        {
            return Err(No::Verification);
        }
        self.change_item(id, now, |item| {
            let connector = &mut item.connector;
            connector.enabled = changes.enabled.or(connector.enabled);
            connector.use_fedramp_language = changes
                .use_fedramp_language
                .or(connector.use_fedramp_language);
        })
    }

    pub fn delete(&mut self, id: &ConnectorId, now: Duration) -> Result<(), No> {
        self.change_item(id, now, |_| {})?;
        self.change(now, |items| items.retain(|item| item.connector.id != *id));
        Ok(())
    }

    pub fn begin_verification(&mut self, id: &ConnectorId, now: Duration) -> Result<(), No> {
        self.change_item(id, now, |item| {
            if !item.is_verified() {
                item.set_status(VerificationStatus::Pending);
                item.begun = Some(now);
            }
        })
    }

    /// The verification of the first connector fails or lapses.
    pub fn lose_verification(&mut self, status: VerificationStatus, now: Duration) {
        if let Some(id) = self.items().first().map(|item| item.connector.id.clone()) {
            let _ = self.change_item(&id, now, |item| item.set_status(status));
        }
    }

    /// Cloudflare looks for the TXT record, or gives up.
    pub fn look_for_txt(&mut self, now: Duration) {
        let txt = self.txt;
        let waiting: Vec<_> = self
            .items()
            .iter()
            .filter(|item| item.status() == Some(&VerificationStatus::Pending))
            .map(|item| (item.connector.id.clone(), item.begun.unwrap_or(item.born)))
            .collect();
        for (id, begun) in waiting {
            if txt {
                let _ = self.change_item(&id, now, |item| {
                    item.set_status(VerificationStatus::Verified);
                });
            } else if now > begun + GIVES_UP_AFTER {
                let _ = self.change_item(&id, now, |item| {
                    item.set_status(VerificationStatus::Failed);
                });
            }
        }
    }
}
