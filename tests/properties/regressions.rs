//! The smallest worlds in which a promise was once broken.

use std::time::Duration;

use cloudflare_sso_operator::resource::{ConditionType, SsoConnectorSpec, find_condition};

use crate::cluster::minimal_spec;
use crate::endings;
use crate::model::Model;
use crate::script::{Event, Flaw, Script, Sky, Turn};

/// The 404 that had shown the first connector to be gone was counted against its successor: a first look that lagged
/// the creation by an instant made the operator forget the new connector's ID, and create another.
#[test]
fn a_new_connector_is_not_gone_because_the_one_before_it_was() {
    let sky = |flaw, list_lag, get_lag| {
        Turn::Outside(Event::Sky(Sky {
            list_lag,
            get_lag,
            flaw,
        }))
    };
    let mut model = Model::played(Script {
        spec: minimal_spec(),
        turns: vec![
            Turn::Calm(1),
            sky(Flaw::Incomplete, 0, 0),
            Turn::Outside(Event::DeleteConnector),
            Turn::Calm(9),
            sky(Flaw::None, 61, 41),
            Turn::Calm(3),
        ],
    });
    assert_eq!(model.cloudflare.items().len(), 1);
    endings::ends_well(&mut model);
}

/// The journey in the model, so that nothing else here passes because nothing happens.
#[test]
fn a_quiet_world_is_enabled_and_a_change_by_hand_is_held() {
    let mut model = Model::new(SsoConnectorSpec {
        enabled: Some(true),
        ..minimal_spec()
    });
    endings::ends_well(&mut model);
    assert!(model.cloudflare.items()[0].is_enabled());
    assert_eq!(ready(&model), "Available");

    model.happens(Event::Enable(false));
    model.play(Turn::Calm(5));
    assert_eq!(ready(&model), "HeldByExternalChange");
    endings::ends_well(&mut model);
    assert!(!model.cloudflare.items()[0].is_enabled());

    model.happens(Event::EnableAt(1));
    endings::ends_well(&mut model);
    assert!(model.cloudflare.items()[0].is_enabled());
    assert_eq!(ready(&model), "Available");
}

fn ready(model: &Model) -> String {
    let status = model.cluster.object().unwrap().status.clone().unwrap();
    let ready = find_condition(&status.conditions, ConditionType::Ready);
    ready.unwrap().reason.clone()
}

/// A connector that somebody has disabled by hand stays disabled when the object is applied again within the grace.
#[test]
fn a_connector_is_ours_only_until_it_was_bound() {
    for loss in [Event::WipeStatus, Event::DeleteObject] {
        let mut model = Model::new(SsoConnectorSpec {
            enabled: Some(true),
            ..minimal_spec()
        });
        model.happens(Event::Txt(true));
        while ready(&model) != "Available" {
            model.advance(Duration::from_secs(5));
            model.play(pass());
        }
        // Whatever a look shows that is still in use, it shows the connector as verified.
        model.advance(Duration::from_secs(51));
        model.happens(Event::Enable(false));
        model.happens(loss);
        model.play(pass());
        model.happens(Event::Recreate);
        model.play(pass());
        assert!(model.now < model.timing.creation_grace, "{:?}", model.now);
        endings::ends_well(&mut model);
        assert_eq!(ready(&model), "HeldByExternalChange");
    }
}

fn pass() -> Turn {
    Turn::Pass {
        lag: 0,
        beats: Vec::new(),
    }
}
