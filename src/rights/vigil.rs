//! Asks about the operator's rights while it runs. It names each right when it is found missing and when it is back, and
//! counts those that are missing. It stops nothing: what cannot be done for lack of a right fails by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Right, missing};
use crate::kubernetes::KubernetesFailure;
use crate::metrics::Metrics;

/// What is known from the last answer.
#[derive(Debug, Default)]
struct Known {
    missing: BTreeSet<Right>,
    /// Whether the API server could not be asked the last time.
    unanswered: bool,
}

/// Asks now and after every interval, until `shutdown`.
pub async fn keep_asking(
    client: Client,
    rights: Vec<Right>,
    interval: Duration,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let asking = async {
        let mut known = Known::default();
        loop {
            match missing(&client, &rights).await {
                Ok(missing) => {
                    known.learn(missing.into_iter().cloned().collect());
                    metrics.lacks(known.missing.len());
                }
                Err(cause) => known.learn_nothing(&cause),
            }
            tokio::time::sleep(interval).await;
        }
    };
    shutdown.run_until_cancelled(asking).await;
}

impl Known {
    fn learn(&mut self, missing: BTreeSet<Right>) {
        for right in missing.difference(&self.missing) {
            warn!(%right, why = right.why, "a right is missing");
        }
        for right in self.missing.difference(&missing) {
            info!(%right, "a right that was missing is granted");
        }
        self.missing = missing;
        self.unanswered = false;
    }

    /// Said once, and not again before there was an answer.
    fn learn_nothing(&mut self, cause: &KubernetesFailure) {
        if !self.unanswered {
            warn!(%cause, "the API server does not say which rights the operator has");
        }
        self.unanswered = true;
    }
}
