//! Waiting for a condition with a deadline, and saying what was seen instead when it passes.

use std::fmt::{self, Debug, Display};
use std::time::Duration;

use kube::runtime::conditions;
use kube::runtime::wait::await_condition;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A condition did not come true before its deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeout {
    /// What was awaited.
    pub awaited: String,
    /// How long.
    pub deadline: Duration,
    /// What was seen last instead.
    pub last_seen: String,
}

impl Display for Timeout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            awaited,
            deadline,
            last_seen,
        } = self;
        write!(
            formatter,
            "waited {deadline:?} in vain for {awaited}; seen last: {last_seen}"
        )
    }
}

impl std::error::Error for Timeout {}

/// Waits for Ctrl-C or SIGTERM, so that what this process has started can end with it.
///
/// # Errors
/// The operating system refused.
pub async fn asked_to_end() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}

/// Polls `condition` every 50 ms until it is `Ok`. Its `Err` is what was seen instead; the last one is shown when
/// `deadline` passes. A poll that is still under way at that moment is dropped.
///
/// # Errors
/// The deadline passed.
pub async fn until<T, Seen: Display>(
    awaited: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Result<T, Seen>,
) -> Result<T, Timeout> {
    let end = Instant::now() + deadline;
    let mut last_seen = String::from("nothing, the first look did not return");
    loop {
        // A poll that hangs ends at the deadline; one that never waits does not notice it, hence the comparison below.
        match tokio::time::timeout_at(end, condition()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last_seen = seen.to_string(),
            Err(_) => {}
        }
        if Instant::now() >= end {
            return Err(Timeout {
                awaited: awaited.to_owned(),
                deadline,
                last_seen,
            });
        }
        tokio::time::sleep_until(end.min(Instant::now() + POLL_INTERVAL)).await;
    }
}

/// Watches the object `name` until it exists and `predicate` holds, and returns it as it was then.
///
/// # Errors
/// The deadline passed; the message carries the object's status as YAML.
pub async fn await_object<K>(
    api: &Api<K>,
    name: &str,
    awaited: &str,
    deadline: Duration,
    predicate: impl Fn(&K) -> bool,
) -> Result<K, Timeout>
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let condition = |object: Option<&K>| object.is_some_and(&predicate);
    let failure =
        match tokio::time::timeout(deadline, await_condition(api.clone(), name, condition)).await {
            Ok(Ok(Some(object))) => return Ok(object),
            Ok(Ok(None)) => "the watch ended without the object".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => describe(api, name).await,
        };
    Err(Timeout {
        awaited: format!("{name}: {awaited}"),
        deadline,
        last_seen: failure,
    })
}

/// Watches until the very object that `object` is (by UID) is gone.
///
/// # Errors
/// The deadline passed; the message carries the object's status as YAML.
pub async fn await_gone<K>(api: &Api<K>, object: &K, deadline: Duration) -> Result<(), Timeout>
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let name = object.name_any();
    let uid = object.uid().unwrap_or_default();
    let condition = conditions::is_deleted(&uid);
    let last_seen = match tokio::time::timeout(
        deadline,
        await_condition(api.clone(), &name, condition),
    )
    .await
    {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => describe(api, &name).await,
    };
    Err(Timeout {
        awaited: format!("{name} to be gone"),
        deadline,
        last_seen,
    })
}

/// The object as a person wants to see it in a failed test: its metadata's life cycle and its status.
async fn describe<K>(api: &Api<K>, name: &str) -> String
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let object = match api.get_opt(name).await {
        Ok(Some(object)) => object,
        Ok(None) => return "no such object".to_owned(),
        Err(error) => return format!("an error: {error}"),
    };
    let whole = serde_json::to_value(&object).unwrap_or_default();
    let shown = serde_json::json!({
        "generation": object.meta().generation,
        "deletionTimestamp": object.meta().deletion_timestamp,
        "finalizers": object.finalizers(),
        "status": whole.get("status"),
    });
    let yaml = serde_saphyr::to_string(&shown).unwrap_or_else(|error| error.to_string());
    format!("the object with\n{yaml}")
}
