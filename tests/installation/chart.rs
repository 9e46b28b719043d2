//! The chart as a whole: both lines of helm find nothing wrong with it, what is packaged is the chart and nothing else of the
//! repository, and all that has a version has the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use harness::{Chart, Part};
use serde_json::Value;

#[tokio::test]
async fn helm_3_and_4_find_nothing_wrong() {
    for helm in [Part::Helm3, Part::Helm4] {
        let chart = Chart::with(helm).await.unwrap();
        let folder = Chart::folder();
        chart
            .helm(&["lint", "--strict", folder.to_str().unwrap()])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn both_render_the_same() {
    let mut rendered = BTreeSet::new();
    for helm in [Part::Helm3, Part::Helm4] {
        let chart = Chart::with(helm).await.unwrap();
        let manifest = chart.render("replicaCount: 2").await.unwrap();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&manifest).unwrap();
        let mut objects: Vec<String> = objects.iter().map(Value::to_string).collect();
        objects.sort();
        rendered.insert(objects);
    }
    assert_eq!(rendered.len(), 1, "{rendered:#?}");
}

#[tokio::test]
async fn nothing_but_the_chart_is_packaged_however_much_was_built() {
    let built = Chart::folder().join("target/installation");
    fs::create_dir_all(&built).unwrap();
    // Helm refuses any file of more than 5 MiB.
    fs::write(built.join("large"), vec![0; 6 << 20]).unwrap();
    let chart = Chart::with(Part::Helm3).await.unwrap();
    let (source, destination) = (Chart::folder(), chart.home());
    let said = chart
        .helm(&[
            "package",
            source.to_str().unwrap(),
            "--destination",
            destination.to_str().unwrap(),
        ])
        .await;
    fs::remove_dir_all(&built).unwrap();
    let said = said.unwrap();
    let package = said.trim().rsplit(' ').next().unwrap();
    assert_eq!(files_in(package), files_of_the_chart());
}

fn files_of_the_chart() -> BTreeSet<String> {
    let mut files: BTreeSet<String> = [
        "Chart.yaml",
        "LICENSE",
        "README.md",
        "monitoring/alerts.yaml",
        "monitoring/dashboard.json",
        "values.schema.json",
        "values.yaml",
    ]
    .map(str::to_owned)
    .into();
    for folder in ["crds", "templates"] {
        for entry in fs::read_dir(Chart::folder().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            files.insert(format!("{folder}/{name}"));
        }
    }
    files
}

fn files_in(package: &str) -> BTreeSet<String> {
    let listing = std::process::Command::new("tar")
        .args(["--list", "--gzip", "--file", package])
        .output()
        .unwrap();
    let inside = |path: &str| {
        path.strip_prefix("cloudflare-sso-operator/")
            .map(str::to_owned)
    };
    let paths = String::from_utf8(listing.stdout).unwrap();
    paths.lines().map(|path| inside(path).unwrap()).collect()
}

#[test]
fn chart_crate_and_application_have_one_version() {
    let text = fs::read_to_string(Chart::folder().join("Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
    assert_eq!(chart["name"], env!("CARGO_PKG_NAME"));
}

#[test]
fn every_named_template_is_used() {
    let folder = Chart::folder().join("templates");
    let texts: String = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| read(&entry.unwrap().path()))
        .collect();
    let unused: Vec<&str> = texts
        .split("define \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| !texts.contains(&format!("include \"{name}\"")))
        .collect();
    assert_eq!(unused, [""; 0]);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
