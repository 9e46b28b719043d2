//! Many objects at once with the limiter open, beside a bare loop that makes the same calls, as many at a time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::stream;
use harness::Options;

use crate::Failure;
use crate::bare::Bare;
use crate::figure::{Figure, Goal, whole};
use crate::ground::{Ground, NAMESPACE, OPEN, until_all_say};

const OBJECTS: usize = 1000;

pub(crate) async fn measure(binary: PathBuf) -> Result<Vec<Figure>, Failure> {
    let scene = format!("{OBJECTS} objects at once");
    let ground = Ground::prepare(binary.clone(), 10, Options::default()).await?;
    let bare = Bare::new(&ground, NAMESPACE).await?;
    ground.create_all(0..OBJECTS).await?;
    let begun = Instant::now();
    bare.create_all(stream::iter((0..OBJECTS).map(Ok))).await?;
    let floor = begun.elapsed();
    drop(ground);

    let ground = Ground::prepare(binary, 10, Options::default()).await?;
    ground.create_all(0..OBJECTS).await?;
    let begun = Instant::now();
    let mut operator = ground.operator(&OPEN).await?;
    until_all_say(&operator, "AwaitingVerification", OBJECTS).await?;
    let took = begun.elapsed();
    let used = operator.process().holdings()?.processor;
    let rate = |took: Duration| whole(OBJECTS) / took.as_secs_f64();
    Ok(vec![
        Figure::new(&scene, "to the code", rate(took), "/s")
            .beside(rate(floor))
            .wanted(Goal::TimesFloorAtLeast(0.7)),
        Figure::new(
            &scene,
            "processor time",
            used.as_secs_f64() * 1000.0 / whole(OBJECTS),
            "ms/object",
        ),
    ])
}
