//! The smallest sequences in which the operator, or one that was broken on purpose, once did what the design does not say.

use cloudflare_sso_operator::resource::DeletionPolicy;

use super::case::play;
use super::ground::Ground;
use super::seeds::PATIENCE;
use super::step::Field::{Deletion, Enabled, Wording};
use super::step::Scene::{self, Settled};
use super::step::Step::{Apply, Delete, Edit, PublishTxt, Switch};
use super::step::Who::First;

#[tokio::test(flavor = "multi_thread")]
async fn what_once_went_wrong_does_not() {
    let ground = Ground::prepared().await;
    let plays = sequences().map(async |(what, scenes)| {
        let outcome = play(&ground, &scenes, PATIENCE).await;
        outcome.err().map(|flaw| format!("{what}: {flaw}"))
    });
    let flaws = futures::future::join_all(plays).await;
    let flaws: Vec<String> = flaws.into_iter().flatten().collect();
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

fn sequences() -> [(&'static str, Vec<Scene>); 2] {
    [
        (
            "an edit does not arm again what somebody has disabled",
            vec![
                Settled(Apply(First, vec![Enabled(Some(true))])),
                Settled(PublishTxt),
                Settled(Switch),
                Settled(Edit(First, Wording(Some(true)))),
            ],
        ),
        (
            "what is to be retained stays",
            vec![
                Settled(Apply(First, vec![Deletion(Some(DeletionPolicy::Delete))])),
                Settled(Edit(First, Deletion(Some(DeletionPolicy::Retain)))),
                Settled(Delete(First)),
            ],
        ),
    ]
}
