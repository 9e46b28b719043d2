//! The token shows nowhere: not in a failure, not in any library's log at trace level.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use simulator::Knobs;
use tracing_subscriber::filter::LevelFilter;

use crate::cases::cases;
use crate::dns::{self, Scene};
use crate::setting::ENDPOINTS;

/// Everything that was logged on the thread that made it.
#[derive(Clone)]
struct Log {
    thread: ThreadId,
    text: Arc<Mutex<Vec<u8>>>,
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if thread::current().id() == self.thread {
            self.text.lock().unwrap().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn of_this_thread() -> Self {
        Self {
            thread: thread::current().id(),
            text: Arc::default(),
        }
    }

    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.text.lock().unwrap())).unwrap()
    }
}

/// The runtime has one thread, so its log holds the client's and the libraries' tasks. The subscriber is global, because
/// with a scoped one, threads without a subscriber make `tracing` forget that somebody listens.
#[tokio::test]
async fn no_fault_brings_the_token_to_light() {
    let log = Log::of_this_thread();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let scene = Scene::new(Knobs::default()).await;
    let setting = &scene.setting;
    let echo = format!("Invalid token {0} in \"Bearer {0}\"", setting.token_text);
    let echoes = [400, 403, 404, 429, 500].map(|status| {
        (
            format!("echo {status}"),
            simulator::Failure::envelope(status, 1000, &echo),
        )
    });
    let faults = cases()
        .into_iter()
        .map(|case| (case.name, case.injected))
        .chain(echoes);
    for (name, injected) in faults {
        for endpoint in ENDPOINTS.into_iter().chain(dns::ENDPOINTS) {
            let injected = injected.clone();
            let outcome = if ENDPOINTS.contains(&endpoint) {
                setting.suffer(endpoint, injected).await
            } else {
                scene.suffer(endpoint, injected).await
            };
            let failure = outcome.unwrap_err();
            let shown = format!("{failure} {failure:?} {failure:#?}");
            let logged = log.take();
            assert!(logged.contains("called Cloudflare"), "{name}: {logged}");
            for text in [shown, logged] {
                assert!(
                    !text.contains(&setting.token_text),
                    "{name} on {endpoint}: {text}"
                );
            }
        }
    }
    let shown = format!(
        "{:?} {:?} {:?}",
        setting.client,
        setting.token,
        setting.list().await
    );
    assert!(!shown.contains(&setting.token_text), "{shown}");
}
