//! A child process under a test's control.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::{HarnessError, until};

/// How much of a log an error shows.
const TAIL_LINES: usize = 30;

/// What a process holds of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Memory that is resident, in KiB.
    pub memory: u64,
    /// The most memory that was resident at any time, in KiB.
    pub peak: u64,
    /// The time that processors have spent on it since its start.
    pub processor: Duration,
    /// Open file descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: u64,
}

/// A running program whose output goes to a file. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with stdout and stderr written to the new file `log`. `name` is for messages.
    ///
    /// # Errors
    /// The log could not be created, or the program not be started.
    pub fn spawn(name: &str, mut command: Command, log: PathBuf) -> Result<Self, HarnessError> {
        let creating = || format!("creating {}", log.display());
        let stdout = File::create(&log).map_err(HarnessError::io(creating()))?;
        let stderr = stdout.try_clone().map_err(HarnessError::io(creating()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(HarnessError::io(format!("starting {name}")))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Whether it has not ended yet (a paused process has not).
    ///
    /// # Errors
    /// The operating system does not know the process.
    pub fn is_running(&mut self) -> Result<bool, HarnessError> {
        Ok(self.exit_status()?.is_none())
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// The operating system does not know the process.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>, HarnessError> {
        self.child
            .try_wait()
            .map_err(HarnessError::io(format!("asking for {}", self.name)))
    }

    /// Ends it at once, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn kill(&mut self) -> Result<ExitStatus, HarnessError> {
        let killing = || format!("killing {}", self.name);
        self.child.kill().map_err(HarnessError::io(killing()))?;
        self.child.wait().map_err(HarnessError::io(killing()))
    }

    /// Asks it to end (SIGTERM) and waits until it did. It still runs if it did not within `deadline`.
    ///
    /// # Errors
    /// The deadline passed; the message shows the end of its output.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus, HarnessError> {
        self.signal(Signal::TERM)?;
        let awaited = format!("{} to end after SIGTERM", self.name);
        self.until_ended(&awaited, deadline).await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// The deadline passed; the message shows the end of its output.
    pub async fn ended(&mut self, deadline: Duration) -> Result<ExitStatus, HarnessError> {
        let awaited = format!("{} to end", self.name);
        self.until_ended(&awaited, deadline).await
    }

    async fn until_ended(
        &mut self,
        awaited: &str,
        deadline: Duration,
    ) -> Result<ExitStatus, HarnessError> {
        let status = until(awaited, deadline, async || match self.exit_status() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(format!("it runs; the last it said:\n{}", self.tail())),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        Ok(status)
    }

    /// Stops it in its tracks (SIGSTOP): its sockets stay open and nobody answers, as on a frozen machine.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn pause(&mut self) -> Result<(), HarnessError> {
        self.signal(Signal::STOP)?;
        // Some of its threads may run on for a moment. That it stopped, or ended instead, is only looked at here, and stays
        // for those who ask for its exit status.
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), stopped)
            .map_err(|error| HarnessError::io(format!("pausing {}", self.name))(error.into()))?;
        Ok(())
    }

    /// Lets a paused process go on.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn resume(&mut self) -> Result<(), HarnessError> {
        self.signal(Signal::CONT)
    }

    /// Asks it to read its configuration again (SIGHUP).
    ///
    /// # Errors
    /// The operating system refused.
    pub fn reload(&mut self) -> Result<(), HarnessError> {
        self.signal(Signal::HUP)
    }

    /// What it holds of the machine now, as Linux tells it.
    ///
    /// # Errors
    /// It has ended, or this is no Linux.
    pub fn holdings(&self) -> Result<Holdings, HarnessError> {
        let folder = PathBuf::from(format!("/proc/{}", self.id()));
        let looking = || HarnessError::io(format!("looking at what {} holds", self.name));
        let status = std::fs::read_to_string(folder.join("status")).map_err(looking())?;
        let descriptors = std::fs::read_dir(folder.join("fd")).map_err(looking())?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| looking()(std::io::Error::other(format!("no {name} there"))))
        };
        Ok(Holdings {
            memory: number("VmRSS:")?,
            peak: number("VmHWM:")?,
            processor: self.processor_time()?,
            descriptors: descriptors.count(),
            threads: number("Threads:")?,
        })
    }

    fn processor_time(&self) -> Result<Duration, HarnessError> {
        let looking = HarnessError::io(format!("looking at what {} has used", self.name));
        let path = format!("/proc/{}/stat", self.id());
        let read = std::fs::read_to_string(path).and_then(|stat| {
            // The name, in parentheses, may hold anything; the times are the 12th and 13th field after it.
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            let times = fields.split_whitespace().skip(11).take(2);
            let ticks: Option<Vec<u64>> = times.map(|time| time.parse().ok()).collect();
            ticks.ok_or_else(|| std::io::Error::other("no times there"))
        });
        let ticks: u64 = read.map_err(looking)?.into_iter().sum();
        let milliseconds = ticks * 1000 / rustix::param::clock_ticks_per_second();
        Ok(Duration::from_millis(milliseconds))
    }

    /// All it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines it printed.
    #[must_use]
    pub fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// The file its output goes to.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its process ID.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` is `Ok`, and fails at once when the process ends before.
    pub(crate) async fn until_ready<T>(
        &mut self,
        awaited: &str,
        deadline: Duration,
        mut ready: impl AsyncFnMut() -> Result<T, String>,
    ) -> Result<T, HarnessError> {
        let outcome = until(awaited, deadline, async || match self.exit_status() {
            Ok(Some(status)) => Ok(Err(format!("it ended with {status}"))),
            _ => ready().await.map(Ok),
        })
        .await;
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(reason)) => Err(self.start_error(reason)),
            Err(timeout) => Err(self.start_error(timeout.to_string())),
        }
    }

    fn start_error(&self, reason: String) -> HarnessError {
        HarnessError::Start {
            process: self.name.clone(),
            reason,
            log: self.tail(),
        }
    }

    fn signal(&mut self, signal: Signal) -> Result<(), HarnessError> {
        // Once it was reaped its ID may belong to somebody else.
        if let Some(status) = self.exit_status()? {
            return Err(self.start_error(format!("it had ended before, with {status}")));
        }
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|error| HarnessError::io(format!("signalling {}", self.name))(error.into()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a refusal here, and the usual one is that it ended by itself.
        let _ = self.kill();
    }
}
