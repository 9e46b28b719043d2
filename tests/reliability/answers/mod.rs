//! Everything that an API server, or what stands before it, may answer, on each verb that the operator uses: errors with and
//! without `Retry-After`, before and after the deed, connections that are cut before, after and within the answer, and such as
//! stay open and silent. In each row the object gets its one connector and loses it again when it is deleted, and the process
//! lives.

mod objects;
mod process;

use std::time::Duration;

use harness::{Answer, Treatment};
use reqwest::StatusCode;

/// How long one step of a row may take: many of them share one machine, and some are silent for half a minute.
const PATIENCE: Duration = Duration::from_mins(3);

/// A treatment and what it is called.
type Named = (String, Treatment);

/// Errors, each with and without `Retry-After`.
fn errors() -> Vec<Named> {
    let mut all = Vec::new();
    for status in [429_u16, 500, 503, 504, 409, 410] {
        let refusal = Answer::refusal(StatusCode::from_u16(status).unwrap());
        let later = refusal.clone().retry_after(Duration::from_secs(1));
        all.push((format!("{status}"), Treatment::AnswerWith(refusal)));
        all.push((format!("{status} later"), Treatment::AnswerWith(later)));
    }
    all
}

/// Connections that break.
fn cuts() -> Vec<Named> {
    vec![
        ("cut before".to_owned(), Treatment::CutBeforeForwarding),
        ("cut after".to_owned(), Treatment::CutAfterAnswer),
        ("cut within".to_owned(), Treatment::CutInAnswer),
    ]
}

/// An error although it was done.
fn untruths() -> Vec<Named> {
    [409_u16, 500, 504]
        .map(|status| {
            let refusal = Answer::refusal(StatusCode::from_u16(status).unwrap());
            let treatment = Treatment::AnswerAfterForwarding(refusal);
            (format!("{status} although done"), treatment)
        })
        .to_vec()
}

/// Connections that stay open while nothing more comes.
fn silences() -> Vec<Named> {
    vec![
        ("silent".to_owned(), Treatment::HoldBeforeForwarding),
        ("silent within".to_owned(), Treatment::StallInAnswer),
    ]
}

/// The path of a call without its query.
fn path(call: &harness::Call) -> &str {
    call.path.split('?').next().unwrap_or_default()
}
