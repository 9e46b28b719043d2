//! One exchange against servers of one connection each, which do what no HTTP library would.

use std::net::SocketAddr;

use futures::FutureExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::lease::uptime;

const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\ntrue";

/// A server for one connection: reads a whole request, answers with `bytes`, and returns what it read. It closes
/// the connection afterwards, or keeps it open without another word.
async fn serve(bytes: Vec<u8>, then: Then) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        // The client hangs up on an answer that is too long.
        let _ = stream.write_all(&bytes).await;
        match then {
            Then::Close => request,
            Then::Hang => std::future::pending().await,
        }
    });
    (address, serving)
}

enum Then {
    Close,
    Hang,
}

/// Everything up to the end of the body that the request announces, or to the end of the connection.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !is_whole(&text) {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            length => text.push_str(str::from_utf8(&buffer[..length]).unwrap()),
        }
    }
    text
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

async fn call(address: SocketAddr, endpoint: Endpoint, content: Content) -> Result<Reply, Failure> {
    call_within(Duration::from_millis(500), address, endpoint, content).await
}

async fn call_within(
    span: Duration,
    address: SocketAddr,
    endpoint: Endpoint,
    content: Content,
) -> Result<Reply, Failure> {
    let token = ApiToken::parse(b"s3cr3t-t0ken").unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let deadline = Instant::now() + span;
    let url = format!("http://{address}/path");
    exchange(
        &http,
        Request {
            endpoint,
            token: &token,
            url,
            content,
            deadline,
            authority: &Authority::unlimited(),
        },
    )
    .await
}

fn begun_in(span: Duration) -> Content {
    Content::JsonBegunBy(br#"{"a":1}"#.to_vec(), Instant::now() + span)
}

async fn answered(answer: impl Into<Vec<u8>>, then: Then) -> Result<Reply, Failure> {
    let (address, serving) = serve(answer.into(), then).await;
    let outcome = call(address, Endpoint::Get, Content::None).await;
    serving.abort();
    outcome
}

#[tokio::test]
async fn a_guarded_body_goes_out_whole_with_its_length() {
    let (address, serving) = serve(OK.into(), Then::Close).await;
    let reply = call(address, Endpoint::Create, begun_in(Duration::from_mins(1)))
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.date, Some("1994-11-06T08:49:37Z".parse().unwrap()));
    assert!(matches!(reply.body, Body::Whole(body) if body == b"true"));
    let request = serving.await.unwrap();
    for part in [
        "POST /path HTTP/1.1\r\n",
        "authorization: Bearer s3cr3t-t0ken\r\n",
        "content-length: 7\r\n",
        "content-type: application/json\r\n",
        "\r\n\r\n{\"a\":1}",
    ] {
        assert!(request.contains(part), "{part:?} in {request:?}");
    }
    assert!(!request.contains("transfer-encoding"));
}

#[tokio::test]
async fn a_post_without_a_body_says_so() {
    let (address, serving) = serve(OK.into(), Then::Close).await;
    call(address, Endpoint::BeginVerification, Content::None)
        .await
        .unwrap();
    let request = serving.await.unwrap();
    assert!(request.contains("content-length: 0\r\n"), "{request}");
}

#[tokio::test]
async fn a_request_whose_time_has_passed_is_not_sent() {
    let (address, serving) = serve(OK.into(), Then::Close).await;
    let failure = call(address, Endpoint::Create, begun_in(Duration::ZERO))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.class, failure.is_definite()),
        (Class::NotSent, true)
    );
    serving.abort();
}

/// The connection stands, but TLS is never completed: the body has not been asked for when its time is over.
#[tokio::test]
async fn a_request_still_connecting_when_its_time_passes_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/path", listener.local_addr().unwrap());
    let token = ApiToken::parse(b"s3cr3t-t0ken").unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    let content = begun_in(Duration::from_millis(50));
    let endpoint = Endpoint::Create;
    let authority = Authority::unlimited();
    let request = Request {
        endpoint,
        token: &token,
        url,
        content,
        authority: &authority,
        deadline,
    };
    let failure = exchange(&http, request).await.unwrap_err();
    assert_eq!(
        (failure.class, failure.is_definite()),
        (Class::NotSent, true)
    );
}

/// Not even a connection is made.
#[tokio::test]
async fn who_does_not_lead_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/path", listener.local_addr().unwrap());
    let json = || br#"{"a":1}"#.to_vec();
    for (endpoint, content) in [
        (Endpoint::List, Content::None),
        (Endpoint::Delete, Content::None),
        (Endpoint::BeginVerification, Content::None),
        (Endpoint::Update, Content::Json(json())),
        (Endpoint::Create, begun_in(Duration::from_mins(1))),
    ] {
        let authority = Authority::none();
        let failure = call_under(&authority, &url, endpoint, content).await;
        assert_eq!(failure.class, Class::NotSent, "{endpoint:?}");
    }
    assert!(listener.accept().now_or_never().is_none());
}

/// As if it had been paused while TLS was under way: the body is held back, and of the rest it is unknown.
#[tokio::test]
async fn who_leads_no_longer_when_the_connection_stands_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/path", listener.local_addr().unwrap());
    for (endpoint, content, class) in [
        (Endpoint::Delete, Content::None, Class::Unavailable),
        (
            Endpoint::Update,
            Content::Json(b"{}".to_vec()),
            Class::NotSent,
        ),
    ] {
        let authority = Authority::none();
        authority.extend(uptime() + Duration::from_mins(1));
        let calling = call_under(&authority, &url, endpoint, content);
        let ending = async {
            let (stream, _) = listener.accept().await.unwrap();
            authority.revoke();
            drop(stream);
        };
        let (failure, ()) = tokio::join!(calling, ending);
        assert_eq!(failure.class, class, "{endpoint:?}");
    }
}

async fn call_under(
    authority: &Authority,
    url: &str,
    endpoint: Endpoint,
    content: Content,
) -> Failure {
    let request = Request {
        endpoint,
        token: &ApiToken::parse(b"s3cr3t-t0ken").unwrap(),
        url: url.to_owned(),
        content,
        deadline: Instant::now() + Duration::from_mins(1),
        authority,
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    exchange(&http, request).await.unwrap_err()
}

/// Begun in time and then left without an answer: whether it took effect is unknown.
#[tokio::test]
async fn a_request_that_began_in_time_stays_unknown_after_it() {
    let (address, serving) = serve(Vec::new(), Then::Hang).await;
    // Long enough for a busy machine to begin.
    let content = begun_in(Duration::from_secs(1));
    let failure = call_within(Duration::from_secs(2), address, Endpoint::Create, content)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.class, failure.is_definite()),
        (Class::Unavailable, false)
    );
    assert_eq!(failure.message, "Cloudflare did not answer in time");
    serving.abort();
}

/// The connection stands and only the gate is left to stop the request, as after a pause of the process.
#[tokio::test]
async fn the_gate_lets_no_body_out_after_its_time() {
    let (address, serving) = serve(OK.into(), Then::Close).await;
    let gate = Gate::new(Some(Instant::now()), &Authority::unlimited());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http
        .post(format!("http://{address}/"))
        .header(CONTENT_LENGTH, 4);
    request
        .body(gate.guard(b"body".to_vec()))
        .send()
        .await
        .unwrap_err();
    let request = serving.await.unwrap();
    assert!(request.is_empty() || !is_whole(&request), "{request}");
    assert!(gate.is_missed());
}

#[tokio::test]
async fn a_gate_that_was_passed_is_never_missed() {
    let (address, serving) = serve(OK.into(), Then::Close).await;
    let gate = Gate::new(
        Some(Instant::now() + Duration::from_secs(1)),
        &Authority::unlimited(),
    );
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http
        .post(format!("http://{address}/"))
        .header(CONTENT_LENGTH, 4);
    request
        .body(gate.guard(b"body".to_vec()))
        .send()
        .await
        .unwrap();
    assert!(serving.await.unwrap().ends_with("\r\n\r\nbody"));
    let missed = tokio::time::timeout(Duration::from_secs(2), gate.missed());
    assert!(
        missed.await.is_err(),
        "its time has passed, but so has the body"
    );
    assert!(!gate.is_missed());
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for (endpoint, content) in [
        (Endpoint::List, Content::None),
        (Endpoint::Create, begun_in(Duration::from_mins(1))),
        (Endpoint::Update, Content::Json(b"{}".to_vec())),
    ] {
        let failure = call(address, endpoint, content).await.unwrap_err();
        assert_eq!(
            (failure.class, failure.is_definite()),
            (Class::NotSent, true)
        );
        assert_eq!(failure.message, "The connection to Cloudflare was refused");
    }
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_leaves_everything_open() {
    let failure = answered("", Then::Close).await.unwrap_err();
    assert_eq!(
        (failure.class, failure.is_definite()),
        (Class::Unavailable, false)
    );
    assert!(
        failure
            .message
            .starts_with("The connection to Cloudflare failed: "),
        "{failure}"
    );
    assert!(!failure.message.contains("127.0.0.1"), "{failure}");
}

#[tokio::test]
async fn a_body_that_does_not_end_keeps_the_status() {
    let huge = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(MAX_BODY + 1));
    let part = "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n{\"success\":false,";
    for (answer, then, status, cut) in [
        (huge.as_str(), Then::Close, 200, "it is longer than 4 MiB"),
        (
            part,
            Then::Close,
            404,
            "the connection broke before its end",
        ),
        (part, Then::Hang, 404, "it did not end in time"),
    ] {
        let reply = answered(answer, then).await.unwrap();
        assert_eq!(reply.status, status);
        assert!(
            matches!(reply.body, Body::CutOff(why) if why == cut),
            "{:?}",
            reply.status
        );
    }
}

#[tokio::test]
async fn the_largest_body_is_read() {
    let largest = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(MAX_BODY));
    let (address, _serving) = serve(largest.into(), Then::Close).await;
    let patience = Duration::from_mins(1);
    let reply = call_within(patience, address, Endpoint::Get, Content::None).await;
    let body = reply.unwrap().body;
    assert!(matches!(body, Body::Whole(body) if body.len() == MAX_BODY));
}
