//! What becomes of records, and which of them reads show.

use super::*;

#[test]
fn a_record_is_stored_as_it_was_sent() {
    let mut scene = Scene::new();
    let body = json!({
        "type": "TXT", "name": "Mail", "content": "\"a\" \"b\"", "ttl": 300, "comment": "mine",
        "tags": ["owner:me"], "unknown": 1,
    });
    let created = scene.create(&body).unwrap();
    assert_eq!(created.name, "mail.cool.cats");
    assert_eq!(created.content, "\"a\" \"b\"");
    assert_eq!(created.txt_value().as_deref(), Some("ab"));
    assert_eq!(created.ttl, 300);
    assert_eq!(created.comment.as_deref(), Some("mine"));
    assert_eq!(created.tags, ["owner:me"]);
    assert_eq!(scene.dns.records(&scene.zone), [created]);
    let plain = scene.create_txt("@", CODE).unwrap();
    assert_eq!((plain.name.as_str(), plain.ttl), ("cool.cats", 1));
    assert_eq!(plain.comment, None);
}

#[test]
fn an_update_keeps_what_it_does_not_name_or_replaces_it() {
    for (update, comment, ttl) in [
        (Update::Merge, Some("mine"), 300),
        (Update::Replace, None, 1),
    ] {
        let mut scene = Scene::new();
        let body =
            json!({"type": "TXT", "name": "@", "content": CODE, "ttl": 300, "comment": "mine"});
        let before = scene.create(&body).unwrap();
        let body = json!({"type": "TXT", "name": "@", "content": "other"});
        let after = scene.update(&before.id, update, &body).unwrap();
        assert_eq!(after.content, "other");
        assert_eq!((after.comment.as_deref(), after.ttl), (comment, ttl));
        assert_eq!(after.created_on, before.created_on);
        assert!(
            after.modified_on > before.modified_on,
            "even within one moment"
        );
        assert_eq!(scene.dns.records(&scene.zone), [after]);
    }
}

#[test]
fn an_update_is_held_to_the_rules_of_a_create() {
    let mut scene = Scene::new();
    scene.by_hand(RecordType::Txt, "@", "taken");
    let id = scene.by_hand(RecordType::Txt, "@", CODE).id;
    for (body, expected) in [
        (json!({"content": "\"taken\""}), DnsRefusal::IdenticalRecord),
        (json!({"ttl": 2}), DnsRefusal::TimeToLive),
        (json!({"content": ""}), DnsRefusal::Invalid(Flaw::Content)),
        (json!({"comment": "a".repeat(101)}), DnsRefusal::LongComment),
    ] {
        assert_eq!(
            scene.update(&id, Update::Merge, &body),
            Err(expected),
            "{body}"
        );
    }
    let same = json!({"content": CODE});
    assert!(scene.update(&id, Update::Merge, &same).is_ok(), "itself");
    let incomplete = scene.update(&id, Update::Replace, &json!({"ttl": 60}));
    assert_eq!(incomplete, Err(DnsRefusal::Invalid(Flaw::Type)));
}

#[test]
fn a_deleted_or_foreign_record_is_unknown() {
    let mut scene = Scene::new();
    let deleted = scene.create_txt("@", CODE).unwrap().id;
    scene.delete(&deleted).unwrap();
    let other = scene.dns.add_zone(ACCOUNT, "cool.dogs").id;
    let foreign = RecordDraft::txt("@", CODE);
    let foreign = scene.dns.insert(&other, foreign, scene.now).unwrap().id;
    for id in [&deleted, &foreign] {
        let unknown = DnsRefusal::UnknownRecord;
        let got = scene.dns.get(&scene.zone, id, scene.now, &scene.knobs);
        assert_eq!(got, Err(unknown));
        assert_eq!(scene.update(id, Update::Merge, &json!({})), Err(unknown));
        assert_eq!(scene.delete(id), Err(unknown));
    }
    assert_eq!(scene.dns.records(&other).len(), 1);
}

#[test]
fn reads_lag_writes_and_rules_do_not() {
    let mut scene = Scene::new();
    scene.knobs.record_lag = Duration::from_secs(10);
    let contents = |scene: &Scene| -> Vec<String> {
        let listed = scene.list(&RecordFilter::default());
        listed.iter().map(|record| record.content.clone()).collect()
    };
    let created = scene.create_txt("@", CODE).unwrap();
    let got = scene
        .dns
        .get(&scene.zone, &created.id, scene.now, &scene.knobs);
    assert_eq!(got, Err(DnsRefusal::UnknownRecord));
    assert!(contents(&scene).is_empty());
    assert_eq!(
        scene.create_txt("@", CODE),
        Err(DnsRefusal::IdenticalRecord)
    );
    scene.pass(9);
    assert!(contents(&scene).is_empty());
    scene.pass(1);
    assert_eq!(contents(&scene), [CODE]);
    let other = json!({"content": "other"});
    scene.update(&created.id, Update::Merge, &other).unwrap();
    assert_eq!(contents(&scene), [CODE], "the old content");
    scene.pass(10);
    scene.delete(&created.id).unwrap();
    assert_eq!(contents(&scene), ["other"], "the ghost");
    assert!(scene.dns.records(&scene.zone).is_empty(), "as it is");
    scene.pass(10);
    assert!(contents(&scene).is_empty());
}

#[test]
fn a_list_shows_what_passes_its_filters() {
    let mut scene = Scene::new();
    let spf = scene.by_hand(RecordType::Txt, "@", "v=spf1 -all").id;
    let comment = json!({"type": "TXT", "name": "@", "content": "\"Code=1\"", "comment": "Mine"});
    let code = scene.create(&comment).unwrap().id;
    let mail = scene.by_hand(RecordType::A, "mail", "192.0.2.1").id;
    let text = |text: &str| Some(text.to_owned());
    let none = RecordFilter::default;
    for (filter, expected) in [
        (none(), vec![&spf, &code, &mail]),
        (
            RecordFilter {
                record_type: text("txt"),
                ..none()
            },
            vec![&spf, &code],
        ),
        (
            RecordFilter {
                name: text("Mail.cool.cats."),
                ..none()
            },
            vec![&mail],
        ),
        (
            RecordFilter {
                content: text("\"code=1\""),
                ..none()
            },
            vec![&code],
        ),
        (
            RecordFilter {
                content: text("code=1"),
                ..none()
            },
            vec![],
        ),
        (
            RecordFilter {
                comment: text("mine"),
                ..none()
            },
            vec![&code],
        ),
        (
            RecordFilter {
                record_type: text("A"),
                comment: text("mine"),
                ..none()
            },
            vec![],
        ),
        (
            RecordFilter {
                record_type: text("A"),
                comment: text("mine"),
                matching: Match::Any,
                ..none()
            },
            vec![&code, &mail],
        ),
        (
            RecordFilter {
                matching: Match::Any,
                ..none()
            },
            vec![&spf, &code, &mail],
        ),
    ] {
        let listed = scene.list(&filter);
        let ids: Vec<&String> = listed.iter().map(|record| &record.id).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
    scene.knobs.record_quotes = RecordQuotes::Bare;
    let bare = RecordFilter {
        content: text("code=1"),
        ..none()
    };
    assert_eq!(
        scene.list(&bare).len(),
        1,
        "contents compare as they are shown"
    );
}

#[test]
fn by_hand_a_record_only_has_to_be_well_formed() {
    let mut scene = Scene::new();
    scene.by_hand(RecordType::Cname, "@", "old.example");
    let draft = RecordDraft {
        ttl: 7,
        comment: Some("a".repeat(200)),
        proxied: true,
        ..RecordDraft::txt("@", CODE)
    };
    for _ in 0..2 {
        scene
            .dns
            .insert(&scene.zone, draft.clone(), scene.now)
            .unwrap();
    }
    let record = scene.dns.records(&scene.zone)[2].clone();
    assert_eq!((record.ttl, record.proxied), (7, false));
    let change = RecordChange {
        content: Some("other".to_owned()),
        ..RecordChange::default()
    };
    let changed = scene.dns.change(&record.id, change, scene.now).unwrap();
    assert_eq!((changed.content.as_str(), changed.ttl), ("other", 7));
    let malformed = RecordDraft::txt("@", "\"open");
    let refused = scene.dns.insert(&scene.zone, malformed, scene.now);
    assert_eq!(refused, Err(DnsRefusal::Invalid(Flaw::Content)));
    let nowhere = scene.dns.insert("nowhere", draft, scene.now);
    assert_eq!(nowhere, Err(DnsRefusal::UnknownZone));
    assert_eq!(scene.dns.remove(&record.id, scene.now).unwrap(), changed);
    let gone = scene.dns.remove(&record.id, scene.now);
    assert_eq!(gone, Err(DnsRefusal::UnknownRecord));
}

#[test]
fn a_zone_goes_with_its_records() {
    let mut scene = Scene::new();
    let record = scene.by_hand(RecordType::Txt, "@", CODE);
    let zone = scene.zone.clone();
    assert_eq!(scene.dns.delete_zone(&zone, scene.now).unwrap().id, zone);
    assert_eq!(scene.dns.record(&record.id), None);
    assert!(scene.txt("cool.cats").is_empty());
    let gone = scene.dns.delete_zone(&zone, scene.now);
    assert_eq!(gone, Err(DnsRefusal::UnknownZone));
}
