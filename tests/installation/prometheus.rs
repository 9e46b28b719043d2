//! A Prometheus that scrapes the operator every second, with the rules that come with it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Operator, Part, Process, free_port, until};
use serde_json::{Value, json};

use crate::stage::{PATIENCE, repository};

/// A running one.
pub(crate) struct Prometheus {
    url: String,
    http: reqwest::Client,
    _process: Process,
}

impl Prometheus {
    /// Starts it in that folder, with alerts that fire as soon as their condition holds, and waits until it has scraped the
    /// operator.
    pub(crate) async fn scraping(operator: &Operator, folder: &Path) -> Self {
        let program = Part::Prometheus.folder().await.unwrap().join("prometheus");
        let folder = folder.join("prometheus");
        std::fs::create_dir(&folder).unwrap();
        let write = |name: &str, contents: &Value| -> PathBuf {
            let path = folder.join(name);
            // JSON is YAML.
            std::fs::write(&path, contents.to_string()).unwrap();
            path
        };
        let mut rules = alerts();
        for rule in each_alert(&mut rules) {
            rule["for"] = json!("0s");
        }
        let rules = write("alerts.yaml", &rules);
        let configuration = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [rules],
            "scrape_configs": [{
                "job_name": "cloudflare-sso-operator",
                "static_configs": [{
                    "targets": [operator.address()],
                    "labels": { "namespace": "cloudflare-sso-system", "pod": "operator" },
                }],
            }],
        });
        let configuration = write("prometheus.yaml", &configuration);
        let listen = format!("127.0.0.1:{}", free_port().unwrap());
        let mut command = Command::new(program);
        command
            .arg("--config.file")
            .arg(configuration)
            .arg("--storage.tsdb.path")
            .arg(folder.join("data"))
            .args(["--web.listen-address", &listen, "--log.level", "warn"])
            .current_dir(&folder);
        let log = folder.join("prometheus.log");
        let process = Process::spawn("Prometheus", command, log).unwrap();
        let prometheus = Self {
            url: format!("http://{listen}/api/v1"),
            http: reqwest::Client::new(),
            _process: process,
        };
        prometheus.until_true("cloudflare_sso_leader == 1").await;
        prometheus
    }

    /// What a query finds, without values that are no number.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let found = self.get("query", &[("query", query)]).await?;
        let samples = found["result"].as_array().cloned().unwrap_or_default();
        let is_number = |sample: &Value| sample["value"][1] != json!("NaN");
        Ok(samples.into_iter().filter(is_number).collect())
    }

    /// Waits until a query finds something.
    pub(crate) async fn until_true(&self, query: &str) {
        let finds = async || match self.query(query).await?.as_slice() {
            [] => Err("nothing".to_owned()),
            [..] => Ok(()),
        };
        until(query, PATIENCE, finds).await.unwrap();
    }

    /// Waits until exactly these alerts fire, and returns them.
    pub(crate) async fn until_alerts_are(&self, names: &[&str]) -> Vec<Value> {
        let expected: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        until(&format!("the alerts {names:?}"), PATIENCE, async || {
            let found = self.get("alerts", &[]).await?;
            let alerts = found["alerts"].as_array().cloned().unwrap_or_default();
            let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
            if alerts.iter().filter_map(name).collect::<BTreeSet<_>>() == expected {
                Ok(alerts)
            } else {
                Err(format!("{alerts:#?}"))
            }
        })
        .await
        .unwrap()
    }

    /// The data of an answer.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let mut url = reqwest::Url::parse(&format!("{}/{path}", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        let answer = self.http.get(url).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(answer.to_string()),
        }
    }
}

/// The rules as they are shipped.
pub(crate) fn alerts() -> Value {
    let text = std::fs::read_to_string(repository().join("monitoring/alerts.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// Every rule in them.
pub(crate) fn each_alert(rules: &mut Value) -> impl Iterator<Item = &mut Value> {
    let groups = rules["groups"].as_array_mut().unwrap();
    groups
        .iter_mut()
        .flat_map(|group| group["rules"].as_array_mut().unwrap())
}
