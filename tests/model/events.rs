//! What people do, at the API server and at Cloudflare, and what befalls the operator.

use cloudflare_sso_operator::cloudflare::{Changes, Creation};
use cloudflare_sso_operator::resource::{DeletionPolicy, ENABLE_AT, ManagementPolicy};

use crate::cloudflare::{Creator, DOMAIN, Item};
use crate::cluster::{Copy, Crd, NAMES, Name};
use crate::nevers::{Deed, applied};
use crate::scene::Scene;
use crate::universe::Universe;

/// What is in the Secret that an object names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Secret {
    Good,
    Absent,
    /// A token that Cloudflare does not accept.
    Refused,
}

/// What somebody outside the operator does, or what befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    // The user, at the API server.
    SetEnabled(Name, Option<bool>),
    SetPolicy(Name, DeletionPolicy),
    Suspend(Name, bool),
    Observe(Name, bool),
    /// An edit that is none of the operator's business.
    Label(Name),
    /// A new value of the enable-at annotation.
    EnableAt(Name),
    Delete(Name),
    /// Applies the object if it is not there.
    Apply(Name),
    /// Deletes and applies it again at once.
    Replace(Name),
    WipeStatus(Name),
    Secret(Name, Secret),
    /// The definition is deleted, and with it every object.
    CrdGoes,
    /// What kept it is taken off by force, and it is applied again: objects that still carry a finalizer come back.
    CrdReturns,
    // People, at Cloudflare.
    PersonEnables(bool),
    PersonDeletes,
    PersonCreates,
    Txt,
    // What befalls the operator.
    /// The watch brings nothing any more.
    Freeze,
    Thaw,
    /// The leader is paused beyond its lease, and the other replica takes over.
    TakeOver,
}

impl Universe {
    pub fn passes(&mut self) {
        let now = self.now;
        self.cloudflare.passes(now);
        let verified = self.cloudflare.items.iter().all(Item::is_verified);
        self.ledger.verified(verified, now);
    }

    /// Something happens. Whether it makes a difference.
    pub fn happens(&mut self, scene: &Scene, event: Event) -> bool {
        let now = self.now;
        match event {
            Event::SetEnabled(name, enabled) => {
                let edited = self
                    .cluster
                    .edit(name, |object| object.spec.enabled = enabled);
                if edited {
                    self.ledger.wants(enabled);
                }
                edited
            }
            Event::SetPolicy(name, policy) => self
                .cluster
                .edit(name, |object| object.spec.deletion_policy = Some(policy)),
            Event::Suspend(name, suspend) => self
                .cluster
                .edit(name, |object| object.spec.suspend = suspend.then_some(true)),
            Event::Observe(name, observe) => self.cluster.edit(name, |object| {
                object.spec.management_policy = observe.then_some(ManagementPolicy::Observe);
            }),
            Event::Label(name) => self.cluster.edit(name, |object| {
                let labels = object.metadata.labels.get_or_insert_default();
                if labels.remove("label").is_none() {
                    labels.insert("label".to_owned(), "any".to_owned());
                }
            }),
            Event::EnableAt(name) => {
                let edited = self.cluster.edit(name, |object| {
                    let annotations = object.metadata.annotations.get_or_insert_default();
                    let value = annotations.entry(ENABLE_AT.to_owned()).or_default();
                    value.push('x');
                });
                if edited {
                    self.ledger.hand = None;
                }
                edited
            }
            Event::Delete(name) => {
                // Whoever inherits a verified connector that is not enabled does not know why.
                self.ledger.excuse = true;
                self.cluster.delete(name)
            }
            Event::Apply(name) => {
                let free = self.cluster.objects[name].is_none() && self.cluster.crd == Crd::Stands;
                if free {
                    self.ledger.status_lost(now);
                    self.cluster.create(name, scene.specs[name].clone());
                }
                free
            }
            Event::Replace(name) => {
                self.happens(scene, Event::Delete(name)) && self.happens(scene, Event::Apply(name))
            }
            Event::WipeStatus(name) => {
                let wiped = self.cluster.wipe_status(name);
                if wiped {
                    self.ledger.status_lost(now);
                    self.ledger.forgotten = true;
                }
                wiped
            }
            Event::Secret(name, secret) => {
                let before = std::mem::replace(&mut self.secrets[name], secret);
                before != secret
            }
            Event::CrdGoes => {
                let stood = self.cluster.crd == Crd::Stands;
                for name in 0..NAMES {
                    self.cluster.delete(name);
                }
                self.cluster.crd = Crd::GoesAway;
                stood
            }
            Event::CrdReturns => {
                let went = self.cluster.crd != Crd::Stands;
                self.cluster.crd = Crd::Stands;
                self.cluster.edition += u8::from(went);
                went
            }
            Event::PersonEnables(_) | Event::PersonDeletes | Event::PersonCreates => {
                self.person_acts(event)
            }
            Event::Txt => {
                let before = std::mem::replace(&mut self.cloudflare.txt, true);
                self.passes();
                !before
            }
            Event::Freeze => self.freeze(true),
            Event::Thaw => self.freeze(false),
            Event::TakeOver => {
                let other = 1 - self.leader;
                let free = self.processes[other].is_none() && self.processes[self.leader].is_some();
                if free {
                    self.leader = other;
                    self.start();
                    self.ledger.excuse = true;
                }
                free
            }
        }
    }

    fn freeze(&mut self, frozen: bool) -> bool {
        match &mut self.processes[self.leader] {
            Some(process) if process.frozen != frozen => {
                process.frozen = frozen;
                true
            }
            _ => false,
        }
    }

    fn person_acts(&mut self, event: Event) -> bool {
        let now = self.now;
        let first = self.cloudflare.items.first().cloned();
        let mut objects = self.cluster.objects.iter().flatten();
        match (event, first) {
            (Event::PersonEnables(enabled), Some(item)) => {
                let was_applied = objects.find_map(applied);
                let changes = Changes {
                    enabled: Some(enabled),
                    ..Changes::default()
                };
                let differs = item.is_enabled() != enabled;
                let id = &item.connector.id;
                let done = differs && self.cloudflare.update(id, changes, now).is_ok();
                if done {
                    self.ledger.hand_changes(was_applied, enabled);
                }
                done
            }
            (Event::PersonDeletes, Some(item)) => {
                let id = &item.connector.id;
                let bound = |copy: &&Copy| copy.stored.record.connector.as_ref() == Some(id);
                let was_applied = objects.filter(bound).find_map(applied);
                let _ = self.cloudflare.delete(id, now);
                self.ledger.hand_deletes(was_applied);
                true
            }
            (Event::PersonCreates, None) => {
                let creation = Creation {
                    email_domain: DOMAIN.parse().unwrap(),
                    begin_verification: true,
                    use_fedramp_language: None,
                };
                let _ = self.cloudflare.create(&creation, Creator::Person, now);
                self.ledger.excuse = true;
                let hand = &mut self.ledger.hand;
                hand.take_if(|hand| hand.deed == Deed::Deleted);
                true
            }
            _ => false,
        }
    }
}
