//! The binary, as people start it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::{ACCOUNT, DEADLINE};
use crate::dns::name_server::NameServer;

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudflare-simulator"));
    command.kill_on_drop(true).stdout(Stdio::piped());
    command
}

/// The first four lines that it prints: each a name and a value.
async fn printed(child: &mut Child) -> Vec<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut values = Vec::new();
    while values.len() < 4 {
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap();
        let line = line.unwrap();
        values.push(line.split_once(':').unwrap().1.trim().to_owned());
    }
    values
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .await
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn it_serves_what_it_prints_until_a_signal() {
    for name in ["INT", "TERM"] {
        let mut child = binary()
            .args([
                "--listen",
                "127.0.0.1:0",
                "--token",
                "my-token",
                "--list-lag",
                "1h",
            ])
            .spawn()
            .unwrap();
        let [base_url, account, token, admin] = printed(&mut child).await.try_into().unwrap();
        assert_eq!((account.as_str(), token.as_str()), (ACCOUNT, "my-token"));
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .build()
            .unwrap();
        let url = format!("{base_url}/accounts/{account}/sso_connectors");
        let created = client
            .post(&url)
            .bearer_auth(&token)
            .body("{\"email_domain\":\"a.example\"}");
        assert_eq!(
            created.send().await.unwrap().status(),
            200,
            "there is an identity provider"
        );
        let knobs = client.get(format!("{admin}/knobs")).send().await.unwrap();
        let knobs: serde_json::Value = knobs.json().await.unwrap();
        assert_eq!(knobs["list_lag"], "1h");
        signal(&child, name).await;
        let status = tokio::time::timeout(DEADLINE, child.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(status.success(), "{name}: {status}");
    }
}

#[tokio::test]
async fn it_looks_at_the_name_server_that_it_is_given() {
    let name_server = NameServer::start().await;
    let address = name_server.address.to_string();
    let arguments = ["--listen", "127.0.0.1:0", "--dns-resolver", &address];
    let mut child = binary()
        .args(arguments)
        .args(["--poll-interval", "20ms"])
        .spawn()
        .unwrap();
    let [base_url, account, token, _] = printed(&mut child).await.try_into().unwrap();
    let client = reqwest::Client::builder()
        .timeout(DEADLINE)
        .build()
        .unwrap();
    let zones = client.get(format!("{base_url}/zones")).bearer_auth(&token);
    assert_eq!(zones.send().await.unwrap().status(), 200);
    let create = client
        .post(format!("{base_url}/accounts/{account}/sso_connectors"))
        .bearer_auth(&token)
        .body("{\"email_domain\":\"a.example\"}");
    assert_eq!(create.send().await.unwrap().status(), 200);
    name_server.asked(1).await;
}

#[tokio::test]
async fn help_explains_with_examples_and_wrong_flags_are_refused() {
    let help = binary().arg("--help").output().await.unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for text in [
        "curl",
        "/admin/txt/",
        "/admin/zones",
        "--dns-resolver",
        "--poll-interval",
        "--verify-timeout",
        "[default: 48h]",
    ] {
        assert!(help.contains(text), "{text} is missing in {help}");
    }
    for arguments in [
        ["--account", "1"],
        ["--dns-resolver", "ns.example"],
        ["--comment-kept", "half"],
        ["--token", "a b"],
        ["--poll-interval", "5"],
    ] {
        let refused = binary().args(arguments).stderr(Stdio::null()).status();
        let status = tokio::time::timeout(Duration::from_secs(20), refused)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}
