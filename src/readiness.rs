//! Whether this process works, or stands by to do so, and if not, why not. The answer is made anew for each question, so
//! nobody has to remember to say that an obstacle is gone.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch::Receiver;

use crate::contact::Contact;
use crate::definition::Judgement;

/// What this process does as one of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// It has not yet seen who holds the Lease.
    #[default]
    Contends,
    /// Another one leads, and this one is ready to take over.
    StandsBy,
    /// It leads, and waits for the list of objects.
    Learns,
    /// It leads, and knows the objects.
    Leads,
}

/// Something that keeps this process from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It is not known who holds the Lease.
    Lease,
    /// The definition is not known to stand.
    Definition(Judgement),
    /// The first list of objects has not come.
    Objects,
    /// A watch does not get through.
    Watch(Watched, Duration),
}

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The objects.
    Objects,
    /// Their definition.
    Definition,
}

/// Tells whether this process is ready.
#[derive(Debug, Clone)]
pub struct Readiness {
    role: Arc<Mutex<Role>>,
    judgements: Receiver<Judgement>,
    objects: Contact,
    definition: Contact,
    limit: Duration,
}

impl Readiness {
    /// Of a process that has just started. A watch that does not get through for longer than `limit` is an obstacle.
    #[must_use]
    pub fn new(
        judgements: Receiver<Judgement>,
        objects: Contact,
        definition: Contact,
        limit: Duration,
    ) -> Self {
        Self {
            role: Arc::default(),
            judgements,
            objects,
            definition,
            limit,
        }
    }

    /// From now on this is what the process does.
    pub fn enter(&self, role: Role) {
        *self.role.lock().unwrap_or_else(PoisonError::into_inner) = role;
    }

    /// What keeps this process from being ready; nothing if it is.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let role = *self.role.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = [
            (Watched::Objects, self.objects.lost_for()),
            (Watched::Definition, self.definition.lost_for()),
        ];
        let lost = lost.into_iter().filter(|(_, span)| *span > self.limit);
        obstacles(role, &self.judgements.borrow(), lost)
    }
}

fn obstacles(
    role: Role,
    judgement: &Judgement,
    lost: impl Iterator<Item = (Watched, Duration)>,
) -> Vec<Obstacle> {
    let own = match (role, judgement) {
        (Role::Contends, _) => Some(Obstacle::Lease),
        (Role::StandsBy, _) | (Role::Leads, Judgement::Stands(_)) => None,
        (Role::Learns, Judgement::Stands(_)) => Some(Obstacle::Objects),
        (Role::Learns | Role::Leads, judgement) => Some(Obstacle::Definition(judgement.clone())),
    };
    let works = matches!(role, Role::Learns | Role::Leads);
    let lost = lost.filter(|_| works);
    own.into_iter()
        .chain(lost.map(|(watched, span)| Obstacle::Watch(watched, span)))
        .collect()
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease => write!(f, "waiting to see who holds the Lease"),
            Self::Objects => write!(f, "waiting for the list of SsoConnector objects"),
            Self::Definition(Judgement::Unread) => {
                write!(f, "waiting for the definition of SsoConnector")
            }
            Self::Definition(judgement) => {
                write!(f, "CrdOutdated: {judgement}{}", judgement.advice())
            }
            Self::Watch(watched, span) => {
                let seconds = span.as_secs();
                write!(f, "the watch of {watched} has failed for {seconds} s")
            }
        }
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Objects => "SsoConnector objects",
            Self::Definition => "the definition of SsoConnector",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Revision;

    #[test]
    fn each_obstacle_has_its_sentence() {
        let stands = Judgement::Stands(Revision::default());
        let outdated = Judgement::Outdated(vec!["spec.suspend".to_owned()]);
        let objects = (Watched::Objects, Duration::from_secs(130));
        let definition = (Watched::Definition, Duration::from_secs(125));
        let lease = "waiting to see who holds the Lease";
        let list = "waiting for the list of SsoConnector objects";
        let read = "waiting for the definition of SsoConnector";
        let lacks = "CrdOutdated: the definition of SsoConnector lacks spec.suspend; apply crds/ of this version";
        let goes = "CrdOutdated: the definition of SsoConnector is being deleted";
        let failing = "the watch of SsoConnector objects has failed for 130 s";
        let failing_definition = "the watch of the definition of SsoConnector has failed for 125 s";
        for (role, judgement, lost, expected) in [
            (Role::Contends, &Judgement::Unread, vec![], vec![lease]),
            (
                Role::Contends,
                &Judgement::Unread,
                vec![objects],
                vec![lease],
            ),
            (Role::StandsBy, &Judgement::Unread, vec![definition], vec![]),
            (Role::Learns, &Judgement::Unread, vec![], vec![read]),
            (Role::Learns, &stands, vec![], vec![list]),
            (Role::Learns, &outdated, vec![], vec![lacks]),
            (Role::Leads, &stands, vec![], vec![]),
            (Role::Leads, &outdated, vec![], vec![lacks]),
            (Role::Leads, &Judgement::Terminating, vec![], vec![goes]),
            (Role::Leads, &stands, vec![objects], vec![failing]),
            (
                Role::Leads,
                &outdated,
                vec![objects, definition],
                vec![lacks, failing, failing_definition],
            ),
        ] {
            let found = obstacles(role, judgement, lost.into_iter());
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{role:?} under {judgement:?}");
        }
    }
}
