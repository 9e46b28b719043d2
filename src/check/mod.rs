//! `check`: whether the operator would find all that it needs, before or after it is installed. It looks and changes
//! nothing.
//!
//! | file | idea |
//! |---|---|
//! | `token` | whether Cloudflare answers and lets the token list |
//! | `cluster` | whether the API server answers, and the identity has every right |
//! | `definition` | whether the custom resource definition is the one that is needed |

mod cluster;
mod definition;
mod token;

use std::fmt;

use crate::cli::CheckArgs;

pub use definition::shortcoming;

/// What all checks came to, in the order in which they are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(Vec<Finding>);

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// What was checked, as a statement that holds if it is all right.
    statement: String,
    result: CheckResult,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum CheckResult {
    /// It holds.
    Holds,
    /// It does not.
    Fails {
        /// What is wrong; a sentence without its full stop.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// Nobody looked.
    Skipped {
        /// Why not.
        why: &'static str,
    },
}

/// Makes all checks.
pub async fn check(arguments: &CheckArgs) -> Report {
    let mut findings = token::check(arguments).await;
    if arguments.skip_kubernetes {
        let why = "--skip-kubernetes";
        findings.push(Finding::skipped("The cluster is prepared", why));
    } else {
        findings.extend(cluster::check(arguments).await);
    }
    Report(findings)
}

impl Report {
    /// Whether no check failed.
    #[must_use]
    pub fn passes(&self) -> bool {
        !self
            .0
            .iter()
            .any(|finding| matches!(finding.result, CheckResult::Fails { .. }))
    }
}

impl fmt::Display for Report {
    /// A line for each check, and a further one where something is to be done.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { statement, result } in &self.0 {
            match result {
                CheckResult::Holds => writeln!(f, "ok       {statement}")?,
                CheckResult::Fails { problem, remedy } => {
                    writeln!(f, "FAILED   {statement}: {problem}\n         {remedy}")?;
                }
                CheckResult::Skipped { why } => writeln!(f, "skipped  {statement}: {why}")?,
            }
        }
        Ok(())
    }
}

impl Finding {
    fn holds(statement: impl Into<String>) -> Self {
        Self {
            statement: statement.into(),
            result: CheckResult::Holds,
        }
    }

    fn fails(
        statement: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            statement: statement.into(),
            result: CheckResult::Fails {
                problem: problem.into(),
                remedy: remedy.into(),
            },
        }
    }

    fn skipped(statement: impl Into<String>, why: &'static str) -> Self {
        Self {
            statement: statement.into(),
            result: CheckResult::Skipped { why },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_a_line_for_each_check_and_says_what_to_do() {
        let mut report = Report(vec![
            Finding::holds("A"),
            Finding::skipped("B", "nobody asked"),
        ]);
        assert!(report.passes(), "what is skipped has not failed");
        report
            .0
            .push(Finding::fails("C", "it is not", "Make it so."));
        assert!(!report.passes());
        assert_eq!(
            report.to_string(),
            "ok       A\nskipped  B: nobody asked\nFAILED   C: it is not\n         Make it so.\n"
        );
    }
}
