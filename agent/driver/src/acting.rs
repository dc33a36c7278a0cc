//! Has a target restarted, and tells the engine twice: when the new run begins, and how it ended.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use sentinel_engine::{Action, ActionResult, Event};
use tokio::sync::{mpsc, oneshot};

use super::Target;

/// Carries out `action`. Without a driver nobody is left to tell.
pub(super) async fn act(target: &impl Target, action: Action, may_affect: &[String], events: &mpsc::Sender<Event>) {
    let (begun, has_begun) = oneshot::channel();
    let result = {
        let restart = AssertUnwindSafe(target.restart(&action, may_affect, begun)).catch_unwind();
        let first = async {
            if has_begun.await.is_ok() {
                let (action, service) = (action.id, action.service.clone());
                let _ = events.send(Event::ActionBegun { action, service }).await;
            }
        };
        tokio::pin!(restart, first);
        tokio::select! {
            // In this order: what has begun is reported before its outcome. What has ended is not waited for to begin.
            biased;
            () = &mut first => restart.await,
            result = &mut restart => result,
        }
    };
    let result = result.unwrap_or_else(|_| ActionResult::Unknown("the agent failed while doing it".into()));
    let event = Event::ActionFinished {
        action: action.id,
        service: action.service,
        result,
    };
    let _ = events.send(event).await;
}
