//! Kubeconfig files.

use std::path::Path;

use reqwest::Url;
use serde_json::json;

use crate::HarnessError;

/// How the server of a kubeconfig is reached.
pub(super) enum Access<'a> {
    /// Over TLS, verified by the authority in this PEM file.
    Verified { url: &'a Url, authority: &'a Path },
    /// Over plain HTTP, which only a proxy on loopback offers. Go's clients send no token that way, kube's do.
    Plain { url: &'a Url },
}

impl Access<'_> {
    pub(super) fn write(
        &self,
        path: &Path,
        token: &str,
        namespace: &str,
    ) -> Result<(), HarnessError> {
        let cluster = match self {
            Self::Verified { url, authority } => {
                json!({ "server": url.as_str(), "certificate-authority": authority })
            }
            Self::Plain { url } => json!({ "server": url.as_str() }),
        };
        // JSON is YAML.
        let file = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "harness", "cluster": cluster }],
            "users": [{ "name": "harness", "user": { "token": token } }],
            "contexts": [{
                "name": "harness",
                "context": { "cluster": "harness", "user": "harness", "namespace": namespace },
            }],
            "current-context": "harness",
        });
        std::fs::write(path, format!("{file:#}"))
            .map_err(HarnessError::io(format!("writing {}", path.display())))
    }
}
