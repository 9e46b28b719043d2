//! Keeps a client of the API server from writing while this process does not lead.

use futures::future::BoxFuture;
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::Authority;

/// A layer for [`kube::client::ClientBuilder`] through which only reads pass while the authority does not last.
#[derive(Debug, Clone)]
pub struct WritesUnder(pub Authority);

/// A client's service with that layer on.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    service: S,
    authority: Authority,
}

impl<S> Layer<S> for WritesUnder {
    type Service = Guarded<S>;

    fn layer(&self, service: S) -> Guarded<S> {
        Guarded {
            service,
            authority: self.0.clone(),
        }
    }
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        self.service.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let reads = request.method() == http::Method::GET;
        let call = self.service.call(request);
        if reads {
            return Box::pin(async move { call.await.map_err(Into::into) });
        }
        let authority = self.authority.clone();
        Box::pin(async move { authority.cover(call).await?.map_err(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::task::{Context, Poll};

    use super::*;

    struct Server;

    impl Service<http::Request<Body>> for Server {
        type Response = &'static str;
        type Error = Infallible;
        type Future = Ready<Result<&'static str, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            ready(Ok("done"))
        }
    }

    #[tokio::test]
    async fn only_reads_pass_without_authority() {
        let authority = Authority::none();
        let mut client = WritesUnder(authority.clone()).layer(Server);
        for (method, leads, passes) in [
            (http::Method::GET, false, true),
            (http::Method::PATCH, false, false),
            (http::Method::POST, false, false),
            (http::Method::GET, true, true),
            (http::Method::PATCH, true, true),
        ] {
            authority.revoke();
            if leads {
                authority.extend(super::super::uptime() + std::time::Duration::from_mins(1));
            }
            let mut request = http::Request::new(Body::empty());
            *request.method_mut() = method.clone();
            let answer = client.call(request).await;
            assert_eq!(answer.is_ok(), passes, "{method} while leading: {leads}");
        }
    }
}
