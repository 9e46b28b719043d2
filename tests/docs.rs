//! The pages against what they speak of: links and paths against the tree, flags against the command line, metrics against
//! the registry. No control plane, no network.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, CommandFactory as _};
use cloudflare_sso_operator::cli::Cli;
use cloudflare_sso_operator::cloudflare::Endpoint;
use cloudflare_sso_operator::metrics::{Metrics, PassOutcome, Remembered};
use cloudflare_sso_operator::resource::{GROUP, Progress, Reason};
use cloudflare_sso_operator::rights::{Named, Place, RULES, Rule};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::Value;

const ARCHITECTURE: &str = "docs/architecture.md";
const OPERATING: &str = "docs/operating.md";
const MONITORING: &str = "docs/monitoring.md";
const RELIABILITY: &str = "docs/reliability.md";
const CONDITIONS: &str = "docs/conditions.md";
const BEHAVIOUR: &str = "docs/behaviour.md";
const SECURITY: &str = "SECURITY.md";

/// The pages that describe the tree as it is now.
const DESCRIBING: [&str; 8] = [
    "README.md",
    "CONTRIBUTING.md",
    ARCHITECTURE,
    OPERATING,
    MONITORING,
    RELIABILITY,
    BEHAVIOUR,
    SECURITY,
];

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages(repository()) {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(file)
            };
            let leads = match anchor {
                "" => target.exists(),
                anchor => fs::read_to_string(&target)
                    .is_ok_and(|text| headings(&text).any(|heading| slug(heading) == anchor)),
            };
            if !leads {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_path_that_is_named_exists() {
    let mut missing = Vec::new();
    for page in DESCRIBING {
        let text = read(page);
        let paths: Vec<PathBuf> = words(&text).filter_map(path_in_tree).collect();
        assert!(!paths.is_empty(), "{page} names no path");
        missing.extend(
            paths
                .into_iter()
                .filter(|path| !path.exists())
                .map(|path| format!("{page}: {}", path.display())),
        );
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_test_that_is_named_as_a_proof_exists() {
    let mut missing = Vec::new();
    for page in pages(repository()) {
        let text = fs::read_to_string(&page).unwrap();
        missing.extend(
            proofs(&text)
                .filter(|(file, test)| !has_function(file, test))
                .map(|(file, test)| format!("{}: {file} has no {test}", page.display())),
        );
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_promise_and_every_threat_names_a_test() {
    for page in [BEHAVIOUR, SECURITY] {
        let text = read(page);
        let unproved: Vec<&str> = rows_ending_in(&text, "test")
            .filter(|row| proofs(row).next().is_none())
            .collect();
        assert!(proofs(&text).next().is_some(), "{page} names no test");
        assert!(unproved.is_empty(), "{page}: {unproved:#?}");
    }
}

#[test]
fn the_architecture_has_a_row_for_every_module_and_every_kind_of_test() {
    let text = read(ARCHITECTURE);
    let named: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let unnamed: Vec<String> = ["src", "tests"]
        .into_iter()
        .flat_map(entries)
        .filter(|entry| !named.contains(entry.as_str()))
        .collect();
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

#[test]
fn the_flags_are_documented_as_the_command_line_has_them() {
    let command = Cli::command();
    let text = read(OPERATING);
    for (subcommand, heading) in [
        ("run", "## Flags"),
        ("check", "## Checking"),
        ("export", "## Exporting what exists"),
    ] {
        let arguments = command.find_subcommand(subcommand).unwrap().get_arguments();
        let rows: Vec<String> = arguments.map(flag_row).collect();
        let documented = rows_below(&text, heading, "| `--");
        assert!(
            documented == rows,
            "the table below {heading} in {OPERATING} must be:\n\n| flag | default | environment | meaning |\n|---|---|---|---|\n{}\n",
            rows.join("\n")
        );
    }
}

#[test]
fn the_rights_are_documented_as_the_operator_needs_them() {
    let rows: Vec<String> = RULES.iter().map(right_row).collect();
    let text = read(OPERATING);
    let documented = rows_below(&text, "## Rights", "| `");
    assert!(
        documented == rows,
        "the table of rights in {OPERATING} must be:\n\n| resource | verbs | why |\n|---|---|---|\n{}\n",
        rows.join("\n")
    );
}

#[test]
fn the_metrics_are_documented_as_they_are_registered() {
    let text = read(MONITORING);
    let documented: BTreeSet<(String, String, String)> = text
        .lines()
        .filter(|line| line.starts_with("| `cloudflare_sso_"))
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [name, kind, _labels, meaning] = cells[..] else {
                panic!("not four columns: {row}")
            };
            let name = name.trim_matches('`');
            (name.to_owned(), kind.to_owned(), meaning.to_owned())
        })
        .collect();
    assert_eq!(documented, registered());
}

#[test]
fn every_alert_has_its_row_and_a_section_that_it_leads_to() {
    let rules: Value = serde_saphyr::from_str(&read("monitoring/alerts.yaml")).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    let text = read(MONITORING);
    let mut rows = Vec::new();
    for rule in rules {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let (name, annotations) = (word(&rule["alert"]), &rule["annotations"]);
        let anchor = slug(&name);
        let address = format!("{MONITORING}#{anchor}");
        assert_eq!(word(&annotations["runbook_url"]), address);
        assert!(headings(&text).any(|heading| heading == name), "{name}");
        for annotation in ["summary", "description"] {
            assert!(word(&annotations[annotation]).ends_with('.'), "{name}");
        }
        let (severity, time) = (word(&rule["labels"]["severity"]), word(&rule["for"]));
        rows.push(format!("| [`{name}`](#{anchor}) | {severity} | {time} |"));
    }
    let documented = rows_below(&text, "## Alerts", "| [`");
    let fits = |(documented, row): (&&str, &String)| documented.starts_with(row.as_str());
    assert!(
        documented.len() == rows.len() && documented.iter().zip(&rows).all(fits),
        "the rows in {MONITORING} must begin with:\n{}",
        rows.join("\n")
    );
}

#[test]
fn every_reason_has_its_row_and_the_row_says_what_the_operator_does() {
    let text = read(CONDITIONS);
    let (of_ready, of_others) = text.split_once("## The reasons of the other").unwrap();
    let rows = |part: &str| -> Vec<Vec<String>> {
        part.lines()
            .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"))
            .map(|row| row.split(" | ").map(str::to_owned).collect())
            .collect()
    };
    let named = |row: &[String]| Reason::from_word(row[0].trim_end_matches('`'));
    let mut documented = Vec::new();
    let (_, reasons) = of_ready.split_once("## The reasons of Ready").unwrap();
    for row in rows(reasons) {
        let reason = named(&row).unwrap_or_else(|| panic!("no such reason: {row:?}"));
        let besides = match reason.progress() {
            Progress::Reconciling => "Reconciling",
            Progress::Stalled => "Stalled",
            Progress::Resting => "–",
        };
        let event = if reason.is_warning() {
            "Warning"
        } else {
            "Normal"
        };
        let readiness = reason.readiness();
        assert_eq!(row[1..4], [readiness.as_str(), besides, event], "{reason}");
        documented.push(reason);
    }
    for row in rows(of_others) {
        let reason = named(&row).unwrap_or_else(|| panic!("no such reason: {row:?}"));
        documented.push(reason);
    }
    documented.sort_unstable();
    let mut all = Reason::ALL.to_vec();
    all.sort_unstable();
    assert_eq!(documented, all);
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(repository().join(page)).unwrap()
}

/// Every Markdown file below the folder, without what was built and what is hidden.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// The lines that are not inside a block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    prose(text)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
}

fn headings(text: &str) -> impl Iterator<Item = &str> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The tests that a text names, each as `file.rs::function`.
fn proofs(text: &str) -> impl Iterator<Item = (String, &str)> {
    text.split('`').filter_map(|word| {
        let (file, function) = word.split_once(".rs::")?;
        Some((format!("{file}.rs"), function))
    })
}

fn has_function(file: &str, function: &str) -> bool {
    let code = fs::read_to_string(repository().join(file));
    code.is_ok_and(|code| code.contains(&format!("fn {function}(")))
}

/// The rows of every table whose last column has this heading.
fn rows_ending_in<'a>(text: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let heading = format!("| {heading} |");
    let mut inside = false;
    prose(text).filter(move |line| {
        let is_heading = line.ends_with(&heading);
        inside = is_heading || (inside && line.starts_with('|'));
        inside && !is_heading && !line.starts_with("|---")
    })
}

/// Whatever looks like part of a path, wherever it stands.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c)))
        .map(|word| word.trim_end_matches('.'))
}

/// Where in the tree a word points, if it is a path in the tree. In the picture paths begin below `src/`.
fn path_in_tree(word: &str) -> Option<PathBuf> {
    let (first, _) = word.split_once('/')?;
    let top = [
        "src",
        "tests",
        "deploy",
        "crds",
        "docs",
        "templates",
        "monitoring",
        ".ci",
        ".github",
    ];
    if top.contains(&first) {
        return Some(repository().join(word));
    }
    let source = repository().join("src");
    (!first.is_empty() && source.join(first).is_dir()).then(|| source.join(word))
}

/// What lies directly in a folder, as paths from the root; folders end with a slash.
fn entries(folder: &str) -> Vec<String> {
    fs::read_dir(repository().join(folder))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let slash = if entry.file_type().unwrap().is_dir() {
                "/"
            } else {
                ""
            };
            format!("{folder}/{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect()
}

/// The lines between this heading and the next that begin so.
fn rows_below<'a>(text: &'a str, heading: &str, beginning: &str) -> Vec<&'a str> {
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with(beginning))
        .collect()
}

/// Verbs on a resource as a row of the table.
fn right_row(rule: &Rule) -> String {
    let mut resource = match rule.subresource {
        Some(subresource) => format!("`{}/{subresource}`", rule.resource),
        None => format!("`{}`", rule.resource),
    };
    if !rule.group.is_empty() && rule.group != GROUP {
        resource = format!("{resource} (`{}`)", rule.group);
    }
    match rule.named {
        Named::Any => {}
        Named::Definition => resource += ", of the one name",
        Named::Lease => resource += ", by name",
    }
    match rule.place {
        Place::Cluster | Place::Watched => {}
        Place::Lease => resource += ", in the operator's own namespace",
    }
    let verbs: Vec<&str> = rule.verbs.iter().map(|verb| verb.as_str()).collect();
    format!("| {resource} | {} | {} |", verbs.join(", "), rule.why)
}

/// A flag as a row of the table.
fn flag_row(flag: &Arg) -> String {
    let takes_value = flag.get_action().takes_values();
    let mut name = format!("--{}", flag.get_long().unwrap());
    if takes_value {
        name = format!("{name} {}", flag.get_value_names().unwrap()[0]);
    }
    let default = match flag.get_default_values() {
        [default, ..] if takes_value => format!("`{}` ", default.to_str().unwrap()),
        [..] => String::new(),
    };
    let environment = flag
        .get_env()
        .map(|name| format!("`{}` ", name.to_str().unwrap()))
        .unwrap_or_default();
    let mut meaning = flag.get_help().unwrap().to_string();
    let choices: Vec<String> = flag
        .get_possible_values()
        .iter()
        .map(|choice| format!("`{}`", choice.get_name()))
        .collect();
    if takes_value && !choices.is_empty() {
        meaning = format!("{meaning}: {}", choices.join(" or "));
    }
    format!("| `{name}` | {default}| {environment}| {meaning} |")
}

/// Name, type and help of every metric.
fn registered() -> BTreeSet<(String, String, String)> {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    // A metric with labels shows nothing before its first value.
    metrics.passed(PassOutcome::Done, Duration::ZERO);
    metrics.called(Endpoint::List, None, Duration::ZERO);
    metrics.moved(None, Some(Reason::Available));
    metrics.changed_by_others(Reason::DeletedExternally);
    metrics.remembers(Remembered::default());
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();

    let after = |prefix: &str| -> Vec<(String, String)> {
        text.lines()
            .filter_map(|line| line.strip_prefix(prefix)?.split_once(' '))
            .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
            .collect()
    };
    let shown: BTreeSet<_> = after("# HELP ")
        .into_iter()
        .zip(after("# TYPE "))
        .map(|((name, help), (typed, kind))| {
            assert_eq!(name, typed);
            let suffix = match kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let help = help.trim_end_matches('.').to_owned();
            (format!("{name}{suffix}"), kind, help)
        })
        .collect();
    let registrations = include_str!("../src/metrics.rs").matches(".register(");
    assert_eq!(
        shown.len(),
        registrations.count(),
        "give each metric a value here: {shown:#?}"
    );
    shown
}
