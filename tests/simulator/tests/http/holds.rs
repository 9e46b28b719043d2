//! Calls that wait for the test.

use serde_json::json;
use simulator::{Effect, Failure, Fault, FaultHandle, Operation, Outcome, When};
use tokio::task::JoinHandle;

use crate::client::{DEADLINE, DOMAIN, Stage};

impl Stage {
    fn hold_create(&self, when: When) -> FaultHandle {
        let hold = Fault::new(Failure::Hold { when }).on(Operation::Create);
        self.simulator.admin().push_fault(hold)
    }

    /// A create in the background: its status, or nothing if it got no answer.
    fn create_in_background(&self) -> JoinHandle<Option<u16>> {
        let request = self.create_request(&json!({"email_domain": DOMAIN}));
        tokio::spawn(async {
            request
                .send()
                .await
                .ok()
                .map(|reply| reply.status().as_u16())
        })
    }
}

#[tokio::test]
async fn a_held_call_goes_on_when_it_is_released() {
    for (when, connectors) in [(When::BeforeCommit, 0), (When::AfterCommit, 1)] {
        let stage = Stage::new().await;
        let hold = stage.hold_create(when);
        let create = stage.create_in_background();
        hold.arrived(DEADLINE).await.unwrap();
        assert_eq!(stage.connectors().len(), connectors, "{when:?}");
        assert_eq!(stage.simulator.admin().faults()[0].holding, 1);
        assert_eq!(
            stage.simulator.calls().last().unwrap().outcome,
            Outcome::Open
        );
        hold.release();
        assert_eq!(create.await.unwrap(), Some(200));
        assert_eq!(stage.connectors().len(), 1);
    }
}

#[tokio::test]
async fn a_held_call_can_lose_its_connection() {
    for (when, connectors) in [(When::BeforeCommit, 0), (When::AfterCommit, 1)] {
        let stage = Stage::new().await;
        let hold = stage.hold_create(when);
        let create = stage.create_in_background();
        hold.arrived(DEADLINE).await.unwrap();
        hold.drop_connection();
        assert_eq!(create.await.unwrap(), None);
        assert_eq!(stage.connectors().len(), connectors, "{when:?}");
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_take_the_call_back() {
    let stage = Stage::new().await;
    let hold = stage.hold_create(When::BeforeCommit);
    let create = stage.create_in_background();
    hold.arrived(DEADLINE).await.unwrap();
    create.abort();
    assert!(create.await.unwrap_err().is_cancelled());
    hold.release();
    let landed = |world: &simulator::World| {
        world
            .calls()
            .of(Operation::Create)
            .last()
            .is_some_and(|call| {
                call.effect == Effect::Committed && call.outcome == Outcome::Answered(200)
            })
    };
    stage.simulator.until(landed, DEADLINE).await.unwrap();
    assert_eq!(stage.connectors().len(), 1);
}

#[tokio::test]
async fn clearing_the_faults_releases_what_they_hold() {
    let stage = Stage::new().await;
    let hold = stage.hold_create(When::AfterCommit);
    let create = stage.create_in_background();
    hold.arrived(DEADLINE).await.unwrap();
    stage.simulator.admin().clear_faults();
    assert_eq!(create.await.unwrap(), Some(200));
    assert_eq!(stage.create().await.status, 409, "nothing holds any more");
}
