//! What the repository is made of, against `deny.toml`: the licences of all crates, where they come from, and which are kept
//! out. `make deny` looks at the same and at the advisories, with a tool that takes minutes to build and a list from the
//! network; this needs neither.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

#[test]
fn every_crate_has_a_licence_that_is_allowed() {
    let rules = rules();
    let allowed = words(&rules["licenses"]["allow"]);
    let exceptions = rules["licenses"]["exceptions"].as_array().unwrap();
    let mut used = BTreeSet::new();
    let mut refused = Vec::new();
    for package in packages() {
        let name = word(&package["name"]);
        let licence = package["license"].as_str().unwrap_or("none");
        let besides = exceptions
            .iter()
            .filter(|exception| word(&exception["crate"]) == name)
            .flat_map(|exception| words(&exception["allow"]));
        let allowed: BTreeSet<String> = besides.chain(allowed.clone()).collect();
        let expression = Expression::parse_mode(licence, ParseMode::LAX);
        let is_allowed = expression.is_ok_and(|expression| {
            expression.evaluate(|required| {
                let is_allowed = allowed.contains(&required.to_string());
                if is_allowed {
                    used.insert(required.to_string());
                }
                is_allowed
            })
        });
        if !is_allowed {
            refused.push(format!("{name}: {licence}"));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    let unused: Vec<_> = allowed
        .iter()
        .filter(|licence| !used.contains(*licence))
        .collect();
    assert!(
        unused.is_empty(),
        "allowed, and used by no crate: {unused:?}"
    );
}

#[test]
fn every_crate_comes_from_the_one_registry_with_its_checksum() {
    let sources = &rules()["sources"];
    assert_eq!(sources["unknown-registry"], "deny");
    assert_eq!(sources["unknown-git"], "deny");
    let own = own_packages();
    let mut registries = BTreeSet::new();
    for package in locked() {
        let name = word(&package["name"]);
        let Some(source) = package["source"].as_str() else {
            assert!(own.contains(&name), "{name} has no source");
            continue;
        };
        assert!(
            source.starts_with("registry+"),
            "{name} comes from {source}"
        );
        assert_eq!(word(&package["checksum"]).len(), 64, "{name}");
        registries.insert(source.to_owned());
    }
    assert_eq!(registries.len(), 1, "{registries:?}");
}

#[test]
fn what_is_kept_out_is_not_there() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().unwrap();
    let banned: BTreeSet<String> = banned.iter().map(|ban| word(&ban["crate"])).collect();
    let there: BTreeSet<String> = locked()
        .iter()
        .map(|package| word(&package["name"]))
        .collect();
    assert_eq!(banned.intersection(&there).collect::<Vec<_>>(), [""; 0]);
}

fn rules() -> Value {
    parse("deny.toml")
}

/// What `Cargo.lock` names.
fn locked() -> Vec<Value> {
    parse("Cargo.lock")["package"].as_array().unwrap().clone()
}

/// The packages of this repository: the one at its root, and those that its workspace names, by their folders.
fn own_packages() -> BTreeSet<String> {
    let manifest = parse("Cargo.toml");
    let members = words(&manifest["workspace"]["members"]);
    let own = members.iter().map(|folder| {
        let manifest = parse(&format!("{folder}/Cargo.toml"));
        word(&manifest["package"]["name"])
    });
    own.chain([word(&manifest["package"]["name"])]).collect()
}

fn parse(file: &str) -> Value {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    toml::from_str(&text).unwrap()
}

/// All crates that are built for Linux with all features, with what their manifests say.
fn packages() -> Vec<Value> {
    let rules = rules();
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "metadata",
        "--locked",
        "--format-version=1",
        "--all-features",
    ]);
    for target in words(&rules["graph"]["targets"]) {
        command.arg(format!("--filter-platform={target}"));
    }
    let output = command.current_dir(repository()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let built = metadata["resolve"]["nodes"].as_array().unwrap();
    let built: BTreeSet<String> = built.iter().map(|node| word(&node["id"])).collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| built.contains(&word(&package["id"])))
        .cloned()
        .collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn words(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(word).collect()
}
