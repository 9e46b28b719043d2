//! A stage with one zone, and a token that may do everything in it.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use simulator::{DnsRecord, Knobs};

use crate::client::{ACCOUNT, DOMAIN, Reply, Stage, send};

pub(super) const CODE: &str = "cloudflare_dashboard_sso=1";

pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) zone: String,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::with(Knobs::default()).await
    }

    pub(super) async fn with(knobs: Knobs) -> Self {
        let mut stage = Stage::with(knobs).await;
        let admin = stage.simulator.admin();
        let token = admin.add_ready_account_with_dns(ACCOUNT, "dns");
        let zone = admin.add_zone(ACCOUNT, DOMAIN);
        stage.token = token;
        Self { stage, zone }
    }

    pub(super) fn turn(&self, turn: impl FnOnce(&mut Knobs)) {
        self.stage.simulator.admin().turn_knobs(turn);
    }

    /// A request below `/zones`, with the token.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.stage.bare(method, &format!("/zones{path}"));
        request.bearer_auth(&self.stage.token)
    }

    /// A request below the records of the zone.
    pub(super) fn on_records(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("/{}/dns_records{path}", self.zone))
    }

    pub(super) async fn list_zones(&self, parameters: &[(&str, &str)]) -> Reply {
        let path = format!("?{}", encoded(parameters));
        send(self.request(Method::GET, &path)).await
    }

    pub(super) async fn list(&self, parameters: &[(&str, &str)]) -> Reply {
        let path = format!("?{}", encoded(parameters));
        send(self.on_records(Method::GET, &path)).await
    }

    pub(super) async fn create(&self, body: &Value) -> Reply {
        send(self.on_records(Method::POST, "").json(body)).await
    }

    pub(super) async fn create_txt(&self, content: &str) -> Reply {
        let body = json!({"type": "TXT", "name": DOMAIN, "content": content});
        self.create(&body).await
    }

    pub(super) async fn get(&self, id: &str) -> Reply {
        send(self.on_records(Method::GET, &format!("/{id}"))).await
    }

    pub(super) async fn change(&self, method: Method, id: &str, body: &Value) -> Reply {
        send(self.on_records(method, &format!("/{id}")).json(body)).await
    }

    pub(super) async fn delete(&self, id: &str) -> Reply {
        send(self.on_records(Method::DELETE, &format!("/{id}"))).await
    }

    /// The records as they are.
    pub(super) fn records(&self) -> Vec<DnsRecord> {
        self.stage.simulator.admin().records(&self.zone)
    }
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters).finish()
}

/// One field of every item of a list.
pub(super) fn each(listed: &Reply, field: &str) -> Vec<String> {
    let items = listed.result().as_array().unwrap().clone();
    let text = |item: Value| item[field].as_str().unwrap().to_owned();
    items.into_iter().map(text).collect()
}
