//! A connector that is there and is not known yet, or is not shown: traces d and f.

use serde_json::json;
use simulator::{Operation, When, World};

use super::{
    DUPLICATES, answer_duplicates, asked, begin_deletion, connectors, crash, creates, domain, hold,
    lists_lag, pages_lag,
};
use crate::stage::{PATIENCE, Stage, connector_id, has_finalizer};

/// What is done with the objects of trace d while there is no operator, and whether their connectors are left.
const FATES: [Fate; 3] = [
    Fate {
        name: "delete",
        policy: "Delete",
        changed_to: None,
        left: false,
    },
    Fate {
        name: "retain",
        policy: "Retain",
        changed_to: None,
        left: true,
    },
    Fate {
        name: "changed",
        policy: "Delete",
        changed_to: Some("Retain"),
        left: true,
    },
];

struct Fate {
    name: &'static str,
    policy: &'static str,
    /// Another policy, once it is being deleted.
    changed_to: Option<&'static str>,
    left: bool,
}

/// The POST is carried out, the operator dies before it can store the ID, and the object is deleted. With `Delete` the
/// connector is found and removed, although lists lag at first; with `Retain` it is left, and nothing waits for anything.
#[tokio::test]
async fn d_an_object_that_is_deleted_before_its_id_is_stored_leaks_nothing() {
    let flags = ["--creation-grace", "1m"];
    let stage = Stage::set().await;
    for (label, duplicates) in DUPLICATES {
        answer_duplicates(&stage, duplicates);
        lists_lag(&stage, true);
        let operator = stage.operator(&flags).await;
        let mut posts = Vec::new();
        for fate in &FATES {
            let name = format!("{}-{label}", fate.name);
            let domain = domain(&name);
            let post = hold(&stage, Operation::Create, &domain, When::AfterCommit);
            let fields = json!({ "deletionPolicy": fate.policy });
            stage.connector(&name, &domain, fields).await;
            posts.push((fate, name, post));
        }
        for (_, _, post) in &posts {
            post.arrived(PATIENCE).await.unwrap();
        }
        crash(&stage, operator).await;
        let mut objects = Vec::new();
        for (fate, name, post) in &posts {
            post.drop_connection();
            let object = stage.objects().get(name).await.unwrap();
            assert_eq!(has_finalizer(&object), fate.policy == "Delete", "{name}");
            objects.push(object);
            begin_deletion(&stage, name).await;
            if let Some(policy) = fate.changed_to {
                let policy = json!({ "deletionPolicy": policy });
                stage.patch_spec(name, policy).await;
            }
        }

        let successor = stage.operator(&flags).await;
        asked(&stage, Operation::List, 3).await;
        let waiting = format!("delete-{label}");
        assert!(stage.objects().get(&waiting).await.is_ok());
        lists_lag(&stage, false);
        for (object, (fate, name, _)) in objects.iter().zip(&posts) {
            harness::await_gone(&stage.objects(), object, PATIENCE)
                .await
                .unwrap();
            let left = connectors(&stage, &domain(name));
            assert_eq!(left.len(), usize::from(fate.left), "{name}: {left:?}");
            assert_eq!(creates(&stage, &domain(name)), 1, "{name}");
        }
        crash(&stage, successor).await;
    }
}

/// The ID is stored, and Cloudflare says 404 to it for a while, as reads lag: the connector is not taken for gone, so there is
/// no second POST. Its object is deleted in that moment, and is not let go before the connector is deleted.
#[tokio::test]
async fn f_a_connector_that_reads_do_not_show_yet_is_neither_created_again_nor_leaked() {
    let flags = ["--creation-lag", "1m", "--observation-limit", "1s"];
    let stage = Stage::set().await;
    let _operator = stage.operator(&flags).await;
    for (name, duplicates) in DUPLICATES {
        answer_duplicates(&stage, duplicates);
        lists_lag(&stage, true);
        pages_lag(&stage, true);
        let domain = domain(name);
        let fields = json!({ "deletionPolicy": "Delete" });
        stage.connector(name, &domain, fields).await;
        let bound = stage
            .until(name, "its ID", |object| connector_id(object).is_some())
            .await;
        let id = connector_id(&bound).unwrap();
        // Longer than it takes to confirm that a connector is gone.
        not_found(&stage, &id, 12).await;
        assert_eq!(creates(&stage, &domain), 1, "{name}");
        let still = stage.objects().get(name).await.unwrap();
        assert_eq!(connector_id(&still), Some(id.clone()), "{name}");

        begin_deletion(&stage, name).await;
        stage.until_ready_is(name, "Deleting").await;
        not_found(&stage, &id, 2).await;
        assert!(stage.objects().get(name).await.is_ok(), "{name} waits");
        pages_lag(&stage, false);
        lists_lag(&stage, false);
        harness::await_gone(&stage.objects(), &bound, PATIENCE)
            .await
            .unwrap();
        let left = connectors(&stage, &domain);
        assert!(left.is_empty(), "{name}: {left:?}");
        assert_eq!(creates(&stage, &domain), 1, "{name}");
    }
}

/// Waits until Cloudflare has said so many times more that there is no such connector.
async fn not_found(stage: &Stage, id: &str, times: usize) {
    let count = |world: &World| {
        let looks = world.calls().of(Operation::Get).on_connector(id);
        looks.answered(404).count()
    };
    let simulator = &stage.simulator;
    let before = simulator.calls().of(Operation::Get).on_connector(id);
    let before = before.answered(404).count();
    simulator
        .until(|world| count(world) >= before + times, PATIENCE)
        .await
        .unwrap();
}
