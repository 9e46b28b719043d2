//! Cloudflare as the model knows it: the truth, and the earlier truths that a lagging read may still show.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Changes, Class, Connector, Creation, Verification, VerificationStatus,
};
use cloudflare_sso_operator::identity::ConnectorId;

use crate::axis::{Axis, date};

pub const DOMAIN: &str = "example.com";

/// Who created a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Creator {
    Operator,
    Person,
}

/// What Cloudflare does when a connector for the domain is there already. It does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Second {
    Allowed,
    Refused,
    ReturnsTheFirst,
}

#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Item {
    pub connector: Connector,
    pub creator: Creator,
    pub born: Duration,
}

impl Item {
    pub fn is_verified(&self) -> bool {
        self.status() == Some(&VerificationStatus::Verified)
    }

    pub fn is_enabled(&self) -> bool {
        self.connector.enabled == Some(true)
    }

    pub fn status(&self) -> Option<&VerificationStatus> {
        self.connector.verification.as_ref()?.status.as_ref()
    }

    fn set_status(&mut self, status: VerificationStatus) {
        if let Some(verification) = &mut self.connector.verification {
            verification.status = Some(status);
        }
    }
}

#[derive(Debug, Clone, Hash)]
pub struct Cloudflare {
    pub items: Vec<Item>,
    /// Earlier truths, the newest first, each with the time at which it ended.
    pub past: Vec<(Duration, Vec<Item>)>,
    /// How far a read may lag.
    pub lag: Duration,
    pub second: Second,
    /// Whether the TXT record is published.
    pub txt: bool,
    made: u8,
}

impl Cloudflare {
    pub fn new(lag: Duration, second: Second) -> Self {
        Self {
            items: Vec::new(),
            past: Vec::new(),
            lag,
            second,
            txt: false,
            made: 0,
        }
    }

    pub fn retime(&mut self, axis: &mut Axis) {
        let past = self.past.iter_mut().map(|(ended, items)| {
            axis.visit(ended);
            items
        });
        let mut all: Vec<&mut Vec<Item>> = past.collect();
        all.push(&mut self.items);
        for item in all.into_iter().flatten() {
            axis.connector(&mut item.connector);
            axis.visit(&mut item.born);
        }
    }

    pub fn item(&self, id: &ConnectorId) -> Option<&Item> {
        self.items.iter().find(|item| item.connector.id == *id)
    }

    /// What a read shows: the truth, or the one that ended so many changes ago.
    pub fn seen(&self, behind: u8) -> Option<&[Item]> {
        match behind.checked_sub(1) {
            None => Some(&self.items),
            Some(index) => Some(&self.past.get(usize::from(index))?.1),
        }
    }

    /// Time has passed: what is too long ago is not shown any more, and the TXT record is looked for.
    pub fn passes(&mut self, now: Duration) {
        let lag = self.lag;
        self.past.retain(|(ended, _)| *ended + lag > now);
        if self.txt {
            let waits = |item: &Item| item.status() == Some(&VerificationStatus::Pending);
            if self.items.iter().any(waits) {
                self.change(now, |items| {
                    for item in items.iter_mut().filter(|item| waits(item)) {
                        item.set_status(VerificationStatus::Verified);
                        touch(item, now);
                    }
                });
            }
        }
    }

    /// From now on every read shows the truth.
    pub fn reveal(&mut self) {
        self.past.clear();
    }

    fn change(&mut self, now: Duration, change: impl FnOnce(&mut Vec<Item>)) {
        let before = self.items.clone();
        change(&mut self.items);
        if !self.lag.is_zero() && self.items != before {
            self.past.insert(0, (now, before));
        }
    }

    fn change_item(
        &mut self,
        id: &ConnectorId,
        now: Duration,
        change: impl FnOnce(&mut Item),
    ) -> Result<(), Class> {
        if self.item(id).is_none() {
            return Err(Class::Gone);
        }
        self.change(now, |items| {
            let item = items.iter_mut().find(|item| item.connector.id == *id);
            let item = item.expect("it was found above");
            change(item);
            touch(item, now);
        });
        Ok(())
    }

    /// What a POST is answered.
    pub fn create(
        &mut self,
        creation: &Creation,
        creator: Creator,
        now: Duration,
    ) -> Result<Connector, Class> {
        if let Some(first) = self.items.first() {
            match self.second {
                Second::Allowed => {}
                // A 409 does not say whether it was us who created the first.
                Second::Refused => return Err(Class::Unavailable),
                Second::ReturnsTheFirst => return Ok(first.connector.clone()),
            }
        }
        self.made += 1;
        let status = if creation.begin_verification {
            VerificationStatus::Pending
        } else {
            VerificationStatus::Awaiting
        };
        let connector = Connector {
            id: format!("{:032x}", self.made).parse().unwrap(),
            email_domain: creation.email_domain.to_string(),
            enabled: Some(false),
            use_fedramp_language: Some(creation.use_fedramp_language.unwrap_or(false)),
            created_on: Some(date(now)),
            updated_on: Some(date(now)),
            verification: Some(Verification {
                code: Some(format!("cloudflare_dashboard_sso={:032x}", self.made)),
                status: Some(status),
            }),
        };
        let item = Item {
            connector: connector.clone(),
            creator,
            born: now,
        };
        self.change(now, |items| items.push(item));
        Ok(connector)
    }

    pub fn update(
        &mut self,
        id: &ConnectorId,
        changes: Changes,
        now: Duration,
    ) -> Result<(), Class> {
        let enables = changes.enabled == Some(true);
        if enables && self.item(id).is_some_and(|item| !item.is_verified()) {
            return Err(Class::Rejected);
        }
        self.change_item(id, now, |item| {
            let connector = &mut item.connector;
            connector.enabled = changes.enabled.or(connector.enabled);
            let wording = &mut connector.use_fedramp_language;
            *wording = changes.use_fedramp_language.or(*wording);
        })
    }

    pub fn begin_verification(&mut self, id: &ConnectorId, now: Duration) -> Result<(), Class> {
        self.change_item(id, now, |item| {
            if !item.is_verified() {
                item.set_status(VerificationStatus::Pending);
            }
        })
    }

    pub fn delete(&mut self, id: &ConnectorId, now: Duration) -> Result<(), Class> {
        if self.item(id).is_none() {
            return Err(Class::Gone);
        }
        self.change(now, |items| items.retain(|item| item.connector.id != *id));
        Ok(())
    }
}

/// Each change has a time of its own.
fn touch(item: &mut Item, now: Duration) {
    let after = item
        .connector
        .updated_on
        .map(|last| last + Duration::from_micros(1));
    item.connector.updated_on = after.max(Some(date(now)));
}
