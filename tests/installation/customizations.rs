//! What Argo CD is told about `SsoConnector`: health and actions by its own interpreter, over the test data beside them, which
//! is laid out as in Argo CD's own repository. `UPDATE_GOLDENS=1` writes the settings that are made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cloudflare_sso_operator::resource::{
    ConditionType, ENABLE_AT, RECONCILE_AT, Reason, SsoConnector, find_condition,
};
use futures::stream::{self, StreamExt as _};
use harness::argocd_admin;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

use crate::checkout::{files, read};
use crate::stage::repository;

/// Where they are, as in Argo CD's own repository.
const FOLDER: &str = "deploy/argocd/resource_customizations/cloudflare-sso.dev/SsoConnector";
/// The settings that are made of them.
pub(crate) const SETTINGS: &str = "deploy/argocd/argocd-cm.yaml";
/// What the settings begin with.
const HEAD: &str = "# How Argo CD judges an SsoConnector, and the actions that it offers. Written from resource_customizations/ beside it by the
# tests; do not edit. To add it to what is there already:
#
#   kubectl apply --server-side --field-manager=cloudflare-sso-operator -f deploy/argocd/argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/part-of: argocd
data:
";
/// The actions, in the order in which they are offered.
const ACTIONS: [&str; 4] = ["reconcile", "re-enable", "suspend", "resume"];
/// How many objects are judged at once; the interpreter takes a second to start.
const AT_ONCE: usize = 4;

/// What Argo CD shows of an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Health {
    pub(crate) status: String,
    pub(crate) message: String,
}

impl Health {
    pub(crate) fn new(status: &str, message: &str) -> Self {
        Self {
            status: status.to_owned(),
            message: message.to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct HealthTests {
    tests: Vec<HealthTest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HealthTest {
    health_status: Health,
    input_path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionTests {
    discovery_tests: Vec<DiscoveryTest>,
    action_tests: Vec<ActionTest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiscoveryTest {
    input_path: String,
    result: Vec<Offer>,
}

#[derive(Deserialize)]
struct Offer {
    name: String,
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionTest {
    action: String,
    input_path: String,
    expected_output_path: String,
}

#[test]
fn the_settings_are_made_of_the_files_beside_them() {
    let made = settings();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(repository().join(SETTINGS), &made).unwrap();
    }
    assert_eq!(
        read(SETTINGS),
        made,
        "run the test with UPDATE_GOLDENS=1 to write {SETTINGS}"
    );
}

#[tokio::test]
async fn health_is_as_the_test_data_says() {
    let tests: HealthTests = parse(&format!("{FOLDER}/health_test.yaml"));
    let judged: Vec<(String, Health, Health)> = stream::iter(tests.tests)
        .map(async |test| {
            let path = repository().join(FOLDER).join(&test.input_path);
            let found = health(&path).await;
            // Argo CD says this itself, before it asks anybody.
            let expected = if object(&path).metadata.deletion_timestamp.is_some() {
                Health::new("Progressing", "Pending deletion")
            } else {
                test.health_status
            };
            (test.input_path, expected, found)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let wrong: Vec<_> = judged
        .iter()
        .filter(|(_, expected, found)| expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_test_data_has_every_reason_and_every_file_has_its_test() {
    let tests: HealthTests = parse(&format!("{FOLDER}/health_test.yaml"));
    let tested: BTreeSet<PathBuf> = tests
        .tests
        .iter()
        .map(|test| repository().join(FOLDER).join(&test.input_path))
        .collect();
    let there: BTreeSet<PathBuf> = files(&format!("{FOLDER}/testdata"), "yaml")
        .into_iter()
        .collect();
    assert_eq!(tested, there);

    let conditions: Vec<_> = there
        .iter()
        .filter_map(|path| Some(object(path).status?.conditions))
        .collect();
    let of_ready: BTreeSet<String> = conditions
        .iter()
        .filter_map(|conditions| {
            Some(
                find_condition(conditions, ConditionType::Ready)?
                    .reason
                    .clone(),
            )
        })
        .collect();
    let of_any: BTreeSet<String> = conditions
        .iter()
        .flatten()
        .map(|condition| condition.reason.clone())
        .collect();
    let page = read("docs/conditions.md");
    let (_, table) = page.split_once("## The reasons of Ready").unwrap();
    let (table, _) = table.split_once("## The reasons of the other").unwrap();
    let missing: Vec<Reason> = Reason::ALL
        .into_iter()
        .filter(|reason| {
            let word = reason.as_str();
            if table.contains(&format!("| `{word}` |")) {
                !of_ready.contains(word)
            } else {
                // It is told by an Event alone.
                *reason != Reason::ExternalChangeReverted && !of_any.contains(word)
            }
        })
        .collect();
    assert!(missing.is_empty(), "no test data with {missing:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_not_offered() {
    for test in action_tests().discovery_tests {
        let path = actions_folder().join(&test.input_path);
        let listed = resource_override("list-actions", &path, &[]).await;
        let offered: BTreeMap<String, bool> = listed
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(char::is_whitespace))
            .map(|(name, disabled)| (name.to_owned(), disabled.trim() == "true"))
            .collect();
        let expected: BTreeMap<String, bool> = test
            .result
            .into_iter()
            .map(|offer| (offer.name, offer.disabled))
            .collect();
        assert_eq!(offered, expected, "{}", test.input_path);
    }
}

#[tokio::test]
async fn each_action_changes_one_line_and_no_other() {
    let tests = action_tests().action_tests;
    let tested: Vec<&str> = tests.iter().map(|test| test.action.as_str()).collect();
    assert_eq!(tested, ACTIONS);
    for test in &tests {
        let input = actions_folder().join(&test.input_path);
        let printed = resource_override("run-action", &input, &[&test.action]).await;
        let expected = changed(&input, &actions_folder().join(&test.expected_output_path));
        let lines = |sign: char| -> Vec<String> {
            let marked = printed.lines().filter_map(|line| line.strip_prefix(sign));
            marked.map(timeless).collect()
        };
        assert_eq!(
            (lines('<'), lines('>')),
            expected,
            "{}: {printed}",
            test.action
        );
    }
}

/// What Argo CD makes of an object, by the settings.
pub(crate) async fn health(path: &Path) -> Health {
    let printed = resource_override("health", path, &[]).await;
    let (status, message) = printed
        .strip_prefix("STATUS: ")
        .and_then(|rest| rest.split_once("\nMESSAGE: "))
        .unwrap_or_else(|| panic!("{}: {printed}", path.display()));
    Health::new(status, message.trim_end())
}

async fn resource_override(command: &str, path: &Path, more: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let settings = repository().join(SETTINGS);
    let arguments = [
        &[
            "settings",
            "resource-overrides",
            command,
            path.to_str().unwrap(),
        ][..],
        more,
        &["--argocd-cm-path", settings.to_str().unwrap()],
    ];
    let output = argocd_admin(home.path(), &arguments.concat())
        .await
        .unwrap();
    output.success().unwrap()
}

/// What an object has and the other has not, each way.
fn changed(before: &Path, after: &Path) -> (Vec<String>, Vec<String>) {
    let lines = |path: &Path| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let own = these.iter().filter(|line| !those.contains(line));
        own.map(|line| timeless(line)).collect()
    };
    (only(&before, &after), only(&after, &before))
}

/// A line without indentation and quotes, and with whether it tells a time in place of the time.
fn timeless(line: &str) -> String {
    let line = line.trim().replace(['\'', '"'], "");
    match line.split_once(": ") {
        Some((annotation, time)) if [RECONCILE_AT, ENABLE_AT].contains(&annotation) => {
            let time: Result<Timestamp, _> = time.parse();
            format!("{annotation}: a time: {}", time.is_ok())
        }
        _ => line,
    }
}

/// The settings, as a person applies them.
fn settings() -> String {
    let script = |path: &str| read(&format!("{FOLDER}/{path}"));
    let key = |what: &str| {
        format!("  resource.customizations.{what}.cloudflare-sso.dev_SsoConnector: |\n")
    };
    let definitions = ACTIONS.map(|action| {
        let script = indented(10, &script(&format!("actions/{action}/action.lua")));
        format!("      - name: {action}\n        action.lua: |\n{script}")
    });
    [
        HEAD,
        &key("health"),
        &indented(4, &script("health.lua")),
        &key("actions"),
        "    discovery.lua: |\n",
        &indented(6, &script("actions/discovery.lua")),
        "    definitions:\n",
        &definitions.concat(),
    ]
    .concat()
}

fn indented(spaces: usize, text: &str) -> String {
    let spaces = " ".repeat(spaces);
    let lines = text.lines().map(|line| format!("{spaces}{line}"));
    let lines: Vec<String> = lines
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect();
    lines.concat()
}

fn actions_folder() -> PathBuf {
    repository().join(FOLDER).join("actions")
}

fn action_tests() -> ActionTests {
    parse(&format!("{FOLDER}/actions/action_test.yaml"))
}

fn object(path: &Path) -> SsoConnector {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse<T: for<'a> Deserialize<'a>>(path: &str) -> T {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
