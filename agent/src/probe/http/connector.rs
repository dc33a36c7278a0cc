//! Watches the client connect, for the deadline to say what it cut off.

use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::probe::stage::{Stage, reached};

/// Wraps the client's connector.
#[derive(Clone, Debug)]
pub(super) struct Observed;

impl<S> Layer<S> for Observed {
    type Service = ObservedConnector<S>;

    fn layer(&self, connector: S) -> Self::Service {
        ObservedConnector(connector)
    }
}

/// A connector that notes when it begins and when it has connected.
#[derive(Clone, Debug)]
pub(super) struct ObservedConnector<S>(S);

impl<S, R> Service<R> for ObservedConnector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        reached(Stage::Connecting);
        let connecting = self.0.call(target);
        Box::pin(async move {
            let connected = connecting.await?;
            reached(Stage::Waiting);
            Ok(connected)
        })
    }
}
