//! What follows from what DNS shows: a condition, and a verification that is begun again sooner.

use super::*;

fn code(digits: &str) -> VerificationCode {
    VerificationCode::parse(&format!("cloudflare_dashboard_sso={digits}")).unwrap()
}

fn ours() -> VerificationCode {
    VerificationCode::parse(CODE).unwrap()
}

/// An object whose connector waits for its verification.
fn waiting(connector: Connector, txt: Txt) -> Scene {
    Scene::bound(None, EnforcementState::Armed)
        .with(|scene| scene.observed.txt = txt)
        .seen(NOW - 1.0, connector)
}

fn said(plan: &Plan) -> Option<(Truth, Reason, String)> {
    match &verdict(plan).txt {
        Said::Now(truth, finding) => Some((*truth, finding.reason, finding.message.clone())),
        Said::Kept | Said::Cleared => None,
    }
}

#[test]
fn every_sight_has_its_reason_and_names_only_codes() {
    use Reason::{CnamePresent, Found, LookupFailed, NoSuchDomain, NotFound, OtherValue};
    let rows = [
        (Sight::Codes(vec![ours()]), Truth::True, Found, "Keep it"),
        (
            Sight::Codes(vec![code("1"), ours()]),
            Truth::True,
            Found,
            "Keep it",
        ),
        (
            Sight::Codes(vec![code("1")]),
            Truth::False,
            OtherValue,
            "cloudflare_dashboard_sso=1.",
        ),
        (
            Sight::Codes(["1", "2", "3", "4", "5"].map(code).to_vec()),
            Truth::False,
            OtherValue,
            "cloudflare_dashboard_sso=3, and 2 more.",
        ),
        (Sight::Alias, Truth::False, CnamePresent, "a CNAME"),
        (Sight::Nothing, Truth::False, NotFound, "no TXT record"),
        (
            Sight::NoSuchName,
            Truth::False,
            NoSuchDomain,
            "does not know example.com",
        ),
        (
            Sight::Failed(Trouble::Silence),
            Truth::Unknown,
            LookupFailed,
            "answered in time",
        ),
        (
            Sight::Failed(Trouble::Refusal),
            Truth::Unknown,
            LookupFailed,
            "cannot say",
        ),
    ];
    for (sight, truth, reason, part) in rows {
        let plan = waiting(pending(), Txt::Seen(sight.clone())).plan();
        let (shown, why, message) = said(&plan).unwrap();
        assert_eq!((shown, why), (truth, reason), "{sight:?}");
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn dns_decides_nothing() {
    for connector in [pending(), awaiting()] {
        let without = waiting(connector.clone(), Txt::Off).plan();
        for sight in [
            Sight::Codes(vec![ours()]),
            Sight::Nothing,
            Sight::NoSuchName,
            Sight::Failed(Trouble::NoNameServers),
        ] {
            let with = waiting(connector.clone(), Txt::Seen(sight)).plan();
            assert_eq!(act(&with), act(&without));
            assert_eq!(reason(&with), reason(&without));
            assert_eq!(verdict(&with).record, verdict(&without).record);
        }
    }
}

#[test]
fn it_is_looked_for_once_in_a_pass_and_only_while_it_is_not_verified() {
    let plan = waiting(pending(), Txt::Unasked).plan();
    let not_before = at(NOW - 30.0);
    assert_eq!(plan, Plan::Look(Look::Txt { not_before }));
    let plan = waiting(pending(), Txt::Unknown).plan();
    assert_eq!(verdict(&plan).txt, Said::Kept);
    for verified in [verified(false), verified(true)] {
        let plan = waiting(verified, Txt::Unasked).plan();
        assert_eq!(verdict(&plan).txt, Said::Cleared);
    }
    assert_eq!(
        verdict(&waiting(pending(), Txt::Off).plan()).txt,
        Said::Cleared
    );
    let observed = waiting(pending(), Txt::Unasked)
        .with(|scene| scene.desired.management = ManagementPolicy::Observe);
    assert!(matches!(observed.plan(), Plan::Look(Look::Txt { .. })));
}

#[test]
fn a_request_bypasses_what_was_seen_before() {
    let scene = waiting(pending(), Txt::Unasked).with(|scene| {
        scene.memory.requested = Some(("now".to_owned(), at(NOW - 2.0)));
    });
    let not_before = at(NOW - 2.0);
    assert_eq!(scene.plan(), Plan::Look(Look::Txt { not_before }));
}

#[test]
fn a_record_that_appears_hastens_a_failed_verification_once() {
    let shown = || Txt::Seen(Sight::Codes(vec![ours()]));
    let begun_lately = |txt, before| {
        waiting(failed(), txt).with(|scene| {
            scene.record.begun.last = Some(date(NOW - 5.0));
            scene.memory.begun_with = before;
        })
    };
    let rows = [
        // A process that has started since does not know what was there when it was begun.
        (shown(), None, false),
        (shown(), Some(Txt::Unknown), true),
        (shown(), Some(Txt::Seen(Sight::Nothing)), true),
        // It was there, and Cloudflare did not find it.
        (shown(), Some(shown()), false),
        (Txt::Seen(Sight::Codes(vec![code("1")])), None, false),
        (Txt::Seen(Sight::Nothing), None, false),
        (Txt::Unknown, None, false),
        (Txt::Off, None, false),
    ];
    for (txt, before, begins) in rows {
        let plan = begun_lately(txt.clone(), before.clone()).plan();
        let begun = matches!(act(&plan), Some(Act::BeginVerification { .. }));
        assert_eq!(begun, begins, "{txt:?} after {before:?}");
    }
    // Begun by its creation, or by another process.
    let watched = begun_lately(shown(), None)
        .with(|scene| scene.memory.first_txt = Some(Txt::Seen(Sight::Nothing)));
    assert!(matches!(
        act(&watched.plan()),
        Some(Act::BeginVerification { .. })
    ));
    let restarted = begun_lately(shown(), None).with(|scene| {
        scene.record.begun.last = Some(date(NOW - 601.0));
        scene.record.begun.restarts = 4;
    });
    assert!(
        matches!(act(&restarted.plan()), Some(Act::BeginVerification { .. })),
        "the first pause is enough"
    );
    let kept = begun_lately(shown(), Some(Txt::Unknown))
        .with(|scene| scene.desired.begin_verification = false);
    assert_eq!(act(&kept.plan()), None);
}

#[test]
fn what_cloudflare_still_looks_for_is_not_begun_again() {
    for connector in [pending(), awaiting()] {
        let plan = waiting(connector, Txt::Seen(Sight::Codes(vec![ours()])))
            .with(|scene| scene.record.begun.last = Some(date(NOW - 5.0)))
            .plan();
        assert_eq!(act(&plan), None);
    }
}
