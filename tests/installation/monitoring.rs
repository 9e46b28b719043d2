//! What watches over the operator: the metrics as they are documented, the alerts as promtool and a real Prometheus see them,
//! and a dashboard of which every panel shows something.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use harness::{Operator, Part};
use serde_json::{Value, json};
use simulator::{Failure, Fault, Repeat};
use tokio::process::Command;

use crate::prometheus::{Prometheus, alerts, each_alert};
use crate::stage::{Stage, repository};

/// Another account, with a token of its own.
const OTHER_ACCOUNT: &str = "99999999999999999999999999999999";

#[tokio::test]
async fn promtool_accepts_the_rules_and_sees_each_alert_fire_and_not_fire() {
    let folder = repository().join("monitoring");
    promtool(&folder, &["check", "rules", "alerts.yaml"]).await;
    promtool(&folder, &["test", "rules", "alerts.test.yaml"]).await;
    let tests = read("monitoring/alerts.test.yaml");
    for alert in each_alert(&mut alerts()) {
        let label = format!("alertname={}", alert["alert"]);
        assert!(tests.contains(&label), "{label} is in no test");
    }
}

#[tokio::test]
async fn what_the_page_says_to_write_and_to_run_works() {
    let page = read("docs/monitoring.md");
    let stage = Stage::set().await;
    let commands: BTreeSet<&str> = page
        .split(['`', '\n'])
        .filter_map(|word| word.strip_prefix("kubectl "))
        .collect();
    assert!(commands.len() > 3, "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').collect();
        let ended = stage.control_plane.kubectl(&arguments).await;
        let ended = ended.unwrap();
        // There is no such Lease before an operator runs.
        let lacks_lease = command.starts_with("get lease") && ended.stderr.contains("NotFound");
        assert!(ended.status.success() || lacks_lease, "{ended:#?}");
    }

    let (_, configuration) = page.split_once("```yaml\n").unwrap();
    let (configuration, _) = configuration.split_once("```").unwrap();
    let folder = stage.control_plane.folder();
    let mut configuration: Value = serde_saphyr::from_str(configuration).unwrap();
    // Debian's Prometheus is built without it.
    let scrape = configuration["scrape_configs"][0].as_object_mut().unwrap();
    assert!(scrape.remove("kubernetes_sd_configs").is_some());
    let configuration = configuration.to_string();
    std::fs::write(folder.join("prometheus.yaml"), configuration).unwrap();
    std::fs::copy(
        repository().join("monitoring/alerts.yaml"),
        folder.join("alerts.yaml"),
    )
    .unwrap();
    promtool(folder, &["check", "config", "prometheus.yaml"]).await;
}

#[tokio::test]
async fn every_metric_of_a_running_operator_is_documented_and_every_documented_one_is_there() {
    let stage = Stage::set().await;
    let operator = busy_operator(&stage).await;
    let told = Told::parse(&operator.metrics().await.unwrap());
    let page = read("docs/monitoring.md");
    let documented: BTreeMap<&str, (&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `cloudflare_sso_"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            (cells[0].trim_end_matches('`'), (cells[1], cells[2]))
        })
        .collect();
    let names: BTreeSet<&str> = told.types.keys().map(String::as_str).collect();
    assert_eq!(names, documented.keys().copied().collect::<BTreeSet<_>>());
    for (name, (kind, labels)) in documented {
        assert_eq!(told.types[name], kind, "{name}");
        let none = BTreeMap::new();
        let shown = told.labels.get(name).unwrap_or(&none);
        let mut expected: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let described = labels.split(';').filter(|part| !part.is_empty());
        for (label, values) in described.map(|part| part.split_once(':').unwrap_or((part, ""))) {
            let values = values.split('`').skip(1).step_by(2).collect();
            expected.insert(label.trim().trim_matches('`'), values);
        }
        assert_eq!(
            shown.keys().map(String::as_str).collect::<Vec<_>>(),
            expected.keys().copied().collect::<Vec<_>>(),
            "the labels of {name}"
        );
        for (label, values) in shown {
            let documented = &expected[label.as_str()];
            let unknown = values
                .iter()
                .find(|value| !documented.contains(value.as_str()));
            let any = documented.is_empty() || label == "reason" && name == "connectors";
            assert!(any || unknown.is_none(), "{name}, {label}: {unknown:?}");
        }
    }
}

#[tokio::test]
async fn every_panel_shows_something_and_no_alert_speaks_of_what_is_not_there() {
    let stage = Stage::set().await;
    let operator = busy_operator(&stage).await;
    let prometheus = Prometheus::scraping(&operator, stage.control_plane.folder()).await;
    prometheus
        .until_true(
            "cloudflare_sso_verification_age_seconds > 0 and cloudflare_sso_paused_tokens == 1",
        )
        .await;

    let told = Told::parse(&operator.metrics().await.unwrap());
    let dashboard = read("monitoring/dashboard.json");
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut panels = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            told.expect_all_of(query);
            // With it the panel would show something whatever the query finds.
            let query = query
                .replace(" or vector(0)", "")
                .replace("$namespace", ".*")
                .replace("$__rate_interval", "1m");
            prometheus.until_true(&query).await;
            panels += 1;
        }
    }
    assert!(panels > 20, "{panels}");
    for alert in each_alert(&mut alerts()) {
        let query = alert["expr"].as_str().unwrap();
        told.expect_all_of(query);
        prometheus.query(query).await.unwrap();
    }
}

#[tokio::test]
async fn an_alert_fires_when_a_person_disables_sso_and_ends_when_the_spec_is_applied_again() {
    let stage = Stage::set().await;
    let operator = stage.operator(&[]).await;
    let prometheus = Prometheus::scraping(&operator, stage.control_plane.folder()).await;
    let id = stage.enabled_connector("example", "example.com").await;
    prometheus
        .until_true("cloudflare_sso_connectors{reason=\"Available\"} == 1")
        .await;
    prometheus.until_alerts_are(&[]).await;

    let cloudflare = stage.simulator.admin();
    cloudflare.set_enabled(&id, false).unwrap();
    let alerts = prometheus
        .until_alerts_are(&["CloudflareSsoChangedByHand"])
        .await;
    let [alert] = &alerts[..] else {
        panic!("not one: {alerts:#?}")
    };
    assert_eq!(alert["state"], "firing");
    assert_eq!(alert["labels"]["reason"], "HeldByExternalChange");
    assert_eq!(alert["labels"]["severity"], "critical");
    let description = alert["annotations"]["description"].as_str().unwrap();
    assert!(description.starts_with("SsoConnector objects with HeldByExternalChange: 1."));

    stage
        .annotate("example", "cloudflare-sso.dev/enable-at", "now")
        .await;
    stage.until_ready_is("example", "Available").await;
    prometheus.until_alerts_are(&[]).await;
}

/// Runs promtool in a folder; it must find nothing wrong.
async fn promtool(folder: &Path, arguments: &[&str]) {
    let program = Part::Prometheus.folder().await.unwrap().join("promtool");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:#?}");
}

/// An operator with something to tell: a connector that is held, one that awaits its verification, one whose token is refused,
/// and a token that rests.
async fn busy_operator(stage: &Stage) -> Operator {
    let cloudflare = stage.simulator.admin();
    let operator = stage.operator(&[]).await;
    let id = stage.enabled_connector("held", "held.example.com").await;
    cloudflare.set_enabled(&id, false).unwrap();
    stage.until_ready_is("held", "HeldByExternalChange").await;
    stage
        .connector("waits", "waits.example.com", json!({}))
        .await;
    stage.until_ready_is("waits", "AwaitingVerification").await;
    stage.put_token("refused", "another-t0ken").await;
    let refused = json!({ "apiTokenSecretRef": { "name": "refused" } });
    stage
        .connector("refused", "refused.example.com", refused)
        .await;
    stage.until_ready_is("refused", "Unauthorized").await;

    let token = cloudflare.add_ready_account(OTHER_ACCOUNT, "other");
    stage.put_token("rests", &token).await;
    let pause = Failure::throttled(Some(Duration::from_mins(10)));
    let fault = Fault::new(pause).on_account(OTHER_ACCOUNT);
    cloudflare.push_fault(fault.repeat(Repeat::Forever));
    let rests = json!({ "accountID": OTHER_ACCOUNT, "apiTokenSecretRef": { "name": "rests" } });
    stage.connector("rests", "rests.example.com", rests).await;
    operator
}

/// What `/metrics` tells, without the prefix that all metrics have.
struct Told {
    /// The type of each metric, by the name that it is queried by.
    types: BTreeMap<String, String>,
    /// The values of each label of each metric that has labels.
    labels: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Everything that can be queried.
    series: BTreeSet<String>,
}

impl Told {
    fn parse(text: &str) -> Self {
        let mut told = Self {
            types: BTreeMap::new(),
            labels: BTreeMap::new(),
            series: BTreeSet::new(),
        };
        let mut name = String::new();
        for line in text.lines() {
            if let Some(metric) = line.strip_prefix("# TYPE cloudflare_sso_") {
                let (base, kind) = metric.split_once(' ').unwrap();
                let suffix = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    _ => "",
                };
                name = format!("{base}{suffix}");
                told.types.insert(name.clone(), kind.to_owned());
            } else if let Some(sample) = line.strip_prefix("cloudflare_sso_") {
                let end = sample.find(['{', ' ']).unwrap();
                told.series.insert(sample[..end].to_owned());
                let labels = sample[end..]
                    .split_once('}')
                    .map(|(labels, _)| &labels[1..]);
                for label in labels.into_iter().flat_map(|labels| labels.split(',')) {
                    let (label, value) = label.split_once('=').unwrap();
                    if label != "le" {
                        let labels = told.labels.entry(name.clone()).or_default();
                        let values = labels.entry(label.to_owned()).or_default();
                        values.insert(value.trim_matches('"').to_owned());
                    }
                }
            }
        }
        told
    }

    /// Every metric that the query names must be told.
    fn expect_all_of(&self, query: &str) {
        let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let names: Vec<&str> = words
            .filter_map(|word| word.strip_prefix("cloudflare_sso_"))
            .collect();
        assert!(!names.is_empty(), "{query} names no metric");
        for name in names {
            assert!(self.series.contains(name), "nobody tells {name}: {query}");
        }
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(repository().join(file)).unwrap()
}
