//! A setting with one zone, in which records of others stand, and a token that may do everything in it.

use std::time::Duration;

use cloudflare_sso_operator::cloudflare::{
    Endpoint, Failure, Listing, NewTxtRecord, TimeToLive, TxtRecord, VerificationCode, Zone,
};
use cloudflare_sso_operator::identity::{RecordId, ZoneId};
use simulator::{DnsRecord, Failure as Injected, Fault, Knobs, RecordDraft, TokenRequest};

use crate::setting::{ACCOUNT, PATIENT, Setting, operation, token};

pub(crate) const ENDPOINTS: [Endpoint; 5] = [
    Endpoint::ListZones,
    Endpoint::GetZone,
    Endpoint::ListRecords,
    Endpoint::CreateRecord,
    Endpoint::DeleteRecord,
];

pub(super) const DOMAIN: &str = "example.com";
pub(super) const CODE: &str = "cloudflare_dashboard_sso=1";
pub(super) const UNKNOWN: &str = "00000000000000000000000000000000";

/// What others have written there.
pub(super) const OTHERS: [&str; 2] = ["v=spf1 -all", "cloudflare_dashboard_sso=of-another"];

pub(crate) struct Scene {
    pub(crate) setting: Setting,
    pub(super) zone: ZoneId,
}

impl Scene {
    pub(crate) async fn new(knobs: Knobs) -> Self {
        Self::with_timeout(knobs, PATIENT).await
    }

    pub(super) async fn with_timeout(knobs: Knobs, call_timeout: Duration) -> Self {
        let mut setting = Setting::with_timeout(knobs, call_timeout).await;
        let admin = setting.simulator.admin();
        let text = admin.add_ready_account_with_dns(ACCOUNT, "dns");
        let zone = admin.add_zone(ACCOUNT, DOMAIN);
        for other in OTHERS {
            let _by_hand = admin
                .create_record(&zone, RecordDraft::txt("@", other))
                .unwrap();
        }
        setting.token = token(&text);
        setting.token_text = text;
        let zone = zone.parse().unwrap();
        Self { setting, zone }
    }

    /// Goes on with another token.
    pub(super) fn with_token(&mut self, request: TokenRequest) {
        let text = self.setting.simulator.admin().issue_token(request);
        self.setting.token = token(&text);
    }

    pub(super) fn turn(&self, turn: impl FnOnce(&mut Knobs)) {
        self.setting.simulator.admin().turn_knobs(turn);
    }

    pub(super) async fn list_zones(&self, name: &str) -> Result<Vec<Zone>, Failure> {
        let Setting { client, token, .. } = &self.setting;
        Ok(client.list_zones(token, name).await?.value)
    }

    pub(super) async fn get_zone(&self, id: &ZoneId) -> Result<Zone, Failure> {
        let Setting { client, token, .. } = &self.setting;
        Ok(client.get_zone(token, id).await?.value)
    }

    pub(super) async fn list_in(&self, zone: &ZoneId) -> Result<Listing<TxtRecord>, Failure> {
        let Setting { client, token, .. } = &self.setting;
        let domain = DOMAIN.parse().unwrap();
        Ok(client.list_txt_records(token, zone, &domain).await?.value)
    }

    pub(super) async fn list(&self) -> Result<Listing<TxtRecord>, Failure> {
        self.list_in(&self.zone).await
    }

    pub(super) async fn create_in(
        &self,
        zone: &ZoneId,
        record: &NewTxtRecord,
    ) -> Result<Option<TxtRecord>, Failure> {
        let Setting { client, token, .. } = &self.setting;
        Ok(client.create_txt_record(token, zone, record).await?.value)
    }

    pub(super) async fn create(&self, record: &NewTxtRecord) -> Result<Option<TxtRecord>, Failure> {
        self.create_in(&self.zone, record).await
    }

    pub(super) async fn delete_in(&self, zone: &ZoneId, id: &RecordId) -> Result<(), Failure> {
        let Setting { client, token, .. } = &self.setting;
        client.delete_record(token, zone, id).await.map(drop)
    }

    pub(super) async fn delete(&self, id: &RecordId) -> Result<(), Failure> {
        self.delete_in(&self.zone, id).await
    }

    /// A record by hand, at another name so that it is in nobody's way.
    pub(super) fn existing(&self) -> RecordId {
        let draft = RecordDraft::txt("old", CODE);
        let admin = self.setting.simulator.admin();
        let made = admin.create_record(&self.zone.to_string(), draft).unwrap();
        made.id.parse().unwrap()
    }

    /// The records at the domain as they are, without those of others, which must be as they were.
    pub(super) fn records(&self) -> Vec<DnsRecord> {
        let mut records = self
            .setting
            .simulator
            .admin()
            .records(&self.zone.to_string());
        let is_others = |record: &DnsRecord| OTHERS.contains(&record.content.as_str());
        let others: Vec<_> = records.extract_if(.., |it| is_others(it)).collect();
        assert_eq!(others.len(), OTHERS.len(), "{others:#?}");
        let is_untouched = |record: &DnsRecord| record.created_on == record.modified_on;
        assert!(others.iter().all(is_untouched), "{others:#?}");
        records.retain(|record| record.name == DOMAIN);
        records
    }

    /// Calls any of [`ENDPOINTS`]; of a success only that it was one.
    pub(super) async fn call(&self, endpoint: Endpoint, id: &RecordId) -> Result<(), Failure> {
        match endpoint {
            Endpoint::ListZones => self.list_zones(DOMAIN).await.map(drop),
            Endpoint::GetZone => self.get_zone(&self.zone).await.map(drop),
            Endpoint::ListRecords => self.list().await.map(drop),
            Endpoint::CreateRecord => {
                // Each another one.
                let calls = self.setting.simulator.calls().count();
                let code = format!("cloudflare_dashboard_sso=no-{calls}");
                self.create(&proving(&code)).await.map(drop)
            }
            Endpoint::DeleteRecord => self.delete(id).await,
            of_connectors => unreachable!("{of_connectors} is called in `setting`"),
        }
    }

    /// Lets `endpoint` suffer the fault, with a record of its own.
    pub(crate) async fn suffer(
        &self,
        endpoint: Endpoint,
        injected: Injected,
    ) -> Result<(), Failure> {
        let id = self.existing();
        let fault = Fault::new(injected).on(operation(endpoint));
        let fault = self.setting.simulator.admin().push_fault(fault);
        let outcome = self.call(endpoint, &id).await;
        assert_eq!(fault.struck(), 1, "{endpoint} met the fault once");
        outcome
    }
}

/// The record of the domain that says this code.
pub(super) fn proving(code: &str) -> NewTxtRecord {
    with(code, TimeToLive::AUTOMATIC, "ours")
}

pub(super) fn with(code: &str, ttl: TimeToLive, comment: &str) -> NewTxtRecord {
    let domain = DOMAIN.parse().unwrap();
    let code = VerificationCode::parse(code).unwrap();
    NewTxtRecord::proving(&domain, &code, ttl, comment.to_owned())
}

/// What records say.
pub(super) fn texts(records: &[TxtRecord]) -> Vec<&str> {
    let texts = records.iter().filter_map(|record| record.text.as_deref());
    texts.collect()
}
