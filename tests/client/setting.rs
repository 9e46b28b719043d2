//! A simulator with one ready account, and a client that may do everything in it.

use std::fmt::Debug;
use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    ApiToken, Changes, Class, Client, ClientOptions, Connector, Creation, Endpoint, Failure,
    Listing,
};
use cloudflare_sso_operator::identity::{AccountId, ConnectorId};
use cloudflare_sso_operator::lease::Authority;
use simulator::{ConnectorDraft, Knobs, Operation, Simulator};
use tokio::time::Instant;

pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub(crate) const OTHER_ACCOUNT: &str = "b1f5c0e2a3d44f6f8a7e6d5c4b3a2910";

/// The endpoints for connectors.
pub(crate) const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::List,
    Endpoint::Create,
    Endpoint::Get,
    Endpoint::Update,
    Endpoint::Delete,
    Endpoint::BeginVerification,
];

/// No test comes near it unless it is about it.
pub(crate) const PATIENT: Duration = Duration::from_mins(1);

pub(crate) struct Setting {
    pub(crate) simulator: Simulator,
    pub(crate) client: Client,
    pub(crate) token: ApiToken,
    pub(crate) token_text: String,
    pub(crate) account: AccountId,
}

impl Setting {
    pub(crate) async fn new(knobs: Knobs) -> Self {
        Self::with_timeout(knobs, PATIENT).await
    }

    pub(crate) async fn with_timeout(knobs: Knobs, call_timeout: Duration) -> Self {
        let simulator = Simulator::start(knobs).await.unwrap();
        let token_text = simulator.admin().add_ready_account(ACCOUNT, "operator");
        let client = Client::new(ClientOptions {
            base_url: simulator.base_url().parse().unwrap(),
            call_timeout,
            connect_timeout: PATIENT,
            authority: Authority::unlimited(),
        });
        Self {
            client: client.unwrap(),
            token: token(&token_text),
            token_text,
            account: ACCOUNT.parse().unwrap(),
            simulator,
        }
    }

    /// Makes a connector behind the client's back.
    pub(crate) fn existing(&self, domain: &str) -> ConnectorId {
        self.drafted(ConnectorDraft::new(ACCOUNT, domain))
    }

    pub(crate) fn drafted(&self, draft: ConnectorDraft) -> ConnectorId {
        self.simulator
            .admin()
            .create_connector(draft)
            .id
            .parse()
            .unwrap()
    }

    pub(crate) async fn list(&self) -> Result<Listing, Failure> {
        Ok(self
            .client
            .list_connectors(&self.token, &self.account)
            .await?
            .value)
    }

    pub(crate) async fn get(&self, id: &ConnectorId) -> Result<Connector, Failure> {
        Ok(self
            .client
            .get_connector(&self.token, &self.account, id)
            .await?
            .value)
    }

    pub(crate) async fn create(&self, domain: &str) -> Result<Option<Connector>, Failure> {
        let creation = creation(domain);
        let call =
            self.client
                .create_connector(&self.token, &self.account, &creation, in_a_minute());
        Ok(call.await?.value.connector)
    }

    pub(crate) async fn update(
        &self,
        id: &ConnectorId,
        changes: Changes,
    ) -> Result<Option<Connector>, Failure> {
        let call = self
            .client
            .update_connector(&self.token, &self.account, id, &changes);
        Ok(call.await?.value)
    }

    pub(crate) async fn delete(&self, id: &ConnectorId) -> Result<(), Failure> {
        self.client
            .delete_connector(&self.token, &self.account, id)
            .await
            .map(drop)
    }

    pub(crate) async fn begin(&self, id: &ConnectorId) -> Result<(), Failure> {
        self.client
            .begin_verification(&self.token, &self.account, id)
            .await
            .map(drop)
    }

    /// Calls any of [`ENDPOINTS`]; of a success only that it was one.
    pub(crate) async fn call(&self, endpoint: Endpoint, id: &ConnectorId) -> Result<(), Failure> {
        match endpoint {
            Endpoint::List => self.list().await.map(drop),
            Endpoint::Create => self.create("new.example.com").await.map(drop),
            Endpoint::Get => self.get(id).await.map(drop),
            Endpoint::Update => self.update(id, fedramp()).await.map(drop),
            Endpoint::Delete => self.delete(id).await,
            Endpoint::BeginVerification => self.begin(id).await,
            of_dns => unreachable!("{of_dns} is called in `dns`"),
        }
    }
}

/// What a failure says, in short.
pub(crate) fn judged<T: Debug>(outcome: Result<T, Failure>) -> (Class, bool, Option<u16>) {
    let failure = outcome.unwrap_err();
    (failure.class, failure.is_definite(), failure.status)
}

pub(crate) fn token(text: &str) -> ApiToken {
    ApiToken::parse(text.as_bytes()).unwrap()
}

pub(crate) fn creation(domain: &str) -> Creation {
    Creation {
        email_domain: domain.parse().unwrap(),
        begin_verification: true,
        use_fedramp_language: None,
    }
}

pub(crate) fn fedramp() -> Changes {
    Changes {
        use_fedramp_language: Some(true),
        ..Changes::default()
    }
}

pub(crate) fn enable() -> Changes {
    Changes {
        enabled: Some(true),
        ..Changes::default()
    }
}

pub(crate) fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

pub(crate) const fn operation(endpoint: Endpoint) -> Operation {
    match endpoint {
        Endpoint::List => Operation::List,
        Endpoint::Create => Operation::Create,
        Endpoint::Get => Operation::Get,
        Endpoint::Update => Operation::Update,
        Endpoint::Delete => Operation::Delete,
        Endpoint::BeginVerification => Operation::BeginVerification,
        Endpoint::ListZones => Operation::ListZones,
        Endpoint::GetZone => Operation::GetZone,
        Endpoint::ListRecords => Operation::ListRecords,
        Endpoint::CreateRecord => Operation::CreateRecord,
        Endpoint::DeleteRecord => Operation::DeleteRecord,
    }
}
