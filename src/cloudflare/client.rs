//! The client: one method per endpoint.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::Serialize;
use tokio::time::Instant;

use super::base_url::BaseUrl;
use super::connector::{Changes, Connector, Creation};
use super::dns_record::{NewTxtRecord, TxtRecord};
use super::envelope::Envelope;
use super::exchange::{Content, Request, exchange};
use super::failure::{Endpoint, Failure};
use super::listing::{Collector, Item, Listing, Next};
use super::token::ApiToken;
use super::verdict::judge;
use super::zone::Zone;
use crate::identity::{AccountId, ConnectorId, EmailDomain, RecordId, ZoneId};
use crate::lease::Authority;

const USER_AGENT: &str = concat!("cloudflare-sso-operator/", env!("CARGO_PKG_VERSION"));

/// The typed client of the API for connectors, and for the zones and TXT records of Cloudflare DNS. Cheap to clone; clones share their connections.
///
/// It holds no token, makes no retry, and limits nothing: pace and back-off belong to its caller.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: BaseUrl,
    call_timeout: Duration,
    authority: Authority,
}

/// How to reach Cloudflare.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// How long one call may take altogether, all pages of a list included.
    pub call_timeout: Duration,
    /// How long making a connection may take, within the call's time.
    pub connect_timeout: Duration,
    /// No call begins after its end.
    pub authority: Authority,
}

/// The HTTP client could not be set up, for instance because no root certificates were found.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for Cloudflare could not be set up")]
pub struct BuildError(#[from] reqwest::Error);

/// What Cloudflare answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer itself.
    pub value: T,
    /// The time of the answer by Cloudflare's clock, from its `Date` header. Of a list of several pages, the last one's.
    pub date: Option<Timestamp>,
}

/// Cloudflare accepted a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The new connector. Absent if the answer named no usable ID: then there may be one, but it is unknown which.
    pub connector: Option<Connector>,
}

impl Client {
    /// A client. Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`), except for a loopback address.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(options: ClientOptions) -> Result<Self, BuildError> {
        let ClientOptions {
            base_url,
            call_timeout,
            connect_timeout,
            authority,
        } = options;
        let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(accept)
            .connect_timeout(connect_timeout)
            .https_only(base_url.is_https())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if base_url.is_loopback() {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build()?,
            base_url,
            call_timeout,
            authority,
        })
    }

    /// All connectors of the account, and whether they are all.
    ///
    /// # Errors
    ///
    /// If any page could not be had.
    pub async fn list_connectors(
        &self,
        token: &ApiToken,
        account: &AccountId,
    ) -> Result<Answer<Listing>, Failure> {
        let url = self.connectors_url(account);
        self.list(Endpoint::List, token, &url, "").await
    }

    /// The connector with this ID.
    ///
    /// # Errors
    ///
    /// [`Class::Gone`](super::Class::Gone) if Cloudflare has none, and any other failure.
    pub async fn get_connector(
        &self,
        token: &ApiToken,
        account: &AccountId,
        id: &ConnectorId,
    ) -> Result<Answer<Connector>, Failure> {
        let endpoint = Endpoint::Get;
        let request = self.request(
            endpoint,
            token,
            self.connector_url(account, id),
            Content::None,
        );
        let answer = self.call(request).await?;
        let Some(connector) = answer.value.connector_with(id) else {
            let why = "it does not contain the connector asked for";
            return Err(Failure::unusable(endpoint, answer.value.status, why));
        };
        Ok(answer.map(|_| connector))
    }

    /// Creates a connector, if that can begin by `begin_by`: the time is checked when the connection stands, right
    /// before the request goes out.
    ///
    /// # Errors
    ///
    /// [`Class::NotSent`](super::Class::NotSent) if `begin_by` passed first, and any other failure. Unless the failure
    /// [is definite](Failure::is_definite), the connector may exist.
    pub async fn create_connector(
        &self,
        token: &ApiToken,
        account: &AccountId,
        creation: &Creation,
        begin_by: Instant,
    ) -> Result<Answer<Created>, Failure> {
        let content = Content::JsonBegunBy(json(creation), begin_by);
        let request = self.request(
            Endpoint::Create,
            token,
            self.connectors_url(account),
            content,
        );
        let answer = self.call(request).await?;
        Ok(answer.map(|success| Created {
            connector: success.envelope.connector(),
        }))
    }

    /// Changes a connector. Its new state is absent if the answer does not show it.
    ///
    /// # Errors
    ///
    /// Unless the failure [is definite](Failure::is_definite), the change may have been made.
    pub async fn update_connector(
        &self,
        token: &ApiToken,
        account: &AccountId,
        id: &ConnectorId,
        changes: &Changes,
    ) -> Result<Answer<Option<Connector>>, Failure> {
        let content = Content::Json(json(changes));
        let url = self.connector_url(account, id);
        let answer = self
            .call(self.request(Endpoint::Update, token, url, content))
            .await?;
        Ok(answer.map(|success| success.connector_with(id)))
    }

    /// Deletes a connector.
    ///
    /// # Errors
    ///
    /// [`Class::Gone`](super::Class::Gone) if Cloudflare has none, and any other failure. Unless the failure
    /// [is definite](Failure::is_definite), the connector may have been deleted.
    pub async fn delete_connector(
        &self,
        token: &ApiToken,
        account: &AccountId,
        id: &ConnectorId,
    ) -> Result<Answer<()>, Failure> {
        let url = self.connector_url(account, id);
        let request = self.request(Endpoint::Delete, token, url, Content::None);
        Ok(self.call(request).await?.map(|_| ()))
    }

    /// Lets Cloudflare look for the TXT record, or look again. The code may change with it.
    ///
    /// # Errors
    ///
    /// Unless the failure [is definite](Failure::is_definite), the verification may have begun.
    pub async fn begin_verification(
        &self,
        token: &ApiToken,
        account: &AccountId,
        id: &ConnectorId,
    ) -> Result<Answer<()>, Failure> {
        let url = format!("{}/begin_verification", self.connector_url(account, id));
        let request = self.request(Endpoint::BeginVerification, token, url, Content::None);
        Ok(self.call(request).await?.map(|_| ()))
    }

    /// The zones of exactly this name that the token may see: all of them, as a record that goes into the zone above one that
    /// was not listed is seen by nobody.
    ///
    /// # Errors
    ///
    /// [`Class::Unauthorized`](super::Class::Unauthorized) may be said for a name that is in none of the token's zones,
    /// [`Class::Unavailable`](super::Class::Unavailable) for a list that may lack something, and any other failure.
    pub async fn list_zones(
        &self,
        token: &ApiToken,
        name: &str,
    ) -> Result<Answer<Vec<Zone>>, Failure> {
        let endpoint = Endpoint::ListZones;
        let url = format!("{}/zones", self.base_url);
        let query = format!("name={name}&per_page=50");
        let answer: Answer<Listing<Zone>> = self.list(endpoint, token, &url, &query).await?;
        match answer.value.complete.gap() {
            None => Ok(answer.map(|listing| listing.items)),
            Some(why) => Err(Failure::incomplete(endpoint, why)),
        }
    }

    /// The zone with this ID.
    ///
    /// # Errors
    ///
    /// [`Class::Gone`](super::Class::Gone) or a failure [without a route](Failure::has_no_route) if there is none, and any other
    /// failure.
    pub async fn get_zone(&self, token: &ApiToken, id: &ZoneId) -> Result<Answer<Zone>, Failure> {
        let endpoint = Endpoint::GetZone;
        let request = self.request(endpoint, token, self.zone_url(id), Content::None);
        let answer = self.call(request).await?;
        let zone = answer.value.envelope.one(Zone::from_json);
        let Some(zone) = zone.filter(|zone| zone.id == *id) else {
            let why = "it does not contain the zone asked for";
            return Err(Failure::unusable(endpoint, answer.value.status, why));
        };
        Ok(answer.map(|_| zone))
    }

    /// The TXT records at the domain, as the zone has them, and whether they are all.
    ///
    /// # Errors
    ///
    /// If any page could not be had.
    pub async fn list_txt_records(
        &self,
        token: &ApiToken,
        zone: &ZoneId,
        domain: &EmailDomain,
    ) -> Result<Answer<Listing<TxtRecord>>, Failure> {
        let url = self.records_url(zone);
        let query = format!("type=TXT&name.exact={domain}&per_page=100");
        self.list(Endpoint::ListRecords, token, &url, &query).await
    }

    /// Creates a TXT record; never one in the place of another.
    ///
    /// # Errors
    ///
    /// Unless the failure [is definite](Failure::is_definite), the record may exist.
    pub async fn create_txt_record(
        &self,
        token: &ApiToken,
        zone: &ZoneId,
        record: &NewTxtRecord,
    ) -> Result<Answer<Option<TxtRecord>>, Failure> {
        let content = Content::Json(json(record));
        let url = self.records_url(zone);
        let answer = self
            .call(self.request(Endpoint::CreateRecord, token, url, content))
            .await?;
        Ok(answer.map(|success| success.envelope.one(TxtRecord::from_json)))
    }

    /// Deletes a record.
    ///
    /// # Errors
    ///
    /// [`Class::Gone`](super::Class::Gone) if the zone has none, and any other failure. Unless the failure
    /// [is definite](Failure::is_definite), the record may have been deleted.
    pub async fn delete_record(
        &self,
        token: &ApiToken,
        zone: &ZoneId,
        id: &RecordId,
    ) -> Result<Answer<()>, Failure> {
        let url = format!("{}/{id}", self.records_url(zone));
        let request = self.request(Endpoint::DeleteRecord, token, url, Content::None);
        Ok(self.call(request).await?.map(|_| ()))
    }

    /// Reads all pages, within the time of one call.
    async fn list<T: Item>(
        &self,
        endpoint: Endpoint,
        token: &ApiToken,
        url: &str,
        query: &str,
    ) -> Result<Answer<Listing<T>>, Failure> {
        let deadline = Instant::now() + self.call_timeout;
        let mut collector = Collector::default();
        let mut page_query = query.to_owned();
        loop {
            let url = match page_query.as_str() {
                "" => url.to_owned(),
                query => format!("{url}?{query}"),
            };
            let request = Request {
                endpoint,
                token,
                url,
                content: Content::None,
                deadline,
                authority: &self.authority,
            };
            let page = self.call(request).await?;
            match collector.add(&page.value.envelope) {
                Next::Page(number) if query.is_empty() => page_query = format!("page={number}"),
                Next::Page(number) => page_query = format!("{query}&page={number}"),
                Next::Nothing => return Ok(page.map(|_| collector.finish())),
            }
        }
    }

    async fn call(&self, request: Request<'_>) -> Result<Answer<Success>, Failure> {
        let (endpoint, token) = (request.endpoint, request.token);
        let reply = exchange(&self.http, request).await?;
        let envelope = judge(endpoint, &reply, token)?;
        Ok(Answer {
            value: Success {
                status: reply.status,
                envelope,
            },
            date: reply.date,
        })
    }

    fn request<'a>(
        &'a self,
        endpoint: Endpoint,
        token: &'a ApiToken,
        url: String,
        content: Content,
    ) -> Request<'a> {
        Request {
            endpoint,
            token,
            url,
            content,
            deadline: Instant::now() + self.call_timeout,
            authority: &self.authority,
        }
    }

    fn connectors_url(&self, account: &AccountId) -> String {
        format!("{}/accounts/{account}/sso_connectors", self.base_url)
    }

    fn connector_url(&self, account: &AccountId, id: &ConnectorId) -> String {
        format!("{}/{id}", self.connectors_url(account))
    }

    fn zone_url(&self, id: &ZoneId) -> String {
        format!("{}/zones/{id}", self.base_url)
    }

    fn records_url(&self, zone: &ZoneId) -> String {
        format!("{}/dns_records", self.zone_url(zone))
    }
}

impl<T> Answer<T> {
    /// The same answer about something else.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: change(self.value),
            date: self.date,
        }
    }
}

/// A 2xx in which Cloudflare says that it worked.
#[derive(Debug)]
struct Success {
    status: u16,
    envelope: Envelope,
}

impl Success {
    /// The connector in the answer, if it is the one that was asked for.
    fn connector_with(&self, id: &ConnectorId) -> Option<Connector> {
        self.envelope
            .connector()
            .filter(|connector| connector.id == *id)
    }
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body)
        .expect("these bodies have only text, numbers and booleans under fixed names")
}
