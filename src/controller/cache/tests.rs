use std::time::Duration;

use kube::runtime::watcher::Event;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::controller::brought::Brought;

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

fn brought(namespace: &str, name: &str, uid: &str, domain: &str) -> Brought {
    serde_json::from_value(json!({
        "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
        "metadata": {
            "namespace": namespace, "name": name, "uid": uid, "resourceVersion": "7", "generation": 3,
            "annotations": { "cloudflare-sso.dev/reconcile-at": "now" },
        },
        "spec": { "accountID": ACCOUNT, "emailDomain": domain },
        "status": { "connectorID": "c0", "conditions": [] },
    }))
    .unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}

fn everywhere(cache: &Cache) -> Intake<'_> {
    Intake::new(cache, None, CancellationToken::new())
}

fn texts(told: Told) -> Vec<String> {
    let mut names = told.names;
    names.sort();
    names.iter().map(ToString::to_string).collect()
}

fn uids(told: Told) -> Vec<String> {
    let gone = told.gone.into_iter();
    gone.filter_map(|object| object.metadata.uid).collect()
}

fn domains(cache: &Cache, domain: &str) -> Vec<String> {
    let objects = cache.others_of_pair(None, ACCOUNT, domain).into_iter();
    let mut names: Vec<_> = objects
        .map(|object| ObjectName::of(&object.metadata).to_string())
        .collect();
    names.sort();
    names
}

fn name(namespace: &str, name: &str) -> ObjectName {
    ObjectName::new(namespace, name)
}

#[test]
fn an_object_comes_out_as_it_was_brought() {
    let cache = Cache::default();
    let object = brought("a", "x", "1", "a.example");
    let told = everywhere(&cache).take(Event::Apply(object.clone()), at(1));
    assert_eq!(texts(told), ["a/x"]);
    let cached = cache.get(&name("a", "x")).unwrap().unwrap();
    assert_eq!(cached.object, object.understand().unwrap());
    assert!(cache.get(&name("a", "y")).is_none());
}

#[test]
fn an_edition_was_seen_when_it_was_first_brought() {
    let cache = Cache::default();
    let mut intake = everywhere(&cache);
    let seen = || cache.get(&name("a", "x")).unwrap().unwrap().seen;
    let object = |uid| brought("a", "x", uid, "a.example");
    let status_written = || {
        let mut object = object("1");
        object.metadata.resource_version = Some("8".to_owned());
        object
    };
    intake.take(Event::Apply(object("1")), at(1));
    intake.take(Event::Apply(status_written()), at(2));
    assert_eq!(seen(), at(1));
    for event in [
        Event::Init,
        Event::InitApply(status_written()),
        Event::InitDone,
    ] {
        intake.take(event, at(3));
    }
    assert_eq!(seen(), at(1), "by another list, too");
    let mut edited = object("1");
    edited.metadata.generation = Some(4);
    intake.take(Event::Apply(edited.clone()), at(4));
    assert_eq!(seen(), at(4), "another spec");
    edited.metadata.annotations = None;
    intake.take(Event::Apply(edited.clone()), at(5));
    assert_eq!(seen(), at(5), "another request for a look");
    edited.metadata.uid = Some("2".to_owned());
    intake.take(Event::Apply(edited.clone()), at(6));
    assert_eq!(seen(), at(6), "another object of the same name");
    intake.take(Event::Delete(edited.clone()), at(7));
    intake.take(Event::Apply(edited), at(8));
    assert_eq!(seen(), at(8));
}

#[test]
fn rivals_are_found_by_account_and_domain_and_only_as_long_as_they_are_there() {
    let cache = Cache::default();
    let mut intake = everywhere(&cache);
    for (namespace, uid, domain) in [
        ("a", "1", "a.example"),
        ("b", "2", "a.example"),
        ("c", "3", "c.example"),
    ] {
        intake.take(Event::Apply(brought(namespace, "x", uid, domain)), at(1));
    }
    assert_eq!(domains(&cache, "a.example"), ["a/x", "b/x"]);
    let others = |uid, account| cache.others_of_pair(uid, account, "a.example").len();
    assert_eq!(
        (others(None, "another"), others(Some("1"), ACCOUNT)),
        (0, 1)
    );
    // Created anew for another domain, between two events.
    intake.take(Event::Apply(brought("b", "x", "4", "c.example")), at(2));
    assert_eq!(domains(&cache, "a.example"), ["a/x"]);
    assert_eq!(domains(&cache, "c.example"), ["b/x", "c/x"]);
    intake.take(Event::Delete(brought("a", "x", "1", "a.example")), at(3));
    assert!(domains(&cache, "a.example").is_empty());
    assert_eq!(cache.lock().pairs.len(), 1);
}

#[test]
fn a_list_counts_when_it_is_complete_and_then_what_it_does_not_name_is_gone() {
    let cache = Cache::default();
    let known = CancellationToken::new();
    let mut intake = Intake::new(&cache, Some("a"), known.clone());
    let mut beside = Intake::new(&cache, Some("b"), CancellationToken::new());
    beside.take(Event::Apply(brought("b", "x", "9", "b.example")), at(0));
    intake.take(Event::Apply(brought("a", "old", "1", "a.example")), at(0));
    intake.take(Event::Init, at(1));
    let told = intake.take(
        Event::InitApply(brought("a", "new", "2", "a.example")),
        at(1),
    );
    assert!(told.names.is_empty() && !known.is_cancelled());
    assert_eq!(domains(&cache, "a.example"), ["a/old"]);
    // A list that broke off is begun again.
    intake.take(Event::Init, at(2));
    intake.take(
        Event::InitApply(brought("a", "newer", "3", "a.example")),
        at(2),
    );
    let told = intake.take(Event::InitDone, at(2));
    assert_eq!(texts(told), ["a/newer", "a/old"]);
    assert!(known.is_cancelled());
    assert_eq!(domains(&cache, "a.example"), ["a/newer"]);
    assert_eq!(
        domains(&cache, "b.example"),
        ["b/x"],
        "others have their own lists"
    );
}

#[test]
fn what_was_last_seen_of_an_object_is_told_when_it_is_gone() {
    let cache = Cache::default();
    let mut intake = everywhere(&cache);
    let object = |name, uid| brought("a", name, uid, "a.example");
    let mut edited = object("x", "1");
    edited.metadata.generation = Some(4);
    for (event, gone) in [
        (Event::Apply(object("x", "1")), &[][..]),
        (Event::Apply(edited), &[]),
        (Event::Apply(object("x", "2")), &["1"]),
        (Event::Delete(object("x", "2")), &["2"]),
        (Event::Apply(object("x", "3")), &[]),
        (Event::Init, &[]),
        (Event::InitApply(object("x", "4")), &[]),
        (Event::InitDone, &["3"]),
        (Event::Init, &[]),
        (Event::InitDone, &["4"]),
    ] {
        let text = format!("{event:?}");
        assert_eq!(uids(intake.take(event, at(1))), gone, "{text}");
    }
}

#[test]
fn one_that_cannot_be_read_is_there_and_says_why_and_is_nobodys_rival() {
    let cache = Cache::default();
    let mut object = brought("a", "x", "1", "a.example");
    object.spec["enabled"] = json!("yes");
    everywhere(&cache).take(Event::Apply(object), at(1));
    let cause = cache.get(&name("a", "x")).unwrap().unwrap_err();
    assert!(cause.to_string().contains("expected a boolean"), "{cause}");
    assert!(cache.others_of_pair(None, ACCOUNT, "a.example").is_empty());
}
