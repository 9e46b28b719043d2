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
