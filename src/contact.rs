//! Whether a watch gets through to the API server. A watch that works says nothing while nothing happens, and one that
//! is begun again brings nothing either; so what counts is the answer to the call that begins it, as its client sees it.
//! That answer has to begin in time, and unless it is a watch's, to end in time, too: over a connection that only seems to be
//! there it would be waited for for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body as AnyBody, Bytes, HttpBody, to_bytes};
use futures::future::BoxFuture;
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use crate::clock::{Clock, Moment};

/// The API server has not answered within this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the API server did not answer within {} s", .0.as_secs())]
pub struct Unanswered(Duration);

/// Since when a client's calls have brought no good answer, for each path that it calls: one for each namespace that is
/// watched. Shared with the client.
#[derive(Debug, Clone)]
pub struct Contact {
    clock: Clock,
    asking_since: Arc<Mutex<HashMap<String, Moment>>>,
}

impl Contact {
    /// Contact of a client that has not called yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            asking_since: Arc::default(),
        }
    }

    /// For how long calls to one and the same path have been made without a good answer; zero while all is well.
    #[must_use]
    pub fn lost_for(&self) -> Duration {
        let since = self.lock().values().min().copied();
        since.map_or(Duration::ZERO, |since| self.clock.now().since(since))
    }

    fn asks(&self, path: &str) {
        let now = self.clock.now();
        self.lock().entry(path.to_owned()).or_insert(now);
    }

    fn answered(&self, path: &str) {
        self.lock().remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Moment>> {
        self.asking_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A layer for [`kube::client::ClientBuilder`] that keeps a [`Contact`] up to date.
#[derive(Debug, Clone)]
pub struct Noted {
    /// The contact.
    pub contact: Contact,
    /// How long a call may wait for its answer, or if it is a watch, for that to begin. What a watch tells then may take as
    /// long as it likes.
    pub answer_timeout: Duration,
}

/// A client's service with that layer on. Its calls fail with [`Unanswered`] if no answer comes in time.
#[derive(Debug, Clone)]
pub struct Noting<S> {
    service: S,
    noted: Noted,
}

impl<S> Layer<S> for Noted {
    type Service = Noting<S>;

    fn layer(&self, service: S) -> Noting<S> {
        Noting {
            service,
            noted: self.clone(),
        }
    }
}

impl<S, B> Service<http::Request<Body>> for Noting<S>
where
    S: Service<
            http::Request<Body>,
            Response = http::Response<B>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        >,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = http::Response<AnyBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        self.service.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let watches = is_watch(request.uri());
        self.noted.contact.asks(&path);
        let call = self.service.call(request);
        let Noted {
            contact,
            answer_timeout,
        } = self.noted.clone();
        let answer = async move {
            let answer = call.await.map_err(Into::into)?.map(AnyBody::new);
            if watches {
                Ok(answer)
            } else {
                whole(answer).await
            }
        };
        Box::pin(async move {
            let answer = tokio::time::timeout(answer_timeout, answer)
                .await
                .map_err(|_| Unanswered(answer_timeout))??;
            if answer.status().is_success() {
                contact.answered(&path);
            }
            Ok(answer)
        })
    }
}

fn is_watch(uri: &http::Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|parameter| parameter == "watch=true")
}

/// The answer once all of it is there.
async fn whole(answer: http::Response<AnyBody>) -> Result<http::Response<AnyBody>, BoxError> {
    let (head, body) = answer.into_parts();
    let bytes = to_bytes(body, usize::MAX).await?;
    Ok(http::Response::from_parts(head, bytes.into()))
}

#[cfg(test)]
mod tests {
    use std::future::{Pending, Ready, pending, ready};
    use std::io;
    use std::task::{Context, Poll};

    use futures::stream;

    use super::*;

    /// Answers with a status, or not at all.
    struct Server(Option<u16>);

    impl Service<http::Request<Body>> for Server {
        type Response = http::Response<AnyBody>;
        type Error = io::Error;
        type Future = Ready<Result<http::Response<AnyBody>, io::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            let answer = http::Response::builder();
            ready(self.0.map_or_else(
                || Err(io::Error::other("refused")),
                |status| Ok(answer.status(status).body(AnyBody::empty()).unwrap()),
            ))
        }
    }

    fn noted(contact: &Contact) -> Noted {
        Noted {
            contact: contact.clone(),
            answer_timeout: Duration::from_mins(1),
        }
    }

    fn path(path: &str) -> http::Request<Body> {
        http::Request::builder()
            .uri(path)
            .body(Body::empty())
            .unwrap()
    }

    #[tokio::test]
    async fn contact_is_lost_from_the_first_call_in_vain_to_the_next_good_answer() {
        let contact = Contact::new(Clock::start());
        assert_eq!(contact.lost_for(), Duration::ZERO);
        let mut since = None;
        for (status, lost) in [
            (Some(200), false),
            (Some(500), true),
            (None, true),
            (Some(403), true),
            (Some(200), false),
        ] {
            let mut client = noted(&contact).layer(Server(status));
            let _answer = client.call(path("/a?watch=true")).await;
            let asking_since = contact.lock().get("/a").copied();
            assert_eq!(asking_since.is_some(), lost, "{status:?}");
            let first = since.filter(|_| lost).or(asking_since);
            assert_eq!(asking_since, first, "the first failure counts");
            since = asking_since;
        }
    }

    /// Never answers.
    struct Silence;

    impl Service<http::Request<Body>> for Silence {
        type Response = http::Response<AnyBody>;
        type Error = io::Error;
        type Future = Pending<Result<http::Response<AnyBody>, io::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            pending()
        }
    }

    /// Begins to answer and does not go on.
    struct HalfSilence;

    impl Service<http::Request<Body>> for HalfSilence {
        type Response = http::Response<AnyBody>;
        type Error = io::Error;
        type Future = Ready<Result<http::Response<AnyBody>, io::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            let silence = stream::pending::<io::Result<Bytes>>();
            ready(Ok(http::Response::new(AnyBody::from_stream(silence))))
        }
    }

    fn hasty(contact: &Contact) -> Noted {
        Noted {
            answer_timeout: Duration::from_millis(10),
            ..noted(contact)
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_go_on_fails_in_time_unless_it_is_that_of_a_watch() {
        let contact = Contact::new(Clock::start());
        let minute = Duration::from_mins(1);
        for (asked, watches) in [
            ("/a?limit=500", false),
            ("/a?watch=truely", false),
            ("/a?limit=500&watch=true", true),
        ] {
            let call = hasty(&contact).layer(HalfSilence).call(path(asked));
            let answer = tokio::time::timeout(minute, call).await.unwrap();
            assert_eq!(answer.is_ok(), watches, "{asked}");
            assert_eq!(contact.lock().is_empty(), watches, "{asked}");
        }
    }

    #[tokio::test]
    async fn a_call_that_nobody_answers_fails_in_time() {
        let contact = Contact::new(Clock::start());
        let hasty = hasty(&contact);
        let answer_timeout = hasty.answer_timeout;
        let call = hasty.layer(Silence).call(path("/a"));
        let minute = Duration::from_mins(1);
        let answer = tokio::time::timeout(minute, call).await.unwrap();
        assert!(answer.unwrap_err().is::<Unanswered>());
        assert!(contact.lost_for() >= answer_timeout);
    }

    #[tokio::test]
    async fn that_one_namespace_answers_says_nothing_of_another() {
        let contact = Contact::new(Clock::start());
        let client = |status| noted(&contact).layer(Server(status));
        let _refused = client(Some(403)).call(path("/a")).await;
        let _answered = client(Some(200)).call(path("/b")).await;
        let asking: Vec<_> = contact.lock().keys().cloned().collect();
        assert_eq!(asking, ["/a"]);
    }
}
