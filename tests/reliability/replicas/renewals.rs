//! A renewal that the API server answers late.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Call, Outcome, Treatment};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::pair::{Register, Replica, Who};
use crate::stage::{PATIENCE, Stage};

/// The default, under which a renewal may take up to five seconds.
const RENEW_DEADLINE: Duration = Duration::from_secs(15);
/// How late the last renewal succeeds.
const LATE: Duration = Duration::from_secs(4);

/// Trace l: the deadline runs from when the renewal was sent. From when its answer came would be four seconds longer.
#[tokio::test]
async fn a_renewal_that_succeeds_late_counts_from_when_it_was_sent() {
    let stage = Stage::set().await;
    let register = Register::default();
    let flags = ["--lease-duration", "30s", "--renew-deadline", "15s"];
    let mut leader = Replica::start(&stage, Who::First, &register, &flags).await;
    stage.connector("example", "example.com", json!({})).await;
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;

    let sent = Arc::new(Mutex::new(None));
    let renewal = {
        let sent = Arc::clone(&sent);
        move |call: &Call| {
            let is_renewal = is_renewal(call);
            if is_renewal {
                sent.lock().unwrap().get_or_insert_with(Instant::now);
            }
            is_renewal
        }
    };
    let delay = Treatment::Delay(LATE);
    let late = leader.api_server.intercept_first(1, delay, renewal);
    let arrived = tokio::time::timeout(PATIENCE, late.arrived()).await;
    arrived.unwrap();
    let unavailable = Treatment::Answer(StatusCode::SERVICE_UNAVAILABLE);
    let _last = leader.api_server.intercept(unavailable, is_renewal);
    leader.until_ended().await;

    let refused = Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE);
    let last = leader
        .api_server
        .calls()
        .into_iter()
        .rfind(|call| call.method == Method::PUT && call.outcome != refused);
    let succeeded = Outcome::Answered(StatusCode::OK);
    assert_eq!(last.unwrap().outcome, succeeded, "late, but in time");
    let sent = sent.lock().unwrap().unwrap();
    let acted = register.last().unwrap().duration_since(sent);
    assert!(
        acted + Duration::from_secs(1) < RENEW_DEADLINE + LATE,
        "it acted {acted:?} after it had sent its last renewal"
    );
}

fn is_renewal(call: &Call) -> bool {
    call.method == Method::PUT && call.path.contains("/leases/")
}
