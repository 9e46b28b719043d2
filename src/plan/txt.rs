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

/// Whether the record can be seen, and could not when this process last began the verification. So what DNS shows may hasten
/// a beginning once, and another one only after the record has been away.
pub(super) fn has_appeared(world: &World<'_>, connector: &Connector) -> bool {
    let Some(code) = connector.code() else {
        return false;
    };
    let shows = |txt: &Txt| matches!(txt, Txt::Seen(sight) if sight.shows(&code));
    let before = world.memory.begun_with.as_ref();
    shows(&world.observed.txt) && !before.is_some_and(shows)
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
