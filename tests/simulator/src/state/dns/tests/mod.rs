mod admission;
mod life;
mod truth;

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::dns_refusal::{DnsRefusal, Flaw};
use crate::knobs::{ApexCname, CommentKept, Knobs, RecordQuotes};

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const CODE: &str = "cloudflare_dashboard_sso=1";

/// The zone `cool.cats`, and a clock that only moves by hand.
struct Scene {
    dns: Dns,
    zone: String,
    knobs: Knobs,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let mut dns = Dns::new(1);
        let zone = dns.add_zone(ACCOUNT, "Cool.Cats.").id;
        Self {
            dns,
            zone,
            knobs: Knobs::default(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn create(&mut self, body: &Value) -> Result<DnsRecord, DnsRefusal> {
        let request = serde_json::from_value(body.clone()).unwrap();
        self.dns.create(&self.zone, request, self.now, &self.knobs)
    }

    fn create_txt(&mut self, name: &str, content: &str) -> Result<DnsRecord, DnsRefusal> {
        self.create(&json!({"type": "TXT", "name": name, "content": content}))
    }

    fn by_hand(&mut self, record_type: RecordType, name: &str, content: &str) -> DnsRecord {
        let draft = RecordDraft::new(record_type, name, content);
        self.dns.insert(&self.zone, draft, self.now).unwrap()
    }

    fn update(&mut self, id: &str, update: Update, body: &Value) -> Result<DnsRecord, DnsRefusal> {
        let request = serde_json::from_value(body.clone()).unwrap();
        let Self {
            dns,
            zone,
            knobs,
            now,
        } = self;
        dns.update(zone, id, request, update, *now, knobs)
    }

    fn delete(&mut self, id: &str) -> Result<(), DnsRefusal> {
        self.dns.delete(&self.zone, id, self.now)
    }

    fn list(&self, filter: &RecordFilter) -> Vec<&DnsRecord> {
        self.dns.list(&self.zone, filter, self.now, &self.knobs)
    }

    fn txt(&self, name: &str) -> Vec<String> {
        self.dns.txt(name).into_iter().collect()
    }
}
