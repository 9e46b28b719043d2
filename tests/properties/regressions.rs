//! The smallest worlds in which a promise was once broken.

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
