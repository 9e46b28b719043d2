//! Domains are verified by the simulator's own zones, or by a real name server.

use std::time::Duration;

use serde_json::json;
use simulator::{
    Admin, Connector, DnsTruth, Knobs, RecordDraft, RecordType, Setup, Simulator,
    VerificationStatus, ZoneStatus,
};

use super::name_server::{Answer, NameServer};
use super::scene::Scene;
use crate::client::{ACCOUNT, DEADLINE, DOMAIN};

fn quick_knobs() -> Knobs {
    Knobs {
        poll_interval: Duration::from_millis(20),
        ..Knobs::default()
    }
}

fn pending(admin: &Admin, domain: &str) -> Connector {
    admin.create_connector(simulator::ConnectorDraft {
        verification_status: VerificationStatus::Pending,
        ..simulator::ConnectorDraft::new(ACCOUNT, domain)
    })
}

async fn until_verified(simulator: &Simulator, connector: &Connector) {
    let verified = |world: &simulator::World| {
        let connector = world.connector(&connector.id).unwrap();
        connector.verification_status == VerificationStatus::Verified
    };
    simulator.until(verified, DEADLINE).await.unwrap();
}

fn status(simulator: &Simulator, connector: &Connector) -> VerificationStatus {
    let connector = simulator.admin().connector(&connector.id);
    connector.unwrap().verification_status
}

#[tokio::test]
async fn a_record_that_is_created_over_the_api_verifies_its_domain() {
    let scene = Scene::with(quick_knobs()).await;
    let simulator = &scene.stage.simulator;
    let connector = pending(simulator.admin(), DOMAIN);
    let quoted = format!("\"{}\"", connector.verification_code);
    let body = json!({"type": "TXT", "name": DOMAIN, "content": quoted, "ttl": 300});
    assert_eq!(scene.create(&body).await.status, 200);
    until_verified(simulator, &connector).await;
    let value = scene.records()[0].txt_value();
    assert_eq!(value, Some(connector.verification_code));
}

#[tokio::test]
async fn records_of_a_zone_count_once_it_is_active() {
    let scene = Scene::with(quick_knobs()).await;
    let simulator = &scene.stage.simulator;
    let admin = simulator.admin();
    let connector = pending(admin, "mail.cool.cats");
    admin
        .set_zone_status(&scene.zone, ZoneStatus::Pending)
        .unwrap();
    let alias = RecordDraft::new(RecordType::Cname, "mail", "target.cool.cats");
    admin.create_record(&scene.zone, alias).unwrap();
    let text = RecordDraft::txt("target", &connector.verification_code);
    admin.create_record(&scene.zone, text).unwrap();
    assert!(admin.txt("mail.cool.cats").is_empty());
    assert_eq!(status(simulator, &connector), VerificationStatus::Pending);
    admin
        .set_zone_status(&scene.zone, ZoneStatus::Active)
        .unwrap();
    assert_eq!(
        admin.txt("mail.cool.cats"),
        [connector.verification_code.as_str()]
    );
    until_verified(simulator, &connector).await;
}

/// A simulator that looks at a real name server, and that name server.
async fn with_name_server() -> (Simulator, NameServer) {
    let name_server = NameServer::start().await;
    let setup = Setup {
        knobs: quick_knobs(),
        dns_truth: DnsTruth::NameServer(name_server.address),
        ..Setup::default()
    };
    (Simulator::start_with(setup).await.unwrap(), name_server)
}

#[tokio::test]
async fn a_record_at_a_real_name_server_verifies_its_domain() {
    let (simulator, name_server) = with_name_server().await;
    let connector = pending(simulator.admin(), DOMAIN);
    name_server.asked(2).await;
    let others = ["v=spf1 -all", "cloudflare_dashboard_sso=0"];
    name_server.set(DOMAIN, Answer::texts(&others));
    // One question may be under way; what the second one brings is there once a third is asked.
    name_server.asked(3).await;
    assert_eq!(status(&simulator, &connector), VerificationStatus::Pending);
    name_server.set(DOMAIN, Answer::texts(&[&connector.verification_code]));
    until_verified(&simulator, &connector).await;
}

#[tokio::test]
async fn the_strings_of_a_record_are_joined() {
    let (simulator, name_server) = with_name_server().await;
    let connector = pending(simulator.admin(), "Cool.Cats.");
    let (first, second) = connector.verification_code.split_at(30);
    let strings = vec![first.to_owned(), second.to_owned()];
    name_server.set(DOMAIN, Answer::Texts(vec![strings]));
    until_verified(&simulator, &connector).await;
}

#[tokio::test]
async fn a_name_server_that_cannot_say_is_asked_again() {
    let (simulator, name_server) = with_name_server().await;
    let connector = pending(simulator.admin(), DOMAIN);
    name_server.set(DOMAIN, Answer::Failure);
    name_server.asked(2).await;
    assert_eq!(status(&simulator, &connector), VerificationStatus::Pending);
    name_server.set(DOMAIN, Answer::texts(&[&connector.verification_code]));
    until_verified(&simulator, &connector).await;
}

#[tokio::test]
async fn with_a_real_name_server_own_zones_do_not_count() {
    let (simulator, name_server) = with_name_server().await;
    let admin = simulator.admin();
    let connector = pending(admin, DOMAIN);
    let zone = admin.add_zone(ACCOUNT, DOMAIN);
    let draft = RecordDraft::txt("@", &connector.verification_code);
    admin.create_record(&zone, draft).unwrap();
    admin.publish_txt(DOMAIN, &connector.verification_code);
    name_server.asked(3).await;
    assert_eq!(status(&simulator, &connector), VerificationStatus::Pending);
    admin.turn_knobs(|knobs| knobs.verify_timeout = Duration::ZERO);
    assert_eq!(status(&simulator, &connector), VerificationStatus::Failed);
}
