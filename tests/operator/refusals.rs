//! Tokens that Cloudflare refuses: how often they are offered, and that nobody waits for somebody else's mistakes.

use std::collections::BTreeMap;
use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, RECONCILE_AT};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};
use simulator::{Call, Failure, Fault, Permission, TokenRequest};

use crate::stage::{ACCOUNT, PATIENCE, SECRET, Stage, condition, connector};

/// An account for each namespace or object, by which its calls are known.
fn account(number: usize) -> String {
    format!("{number:032x}")
}

/// An object in a namespace with a Secret of its own.
fn object(namespace: &str, name: &str, account: &str) -> Value {
    let mut object = connector(name, &format!("{name}.example"));
    object["metadata"]["namespace"] = json!(namespace);
    object["spec"]["accountID"] = json!(account);
    object["spec"]["apiTokenSecretRef"] = json!({ "name": name });
    object
}

/// The refused calls, by account.
fn refused(stage: &Stage) -> BTreeMap<String, Vec<Call>> {
    let mut by_account = BTreeMap::<String, Vec<Call>>::new();
    for call in stage.simulator.calls().answered(401).as_slice() {
        let account = call.account.clone().unwrap();
        by_account.entry(account).or_default().push(call.clone());
    }
    by_account
}

#[tokio::test]
async fn a_corrected_token_works_at_once_while_other_namespaces_keep_offering_bad_ones() {
    const NOISY: usize = 6;
    let stage = Stage::set().await;
    // All that is capped is capped as by default; only the Secret is looked at more often.
    let flags = [
        "--secret-retry",
        "1s",
        "--refused-token-retry",
        "5m",
        "--changed-token-window",
        "1m",
        "--namespace-refusal-interval",
        "1m",
        "--refusal-window",
        "5m",
    ];
    let _operator = stage.operator(&flags).await;
    for n in 1..=NOISY {
        let namespace = format!("noisy-{n}");
        stage.kubectl(&["create", "namespace", &namespace]).await;
        stage.put_token_in(&namespace, "noise", "bad").await;
        stage.apply(&object(&namespace, "noise", &account(n))).await;
    }
    let noise = tokio::spawn(noise(stage.control_plane.client(), NOISY));

    let mine = account(0);
    let admin = stage.simulator.admin();
    let typo = admin.issue_token(TokenRequest::new("typo"));
    admin.revoke_tokens("typo");
    stage.put_token("mine", &typo).await;
    stage.apply(&object("team", "mine", &mine)).await;
    let shown = stage.until_ready_is("mine", "Unauthorized").await;
    // By now each of the others has offered what it may.
    let everybody = |stage: &Stage| {
        let refused = refused(stage);
        (1..=NOISY).all(|n| {
            refused
                .get(&account(n))
                .is_some_and(|calls| calls.len() >= 2)
        })
    };
    harness::until(
        "every namespace to have been refused",
        PATIENCE,
        async || everybody(&stage).then_some(()).ok_or("not yet"),
    )
    .await
    .unwrap();
    let waiting = stage.objects().get("mine").await.unwrap();
    assert_eq!(
        waiting.resource_version(),
        shown.resource_version(),
        "waiting changes nothing"
    );

    let good = admin.add_ready_account(&mine, "corrected");
    let corrected = tokio::time::Instant::now();
    stage.put_token("mine", &good).await;
    stage.until_ready_is("mine", "AwaitingVerification").await;
    assert!(corrected.elapsed() < Duration::from_secs(20));
    noise.abort();

    let refused = refused(&stage);
    assert_eq!(
        refused[&mine].len(),
        1,
        "the same token once in five minutes"
    );
    for n in 1..=NOISY {
        for three in refused[&account(n)].windows(3) {
            let apart = three[2].arrived.saturating_sub(three[0].arrived);
            assert!(apart > Duration::from_secs(59), "namespace {n}: {apart:?}");
        }
    }
}

/// Puts a new bad token into every noisy namespace, again and again.
async fn noise(client: kube::Client, namespaces: usize) {
    for round in 0_usize.. {
        for n in 1..=namespaces {
            let secrets: Api<Secret> = Api::namespaced(client.clone(), &format!("noisy-{n}"));
            let token = format!("bad-{n}-{round}");
            let patch = Patch::Merge(json!({ "stringData": { "api-token": token } }));
            // The control plane may be going away.
            let _ = secrets
                .patch("noise", &PatchParams::default(), &patch)
                .await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_refused_token_is_offered_again_after_its_rest_and_nothing_is_written_meanwhile() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&["--refused-token-retry", "3s"]).await;
    let mine = account(0);
    let admin = stage.simulator.admin();
    let token = admin.issue_token(TokenRequest::new("powerless"));
    admin.revoke_tokens("powerless");
    stage.put_token("mine", &token).await;
    stage.apply(&object("team", "mine", &mine)).await;
    let shown = stage.until_ready_is("mine", "Unauthorized").await;
    harness::until("three refusals", PATIENCE, async || {
        let refused = refused(&stage).get(&mine).map_or(0, Vec::len);
        (refused >= 3).then_some(()).ok_or(refused)
    })
    .await
    .unwrap();
    for pair in refused(&stage)[&mine].windows(2) {
        let apart = pair[1].arrived.saturating_sub(pair[0].arrived);
        assert!(apart >= Duration::from_secs(3), "{apart:?}");
    }
    let object = stage.objects().get("mine").await.unwrap();
    assert_eq!(
        object.resource_version(),
        shown.resource_version(),
        "nothing new is nothing to write"
    );
}

#[tokio::test]
async fn a_refusal_stands_until_cloudflare_takes_the_token_whatever_was_listed_before_it() {
    let stage = Stage::set().await;
    // Only a look that is asked for is taken.
    let flags = ["--poll-unverified", "10m", "--refused-token-retry", "2s"];
    let _operator = stage.operator(&flags).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    let admin = stage.simulator.admin();
    for _ in 0..2 {
        admin.push_fault(Fault::new(Failure::authentication_flake()));
    }
    stage.annotate("example", RECONCILE_AT, "now").await;
    stage.until_ready_is("example", "Unauthorized").await;
    let refused = || stage.simulator.calls().answered(403).count();
    stays_unauthorized(&stage, || refused() == 2).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    assert_eq!(refused(), 2);
}

#[tokio::test]
async fn a_change_that_is_refused_again_and_again_does_not_make_ready_come_and_go() {
    let stage = Stage::set().await;
    let admin = stage.simulator.admin();
    let request = TokenRequest::new("reader").grant(ACCOUNT, [Permission::SsoConnectorRead]);
    stage.put_token(SECRET, &admin.issue_token(request)).await;
    let _operator = stage.operator(&["--refused-token-retry", "1s"]).await;
    stage.connector("example", "example.com", json!({})).await;
    stage.until_ready_is("example", "Unauthorized").await;
    let offered = || stage.simulator.calls().mutations().count();
    stays_unauthorized(&stage, || offered() >= 4).await;
}

/// Follows the object until `enough`, and each state of it that is stored.
async fn stays_unauthorized(stage: &Stage, enough: impl Fn() -> bool) {
    let mut states = watcher(stage.objects(), watcher::Config::default())
        .applied_objects()
        .boxed();
    let follow = async {
        while !enough() {
            let next = tokio::time::timeout(Duration::from_millis(100), states.next()).await;
            if let Ok(Some(object)) = next {
                let (_, reason, _) = condition(&object.unwrap(), ConditionType::Ready);
                assert_eq!(reason, "Unauthorized");
            }
        }
    };
    tokio::time::timeout(PATIENCE, follow).await.unwrap();
}

#[tokio::test]
async fn all_namespaces_together_lose_no_more_than_their_budget() {
    const NAMESPACES: usize = 4;
    const WINDOW: Duration = Duration::from_secs(6);
    let stage = Stage::set().await;
    let flags = [
        "--refused-token-retry",
        "500ms",
        "--changed-token-window",
        "6s",
        "--namespace-refusal-interval",
        "2s",
        "--refusal-window",
        "6s",
    ];
    let _operator = stage.operator(&flags).await;
    for n in 0..NAMESPACES {
        let namespace = format!("many-{n}");
        stage.kubectl(&["create", "namespace", &namespace]).await;
        for k in 0..2 {
            let name = format!("m{k}");
            let token = format!("bad-{n}-{k}");
            stage.put_token_in(&namespace, &name, &token).await;
            let number = 2 * n + k;
            stage
                .apply(&object(&namespace, &name, &account(number)))
                .await;
        }
    }
    let again = |stage: &Stage| -> Vec<(String, Duration)> {
        let mut again = Vec::new();
        for (account, calls) in refused(stage) {
            let namespace = usize::from_str_radix(&account, 16).unwrap() / 2;
            // The first is free.
            let later = calls.into_iter().skip(1);
            again.extend(later.map(|call| (namespace.to_string(), call.arrived)));
        }
        again.sort_by_key(|(_, arrived)| *arrived);
        again
    };
    harness::until("refusals", PATIENCE, async || {
        let again = again(&stage).len();
        let first = refused(&stage).len();
        (again >= 7 && first == 2 * NAMESPACES)
            .then_some(())
            .ok_or(format!("{first} and {again}"))
    })
    .await
    .unwrap();
    let again = again(&stage);
    // A call arrives a moment after it was decided on.
    let slack = Duration::from_millis(300);
    for (_, start) in &again {
        let within = |span: Duration| {
            let end = *start + span.saturating_sub(slack);
            again
                .iter()
                .filter(move |(_, arrived)| (*start..end).contains(arrived))
        };
        // Two more are kept for objects that have a connector.
        assert!(within(WINDOW).count() <= 3, "{again:?}");
        let mut by_namespace = BTreeMap::<&str, usize>::new();
        for (namespace, _) in within(Duration::from_secs(2)) {
            *by_namespace.entry(namespace).or_default() += 1;
        }
        assert!(by_namespace.values().all(|count| *count <= 1), "{again:?}");
    }
}
