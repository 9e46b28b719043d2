//! Absent means safe: taking an optional field out of a settled object, as an older definition would, enables, disables,
//! deletes and re-creates nothing.

use super::*;

/// A field that is taken out, and what may follow at the most.
struct Field {
    name: &'static str,
    strip: fn(&mut Desired),
    may_begin: bool,
}

const FIELDS: [Field; 7] = [
    Field {
        name: "enabled",
        strip: |desired| desired.enabled = None,
        may_begin: false,
    },
    Field {
        name: "useFedrampLanguage",
        strip: |desired| desired.use_fedramp_language = None,
        may_begin: false,
    },
    Field {
        name: "beginVerification",
        strip: |desired| desired.begin_verification = true,
        may_begin: true,
    },
    Field {
        name: "onExternalChange",
        strip: |desired| desired.on_external_change = ExternalChangePolicy::Hold,
        may_begin: false,
    },
    Field {
        name: "apiTokenSecretRef",
        strip: |desired| desired.api_token = None,
        may_begin: false,
    },
    Field {
        name: "connectorID",
        strip: |desired| desired.named = None,
        may_begin: false,
    },
    Field {
        name: "adoptionPolicy",
        strip: |desired| desired.adoption = AdoptionPolicy::Adopt,
        may_begin: true,
    },
];

const STATES: [EnforcementState; 4] = [
    EnforcementState::Armed,
    EnforcementState::Applying,
    EnforcementState::Satisfied,
    EnforcementState::Held,
];

/// What Cloudflare may hold.
fn clouds() -> Vec<(&'static str, Cloudflare)> {
    vec![
        ("enabled", Cloudflare::shows(&verified(true))),
        ("disabled", Cloudflare::shows(&verified(false))),
        ("pending", Cloudflare::shows(&pending())),
        ("awaiting", Cloudflare::shows(&awaiting())),
        ("failed", Cloudflare::shows(&failed())),
        ("gone", Cloudflare::default()),
    ]
}

/// Objects in every state, with every combination of optional fields.
fn objects() -> Vec<Scene> {
    let mut objects = Vec::new();
    for enabled in [None, Some(true), Some(false)] {
        let unbound = Scene::new().with(|scene| scene.desired.enabled = enabled);
        objects.push(unbound);
        objects.extend(STATES.map(|state| Scene::bound(enabled, state)));
    }
    for change in [
        (|scene| scene.desired.named = Some(id())) as fn(&mut Scene),
        |scene| scene.desired.adoption = AdoptionPolicy::Refuse,
        |scene| scene.desired.on_external_change = ExternalChangePolicy::Enforce,
        |scene| scene.desired.begin_verification = false,
        |scene| scene.desired.use_fedramp_language = Some(false),
    ] {
        let changed: Vec<_> = objects
            .iter()
            .map(|scene| scene.clone().with(change))
            .collect();
        objects.extend(changed);
    }
    objects
}

/// The calls of some hours.
fn acts(scene: &mut Scene, cloud: &Cloudflare) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..6 {
        scene.now += 1200.0;
        let plan = scene.pass(cloud);
        acts.extend(act(&plan).cloned());
        if let Plan::Settle { verdict, .. } = plan {
            scene.record = verdict.record;
        }
    }
    acts
}

#[test]
fn a_field_that_is_taken_out_of_a_settled_object_changes_nothing() {
    let mut settled = 0;
    for (state, cloud) in clouds() {
        for mut scene in objects() {
            if !acts(&mut scene, &cloud).is_empty() {
                continue;
            }
            settled += 1;
            for field in &FIELDS {
                let mut stripped = scene.clone();
                (field.strip)(&mut stripped.desired);
                stripped.desired.generation += 1;
                let named_in_vain =
                    scene.desired.named.is_some() && scene.record.connector.is_none();
                let enforces = scene.desired.on_external_change == ExternalChangePolicy::Enforce;
                for act in acts(&mut stripped, &cloud) {
                    let allowed = match act {
                        Act::BeginVerification { .. } => field.may_begin,
                        // Without an ID it is found or created by its domain: that is what absent means.
                        Act::Create { .. } => {
                            field.name == "connectorID" && (named_in_vain || enforces)
                        }
                        // What is adopted is held, unless the object says in writing that nothing is.
                        Act::Update { .. } => field.name == "adoptionPolicy" && enforces,
                        Act::Delete(_) | Act::Publish { .. } | Act::Unpublish { .. } => false,
                    };
                    assert!(
                        allowed,
                        "{state} at Cloudflare, without {}: {act:?}\n{:#?}\n{:#?}",
                        field.name, scene.desired, scene.record
                    );
                }
            }
        }
    }
    assert!(settled > 1000, "only {settled} objects came to rest");
}
