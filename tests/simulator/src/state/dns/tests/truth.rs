//! What the world finds at a name.

use super::*;

#[test]
fn the_world_sees_active_full_zones() {
    let mut scene = Scene::new();
    scene.by_hand(RecordType::Txt, "@", "\"cloudflare_dashboard\" \"_sso=1\"");
    let zone = scene.zone.clone();
    for (status, zone_type, seen) in [
        (ZoneStatus::Active, ZoneType::Full, true),
        (ZoneStatus::Active, ZoneType::Partial, false),
        (ZoneStatus::Initializing, ZoneType::Full, false),
        (ZoneStatus::Pending, ZoneType::Full, false),
        (ZoneStatus::Moved, ZoneType::Full, false),
    ] {
        let edit = |zone: &mut Zone| {
            zone.status = status;
            zone.zone_type = zone_type;
        };
        scene.dns.change_zone(&zone, edit).unwrap();
        assert_eq!(
            scene.dns.holds("Cool.Cats.", CODE),
            seen,
            "{status:?} {zone_type:?}"
        );
    }
}

#[test]
fn the_deepest_zone_decides() {
    let mut scene = Scene::new();
    scene.by_hand(RecordType::Txt, "mail.cool.cats", "above");
    assert_eq!(scene.txt("mail.cool.cats"), ["above"]);
    let below = scene.dns.add_zone(ACCOUNT, "mail.cool.cats").id;
    assert!(scene.txt("mail.cool.cats").is_empty());
    let draft = RecordDraft::txt("@", "below");
    scene.dns.insert(&below, draft, scene.now).unwrap();
    assert_eq!(scene.txt("mail.cool.cats"), ["below"]);
    scene.dns.publish("mail.cool.cats", "by hand");
    assert_eq!(scene.txt("mail.cool.cats"), ["below", "by hand"]);
    let pending = |zone: &mut Zone| zone.status = ZoneStatus::Pending;
    scene.dns.change_zone(&below, pending).unwrap();
    assert_eq!(scene.txt("mail.cool.cats"), ["above", "by hand"]);
    scene.dns.withdraw("mail.cool.cats");
    assert_eq!(scene.txt("mail.cool.cats"), ["above"]);
    assert!(scene.txt("ail.cool.cats").is_empty());
}

#[test]
fn a_cname_is_followed_once() {
    let mut scene = Scene::new();
    scene.by_hand(RecordType::Cname, "first", "Second.cool.cats.");
    scene.by_hand(RecordType::Cname, "second", "third.cool.cats");
    scene.by_hand(RecordType::Txt, "third", CODE);
    assert_eq!(scene.txt("second.cool.cats"), [CODE]);
    assert!(scene.txt("first.cool.cats").is_empty());
}
