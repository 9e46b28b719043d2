//! Which records the API lets in.

use super::*;

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
