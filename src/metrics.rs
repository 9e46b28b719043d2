//! What the operator counts. Labels come from our own words, never from an object's name or from foreign text.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::cloudflare::{Class, Endpoint, Failure};
use crate::resource::Reason;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    passes: Family<PassLabels, Counter>,
    pass_seconds: Histogram,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    connectors: Family<ReasonLabels, Gauge>,
    verification_age: Gauge,
    paused_tokens: Gauge,
    remembered: Family<KindLabels, Gauge>,
    external_changes: Family<ReasonLabels, Counter>,
    watch_failures: Counter,
    definition_outdated: Gauge,
    leader: Gauge,
    missing_rights: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    endpoint: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

impl From<Reason> for ReasonLabels {
    fn from(reason: Reason) -> Self {
        Self {
            reason: reason.as_str(),
        }
    }
}

/// How much the process keeps in memory, in entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Objects that passes were made over.
    pub objects: usize,
    /// Their UIDs.
    pub uids: usize,
    /// Accounts and domains that connectors are or were for.
    pub domains: usize,
    /// Lists of an account's connectors.
    pub lists: usize,
    /// Tokens and their pace.
    pub tokens: usize,
    /// What Cloudflare last said to a token.
    pub answers: usize,
    /// Domains that name servers were asked for.
    pub lookups: usize,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassOutcome {
    /// In a decision, or in waiting for one.
    Done,
    /// Somebody else changed the object meanwhile.
    Conflict,
    /// The API server could not be worked with.
    KubernetesFailure,
}

impl Metrics {
    /// The metrics, registered under the operator's prefix.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let metrics = Self {
            call_seconds: Family::new_with_constructor(seconds as fn() -> Histogram),
            passes: Family::default(),
            pass_seconds: Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]),
            calls: Family::default(),
            connectors: Family::default(),
            verification_age: Gauge::default(),
            paused_tokens: Gauge::default(),
            remembered: Family::default(),
            external_changes: Family::default(),
            watch_failures: Counter::default(),
            definition_outdated: Gauge::default(),
            leader: Gauge::default(),
            missing_rights: Gauge::default(),
        };
        // A counter that begins above zero has not grown, for those who only see its values.
        let external_changes = Reason::ALL
            .into_iter()
            .filter(|reason| reason.is_external_change());
        for reason in external_changes {
            metrics.external_changes.get_or_create_owned(&reason.into());
        }
        let own = registry.sub_registry_with_prefix("cloudflare_sso");
        own.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        own.register(
            "reconciles",
            "Passes over an object, by outcome",
            metrics.passes.clone(),
        );
        own.register(
            "reconcile_duration_seconds",
            "Duration of passes over an object",
            metrics.pass_seconds.clone(),
        );
        own.register(
            "api_requests",
            "Calls to Cloudflare, by endpoint and outcome",
            metrics.calls.clone(),
        );
        own.register(
            "api_request_duration_seconds",
            "Duration of calls to Cloudflare, by endpoint",
            metrics.call_seconds.clone(),
        );
        own.register(
            "connectors",
            "SsoConnector objects, by the reason of their Ready condition",
            metrics.connectors.clone(),
        );
        own.register(
            "verification_age_seconds",
            "For how long the object has waited for its verification that has waited longest; 0 if none waits",
            metrics.verification_age.clone(),
        );
        own.register(
            "paused_tokens",
            "API tokens that rest because Cloudflare asked for fewer calls",
            metrics.paused_tokens.clone(),
        );
        own.register(
            "remembered",
            "What the process keeps in memory, in entries, by kind",
            metrics.remembered.clone(),
        );
        own.register(
            "external_changes",
            "What somebody else did to a connector at Cloudflare, by reason",
            metrics.external_changes.clone(),
        );
        own.register(
            "watch_failures",
            "Failures of the watches on SsoConnector objects and on their definition",
            metrics.watch_failures.clone(),
        );
        own.register(
            "crd_outdated",
            "Whether the definition in the cluster keeps the operator from working (CrdOutdated): 1, or not: 0",
            metrics.definition_outdated.clone(),
        );
        own.register(
            "leader",
            "Whether this replica leads: 1, or stands by: 0",
            metrics.leader.clone(),
        );
        own.register(
            "missing_rights",
            "Rights in the cluster that this replica needs and lacks, when it last asked",
            metrics.missing_rights.clone(),
        );
        metrics
    }

    /// This process leads, or does not.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// This process lacks so many of the rights that it needs.
    pub fn lacks(&self, rights: usize) {
        self.missing_rights
            .set(i64::try_from(rights).unwrap_or(i64::MAX));
    }

    /// A pass ended.
    pub fn passed(&self, outcome: PassOutcome, took: Duration) {
        let outcome = match outcome {
            PassOutcome::Done => "done",
            PassOutcome::Conflict => "conflict",
            PassOutcome::KubernetesFailure => "kubernetes_failure",
        };
        self.passes.get_or_create(&PassLabels { outcome }).inc();
        self.pass_seconds.observe(took.as_secs_f64());
    }

    /// A call to Cloudflare ended.
    pub fn called(&self, endpoint: Endpoint, failure: Option<&Failure>, took: Duration) {
        let outcome = failure.map_or("success", |failure| match failure.class {
            Class::NotSent => "not_sent",
            Class::Unavailable => "unavailable",
            Class::RateLimited => "rate_limited",
            Class::Unauthorized => "unauthorized",
            Class::Gone => "gone",
            Class::Rejected => "rejected",
        });
        self.calls
            .get_or_create(&CallLabels {
                endpoint: endpoint.label(),
                outcome,
            })
            .inc();
        self.call_seconds
            .get_or_create(&EndpointLabels {
                endpoint: endpoint.label(),
            })
            .observe(took.as_secs_f64());
    }

    /// An object's `Ready` has another reason than before; `None` is an object that is not there.
    pub fn moved(&self, before: Option<Reason>, after: Option<Reason>) {
        let gauge = |reason: Reason| self.connectors.get_or_create_owned(&reason.into());
        if let Some(before) = before {
            gauge(before).dec();
        }
        if let Some(after) = after {
            gauge(after).inc();
        }
    }

    /// Somebody else changed or deleted a connector.
    pub fn changed_by_others(&self, reason: Reason) {
        self.external_changes
            .get_or_create_owned(&reason.into())
            .inc();
    }

    /// The object that has waited longest for its verification has waited so long.
    pub fn unverified(&self, longest: Duration) {
        let seconds = i64::try_from(longest.as_secs()).unwrap_or(i64::MAX);
        self.verification_age.set(seconds);
    }

    /// So many tokens are paused now.
    pub fn paused(&self, tokens: usize) {
        self.paused_tokens
            .set(i64::try_from(tokens).unwrap_or(i64::MAX));
    }

    /// So much is kept in memory now.
    pub fn remembers(&self, remembered: Remembered) {
        let Remembered {
            objects,
            uids,
            domains,
            lists,
            tokens,
            answers,
            lookups,
        } = remembered;
        for (kind, entries) in [
            ("objects", objects),
            ("uids", uids),
            ("domains", domains),
            ("lists", lists),
            ("tokens", tokens),
            ("answers", answers),
            ("lookups", lookups),
        ] {
            self.remembered
                .get_or_create(&KindLabels { kind })
                .set(i64::try_from(entries).unwrap_or(i64::MAX));
        }
    }

    /// A watch failed.
    pub fn watch_failed(&self) {
        self.watch_failures.inc();
    }

    /// The definition stands, or nothing is done under it.
    pub fn definition_stands(&self, stands: bool) {
        self.definition_outdated.set(i64::from(!stands));
    }
}
