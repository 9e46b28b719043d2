//! One object at a time: from its apply to the code in its status, beside the bare calls for the same. The two take turns, so
//! that both find as many connectors and the same machine.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use harness::Options;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject, ListParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::mpsc;

use crate::Failure;
use crate::bare::{Bare, EVENTS};
use crate::figure::{Figure, Goal};
use crate::ground::{ASIDE, Ground, NAMESPACE, OPEN, resource};

const SCENE: &str = "one object, apply to code";
const SAMPLES: usize = 200;
/// The first ones open connections and fill caches, on both sides.
const WARM_UP: usize = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// Names of objects whose status has a code, as a watch tells them.
type Codes = mpsc::UnboundedReceiver<String>;

pub(crate) async fn measure(binary: PathBuf) -> Result<Vec<Figure>, Failure> {
    let ground = Ground::prepare(binary, 1, Options::default()).await?;
    let mut codes = watch(&ground);
    let bare = Bare::new(&ground, ASIDE).await?;
    let flags = [&OPEN[..], &["--watch-namespaces", NAMESPACE]].concat();
    let operator = ground.operator(&flags).await?;
    let (mut floor, mut took) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        let begun = Instant::now();
        ground.create(ASIDE, number).await?;
        bare.list(number).await?;
        bare.create_connector(number).await?;
        until_told(&mut codes, number).await?;
        floor.push(begun.elapsed());

        let number = SAMPLES + number;
        let begun = Instant::now();
        ground.create(NAMESPACE, number).await?;
        until_told(&mut codes, number).await?;
        took.push(begun.elapsed());
        until_its_events(&ground, number).await?;
    }
    drop(operator);
    let figure = |name: &str, percent: usize| {
        let milliseconds = |times: &[Duration]| percentile(times, percent).as_secs_f64() * 1000.0;
        Figure::new(SCENE, name, milliseconds(&took), "ms").beside(milliseconds(&floor))
    };
    Ok(vec![
        figure("p50", 50).wanted(Goal::TimesFloorAtMost(1.5)),
        figure("p99", 99),
    ])
}

fn watch(ground: &Ground) -> Codes {
    let (tell, codes) = mpsc::unbounded_channel();
    let everywhere = Api::all_with(ground.control_plane.client(), &resource());
    let events = watcher(everywhere, watcher::Config::default());
    let mut objects = events.applied_objects().boxed();
    tokio::spawn(async move {
        while let Ok(Some(object)) = objects.try_next().await {
            if has_code(&object) && tell.send(object.name_any()).is_err() {
                break;
            }
        }
    });
    codes
}

fn has_code(object: &DynamicObject) -> bool {
    object.data["status"]["verification"]["code"].is_string()
}

async fn until_told(codes: &mut Codes, number: usize) -> Result<(), Failure> {
    let name = format!("object-{number}");
    let told = async {
        while let Some(known) = codes.recv().await {
            if known == name {
                return Ok(());
            }
        }
        Err("the watch has ended".into())
    };
    tokio::time::timeout(PATIENCE, told).await?
}

/// The operator tells in Events what it has done, when that is done. One object at a time means that this is over, too.
async fn until_its_events(ground: &Ground, number: usize) -> Result<(), Failure> {
    let events: Api<Event> = Api::namespaced(ground.control_plane.client(), NAMESPACE);
    let of_object = format!("regarding.name=object-{number}");
    let of_object = ListParams::default().fields(&of_object);
    let told = async || {
        let told = events.list(&of_object).await;
        let told = told.map_err(|error| error.to_string())?.items.len();
        (told >= EVENTS)
            .then_some(())
            .ok_or_else(|| format!("{told} Events"))
    };
    harness::until("its Events", PATIENCE, told).await?;
    Ok(())
}

/// That share of the times, after the warm-up, is no longer than this.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times[WARM_UP..].to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) * percent / 100]
}
