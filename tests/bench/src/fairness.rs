//! An edit while many others wait for the same token: how long until its call.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::Options;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use simulator::Operation;

use crate::Failure;
use crate::figure::{Figure, Goal, whole};
use crate::ground::{Ground, NAMESPACE, until_all_say};

const WAITING: usize = 500;
/// The rate that the operator keeps by default, in calls a second with one token.
const RATE: f64 = 2.0;
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) async fn measure(binary: PathBuf) -> Result<Vec<Figure>, Failure> {
    let ground = Ground::prepare(binary, 1, Options::default()).await?;
    let operator = ground.operator(&[]).await?;
    ground.create(NAMESPACE, 0).await?;
    until_all_say(&operator, "AwaitingVerification", 1).await?;
    ground.create_all(1..=WAITING).await?;
    // The burst is used up, and the queue is long.
    let calls = ground.simulator.calls().count();
    ground
        .simulator
        .until(|world| world.calls().count() > calls + 20, PATIENCE)
        .await?;
    let begun = Instant::now();
    let patch = Patch::Merge(json!({ "spec": { "useFedrampLanguage": true } }));
    ground
        .objects(NAMESPACE)
        .patch("object-0", &PatchParams::default(), &patch)
        .await?;
    ground
        .simulator
        .until(
            |world| world.calls().of(Operation::Update).count() > 0,
            PATIENCE,
        )
        .await?;
    let scene = format!("an edit beside {WAITING} that wait");
    let waited = begun.elapsed().as_secs_f64();
    Ok(vec![
        Figure::new(&scene, "until its call", waited, "s")
            .beside(1.0 / RATE)
            .wanted(Goal::AtMost(10.0)),
        Figure::new(
            &scene,
            "if it had to wait its turn",
            whole(WAITING) / RATE,
            "s",
        ),
    ])
}
