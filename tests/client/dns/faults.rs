//! Every fault, on every endpoint: how it is judged, that it costs one call only, and that "definite" is never wrong.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Class, Endpoint};
use simulator::{Effect, Failure as Injected, Fault, Knobs, When};

use super::scene::{ENDPOINTS, Scene};
use crate::cases::{Case, cases};
use crate::setting::{judged, operation};

#[tokio::test]
async fn every_fault_is_judged_alike_on_every_endpoint() {
    let scene = Scene::new(Knobs::default()).await;
    let calls = || scene.setting.simulator.calls();
    for Case {
        name,
        injected,
        class,
        definite,
        status,
        retry_after,
    } in cases()
    {
        for endpoint in ENDPOINTS {
            let before = calls().count();
            let failure = scene.suffer(endpoint, injected.clone()).await;
            let failure = failure.expect_err(&name);
            let judged = (
                failure.class,
                failure.is_definite(),
                failure.status,
                failure.retry_after,
            );
            let expected = (class, definite, status, retry_after);
            assert_eq!(judged, expected, "{name} on {endpoint}");
            assert_eq!(failure.endpoint, endpoint);
            assert_eq!(calls().count(), before + 1, "{name}: no retry");
            let effect = calls().last().unwrap().effect;
            let is_true = !definite || effect != Effect::Committed;
            assert!(is_true, "{name} on {endpoint}");
        }
    }
    scene.records();
}

#[tokio::test]
async fn a_404_in_the_envelope_says_that_what_the_path_names_is_gone() {
    let scene = Scene::new(Knobs::default()).await;
    for endpoint in ENDPOINTS {
        let injected = Injected::envelope(404, 1234, "no");
        let outcome = judged(scene.suffer(endpoint, injected).await);
        let class = match endpoint {
            Endpoint::ListZones => Class::Rejected,
            _ => Class::Gone,
        };
        assert_eq!(outcome, (class, true, Some(404)), "{endpoint}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_awaited_until_the_call_has_lasted_too_long() {
    let patient = Scene::new(Knobs::default()).await;
    let hasty = Scene::with_timeout(Knobs::default(), Duration::from_millis(200)).await;
    for endpoint in ENDPOINTS {
        for when in [When::BeforeCommit, When::AfterCommit] {
            let time = Duration::from_millis(20);
            let outcome = patient.suffer(endpoint, Injected::Delay { when, time });
            outcome.await.unwrap();
            let failure = hasty.suffer(endpoint, Injected::Hold { when }).await;
            let failure = failure.unwrap_err();
            assert_eq!(
                (failure.class, failure.is_definite()),
                (Class::Unavailable, false)
            );
            assert_eq!(failure.message, "Cloudflare did not answer in time");
        }
    }
}

#[tokio::test]
async fn a_held_call_breaks_or_goes_on() {
    let scene = Scene::new(Knobs::default()).await;
    let admin = scene.setting.simulator.admin();
    for endpoint in ENDPOINTS {
        for when in [When::BeforeCommit, When::AfterCommit] {
            for goes_on in [false, true] {
                let id = scene.existing();
                let fault = Fault::new(Injected::Hold { when }).on(operation(endpoint));
                let held = admin.push_fault(fault);
                let (outcome, ()) = tokio::join!(scene.call(endpoint, &id), async {
                    held.arrived(Duration::from_mins(1)).await.unwrap();
                    if goes_on {
                        held.release();
                    } else {
                        held.drop_connection();
                    }
                });
                let judged = outcome.is_err().then(|| judged(outcome));
                let broken = (!goes_on).then_some((Class::Unavailable, false, None));
                assert_eq!(judged, broken, "{endpoint}");
            }
        }
    }
}
