//! Has a target restarted, and tells the engine twice: when the new run begins, and how it ended.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use sentinel_engine::{Action, ActionResult, Event};
use tokio::sync::{mpsc, oneshot};

use super::TargetHandle;
use crate::systemd::MayAffect;

/// How long Docker may take for a restart. A unit may take as long as its own settings say.
const JOB_LIMIT: Duration = Duration::from_secs(200);

/// Carries out `action`. Without a driver nobody is left to tell.
pub(super) async fn act(target: &TargetHandle, action: Action, may_affect: &[String], events: &mpsc::Sender<Event>) {
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
            // In this order: what has begun is told before its outcome. What has ended is not waited for to begin.
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

impl TargetHandle {
    async fn restart(&self, action: &Action, may_affect: &[String], begun: oneshot::Sender<()>) -> ActionResult {
        match self {
            Self::Unit(systemd, unit) => {
                // An operator who asks for a restart gets what `systemctl restart` does.
                let may_affect = match action.attempt {
                    0 => MayAffect::Anything,
                    _ => MayAffect::Only(may_affect),
                };
                systemd
                    .restart(unit, action.kind, action.expected.as_ref(), may_affect, None, begun)
                    .await
            }
            Self::Process(process) => process.restart(action.kind, action.expected.as_ref(), begun).await,
            Self::Container(docker, container) => {
                docker
                    .restart(container, action.kind, action.expected.as_ref(), JOB_LIMIT, begun)
                    .await
            }
        }
    }
}
