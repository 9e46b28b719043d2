//! A pass over one object, as far as it has come, and how its next contact may end.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Class, Connector};
use cloudflare_sso_operator::plan::{
    Access, Act, Claim, Credentials, Definition, Namespace, Observed, Publisher, Rival, Txt,
};

use crate::axis::Axis;
use crate::cluster::{Copy, Name};
use crate::nevers::Confirmation;
use crate::process::Listing;
use crate::scene::Rules;

/// How a contact ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Works,
    /// It is a read, and it shows the state of so many changes ago.
    Lags(u8),
    /// No answer, and nothing was done.
    Fails,
    /// The connection is refused.
    Refused,
    /// No answer, but it was done.
    Lost,
}

/// A pass under way.
#[derive(Debug, Clone, Hash)]
pub struct Pass {
    pub copy: Copy,
    pub rivals: Vec<(Copy, Access)>,
    pub credentials: Credentials,
    pub claim: Claim,
    pub listing: Option<Listing>,
    pub definition: Definition,
    /// What the API server said of the object and of its heirs, if nothing was looked at since.
    pub confirmed: Option<Confirmation>,
    pub acted: bool,
    pub stage: Stage,
}

#[derive(Debug, Clone, Hash)]
pub enum Stage {
    /// The plan is asked.
    Asking,
    /// What the plan said is stored, and the call is about to be made.
    About(Act),
    /// Cloudflare has done what it does, and the answer is on its way.
    Sent(Act, Result<Option<Connector>, Class>),
}

/// How a pass ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Rest(Duration),
    Conflict,
    Kubernetes,
}

/// What follows from a step.
pub enum Next {
    Contact,
    Goes,
    Ends(End),
}

/// Whose pass it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat {
    pub process: usize,
    pub name: Name,
}

/// One contact that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Contact<'r> {
    pub rules: &'r Rules,
    pub seat: Seat,
    pub outcome: Outcome,
}

impl Pass {
    /// In which ways, beside working, its next contact may end.
    pub fn troubles(&self) -> &'static [Outcome] {
        match self.stage {
            Stage::Asking => &[Outcome::Fails, Outcome::Lost],
            Stage::About(_) => &[Outcome::Fails, Outcome::Refused],
            Stage::Sent(_, Ok(_)) => &[Outcome::Lost],
            Stage::Sent(_, Err(_)) => &[],
        }
    }

    pub fn copies(&mut self) -> impl Iterator<Item = &mut Copy> {
        let rivals = self.rivals.iter_mut().map(|(copy, _)| copy);
        let confirmed = self.confirmed.iter_mut().map(|seen| &mut seen.copy);
        std::iter::once(&mut self.copy)
            .chain(rivals)
            .chain(confirmed)
    }

    pub fn retime(&mut self, axis: &mut Axis) {
        axis.claim(&mut self.claim);
        self.listing
            .iter_mut()
            .for_each(|listing| listing.retime(axis));
        let act = match &mut self.stage {
            Stage::Asking => return,
            Stage::About(act) => act,
            Stage::Sent(act, answer) => {
                if let Ok(Some(connector)) = answer {
                    axis.connector(connector);
                }
                act
            }
        };
        match act {
            Act::Create {
                attempt, begin_by, ..
            } => {
                axis.timestamp(attempt);
                axis.moment(begin_by);
            }
            Act::BeginVerification { begun, before, .. } => {
                axis.begun(begun);
                axis.begun(before);
            }
            Act::Update { .. } | Act::Delete(_) | Act::Publish { .. } | Act::Unpublish { .. } => {}
        }
    }

    pub fn observed(&self) -> Observed {
        let rival = |(copy, access): &(Copy, Access)| Rival {
            desired: copy.stored.desired.clone(),
            record: copy.stored.record.clone(),
            access: *access,
            name: None,
        };
        Observed {
            credentials: self.credentials.clone(),
            claim: self.claim,
            listing: self
                .listing
                .as_ref()
                .map(|listing| listing.snapshot.clone()),
            rivals: self.rivals.iter().map(rival).collect(),
            namespace: Namespace::Stays,
            definition: self.definition,
            object_confirmed: self.confirmed.is_some(),
            // A person publishes the record, and nobody asks DNS.
            txt: Txt::Off,
            publisher: Publisher::Unread,
        }
    }

    /// The other objects of the pair as they were seen last.
    pub fn rivals(&self) -> impl Iterator<Item = &Copy> {
        self.rivals.iter().map(|(copy, _)| copy)
    }
}
