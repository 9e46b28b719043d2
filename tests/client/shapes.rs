//! Every knob about the shape of answers: however Cloudflare spells them, the same comes out.

use std::num::NonZeroUsize;
use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{Class, Completeness, Connector};
use simulator::knobs::{OmittableField, PageParameter, PatchResult, Switch, TimestampFraction};
use simulator::{ConnectorDraft, Knobs, Timestamp};

use crate::setting::{ACCOUNT, Setting, creation, fedramp, in_a_minute, judged};

#[tokio::test]
async fn patch_result() {
    for (patch_result, shown) in [
        (PatchResult::Object, true),
        (PatchResult::Array, true),
        (PatchResult::Null, false),
    ] {
        let setting = Setting::new(Knobs {
            patch_result,
            ..Knobs::default()
        })
        .await;
        let id = setting.existing("example.com");
        let updated = setting.update(&id, fedramp()).await.unwrap();
        assert_eq!(
            updated.map(|it| it.use_fedramp_language),
            shown.then_some(Some(true))
        );
        assert_eq!(
            setting.get(&id).await.unwrap().use_fedramp_language,
            Some(true)
        );
    }
}

#[tokio::test]
async fn omit_fields() {
    let setting = Setting::new(Knobs::default()).await;
    let id = setting.existing("example.com");
    let whole = setting.get(&id).await.unwrap();
    for (field, expected) in [
        (
            OmittableField::CreatedOn,
            Connector {
                created_on: None,
                ..whole.clone()
            },
        ),
        (
            OmittableField::UpdatedOn,
            Connector {
                updated_on: None,
                ..whole.clone()
            },
        ),
        (
            OmittableField::UseFedrampLanguage,
            Connector {
                use_fedramp_language: None,
                ..whole.clone()
            },
        ),
        (OmittableField::ResultInfo, whole.clone()),
        (OmittableField::Messages, whole.clone()),
    ] {
        setting
            .simulator
            .admin()
            .turn_knobs(|knobs| knobs.omit_fields = vec![field]);
        assert_eq!(setting.get(&id).await.unwrap(), expected, "{field:?}");
        let listing = setting.list().await.unwrap();
        assert_eq!(listing.items, [expected], "{field:?}");
        assert_eq!(listing.complete, Completeness::Complete);
    }
}

#[tokio::test]
async fn timestamp_fraction() {
    let setting = Setting::new(Knobs::default()).await;
    let moment: Timestamp = "2025-09-25T21:05:20.462622Z".parse().unwrap();
    let draft = ConnectorDraft {
        created_on: Some(moment),
        ..ConnectorDraft::new(ACCOUNT, "a.b")
    };
    let id = setting.drafted(draft);
    for (fraction, shown) in [
        (TimestampFraction::None, "2025-09-25T21:05:20Z"),
        (TimestampFraction::Four, "2025-09-25T21:05:20.4626Z"),
        (TimestampFraction::Six, "2025-09-25T21:05:20.462622Z"),
    ] {
        setting
            .simulator
            .admin()
            .turn_knobs(|knobs| knobs.timestamp_fraction = fraction);
        let created_on = setting.get(&id).await.unwrap().created_on;
        assert_eq!(created_on, Some(shown.parse().unwrap()));
    }
}

#[tokio::test]
async fn result_info_page_size_and_page_parameter() {
    let setting = Setting::new(Knobs::default()).await;
    for number in 0..7 {
        setting.existing(&format!("{number}.example.com"));
    }
    for (result_info, page_size, page_parameter, found, complete, calls) in [
        (Switch::Off, None, PageParameter::Honoured, 7, true, 1),
        (Switch::On, None, PageParameter::Honoured, 7, true, 1),
        (
            Switch::On,
            NonZeroUsize::new(3),
            PageParameter::Honoured,
            7,
            true,
            3,
        ),
        (
            Switch::On,
            NonZeroUsize::new(7),
            PageParameter::Honoured,
            7,
            true,
            1,
        ),
        (
            Switch::On,
            NonZeroUsize::new(3),
            PageParameter::Ignored,
            3,
            false,
            2,
        ),
        // Without a count nothing tells that there is more; only a GET by ID can show it.
        (
            Switch::Off,
            NonZeroUsize::new(3),
            PageParameter::Honoured,
            3,
            true,
            1,
        ),
    ] {
        setting.simulator.admin().turn_knobs(|knobs| {
            knobs.result_info = result_info;
            knobs.page_size = page_size;
            knobs.page_parameter = page_parameter;
        });
        let before = setting.simulator.calls().count();
        let listing = setting.list().await.unwrap();
        assert_eq!(listing.items.len(), found);
        assert_eq!(listing.complete == Completeness::Complete, complete);
        assert_eq!(setting.simulator.calls().count() - before, calls);
    }
}

#[tokio::test]
async fn list_lag_and_get_lag() {
    let setting = Setting::new(Knobs::default()).await;
    setting.simulator.admin().turn_knobs(|knobs| {
        knobs.list_lag = Duration::from_mins(5);
        knobs.get_lag = Duration::from_mins(5);
    });
    let created = setting.create("example.com").await.unwrap().unwrap();
    let listing = setting.list().await.unwrap();
    assert_eq!(
        (listing.items.len(), listing.complete),
        (0, Completeness::Complete)
    );
    assert_eq!(
        judged(setting.get(&created.id).await),
        (Class::Gone, true, Some(404))
    );
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.get_lag = Duration::ZERO);
    assert_eq!(setting.get(&created.id).await.unwrap(), created);
}

#[tokio::test]
async fn date_header_and_clock_offset() {
    let knobs = Knobs {
        clock_offset_seconds: 86_400,
        ..Knobs::default()
    };
    let setting = Setting::new(knobs).await;
    let date = || async {
        setting
            .client
            .list_connectors(&setting.token, &setting.account)
            .await
            .unwrap()
            .date
    };
    let ahead = date().await.unwrap().duration_since(Timestamp::now());
    assert!((86_000..87_000).contains(&ahead.as_secs()), "{ahead}");
    let request = creation("example.com");
    let created = setting
        .client
        .create_connector(&setting.token, &setting.account, &request, in_a_minute())
        .await
        .unwrap();
    let connector = created.value.connector.unwrap();
    let apart = created
        .date
        .unwrap()
        .duration_since(connector.created_on.unwrap());
    assert!(apart.as_secs().abs() < 5, "the same clock: {apart}");
    setting
        .simulator
        .admin()
        .turn_knobs(|knobs| knobs.date_header = Switch::Off);
    assert_eq!(date().await, None);
}
