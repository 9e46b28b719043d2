//! Telling what happens: one line for each step, and the object's row whenever it changes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use harness::ControlPlane;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinHandle;

use crate::Failure;

/// The narrator, who knows which step is being waited for.
#[derive(Debug)]
pub(crate) struct Story {
    began: Instant,
    step: String,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            step: String::new(),
        }
    }

    /// The next step begins.
    pub(crate) fn step(&mut self, words: impl Into<String>) {
        self.step = words.into();
        println!("▶ {}", self.step);
    }

    /// The step that was under way.
    pub(crate) fn current(&self) -> &str {
        &self.step
    }

    /// How long it has taken so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Something worth showing within a step.
pub(crate) fn show(line: &str) {
    println!("    {line}");
}

/// Prints the row of an object, as `kubectl get` shows it, at each change, until it is dropped.
#[derive(Debug)]
pub(crate) struct Rows {
    task: JoinHandle<()>,
}

impl Rows {
    pub(crate) fn follow(
        control_plane: &ControlPlane,
        namespace: &str,
        name: &str,
    ) -> Result<Self, Failure> {
        let mut kubectl = control_plane
            .kubectl_command()
            .args(["get", "sso", name, "--namespace", namespace, "--watch"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = kubectl.stdout.take().ok_or("kubectl has no output")?;
        let task = tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            let mut shown = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                let row = without_age(&line);
                if row != shown {
                    show(&line);
                    shown = row;
                }
            }
            drop(kubectl);
        });
        Ok(Self { task })
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A row that differs in nothing but its last column is no news.
fn without_age(line: &str) -> String {
    let mut columns: Vec<&str> = line.split_whitespace().collect();
    columns.pop();
    columns.join(" ")
}
