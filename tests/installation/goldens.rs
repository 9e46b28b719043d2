//! What the chart renders for a dozen sets of values, as recorded in `goldens/`, and that a real API server takes every
//! object of it without a warning, in a namespace that enforces the strictest of the Pod Security Standards.
//!
//! After a change of the chart `UPDATE_GOLDENS=1` records anew; the difference is then for the reviewer.

use std::fs;
use std::path::PathBuf;

use harness::{Chart, ControlPlane, Options, Part};
use serde_json::{Value, json};

const NAMESPACE: &str = "cloudflare-sso-system";
/// Those that the values name.
const FURTHER_NAMESPACES: [&str; 2] = ["team-a", "team-b"];

/// Every set of values by its name, and the file with what it renders.
fn goldens() -> Vec<(String, String, PathBuf)> {
    let folder = Chart::folder().join("tests/installation/goldens");
    let mut goldens: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let name = file.strip_suffix(".values.yaml")?.to_owned();
            let values = fs::read_to_string(folder.join(&file)).unwrap();
            let expected = folder.join(format!("{name}.expected.yaml"));
            Some((name, values, expected))
        })
        .collect();
    goldens.sort();
    assert!(goldens.len() >= 12);
    goldens
}

#[tokio::test]
async fn the_chart_renders_what_was_recorded() {
    let chart = Chart::with(Part::Helm3).await.unwrap();
    let mut differing = Vec::new();
    for (name, values, expected) in goldens() {
        let rendered = abridged(render(&chart, &name, &values).await);
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&expected, rendered).unwrap();
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&rendered) {
            differing.push(first_difference(&name, &expected, &rendered));
        }
    }
    assert!(
        differing.is_empty(),
        "{differing:#?}: if that is meant, record it with UPDATE_GOLDENS=1"
    );
}

/// What the name says is an upgrade is rendered as one.
async fn render(chart: &Chart, name: &str, values: &str) -> String {
    let rendered = if name.starts_with("upgrade") {
        chart.render_upgrade(values).await
    } else {
        chart.render(values).await
    };
    rendered.unwrap()
}

/// What is rendered, with only the names of the files that stand in it word for word.
fn abridged(rendered: String) -> String {
    let files = [
        ("monitoring/alerts.yaml", 2),
        ("monitoring/dashboard.json", 4),
    ];
    files.into_iter().fold(rendered, |rendered, (file, depth)| {
        let text = fs::read_to_string(Chart::folder().join(file)).unwrap();
        let margin = " ".repeat(depth);
        let lines = text.trim().lines().map(|line| format!("{margin}{line}"));
        let whole = lines.collect::<Vec<_>>().join("\n");
        rendered.replace(&whole, &format!("{margin}({file})"))
    })
}

fn first_difference(name: &str, expected: &PathBuf, rendered: &str) -> String {
    let recorded = fs::read_to_string(expected).unwrap_or_default();
    let lines = recorded.lines().map(Some).chain(std::iter::repeat(None));
    let line = lines
        .zip(rendered.lines().map(Some).chain([None]))
        .find(|(was, is)| was != is);
    let (was, is) = line.unwrap_or_default();
    format!(
        "{name}: `{}` was recorded, `{}` is rendered",
        was.unwrap_or("the end"),
        is.unwrap_or("the end")
    )
}

#[tokio::test]
async fn a_real_api_server_admits_every_object_and_the_pods_without_a_warning() {
    let cluster = ControlPlane::start(Options::default()).await.unwrap();
    cluster.apply(&surroundings().to_string()).await.unwrap();
    for file in [
        "crds/ssoconnectors.cloudflare-sso.dev.yaml",
        "tests/installation/goldens/prometheus-operator.yaml",
    ] {
        let definitions = fs::read_to_string(Chart::folder().join(file)).unwrap();
        cluster.apply(&definitions).await.unwrap();
    }
    let chart = Chart::with(Part::Helm3).await.unwrap();
    for (name, values, _) in goldens() {
        let rendered = render(&chart, &name, &values).await;
        try_out(&cluster, &rendered)
            .await
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
        for pod in objects.iter().filter_map(pod_of) {
            let account = json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {
                    "name": pod["spec"]["serviceAccountName"], "namespace": NAMESPACE,
                },
            });
            cluster.apply(&account.to_string()).await.unwrap();
            try_out(&cluster, &pod.to_string())
                .await
                .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        }
    }

    // Such a namespace does refuse.
    let values = "securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: null } }";
    let lax = chart.render(values).await.unwrap();
    let refusal = try_out(&cluster, &lax).await.unwrap_err();
    assert!(refusal.contains("unrestricted capabilities"), "{refusal}");
}

/// The namespaces. Warnings are for what holds Pods, the refusal is for the Pods.
fn surroundings() -> Value {
    let restricted = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                },
            },
        })
    };
    let names = [NAMESPACE].into_iter().chain(FURTHER_NAMESPACES);
    let all: Vec<Value> = names.map(restricted).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": all })
}

/// Applies without applying, and takes a warning for an error.
async fn try_out(cluster: &ControlPlane, manifest: &str) -> Result<(), String> {
    let arguments = [
        "apply",
        "--dry-run=server",
        "--warnings-as-errors",
        "--filename=-",
    ];
    let output = cluster
        .kubectl_with_input(&arguments, manifest)
        .await
        .unwrap();
    output
        .success()
        .map(drop)
        .map_err(|refusal| refusal.to_string())
}

/// The Pod that a Deployment or a Job makes.
fn pod_of(object: &Value) -> Option<Value> {
    let mut pod = object.pointer("/spec/template")?.clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("operator");
    pod["metadata"]["namespace"] = json!(NAMESPACE);
    Some(pod)
}
