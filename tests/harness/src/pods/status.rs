//! What the status of a Pod says, from the states of its containers. Pure.

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, PodCondition,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::protocol::Exit;

/// What a container that has ended is replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    /// An absent word means `Always`, as for the API server.
    pub(super) fn from_word(word: Option<&str>) -> Self {
        match word {
            Some("OnFailure") => Self::OnFailure,
            Some("Never") => Self::Never,
            Some(_) | None => Self::Always,
        }
    }

    /// Whether a container is started again that has ended with this code.
    pub(super) const fn restarts(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }

    /// For init containers, of which one that succeeded has done its work.
    pub(super) const fn of_init(self) -> Self {
        match self {
            Self::Always | Self::OnFailure => Self::OnFailure,
            Self::Never => Self::Never,
        }
    }
}

/// The containers of a Pod as they are at the moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub(super) restart_policy: RestartPolicy,
    pub(super) init: Vec<ContainerStatus>,
    pub(super) containers: Vec<ContainerStatus>,
}

impl Picture {
    pub(super) fn phase(&self) -> &'static str {
        let init_failed = || {
            let mut ended = self.init.iter().filter_map(exit_code);
            ended.any(|code| code != 0) && self.restart_policy == RestartPolicy::Never
        };
        if !self.is_initialized() {
            return if init_failed() { "Failed" } else { "Pending" };
        }
        let codes: Vec<Option<i32>> = self.containers.iter().map(exit_code).collect();
        let has_begun = |status: &ContainerStatus| {
            running(status).is_some() || exit_code(status).is_some() || status.last_state.is_some()
        };
        if !self.containers.iter().all(has_begun) {
            return "Pending";
        }
        let all_ended_for_good = codes
            .iter()
            .all(|code| code.is_some_and(|code| !self.restart_policy.restarts(code)));
        match (
            all_ended_for_good,
            codes.iter().all(|code| *code == Some(0)),
        ) {
            (false, _) => "Running",
            (true, true) => "Succeeded",
            (true, false) => "Failed",
        }
    }

    /// The conditions, with `before` for the times at which they changed, and for those of others.
    pub(super) fn conditions(&self, before: &[PodCondition], now: &Time) -> Vec<PodCondition> {
        let unready: Vec<&str> = self
            .containers
            .iter()
            .filter(|status| !status.ready)
            .map(|status| status.name.as_str())
            .collect();
        let (ready, reason, message) = match self.phase() {
            "Succeeded" => (false, Some("PodCompleted"), None),
            "Failed" => (false, Some("PodFailed"), None),
            _ if unready.is_empty() => (true, None, None),
            _ => {
                let message = format!("containers with unready status: [{}]", unready.join(" "));
                (false, Some("ContainersNotReady"), Some(message))
            }
        };
        let initialized = self.is_initialized();
        let not_initialized = (!initialized).then_some("ContainersNotInitialized");
        let ours = [
            ("PodScheduled", true, None, None),
            ("Initialized", initialized, not_initialized, None),
            ("ContainersReady", ready, reason, message.clone()),
            ("Ready", ready, reason, message),
        ];
        let others = before
            .iter()
            .filter(|condition| !ours.iter().any(|(kind, ..)| *kind == condition.type_));
        let mut conditions: Vec<PodCondition> = others.cloned().collect();
        for (kind, holds, reason, message) in ours {
            let status = if holds { "True" } else { "False" };
            let unchanged = before
                .iter()
                .find(|condition| condition.type_ == kind && condition.status == status)
                .and_then(|condition| condition.last_transition_time.clone());
            conditions.push(PodCondition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: reason.map(str::to_owned),
                message,
                last_transition_time: Some(unchanged.unwrap_or_else(|| now.clone())),
                ..PodCondition::default()
            });
        }
        conditions
    }

    fn is_initialized(&self) -> bool {
        self.init.iter().all(|status| exit_code(status) == Some(0))
    }
}

/// A container that waits to be started for this reason.
pub(super) fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message,
        }),
        ..ContainerState::default()
    }
}

/// A container that runs since then.
pub(super) fn runs(since: Time) -> ContainerState {
    ContainerState {
        running: Some(ContainerStateRunning {
            started_at: Some(since),
        }),
        ..ContainerState::default()
    }
}

/// A container that has ended.
pub(super) fn ended(exit: &Exit, started: Time, finished: Time) -> ContainerState {
    let (code, signal, message) = match exit {
        Exit::Code(code) => (*code, None, None),
        // As shells count them.
        Exit::Signal(signal) => (128 + signal, Some(*signal), None),
        Exit::NotStarted(why) => (128, None, Some(why.clone())),
    };
    let reason = match exit {
        Exit::Code(0) => "Completed",
        Exit::Code(_) | Exit::Signal(_) => "Error",
        Exit::NotStarted(_) => "StartError",
    };
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: code,
            signal,
            message,
            reason: Some(reason.to_owned()),
            started_at: Some(started),
            finished_at: Some(finished),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}

/// The code of a container that has ended and was not started again.
pub(super) fn exit_code(status: &ContainerStatus) -> Option<i32> {
    Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
}

fn running(status: &ContainerStatus) -> Option<&ContainerStateRunning> {
    status.state.as_ref()?.running.as_ref()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn second(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn container(state: ContainerState) -> ContainerStatus {
        ContainerStatus {
            name: "one".to_owned(),
            state: Some(state),
            ..ContainerStatus::default()
        }
    }

    fn with_code(code: i32) -> ContainerStatus {
        container(ended(&Exit::Code(code), second(1), second(2)))
    }

    fn crashed_before() -> ContainerStatus {
        ContainerStatus {
            last_state: with_code(1).state,
            ..container(waiting("CrashLoopBackOff", None))
        }
    }

    #[test]
    fn the_phase_follows_from_the_containers() {
        use RestartPolicy::{Always, Never, OnFailure};
        let waits = || container(waiting("ContainerCreating", None));
        let running = || container(runs(second(1)));
        for (policy, init, containers, phase) in [
            (Always, vec![], vec![waits()], "Pending"),
            (Always, vec![], vec![running(), waits()], "Pending"),
            (Always, vec![], vec![running()], "Running"),
            (Always, vec![], vec![with_code(0)], "Running"),
            (Always, vec![], vec![crashed_before()], "Running"),
            (Always, vec![running()], vec![waits()], "Pending"),
            (Always, vec![with_code(1)], vec![waits()], "Pending"),
            (Never, vec![with_code(1)], vec![waits()], "Failed"),
            (Always, vec![with_code(0)], vec![running()], "Running"),
            (OnFailure, vec![], vec![with_code(0)], "Succeeded"),
            (OnFailure, vec![], vec![with_code(1)], "Running"),
            (Never, vec![], vec![with_code(1)], "Failed"),
            (Never, vec![], vec![with_code(0), with_code(1)], "Failed"),
            (Never, vec![], vec![with_code(0), running()], "Running"),
        ] {
            let picture = Picture {
                restart_policy: policy,
                init,
                containers,
            };
            assert_eq!(picture.phase(), phase, "{picture:?}");
        }
    }

    #[test]
    fn a_pod_is_ready_when_its_containers_are_and_says_since_when() {
        let mut picture = Picture {
            restart_policy: RestartPolicy::Always,
            init: vec![],
            containers: vec![container(runs(second(1)))],
        };
        let of_others = PodCondition {
            type_: "DisruptionTarget".to_owned(),
            ..PodCondition::default()
        };
        let ready = |conditions: &[PodCondition]| {
            let found = conditions.iter().find(|found| found.type_ == "Ready");
            let found = found.unwrap().clone();
            (found.status, found.last_transition_time.unwrap())
        };
        let first = picture.conditions(std::slice::from_ref(&of_others), &second(5));
        assert_eq!(ready(&first), ("False".to_owned(), second(5)));
        assert!(first.contains(&of_others));
        let second_look = picture.conditions(&first, &second(6));
        assert_eq!(second_look, first, "nothing has changed");
        picture.containers[0].ready = true;
        let third = picture.conditions(&first, &second(7));
        assert_eq!(ready(&third), ("True".to_owned(), second(7)));
    }
}
