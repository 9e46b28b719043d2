//! Every duration that a decision rests on, each with the reason for its default.
//!
//! They are flags of the operator: tests scale them, and an installer may. Units are those of [`Duration`]; on the
//! command line a duration is written as `90s`, `2m` or `1h 30m`.

use std::time::Duration;

use clap::Args;
use k8s_openapi::jiff::SignedDuration;

/// The durations of the operator's decisions.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
#[command(next_help_heading = "Timing")]
pub struct Timing {
    /// How long one call to Cloudflare may take in all
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "DURATION")]
    pub call_timeout: Duration,

    /// How long a create whose outcome is unknown is waited for before it counts as not having happened
    #[arg(long, value_parser = duration, default_value = "2m", value_name = "DURATION")]
    pub creation_grace: Duration,

    /// How old an observation may be that a change rests on
    #[arg(long, value_parser = duration, default_value = "15s", value_name = "DURATION")]
    pub observation_limit: Duration,

    /// How soon after its intent was recorded a create must have begun
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "DURATION")]
    pub creation_start_limit: Duration,

    /// How much earlier than an attempt, by Cloudflare's clock, a connector may have been created to count as ours
    #[arg(long, value_parser = duration, default_value = "2s", value_name = "DURATION")]
    pub ours_before: Duration,

    /// How much later than an attempt, by Cloudflare's clock, a connector may have been created to count as ours
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    pub ours_after: Duration,

    /// How often a connector whose domain is not verified is looked at
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    pub poll_unverified: Duration,

    /// How often a settled connector is looked at
    #[arg(long, value_parser = duration, default_value = "10m", value_name = "DURATION")]
    pub poll_settled: Duration,

    /// How far apart two observations must be that show a change made by somebody else
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    pub difference_confirmation: Duration,

    /// How far apart two observations must be that show that a connector is gone
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "DURATION")]
    pub absence_confirmation: Duration,

    /// How long after its creation a connector that cannot be found does not count as gone
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "DURATION")]
    pub creation_lag: Duration,

    /// How long an enabled connector is left alone after its object was deleted
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "DURATION")]
    pub deletion_delay: Duration,

    /// How long a deletion waits to find out whether another object for the domain takes the connector over
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "DURATION")]
    pub heir_wait: Duration,

    /// How long to wait before a failed verification is begun again the first time; doubles each time
    #[arg(long, value_parser = duration, default_value = "10m", value_name = "DURATION")]
    pub restart_backoff: Duration,

    /// The longest wait before a failed verification is begun again
    #[arg(long, value_parser = duration, default_value = "6h", value_name = "DURATION")]
    pub restart_backoff_limit: Duration,

    /// How often DNS is asked for the TXT record of a domain that is not verified
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    pub dns_interval: Duration,

    /// How long asking DNS for a TXT record may take in all
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "DURATION")]
    pub dns_timeout: Duration,

    /// How long to wait after a first failure before trying again; doubles each time
    #[arg(long, value_parser = duration, default_value = "1s", value_name = "DURATION")]
    pub backoff: Duration,

    /// The longest wait after failures
    #[arg(long, value_parser = duration, default_value = "10m", value_name = "DURATION")]
    pub backoff_limit: Duration,

    /// How long failures may last before the status speaks of them (or three of them)
    #[arg(long, value_parser = duration, default_value = "2m", value_name = "DURATION")]
    pub trouble_shows_after: Duration,

    /// How soon something that Cloudflare refused is tried again while the spec does not change
    #[arg(long, value_parser = duration, default_value = "15m", value_name = "DURATION")]
    pub rejected_retry: Duration,

    /// How often a Secret without a usable token is looked at again
    #[arg(long, value_parser = duration, default_value = "15s", value_name = "DURATION")]
    pub secret_retry: Duration,

    /// How soon a token that Cloudflare refused is offered again while the Secret does not change
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "DURATION")]
    pub refused_token_retry: Duration,

    /// In which time a Secret may bring two new tokens that Cloudflare refuses before a third is offered
    #[arg(long, value_parser = duration, default_value = "1m", value_name = "DURATION")]
    pub changed_token_window: Duration,

    /// How long after a refusal a namespace offers a token again that was refused before
    #[arg(long, value_parser = duration, default_value = "1m", value_name = "DURATION")]
    pub namespace_refusal_interval: Duration,

    /// In which time at most five tokens that were refused before are refused again, in all namespaces together
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "DURATION")]
    pub refusal_window: Duration,

    /// How long the lease of a leader lasts that does not renew it
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    pub lease_duration: Duration,

    /// How long after it sent its last successful renewal a leader may act
    #[arg(long, value_parser = duration, default_value = "15s", value_name = "DURATION")]
    pub renew_deadline: Duration,

    /// How often a leader renews its lease
    #[arg(long, value_parser = duration, default_value = "3s", value_name = "DURATION")]
    pub renew_interval: Duration,

    /// How long after the definition was changed nothing is done, as each API server takes a moment to go by it
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "DURATION")]
    pub definition_settling: Duration,

    /// How long a watch may fail before the operator is not ready
    #[arg(long, value_parser = duration, default_value = "2m", value_name = "DURATION")]
    pub watch_failure_limit: Duration,

    /// How long a token rests after Cloudflare asked for fewer calls without saying for how long
    #[arg(long, value_parser = duration, default_value = "1m", value_name = "DURATION")]
    pub default_pause: Duration,
}

/// A combination of durations under which a promise of the operator could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeTiming {
    /// A create could still be under way when it is taken for not having happened.
    #[error(
        "--creation-grace must be at least 2s longer than --call-timeout, so that no create is under way when it ends"
    )]
    GraceTooShort,
    /// What we have just created could be taken for somebody else's.
    #[error(
        "--ours-after must be at least --observation-limit, --creation-start-limit and --call-timeout together, so that what was just created counts as ours"
    )]
    OursTooNarrow,
    /// Two processes could act at once.
    #[error(
        "--lease-duration must be at least 2s longer than --renew-deadline and --call-timeout together, so that every call of a leader has ended when another takes over"
    )]
    LeaseTooShort,
    /// A leader would lose its lease although nothing is wrong.
    #[error(
        "--renew-deadline must be at least twice --renew-interval, so that one renewal may fail"
    )]
    DeadlineTooShort,
    /// The operator would never rest.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// A lost answer could arrive after the leader's successor has started.
    #[error("--call-timeout must be more than zero and at most 12s")]
    CallTimeout,
}

impl Timing {
    /// Refuses durations under which a connector might be created twice or disowned, or the operator would never rest.
    ///
    /// # Errors
    /// Names the flag that must change.
    pub fn check(&self) -> Result<(), UnsafeTiming> {
        if self.call_timeout.is_zero() || self.call_timeout > Duration::from_secs(12) {
            return Err(UnsafeTiming::CallTimeout);
        }
        if self.creation_grace < self.call_timeout + Duration::from_secs(2) {
            return Err(UnsafeTiming::GraceTooShort);
        }
        let slowest = self.observation_limit + self.creation_start_limit + self.call_timeout;
        if self.ours_after < slowest {
            return Err(UnsafeTiming::OursTooNarrow);
        }
        let longest = self.renew_deadline + self.call_timeout + Duration::from_secs(2);
        if self.lease_duration < longest {
            return Err(UnsafeTiming::LeaseTooShort);
        }
        if self.renew_deadline < self.renew_interval * 2 {
            return Err(UnsafeTiming::DeadlineTooShort);
        }
        let rests = [
            ("--renew-interval", self.renew_interval),
            ("--observation-limit", self.observation_limit),
            ("--poll-unverified", self.poll_unverified),
            ("--poll-settled", self.poll_settled),
            ("--dns-interval", self.dns_interval),
            ("--dns-timeout", self.dns_timeout),
            ("--backoff", self.backoff),
            ("--backoff-limit", self.backoff_limit),
            ("--secret-retry", self.secret_retry),
            ("--rejected-retry", self.rejected_retry),
            ("--refused-token-retry", self.refused_token_retry),
        ];
        match rests.into_iter().find(|(_, span)| span.is_zero()) {
            Some((flag, _)) => Err(UnsafeTiming::Zero(flag)),
            None => Ok(()),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        const fn seconds(count: u64) -> Duration {
            Duration::from_secs(count)
        }
        Self {
            call_timeout: seconds(10),
            creation_grace: seconds(120),
            observation_limit: seconds(15),
            creation_start_limit: seconds(5),
            ours_before: seconds(2),
            ours_after: seconds(30),
            poll_unverified: seconds(30),
            poll_settled: seconds(600),
            difference_confirmation: seconds(30),
            absence_confirmation: seconds(60),
            creation_lag: seconds(300),
            deletion_delay: seconds(10),
            heir_wait: seconds(300),
            restart_backoff: seconds(600),
            restart_backoff_limit: seconds(6 * 3600),
            dns_interval: seconds(30),
            dns_timeout: seconds(5),
            backoff: seconds(1),
            backoff_limit: seconds(600),
            trouble_shows_after: seconds(120),
            rejected_retry: seconds(900),
            secret_retry: seconds(15),
            refused_token_retry: seconds(300),
            changed_token_window: seconds(60),
            namespace_refusal_interval: seconds(60),
            refusal_window: seconds(300),
            lease_duration: seconds(30),
            renew_deadline: seconds(15),
            renew_interval: seconds(3),
            definition_settling: seconds(5),
            watch_failure_limit: seconds(120),
            default_pause: seconds(60),
        }
    }
}

/// Reads a duration as people write it: `90s`, `2m`, `1h 30m`.
///
/// # Errors
/// Says how a duration is written.
pub fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| {
            "a duration is written like 90s, 2m or 1h 30m, and is not negative".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        timing: Timing,
    }

    #[test]
    fn the_flags_default_to_the_documented_durations() {
        assert_eq!(Command::parse_from(["operator"]).timing, Timing::default());
    }

    #[test]
    fn a_grace_that_ends_before_the_call_is_refused() {
        let timing = Timing {
            creation_grace: Duration::from_secs(11),
            ..Timing::default()
        };
        assert_eq!(timing.check(), Err(UnsafeTiming::GraceTooShort));
        assert_eq!(Timing::default().check(), Ok(()));
    }

    #[test]
    fn a_window_that_disowns_what_was_just_created_and_rests_of_nothing_are_refused() {
        let ours_after = Duration::from_secs(29);
        let timing = Timing {
            ours_after,
            ..Timing::default()
        };
        assert_eq!(timing.check(), Err(UnsafeTiming::OursTooNarrow));
        let timing = Timing {
            backoff: Duration::ZERO,
            ..Timing::default()
        };
        assert_eq!(timing.check(), Err(UnsafeTiming::Zero("--backoff")));
    }

    #[test]
    fn a_lease_that_ends_before_the_calls_of_its_leader_is_refused() {
        let lease_duration = Duration::from_secs(26);
        let timing = Timing {
            lease_duration,
            ..Timing::default()
        };
        assert_eq!(timing.check(), Err(UnsafeTiming::LeaseTooShort));
        let timing = Timing {
            renew_interval: Duration::from_secs(8),
            ..Timing::default()
        };
        assert_eq!(timing.check(), Err(UnsafeTiming::DeadlineTooShort));
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "5", "-1s", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
