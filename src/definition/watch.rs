//! Watches the definition by its name, which is all that the operator's rights allow.

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, CustomResourceExt as _};
use tokio::sync::watch::Sender;
use tracing::{info, warn};

use super::Judgement;
use crate::kubernetes::describe_watch;
use crate::metrics::Metrics;
use crate::resource::SsoConnector;

/// Judges every state of the definition, for ever. A failure says nothing of the definition, so the last judgement stays;
/// before anything rests on it, the definition's version is read anyway.
///
/// `client` has no read timeout: a watch is silent for minutes.
pub async fn watch(client: Client, judgements: Sender<Judgement>, metrics: Arc<Metrics>) {
    let definitions: Api<DeserializeGuard<CustomResourceDefinition>> = Api::all(client);
    let states = watcher::watch_object(definitions, SsoConnector::crd_name()).default_backoff();
    let mut states = std::pin::pin!(states);
    while let Some(state) = states.next().await {
        match state {
            Ok(found) => {
                let judgement = Judgement::of(found.as_ref());
                metrics.definition_stands(matches!(judgement, Judgement::Stands(_)));
                let before = judgements.send_replace(judgement.clone());
                announce(&before, &judgement);
            }
            Err(failure) => {
                metrics.watch_failed();
                warn!(
                    cause = describe_watch(&failure),
                    "cannot watch the definition of SsoConnector"
                );
            }
        }
    }
}

fn announce(before: &Judgement, now: &Judgement) {
    match (before, now) {
        (Judgement::Unread | Judgement::Stands(_), Judgement::Stands(_)) => {}
        (_, Judgement::Stands(_)) => info!("{now}; going on"),
        (before, now) if before == now => {}
        (_, _) => {
            let advice = now.advice();
            warn!(
                "CrdOutdated: {now}{advice}; nothing is written and nothing is changed at Cloudflare"
            );
        }
    }
}
