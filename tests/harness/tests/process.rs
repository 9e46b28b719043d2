//! A process can be asked to end, killed, paused and read.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use harness::{HarnessError, Process, until};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(10);

/// Prints `ready`, then a line on each SIGTERM, of which it ignores the first `patience`.
const POLITE: &str = r"
trap 'patience=$((patience - 1)); echo asked >&2; [ $patience -ge 0 ] || exit 7' TERM
echo ready
while :; do sleep 0.02; done
";

struct Stage {
    process: Process,
    _folder: TempDir,
}

async fn start(patience: u32) -> Result<Stage, HarnessError> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command
        .args(["-c", POLITE])
        .env("patience", patience.to_string());
    let process = Process::spawn("polite", command, folder.path().join("log"))?;
    until_printed(&process, "ready").await?;
    Ok(Stage {
        process,
        _folder: folder,
    })
}

async fn until_printed(process: &Process, text: &str) -> Result<(), HarnessError> {
    until(&format!("{text:?} in its output"), DEADLINE, async || {
        let output = process.output();
        if output.contains(text) {
            Ok(())
        } else {
            Err(output)
        }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn terminate_waits_for_the_exit_status() -> Result<(), HarnessError> {
    let mut stage = start(0).await?;
    assert!(stage.process.is_running()?);
    assert_eq!(stage.process.terminate(DEADLINE).await?.code(), Some(7));
    assert!(!stage.process.is_running()?);
    assert_eq!(stage.process.output(), "ready\nasked\n");
    stage
        .process
        .terminate(DEADLINE)
        .await
        .expect_err("it has ended");
    Ok(())
}

#[tokio::test]
async fn one_that_does_not_end_is_reported_and_can_be_killed() -> Result<(), HarnessError> {
    let mut stage = start(1).await?;
    let error = stage
        .process
        .terminate(Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("polite to end after SIGTERM"),
        "{error}"
    );
    assert!(stage.process.is_running()?);
    assert_eq!(stage.process.kill()?.signal(), Some(9));
    Ok(())
}

#[tokio::test]
async fn a_paused_one_does_nothing_until_it_is_resumed() -> Result<(), HarnessError> {
    let mut stage = start(0).await?;
    stage.process.pause()?;
    stage
        .process
        .terminate(Duration::from_millis(300))
        .await
        .expect_err("it is paused");
    assert!(!stage.process.output().contains("asked"));
    stage.process.resume()?;
    until_printed(&stage.process, "asked").await?;
    Ok(())
}

#[tokio::test]
async fn a_vain_wait_tells_what_it_saw() {
    let mut looks = 0;
    let timeout = until("pigs to fly", Duration::from_millis(120), async || {
        looks += 1;
        Err::<(), _>(format!("look {looks}: pigs on the ground"))
    })
    .await
    .unwrap_err();
    assert_eq!(timeout.awaited, "pigs to fly");
    assert!(
        timeout.last_seen.ends_with("pigs on the ground"),
        "{timeout}"
    );
    assert!(looks >= 2, "{looks} looks");
}
