use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::dns_refusal::{DnsRefusal, Flaw};
use crate::knobs::{ApexCname, CommentKept, Knobs, RecordQuotes};

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const CODE: &str = "cloudflare_dashboard_sso=1";

/// The zone `cool.cats`, and a clock that only moves by hand.
struct Scene {
    dns: Dns,
    zone: String,
    knobs: Knobs,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let mut dns = Dns::new(1);
        let zone = dns.add_zone(ACCOUNT, "Cool.Cats.").id;
        Self {
            dns,
            zone,
            knobs: Knobs::default(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn create(&mut self, body: &Value) -> Result<DnsRecord, DnsRefusal> {
        let request = serde_json::from_value(body.clone()).unwrap();
        self.dns.create(&self.zone, request, self.now, &self.knobs)
    }

    fn create_txt(&mut self, name: &str, content: &str) -> Result<DnsRecord, DnsRefusal> {
        self.create(&json!({"type": "TXT", "name": name, "content": content}))
    }

    fn by_hand(&mut self, record_type: RecordType, name: &str, content: &str) -> DnsRecord {
        let draft = RecordDraft::new(record_type, name, content);
        self.dns.insert(&self.zone, draft, self.now).unwrap()
    }

    fn update(&mut self, id: &str, update: Update, body: &Value) -> Result<DnsRecord, DnsRefusal> {
        let request = serde_json::from_value(body.clone()).unwrap();
        let Self {
            dns,
            zone,
            knobs,
            now,
        } = self;
        dns.update(zone, id, request, update, *now, knobs)
    }

    fn delete(&mut self, id: &str) -> Result<(), DnsRefusal> {
        self.dns.delete(&self.zone, id, self.now)
    }

    fn list(&self, filter: &RecordFilter) -> Vec<&DnsRecord> {
        self.dns.list(&self.zone, filter, self.now, &self.knobs)
    }

    fn txt(&self, name: &str) -> Vec<String> {
        self.dns.txt(name).into_iter().collect()
    }
}

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
fn a_record_that_dns_cannot_hold_is_invalid() {
    let long = "a".repeat(4081);
    for (record_type, name, content, flaw) in [
        ("TXT", "a b", CODE, Flaw::Name),
        ("TXT", "", CODE, Flaw::Name),
        ("txt", "a", CODE, Flaw::Type),
        ("NOPE", "a", CODE, Flaw::Type),
        ("TXT", "a", "", Flaw::Content),
        ("TXT", "a", "\"open", Flaw::Content),
        ("TXT", "a", &long, Flaw::Content),
        ("A", "a", "::1", Flaw::Content),
        ("AAAA", "a", "192.0.2.1", Flaw::Content),
        ("CNAME", "a", "not a name", Flaw::Content),
    ] {
        let body = json!({"type": record_type, "name": name, "content": content});
        let refused = Scene::new().create(&body);
        assert_eq!(refused, Err(DnsRefusal::Invalid(flaw)), "{body}");
    }
    let untyped = Scene::new().create(&json!({"name": "a", "content": CODE}));
    assert_eq!(untyped, Err(DnsRefusal::Invalid(Flaw::Type)));
}

#[test]
fn the_texts_of_a_name_are_limited_in_sum() {
    let mut scene = Scene::new();
    let text = |letter: &str| letter.repeat(4000);
    scene.create_txt("@", &text("a")).unwrap();
    let second = scene.create_txt("@", &text("b")).unwrap();
    let crowded = Err(DnsRefusal::Invalid(Flaw::CrowdedName));
    assert_eq!(scene.create_txt("@", &text("c")), crowded);
    scene.create_txt("elsewhere", &text("c")).unwrap();
    let replaced = json!({"content": text("c")});
    scene.update(&second.id, Update::Merge, &replaced).unwrap();
}

#[test]
fn a_time_to_live_keeps_its_bounds() {
    for (minimum_ttl, ttl, valid) in [
        (60, 1, true),
        (60, 60, true),
        (60, 86_400, true),
        (60, 0, false),
        (60, 59, false),
        (60, 86_401, false),
        (30, 30, true),
        (30, 29, false),
    ] {
        let mut scene = Scene::new();
        scene.knobs.minimum_ttl = minimum_ttl;
        let body = json!({"type": "TXT", "name": "@", "content": CODE, "ttl": ttl});
        let created = scene.create(&body);
        assert_eq!(created.is_ok(), valid, "{ttl}");
        assert_eq!(created == Err(DnsRefusal::TimeToLive), !valid, "{ttl}");
    }
}

#[test]
fn a_comment_is_short_and_kept_as_its_knob_says() {
    for (knob, length, kept) in [
        (CommentKept::Whole, 100, Ok(Some(100))),
        (CommentKept::Whole, 101, Err(DnsRefusal::LongComment)),
        (CommentKept::Whole, 0, Ok(None)),
        (CommentKept::Dropped, 100, Ok(None)),
        (CommentKept::Truncated(50), 100, Ok(Some(50))),
        (CommentKept::Truncated(50), 40, Ok(Some(40))),
    ] {
        let mut scene = Scene::new();
        scene.knobs.comment_kept = knob;
        let comment = "ü".repeat(length);
        let body = json!({"type": "TXT", "name": "@", "content": CODE, "comment": comment});
        let comment = scene.create(&body).map(|created| created.comment);
        let comment = comment.map(|comment| comment.map(|comment| comment.chars().count()));
        assert_eq!(comment, kept, "{knob:?} {length}");
    }
}

#[test]
fn identical_is_what_says_the_same_at_one_name() {
    for (name, content, identical) in [
        ("@", "v=spf1 -all", true),
        ("COOL.cats.", "\"v=spf1 -all\"", true),
        ("@", "\"v=spf1\" \" -all\"", true),
        ("@", "V=SPF1 -all", false),
        ("mail", "v=spf1 -all", false),
        ("@", CODE, false),
    ] {
        let mut scene = Scene::new();
        scene.by_hand(RecordType::Txt, "@", "v=spf1 -all");
        let created = scene.create_txt(name, content);
        let refused = created == Err(DnsRefusal::IdenticalRecord);
        assert_eq!(refused, identical, "{name} {content}");
        assert_eq!(created.is_ok(), !identical, "{name} {content}");
    }
}

#[test]
fn a_cname_stands_alone() {
    use RecordType::{A, Cname, Mx, Txt};
    let (conflicts, flattened) = (ApexCname::Conflicts, ApexCname::Flattened);
    let (taken, cname) = (Some(DnsRefusal::HostTaken), Some(DnsRefusal::CnameTaken));
    for (there, name, record_type, knob, expected) in [
        (Cname, "mail", "TXT", conflicts, cname),
        (Cname, "mail", "TXT", flattened, cname),
        (Cname, "mail", "A", conflicts, taken),
        (Cname, "mail", "CNAME", conflicts, taken),
        (Txt, "mail", "CNAME", conflicts, taken),
        (A, "mail", "CNAME", conflicts, taken),
        (A, "mail", "TXT", conflicts, None),
        (Cname, "@", "TXT", conflicts, cname),
        (Cname, "@", "TXT", flattened, None),
        (Cname, "@", "A", flattened, taken),
        (Txt, "@", "CNAME", flattened, None),
        (Mx, "@", "CNAME", flattened, None),
        (A, "@", "CNAME", flattened, taken),
    ] {
        let mut scene = Scene::new();
        scene.knobs.apex_cname = knob;
        let old = if there == A {
            "192.0.2.1"
        } else {
            "old.example"
        };
        scene.by_hand(there, name, old);
        let new = if record_type == "A" {
            "192.0.2.2"
        } else {
            "new.example"
        };
        let body = json!({"type": record_type, "name": name, "content": new});
        let refusal = scene.create(&body).err();
        assert_eq!(refusal, expected, "{there:?} and {record_type} at {name}");
        let beside = json!({"type": record_type, "name": "beside", "content": new});
        assert!(scene.create(&beside).is_ok());
    }
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
fn a_deleted_record_is_in_the_way_of_its_like_for_a_while() {
    let mut scene = Scene::new();
    scene.knobs.duplicate_after_delete = Duration::from_secs(30);
    let first = scene.create_txt("@", CODE).unwrap();
    scene.delete(&first.id).unwrap();
    scene.pass(29);
    let quoted = format!("\"{CODE}\"");
    assert_eq!(
        scene.create_txt("@", &quoted),
        Err(DnsRefusal::IdenticalRecord)
    );
    assert!(scene.create_txt("@", "other").is_ok());
    scene.pass(1);
    assert!(scene.create_txt("@", &quoted).is_ok());
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
