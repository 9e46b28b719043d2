//! Which token may do what with which zone.

use reqwest::Method;
use serde_json::json;
use simulator::knobs::{UnseenZone, ZoneListDenied};
use simulator::{Knobs, Permission, TokenRequest};

use super::scene::{CODE, Scene, each};
use crate::client::{ACCOUNT, DOMAIN, UNKNOWN_ID, send};

const OTHER_ACCOUNT: &str = "ffffffffffffffffffffffffffffffff";

impl Scene {
    /// Goes on with a token that may do this in the zone.
    fn limited_to_zone(mut self, permissions: &[Permission]) -> Self {
        let request = TokenRequest::new("zone");
        let request = request.grant_in_zone(&self.zone, permissions.iter().copied());
        self.stage.token = self.stage.simulator.admin().issue_token(request);
        self
    }

    /// Goes on with a token that may do this in all of the account.
    fn limited_to_account(mut self, account: &str, permissions: &[Permission]) -> Self {
        let request = TokenRequest::new("account").grant(account, permissions.iter().copied());
        self.stage.token = self.stage.simulator.admin().issue_token(request);
        self
    }

    /// The statuses of: GET zone, list records, GET record, create, update, delete.
    async fn statuses(&self) -> [u16; 6] {
        let admin = self.stage.simulator.admin();
        let draft = simulator::RecordDraft::txt("@", "v=spf1 -all");
        let id = admin.create_record(&self.zone, draft).unwrap().id;
        let change = json!({"ttl": 60});
        [
            send(self.request(Method::GET, &format!("/{}", self.zone)))
                .await
                .status,
            self.list(&[]).await.status,
            self.get(&id).await.status,
            self.create_txt(CODE).await.status,
            self.change(Method::PATCH, &id, &change).await.status,
            self.delete(&id).await.status,
        ]
    }
}

#[tokio::test]
async fn each_operation_needs_its_permission_in_the_zone_or_its_account() {
    use Permission::{DnsRead, DnsWrite, SsoConnectorWrite, ZoneRead};
    for (permissions, expected) in [
        (&[ZoneRead][..], [200, 403, 403, 403, 403, 403]),
        (&[DnsRead], [403, 200, 200, 403, 403, 403]),
        (&[DnsWrite], [403, 200, 200, 200, 200, 200]),
        (&[ZoneRead, DnsWrite], [200; 6]),
        (&[SsoConnectorWrite], [403; 6]),
    ] {
        let in_zone = Scene::new().await.limited_to_zone(permissions);
        assert_eq!(in_zone.statuses().await, expected, "{permissions:?}");
        let in_account = Scene::new().await.limited_to_account(ACCOUNT, permissions);
        assert_eq!(in_account.statuses().await, expected, "{permissions:?}");
        let elsewhere = Scene::new().await;
        let elsewhere = elsewhere.limited_to_account(OTHER_ACCOUNT, permissions);
        assert_eq!(elsewhere.statuses().await, [403; 6], "{permissions:?}");
    }
}

#[tokio::test]
async fn a_refusal_tells_a_missing_permission_from_a_zone_out_of_sight() {
    let reader = Scene::new().await.limited_to_zone(&[Permission::DnsRead]);
    let refused = reader.create_txt(CODE).await;
    assert_eq!((refused.status, refused.code()), (403, 10_000));
    assert!(refused.json()["errors"][0]["documentation_url"].is_string());

    let stranger = Scene::new().await;
    let stranger = stranger.limited_to_account(OTHER_ACCOUNT, &Permission::DNS);
    for (knob, code) in [
        (UnseenZone::Forbidden, 10_000),
        (UnseenZone::Unauthorized, 9109),
    ] {
        stranger.turn(|knobs| knobs.unseen_zone = knob);
        let refused = stranger.create_txt(CODE).await;
        assert_eq!((refused.status, refused.code()), (403, code));
    }
    let unknown = send(stranger.request(Method::GET, &format!("/{UNKNOWN_ID}"))).await;
    assert_eq!(unknown.status, 404, "nobody is refused what is not there");
}

#[tokio::test]
async fn a_list_shows_the_zones_that_the_token_may_read() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    let _ = admin.add_zone(ACCOUNT, "cool.dogs");
    let _ = admin.add_zone(OTHER_ACCOUNT, DOMAIN);
    let listed = scene.list_zones(&[]).await;
    assert_eq!(each(&listed, "name"), [DOMAIN, "cool.dogs"]);
    let limited = scene.limited_to_zone(&[Permission::ZoneRead]);
    let listed = limited.list_zones(&[]).await;
    assert_eq!(each(&listed, "id"), [limited.zone.as_str()]);
    let blind = limited.limited_to_account(ACCOUNT, &[Permission::DnsWrite]);
    assert_eq!(blind.list_zones(&[]).await.result(), json!([]));
}

#[tokio::test]
async fn a_denied_list_of_zones_follows_its_knob() {
    let knobs = Knobs {
        zone_list_denied: ZoneListDenied::Forbidden,
        ..Knobs::default()
    };
    let own = [("name", DOMAIN)];
    let above = [("name", "cats")];
    let limited = Scene::with(knobs)
        .await
        .limited_to_zone(&[Permission::ZoneRead]);
    assert_eq!(each(&limited.list_zones(&own).await, "name"), [DOMAIN]);
    let denied = limited.list_zones(&above).await;
    assert_eq!((denied.status, denied.code()), (403, 0));
    let message = denied.json()["errors"][0]["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .contains("com.cloudflare.api.account.zone.list")
    );
    limited.turn(|knobs| knobs.zone_list_denied = ZoneListDenied::Empty);
    assert_eq!(limited.list_zones(&above).await.result(), json!([]));

    limited.turn(|knobs| knobs.zone_list_denied = ZoneListDenied::Forbidden);
    let whole = limited.limited_to_account(ACCOUNT, &[Permission::ZoneRead]);
    assert_eq!(whole.list_zones(&above).await.result(), json!([]));
    let elsewhere = whole.list_zones(&[("account.id", OTHER_ACCOUNT)]).await;
    assert_eq!(elsewhere.status, 403);
}

#[tokio::test]
async fn rights_about_dns_are_only_granted_if_asked_for() {
    let scene = Scene::new().await;
    let admin = scene.stage.simulator.admin();
    let token = admin.add_ready_account(ACCOUNT, "no dns");
    let without = scene
        .stage
        .bare(Method::GET, &format!("/zones/{}", scene.zone));
    assert_eq!(send(without.bearer_auth(&token)).await.status, 403);
    assert_eq!(scene.stage.create().await.status, 200, "connectors, too");
}

#[tokio::test]
async fn tokens_that_do_not_work_see_no_zone() {
    let scene = Scene::new().await;
    scene.stage.simulator.admin().revoke_tokens("dns");
    for reply in [scene.list_zones(&[]).await, scene.list(&[]).await] {
        assert_eq!((reply.status, reply.code()), (401, 10_000));
    }
}

#[tokio::test]
async fn zones_and_connectors_share_the_limit_of_a_token() {
    let scene = Scene::with(Knobs {
        rate_limit: 2,
        ..Knobs::default()
    })
    .await;
    assert_eq!(scene.stage.list().await.status, 200);
    assert_eq!(scene.list_zones(&[]).await.status, 200);
    let blocked = scene.create_txt(CODE).await;
    assert_eq!((blocked.status, blocked.code()), (429, 10_100));
    assert!(scene.records().is_empty());
}
