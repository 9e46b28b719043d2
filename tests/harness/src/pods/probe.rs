//! Asking a container how it is, as its Pod says.

use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::environment::Lack;

/// How often a container is asked in a second of its probe's period, as long as it is not well: nobody wants to wait for
/// the next round of ten seconds in a test.
const HASTE: u32 = 10;

/// How a container is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    /// By a GET, which must be answered with success.
    Http { port: u16, path: String },
    /// By connecting.
    Tcp { port: u16 },
}

/// A probe, with everything that it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inquiry {
    question: Question,
    /// How long after its start the container is first asked.
    pub(super) delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: u32,
    failures: u32,
    /// How much sooner than its period a container that is not well is asked again.
    haste: u32,
}

/// What is believed of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belief {
    Well,
    Unwell,
}

/// The belief, and how many answers in a row speak against it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Impression {
    pub(super) belief: Belief,
    contrary: u32,
}

impl Impression {
    pub(super) const fn new(belief: Belief) -> Self {
        Self {
            belief,
            contrary: 0,
        }
    }
}

impl Inquiry {
    /// What the container's probe asks for.
    pub(super) fn of(probe: &Probe, container: &Container) -> Result<Self, Lack> {
        let question = if let Some(action) = &probe.http_get {
            if action.scheme.as_deref() == Some("HTTPS") {
                return Err(Lack::Unsupported("a probe over HTTPS".to_owned()));
            }
            Question::Http {
                port: port(&action.port, container)?,
                path: action.path.clone().unwrap_or_else(|| "/".to_owned()),
            }
        } else if let Some(action) = &probe.tcp_socket {
            Question::Tcp {
                port: port(&action.port, container)?,
            }
        } else {
            return Err(Lack::Unsupported("this kind of probe".to_owned()));
        };
        let seconds =
            |given: Option<i32>, default| Duration::from_secs(u64::from(count(given, default)));
        Ok(Self {
            question,
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: count(probe.success_threshold, 1),
            failures: count(probe.failure_threshold, 3),
            haste: HASTE,
        })
    }

    /// The same in its own time, so that nobody is ended early.
    pub(super) fn without_haste(self) -> Self {
        Self { haste: 1, ..self }
    }

    /// The port of the container that is asked.
    pub(super) const fn port(&self) -> u16 {
        match self.question {
            Question::Http { port, .. } | Question::Tcp { port } => port,
        }
    }

    /// How long after this belief the container is asked again.
    pub(super) fn pause(&self, belief: Belief) -> Duration {
        match belief {
            Belief::Well => self.period,
            Belief::Unwell => self.period / self.haste,
        }
    }

    /// How often a container is asked until it counts as one that does not start: as many rounds of its period as it has.
    pub(super) const fn startup_attempts(&self) -> u32 {
        self.failures * self.haste
    }

    /// Asks the container, whose port is found at `address`.
    pub(super) async fn ask(&self, http: &reqwest::Client, address: SocketAddr) -> Belief {
        let answer = async {
            match &self.question {
                Question::Http { path, .. } => {
                    let url = format!("http://{address}{path}");
                    let answer = http.get(url).send().await.ok()?;
                    (answer.status().as_u16() < 400).then_some(())
                }
                Question::Tcp { .. } => {
                    let mut stream = TcpStream::connect(address).await.ok()?;
                    // What nobody listens for is closed at once; what is open is silent or says something.
                    let silence = Duration::from_millis(100);
                    match tokio::time::timeout(silence, stream.read(&mut [0])).await {
                        Ok(Ok(0) | Err(_)) => None,
                        Ok(Ok(_)) | Err(_) => Some(()),
                    }
                }
            }
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Some(())) => Belief::Well,
            Ok(None) | Err(_) => Belief::Unwell,
        }
    }

    /// What is believed after one more answer: a belief changes when enough answers in a row speak against it.
    pub(super) const fn weigh(&self, before: Impression, answer: Belief) -> Impression {
        let (needed, same) = match (before.belief, answer) {
            (Belief::Well, Belief::Well) | (Belief::Unwell, Belief::Unwell) => (0, true),
            (Belief::Well, Belief::Unwell) => (self.failures, false),
            (Belief::Unwell, Belief::Well) => (self.successes, false),
        };
        let contrary = before.contrary + 1;
        if same {
            Impression::new(before.belief)
        } else if contrary >= needed {
            Impression::new(answer)
        } else {
            Impression {
                belief: before.belief,
                contrary,
            }
        }
    }
}

fn count(given: Option<i32>, default: u32) -> u32 {
    given
        .and_then(|given| u32::try_from(given).ok())
        .filter(|given| *given > 0)
        .unwrap_or(default)
}

/// A port by its number, or by the name that the container gives it.
fn port(asked: &IntOrString, container: &Container) -> Result<u16, Lack> {
    let number = match asked {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .map(|port| port.container_port),
    };
    number
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| Lack::Missing(format!("the container has no port {asked:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_belief_changes_after_enough_answers_in_a_row() {
        let inquiry = Inquiry {
            question: Question::Tcp { port: 1 },
            delay: Duration::ZERO,
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            successes: 1,
            failures: 3,
            haste: 1,
        };
        let mut impression = Impression::new(Belief::Unwell);
        let mut believed = String::new();
        for answer in "+--+---+".chars() {
            let answer = match answer {
                '+' => Belief::Well,
                _ => Belief::Unwell,
            };
            impression = inquiry.weigh(impression, answer);
            believed.push(match impression.belief {
                Belief::Well => '+',
                Belief::Unwell => '-',
            });
        }
        assert_eq!(believed, "++++++-+");
    }
}
