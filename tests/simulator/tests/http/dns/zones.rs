//! Zones: their shape, their lists, and paths that lead to none.

use reqwest::Method;
use serde_json::json;
use simulator::ZoneStatus;

use super::scene::{Scene, each};
use crate::client::{ACCOUNT, DOMAIN, UNKNOWN_ID, send};

#[tokio::test]
async fn a_zone_has_its_documented_shape() {
    let scene = Scene::new().await;
    let zone = json!({
        "id": scene.zone, "name": DOMAIN, "status": "active", "type": "full",
        "account": {"id": ACCOUNT, "name": "Simulated account"},
    });
    let got = send(scene.request(Method::GET, &format!("/{}", scene.zone))).await;
    assert_eq!((got.status, got.result()), (200, zone.clone()));
    let listed = scene.list_zones(&[("name", "Cool.Cats")]).await.json();
    assert_eq!(listed["result"], json!([zone]));
    let info = json!({"page": 1, "per_page": 20, "count": 1, "total_count": 1, "total_pages": 1});
    assert_eq!(listed["result_info"], info);
}

#[tokio::test]
async fn zones_are_filtered_and_paged() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    for number in 1..=5 {
        let _ = admin.add_zone(ACCOUNT, &format!("d{number}.example"));
    }
    let pending = admin.zones()[3].id.clone();
    admin
        .set_zone_status(&pending, ZoneStatus::Pending)
        .unwrap();
    for (parameters, names) in [
        (vec![("name", "d1.example")], vec!["d1.example"]),
        (vec![("name", "example")], vec![]),
        (vec![("status", "pending")], vec!["d3.example"]),
        (vec![("status", "active"), ("name", "d3.example")], vec![]),
        (vec![("account.id", UNKNOWN_ID)], vec![]),
        (
            vec![("account.id", ACCOUNT), ("name", DOMAIN)],
            vec![DOMAIN],
        ),
        (vec![("per_page", "5"), ("page", "2")], vec!["d5.example"]),
        (vec![("page", "2")], vec![]),
    ] {
        let listed = scene.list_zones(&parameters).await;
        assert_eq!(each(&listed, "name"), names, "{parameters:?}");
    }
    let first = scene.list_zones(&[("per_page", "5")]).await.json();
    let info = json!({"page": 1, "per_page": 5, "count": 5, "total_count": 6, "total_pages": 2});
    assert_eq!(first["result_info"], info);
    for per_page in ["4", "51", "many"] {
        let refused = scene.list_zones(&[("per_page", per_page)]).await;
        assert_eq!(refused.status, 400, "{per_page}");
    }
}

#[tokio::test]
async fn an_unknown_or_malformed_zone_is_not_routed() {
    let scene = Scene::new().await;
    for (zone, status) in [(UNKNOWN_ID, 404), ("1", 400), (DOMAIN, 400), ("", 400)] {
        for below in ["", "/dns_records"] {
            let path = format!("/{zone}{below}");
            let reply = send(scene.request(Method::GET, &path)).await;
            assert_eq!((reply.status, reply.code()), (status, 7003), "{path}");
            assert_eq!(reply.json()["errors"][1]["code"], 7000, "{path}");
        }
    }
    let method = send(scene.request(Method::POST, "")).await;
    assert_eq!((method.status, method.code()), (405, 405));
}

#[tokio::test]
async fn a_zone_that_is_taken_away_is_unknown() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    assert_eq!(admin.delete_zone(&scene.zone).unwrap().name, DOMAIN);
    assert_eq!(scene.list(&[]).await.status, 404);
    assert_eq!(scene.list_zones(&[]).await.result(), json!([]));
}
