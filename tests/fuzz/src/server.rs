//! Cloudflare as a row of prepared bytes: each request gets the next of them, whatever was asked for, and then the
//! connection ends. So what the client makes of an answer is tried with the HTTP library that reads it, and nothing of the
//! client has to be opened for it.

use std::io;
use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Answer, ApiToken, Changes, Client, ClientOptions, Connector, Creation, Endpoint, Failure,
    Listing, NewTxtRecord, TimeToLive, TxtRecord, VerificationCode, Zone,
};
use cloudflare_sso_operator::identity::{AccountId, ConnectorId, EmailDomain};
use cloudflare_sso_operator::lease::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The token of every call.
pub(crate) const TOKEN: &str = "cfat_0123456789abcdef";

/// The connector that is asked about.
pub(crate) const CONNECTOR: &str = "023e105f4ecef8ad9ca31a8372d0c353";

/// The zone and the record that are asked about.
const ZONE: &str = "372e67954025e0ba6aaa6d586b9e0b59";
const RECORD: &str = "9a7806061c88ada191ed06f989cc3dac";

const ACCOUNT: &str = "b1f5c0e2a3d44f6f8a7e6d5c4b3a2910";

/// Far more than any answer here takes, on a machine that is busy otherwise.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the client understood.
#[derive(Debug)]
pub(crate) enum Understood {
    Listing(Listing),
    Connector(Option<Connector>),
    Zones(Vec<Zone>),
    Records(Listing<TxtRecord>),
    Record(Option<TxtRecord>),
    Done,
}

/// The client, and the socket that it is pointed at.
#[derive(Debug)]
pub(crate) struct Server {
    runtime: Runtime,
    listener: TcpListener,
    client: Client,
    token: ApiToken,
    account: AccountId,
    id: ConnectorId,
}

thread_local! {
    /// A fuzzer hands over bytes and nothing else, and to set up a client takes longer than to use it a hundred times.
    static SERVER: Server = Server::start();
}

/// Calls the endpoint and gives these answers, one to each request, and the end of the connection to any further one.
pub(crate) fn ask(endpoint: Endpoint, answers: &[Vec<u8>]) -> Result<Answer<Understood>, Failure> {
    SERVER.with(|server| server.runtime.block_on(server.ask(endpoint, answers)))
}

impl Server {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::new(ClientOptions {
            base_url: base_url.parse().unwrap(),
            call_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            authority: Authority::unlimited(),
        });
        Self {
            runtime,
            listener,
            client: client.unwrap(),
            token: ApiToken::parse(TOKEN.as_bytes()).unwrap(),
            account: ACCOUNT.parse().unwrap(),
            id: CONNECTOR.parse().unwrap(),
        }
    }

    async fn ask(
        &self,
        endpoint: Endpoint,
        answers: &[Vec<u8>],
    ) -> Result<Answer<Understood>, Failure> {
        let ended = Notify::new();
        let call = async {
            let understood = self.call(endpoint).await;
            ended.notify_one();
            understood
        };
        tokio::join!(call, self.serve(answers, &ended)).0
    }

    async fn call(&self, endpoint: Endpoint) -> Result<Answer<Understood>, Failure> {
        let (client, token, account, id) = (&self.client, &self.token, &self.account, &self.id);
        match endpoint {
            Endpoint::List => {
                let answer = client.list_connectors(token, account).await?;
                Ok(answer.map(Understood::Listing))
            }
            Endpoint::Create => {
                let creation = Creation {
                    email_domain: "example.com".parse().unwrap(),
                    begin_verification: true,
                    use_fedramp_language: None,
                };
                let begin_by = Instant::now() + PATIENCE;
                let call = client.create_connector(token, account, &creation, begin_by);
                let answer = call.await?;
                Ok(answer.map(|created| Understood::Connector(created.connector)))
            }
            Endpoint::Get => {
                let answer = client.get_connector(token, account, id).await?;
                Ok(answer.map(|connector| Understood::Connector(Some(connector))))
            }
            Endpoint::Update => {
                let changes = Changes {
                    enabled: Some(false),
                    ..Changes::default()
                };
                let answer = client.update_connector(token, account, id, &changes);
                Ok(answer.await?.map(Understood::Connector))
            }
            Endpoint::Delete => {
                let answer = client.delete_connector(token, account, id).await?;
                Ok(answer.map(|()| Understood::Done))
            }
            Endpoint::BeginVerification => {
                let answer = client.begin_verification(token, account, id).await?;
                Ok(answer.map(|()| Understood::Done))
            }
            Endpoint::ListZones
            | Endpoint::GetZone
            | Endpoint::ListRecords
            | Endpoint::CreateRecord
            | Endpoint::DeleteRecord => self.call_dns(endpoint).await,
        }
    }

    async fn call_dns(&self, endpoint: Endpoint) -> Result<Answer<Understood>, Failure> {
        let (client, token) = (&self.client, &self.token);
        let (zone, record) = (ZONE.parse().unwrap(), RECORD.parse().unwrap());
        let domain: EmailDomain = "example.com".parse().unwrap();
        match endpoint {
            Endpoint::ListZones => {
                let answer = client.list_zones(token, domain.as_str()).await?;
                Ok(answer.map(Understood::Zones))
            }
            Endpoint::GetZone => {
                let answer = client.get_zone(token, &zone).await?;
                Ok(answer.map(|zone| Understood::Zones(vec![zone])))
            }
            Endpoint::ListRecords => {
                let answer = client.list_txt_records(token, &zone, &domain).await?;
                Ok(answer.map(Understood::Records))
            }
            Endpoint::CreateRecord => {
                let code = VerificationCode::parse("cloudflare_dashboard_sso=1").unwrap();
                let ttl = TimeToLive::AUTOMATIC;
                let new = NewTxtRecord::proving(&domain, &code, ttl, String::new());
                let answer = client.create_txt_record(token, &zone, &new).await?;
                Ok(answer.map(Understood::Record))
            }
            _ => {
                let answer = client.delete_record(token, &zone, &record).await?;
                Ok(answer.map(|()| Understood::Done))
            }
        }
    }

    async fn serve(&self, answers: &[Vec<u8>], ended: &Notify) {
        let mut answers = answers.iter();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => accepted.unwrap().0,
                () = ended.notified() => return,
            };
            // The client may break off at any time, and that is its own affair.
            let _ = converse(stream, answers.next()).await;
        }
    }
}

/// One request and its answer, to the end of the connection: the client keeps no connection that ends under its next call.
async fn converse(mut stream: TcpStream, answer: Option<&Vec<u8>>) -> io::Result<()> {
    // However the connection ends, its port is free at once; there are more calls than ports.
    stream.set_zero_linger()?;
    let Some(answer) = answer else {
        return Ok(());
    };
    let mut request = Vec::new();
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Whether the client has said all that it has to say.
fn is_whole(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request);
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
