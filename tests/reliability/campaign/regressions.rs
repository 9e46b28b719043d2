//! The smallest sequences in which the operator, or one that was broken on purpose, once did what the design does not say.

use cloudflare_sso_operator::resource::{DeletionPolicy, ManagementPolicy};

use super::case::play;
use super::ground::Ground;
use super::seeds::PATIENCE;
use super::step::Field::{Connector, Deletion, Enabled, Management, Suspend, Wording};
use super::step::Scene::{self, Hurried, Settled};
use super::step::Step::{
    Apply, Create, Delete, Edit, LookNow, PublishTxt, Remove, Restart, Switch,
};
use super::step::Who::{First, Second};
use super::step::{Ending, Naming};

#[tokio::test(flavor = "multi_thread")]
async fn what_once_went_wrong_does_not() {
    let ground = Ground::prepared().await;
    let plays = sequences().into_iter().map(async |(what, scenes)| {
        let outcome = play(&ground, &scenes, PATIENCE).await;
        outcome.err().map(|flaw| format!("{what}: {flaw}"))
    });
    let flaws = futures::future::join_all(plays).await;
    let flaws: Vec<String> = flaws.into_iter().flatten().collect();
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

fn sequences() -> Vec<(&'static str, Vec<Scene>)> {
    let enabled = || Enabled(Some(true));
    let deleted = || Deletion(Some(DeletionPolicy::Delete));
    vec![
        (
            "an edit does not arm again what somebody has disabled",
            vec![
                Settled(Apply(First, vec![enabled()])),
                Settled(PublishTxt),
                Settled(Switch),
                Settled(Edit(First, Wording(Some(true)))),
            ],
        ),
        (
            "what was to be deleted and is to be retained now stays",
            vec![
                Settled(Apply(First, vec![deleted()])),
                Settled(Edit(First, Deletion(Some(DeletionPolicy::Retain)))),
                Settled(Delete(First)),
            ],
        ),
        (
            "what is suspended stays",
            vec![
                Settled(Apply(First, vec![deleted()])),
                Settled(Edit(First, Suspend(Some(true)))),
                Settled(Delete(First)),
            ],
        ),
        (
            "a connector that is there is not created again",
            vec![
                Settled(Apply(First, vec![])),
                Settled(Delete(First)),
                Settled(Restart(Ending::Kill)),
                Settled(Apply(First, vec![])),
            ],
        ),
        (
            "what somebody has deleted is not created again",
            vec![
                Settled(Apply(First, vec![enabled()])),
                Settled(PublishTxt),
                Settled(Remove),
                Settled(Edit(First, Wording(Some(true)))),
            ],
        ),
        (
            "an heir gets the connector as it is",
            vec![
                Settled(Apply(First, vec![enabled(), deleted()])),
                Settled(PublishTxt),
                Settled(Apply(Second, vec![enabled()])),
                Settled(Delete(First)),
            ],
        ),
        (
            "who observes what is not there looks again and again",
            vec![
                Settled(Apply(
                    First,
                    vec![
                        Connector(Some(Naming::Unknown)),
                        Management(Some(ManagementPolicy::Observe)),
                    ],
                )),
                Settled(LookNow(First)),
                Settled(Apply(Second, vec![enabled()])),
                Settled(PublishTxt),
                Settled(Edit(Second, Management(Some(ManagementPolicy::Observe)))),
                Settled(Remove),
                Settled(Create(Some(false))),
            ],
        ),
        (
            "whether enabled was taken away before its connector was deleted or after that, nobody can tell",
            vec![
                Settled(Apply(First, vec![enabled()])),
                Settled(PublishTxt),
                Hurried(Edit(First, Enabled(None))),
                Settled(Remove),
            ],
        ),
    ]
}
