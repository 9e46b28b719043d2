//! Many objects at once cost Cloudflare no more lists than one does, and the API server few looks at their Secret.

use std::time::{Duration, Instant};

use harness::{AuditEvent, Operator, Options, until};
use serde_json::json;
use simulator::{ConnectorChange, Failure, Fault, Operation, When};

use crate::stage::{ACCOUNT, PATIENCE, SECRET, Stage, code, connector, connector_id, quick_knobs};

const OBJECTS: usize = 60;
/// How old a list may be on which a POST rests.
const OBSERVATION_LIMIT: Duration = Duration::from_secs(15);
/// Nothing is looked at again meanwhile.
const FLAGS: [&str; 8] = [
    "--poll-unverified",
    "1h",
    "--poll-settled",
    "1h",
    "--calls-per-second",
    "1000",
    "--call-burst",
    "1000",
];

#[tokio::test]
async fn objects_that_wait_for_their_turn_share_a_list_and_what_was_read_of_their_secret() {
    let stage = Stage::with(Options::default().with_audit_log(), quick_knobs()).await;
    apply_all(&stage).await;

    let begun = Instant::now();
    let mut operator = stage.operator(&FLAGS).await;
    until_all_wait(&operator).await;
    let lists = stage.simulator.calls().of(Operation::List).count();
    let allowed = 1 + begun.elapsed().as_secs() / OBSERVATION_LIMIT.as_secs();
    assert!(
        u64::try_from(lists).unwrap() <= allowed,
        "{lists} lists, {allowed} allowed"
    );
    assert_eq!(
        stage.simulator.calls().of(Operation::Create).count(),
        OBJECTS
    );
    operator.terminate(PATIENCE).await.unwrap();

    let (calls, secrets) = (stage.simulator.calls().count(), secrets_read(&stage));
    let operator = stage.operator(&FLAGS).await;
    until_all_wait(&operator).await;
    let after = stage.simulator.calls();
    assert_eq!(after.count() - calls, 1, "one list, and nothing else");
    // Who has to wait for what comes of an offer looks again when it comes back.
    let passes = passes(&operator).await;
    let secrets = secrets_read(&stage) - secrets;
    assert!(
        secrets + OBJECTS / 2 <= passes,
        "{secrets} looks at one Secret in {passes} passes"
    );
}

#[tokio::test]
async fn objects_that_are_looked_at_again_and_again_share_what_was_read_of_their_secret() {
    /// How often each is looked at.
    const LOOKS: usize = 10;
    /// As many may find at once that nothing was read since they came to rest.
    const PLACES: usize = 8;
    let stage = Stage::with(Options::default().with_audit_log(), quick_knobs()).await;
    apply_all(&stage).await;
    let operator = stage.operator(&["--poll-unverified", "1s"]).await;
    until_all_wait(&operator).await;
    let (first, before) = (passes(&operator).await, secrets_read(&stage));
    until("ten looks at each", PATIENCE, async || {
        let made = passes(&operator).await - first;
        (made >= LOOKS * OBJECTS).then_some(()).ok_or(made)
    })
    .await
    .unwrap();
    let secrets = secrets_read(&stage) - before;
    let allowed = PLACES * (LOOKS + 2);
    assert!(secrets <= allowed, "{secrets} looks, {allowed} allowed");
}

/// One of them is settled and looked at seldom, so what the others have read a moment ago is good enough for it to look, and
/// not to change anything with.
#[tokio::test]
async fn what_others_have_read_of_a_secret_is_good_enough_to_look_and_not_to_change_anything() {
    let stage = Stage::set().await;
    let flags = [
        "--poll-settled",
        "5s",
        "--call-timeout",
        "10s",
        "--creation-grace",
        "12s",
        "--lease-duration",
        "20s",
    ];
    let _operator = stage.operator(&flags).await;
    let wording = json!({ "enabled": true, "useFedrampLanguage": true });
    stage.connector("settled", "settled.example", wording).await;
    for n in 0..3 {
        let (name, domain) = (format!("c{n}"), format!("d{n}.example"));
        stage.connector(&name, &domain, json!({})).await;
    }
    let object = stage
        .until_ready_is("settled", "AwaitingVerification")
        .await;
    let admin = stage.simulator.admin();
    admin.publish_txt("settled.example", &code(&object).unwrap());
    stage.until_ready_is("settled", "Available").await;
    let updates = || stage.simulator.calls().of(Operation::Update);
    let before = updates().count();
    let looks = || {
        let looks = stage.simulator.calls().of(Operation::Get);
        looks.on_domain("settled.example")
    };
    let looked = looks().count();

    let hold = Fault::new(Failure::Hold {
        when: When::BeforeCommit,
    });
    let look = hold.on(Operation::Get).on_domain("settled.example");
    let look = admin.push_fault(look);
    let drift = ConnectorChange {
        use_fedramp_language: Some(false),
        ..ConnectorChange::default()
    };
    let id = connector_id(&object).unwrap();
    admin.change_connector(&id, drift).unwrap();
    look.arrived(PATIENCE).await.unwrap();
    let fresh = admin.add_ready_account(ACCOUNT, "fresh");
    stage.put_token(SECRET, &fresh).await;
    look.release();
    stage
        .simulator
        .until(
            |world| world.calls().of(Operation::Update).count() > before,
            PATIENCE,
        )
        .await
        .unwrap();
    // The look that was held, and not one more, which there is if that one was too old by then.
    let token = |call: &simulator::Call| call.token.clone().unwrap();
    assert_eq!(
        (
            token(&looks().as_slice()[looked]),
            token(updates().last().unwrap())
        ),
        ("good".into(), "fresh".into())
    );
}

async fn apply_all(stage: &Stage) {
    let objects: Vec<_> = (0..OBJECTS)
        .map(|n| connector(&format!("c{n}"), &format!("d{n}.example")))
        .collect();
    stage
        .apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }))
        .await;
}

/// Until the operator has looked at all of them, and they wait for their verification.
async fn until_all_wait(operator: &Operator) {
    let line = format!("cloudflare_sso_connectors{{reason=\"AwaitingVerification\"}} {OBJECTS}");
    let all_wait = async || {
        let metrics = operator
            .metrics()
            .await
            .map_err(|error| error.to_string())?;
        let told = metrics.lines().any(|known| known == line);
        told.then_some(()).ok_or(metrics)
    };
    until("all to wait", PATIENCE, all_wait).await.unwrap();
}

/// How many passes the operator has made.
async fn passes(operator: &Operator) -> usize {
    let metrics = operator.metrics().await.unwrap();
    let counts = metrics.lines().filter_map(|line| {
        let (name, count) = line.split_once(' ')?;
        let counts = name.starts_with("cloudflare_sso_reconciles_total{");
        counts.then(|| count.parse::<usize>().unwrap())
    });
    counts.sum()
}

fn secrets_read(stage: &Stage) -> usize {
    let is_read = |event: &&AuditEvent| {
        event.user.ends_with(":cloudflare-sso-operator")
            && event.resource == "secrets"
            && event.verb == "get"
    };
    let events = stage.control_plane.audit_events().unwrap();
    events.iter().filter(is_read).count()
}
