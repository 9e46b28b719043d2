//! The values: what is not known is refused with its name, what a parent chart adds is not, the defaults are the operator's
//! own, and each is documented.

use std::collections::BTreeSet;
use std::fs;

use clap::CommandFactory as _;
use cloudflare_sso_operator::cli::Cli;
use harness::{Chart, Part};
use serde_json::Value;

const PAGE: &str = "docs/install.md";

#[tokio::test]
async fn what_is_not_known_or_cannot_be_is_refused_by_name() {
    let account = "023e105f4ecef8ad9ca31a8372d0c353";
    let half = "defaultCredentials: { existingSecret: a }";
    let grants =
        |grant: &str| format!("defaultCredentials: {{ existingSecret: a, grants: [\"{grant}\"] }}");
    let refused = [
        ("replicas: 2".to_owned(), "'replicas'"),
        ("image: { tagg: a }".to_owned(), "'tagg'"),
        ("image: { digest: sha256:abc }".to_owned(), "/image/digest"),
        (
            "image: { pullPolicy: always }".to_owned(),
            "/image/pullPolicy",
        ),
        ("image: a".to_owned(), "/image"),
        ("imagePullSecrets: [a]".to_owned(), "/imagePullSecrets/0"),
        ("replicaCount: \"2\"".to_owned(), "/replicaCount"),
        ("replicaCount: -1".to_owned(), "/replicaCount"),
        (
            "terminationGracePeriodSeconds: 5".to_owned(),
            "/terminationGracePeriodSeconds",
        ),
        ("resources: { request: {} }".to_owned(), "'request'"),
        (
            "securityContext: { readOnlyRootFileSystem: true }".to_owned(),
            "'readOnlyRootFileSystem'",
        ),
        (
            "podSecurityContext: { runAsNonroot: true }".to_owned(),
            "'runAsNonroot'",
        ),
        ("podLabels: { a: 1 }".to_owned(), "/podLabels/a"),
        ("nodeSelector: { a: true }".to_owned(), "/nodeSelector/a"),
        (
            "tolerations: [{ effect: Never }]".to_owned(),
            "/tolerations/0/effect",
        ),
        (
            "affinity: { nodeaffinity: {} }".to_owned(),
            "'nodeaffinity'",
        ),
        (
            "topologySpreadConstraints: [{ maxSkew: 1 }]".to_owned(),
            "'topologyKey'",
        ),
        ("livenessProbe: { path: / }".to_owned(), "'path'"),
        ("extraArgs: [rejected-retry=1m]".to_owned(), "/extraArgs/0"),
        ("extraEnv: [{ nam: a }]".to_owned(), "'nam'"),
        ("extraVolumes: [{ emptyDir: {} }]".to_owned(), "'name'"),
        ("serviceAccount: { names: a }".to_owned(), "'names'"),
        ("rbac: { aggregated: true }".to_owned(), "'aggregated'"),
        ("watchNamespaces: a,b".to_owned(), "/watchNamespaces"),
        ("watchNamespaces: [A]".to_owned(), "/watchNamespaces/0"),
        ("watchNamespaces: [a, a]".to_owned(), "/watchNamespaces"),
        (
            "cloudflare: { baseURL: http://api.cloudflare.com }".to_owned(),
            "/cloudflare/baseURL",
        ),
        ("cloudflare: { baseUrl: a }".to_owned(), "'baseUrl'"),
        (
            "rate: { callsPerSecond: 5 }".to_owned(),
            "/rate/callsPerSecond",
        ),
        ("rate: { burst: 0 }".to_owned(), "/rate/burst"),
        ("poll: { settled: 10 }".to_owned(), "/poll/settled"),
        ("poll: { settled: 1d }".to_owned(), "/poll/settled"),
        ("dns: { lookup: false }".to_owned(), "'lookup'"),
        ("dns: { lookups: \"off\" }".to_owned(), "/dns/lookups"),
        (
            "dns: { nameservers: 192.0.2.53 }".to_owned(),
            "/dns/nameservers",
        ),
        (
            "dns: { nameservers: [192.0.2.53, dns.example.com] }".to_owned(),
            "/dns/nameservers/1",
        ),
        (
            "dns: { nameservers: [\"192.0.2.53:dns\"] }".to_owned(),
            "/dns/nameservers/0",
        ),
        (
            "dns: { nameservers: [\"[2001:db8::53\"] }".to_owned(),
            "/dns/nameservers/0",
        ),
        (half.to_owned(), "/defaultCredentials/grants"),
        (
            format!("defaultCredentials: {{ grants: [team/{account}/*] }}"),
            "/defaultCredentials/grants",
        ),
        (
            grants(&format!("*/{account}/*")),
            "/defaultCredentials/grants/0",
        ),
        (grants("team/all/*"), "/defaultCredentials/grants/0"),
        (
            "caBundle: { configMap: a, secret: b }".to_owned(),
            "/caBundle/secret",
        ),
        ("httpsProxy: proxy:3128".to_owned(), "/httpsProxy"),
        ("httpProxy: http://proxy:3128".to_owned(), "'httpProxy'"),
        ("httpsProxy: socks5://proxy:1080".to_owned(), "/httpsProxy"),
        ("extraArgs: [--lease-name=a]".to_owned(), "/extraArgs/0"),
        (
            "extraArgs: [--watch-namespaces=a]".to_owned(),
            "/extraArgs/0",
        ),
        ("extraArgs: [--log-format=json]".to_owned(), "/extraArgs/0"),
        ("extraArgs: [--dns-lookups=off]".to_owned(), "/extraArgs/0"),
        (
            "extraArgs: [--dns-nameservers=192.0.2.53]".to_owned(),
            "/extraArgs/0",
        ),
        (
            "extraArgs: [--default-token-file=/a]".to_owned(),
            "/extraArgs/0",
        ),
        (
            "defaultCredentials: { key: .. }".to_owned(),
            "/defaultCredentials/key",
        ),
        ("caBundle: { key: . }".to_owned(), "/caBundle/key"),
        (
            "serviceAccount: { create: false }".to_owned(),
            "serviceAccount.name",
        ),
        (
            "monitoring: { prometheusRule: { runbookBaseURL: docs } }".to_owned(),
            "/monitoring/prometheusRule/runbookBaseURL",
        ),
        ("log: { level: verbose }".to_owned(), "/log/level"),
        ("log: { format: JSON }".to_owned(), "/log/format"),
        ("http: { port: 70000 }".to_owned(), "/http/port"),
        ("http: { address: localhost }".to_owned(), "/http/address"),
        ("service: { type: Cluster }".to_owned(), "/service/type"),
        ("networkPolicy: { ingress: [] }".to_owned(), "'ingress'"),
        (
            "monitoring: { serviceMonitor: { enable: true } }".to_owned(),
            "'enable'",
        ),
        (
            "monitoring: { prometheusRules: {} }".to_owned(),
            "'prometheusRules'",
        ),
        (
            "{ service: { enabled: false }, monitoring: { serviceMonitor: { enabled: true } } }"
                .to_owned(),
            "service.enabled",
        ),
    ];
    for helm in [Part::Helm3, Part::Helm4] {
        let chart = Chart::with(helm).await.unwrap();
        for (values, named) in &refused {
            match chart.render(values).await {
                Ok(_) => panic!("{helm:?} takes `{values}`"),
                Err(refusal) => {
                    let refusal = refusal.to_string();
                    assert!(refusal.contains(named), "`{values}`: {refusal}");
                }
            }
        }
    }
}

/// Whatever takes any field takes a typo, too. Only where Kubernetes says what is inside may that be.
#[test]
fn the_schema_says_of_every_object_what_may_be_in_it() {
    let kubernetes = [
        "configMapRef",
        "nodeAffinity",
        "podAffinity",
        "podAntiAffinity",
        "secretRef",
        "valueFrom",
    ];
    let text = fs::read_to_string(Chart::folder().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let mut open = Vec::new();
    collect_open("", &schema, &mut open);
    open.retain(|name| !kubernetes.contains(&name.as_str()));
    assert_eq!(open, [""; 0]);
}

fn collect_open(name: &str, schema: &Value, open: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if schema["type"] == "object" && schema["additionalProperties"].is_null() {
                open.push(name.to_owned());
            }
            for (key, field) in fields {
                collect_open(key, field, open);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect_open(name, item, open);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_parent_chart_may_depend_on_it() {
    for helm in [Part::Helm3, Part::Helm4] {
        let chart = Chart::with(helm).await.unwrap();
        let parent = chart.home().join("parent");
        fs::create_dir_all(parent.join("templates")).unwrap();
        let description = format!(
            "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n\
             - name: cloudflare-sso-operator\n  alias: sso\n  version: {}\n  repository: file://{}\n  condition: sso.enabled\n",
            env!("CARGO_PKG_VERSION"),
            Chart::folder().display(),
        );
        fs::write(parent.join("Chart.yaml"), description).unwrap();
        let folder = parent.to_str().unwrap();
        chart.helm(&["dependency", "update", folder]).await.unwrap();
        let values = "{ global: { region: eu }, sso: { enabled: true, replicaCount: 2 } }";
        let rendered = chart.render_chart(&parent, values).await.unwrap();
        assert!(rendered.contains("replicas: 2"), "{rendered}");
        let values = "{ global: { region: eu }, sso: { enabled: false } }";
        let nothing = chart.render_chart(&parent, values).await.unwrap();
        assert!(!nothing.contains("kind:"), "{nothing}");
        let values = "{ sso: { replicas: 2 } }";
        let refusal = chart.render_chart(&parent, values).await.unwrap_err();
        assert!(refusal.to_string().contains("'replicas'"), "{refusal}");
    }
}

/// The chart sets these flags always. Whoever reads a default in one place finds the same in the other.
#[tokio::test]
async fn the_defaults_are_the_operators_own() {
    let chart = Chart::with(Part::Helm3).await.unwrap();
    let rendered = chart.render("").await.unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
    let deployment = objects
        .iter()
        .find(|object| object["kind"] == "Deployment")
        .unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let mut set: Vec<(String, String)> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|argument| argument.as_str()?.strip_prefix("--")?.split_once('='))
        .map(|(flag, value)| (flag.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(set.len(), 8, "{set:?}");
    for variable in container["env"].as_array().unwrap() {
        if let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) {
            let flag = name.to_lowercase().replace('_', "-");
            set.push((flag, value.to_owned()));
        }
    }
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    for (flag, value) in set {
        let argument = run
            .get_arguments()
            .find(|argument| argument.get_long() == Some(&flag))
            .unwrap_or_else(|| panic!("there is no --{flag}"));
        let default = argument.get_default_values().first();
        assert_eq!(default.unwrap().to_str(), Some(&*value), "--{flag}");
    }
}

/// `| value | default | meaning |`, in the order of the file.
#[test]
fn every_value_is_documented_as_the_file_has_it() {
    let text = fs::read_to_string(Chart::folder().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let rows: Vec<String> = commented(&text)
        .into_iter()
        .map(|(path, meaning)| {
            let pointer = format!("/{}", path.replace('.', "/"));
            let default = values.pointer(&pointer).unwrap();
            format!("| `{path}` | {}| {meaning} |", shown(default))
        })
        .collect();
    let page = fs::read_to_string(Chart::folder().join(PAGE)).unwrap();
    let documented: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "## Values")
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert!(
        documented == rows,
        "the table below ## Values in {PAGE} must be:\n\n| value | default | meaning |\n|---|---|---|\n{}\n",
        rows.join("\n")
    );
}

/// A default in its cell of the table.
fn shown(default: &Value) -> String {
    match default {
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("`{text}` "),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        other => format!("`{other}` "),
    }
}

/// The path of each value that has a comment, and the comment.
fn commented(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    let mut meaning = None;
    for line in text.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        if let Some(comment) = line.trim_start().strip_prefix("# -- ") {
            meaning = Some(comment.to_owned());
        } else if let Some((key, _)) = line.trim_start().split_once(':') {
            path.truncate(depth);
            path.push(key);
            if let Some(meaning) = meaning.take() {
                found.push((path.join("."), meaning));
            }
        }
    }
    found
}

#[test]
fn every_value_has_a_comment_or_is_part_of_one_that_has() {
    let text = fs::read_to_string(Chart::folder().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let commented: BTreeSet<String> = commented(&text).into_iter().map(|(path, _)| path).collect();
    let mut silent = Vec::new();
    collect_silent("", &values, &commented, &mut silent);
    assert_eq!(silent, [""; 0]);
}

fn collect_silent(
    path: &str,
    value: &Value,
    commented: &BTreeSet<String>,
    silent: &mut Vec<String>,
) {
    if commented.contains(path) {
        return;
    }
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                let inner = [path, key].join(".");
                collect_silent(inner.trim_start_matches('.'), field, commented, silent);
            }
        }
        _ => silent.push(path.to_owned()),
    }
}
