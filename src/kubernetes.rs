//! The way to the API server, and a call to it: bounded in time, and what its failure says to people.

use std::time::Duration;

use kube::Config;
use kube::config::{InferConfigError, Kubeconfig};
use kube::core::Status;
use kube::runtime::watcher;

use crate::definition::Unjudged;

/// How long a call to the API server may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why something could not be read from or written to the API server.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesFailure {
    /// It answered with an error, or not at all.
    #[error("{}", describe(.0))]
    Client(#[source] Box<kube::Error>),
    /// It did not answer in time.
    #[error("the API server did not answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    /// What is stored in it may lose fields.
    #[error(transparent)]
    Definition(#[from] Unjudged),
    /// Our own value has no JSON form.
    #[error("a status cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// What it answered is no such object.
    #[error("the answer of the API server cannot be read: {0}")]
    Unreadable(#[source] serde_json::Error),
}

impl KubernetesFailure {
    /// Whether the operator lacks the right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.status().is_some_and(Status::is_forbidden)
    }

    /// Whether somebody else was first.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(Status::is_conflict)
    }

    /// The API server's refusal.
    fn status(&self) -> Option<&Status> {
        match self {
            Self::Client(failure) => match failure.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Timeout | Self::Definition(_) | Self::Json(_) | Self::Unreadable(_) => None,
        }
    }
}

/// The way to the API server that a kubeconfig names, or that of the Pod; who calls tries again, not the client.
///
/// `HTTPS_PROXY` is the way to Cloudflare, and the API server is reached directly, as in a Pod. A proxy that the kubeconfig
/// itself names stays.
///
/// # Errors
/// If there is neither.
pub async fn configuration() -> Result<Config, InferConfigError> {
    let mut inferred = Config::infer().await?;
    if !Kubeconfig::read().is_ok_and(|kubeconfig| names_a_proxy(&kubeconfig)) {
        inferred.proxy_url = None;
    }
    inferred.default_retry = false;
    Ok(inferred)
}

/// Whether the cluster of the current context has a proxy.
fn names_a_proxy(kubeconfig: &Kubeconfig) -> bool {
    let contexts = kubeconfig.contexts.iter();
    contexts
        .filter(|named| Some(&named.name) == kubeconfig.current_context.as_ref())
        .filter_map(|named| named.context.as_ref())
        .flat_map(|context| {
            let clusters = kubeconfig.clusters.iter();
            clusters.filter(|named| named.name == context.cluster)
        })
        .filter_map(|named| named.cluster.as_ref())
        .any(|cluster| cluster.proxy_url.is_some())
}

/// Makes a call within its time.
///
/// # Errors
/// If the call fails or takes too long. A write that took too long may have been made.
pub async fn within<T>(
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, KubernetesFailure> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) => Err(KubernetesFailure::Client(Box::new(failure))),
        Err(_) => Err(KubernetesFailure::Timeout),
    }
}

/// The API server's own words. The error's `Display` adds everything it knows in debug form.
#[must_use]
pub fn describe(failure: &kube::Error) -> String {
    match failure {
        kube::Error::Api(status) => words(status),
        other => other.to_string(),
    }
}

/// What the API server says of a watch that has failed, in its own words, too.
#[must_use]
pub fn describe_watch(failure: &watcher::Error) -> String {
    match failure {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => describe(cause),
        watcher::Error::WatchError(status) => words(status),
        watcher::Error::NoResourceVersion => failure.to_string(),
    }
}

fn words(status: &Status) -> String {
    format!("{} (HTTP {})", status.message, status.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_proxy_of_the_current_cluster_is_named() {
        let kubeconfig = |current: &str| {
            let text = format!(
                "current-context: {current}
contexts:
- {{ name: direct, context: {{ cluster: direct, user: a }} }}
- {{ name: far, context: {{ cluster: far, user: a }} }}
clusters:
- {{ name: direct, cluster: {{ server: 'https://a' }} }}
- {{ name: far, cluster: {{ server: 'https://b', proxy-url: 'http://proxy:3128' }} }}
"
            );
            Kubeconfig::from_yaml(&text).unwrap()
        };
        assert!(names_a_proxy(&kubeconfig("far")));
        assert!(!names_a_proxy(&kubeconfig("direct")));
        assert!(!names_a_proxy(&kubeconfig("none")));
    }

    #[test]
    fn of_a_watch_that_has_failed_the_servers_own_words_are_told_and_no_dump() {
        let status = || Box::new(Status::failure("sso is forbidden", "Forbidden").with_code(403));
        let api = || kube::Error::Api(status());
        for failure in [
            watcher::Error::InitialListFailed(api()),
            watcher::Error::WatchStartFailed(api()),
            watcher::Error::WatchFailed(api()),
            watcher::Error::WatchError(status()),
        ] {
            assert_eq!(describe_watch(&failure), "sso is forbidden (HTTP 403)");
        }
    }
}
