//! A name server gives every answer that a look-up of a TXT record can meet, and its zones change while it runs.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use harness::{HarnessError, NameServer, Record, SilentServer, Zone};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, Record as Answer};
use tokio::net::TcpStream;

/// By what a question may go.
#[derive(Clone, Copy)]
enum Transport {
    Udp,
    Tcp,
    Both,
}

/// Asks for the TXT records at a name. What is there is given in the order of the alphabet, the strings of a record in
/// brackets, a CNAME on the way by an arrow; what is not there by the word for it.
async fn ask_by(
    transport: Transport,
    server: SocketAddr,
    patience: Duration,
    name: &str,
) -> String {
    let connections = match transport {
        Transport::Udp => vec![ConnectionConfig::udp()],
        Transport::Tcp => vec![ConnectionConfig::tcp()],
        Transport::Both => vec![ConnectionConfig::udp(), ConnectionConfig::tcp()],
    };
    let connections = connections.into_iter().map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.collect());
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut options = ResolverOpts::default();
    options.timeout = patience;
    options.attempts = 0;
    options.cache_size = 0;
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .unwrap();
    match resolver.txt_lookup(format!("{name}.")).await {
        Ok(lookup) => {
            let mut shown: Vec<String> = lookup.answers().iter().map(show).collect();
            shown.sort_by_key(|shown| (!shown.contains("->"), shown.clone()));
            shown.join(" ")
        }
        Err(NetError::Timeout) => "timeout".to_owned(),
        Err(NetError::Truncated) => "truncated".to_owned(),
        Err(NetError::Dns(DnsError::ResponseCode(code))) => code.to_string(),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
            ResponseCode::NoError => "no records".to_owned(),
            code => code.to_string(),
        },
        Err(error) => panic!("{name}: {error}"),
    }
}

fn show(answer: &Answer) -> String {
    match &answer.data {
        RData::TXT(text) => {
            let strings = text.txt_data.iter();
            let strings: Vec<_> = strings.map(|s| String::from_utf8_lossy(s)).collect();
            format!("[{}]", strings.join("|"))
        }
        RData::CNAME(target) => format!("{}->{target}", answer.name),
        other => other.to_string(),
    }
}

/// Long enough for a machine that is busy; only a server that answers nothing makes anybody wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

async fn ask(server: &NameServer, name: &str) -> String {
    ask_by(Transport::Both, server.address(), PATIENCE, name).await
}

#[tokio::test]
async fn every_answer_that_a_look_up_can_meet() -> Result<(), HarnessError> {
    let example = [
        Record::txt("example.test", ["v=spf1 -all"]),
        Record::txt("example.test", ["cloudflare_dashboard_sso=0001"]),
        Record::txt("strings.example.test", ["in", " two \"parts\""]),
        Record::address("host.example.test", Ipv4Addr::LOCALHOST),
        Record::cname("to-text.example.test", "strings.example.test"),
        Record::cname("to-host.example.test", "host.example.test"),
        Record::cname("to-nowhere.example.test", "nowhere.example.test"),
        Record::cname("out.example.test", "elsewhere.test"),
        Record::cname("out-to-host.example.test", "host.elsewhere.test"),
        Record::cname("to-others.example.test", "others.test"),
        Record::cname("to-unloadable.example.test", "unloadable.test"),
    ];
    let elsewhere = [
        Record::txt("elsewhere.test", ["there"]),
        Record::address("host.elsewhere.test", Ipv4Addr::LOCALHOST),
    ];
    let server = NameServer::start([
        Zone::new("example.test", example),
        Zone::new("elsewhere.test", elsewhere),
        Zone::new("empty.test", []),
        Zone::unloadable("unloadable.test"),
    ])
    .await?;
    for (name, answer) in [
        (
            "example.test",
            "[cloudflare_dashboard_sso=0001] [v=spf1 -all]",
        ),
        ("strings.example.test", "[in| two \"parts\"]"),
        ("host.example.test", "no records"),
        ("empty.test", "no records"),
        ("nowhere.example.test", "Non-Existent Domain"),
        (
            "to-text.example.test",
            "to-text.example.test.->strings.example.test. [in| two \"parts\"]",
        ),
        ("to-host.example.test", "no records"),
        ("to-nowhere.example.test", "Non-Existent Domain"),
        (
            "out.example.test",
            "out.example.test.->elsewhere.test. [there]",
        ),
        ("out-to-host.example.test", "no records"),
        ("to-others.example.test", "Query Refused"),
        ("to-unloadable.example.test", "Server Failure"),
        ("unloadable.test", "Server Failure"),
        ("below.unloadable.test", "Server Failure"),
        ("others.test", "Query Refused"),
    ] {
        assert_eq!(ask(&server, name).await, answer, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_too_long_for_udp_comes_by_tcp() -> Result<(), HarnessError> {
    let records: Vec<String> = (10..30)
        .map(|n| format!("{n}{}", "x".repeat(200)))
        .collect();
    let long = records
        .iter()
        .map(|text| Record::txt("example.test", [text.as_str()]));
    let short = Record::txt("short.example.test", ["short"]);
    let server = NameServer::start([Zone::new("example.test", long.chain([short]))]).await?;
    let by = async |transport, name| ask_by(transport, server.address(), PATIENCE, name).await;
    let whole = records.iter().fold(String::new(), |mut whole, text| {
        let _ = write!(whole, "[{text}] ");
        whole
    });
    assert_eq!(by(Transport::Udp, "example.test").await, "truncated");
    assert_eq!(by(Transport::Tcp, "example.test").await, whole.trim_end());
    assert_eq!(by(Transport::Both, "example.test").await, whole.trim_end());
    assert_eq!(by(Transport::Udp, "short.example.test").await, "[short]");
    Ok(())
}

#[tokio::test]
async fn a_change_is_there_once_it_was_made() -> Result<(), HarnessError> {
    let spf = Record::txt("example.test", ["v=spf1 -all"]);
    let mut server = NameServer::start([
        Zone::new("example.test", [spf]),
        Zone::new("other.test", [Record::txt("other.test", ["other"])]),
    ])
    .await?;
    // Quickly, as somebody who only waits long enough would be lucky once.
    for code in 0..10 {
        let code = format!("cloudflare_dashboard_sso={code}");
        server
            .add_txt("example.test", "example.test", &code)
            .await?;
        let both = format!("[{code}] [v=spf1 -all]");
        assert_eq!(ask(&server, "example.test").await, both);
        server
            .remove_txt("example.test", "example.test", &code)
            .await?;
        assert_eq!(ask(&server, "example.test").await, "[v=spf1 -all]");
    }

    let alias = Record::cname("alias.example.test", "other.test");
    server.serve(Zone::new("example.test", [alias])).await?;
    assert_eq!(ask(&server, "example.test").await, "no records");
    let answer = "alias.example.test.->other.test. [other]";
    assert_eq!(ask(&server, "alias.example.test").await, answer);

    server.serve(Zone::unloadable("example.test")).await?;
    assert_eq!(ask(&server, "alias.example.test").await, "Server Failure");
    server.withdraw("example.test").await?;
    assert_eq!(ask(&server, "alias.example.test").await, "Query Refused");
    server
        .add_txt("example.test", "new.example.test", "new")
        .await?;
    assert_eq!(ask(&server, "new.example.test").await, "[new]");
    assert_eq!(ask(&server, "other.test").await, "[other]");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_done_is_an_error() -> Result<(), HarnessError> {
    let mut server = NameServer::start([Zone::new("example.test", [])]).await?;
    server
        .remove_txt("example.test", "example.test", "none")
        .await
        .expect_err("there is none");
    NameServer::start([Zone::new("no..name", [])])
        .await
        .expect_err("that is no name");
    Ok(())
}

#[tokio::test]
async fn a_silent_server_takes_questions_and_answers_none() -> Result<(), HarnessError> {
    let mut server = SilentServer::start()?;
    let patience = Duration::from_millis(200);
    let answer = ask_by(Transport::Tcp, server.address(), patience, "example.test").await;
    assert_eq!(answer, "timeout");
    TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(server.questions()?, 0, "by UDP");
    let answer = ask_by(Transport::Udp, server.address(), patience, "example.test").await;
    assert_eq!(answer, "timeout");
    let asked = server.questions()?;
    assert_ne!(asked, 0);
    assert_eq!(server.questions()?, asked, "nobody has asked since");
    Ok(())
}

#[tokio::test]
async fn a_paused_server_answers_when_it_is_resumed() -> Result<(), HarnessError> {
    let record = Record::txt("example.test", ["there"]);
    let mut server = NameServer::start([Zone::new("example.test", [record])]).await?;
    server.pause()?;
    let patience = Duration::from_millis(200);
    let answer = ask_by(Transport::Both, server.address(), patience, "example.test").await;
    assert_eq!(answer, "timeout");
    let asked = ask_by(Transport::Both, server.address(), PATIENCE, "example.test");
    let asked = tokio::spawn(asked);
    server.resume()?;
    assert_eq!(asked.await.unwrap(), "[there]");
    Ok(())
}

#[tokio::test]
async fn servers_run_side_by_side_and_end_with_their_owner() -> Result<(), HarnessError> {
    let zone = |text| Zone::new("example.test", [Record::txt("example.test", [text])]);
    let (one, two) = tokio::join!(
        NameServer::start([zone("one")]),
        NameServer::start([zone("two")])
    );
    let (one, two) = (one?, two?);
    assert_eq!(ask(&one, "example.test").await, "[one]");
    assert_eq!(ask(&two, "example.test").await, "[two]");
    let address = one.address();
    drop(one);
    TcpStream::connect(address).await.expect_err("it is gone");
    assert_eq!(ask(&two, "example.test").await, "[two]");
    Ok(())
}
