//! The whole life of a connector as a person at a terminal sees it, held against `docs/transcript.md`.
//!
//! What differs from run to run (IDs, codes, times, ages) is replaced, so that every change of a column, a condition, a
//! message or an Event shows. To accept one, run this test with `UPDATE_DOCS=1` and read the difference.

use std::fs;

use harness::await_gone;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;
use simulator::{Failure, Fault, FaultHandle, Operation, When};

use crate::stage::{PATIENCE, SECRET, Stage, code, connector_id, current, repository};

const PAGE: &str = "docs/transcript.md";
const DOMAIN: &str = "example.com";
/// The code that stands on the page.
const CODE: &str = "cloudflare_dashboard_sso=4e1f8c0a27b95d364e1f8c0a27b95d36";

const SHORT: &[&str] = &["get", "sso"];
const WIDE: &[&str] = &["get", "sso", "-o", "wide"];
const DESCRIBE: &[&str] = &["describe", "sso", "example"];

#[tokio::test]
async fn the_whole_life_reads_as_the_page_shows_it() {
    let stage = Stage::set().await;
    let _operator = stage
        .operator(&[
            "--call-timeout",
            "10s",
            "--creation-grace",
            "12s",
            "--ours-after",
            "60s",
            "--lease-duration",
            "40s",
            "--renew-deadline",
            "18s",
        ])
        .await;
    let mut story = Story::begin(&stage);
    created(&mut story).await;
    enabled(&mut story).await;
    held(&mut story).await;
    duplicated(&mut story).await;
    suspended(&mut story).await;
    without_token(&mut story).await;
    deleted(&mut story).await;
    story.expect_page();
}

async fn created(story: &mut Story<'_>) {
    let stage = story.stage;
    let creating = hold(stage, Operation::Create);
    story.chapter(
        "Applied",
        "An object that asks for SSO, and for its connector to go when it goes. The operator creates the connector:",
    );
    let spec = json!({ "enabled": true, "deletionPolicy": "Delete" });
    stage.connector("example", DOMAIN, spec).await;
    creating.arrived(PATIENCE).await.unwrap();
    stage.until_ready_is("example", "Creating").await;
    story.show(SHORT).await;
    creating.release();
    stage
        .until_ready_is("example", "AwaitingVerification")
        .await;
    story.tell("A moment later it is there, and says what it waits for:");
    story.show(WIDE).await;
    told(stage, "AwaitingVerification").await;
    story.show(DESCRIBE).await;
}

async fn enabled(story: &mut Story<'_>) {
    let stage = story.stage;
    story.chapter(
        "Verified and enabled",
        "The TXT record is published. Cloudflare finds it, and only then the operator enables SSO:",
    );
    let enabling = hold(stage, Operation::Update);
    let object = stage.objects().get("example").await.unwrap();
    let admin = stage.simulator.admin();
    admin.publish_txt(DOMAIN, &code(&object).unwrap());
    enabling.arrived(PATIENCE).await.unwrap();
    stage.until_ready_is("example", "Enabling").await;
    story.show(SHORT).await;
    enabling.release();
    stage.until_ready_is("example", "Available").await;
    story.show(WIDE).await;
}

async fn held(story: &mut Story<'_>) {
    let stage = story.stage;
    story.chapter(
        "An emergency",
        "The identity provider is down. Somebody disables SSO by hand, and the operator does not lock the door again:",
    );
    let object = stage.objects().get("example").await.unwrap();
    let id = connector_id(&object).unwrap();
    let admin = stage.simulator.admin();
    admin.set_enabled(&id, false).unwrap();
    stage
        .until_ready_is("example", "HeldByExternalChange")
        .await;
    story.show(WIDE).await;
    story.tell("When it is over, one annotation applies the spec again:");
    let again = &[
        "annotate",
        "sso",
        "example",
        "cloudflare-sso.dev/enable-at=monday",
    ];
    story.show(again).await;
    stage.until_ready_is("example", "Available").await;
    story.show(SHORT).await;
}

async fn duplicated(story: &mut Story<'_>) {
    let stage = story.stage;
    story.chapter(
        "A second object for the domain",
        "It is kept from acting, and would take over if the first were deleted:",
    );
    stage.connector("second", DOMAIN, json!({})).await;
    stage.until_ready_is("second", "DuplicateDomain").await;
    story.show(WIDE).await;
    stage.delete("second").await;
}

async fn suspended(story: &mut Story<'_>) {
    let stage = story.stage;
    story.chapter(
        "Left alone",
        "With `suspend: true` no call is made, and what was seen stays:",
    );
    stage
        .patch_spec("example", json!({ "suspend": true }))
        .await;
    stage.until_ready_is("example", "Suspended").await;
    story.show(WIDE).await;
    stage
        .patch_spec("example", json!({ "suspend": null }))
        .await;
    stage.until_ready_is("example", "Available").await;
}

async fn without_token(story: &mut Story<'_>) {
    let stage = story.stage;
    story.chapter(
        "A token that is refused",
        "Somebody has put another token into the Secret:",
    );
    stage.put_token(SECRET, "wrong").await;
    stage.until_ready_is("example", "Unauthorized").await;
    story.show(WIDE).await;
    story.tell("With the right one back it goes on by itself:");
    stage.put_token(SECRET, &stage.token).await;
    stage.until_ready_is("example", "Available").await;
    story.show(SHORT).await;
}

async fn deleted(story: &mut Story<'_>) {
    let stage = story.stage;
    story.chapter(
        "Deleted",
        "As `deletionPolicy` is Delete, the connector is disabled, then deleted, and only then the object is gone:",
    );
    let deleting = hold(stage, Operation::Delete);
    let object = stage.objects().get("example").await.unwrap();
    let parameters = DeleteParams::default();
    stage
        .objects()
        .delete("example", &parameters)
        .await
        .unwrap();
    deleting.arrived(PATIENCE).await.unwrap();
    stage
        .until("example", "to say that it goes", |object| {
            crate::stage::condition(
                object,
                cloudflare_sso_operator::resource::ConditionType::Ready,
            )
            .1 == "Deleting"
                && current(object)
        })
        .await;
    told(stage, "Deleting").await;
    story.show(DESCRIBE).await;
    deleting.release();
    await_gone(&stage.objects(), &object, PATIENCE)
        .await
        .unwrap();
    story.show(SHORT).await;
}

fn hold(stage: &Stage, operation: Operation) -> FaultHandle {
    let failure = Failure::Hold {
        when: When::BeforeCommit,
    };
    stage
        .simulator
        .admin()
        .push_fault(Fault::new(failure).on(operation))
}

/// Events come after what they speak of.
async fn told(stage: &Stage, reason: &str) {
    harness::until(reason, PATIENCE, async || {
        let events = stage.kubectl(&["get", "events", "-n", "team"]).await;
        if events.contains(reason) {
            Ok(())
        } else {
            Err(events)
        }
    })
    .await
    .unwrap();
}

/// The page as it is told.
struct Story<'a> {
    stage: &'a Stage,
    page: Vec<String>,
}

impl<'a> Story<'a> {
    fn begin(stage: &'a Stage) -> Self {
        let page = "# The whole life of a connector\n\nWhat a person at a terminal sees, from the first `kubectl apply` to the end. A test plays it against a real API server and a\nsimulated Cloudflare and holds this page against what it sees; IDs, codes, times and ages are replaced.\n".to_owned();
        Self {
            stage,
            page: vec![page],
        }
    }

    fn chapter(&mut self, title: &str, text: &str) {
        self.page.push(format!("\n## {title}\n"));
        self.tell(text);
    }

    fn tell(&mut self, text: &str) {
        self.page.push(format!("\n{text}\n"));
    }

    /// A command of kubectl, and what it prints.
    async fn show(&mut self, arguments: &[&str]) {
        let mut all = arguments.to_vec();
        all.extend(["--namespace", "team"]);
        let output = self.stage.kubectl(&all).await;
        let output = self.as_always(&output).await;
        let command = arguments.join(" ");
        self.page.push(format!(
            "
```console
$ kubectl {command}
{output}```
"
        ));
    }

    /// What was printed, with what differs from run to run replaced.
    async fn as_always(&self, output: &str) -> String {
        let mut output = output.to_owned();
        for object in self
            .stage
            .objects()
            .list(&kube::api::ListParams::default())
            .await
            .unwrap()
        {
            let known = [
                (connector_id(&object), "f174e90afafe4643bbbc4a0ed4fc8415"),
                (code(&object), CODE),
                (object.uid(), "6f1ed002-ab5c-4a3e-9c4b-1d5a0a1e8a44"),
            ];
            for (value, shown) in known {
                let Some(value) = value else { continue };
                // A table's columns are where its header says.
                assert_eq!(value.len(), shown.len());
                output = output.replace(&value, shown);
            }
        }
        let mut lines = Vec::new();
        let mut table: Vec<&str> = Vec::new();
        for line in output.lines() {
            let header = line.starts_with("NAME ") || line.trim_start().starts_with("Type ");
            if header || !table.is_empty() {
                table.push(line);
            } else {
                lines.push(with_fixed_times(line));
            }
        }
        lines.extend(aligned(&table));
        lines.push(String::new());
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        lines.join(
            "
",
        )
    }

    fn expect_page(&self) {
        let path = repository().join(PAGE);
        let page = self.page.concat();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let known = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            known == page,
            "{PAGE} must be as follows; to accept that, run this test with UPDATE_DOCS=1\n\n{page}"
        );
    }
}

/// A line of `kubectl describe` without what differs from run to run.
fn with_fixed_times(line: &str) -> String {
    if line.trim_start().starts_with("Resource Version:") {
        let name = line.split(':').next().unwrap_or_default();
        return format!("{name}:  12345");
    }
    match line.rsplit_once(' ') {
        Some((start, time)) if time.starts_with("20") && time.ends_with('Z') => {
            format!("{start} 2026-01-01T00:00:00Z")
        }
        _ => line.to_owned(),
    }
}

/// A table with every age the same, aligned anew: how wide a column is depends on them.
fn aligned(table: &[&str]) -> Vec<String> {
    let Some(header) = table.first() else {
        return Vec::new();
    };
    let starts: Vec<usize> = header
        .char_indices()
        .filter(|(place, letter)| {
            *letter != ' ' && (*place == 0 || header[..*place].ends_with("  "))
        })
        .map(|(place, _)| place)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
    let columns: Vec<(usize, usize)> = starts.iter().copied().zip(ends).collect();
    let ages = columns
        .iter()
        .position(|(start, _)| header[*start..].to_lowercase().starts_with("age"));
    let cell = |line: &str, (start, end): (usize, usize)| {
        let end = end.min(line.len());
        line.get(start.min(end)..end)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let mut rows: Vec<Vec<String>> = table
        .iter()
        .map(|line| columns.iter().map(|column| cell(line, *column)).collect())
        .collect();
    for row in rows.iter_mut().skip(1) {
        if let Some(age) = ages.and_then(|place| row.get_mut(place)) {
            // The rule under the header of `kubectl describe` stays.
            if age.starts_with(|letter: char| letter.is_ascii_digit()) {
                "5s".clone_into(age);
            }
        }
    }
    let width = |place: usize| {
        rows.iter()
            .map(|row| row[place].len())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let indent = " ".repeat(starts.first().copied().unwrap_or_default());
    let render = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{indent}{}", cells.join("   "))
    };
    rows.iter().map(render).collect()
}
