//! What DNS shows of the TXT record. Advice for people, with one consequence: a verification on which Cloudflare gave up is
//! begun again at once when the record has appeared. Cloudflare's own answer is never overruled by it, nor waited with.

use super::verdict::{Finding, Said};
use super::world::Txt;
use super::{Look, World, messages, verification};
use crate::cloudflare::{Connector, VerificationCode};
use crate::dns::Sight;
use crate::resource::{Reason, Truth};

/// The look to take, unless one was taken in this pass. Only what is not verified is looked for.
pub(super) fn look(world: &World<'_>, connector: &Connector) -> Option<Look> {
    wanted(connector).filter(|_| world.observed.txt == Txt::Unasked)?;
    Some(Look::Txt {
        not_before: world.no_older_than(world.timing.dns_interval),
    })
}

/// What is to be said of it.
pub(super) fn said(world: &World<'_>, connector: &Connector) -> Said {
    let Some(code) = wanted(connector) else {
        return Said::Cleared;
    };
    match &world.observed.txt {
        Txt::Off => Said::Cleared,
        Txt::Unasked | Txt::Unknown => Said::Kept,
        Txt::Seen(sight) => {
            let reason = reason(sight, &code);
            let truth = match reason {
                Reason::Found => Truth::True,
                Reason::LookupFailed => Truth::Unknown,
                _ => Truth::False,
            };
            let message = messages::dns::seen(world.desired, sight, &code);
            Said::Now(truth, Finding::new(reason, message))
        }
    }
}

/// Whether the record has come to be seen since the verification was last begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appearance {
    /// It cannot be seen, or could be seen before: a beginning is hastened once, and another one only after the record has
    /// been away.
    No,
    /// It can be seen, and could not be seen before.
    Yes,
    /// It can be seen, and this process has not known it otherwise, nor begun the verification.
    Perhaps,
}

pub(super) fn appearance(world: &World<'_>, connector: &Connector) -> Appearance {
    let code = connector.code();
    let shows = |txt: &Txt| {
        let sight = match txt {
            Txt::Seen(sight) => Some(sight),
            Txt::Unasked | Txt::Off | Txt::Unknown => None,
        };
        let code = code.as_ref();
        sight
            .zip(code)
            .is_some_and(|(sight, code)| sight.shows(code))
    };
    if !shows(&world.observed.txt) {
        return Appearance::No;
    }
    match (&world.memory.begun_with, &world.memory.first_txt) {
        (Some(begun_with), _) if shows(begun_with) => Appearance::No,
        (Some(_), _) => Appearance::Yes,
        (None, Some(first)) if !shows(first) => Appearance::Yes,
        (None, Some(_) | None) => Appearance::Perhaps,
    }
}

fn wanted(connector: &Connector) -> Option<VerificationCode> {
    connector
        .code()
        .filter(|_| !verification::is_verified(connector))
}

fn reason(sight: &Sight, code: &VerificationCode) -> Reason {
    match sight {
        Sight::Codes(codes) if codes.contains(code) => Reason::Found,
        Sight::Codes(_) => Reason::OtherValue,
        Sight::Alias => Reason::CnamePresent,
        Sight::Nothing => Reason::NotFound,
        Sight::NoSuchName => Reason::NoSuchDomain,
        Sight::Failed(_) => Reason::LookupFailed,
    }
}
