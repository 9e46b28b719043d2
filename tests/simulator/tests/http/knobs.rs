//! Every knob that shows over HTTP; the rules behind them are tested on the model.

use std::num::NonZeroUsize;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::knobs::{
    BeginVerified, DeleteEnabled, DeleteResult, DuplicateCreate, OmittableField, PageParameter,
    PatchResult, Switch, TimestampFraction,
};
use simulator::{ConnectorDraft, Knobs, VerificationStatus};

use crate::client::{ACCOUNT, DEADLINE, DOMAIN, Stage, send};

impl Stage {
    fn turn(&self, turn: impl FnOnce(&mut Knobs)) {
        self.simulator.admin().turn_knobs(turn);
    }

    /// The ID of a connector that is verified already.
    fn verified(&self) -> String {
        let draft = ConnectorDraft {
            verification_status: VerificationStatus::Verified,
            ..ConnectorDraft::new(ACCOUNT, DOMAIN)
        };
        self.simulator.admin().create_connector(draft).id
    }
}

#[tokio::test]
async fn duplicate_create() {
    let stage = Stage::new().await;
    let first = stage.create().await.id();
    assert_eq!(stage.create().await.status, 409);
    stage.turn(|knobs| knobs.duplicate_create = DuplicateCreate::Reject400);
    assert_eq!(stage.create().await.status, 400);
    stage.turn(|knobs| knobs.duplicate_create = DuplicateCreate::ReturnExisting);
    assert_eq!(stage.create().await.id(), first);
    stage.turn(|knobs| knobs.duplicate_create = DuplicateCreate::Allow);
    assert_ne!(stage.create().await.id(), first);
}

#[tokio::test]
async fn delete_enabled() {
    let stage = Stage::new().await;
    let id = stage.verified();
    stage.simulator.admin().set_enabled(&id, true).unwrap();
    assert_eq!(stage.delete(&id).await.status, 409);
    stage.turn(|knobs| knobs.delete_enabled = DeleteEnabled::Allow);
    assert_eq!(stage.delete(&id).await.status, 200);
}

#[tokio::test]
async fn begin_verified() {
    let stage = Stage::new().await;
    let id = stage.verified();
    assert_eq!(stage.begin(&id).await.status, 200);
    stage.turn(|knobs| knobs.begin_verified = BeginVerified::Error);
    assert_eq!(stage.begin(&id).await.status, 400);
}

#[tokio::test]
async fn enable_unverified_status_and_code() {
    let knobs = Knobs {
        enable_unverified_status: 422,
        enable_unverified_code: 1234,
        ..Knobs::default()
    };
    let stage = Stage::with(knobs).await;
    let id = stage.create().await.id();
    let refused = stage.patch(&id, &json!({"enabled": true})).await;
    assert_eq!((refused.status, refused.code()), (422, 1234));
}

#[tokio::test]
async fn other_account_enabled() {
    let stage = Stage::new().await;
    let elsewhere = ConnectorDraft {
        enabled: true,
        ..ConnectorDraft::new("ffffffffffffffffffffffffffffffff", DOMAIN)
    };
    let _ = stage.simulator.admin().create_connector(elsewhere);
    let id = stage.verified();
    assert_eq!(
        stage.patch(&id, &json!({"enabled": true})).await.status,
        409
    );
    stage.turn(|knobs| knobs.other_account_enabled = Switch::Off);
    assert_eq!(
        stage.patch(&id, &json!({"enabled": true})).await.status,
        200
    );
}

#[tokio::test]
async fn require_idp_and_refuse_edu() {
    let stage = Stage::new().await;
    let other = "ffffffffffffffffffffffffffffffff";
    let request = simulator::TokenRequest::new("other").grant(other, simulator::Permission::ALL);
    let token = stage.simulator.admin().issue_token(request);
    let create = |domain: &str| {
        let path = format!("/accounts/{other}/sso_connectors");
        let request = stage.bare(Method::POST, &path).bearer_auth(&token);
        send(request.json(&json!({"email_domain": domain})))
    };
    assert_eq!(create(DOMAIN).await.status, 400);
    stage.turn(|knobs| knobs.require_idp = Switch::Off);
    assert_eq!(create(DOMAIN).await.status, 200);
    assert_eq!(create("some.edu").await.status, 400);
    stage.turn(|knobs| knobs.refuse_edu = Switch::Off);
    assert_eq!(create("some.edu").await.status, 200);
}

#[tokio::test]
async fn begin_verification_rotates_code() {
    let knobs = Knobs {
        begin_verification_rotates_code: Switch::On,
        ..Knobs::default()
    };
    let stage = Stage::with(knobs).await;
    let body = json!({"email_domain": DOMAIN, "begin_verification": false});
    let created = send(stage.create_request(&body)).await;
    stage.begin(&created.id()).await;
    let after = stage.get(&created.id()).await;
    assert_ne!(
        after.result()["verification"]["code"],
        created.result()["verification"]["code"]
    );
}

#[tokio::test]
async fn patch_result_and_delete_result() {
    let stage = Stage::new().await;
    let id = stage.verified();
    let change = json!({"enabled": false});
    let patch = || stage.patch(&id, &change);
    assert!(patch().await.result().is_object());
    stage.turn(|knobs| knobs.patch_result = PatchResult::Array);
    assert_eq!(patch().await.result()[0]["id"], id.as_str());
    stage.turn(|knobs| knobs.patch_result = PatchResult::Null);
    assert_eq!(patch().await.json().get("result"), Some(&Value::Null));
    stage.turn(|knobs| knobs.delete_result = DeleteResult::Null);
    assert_eq!(
        stage.delete(&id).await.json().get("result"),
        Some(&Value::Null)
    );
}

#[tokio::test]
async fn omit_fields() {
    let stage = Stage::with(Knobs {
        result_info: Switch::On,
        ..Knobs::default()
    })
    .await;
    let id = stage.verified();
    let present = |reply: &Value| {
        let shown = &reply["result"][0];
        [
            shown.get("created_on").is_some(),
            shown.get("updated_on").is_some(),
            shown.get("use_fedramp_language").is_some(),
            reply.get("result_info").is_some(),
            reply.get("messages").is_some(),
        ]
    };
    assert_eq!(present(&stage.list().await.json()), [true; 5]);
    stage.turn(|knobs| {
        knobs.omit_fields = vec![
            OmittableField::CreatedOn,
            OmittableField::UpdatedOn,
            OmittableField::UseFedrampLanguage,
            OmittableField::ResultInfo,
            OmittableField::Messages,
        ];
    });
    assert_eq!(present(&stage.list().await.json()), [false; 5]);
    assert_eq!(stage.get(&id).await.result()["id"], id.as_str());
}

#[tokio::test]
async fn timestamp_fraction() {
    let stage = Stage::new().await;
    let id = stage.verified();
    for (fraction, length) in [
        (TimestampFraction::None, "2025-01-01T12:21:02Z".len()),
        (TimestampFraction::Four, "2025-01-01T12:21:02.0000Z".len()),
        (TimestampFraction::Six, "2025-01-01T12:21:02.000000Z".len()),
    ] {
        stage.turn(|knobs| knobs.timestamp_fraction = fraction);
        let shown = stage.get(&id).await.result()["created_on"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(shown.len(), length, "{shown}");
    }
}

#[tokio::test]
async fn poll_interval_and_verify_timeout() {
    let stage = Stage::with(Knobs {
        poll_interval: Duration::from_millis(10),
        verify_timeout: Duration::from_millis(50),
        ..Knobs::default()
    })
    .await;
    let id = stage.create().await.id();
    let reached = |wanted: VerificationStatus| {
        let id = id.clone();
        move |world: &simulator::World| {
            world
                .connector(&id)
                .is_some_and(|it| it.verification_status == wanted)
        }
    };
    stage
        .simulator
        .until(reached(VerificationStatus::Failed), DEADLINE)
        .await
        .unwrap();
    stage.turn(|knobs| knobs.verify_timeout = Duration::from_hours(1));
    stage.begin(&id).await;
    let code = &stage.connectors()[0].verification_code;
    stage.simulator.admin().publish_txt(DOMAIN, code);
    stage
        .simulator
        .until(reached(VerificationStatus::Verified), DEADLINE)
        .await
        .unwrap();
}

#[tokio::test]
async fn result_info_and_paging() {
    let stage = Stage::with(Knobs {
        result_info: Switch::On,
        page_size: NonZeroUsize::new(2),
        ..Knobs::default()
    })
    .await;
    let insert = |number: i32| {
        let draft = ConnectorDraft::new(ACCOUNT, &format!("d{number}.example"));
        stage.simulator.admin().create_connector(draft)
    };
    let made: Vec<_> = (0..3).map(insert).collect();
    let page = async |number: usize| {
        let path = format!("/sso_connectors?per_page=50&page={number}");
        send(stage.request(Method::GET, &path)).await.json()
    };
    let first = stage.list().await.json();
    let info = json!({"count": 2, "page": 1, "per_page": 2, "total_count": 3});
    assert_eq!(first["result_info"], info);
    assert_eq!(first["result"][0]["id"], made[0].id.as_str());
    assert_eq!(page(2).await["result"][0]["id"], made[2].id.as_str());
    assert_eq!(page(3).await["result"], json!([]));
    stage.turn(|knobs| knobs.page_parameter = PageParameter::Ignored);
    assert_eq!(page(2).await["result"], first["result"]);
    stage.turn(|knobs| knobs.page_size = None);
    assert_eq!(page(2).await["result_info"]["count"], 3);
}

#[tokio::test]
async fn list_lag_and_get_lag() {
    let lag = Duration::from_hours(1);
    let stage = Stage::with(Knobs {
        list_lag: lag,
        get_lag: lag,
        ..Knobs::default()
    })
    .await;
    let id = stage.create().await.id();
    assert_eq!(stage.list().await.result(), json!([]));
    assert_eq!(stage.get(&id).await.status, 404);
    assert_eq!(
        stage
            .patch(&id, &json!({"use_fedramp_language": true}))
            .await
            .status,
        200
    );
    stage.turn(|knobs| knobs.get_lag = Duration::ZERO);
    assert_eq!(stage.get(&id).await.result()["use_fedramp_language"], true);
    assert_eq!(stage.list().await.result(), json!([]));
    stage.turn(|knobs| knobs.list_lag = Duration::ZERO);
    assert_eq!(stage.list().await.result()[0]["id"], id.as_str());
}

#[tokio::test]
async fn date_header_and_clock_offset() {
    let stage = Stage::with(Knobs {
        clock_offset_seconds: -315_360_000,
        ..Knobs::default()
    })
    .await;
    let created = stage.create().await;
    let year = created.header("date").unwrap()[12..16].to_owned();
    assert!(
        created.result()["created_on"]
            .as_str()
            .unwrap()
            .starts_with(&year)
    );
    stage.turn(|knobs| knobs.clock_offset_seconds = 0);
    assert_ne!(stage.list().await.header("date").unwrap()[12..16], year);
    stage.turn(|knobs| knobs.date_header = Switch::Off);
    assert_eq!(stage.list().await.header("date"), None);
}
