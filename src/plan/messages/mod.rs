//! The sentences that people read in conditions: what is, and what to do next.

pub(super) mod dns;

use super::desired::Desired;
use super::world::Namespace;
use crate::cloudflare::{Connector, VerificationCode};
use crate::foreign_text;
use crate::identity::{ConnectorId, EmailDomain};
use crate::resource::{ApiTokenSecretRef, ExternalChangePolicy};

pub(super) fn creating() -> String {
    "Creating the connector at Cloudflare.".to_owned()
}

pub(super) fn claimed_elsewhere() -> String {
    "Waiting until it is this object's turn to create the connector.".to_owned()
}

pub(super) fn outcome_unknown() -> String {
    "An attempt to create the connector had no clear outcome. Waiting until Cloudflare's list shows whether it exists; \
     nothing is sent twice."
        .to_owned()
}

pub(super) fn list_lags() -> String {
    "Cloudflare's list still shows the connector that was just deleted. Waiting until it does not."
        .to_owned()
}

pub(super) fn list_and_page_differ() -> String {
    "Cloudflare lists a connector for the domain but does not show it. Waiting until both agree."
        .to_owned()
}

pub(super) fn no_proof(gap: &str) -> String {
    format!(
        "Cloudflare's list of connectors is incomplete: {gap}. Nothing is created until it is complete."
    )
}

pub(super) fn ambiguous(count: usize) -> String {
    format!(
        "Cloudflare has {count} connectors for this domain in this account, and nothing tells which one is meant. Delete all but one of them in the Cloudflare dashboard, or name the one in spec.connectorID."
    )
}

/// Objects of other namespaces are not named.
pub(super) fn duplicate(domain: &EmailDomain, owner: Option<&str>) -> String {
    let owner = match owner {
        Some(name) => format!("SsoConnector {name} of this namespace"),
        None => "Another SsoConnector object".to_owned(),
    };
    format!(
        "{owner} manages {domain} in this account already. Nothing is done for this one. Delete one of the two; this one takes over as soon as the other is gone or only observes."
    )
}

pub(super) fn mismatch(domain: &EmailDomain, reported: &str) -> String {
    let reported = foreign_text::quote(reported, &[]);
    format!(
        "The connector in status.connectorID is for {reported:?} at Cloudflare, not for {domain}. Nothing is changed; delete this object with deletionPolicy Retain and apply it again."
    )
}

/// The connector that the spec names, of an object that is not bound.
pub(super) fn named_for_another(
    named: &ConnectorId,
    domain: &EmailDomain,
    reported: &str,
) -> String {
    let reported = foreign_text::quote(reported, &[]);
    format!(
        "Connector {named}, which spec.connectorID names, is for {reported:?} at Cloudflare, not for {domain}. Nothing is changed; remove spec.connectorID, and then name another one, or none to find or create the connector by its domain."
    )
}

pub(super) fn vanished(desired: &Desired) -> String {
    let why = match desired.on_external_change {
        ExternalChangePolicy::Hold => "SSO had not been applied through it",
        ExternalChangePolicy::Enforce => "onExternalChange is Enforce",
    };
    format!("The connector does not exist at Cloudflare any more, and {why}. Creating it again.")
}

pub(super) fn not_shown_yet() -> String {
    "Cloudflare does not show the connector that was there for the domain just now. Waiting until it is certain whether it is there."
        .to_owned()
}

pub(super) fn replaced() -> String {
    "The connector does not exist at Cloudflare any more, and somebody has put another in its place. Binding that one; what was changed by hand stays as it is."
        .to_owned()
}

pub(super) fn deleted_externally() -> String {
    "Somebody deleted the connector at Cloudflare. It is not created again, as this may be an emergency exit. To create it again, set a new value of the annotation cloudflare-sso.dev/enable-at."
        .to_owned()
}

pub(super) fn suspended() -> String {
    "The connector is left alone, as spec.suspend is true. The other conditions say what was seen last."
        .to_owned()
}

pub(super) fn resumed() -> String {
    "spec.suspend is not true any more. Looking at the connector again.".to_owned()
}

pub(super) fn nothing_to_observe() -> String {
    "There is no such connector at Cloudflare. Nothing is created, as managementPolicy is Observe."
        .to_owned()
}

pub(super) fn drift(desired: &Desired, connector: &Connector) -> String {
    let difference = |field: &str, wanted: Option<bool>, found: Option<bool>| {
        let found = found.unwrap_or(false);
        let wanted = wanted.filter(|wanted| *wanted != found)?;
        Some(format!("{field} is {found}, not {wanted}"))
    };
    let differences: Vec<_> = [
        difference("enabled", desired.enabled, connector.enabled),
        difference(
            "useFedrampLanguage",
            desired.use_fedramp_language,
            connector.use_fedramp_language,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!(
        "At Cloudflare {}. Nothing is changed, as managementPolicy is Observe.",
        differences.join(", and ")
    )
}

pub(super) fn adoption_refused() -> String {
    "A connector for the domain exists already in this account, and adoptionPolicy is Refuse. Set it to Adopt, or name the connector in spec.connectorID, to bind it."
        .to_owned()
}

pub(super) fn named_otherwise(named: &ConnectorId, bound: &ConnectorId) -> String {
    format!(
        "The object is bound to connector {bound}, but spec.connectorID names {named}. Nothing is changed; remove spec.connectorID, or delete this object with deletionPolicy Retain and apply it again."
    )
}

pub(super) fn named_not_found(named: &ConnectorId) -> String {
    format!(
        "The account has no connector {named}, which spec.connectorID names. None is created; remove spec.connectorID to find the connector by its domain or to create one."
    )
}

pub(super) fn reverted(enabled: bool) -> String {
    let (done, again) = if enabled {
        ("enabled", "disabled")
    } else {
        ("disabled", "enabled")
    };
    format!("SSO was {done} by hand. It is {again} again, as onExternalChange is Enforce.")
}

pub(super) fn held(enabled: bool) -> String {
    let (is, wanted, why) = if enabled {
        ("enabled", "disable", "")
    } else {
        ("disabled", "enable", ", as this may be an emergency")
    };
    format!(
        "SSO is {is} at Cloudflare, although spec.enabled is {}, and the operator has not done that. It is left so{why}. To {wanted} it, set a new value of the annotation cloudflare-sso.dev/enable-at; to accept it, set spec.enabled to {enabled}.",
        !enabled
    )
}

pub(super) fn applying(enable: bool) -> String {
    if enable {
        "Enabling SSO at Cloudflare."
    } else {
        "Disabling SSO at Cloudflare."
    }
    .to_owned()
}

pub(super) fn wording_without_effect() -> String {
    "Cloudflare accepted the change of useFedrampLanguage, but does not show it. Set spec.useFedrampLanguage to what Cloudflare shows in status.useFedrampLanguage, or remove it."
        .to_owned()
}

pub(super) fn available(desired: &Desired, verified: bool, enabled: bool) -> String {
    let domain = &desired.domain;
    match (verified, enabled) {
        (_, true) => format!("SSO is enforced for {domain}."),
        (true, false) if desired.enabled == Some(false) => {
            format!("{domain} is verified, and SSO is disabled as the spec says.")
        }
        (true, false) => format!("{domain} is verified. Set spec.enabled to true to enforce SSO."),
        (false, false) => format!(
            "The connector for {domain} exists. It is not verified, and nothing is done about that, as spec.beginVerification is false."
        ),
    }
}

pub(super) fn txt_record(desired: &Desired, code: &VerificationCode) -> String {
    let whose = match desired.publisher() {
        Some(_) => "The operator has to publish this DNS record (see DNSRecordPublished)",
        None => "Publish this DNS record",
    };
    format!(
        "{whose}: type TXT, name {}, value {}",
        desired.domain,
        code.as_str()
    )
}

pub(super) fn no_code() -> String {
    "Cloudflare reports no usable verification code yet".to_owned()
}

pub(super) fn verified(domain: &EmailDomain) -> String {
    format!("Cloudflare has verified {domain}. Keep the TXT record.")
}

pub(super) fn pending(txt: &str) -> String {
    format!("{txt} — Cloudflare is looking for it.")
}

pub(super) fn awaiting(txt: &str, begins: bool) -> String {
    if begins {
        format!("{txt} — Cloudflare will look for it.")
    } else {
        format!(
            "{txt} — and set spec.beginVerification to true, or begin the verification in the dashboard."
        )
    }
}

pub(super) fn failed(txt: &str, restarts: bool) -> String {
    let next = if restarts {
        "The operator asks it to look again from time to time."
    } else {
        "Set spec.beginVerification to true to have it look again."
    };
    format!("Cloudflare did not find the TXT record and has stopped looking. {txt} — {next}")
}

pub(super) fn lapsed(txt: &str) -> String {
    format!(
        "The domain was verified, and Cloudflare says that it no longer is. {txt} — or put it back if it was removed."
    )
}

pub(super) fn unknown_status(word: &str, txt: &str) -> String {
    format!(
        "Cloudflare reports the verification status {word:?}, which this version of the operator does not know. {txt}."
    )
}

pub(super) fn no_status() -> String {
    "Cloudflare does not report a verification status.".to_owned()
}

pub(super) fn enabled(domain: &EmailDomain) -> String {
    format!("Everybody with an address of {domain} logs in to Cloudflare by SSO.")
}

pub(super) fn disabled(domain: &EmailDomain) -> String {
    format!("Addresses of {domain} log in to Cloudflare without SSO.")
}

pub(super) fn enabled_later() -> String {
    "SSO will be enabled once the domain is verified.".to_owned()
}

pub(super) fn synced() -> String {
    "The last exchange with Cloudflare succeeded.".to_owned()
}

pub(super) fn trouble(cause: &str) -> String {
    format!("{} The operator goes on trying.", sentence(cause))
}

/// What Cloudflare says does not say what to do.
pub(super) fn rejected(problem: &str) -> String {
    format!(
        "{} When that is put right, set a new value of the annotation cloudflare-sso.dev/reconcile-at; without that it is tried again from time to time.",
        sentence(problem)
    )
}

pub(super) fn deleting() -> String {
    "Disabling and deleting the connector at Cloudflare, as deletionPolicy is Delete. Until that is done, deletionPolicy Retain leaves it as it is.".to_owned()
}

/// What Cloudflare says does not say what to do.
pub(super) fn refused_token(problem: &str, secret: Option<&ApiTokenSecretRef>) -> String {
    let problem = sentence(problem);
    match secret {
        Some(secret) => format!(
            "{problem} Put a token into Secret {} that has the permissions SSO Connector Edit and Read in this account.",
            secret.name
        ),
        None => format!(
            "{problem} The operator's default token needs the permissions SSO Connector Edit and Read in this account."
        ),
    }
}

/// With a full stop, whoever has written it.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

pub(super) fn awaiting_heir() -> String {
    "Another SsoConnector object for this domain was applied. Finding out whether it takes the connector over.".to_owned()
}

pub(super) fn deletion_unanswered() -> String {
    "Cloudflare has not said whether it has deleted the connector. Finding out before another SsoConnector object takes it over."
        .to_owned()
}

pub(super) fn deletion_unconfirmed() -> String {
    "Cloudflare does not show the connector, but it is so new that this may be a delay. Waiting until it is certain."
        .to_owned()
}

pub(super) fn paused() -> String {
    trouble("Cloudflare asks for fewer calls with this API token.")
}

pub(super) fn deletion_without_credentials(problem: &str, namespace: Namespace) -> String {
    let way_out = match namespace {
        Namespace::Unread | Namespace::Stays => {
            "Either restore the Secret with a token that works, or set spec.deletionPolicy to Retain to leave the connector as it is."
        }
        Namespace::Terminating => {
            "Set spec.deletionPolicy to Retain to leave the connector as it is and let the namespace go."
        }
    };
    let problem = sentence(problem);
    format!("The connector cannot be deleted: {problem} {way_out}")
}
