//! Every fault once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::{Effect, Failure, Fault, FaultBody, Operation, Outcome, Repeat, When};

use crate::client::{DOMAIN, Stage, send};

impl Stage {
    fn fault(&self, fault: Fault) {
        self.simulator.admin().push_fault(fault);
    }

    /// What the next list answers while this fails it.
    async fn list_with(&self, failure: Failure) -> crate::client::Reply {
        self.fault(Fault::new(failure).on(Operation::List));
        self.list().await
    }
}

#[tokio::test]
async fn failures_in_the_envelope() {
    let stage = Stage::new().await;
    let minute = Some(Duration::from_mins(1));
    for (failure, status, code, retry_after) in [
        (Failure::throttled(minute), 429, 971, Some("60")),
        (Failure::throttled(None), 429, 971, None),
        (Failure::limit_reached(minute), 429, 10_100, Some("60")),
        (Failure::banned(), 403, 9109, None),
        (Failure::authentication_flake(), 403, 10_000, None),
        (Failure::forbidden(), 403, 10_000, None),
        (Failure::unsuccessful(971), 200, 971, None),
        (Failure::envelope(409, 1000, "locked"), 409, 1000, None),
    ] {
        let reply = stage.list_with(failure).await;
        assert_eq!((reply.status, reply.code()), (status, code));
        assert_eq!(reply.header("retry-after"), retry_after);
        assert_eq!(reply.json()["success"], false);
        assert!(reply.header("date").is_some() && reply.header("ratelimit").is_some());
    }
    assert_eq!(stage.list().await.status, 200, "each acts once");
}

#[tokio::test]
async fn failures_of_the_edge() {
    let stage = Stage::new().await;
    for status in [500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526] {
        let page = stage.list_with(Failure::html(status)).await;
        assert_eq!(page.status, status);
        assert!(
            page.header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
        assert!(page.text.starts_with("<!DOCTYPE html>"));
        let problem = stage.list_with(Failure::problem_json(status)).await;
        assert_eq!(
            problem.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(problem.json()["status"], status);
    }
    let empty = stage.list_with(Failure::empty(502)).await;
    assert_eq!((empty.status, empty.text.as_str()), (502, ""));
    let body = FaultBody::Text {
        content_type: "text/plain".to_owned(),
        text: "what".to_owned(),
    };
    let headers = vec![("location".to_owned(), "/elsewhere".to_owned())];
    let odd = Failure::Answer {
        when: When::BeforeCommit,
        status: 418,
        headers,
        body,
    };
    let odd = stage.list_with(odd).await;
    assert_eq!(
        (odd.status, odd.header("location"), odd.text.as_str()),
        (418, Some("/elsewhere"), "what")
    );
}

#[tokio::test]
async fn an_answer_may_fail_before_or_after_the_commit() {
    let stage = Stage::new().await;
    stage.fault(Fault::new(Failure::html(503)).on(Operation::Create));
    assert_eq!(stage.create().await.status, 503);
    assert!(stage.connectors().is_empty());
    stage.fault(Fault::new(Failure::html(503).after_commit()).on(Operation::Create));
    assert_eq!(stage.create().await.status, 503);
    assert_eq!(stage.connectors().len(), 1);
    let effects: Vec<Effect> = stage
        .simulator
        .calls()
        .as_slice()
        .iter()
        .map(|call| call.effect)
        .collect();
    assert_eq!(effects, [Effect::Unchanged, Effect::Committed]);
}

#[tokio::test]
async fn a_reset_gives_no_answer_before_or_after_the_commit() {
    let stage = Stage::new().await;
    for (when, connectors) in [(When::BeforeCommit, 0), (When::AfterCommit, 1)] {
        stage.fault(Fault::new(Failure::Reset { when }).on(Operation::Create));
        let request = stage.create_request(&json!({"email_domain": DOMAIN}));
        let error = request.send().await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert_eq!(stage.connectors().len(), connectors, "{when:?}");
        assert_eq!(
            stage.simulator.calls().last().unwrap().outcome,
            Outcome::Reset
        );
    }
    assert_eq!(stage.list().await.status, 200, "other connections live on");
}

#[tokio::test]
async fn a_truncated_answer_breaks_off() {
    let stage = Stage::new().await;
    stage.fault(Fault::new(Failure::Truncate).on(Operation::Create));
    let request = stage.create_request(&json!({"email_domain": DOMAIN}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.content_length().unwrap() > 100);
    assert!(response.bytes().await.is_err());
    assert_eq!(stage.connectors().len(), 1);
}

#[tokio::test]
async fn a_delay_only_delays() {
    let stage = Stage::new().await;
    let time = Duration::from_millis(50);
    for failure in [
        Failure::Delay {
            when: When::BeforeCommit,
            time,
        },
        Failure::Delay {
            when: When::AfterCommit,
            time,
        },
    ] {
        let begun = Instant::now();
        assert_eq!(stage.list_with(failure).await.status, 200);
        assert!(begun.elapsed() >= time);
    }
}

#[tokio::test]
async fn the_real_answer_can_be_altered() {
    let stage = Stage::new().await;
    stage.fault(Fault::new(Failure::WithoutId).on(Operation::Create));
    let created = stage.create().await;
    assert_eq!(created.status, 200);
    assert!(created.result().get("id").is_none());
    assert_eq!(created.result()["email_domain"], DOMAIN);
    let rewrite = |pointer: &str, value: Value| Failure::Rewrite {
        pointer: pointer.to_owned(),
        value,
    };
    let null = stage.list_with(rewrite("/result", Value::Null)).await;
    assert_eq!(null.json().get("result"), Some(&Value::Null));
    let odd = stage.list_with(rewrite("/result/0", json!(7))).await;
    assert_eq!(odd.result(), json!([7]));
    let more = stage
        .list_with(rewrite("/result_info", json!({"total_count": 9})))
        .await;
    assert_eq!(more.json()["result_info"]["total_count"], 9);
}

#[tokio::test]
async fn a_fault_strikes_only_what_it_matches() {
    let stage = Stage::new().await;
    let create = |domain: &str| send(stage.create_request(&json!({"email_domain": domain})));
    let fault = Fault::new(Failure::empty(500));
    stage.fault(
        fault
            .clone()
            .on(Operation::Create)
            .on_domain("Other.Example"),
    );
    stage.fault(fault.clone().on_account("ffffffffffffffffffffffffffffffff"));
    assert_eq!(create(DOMAIN).await.status, 200);
    assert_eq!(create("other.example").await.status, 500);
    stage.simulator.admin().clear_faults();
    stage.fault(
        fault
            .on(Operation::Get)
            .on_domain(DOMAIN)
            .skipping(1)
            .repeat(Repeat::Times(2)),
    );
    let id = stage.connectors()[0].id.clone();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(stage.get(&id).await.status);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
}

#[tokio::test]
async fn a_fault_lasts_as_long_as_it_says() {
    let stage = Stage::new().await;
    let forever = Fault::new(Failure::banned()).repeat(Repeat::Forever);
    let handle = stage.simulator.admin().push_fault(forever);
    for _ in 0..3 {
        assert_eq!(stage.list().await.status, 403);
    }
    assert_eq!(handle.struck(), 3);
    handle.release();
    assert_eq!(stage.list().await.status, 200);
    stage.fault(Fault::new(Failure::banned()).repeat(Repeat::For(Duration::ZERO)));
    assert_eq!(stage.list().await.status, 200, "over at once");
    stage.fault(Fault::new(Failure::banned()).repeat(Repeat::For(Duration::from_mins(5))));
    assert_eq!(stage.list().await.status, 403);
}

#[tokio::test]
async fn faults_act_in_the_order_in_which_they_were_pushed() {
    let stage = Stage::new().await;
    let time = Duration::from_millis(50);
    stage.fault(Fault::new(Failure::Delay {
        when: When::BeforeCommit,
        time,
    }));
    stage.fault(Fault::new(Failure::empty(500)));
    stage.fault(Fault::new(Failure::empty(502)));
    let begun = Instant::now();
    assert_eq!(stage.list().await.status, 500);
    assert!(begun.elapsed() >= time);
    assert_eq!(stage.list().await.status, 502);
}
