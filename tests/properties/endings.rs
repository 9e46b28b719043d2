//! How a world may end once nobody interferes any more.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::VerificationStatus;
use cloudflare_sso_operator::resource::{ConditionType, ENABLE_AT, SsoConnector, find_condition};

use crate::cloudflare::Item;
use crate::cluster::is_terminating;
use crate::model::Model;
use crate::script::{Event, Flaw, MOST_LAG, Sky, Turn};

/// By then everything is settled: a verification that has failed often is begun again every six hours.
const PATIENCE: Duration = Duration::from_hours(24);

/// What the status says of trouble that passes.
const TRANSIENT: [&str; 2] = ["RateLimited", "CloudflareUnavailable"];

/// More passes than any trouble takes.
const MOST_PASSES: u32 = 4_000;

/// "Eventually right": once the trouble has ended and the TXT record is there, the object comes to a good end within a
/// bounded time, and then there is silence: neither the status nor Cloudflare is changed any more, not even by a new
/// process.
pub fn ends_well(model: &mut Model) {
    model.happens(Event::Sky(Sky {
        flaw: Flaw::None,
        ..model.sky
    }));
    model.happens(Event::Suspend(false));
    model.happens(Event::Observe(false));
    model.happens(Event::Secret(true));
    model.happens(Event::Txt(true));
    let patience = model.now + PATIENCE;
    let mut passes = 0;
    while let Err(flaw) = end(model) {
        passes += 1;
        assert!(
            model.now < patience && passes < MOST_PASSES,
            "no good end after {passes} passes at {:?}: {flaw}; {:#?} {:#?}",
            model.now,
            model.cluster.object(),
            model.cloudflare.items(),
        );
        model.play(Turn::Calm(1));
    }
    // What was done last at Cloudflare shows by then.
    model.advance(MOST_LAG);
    model.play(Turn::Calm(4));
    stays_silent(model);
    model.play(Turn::Restart);
    stays_silent(model);
}

/// "The same situation gives the same bytes", and nothing is sent.
fn stays_silent(model: &mut Model) {
    let before = (model.cluster.object().cloned(), model.ledger.mutations);
    model.play(Turn::Calm(20));
    let after = (model.cluster.object().cloned(), model.ledger.mutations);
    assert_eq!(before, after, "silence");
}

/// Whether the object has come to the end that is right for it, or what is wrong.
fn end(model: &Model) -> Result<(), String> {
    let Some(object) = model.cluster.object() else {
        let forgotten = model.process.entry.uid.is_empty();
        return forgotten
            .then_some(())
            .ok_or_else(|| "the process still holds its place".to_owned());
    };
    if is_terminating(object) {
        return Err("it is still going away".to_owned());
    }
    if model.process.is_paused(model.moment()) {
        return Err("Cloudflare has asked for a pause".to_owned());
    }
    let status = object.status.clone().unwrap_or_default();
    let synced = find_condition(&status.conditions, ConditionType::Synced);
    if synced.is_some_and(|synced| TRANSIENT.contains(&synced.reason.as_str())) {
        return Err("the status still speaks of trouble".to_owned());
    }
    let ready = find_condition(&status.conditions, ConditionType::Ready);
    let reason = ready.map_or("", |ready| ready.reason.as_str());
    let bound = status.connector_id.as_deref();
    let item = bound.and_then(|id| model.cloudflare.item(id));
    let spoken = status.observed_generation == object.metadata.generation;
    let right = match (reason, item) {
        ("Available", Some(item)) => is_as_asked(object, item),
        ("AwaitingVerification" | "VerificationFailed" | "VerificationLapsed", Some(item)) => {
            awaits_a_person(object, item)
        }
        ("HeldByExternalChange", Some(item)) => {
            let wanted = object.spec.enabled;
            let differs = wanted.is_some_and(|wanted| wanted != item.is_enabled());
            differs && has_reason_to_hold(model, object)
        }
        ("DeletedExternally", None) => {
            let nothing = model.cloudflare.items().is_empty();
            nothing && has_reason_to_hold(model, object)
        }
        ("AmbiguousMatch", None) => model.cloudflare.items().len() > 1,
        _ => false,
    };
    if right && spoken {
        Ok(())
    } else {
        Err(format!("{reason} with {item:?}"))
    }
}

/// Nothing is held unless somebody has interfered, nor while a request to apply the spec again is open.
fn has_reason_to_hold(model: &Model, object: &SsoConnector) -> bool {
    let status = object.status.as_ref();
    let handled = status.and_then(|status| status.last_handled_enable_at.as_ref());
    let annotations = object.metadata.annotations.as_ref();
    let asked = annotations.and_then(|all| all.get(ENABLE_AT));
    asked == handled && model.ledger.excuse
}

fn is_as_asked(object: &SsoConnector, item: &Item) -> bool {
    let spec = &object.spec;
    let needs_no_verification =
        spec.begin_verification == Some(false) && spec.enabled != Some(true);
    spec.enabled
        .is_none_or(|wanted| wanted == item.is_enabled())
        && spec
            .use_fedramp_language
            .is_none_or(|wanted| Some(wanted) == item.connector.use_fedramp_language)
        && (item.is_verified() || needs_no_verification)
}

/// The spec leaves it to people to begin the verification.
fn awaits_a_person(object: &SsoConnector, item: &Item) -> bool {
    let idle = [VerificationStatus::Awaiting, VerificationStatus::Failed];
    object.spec.begin_verification == Some(false)
        && object.spec.enabled == Some(true)
        && item.status().is_some_and(|status| idle.contains(status))
}
