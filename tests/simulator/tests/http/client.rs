//! A simulator with one account, and a client that speaks plain HTTP to it.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use simulator::{Connector, Knobs, Simulator};

pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub(crate) const DOMAIN: &str = "cool.cats";
pub(crate) const UNKNOWN_ID: &str = "00000000000000000000000000000000";
/// How long a test waits for what must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A simulator, a token labelled `operator` that may do everything, and a client that uses it.
pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) token: String,
    client: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn result(&self) -> Value {
        self.json()["result"].clone()
    }

    pub(crate) fn id(&self) -> String {
        self.result()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn code(&self) -> i64 {
        self.json()["errors"][0]["code"].as_i64().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Knobs::default()).await
    }

    pub(crate) async fn with(knobs: Knobs) -> Self {
        let simulator = Simulator::start(knobs).await.unwrap();
        let token = simulator.admin().add_ready_account(ACCOUNT, "operator");
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .build()
            .unwrap();
        Self {
            simulator,
            token,
            client,
        }
    }

    /// A request below `/client/v4` without credentials.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.simulator.base_url()))
    }

    /// A request below the account, with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, &format!("/accounts/{ACCOUNT}{path}"))
            .bearer_auth(&self.token)
    }

    /// A request below `/admin`.
    pub(crate) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.simulator.admin_url()))
    }

    pub(crate) async fn list(&self) -> Reply {
        send(self.request(Method::GET, "/sso_connectors")).await
    }

    pub(crate) fn create_request(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, "/sso_connectors").json(body)
    }

    pub(crate) async fn create(&self) -> Reply {
        send(self.create_request(&json!({"email_domain": DOMAIN}))).await
    }

    pub(crate) async fn get(&self, id: &str) -> Reply {
        send(self.request(Method::GET, &format!("/sso_connectors/{id}"))).await
    }

    pub(crate) async fn patch(&self, id: &str, body: &Value) -> Reply {
        send(
            self.request(Method::PATCH, &format!("/sso_connectors/{id}"))
                .json(body),
        )
        .await
    }

    pub(crate) async fn delete(&self, id: &str) -> Reply {
        send(self.request(Method::DELETE, &format!("/sso_connectors/{id}"))).await
    }

    pub(crate) async fn begin(&self, id: &str) -> Reply {
        send(self.request(
            Method::POST,
            &format!("/sso_connectors/{id}/begin_verification"),
        ))
        .await
    }

    pub(crate) fn connectors(&self) -> Vec<Connector> {
        self.simulator.admin().connectors(ACCOUNT)
    }
}

/// Sends a request that must be answered.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}
