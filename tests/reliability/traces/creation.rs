//! Exactly one connector: traces a, b and c.

use std::time::{Duration, Instant};

use harness::{ApiServerProxy, Treatment};
use serde_json::json;
use simulator::knobs::DuplicateCreate;
use simulator::{ConnectorDraft, Operation, VerificationStatus, When};

use super::{
    DUPLICATES, answer_duplicates, arrived, asked, begin_deletion, connectors, crash, creates,
    domain, hold, lists_lag, lose_answer, treat_status, until_creates,
};
use crate::stage::{ACCOUNT, PATIENCE, Stage, connector_id};

/// The intent is stored, and it takes long until the POST goes out; its answer is lost, and the list lags. The grace counts
/// from the POST: when it would have ended if it counted from the intent, there is no second one.
#[tokio::test]
async fn a_the_grace_counts_from_the_post_and_not_from_the_intent() {
    let grace = Duration::from_secs(5);
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let flags = ["--creation-grace", "5s"];
    let _operator = stage.operator_through(Some(proxy.url()), &flags).await;
    for (name, duplicates) in DUPLICATES {
        answer_duplicates(&stage, duplicates);
        lists_lag(&stage, true);
        let domain = domain(name);
        lose_answer(&stage, Operation::Create, &domain);
        let intent = treat_status(&proxy, Treatment::HoldAfterAnswer, name, "pendingCreate");
        stage.connector(name, &domain, json!({})).await;
        arrived(&intent).await;
        let stored = Instant::now();
        // What is waited for here is nothing but time.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(creates(&stage, &domain), 0);
        intent.release();
        until_creates(&stage, &domain, 1).await;

        tokio::time::sleep((stored + grace).saturating_duration_since(Instant::now())).await;
        asked(&stage, Operation::List, 2).await;
        assert_eq!(creates(&stage, &domain), 1, "{name}");
        lists_lag(&stage, false);
        expect_bound(&stage, name, 1).await;
    }
}

/// The intent is stored, and the POST cannot go out in time, however long it would still be waited for: it is not made, and
/// another intent goes before the one that is.
#[tokio::test]
async fn a_a_post_that_cannot_begin_in_time_is_not_made() {
    let stage = Stage::set().await;
    let proxy = ApiServerProxy::start(&stage.control_plane).await.unwrap();
    let flags = ["--creation-start-limit", "500ms"];
    let _operator = stage.operator_through(Some(proxy.url()), &flags).await;
    let late = treat_status(
        &proxy,
        Treatment::HoldAfterAnswer,
        "example",
        "pendingCreate",
    );
    let post = hold(&stage, Operation::Create, "example.com", When::BeforeCommit);
    stage.connector("example", "example.com", json!({})).await;
    arrived(&late).await;
    let writes = || status_writes(&proxy, "example");
    let first = writes();
    // What is waited for here is nothing but time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    late.release();

    post.arrived(PATIENCE).await.unwrap();
    assert!(writes() > first, "the POST has an intent of its own");
    post.release();
    expect_bound(&stage, "example", 1).await;
}

/// The operator dies between intent and POST, and a person creates the connector by hand, more than 30 s after the attempt:
/// it is theirs. So it is neither enabled, nor bound where the spec refuses that, nor deleted.
#[tokio::test]
async fn b_what_a_person_creates_after_a_crash_before_the_post_is_theirs() {
    let stage = Stage::set().await;
    let theirs = die_before_the_post_of(&stage, "").await;
    let _successor = stage.operator(&[]).await;
    for (name, _) in &theirs {
        expect_theirs(&stage, name, &theirs).await;
        assert_eq!(creates(&stage, &domain(name)), 1, "{name}");
    }
    expect_left(&stage, "refusing", &theirs).await;
}

/// The same, and the list does not show it even past the grace: so a second POST is made. Whatever Cloudflare answers to
/// that, the person's connector does not become ours; only what that POST has really made does.
#[tokio::test]
async fn b_what_a_person_has_created_is_theirs_also_in_a_2xx_answer() {
    let stage = Stage::set().await;
    for (label, duplicates) in DUPLICATES {
        answer_duplicates(&stage, duplicates);
        lists_lag(&stage, true);
        let suffix = format!("-{label}");
        let theirs = die_before_the_post_of(&stage, &suffix).await;
        let successor = stage.operator(&[]).await;
        for (name, _) in &theirs {
            until_creates(&stage, &domain(name), 2).await;
        }
        // An answer that carries the person's connector is judged by itself.
        if duplicates != DuplicateCreate::ReturnExisting {
            lists_lag(&stage, false);
        }
        for (name, id) in &theirs {
            if duplicates == DuplicateCreate::Allow {
                let object = stage.until_ready_is(name, "AwaitingVerification").await;
                assert_ne!(connector_id(&object).as_ref(), Some(id), "{name}");
            } else {
                expect_theirs(&stage, name, &theirs).await;
            }
        }
        lists_lag(&stage, false);
        expect_left(&stage, &format!("refusing{suffix}"), &theirs).await;
        crash(&stage, successor).await;
    }
    assert_eq!(stage.simulator.calls().of(Operation::Update).count(), 0);
}

/// The POST is carried out, its answer is lost, the list lags past the grace, and the next POST is refused, as there is a
/// connector, or answered with that: once the list shows it, it is bound as ours, or deleted with its object. Not played with
/// `allow`, under which nothing is refused: a list that lags longer than the grace is what the operator cannot know.
#[tokio::test]
async fn c_a_second_post_that_is_refused_is_neither_stuck_nor_leaked() {
    let stage = Stage::set().await;
    let _operator = stage.operator(&[]).await;
    for (label, duplicates) in DUPLICATES {
        if duplicates == DuplicateCreate::Allow {
            continue;
        }
        answer_duplicates(&stage, duplicates);
        lists_lag(&stage, true);
        let [kept, deleted] = ["kept", "deleted"].map(|what| format!("{what}-{label}"));
        for name in [&kept, &deleted] {
            lose_answer(&stage, Operation::Create, &domain(name));
            let fields = json!({ "deletionPolicy": "Delete", "adoptionPolicy": "Refuse" });
            stage.connector(name, &domain(name), fields).await;
        }
        for name in [&kept, &deleted] {
            until_creates(&stage, &domain(name), 2).await;
        }
        let object = stage.objects().get(&deleted).await.unwrap();
        begin_deletion(&stage, &deleted).await;
        lists_lag(&stage, false);

        let bound = stage.until_ready_is(&kept, "AwaitingVerification").await;
        let [connector] = connectors(&stage, &domain(&kept)).try_into().unwrap();
        assert_eq!(connector_id(&bound), Some(connector.id), "{label}");
        harness::await_gone(&stage.objects(), &object, PATIENCE)
            .await
            .unwrap();
        let left = connectors(&stage, &domain(&deleted));
        assert!(left.is_empty(), "{label}: {left:?}");
    }
}

/// How often the operator has written an object's status.
fn status_writes(proxy: &ApiServerProxy, name: &str) -> usize {
    let path = format!("/ssoconnectors/{name}/status");
    let calls = proxy.calls();
    let writes = calls.iter().filter(|call| call.path.contains(&path));
    writes.count()
}

/// One connector for the object's domain, bound to it, after that many POSTs.
async fn expect_bound(stage: &Stage, name: &str, posts: usize) {
    let object = stage.until_ready_is(name, "AwaitingVerification").await;
    let domain = object.spec.email_domain.clone();
    let [connector] = connectors(stage, &domain).try_into().unwrap();
    assert_eq!(connector_id(&object), Some(connector.id), "{name}");
    assert_eq!(creates(stage, &domain), posts, "{name}");
}

/// An operator that dies with its POSTs on the way, which never arrive: for an object that adopts and wants SSO enabled, and for
/// one that refuses to adopt and deletes. Then a person makes what they ask for, verified, much later by Cloudflare's clock.
/// The names of the objects, and the IDs of the connectors.
async fn die_before_the_post_of(stage: &Stage, suffix: &str) -> Vec<(String, String)> {
    let operator = stage.operator(&[]).await;
    let objects = [
        ("adopting", json!({ "enabled": true })),
        (
            "refusing",
            json!({ "adoptionPolicy": "Refuse", "deletionPolicy": "Delete" }),
        ),
    ];
    let mut posts = Vec::new();
    for (what, fields) in objects {
        let name = format!("{what}{suffix}");
        let domain = domain(&name);
        let post = hold(stage, Operation::Create, &domain, When::BeforeCommit);
        stage.connector(&name, &domain, fields).await;
        posts.push((name, post));
    }
    for (_, post) in &posts {
        post.arrived(PATIENCE).await.unwrap();
    }
    crash(stage, operator).await;
    let admin = stage.simulator.admin();
    for (_, post) in &posts {
        post.drop_connection();
    }
    admin.turn_knobs(|knobs| knobs.clock_offset_seconds += 35);
    let by_hand = |(name, _): (String, _)| {
        let draft = ConnectorDraft {
            verification_status: VerificationStatus::Verified,
            ..ConnectorDraft::new(ACCOUNT, &domain(&name))
        };
        (name, admin.create_connector(draft).id)
    };
    posts.into_iter().map(by_hand).collect()
}

/// The object takes its domain's connector for somebody else's.
async fn expect_theirs(stage: &Stage, name: &str, theirs: &[(String, String)]) {
    if name.starts_with("refusing") {
        let object = stage.until_ready_is(name, "AdoptionRefused").await;
        assert_eq!(connector_id(&object), None);
        return;
    }
    let object = stage.until_ready_is(name, "HeldByExternalChange").await;
    let bound = connector_id(&object);
    assert!(
        theirs.iter().any(|(_, id)| bound.as_ref() == Some(id)),
        "{object:?}"
    );
}

/// The object goes, and the person's connectors stay as they are.
async fn expect_left(stage: &Stage, name: &str, theirs: &[(String, String)]) {
    stage.delete(name).await;
    for (_, id) in theirs {
        let connector = stage.simulator.admin().connector(id).unwrap();
        assert!(!connector.enabled, "{connector:?}");
    }
    let left = connectors(stage, &domain(name));
    assert_eq!(left.len(), 1, "{left:?}");
}
