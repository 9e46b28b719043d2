//! Soak: objects come and go by the hundred beside some that stay, and what the operator holds stays flat. It is measured
//! twice, after a warm-up and at the end, each time when only those that stay are there and the operator has forgotten the
//! others; so an entry that is left behind by an object is seen as one.
//!
//! `make soak MINUTES=60` lasts an hour.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cloudflare_sso_operator::resource::RECONCILE_AT;
use futures::future::join_all;
use harness::{Holdings, Operator};
use serde_json::json;
use simulator::{Permission, TokenRequest, VerificationStatus};

use crate::stage::{ACCOUNT, PATIENCE, SECRET, Stage, code, connector_id};
use crate::tally;

/// How long it lasts at least, in minutes; less is the rule.
const MINUTES: &str = "SOAK_MINUTES";

/// How many objects stay.
const RESIDENTS: usize = 12;
/// How many come and go at the same time.
const WORKERS: usize = 8;
/// How many come and go before the first measurement, and before the second at least.
const WARM_UP: usize = 24;
const LIVES: usize = 72;

/// How much more memory may be resident at the end, in KiB. An allocator does not give everything back; what grows with the
/// number of lives is more than that in an hour.
const MEMORY_MARGIN: u64 = 8 * 1024;
/// How many more file descriptors: one connection for each of the eight that are worked on at once, and a few others.
const DESCRIPTOR_MARGIN: usize = 12;
/// How many more series: an outcome that is rare appears when it first happens.
const SERIES_MARGIN: usize = 8;

/// What was measured.
#[derive(Debug)]
struct Measurement {
    holdings: Holdings,
    /// Lines of `/metrics` that are values.
    series: usize,
    /// What the operator keeps in memory, by kind.
    remembered: BTreeMap<String, usize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_holds_stays_flat() {
    let stage = Stage::set().await;
    let mut operator = stage
        .operator(&[
            "--restart-backoff",
            "200ms",
            "--restart-backoff-limit",
            "1s",
        ])
        .await;
    let residents = (0..RESIDENTS).map(async |n| {
        let (name, domain) = (format!("resident-{n}"), format!("resident-{n}.example"));
        stage.enabled_connector(&name, &domain).await
    });
    join_all(residents).await;

    let other = TokenRequest::new("other").grant(ACCOUNT, Permission::ALL);
    let tokens = [
        stage.simulator.admin().issue_token(other),
        stage.token.clone(),
    ];
    let lives = AtomicUsize::new(0);
    churn(&stage, &tokens, &lives, WARM_UP, Duration::ZERO).await;
    let before = measure(&mut operator).await;
    let begun = Instant::now();
    churn(&stage, &tokens, &lives, WARM_UP + LIVES, lasting()).await;
    let after = measure(&mut operator).await;

    tally::tell(&format!(
        "{} objects came and went in {:?} beside {RESIDENTS} that stayed; before {before:?}, after {after:?}",
        lives.load(Ordering::Relaxed) - WARM_UP,
        begun.elapsed(),
    ));
    assert_eq!(after.remembered, before.remembered);
    assert!(after.series <= before.series + SERIES_MARGIN);
    assert_eq!(after.holdings.threads, before.holdings.threads);
    assert!(after.holdings.descriptors <= before.holdings.descriptors + DESCRIPTOR_MARGIN);
    assert!(after.holdings.memory <= before.holdings.memory + MEMORY_MARGIN);
}

fn lasting() -> Duration {
    let minutes = std::env::var(MINUTES).map_or(0, |text| text.parse().unwrap());
    Duration::from_mins(minutes)
}

/// Lets objects come and go until so many have, and so long, while the token is replaced again and again, at last by the
/// second.
async fn churn(
    stage: &Stage,
    tokens: &[String; 2],
    lives: &AtomicUsize,
    until: usize,
    lasting: Duration,
) {
    let begun = Instant::now();
    let goes_on = || lives.load(Ordering::Relaxed) < until || begun.elapsed() < lasting;
    let over = AtomicBool::new(false);
    let workers = (0..WORKERS).map(async |_| {
        while goes_on() {
            live(stage, lives.fetch_add(1, Ordering::Relaxed)).await;
        }
    });
    let work = async {
        join_all(workers).await;
        over.store(true, Ordering::Relaxed);
    };
    let rotate = async {
        while !over.load(Ordering::Relaxed) {
            for token in tokens {
                stage.put_token(SECRET, token).await;
                stage.heartbeats(2).await;
            }
        }
    };
    tokio::join!(work, rotate);
}

/// The life of an object: it is created, verified and enabled, changed, and deleted, with its connector or without.
async fn live(stage: &Stage, n: usize) {
    let (name, domain) = (format!("life-{n}"), format!("life-{n}.example"));
    let admin = stage.simulator.admin();
    let policy = if n.is_multiple_of(2) {
        "Delete"
    } else {
        "Retain"
    };
    let fields = json!({ "enabled": !n.is_multiple_of(3), "deletionPolicy": policy });
    stage.connector(&name, &domain, fields).await;
    let object = stage.until_ready_is(&name, "AwaitingVerification").await;
    let id = connector_id(&object).unwrap();
    if n % 4 == 1 {
        admin
            .set_verification(&id, VerificationStatus::Failed)
            .unwrap();
        stage
            .until(&name, "another verification", |object| {
                let status = object
                    .status
                    .as_ref()
                    .and_then(|it| it.verification.as_ref());
                status.is_some_and(|verification| verification.restarts == Some(1))
            })
            .await;
    }
    if !n.is_multiple_of(4) {
        admin.publish_txt(&domain, &code(&object).unwrap());
        stage.until_ready_is(&name, "Available").await;
    }
    stage
        .patch_spec(&name, json!({ "useFedrampLanguage": true }))
        .await;
    stage.annotate(&name, RECONCILE_AT, "now").await;
    stage
        .until(&name, "the look", |object| {
            let status = object.status.as_ref();
            status.is_some_and(|status| status.last_handled_reconcile_at.is_some())
        })
        .await;
    stage.delete(&name).await;
    if policy == "Retain" {
        admin.delete_connector(&id).unwrap();
    }
    admin.remove_txt(&domain);
}

/// Waits until only those that stay are remembered, and measures.
async fn measure(operator: &mut Operator) -> Measurement {
    let metrics = harness::until("the operator to forget who is gone", PATIENCE, async || {
        let metrics = operator
            .metrics()
            .await
            .map_err(|error| error.to_string())?;
        let remembered = remembered(&metrics);
        let settled = ["objects", "uids", "domains"]
            .iter()
            .all(|kind| remembered.get(*kind) == Some(&RESIDENTS));
        if settled {
            Ok(metrics)
        } else {
            Err(format!("{remembered:?}"))
        }
    })
    .await
    .unwrap();
    Measurement {
        holdings: operator.process().holdings().unwrap(),
        series: metrics
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count(),
        remembered: remembered(&metrics),
    }
}

fn remembered(metrics: &str) -> BTreeMap<String, usize> {
    let entry = |line: &str| {
        let line = line.strip_prefix("cloudflare_sso_remembered{kind=\"")?;
        let (kind, count) = line.split_once("\"} ")?;
        Some((kind.to_owned(), count.parse().ok()?))
    };
    metrics.lines().filter_map(entry).collect()
}
