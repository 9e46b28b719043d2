//! What Cloudflare answers, or whoever sits on the way. Everything here goes through the client, as it comes over the
//! connection.

use std::collections::HashSet;
use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Answer, Class, Completeness, Connector, Endpoint, Failure, TxtRecord, VerificationCode,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::server::{CONNECTOR, TOKEN, Understood, ask};
use crate::text::{assert_is_publishable, assert_is_sentence, check_verification, spelled};

const ENDPOINTS: [Endpoint; 11] = [
    Endpoint::List,
    Endpoint::Create,
    Endpoint::Get,
    Endpoint::Update,
    Endpoint::Delete,
    Endpoint::BeginVerification,
    Endpoint::ListZones,
    Endpoint::GetZone,
    Endpoint::ListRecords,
    Endpoint::CreateRecord,
    Endpoint::DeleteRecord,
];

/// What is listed may have further pages.
const LISTED: [Endpoint; 3] = [Endpoint::List, Endpoint::ListZones, Endpoint::ListRecords];

/// Every status that is told apart, and some that are not.
const STATUSES: [u16; 26] = [
    200, 201, 202, 204, 206, 299, 301, 302, 304, 400, 401, 403, 404, 405, 408, 409, 410, 418, 422,
    425, 429, 500, 502, 503, 530, 999,
];

const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// More pages than this are never read.
const MOST_PAGES: u64 = 50;

type Outcome = Result<Answer<Understood>, Failure>;

pub(crate) fn check_wire(input: &[u8]) {
    let Some((first, answer)) = input.split_first() else {
        return;
    };
    let endpoint = chosen(&ENDPOINTS, *first);
    assert_is_sound(endpoint, &ask(endpoint, &[answer.to_vec()]));
}

pub(crate) fn check_envelope(input: &[u8]) {
    let [first, second, body @ ..] = input else {
        return;
    };
    let (endpoint, status) = (chosen(&ENDPOINTS, *first), chosen(&STATUSES, *second));
    let outcome = ask(endpoint, &[response(status, "", body)]);
    assert_is_sound(endpoint, &outcome);
    let said = serde_json::from_slice::<Value>(body).ok();
    let success = said.as_ref().and_then(|said| said["success"].as_bool());
    match outcome {
        // A second page was asked for, and nothing came; or what came of zones may not be all.
        Err(failure) if failure.status.is_none() => assert!(LISTED.contains(&endpoint)),
        Err(failure) => {
            assert_eq!(failure.status, Some(status));
            let is_refusal = (400..500).contains(&status) && success == Some(false);
            let is_certain = status == 429 || (is_refusal && ![408, 409, 425].contains(&status));
            assert_eq!(failure.is_definite(), is_certain, "{failure:?}");
        }
        Ok(_) if status == 204 => {}
        Ok(_) => {
            assert!(
                (200..300).contains(&status),
                "{status} was taken for a success"
            );
            assert_eq!(success, Some(true), "taken for a success");
        }
    }
}

pub(crate) fn check_listing(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let pages: Vec<&str> = text.split("\n---\n").collect();
    let answers: Vec<_> = pages
        .iter()
        .map(|page| response(200, "", page.as_bytes()))
        .collect();
    for endpoint in LISTED {
        let outcome = ask(endpoint, &answers);
        assert_is_sound(endpoint, &outcome);
        match outcome.map(|answer| answer.value) {
            Ok(Understood::Listing(listing)) => {
                if listing.complete == Completeness::Complete {
                    let ids = listing.items.iter().map(|shown| shown.id.to_string());
                    assert_lacks_nothing(endpoint, &ids.collect(), &pages);
                }
            }
            // Whatever may lack a zone is no answer.
            Ok(Understood::Zones(zones)) => {
                let ids = zones.iter().map(|zone| zone.id.to_string());
                assert_lacks_nothing(endpoint, &ids.collect(), &pages);
            }
            Ok(Understood::Records(listing)) => {
                let say_so = |record| assert_says_what_it_is(record, &pages);
                listing.items.iter().for_each(say_so);
                if listing.complete == Completeness::Complete {
                    let ids = listing.items.iter().map(|record| record.id.to_string());
                    assert_lacks_nothing(endpoint, &ids.collect(), &pages);
                }
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// A list that may permit a creation. What was read are the first of the pages, up to the last one that brought something
/// new; none of them says, or lets one suspect, that there is something that the list lacks.
fn assert_lacks_nothing(endpoint: Endpoint, listed: &HashSet<String>, pages: &[&str]) {
    let mut read = HashSet::new();
    for (page, number) in pages.iter().zip(1..=MOST_PAGES) {
        let page: Value = serde_json::from_str(page).unwrap();
        for item in page["result"].as_array().expect("a list") {
            read.insert(item["id"].as_str().expect("an ID").to_owned());
            assert_is_whole(endpoint, item);
        }
        let said = |name: &str| match &page["result_info"][name] {
            Value::Null => None,
            count => Some(count.as_u64().expect("a count")),
        };
        let (items, of_pages) = (said("total_count"), said("total_pages"));
        assert!(
            items.is_none_or(|items| items <= listed.len() as u64),
            "{page}"
        );
        if read.len() == listed.len() {
            let is_last = of_pages.is_none_or(|pages| pages <= number);
            assert!(items.is_some() || is_last, "not the last page: {page}");
            break;
        }
    }
    assert!(read.iter().all(|id| listed.contains(id)));
    assert_eq!(read.len(), listed.len(), "listed what was not read");
}

/// An entry of a list says what a decision needs.
fn assert_is_whole(endpoint: Endpoint, item: &Value) {
    let text = |field: &str| item[field].as_str().unwrap_or_default();
    match endpoint {
        Endpoint::List => assert_ne!(text("email_domain"), ""),
        Endpoint::ListZones => assert!(item["name"].is_string(), "{item}"),
        _ => {
            let has_text = item["content"].is_string();
            let is_txt = ["", "TXT"].contains(&text("type")) || text("type").contains(TOKEN);
            assert!(has_text && is_txt && !text("name").is_empty(), "{item}");
        }
    }
}

/// A record says what its content spells.
fn assert_says_what_it_is(record: &TxtRecord, pages: &[&str]) {
    let Some(text) = &record.text else {
        return;
    };
    let pages = pages
        .iter()
        .filter_map(|page| serde_json::from_str(page).ok());
    let spells = pages.flat_map(|page: Value| {
        let items = page["result"].as_array().cloned().unwrap_or_default();
        let its = items
            .into_iter()
            .filter(|item| item["id"] == record.id.to_string());
        its.filter_map(|item| item["content"].as_str().map(spelled))
            .collect::<Vec<_>>()
    });
    let spelled: Vec<_> = spells.collect();
    assert!(spelled.contains(text), "{record:?} of {spelled:?}");
}

pub(crate) fn check_headers(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (date, pause) = text.split_once('\n').unwrap_or(("", &text));
    // Anything else would be another header, or none.
    if !text
        .bytes()
        .all(|b| b.is_ascii_graphic() || b" \t\n".contains(&b))
        || pause.contains('\n')
    {
        return;
    }
    let headers = format!("date: {date}\r\nretry-after: {pause}\r\n");
    for (status, body) in [(429, ""), (200, r#"{"success":true,"result":[]}"#)] {
        let outcome = ask(
            Endpoint::List,
            &[response(status, &headers, body.as_bytes())],
        );
        assert_is_sound(Endpoint::List, &outcome);
        let Err(failure) = outcome else {
            continue;
        };
        let digits = pause.trim();
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            let seconds = digits.parse().unwrap_or(u64::MAX).min(3600);
            assert_eq!(failure.retry_after, Some(Duration::from_secs(seconds)));
        } else {
            let counts_from = failure.date.is_some();
            assert!(failure.retry_after.is_none() || counts_from, "{failure:?}");
        }
    }
}

/// What holds of every outcome of every call.
fn assert_is_sound(endpoint: Endpoint, outcome: &Outcome) {
    assert!(!format!("{outcome:?}").contains(TOKEN), "the token shows");
    match outcome {
        Ok(answer) => {
            answer.date.iter().for_each(assert_is_storable);
            match &answer.value {
                Understood::Listing(listing) => {
                    let ids: HashSet<_> = listing.items.iter().map(|shown| &shown.id).collect();
                    assert_eq!(ids.len(), listing.items.len(), "listed twice");
                    listing.items.iter().for_each(assert_is_connector);
                }
                Understood::Connector(connector) => {
                    let known = connector.iter().inspect(|known| assert_is_connector(known));
                    let asked = endpoint == Endpoint::Create
                        || known
                            .into_iter()
                            .all(|known| known.id.as_str() == CONNECTOR);
                    assert!(asked, "about another connector");
                }
                Understood::Zones(zones) => {
                    let ids: HashSet<_> = zones.iter().map(|zone| &zone.id).collect();
                    assert_eq!(ids.len(), zones.len(), "listed twice");
                }
                Understood::Records(listing) => {
                    let ids: HashSet<_> = listing.items.iter().map(|record| &record.id).collect();
                    assert_eq!(ids.len(), listing.items.len(), "listed twice");
                    listing.items.iter().for_each(assert_is_record);
                }
                Understood::Record(record) => record.iter().for_each(assert_is_record),
                Understood::Done => {}
            }
        }
        Err(failure) => assert_is_failure(endpoint, failure),
    }
}

fn assert_is_failure(endpoint: Endpoint, failure: &Failure) {
    assert_eq!(failure.endpoint, endpoint);
    assert_is_sentence(&failure.message);
    failure.date.iter().for_each(assert_is_storable);
    assert!(
        failure
            .retry_after
            .is_none_or(|pause| pause <= LONGEST_PAUSE)
    );
    let refused = failure
        .status
        .is_some_and(|status| (400..500).contains(&status));
    assert!(
        !failure.is_definite() || refused || failure.class == Class::NotSent,
        "{failure:?}"
    );
    if failure.class == Class::Gone {
        let no_subject = [Endpoint::List, Endpoint::Create, Endpoint::ListZones];
        let has_subject = !no_subject.contains(&endpoint);
        let not_routed = failure.codes.iter().any(|code| [7000, 7003].contains(code));
        assert!(
            has_subject && failure.status == Some(404) && !not_routed,
            "{failure:?}"
        );
    }
}

/// Only what is a code word for word is taken for one.
fn assert_is_record(record: &TxtRecord) {
    if record.says_a_code() {
        assert_is_publishable(record.text.as_deref().unwrap_or_default());
    }
}

fn assert_is_connector(connector: &Connector) {
    let Connector {
        id,
        email_domain: _,
        enabled: _,
        use_fedramp_language: _,
        created_on,
        updated_on,
        verification,
    } = connector;
    let safe = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    assert!((1..=64).contains(&id.as_str().len()) && id.as_str().bytes().all(safe));
    created_on
        .iter()
        .chain(updated_on)
        .for_each(assert_is_storable);
    let Some(verification) = verification else {
        return;
    };
    verification
        .status
        .iter()
        .for_each(|status| check_verification(status.as_str()));
    if let Some(code) = verification
        .code
        .as_deref()
        .and_then(VerificationCode::parse)
    {
        assert_is_publishable(code.as_str());
    }
}

/// The API server takes a time only with a year of four digits, and a status that it refuses is one that is not stored.
pub(crate) fn assert_is_storable(time: &Timestamp) {
    let text = time.to_string();
    let year = text.split('-').next().unwrap_or_default();
    assert!(
        year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()),
        "{text}"
    );
}

fn response(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn chosen<T: Copy, const N: usize>(among: &[T; N], by: u8) -> T {
    among[usize::from(by) % N]
}
